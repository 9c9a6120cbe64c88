# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Brings a guest's scripts into the wished state: looks, judges, then writes, and never during a hold."""

import contextlib
import json
import os
import re
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Set, Tuple

from .._finding import ERROR, WARNING, Finding, ranked
from .._profiles.profile import BadProfile, Hook
from .._profiles.table import SECRETS, hooks_of
from . import layout as scripts
from . import stuck_hold
from .files import (
    FILE,
    FOLDER,
    MISSING,
    CannotWrite,
    FoundFile,
    Wanted,
    differs,
    link,
    look,
    make_folder,
    names_in,
    remove,
    set_mode,
    survey,
    write,
)
from .lint import INPUTS, Command, check_syntax, lint, missing_programs, overlaid
from .settings_lint import named_paths

_LOCK = "/run/appconsistent/lock"
_HELD = "/var/lib/appconsistent/held"
_HOLDING = ("freezing", "held", "releasing")


class Refused(Exception):
    """Nothing was written, and the text says why and what to do."""

    def __init__(self, text: str, findings: Optional[List[Finding]] = None) -> None:
        super().__init__(text)
        self.findings = findings or []


class DeploymentGuest(NamedTuple):
    """The machine, or a folder that stands for it."""

    run_command: Command
    root: str = ""
    uid: int = 0


class _Plan(NamedTuple):
    folders: List[Tuple[str, int]]
    write: List[Wanted]
    remove: List[str]
    wants_unit: Optional[bool]  # None: leave as it is


def run(params: Dict[str, Any], guest: DeploymentGuest, check_mode: bool) -> Dict[str, Any]:
    try:
        if params["state"] == "absent":
            return _absent(guest, check_mode)
        return _present(params, guest, check_mode)
    except (BadProfile, CannotWrite) as error:
        raise Refused(str(error)) from error


def _our_hooks(guest: DeploymentGuest) -> Tuple[List[str], List[str]]:
    """The hooks in the guest: ours and those of others."""
    ours: List[str] = []
    others: List[str] = []
    for name in names_in(guest.root + scripts.HOOKS):
        if name.endswith(".conf"):
            continue
        file = look(guest.root + scripts.HOOKS + "/" + name)
        (ours if file.data is not None and scripts.MARK in file.data[:400] else others).append(name)
    return ours, others


