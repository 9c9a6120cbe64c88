# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Each finding of the lint, met once; and a guest as it should be, of which there is nothing to say."""

from __future__ import annotations

import json
import re
import subprocess
import typing as t
from pathlib import Path

import pytest
from ansible_collections.appconsistent.azure.plugins.module_utils._profiles.table import hooks_of
from ansible_collections.appconsistent.azure.plugins.module_utils._scripts import layout
from ansible_collections.appconsistent.azure.plugins.module_utils._scripts import lint as script_lint
from ansible_collections.appconsistent.azure.plugins.module_utils._scripts.files import (
    FILE,
    FOLDER,
    MISSING,
    OTHER,
    UNREADABLE,
    FoundFile,
)
from ansible_collections.appconsistent.azure.plugins.module_utils._scripts.lint import examine, lint, missing_programs
from ansible_collections.appconsistent.azure.plugins.module_utils._scripts.text_lint import bashisms

CONFIG = layout.CONFIG
HOST = "/etc/azure/VMSnapshotPluginHost.conf"
WORKLOAD = "/etc/azure/workload.conf"
HOOK = layout.HOOKS + "/20-postgresql"
OTHER_SCRIPT = "/opt/backup/pre.sh"
GOOD_HOST = (
    "[pre_post]\ntimeoutInSeconds = 1800\nnumberOfPlugins = 1\npluginName0 = ScriptRunner\npluginPath0 = /etc/azure\n"
    f"pluginConfigPath0 = {CONFIG}\n"
)
Files = dict[str, FoundFile]


def file(text: str | bytes, mode: int = 0o600, uid: int = 0) -> FoundFile:
    return FoundFile(FILE, mode, uid, 0, text.encode() if isinstance(text, str) else text)


def folder(mode: int = 0o755, uid: int = 0, gid: int = 0) -> FoundFile:
    return FoundFile(FOLDER, mode, uid, gid)


def deployed(**params: t.Any) -> Files:
    """What the module writes, and nothing that is wrong."""
    defaults = {
        "timeout": 60,
        "hold_seconds": 120,
        "poll_seconds": 1,
        "continue_backup_on_failure": True,
        "fs_freeze_enabled": True,
        "log_file": "/var/log/azure/appconsistent.log",
    }
    hooks = hooks_of(params.pop("hooks", [{"name": "postgresql"}]))
    files = {path: folder() for path in ("/", "/etc", "/etc/azure", layout.SCRIPTS, layout.HOOKS)}
    for wanted in layout.wanted_files({**defaults, **params}, hooks):
        files[wanted.path] = file(wanted.text, wanted.mode)
    return files


def config(**changes: object) -> Files:
    """A deployed guest with another value in its configuration; "absent" takes the key out."""
    files = deployed()
    keys = {**json.loads(files[CONFIG].data or b""), **changes}
    files[CONFIG] = file(json.dumps({key: value for key, value in keys.items() if value != "absent"}))
    return files


def changed(path: str, found: FoundFile) -> Files:
    return {**deployed(), path: found}


def with_script(text: str | bytes, mode: int = 0o700, uid: int = 0) -> Files:
    """A configuration that runs somebody else's script."""
    files = {**config(preScriptLocation=OTHER_SCRIPT), OTHER_SCRIPT: file(text, mode, uid)}
    return {**files, "/opt": folder(), "/opt/backup": folder()}


def host(**changes: str) -> Files:
    lines = [line for line in GOOD_HOST.splitlines() if line.split(" =")[0] not in changes]
    return changed(HOST, file("\n".join([*lines, *(f"{key} = {value}" for key, value in changes.items() if value)])))


def with_account(account: FoundFile, client: str = "", found: FoundFile | None = None) -> Files:
    """A hook for MariaDB that names an option file, and perhaps a client."""
    options = {"name": "mariadb", "option_file": "/root/snapshot.cnf", "client": client}
    files = {**deployed(hooks=[options]), "/root/snapshot.cnf": account}
    return {**files, client: found} if found else files


def with_log(path: str, more: Files) -> Files:
    return {**deployed(log_file=path), "/var": folder(), "/var/log": folder(), **more}


def without(path: str) -> Files:
    return {key: value for key, value in deployed().items() if not key.startswith(path)}


