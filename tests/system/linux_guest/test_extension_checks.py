"""The extension's checks and verdicts, case by case as they were seen when the real one was run.

Each case: what lies in /etc/azure, then the code and health code that Azure is told, which scripts were run, and
whether a snapshot was taken.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from tests.linux_guest import LinuxGuest
from tests.system.linux_guest.guest_scripts import (
    AZURE,
    CONFIG,
    POST,
    PRE,
    STORY_POST,
    STORY_PRE,
    config,
    deploy,
    story,
    write,
)

HOST_FILE = AZURE / "VMSnapshotPluginHost.conf"
BOTH = ("pre", "post")
HOST = """\
[pre_post]
timeoutInSeconds = {timeout}
numberOfPlugins = {count}
pluginName0 = ScriptRunner
pluginPath0 = /etc/azure
pluginConfigPath0 = /etc/azure/VMSnapshotScriptPluginConfig.json
"""
# So short that a runner's thread which died is given up soon.
SHORT_HOST = HOST.format(timeout=4, count=1)

Arrange = Callable[[LinuxGuest], None]


@dataclass(frozen=True)
class Case:
    name: str
    arrange: Arrange
    code: int
    health: int
    story: tuple[str, ...] = ()
    snapshot: bool = True


def mode(path: Path, bits: int) -> Arrange:
    def arrange(guest: LinuxGuest) -> None:
        deploy(guest)
        guest.path(path).chmod(bits)

    return arrange


def owner(path: Path, **keys: object) -> Arrange:
    def arrange(guest: LinuxGuest) -> None:
        deploy(guest, keys=config(**keys))
        shutil.chown(guest.path(path), "nobody")

    return arrange


def keys(*, pre: str = STORY_PRE, post: str = STORY_POST, host: str | None = None, **changes: object) -> Arrange:
    def arrange(guest: LinuxGuest) -> None:
        deploy(guest, pre=pre, post=post, keys=config(**changes))
        if host is not None:
            write(guest, HOST_FILE, host)

    return arrange


def text(config_text: str | bytes) -> Arrange:
    return lambda guest: deploy(guest, config_text=config_text)


def without(path: Path, **changes: object) -> Arrange:
    def arrange(guest: LinuxGuest) -> None:
        deploy(guest, keys=config(**changes))
        guest.path(path).unlink()

    return arrange


def host(content: str, bits: int = 0o600) -> Arrange:
    def arrange(guest: LinuxGuest) -> None:
        deploy(guest)
        write(guest, HOST_FILE, content, bits)

    return arrange


def workload(content: str) -> Arrange:
    def arrange(guest: LinuxGuest) -> None:
        deploy(guest)
        write(guest, AZURE / "workload.conf", content)

    return arrange


FAILS = STORY_PRE + "exit 1\n"
POST_FAILS = STORY_POST + "exit 1\n"
# Thirty documented seconds, more than the ten that are allowed.
SLEEPS = STORY_PRE + "sleep 3\n"
POST_SLEEPS = STORY_POST + "sleep 3\n"

PERMISSIONS = [
    *(
        Case(f"config mode {bits:o} is fine", mode(CONFIG, bits), 0, 0, BOTH)
        for bits in (0o600, 0o400, 0o200, 0, 0o4600)
    ),
    *(Case(f"config mode {bits:o} is refused", mode(CONFIG, bits), 1, 317) for bits in (0o644, 0o640, 0o604, 0o700)),
    Case("config of another owner is refused", owner(CONFIG), 1, 317),
    *(
        Case(f"script mode {bits:o} is fine", mode(PRE, bits), 0, 0, BOTH)
        for bits in (0o700, 0o600, 0o500, 0o400, 0, 0o4700)
    ),
    *(Case(f"pre mode {bits:o} is refused", mode(PRE, bits), 1, 306) for bits in (0o750, 0o705, 0o755)),
    *(Case(f"post mode {bits:o} is refused", mode(POST, bits), 1, 307) for bits in (0o750, 0o705, 0o755)),
    Case("pre of another owner is refused", owner(PRE), 1, 306),
    Case("post of another owner is refused", owner(POST), 1, 307),
    Case("no pre", without(PRE), 1, 302),
    Case("no post", without(POST), 1, 303),
    Case("no pre, and failures stop", without(PRE, continueBackupOnFailure=False), 302, 302, snapshot=False),
    Case(
        "post of another owner, and failures stop", owner(POST, continueBackupOnFailure=False), 307, 307, snapshot=False
    ),
    Case("a refused config cannot stop anything", owner(CONFIG, continueBackupOnFailure=False), 1, 317),
    Case("a refused script without freeze looks frozen", owner(PRE, fsFreezeEnabled=False), 1, 306),
]

CONFIG_FILE = [
    Case("no config", without(CONFIG), 1, 1),
    Case("broken JSON", text('{"preScriptLocation": '), 1, 1),
    Case("a byte order mark", text(b"\xef\xbb\xbf" + json.dumps(config()).encode()), 1, 1),
    Case("a list", text("[]"), 1, 1),
    Case("no preScriptLocation", keys(preScriptLocation="absent"), 1, 1),
    Case("no postScriptLocation", keys(postScriptLocation="absent"), 1, 1),
    Case("an empty location", keys(preScriptLocation=""), 1, 302),
    Case("a relative location", keys(postScriptLocation="post.sh"), 1, 303),
    Case(
        "only the locations",
        text(json.dumps({"preScriptLocation": str(PRE), "postScriptLocation": str(POST)})),
        0,
        0,
        BOTH,
    ),
    Case("timeout as text", keys(timeoutInSeconds="30"), 1, 1),
    Case("timeout null", keys(timeoutInSeconds=None), 1, 1),
    Case("timeout with a fraction", keys(timeoutInSeconds=9.5), 0, 0, BOTH),
    Case(
        "timeout zero is over at once",
        keys(pre="while ! grep -q post /run/story; do sleep 0.02; done\n" + STORY_PRE, timeoutInSeconds=0),
        1,
        308,
        ("post", "pre"),
    ),
    Case("poll time as text", keys(ScriptsExecutionPollTimeSeconds="1"), 1, 1),
    Case("poll time out of range is ignored", keys(ScriptsExecutionPollTimeSeconds=9), 0, 0, BOTH),
    Case("params null", keys(preScriptParams=None, host=SHORT_HOST), 1, 310, ("post",)),
    Case("post params null", keys(postScriptParams=None, host=SHORT_HOST), 1, 311, ("pre",)),
    Case("retries as text, script fails", keys(pre=FAILS, preScriptNoOfRetries="3", host=SHORT_HOST), 1, 310, BOTH),
    Case("retries as text, script succeeds", keys(preScriptNoOfRetries="3"), 0, 0, BOTH),
    Case("continue as text, script succeeds", keys(continueBackupOnFailure="false"), 0, 0, BOTH),
    Case(
        "continue as text, script fails: the run crashes and post is never run",
        keys(pre=FAILS, continueBackupOnFailure="false"),
        2,
        2,
        ("pre",),
        snapshot=False,
    ),
    Case("continue null, script fails", keys(pre=FAILS, continueBackupOnFailure=None), 2, 2, ("pre",), snapshot=False),
]

HOST_FILES = [
    *(
        Case(f"host file mode {bits:o} is fine", host(HOST.format(timeout=60, count=1), bits), 0, 0, BOTH)
        for bits in (0o600, 0o644, 0o744)
    ),
    *(
        Case(f"host file mode {bits:o} switches scripts off", host(HOST.format(timeout=60, count=1), bits), 1, 1)
        for bits in (0o664, 0o755)
    ),
    Case(
        "host file of another owner",
        lambda guest: (host(HOST.format(timeout=60, count=1))(guest), shutil.chown(guest.path(HOST_FILE), "nobody"))[0],
        1,
        1,
    ),
    Case("no plugins: success with nothing run", host(HOST.format(timeout=60, count=0)), 0, 0),
    Case("number of plugins left out: the same", host("[pre_post]\ntimeoutInSeconds = 60\n"), 0, 0),
    Case("host file is no INI", host("no section here\n"), 1, 1),
    Case("host timeout as text", host(HOST.format(timeout="long", count=1)), 1, 1),
    Case("another module", host(HOST.format(timeout=60, count=1).replace("= ScriptRunner", "= Other")), 1, 1),
]

FAILURES = [
    *(
        Case(f"pre ends with {end}", keys(pre=STORY_PRE + end + "\n"), 1, 300, BOTH)
        for end in ("exit 1", "exit 2", "kill -9 $$")
    ),
    Case(
        "pre fails, and failures stop", keys(pre=FAILS, continueBackupOnFailure=False), 300, 300, BOTH, snapshot=False
    ),
    Case("pre fails without freeze", keys(pre=FAILS, fsFreezeEnabled=False), 300, 300, BOTH, snapshot=False),
    Case("post fails", keys(post=POST_FAILS), 1, 301, BOTH),
    Case(
        "post fails, and failures stop",
        keys(post=POST_FAILS, continueBackupOnFailure=False),
        301,
        301,
        BOTH,
        snapshot=False,
    ),
    Case("post fails without freeze", keys(post=POST_FAILS, fsFreezeEnabled=False), 301, 301, BOTH, snapshot=False),
    Case("both fail: the first is told", keys(pre=FAILS, post=POST_FAILS), 1, 300, BOTH),
    Case("pre takes too long", keys(pre=SLEEPS), 1, 308, BOTH),
    Case(
        "pre takes too long, and failures stop",
        keys(pre=SLEEPS, continueBackupOnFailure=False),
        308,
        308,
        BOTH,
        snapshot=False,
    ),
    Case("post takes too long", keys(post=POST_SLEEPS), 1, 309, BOTH),
    Case("no freeze", keys(fsFreezeEnabled=False), 0, 0, BOTH),
    Case(
        "retries are counted and not done",
        keys(pre="[ -e /run/story ] || { echo pre >>/run/story; exit 1; }\n", preScriptNoOfRetries=3),
        1,
        300,
        BOTH,
    ),
    Case(
        "bash arrays, whatever the first line says",
        keys(pre="#!/bin/bash\necho pre >>/run/story\nx=(1 2)\n"),
        1,
        300,
        BOTH,
    ),
    Case("300 kB of output blocks", keys(pre=STORY_PRE + "head -c 300000 /dev/zero\n"), 1, 308, BOTH),
    Case("60 kB of output do not", keys(pre=STORY_PRE + "head -c 60000 /dev/zero\n"), 0, 0, BOTH),
    Case(
        "a workload without credentials takes the scripts' place",
        workload("[workload]\nworkload_name = mysql\n"),
        1,
        505,
    ),
    Case(
        "a workload that names databases does nothing and succeeds",
        workload("[workload]\nworkload_name = mysql\nlinux_user = root\ndbnames = a;b\n"),
        0,
        0,
    ),
    Case("a workload without a name changes nothing", workload("[workload]\nworkload_name =\n"), 0, 0, BOTH),
]


@pytest.mark.parametrize("case", [*PERMISSIONS, *CONFIG_FILE, *HOST_FILES, *FAILURES], ids=lambda case: case.name)
def test_the_verdict_is_that_of_the_real_extension(shared_guest: LinuxGuest, case: Case) -> None:
    case.arrange(shared_guest)

    final = shared_guest.snapshot(uuid4().hex)

    assert (final["code"], final["health"]) == (str(case.code), str(case.health)), final["error"]
    if case.story == ("post", "pre"):
        shared_guest.run(["sh", "-c", "while ! grep -q pre /run/story; do sleep 0.05; done"])
    assert tuple(story(shared_guest)) == case.story
    assert (final["image"] is not None) == (case.snapshot and final["code"] in {"0", "1"})


@pytest.mark.parametrize(("freeze", "frozen"), [(True, True), (False, False), ("false", True), (0, False)])
def test_only_the_truth_of_fs_freeze_enabled_counts(shared_guest: LinuxGuest, freeze: object, frozen: bool) -> None:
    deploy(shared_guest, keys=config(fsFreezeEnabled=freeze))

    final = shared_guest.snapshot(uuid4().hex)

    assert (final["frozen_at"] is not None) == frozen


def test_a_refused_script_without_freeze_is_never_frozen(shared_guest: LinuxGuest) -> None:
    owner(PRE, fsFreezeEnabled=False)(shared_guest)

    final = shared_guest.snapshot("refused-unfrozen")

    assert (final["code"], final["frozen_at"]) == ("1", None)


@pytest.mark.parametrize(
    ("params", "heard"),
    [
        ([], ""),
        (["a b", "$(id)", ";reboot"], "[a b][$(id)][;reboot]"),
        (["", ""], "[][]"),
        ("abc", "[a][b][c]"),
        ([True, 1, None], "[True][1][None]"),
    ],
)
def test_params_reach_the_script_as_text_and_no_shell_sees_them(
    shared_guest: LinuxGuest, params: object, heard: str
) -> None:
    deploy(shared_guest, pre="printf '[%s]' \"$@\" >/run/arguments\n", keys=config(preScriptParams=params))
    if not params:
        deploy(shared_guest, pre="printf '%s' \"$*\" >/run/arguments\n", keys=config(preScriptParams=params))

    shared_guest.snapshot(uuid4().hex)

    assert shared_guest.path("/run/arguments").read_text() == heard


def test_after_a_refused_config_the_next_plugin_is_never_read(shared_guest: LinuxGuest) -> None:
    deploy(shared_guest)
    shared_guest.path(CONFIG).rename(shared_guest.path(AZURE / "second.json"))
    second = HOST.format(timeout=60, count=2) + (
        "pluginName1 = ScriptRunner\npluginPath1 = /etc/azure\npluginConfigPath1 = /etc/azure/second.json\n"
    )
    write(shared_guest, HOST_FILE, second)

    final = shared_guest.snapshot("second-plugin")

    assert (final["code"], final["health"], story(shared_guest)) == ("1", "1", [])
