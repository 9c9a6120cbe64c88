# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is wrong with the text of a script that Azure starts with ``sh``, whatever its first line says.

``sh`` is dash on Debian and Ubuntu, and bash in POSIX mode on RHEL and SUSE.
"""

import re
from typing import Dict, List, Tuple

from .._finding import ERROR, INFO, WARNING, Finding

# Looked for in code only: texts, comments and here-documents are blanked out first. A pattern that is wrong now and
# then costs a warning, no more.
_BASHISMS = (
    (r"(?:^|[\s;&|(!])\[\[\s", "[[ ... ]]"),
    (r"^\s*function\s+[\w-]+", "function NAME"),
    (r"(?:^|[\s;&|])[A-Za-z_]\w*\+?=\(", "an array"),
    (r"\$\{[A-Za-z_]\w*\[", "an array"),
    (r"(?:^|[\s;&|])source\s+\S", "source"),
    (r"<<<", "<<<"),
    (r"&>", "&>"),
    (r"[<>]\(", "process substitution"),
    (r"\$'", "$'...'"),
    (r"\$\{[A-Za-z_]\w*(?:\^|,|/|:[0-9$])", "a substitution that only bash has"),
    (r"(?:^|[\s;&|])(?:declare|typeset|shopt|let|mapfile|readarray|pushd|popd)\s", "a builtin that only bash has"),
    (r"(?:^|[\s;&|])\(\(", "(( ... ))"),
    (r"\[\s[^\]]*\s==\s", "== in [ ]"),
    (r"^\s*set\s+-\w*o\s+pipefail", "pipefail"),
)
_COMPILED = tuple((re.compile(pattern), name) for pattern, name in _BASHISMS)
_HERE = re.compile(r"<<(-?)\s*(?:\\|'|\")?(\w+)")
# Nobody writes a longer script by hand.
_MOST_LINES = 20000


def is_sh(data: bytes) -> bool:
    """Whether a file that is started by its own first line is a script for sh."""
    first = data[:200].split(b"\n", 1)[0].strip()
    return bool(re.match(rb"#!\s*(/usr)?/bin/(env\s+)?(sh|dash)(\s|\Z)", first))


def _code(line: str, quote: str) -> Tuple[str, str]:
    """A line without the texts in it, and the quote that is still open at its end. Substitutions in a text stay."""
    code = []
    at = 0
    while at < len(line):
        letter = line[at]
        if quote == "'":
            quote = "" if letter == "'" else quote
        elif letter == "\\":
            at += 1
        elif letter == '"':
            quote = "" if quote else '"'
            code.append(letter)
        elif quote == '"':
            end = line.find("}", at) if line.startswith("${", at) else -1
            if end > at:
                code.append(line[at : end + 1])
                at = end
        elif letter == "'":
            quote = "'"
            code.append(letter)
        elif letter == "#" and (at == 0 or line[at - 1] in " \t;&|("):
            break
        else:
            code.append(letter)
        at += 1
    return "".join(code), quote


def bashisms(text: str) -> List[str]:
    """What dash does not know, each once, as ``what (line n)``."""
    found: Dict[str, str] = {}
    quote = here = ""
    for number, line in enumerate(text.splitlines()[:_MOST_LINES], 1):
        if here:
            here = "" if line.strip() == here else here
            continue
        code, quote = _code(line[:2000], quote)
        begun = _HERE.search(line) if "<<" in code and "<<<" not in code else None
        here = begun.group(2) if begun else ""
        for pattern, name in _COMPILED:
            if name not in found and pattern.search(code):
                found[name] = "{0} (line {1})".format(name, number)
    return list(found.values())


def lint_text(path: str, data: bytes, started_by_sh: bool) -> List[Finding]:
    """``started_by_sh``: Azure starts it with sh; otherwise its own first line counts."""
    found = []

    def add(code: str, severity: str, message: str, remedy: str, evidence: str = "") -> None:
        found.append(Finding("script." + code, severity, message, remedy, evidence or None))

    if not data.strip():
        add("empty", ERROR, "{0} is empty, so it holds nothing and succeeds.".format(path), "Write the script.")
        return found
    if data.startswith(b"\xef\xbb\xbf"):
        add(
            "bom",
            ERROR,
            "{0} begins with a byte order mark, which sh takes for a part of the first command.".format(path),
            "Save it as UTF-8 without a byte order mark.",
        )
    if b"\r\n" in data:
        add(
            "crlf",
            ERROR,
            "{0} has Windows line ends; dash may fail on each line and still end with status 0.".format(path),
            "Convert it, for instance with: sed -i 's/\\r$//' {0}".format(path),
        )
    if b"\0" in data:
        add("binary", ERROR, "{0} is not text; sh cannot run it.".format(path), "Name a shell script instead.")
        return found
    first = data[:200].split(b"\n", 1)[0].decode("utf-8", "replace").strip()
    if started_by_sh and first.startswith("#!") and not is_sh(data) and "bash" not in first:
        add(
            "not_sh",
            ERROR,
            "{0} is written for {1}, but Azure starts it with sh and ignores its first line.".format(path, first[2:60]),
            "Name a shell script that starts it.",
        )
        return found
    if started_by_sh or is_sh(data):
        strange = bashisms(data.decode("utf-8", "replace"))
        if strange:
            add(
                "bashism",
                WARNING,
                "{0} uses what plain sh does not have; dash (Debian, Ubuntu) fails or does something else.".format(
                    path
                ),
                "Rewrite it for POSIX sh, or let a short sh script start it with bash.",
                ", ".join(strange),
            )
        elif started_by_sh and "bash" in first:
            add(
                "shebang_ignored",
                INFO,
                "{0} asks for bash, but Azure starts it with sh.".format(path),
                "Test it with: sh {0}".format(path),
            )
    return found