STORIES: dict[str, tuple[str, Files]] = {
    "config.missing": ("warning", without(CONFIG)),
    "config.unreadable": ("error", changed(CONFIG, FoundFile(OTHER))),
    "config.mode": ("error", changed(CONFIG, deployed()[CONFIG]._replace(mode=0o644))),
    "config.owner": ("error", changed(CONFIG, deployed()[CONFIG]._replace(uid=1000))),
    "config.bom": ("error", changed(CONFIG, file(b"\xef\xbb\xbf" + (deployed()[CONFIG].data or b"")))),
    "config.not_json": ("error", changed(CONFIG, file("{'pluginName': 1}"))),
    "config.not_object": ("error", changed(CONFIG, file("[]"))),
    "config.key_missing": ("error", config(preScriptLocation="absent")),
    "config.location": ("error", config(postScriptLocation="post.sh")),
    "config.same_script": ("warning", config(postScriptLocation=layout.PRE_PATH)),
    "config.timeout_missing": ("warning", config(timeoutInSeconds="absent")),
    "config.timeout_type": ("error", config(timeoutInSeconds="60")),
    "config.timeout_range": ("error", config(timeoutInSeconds=0)),
    "config.timeout_short": ("warning", config(timeoutInSeconds=10)),
    "config.poll_type": ("error", config(ScriptsExecutionPollTimeSeconds="x")),
    "config.poll_range": ("warning", config(ScriptsExecutionPollTimeSeconds=9)),
    "config.retries_type": ("error", config(preScriptNoOfRetries="3")),
    "config.retries": ("info", config(postScriptNoOfRetries=3)),
    "config.flag_type": ("error", config(continueBackupOnFailure="false")),
    "config.params_type": ("error", config(preScriptParams=None)),
    "config.params_item": ("warning", config(preScriptParams=[True])),
    "config.params_empty": ("info", config(preScriptParams=["", ""])),
    "config.plugin_name": ("info", config(pluginName="mine")),
    "config.freeze_off": ("warning", config(fsFreezeEnabled=False)),
    "config.no_point_on_failure": ("info", config(continueBackupOnFailure=False)),
    "config.unknown_key": ("info", config(timeout=5)),
    "script.missing": ("error", without(layout.PRE_PATH)),
    "script.unreadable": ("error", changed(layout.POST_PATH, FoundFile(UNREADABLE, reason="Input/output error"))),
    "script.mode": ("error", changed(layout.PRE_PATH, deployed()[layout.PRE_PATH]._replace(mode=0o755))),
    "script.owner": ("error", with_script("#!/bin/sh\nexit 0\n", uid=1000)),
    "script.empty": ("error", with_script("\n\n")),
    "script.bom": ("error", with_script(b"\xef\xbb\xbf#!/bin/sh\nexit 0\n")),
    "script.crlf": ("error", with_script("#!/bin/sh\r\nexit 0\r\n")),
    "script.binary": ("error", with_script(b"\x7fELF\0\0")),
    "script.not_sh": ("error", with_script("#!/usr/bin/python3\nprint()\n")),
    "script.bashism": ("warning", with_script("#!/bin/bash\nif [[ -e /x ]]; then exit; fi\n")),
    "script.shebang_ignored": ("info", with_script("#!/bin/bash\nexit 0\n")),
    "script.changed": ("warning", changed(layout.PRE_PATH, file("#!/bin/sh\nexit 0\n", 0o700))),
    "hook.none": ("error", without(HOOK)),
    "hook.unreadable": ("error", changed(layout.HOOKS + "/50-mine", FoundFile(OTHER))),
    "hook.mode": ("error", changed(layout.HOOKS + "/50-mine", file("#!/bin/sh\nexit 0\n", 0o600))),
    "hook.owner": ("error", changed(layout.HOOKS + "/50-mine", file("#!/bin/sh\nexit 0\n", 0o700, 1000))),
    "hook.name": ("warning", changed(layout.HOOKS + "/50-mine.sh", file("#!/bin/sh\nexit 0\n", 0o700))),
    "hook.needs_freeze": ("error", config(fsFreezeEnabled=False)),
    "hook.option_file_missing": ("warning", with_account(FoundFile(MISSING))),
    "hook.option_file_mode": ("warning", with_account(file("[client]\npassword=x\n", 0o644))),
    "hook.client_missing": ("warning", with_account(file(""), client="/opt/mysql", found=FoundFile(MISSING))),
    "log.not_a_file": ("error", with_log("/var/log/fifo", {"/var/log/fifo": FoundFile(OTHER)})),
    "log.folder_writable": ("error", with_log("/tmp/x.log", {"/tmp": folder(0o1777)})),
    "folder.link": ("error", changed(layout.HOOKS, folder()._replace(link=True))),
    "folder.none": ("error", changed("/etc/azure", file("x"))),
    "folder.owner": ("error", changed("/etc/azure", folder(uid=1000))),
    "folder.writable": ("error", changed("/etc/azure", folder(0o777))),
    "host.unreadable": ("error", changed(HOST, FoundFile(OTHER))),
    "host.mode": ("error", changed(HOST, file(GOOD_HOST, 0o664))),
    "host.owner": ("error", changed(HOST, file(GOOD_HOST, uid=1000))),
    "host.broken": ("error", changed(HOST, file("numberOfPlugins = 1\n"))),
    "host.no_plugins": ("error", host(numberOfPlugins="0")),
    "host.several_plugins": ("warning", host(numberOfPlugins="2")),
    "host.plugin": ("error", host(pluginName0="evil")),
    "host.config_path": ("error", host(pluginConfigPath0="/tmp/x.json")),
    "host.timeout": ("error", host(timeoutInSeconds="30")),
    "host.override": ("info", changed(HOST, file(GOOD_HOST))),
    "workload.active": ("error", changed(WORKLOAD, file("[workload]\nworkload_name = MySQL\n"))),
    "workload.unknown": ("warning", changed(WORKLOAD, file("[workload]\nworkload_name = db2\n"))),
    "workload.broken": ("warning", changed(WORKLOAD, file("workload_name = oracle\n"))),
    "backup_conf.dead_key": ("warning", changed("/etc/azure/vmbackup.conf", file("[SnapshotThread]\nfsfreeze = 1\n"))),
}


