# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Sets the documented registry values. Documentation: plugins/modules/windows_snapshot_settings.py."""

from __future__ import annotations

import typing as t

from ..module_utils._printable import printable
from ..plugin_utils._windows.action import WindowsAction
from ..plugin_utils._windows.commands import READ_VALUES, WRITE_VALUES
from ..plugin_utils._windows.guest import WindowsGuest
from ..plugin_utils._windows.settings import (
    ARGUMENT_SPEC,
    PLACES,
    Change,
    Value,
    Values,
    changes,
    question,
    read_values,
    shown,
    states,
)


class ActionModule(WindowsAction):
    """The action."""

    ARGUMENT_SPEC: t.ClassVar = ARGUMENT_SPEC

    def inspect(self, options: dict[str, t.Any], guest: WindowsGuest) -> dict[str, t.Any]:
        before = read_values(PLACES, guest.run(READ_VALUES, places=question(PLACES)).get("registry"))
        todo = changes(options, before)
        after = {**before, **{change.place: _as_written(change) for change in todo}}
        problems: dict[str, t.Any] = {}
        if todo and not guest.check_mode:
            answer = guest.run(WRITE_VALUES, places=[change.argument() for change in todo])
            after = {**before, **read_values([change.place for change in todo], answer.get("registry"))}
            problems = answer["problems"] if isinstance(answer.get("problems"), dict) else {}
        result = {
            "changed": after != before,
            "windows_snapshot_settings": states(after),
            "registry": shown(after),
            "diff": {"before": _lines(before), "after": _lines(after)},
        }
        failed = [change for change in todo if after[change.place] != _as_written(change)]
        if failed:
            result.update(
                failed=True,
                msg=f"On {guest.name}, {len(failed)} of {len(todo)} registry value(s) could not be set: "
                + "; ".join(f"{change.place} ({_why(change, problems)})" for change in failed)
                + ". The others were set. Look for a group policy or rights that guard these keys.",
            )
        return result


def _as_written(change: Change) -> Value | None:
    return None if change.data is None else Value(change.kind, str(change.data))


def _why(change: Change, problems: t.Mapping[str, t.Any]) -> str:
    problem = problems.get(f"{change.place.path}\\{change.place.name}", "it still has its old value")
    return printable(str(problem), 200)


def _lines(values: Values) -> str:
    return "".join(f"{place}: {told}\n" for place, told in sorted(shown(values).items()) if told is not None)
