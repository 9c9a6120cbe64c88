# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a finding is: something in a guest that an operator should know, and what to do about it."""

from typing import Dict, Iterable, List, Mapping, NamedTuple, Optional, Tuple

from ._printable import printable

ERROR = "error"
WARNING = "warning"
INFO = "info"
_ORDER = {ERROR: 0, WARNING: 1, INFO: 2}


class Finding(NamedTuple):
    code: str  # area.what; stable, a playbook may branch on it
    severity: str
    message: str
    remedy: str
    evidence: Optional[str] = None

    def as_dict(self) -> Dict[str, Optional[str]]:
        return dict(self._asdict())


def filled(
    catalogue: Mapping[str, Tuple[str, str, str]], code: str, evidence: Optional[str], words: Mapping[str, object]
) -> Finding:
    """A finding of a catalogue (code -> severity, message, remedy), the guest's own words in it fit to be shown."""
    severity, message, remedy = catalogue[code]
    shown = {key: printable(str(word), 200) for key, word in words.items()}
    said = printable(evidence, 300) if evidence else None
    return Finding(code, severity, message.format(**shown), remedy.format(**shown), said)


def ranked(findings: Iterable[Finding]) -> List[Finding]:
    """Errors first, then warnings, then what is merely good to know; each finding once."""
    return sorted(dict.fromkeys(findings), key=lambda finding: _ORDER.get(finding.severity, 0))


def verdict(findings: Iterable[Finding]) -> str:
    """``error``, ``warning`` or ``ok``: the worst that was found."""
    severities = {finding.severity for finding in findings}
    if ERROR in severities:
        return ERROR
    return WARNING if WARNING in severities else "ok"