def _foreign(config: FoundFile) -> Optional[str]:
    """What the extension's configuration runs at present, when that is not ours."""
    if config.kind == MISSING:
        return None
    if config.data is None:
        return "cannot be read: {0}".format(config.reason or "it is not a regular file")
    try:
        loaded = json.loads(config.data.decode("utf-8"))
        location = loaded["preScriptLocation"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return "is not a configuration that the extension could use"
    return None if location == scripts.PRE_PATH else "runs {0}".format(location)


def _check_numbers(params: Dict[str, Any]) -> None:
    if not 20 <= params["timeout"] <= 1800:
        raise Refused("timeout must be from 20 to 1800 seconds, not {0}.".format(params["timeout"]))
    if not 1 <= params["poll_seconds"] <= 5:
        raise Refused(
            "poll_seconds must be from 1 to 5, not {0}; the extension ignores anything else.".format(
                params["poll_seconds"]
            )
        )
    least = scripts.times_of(params["timeout"], 0).freeze + 30
    if not least <= params["hold_seconds"] <= 3600:
        raise Refused(
            "hold_seconds must be from {0} to 3600 with a timeout of {1}, not {2}: freezing may take {3} seconds, "
            "and the snapshot needs 30 more.".format(least, params["timeout"], params["hold_seconds"], least - 30)
        )
    if not params["log_file"].startswith("/") or params["log_file"].endswith("/"):
        raise Refused("log_file must be the absolute path of a file, not '{0}'.".format(params["log_file"]))


def _present(params: Dict[str, Any], guest: DeploymentGuest, check_mode: bool) -> Dict[str, Any]:
    _check_numbers(params)
    hooks = hooks_of(params["profiles"])
    has_systemd = look(guest.root + scripts.UNITS).kind == FOLDER
    wanted = [file for file in scripts.wanted_files(params, hooks) if has_systemd or file.path != scripts.UNIT_PATH]
    ours, others = _our_hooks(guest)
    if not hooks and not others:
        raise Refused(
            "profiles is empty and {0} holds no hook of yours, so no application would be held. Name a profile, or put "
            "a hook there first.".format(scripts.HOOKS)
        )
    now = survey(
        [file.path for file in wanted]
        + [scripts.HOOKS + "/" + name for name in ours + others]
        + list(INPUTS)
        + [scripts.WANTS + "/" + scripts.UNIT_NAME],
        guest.root,
    )
    foreign = _foreign(now[scripts.CONFIG])
    if foreign and not params["force"]:
        raise Refused(
            "{0} {1}, which is not ours. Bring it in with the profile command, or set force to replace it.".format(
                scripts.CONFIG, foreign
            )
        )
    stale = [name for name in ours if name not in {hook.file_name for hook in hooks}]
    planned = _plan(now, wanted, stale, has_systemd, guest)
    then = overlaid(now, wanted, planned.remove, guest.uid)
    then.update(survey([path for path in named_paths(then) if path not in then], guest.root))
    missing = missing_programs(guest.run_command, then)
    findings = ranked(lint(then, check_syntax(then, guest.run_command), guest.uid, missing))
    if not has_systemd:
        findings.append(
            Finding(
                "boot.no_systemd",
                WARNING,
                "{0} does not exist, so nothing cleans up at boot after a hold was interrupted.".format(scripts.UNITS),
                "Run /etc/azure/appconsistent/boot.sh at boot.",
            )
        )
    errors = [finding for finding in findings if finding.severity == ERROR]
    if errors:
        raise Refused("{0} {1}".format(errors[0].message, errors[0].remedy), findings)
    changed = bool(planned.folders or planned.write or planned.remove or planned.wants_unit is not None)
    stuck = _is_stuck(guest)
    if stuck:
        changed = _deploy_while_stuck(planned, guest, findings, check_mode) or changed
    elif changed and not check_mode:
        with _no_hold(guest):
            _carry_out(planned, guest)
    return _result("present", params, hooks, others, planned, now, findings, changed)


def _plan(
    now: Dict[str, FoundFile], wanted: List[Wanted], stale: List[str], has_systemd: bool, guest: DeploymentGuest
) -> _Plan:
    folders = []
    if now[scripts.AZURE].kind == MISSING:
        folders.append((scripts.AZURE, 0o755))
    for path in (scripts.SCRIPTS, scripts.HOOKS):
        found = now.get(path) or look(guest.root + path)
        if found.kind != FOLDER or found.mode != 0o700 or found.uid != guest.uid:
            folders.append((path, 0o700))
    gone = []
    for name in stale:
        gone.append(scripts.HOOKS + "/" + name)
        if look(guest.root + scripts.HOOKS + "/" + name + ".conf").kind != MISSING:
            gone.append(scripts.HOOKS + "/" + name + ".conf")
    enabled = now[scripts.WANTS + "/" + scripts.UNIT_NAME]
    return _Plan(
        folders,
        [file for file in wanted if differs(now[file.path], file, guest.uid)],
        gone,
        True if has_systemd and not enabled.link else None,
    )


def _is_stuck(guest: DeploymentGuest) -> bool:
    return stuck_hold.settled_state(guest.root) == stuck_hold.STUCK


def _deploy_while_stuck(plan: _Plan, guest: DeploymentGuest, findings: List[Finding], check_mode: bool) -> bool:
    """Deploy what may release a hold that is stuck, and try; tell whether it is released. What is left is a finding.

    The hooks of the hold stay until then, also where they are not wanted any more: without them nothing could thaw.
    """
    hold = stuck_hold.read_hold(guest.root)
    released = False
    if not check_mode:
        kept = [path for path in plan.remove if os.path.basename(path).split(".")[0] in hold.hooks]
        with _nobody_releases(guest):
            _carry_out(plan._replace(remove=[path for path in plan.remove if path not in kept]), guest)
        released = stuck_hold.try_again(guest.root, guest.run_command)
        if released:
            with _no_hold(guest):
                for path in kept:
                    remove(guest.root + path)
    if not released:
        findings.append(stuck_hold.still_held(stuck_hold.read_hold(guest.root)))
    return released


@contextlib.contextmanager
def _nobody_releases(guest: DeploymentGuest) -> Iterator[None]:
    with stuck_hold.while_nobody_releases(guest.root) as free:
        if not free:
            raise Refused(
                "The last run's hold is being released right now, which does not come to an end. Look at what its "
                "hooks wait for ({0}), then run the task again.".format(
                    ", ".join(stuck_hold.read_hold(guest.root).hooks) or "see the log"
                )
            )
        yield


@contextlib.contextmanager
def _no_hold(guest: DeploymentGuest) -> Iterator[None]:
    """Keeps a run from beginning meanwhile. Fails when one is under way."""
    try:
        os.makedirs(guest.root + os.path.dirname(_LOCK), 0o700, exist_ok=True)
        opened = os.open(guest.root + _LOCK, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise CannotWrite(
            "Cannot write {0}: {1}. Run the task as root (become: true).".format(_LOCK, os.strerror(error.errno or 0))
        ) from error
    try:
        word = stuck_hold.taken_between_runs(opened, guest.root, _HOLDING)
        if word:
            raise Refused(
                "A snapshot run holds this guest's applications right now ({0}), and its scripts must not change under "
                "it. Run the task again in a few minutes.".format(word)
            )
        yield
    finally:
        os.close(opened)


def _carry_out(plan: _Plan, guest: DeploymentGuest) -> None:
    for path, mode in plan.folders:
        make_folder(guest.root + path, mode, guest.uid)
        set_mode(guest.root + path, mode, guest.uid)
    for path in plan.remove:
        remove(guest.root + path)
    units = bool(plan.wants_unit is not None)
    for file in plan.write:
        units = units or file.path == scripts.UNIT_PATH
        write(guest.root + file.path, file.text, file.mode, guest.uid)
    if plan.wants_unit:
        make_folder(guest.root + scripts.WANTS, 0o755, guest.uid)
        link(guest.root + scripts.WANTS + "/" + scripts.UNIT_NAME, "../" + scripts.UNIT_NAME)
    if units and look(guest.root + "/run/systemd/system").kind == FOLDER:
        guest.run_command(["systemctl", "daemon-reload"], "")


def _absent(guest: DeploymentGuest, check_mode: bool) -> Dict[str, Any]:
    ours, others = _our_hooks(guest)
    gone: List[str] = []
    config = look(guest.root + scripts.CONFIG)
    foreign = _foreign(config)
    if config.kind != MISSING and foreign is None:
        # First: from here on Azure does not look for the rest.
        gone.append(scripts.CONFIG)
    candidates = [scripts.WANTS + "/" + scripts.UNIT_NAME, scripts.UNIT_PATH]
    for name in ours:
        candidates += [scripts.HOOKS + "/" + name, scripts.HOOKS + "/" + name + ".conf"]
    candidates += [*scripts.SHIPPED, scripts.SETTINGS, _HELD]
    gone += [path for path in candidates if os.path.lexists(guest.root + path)]
    # What others put there stays, and so does its folder.
    folders = [
        path
        for path in (scripts.SCRIPTS, scripts.HOOKS)
        if os.path.isdir(guest.root + path)
        and not set(names_in(guest.root + path)) - {os.path.basename(p) for p in gone}
    ]
    before = survey(gone, guest.root)
    changed = bool(gone or folders)
    left = None
    if changed and not check_mode:
        if _is_stuck(guest) and not stuck_hold.try_again(guest.root, guest.run_command):
            left = stuck_hold.read_hold(guest.root)
        with _nobody_releases(guest) if left else _no_hold(guest):
            if left:
                stuck_hold.forget(guest.root)
            for path in gone:
                remove(guest.root + path)
            for path in folders:
                with contextlib.suppress(OSError):
                    os.rmdir(guest.root + path)
            if look(guest.root + "/run/systemd/system").kind == FOLDER:
                # One that is being tried again would run on, and a failed one stay in the list as not found.
                guest.run_command(["systemctl", "stop", scripts.UNIT_NAME], "")
                guest.run_command(["systemctl", "daemon-reload"], "")
                guest.run_command(["systemctl", "reset-failed", scripts.UNIT_NAME], "")
    findings = [stuck_hold.left_held(left)] if left else []
    if foreign:
        findings.append(
            Finding(
                "config.foreign",
                WARNING,
                "{0} {1}, which is not ours, and was left alone.".format(scripts.CONFIG, foreign),
                "Remove it yourself if nobody needs it.",
            )
        )
    return _result("absent", {}, [], others, _Plan([], [], gone, None), before, findings, changed)


# What a careless author may have put a password in. Source: the extension's sample configuration
_PARAMS = re.compile(r'("(?:pre|post)ScriptParams"\s*:\s*)\[[^\]]+\]')


# A comment or a word as sh reads it; quotes that never end go on to the end of the file.
_WORD = re.compile(
    r"""(?P<comment>\#[^\n]*) | (?: [^\s'"\\;] | \\(?:.|\Z) | '[^']*(?:'|\Z) | "(?:[^"\\]|\\(?:.|\Z))*(?:"|\Z) )+""",
    re.VERBOSE | re.DOTALL | re.ASCII,
)


def _masked(word: "re.Match[str]") -> str:
    name, equals, value = word.group().partition("=")
    if word.group("comment"):
        return "# ********" if any(secret + "=" in word.group() for secret in SECRETS) else word.group()
    return name + "='********'" if equals and name in SECRETS and value not in ("", "''", '""') else word.group()


def _shown(data: Optional[bytes]) -> str:
    """A file as it may be shown, also one that somebody has written by hand."""
    text = _PARAMS.sub(r'\1["********"]', (data or b"").decode("utf-8", "replace"))
    return _WORD.sub(_masked, text)


def _diff(plan: _Plan, now: Dict[str, FoundFile]) -> List[Dict[str, str]]:
    shown = []
    for path, mode in plan.folders:
        shown.append({"header": path, "before": "", "after": "folder, mode {0:04o}, root\n".format(mode)})
    for file in plan.write:
        old = now[file.path]
        before = "mode {0:04o}, uid {1}\n{2}".format(old.mode, old.uid, _shown(old.data)) if old.kind == FILE else ""
        shown.append(
            {"header": file.path, "before": before, "after": "mode {0:04o}, uid 0\n{1}".format(file.mode, file.shown)}
        )
    for path in plan.remove:
        gone = now.get(path)
        shown.append({"header": path, "before": _shown(gone.data) if gone else "", "after": ""})
    return [
        {
            "before_header": entry["header"],
            "after_header": entry["header"],
            "before": entry["before"],
            "after": entry["after"],
        }
        for entry in shown
    ]


def _result(
    state: str,
    params: Dict[str, Any],
    hooks: List[Hook],
    others: List[str],
    plan: _Plan,
    now: Dict[str, FoundFile],
    findings: List[Finding],
    changed: bool,
) -> Dict[str, Any]:
    about: Dict[str, Any] = {"state": state, "foreign_hooks": others, "hooks": []}
    if state == "present":
        times = scripts.times_of(params["timeout"], params["hold_seconds"])
        about.update(
            config_path=scripts.CONFIG,
            pre_script=scripts.PRE_PATH,
            post_script=scripts.POST_PATH,
            timeout=params["timeout"],
            freeze_seconds=times.freeze,
            hold_seconds=times.hold,
            continue_backup_on_failure=params["continue_backup_on_failure"],
            fs_freeze_enabled=params["fs_freeze_enabled"],
            hooks=[
                {"name": hook.file_name, "profile": hook.profile, "path": scripts.HOOKS + "/" + hook.file_name}
                for hook in hooks
            ],
        )
    written: Set[str] = {path for path, _mode in plan.folders} | {file.path for file in plan.write}
    return {
        "changed": changed,
        "snapshot_scripts": about,
        "written": sorted(written),
        "removed": sorted(plan.remove),
        "findings": [finding.as_dict() for finding in findings],
        "diff": _diff(plan, now),
    }
