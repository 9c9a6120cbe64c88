# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a finding is: something in a guest that an operator should know, and what to do about it."""

from typing import Dict, Iterable, List, NamedTuple, Optional

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


def ranked(findings: Iterable[Finding]) -> List[Finding]:
    """Errors first, then warnings, then what is merely good to know; each finding once."""
    return sorted(dict.fromkeys(findings), key=lambda finding: _ORDER.get(finding.severity, 0))


def verdict(findings: Iterable[Finding]) -> str:
    """``error``, ``warning`` or ``ok``: the worst that was found."""
    severities = {finding.severity for finding in findings}
    if ERROR in severities:
        return ERROR
    return WARNING if WARNING in severities else "ok"