def codes(files: Files, syntax: dict[str, str] | None = None) -> dict[str, str]:
    return {finding.code: finding.severity for finding in lint(files, syntax or {})}


def test_there_is_nothing_to_say_of_what_the_module_deploys() -> None:
    assert lint(deployed(), {}) == []


@pytest.mark.parametrize("code", STORIES)
def test_a_finding_is_found_and_weighed(code: str) -> None:
    severity, files = STORIES[code]
    assert codes(files).get(code) == severity


@pytest.mark.parametrize("code", STORIES)
def test_a_finding_is_a_sentence_with_a_remedy(code: str) -> None:
    for finding in lint(STORIES[code][1], {}):
        assert finding.message.endswith(".")
        assert len(finding.remedy) >= 10
        assert "\n" not in finding.message + finding.remedy + (finding.evidence or "")


def test_every_code_in_the_source_has_a_story() -> None:
    source = Path(script_lint.__file__).parent
    known = set(STORIES) | {"script.syntax", "hook.missing", "program.missing"}
    for name, area in (("config", "config"), ("host", "host"), ("text", "script")):
        text = (source / f"{name}_lint.py").read_text()
        for code in re.findall(r'\badd\(\s*"(\w+)"', text):
            assert f"{area}.{code}" in known
        for code in re.findall(r'Finding\(\s*"(\w+\.\w+)"', text):
            assert code in known
    for code in re.findall(r'Finding\(\s*"(\w+\.\w+)"', (source / "lint.py").read_text()):
        assert code in known


def test_the_guests_own_shell_has_its_say() -> None:
    found = lint(deployed(), {layout.PRE_PATH: "sh: 3: Syntax error", layout.POST_PATH: ""})
    assert [(finding.code, finding.evidence) for finding in found] == [("script.syntax", "sh: 3: Syntax error")]


def test_programs_that_our_scripts_would_miss_are_named() -> None:
    (found,) = lint(deployed(), {}, missing=["flock", "setsid"])
    assert found.code == "program.missing"
    assert "flock, setsid" in found.message
    assert lint(with_script("#!/bin/sh\nexit 0\n"), {}, missing=["flock"]) == []


def test_the_guest_is_asked_which_programs_it_has() -> None:
    def command(argv: list[str], _text: str) -> tuple[int, str]:
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout

    assert missing_programs(command, {}) == []
    assert missing_programs(lambda argv, text: command([*argv, "no-such-program"], text), {}) == []
    assert missing_programs(lambda _argv, _text: (0, "flock\nsetsid\n"), {}) == ["flock", "setsid"]


def test_a_client_that_a_hook_looks_for_is_missed_only_where_none_of_its_names_is_there() -> None:
    files = deployed(hooks=[{"name": "mariadb"}, {"name": "valkey"}])
    asked: list[str] = []

    def command(argv: list[str], _text: str) -> tuple[int, str]:
        asked.extend(argv)
        return 0, "mariadb\nvalkey-cli\n"

    missing = missing_programs(command, files)
    assert {"mariadb", "mysql", "valkey-cli"} <= set(asked)
    (found,) = lint(files, {}, missing=missing)
    assert (found.code, "The client valkey-cli" in found.message) == ("hook.client_missing", True)
    both = lint(files, {}, missing=["mariadb", "mysql"])
    assert ["mariadb or mysql" in one.message for one in both] == [True]


def test_errors_come_first() -> None:
    files = {**config(continueBackupOnFailure=False, fsFreezeEnabled=False), HOST: file(GOOD_HOST, 0o777)}
    assert [finding.severity for finding in lint(files, {})] == sorted(
        (finding.severity for finding in lint(files, {})), key=["error", "warning", "info"].index
    )


def test_a_folder_that_roots_group_may_write_to_is_no_danger() -> None:
    assert codes(changed("/etc/azure", folder(0o775, gid=0))) == {}
    assert codes(changed("/etc/azure", folder(0o775, gid=27))) == {"folder.writable": "error"}


def test_a_sticky_folder_is_safe_above_a_script_and_unsafe_for_the_configuration() -> None:
    files = {**with_script("#!/bin/sh\nexit 0\n"), "/opt": folder(0o1777)}
    assert "folder.writable" not in codes(files)
    assert "folder.writable" in codes(changed("/etc/azure", folder(0o1777)))


def test_somebody_elses_pair_is_not_asked_for_our_hooks() -> None:
    files = {path: found for path, found in with_script("#!/bin/sh\nexit 0\n").items() if layout.HOOKS not in path}
    assert codes(files) == {}


@pytest.mark.parametrize(
    "text",
    [
        "if [[ a == b ]]; then :; fi",
        "function go { :; }",
        "names=(a b)",
        "echo ${names[0]}",
        "source /etc/profile",
        "cat <<<x",
        "cmd &>/dev/null",
        "diff <(a) <(b)",
        "IFS=$'\\n'",
        "echo ${name,,}",
        "echo ${name//a/b}",
        "echo ${name:2}",
        "declare -a x",
        "((i++))",
        '[ "$a" == b ]',
        "set -euo pipefail",
    ],
)
def test_what_dash_lacks_is_seen(text: str) -> None:
    assert bashisms(text) != []
    assert bashisms("# " + text) == []
    assert bashisms("cat <<EOF\n" + text + "\nEOF\n") == []


@pytest.mark.parametrize(
    "text",
    [
        "echo '[[ a ]]' \"$'x'\" 'function f'",
        'printf "%s" "${name:-x}" "${name%%/*}" "${#name}" "$((1 + 2))" "$(date)"',
        "case $x in a) ;; esac",
        "x=\\'[[\\'",
        "sed 's/[[:space:]]//'",
        'grep "^[[:digit:]]" file',
        "{ a && b; } || c 2>&1 >/dev/null",
        "text='first\n[[ second ]]\nthird'",
    ],
)
def test_what_dash_knows_is_let_be(text: str) -> None:
    assert bashisms(text) == []


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 4096,
        b"\xff\xfe\x00",
        b"{" * 100_000,
        b"[" * 100_000,
        b'{"timeoutInSeconds": NaN, "preScriptLocation": 1, "postScriptLocation": "/\\u0000"}',
        b'{"timeoutInSeconds": 1e999, "preScriptParams": {"a": []}, "preScriptNoOfRetries": true}',
        b'{"ScriptsExecutionPollTimeSeconds": 1e400, "fsFreezeEnabled": null}',
        b"'\"" * 10_000 + b"<<",
        b"[pre_post]\nnumberOfPlugins = %(x)s\n",
    ],
)
@pytest.mark.parametrize("path", [CONFIG, HOST, WORKLOAD, "/etc/azure/vmbackup.conf", HOOK, layout.PRE_PATH])
def test_hostile_content_is_a_finding_and_no_traceback(path: str, data: bytes) -> None:
    for finding in lint(changed(path, file(data, 0o700)), {}):
        assert all(letter >= " " for letter in finding.message + (finding.evidence or ""))


def test_examining_an_empty_guest_says_that_nothing_is_configured(tmp_path: Path) -> None:
    found = examine(lambda _argv, _text: (0, ""), str(tmp_path), uid=tmp_path.stat().st_uid)
    assert [finding.code for finding in found] == ["config.missing"]


def test_examining_follows_the_configuration_to_the_scripts(tmp_path: Path) -> None:
    for path, text in (
        (CONFIG, json.dumps({"preScriptLocation": OTHER_SCRIPT, "postScriptLocation": "/gone"})),
        (OTHER_SCRIPT, "#!/bin/sh\nif\n"),
    ):
        target = tmp_path / path[1:]
        target.parent.mkdir(parents=True)
        target.write_text(text)
        target.chmod(0o600)
    seen: list[str] = []

    def command(argv: list[str], text: str) -> tuple[int, str]:
        if argv == ["sh", "-n"]:
            seen.append(text)
        return 2, "sh: 3: Syntax error: end of file unexpected"

    found = {finding.code for finding in examine(command, str(tmp_path), uid=tmp_path.stat().st_uid)}
    assert seen == ["#!/bin/sh\nif\n"]
    assert {"script.syntax", "script.missing", "config.timeout_missing"} <= found
