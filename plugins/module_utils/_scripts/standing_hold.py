# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the scripts hold at this moment, and what a hold that never ended has left behind."""

from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from .._finding import ERROR, INFO, Finding
from . import layout as scripts
from .files import FILE, look
from .stuck_hold import RUN, STUCK, Hold, read_hold, still_held

# Written by pre.sh before the first hook, and taken away once everything is released.
MARK = "/var/lib/appconsistent/held"
_HOLDING = ("freezing", "held", "releasing", STUCK)
# What a watchdog may take beyond the end of a hold before somebody has to look: its hooks have 20 s each.
_GRACE = 120.0


class StandingHold(NamedTuple):
    """``state`` is None where no run has left one; ``interrupted`` is the run that the machine went down in."""

    state: Optional[str]
    run: Optional[str]
    hooks: List[str]
    reason: Optional[str]
    interrupted: Optional[str]
    overdue: float

    def as_dict(self) -> Dict[str, Any]:
        return {
            "state": self.state,
            "run": self.run,
            "hooks": self.hooks,
            "reason": self.reason,
            "interrupted": self.interrupted,
        }


def read_standing_hold(root: str = "") -> StandingHold:
    state, run = _word(root, RUN + "/current/state"), _word(root, RUN + "/current/id")
    marked = _word(root, MARK)
    holding = state in _HOLDING
    hold = read_hold(root) if holding else None
    return StandingHold(
        state=state,
        run=run,
        hooks=hold.hooks if hold else [],
        reason=hold.reason if hold and state == STUCK else None,
        # A run that has just ended may not have reached the disk yet.
        interrupted=marked if marked and marked != run and not holding else None,
        overdue=_overdue(root) if holding else 0.0,
    )


def standing_hold(root: str = "") -> Tuple[Dict[str, Any], List[Finding]]:
    """What is held, for a result, and what is to be said of it."""
    hold = read_standing_hold(root)
    return hold.as_dict(), findings_of(hold)


def findings_of(hold: StandingHold) -> List[Finding]:
    if hold.interrupted:
        return [
            Finding(
                "hold.interrupted",
                ERROR,
                "The machine went down, or was restored, in the middle of a hold, and that is not undone yet.",
                "See NOT CLEANED UP in the scripts' log, correct what stands there, and run: sh {0}/boot.sh".format(
                    scripts.SCRIPTS
                ),
                "run " + hold.interrupted,
            )
        ]
    if hold.state == STUCK:
        return [still_held(Hold(hold.hooks, hold.reason or ""))._replace(severity=ERROR)]
    if hold.overdue > _GRACE:
        return [
            Finding(
                "hold.overdue",
                ERROR,
                "What {0} holds should have been released {1:.0f} s ago, and nobody does it.".format(
                    ", ".join(hold.hooks) or "a hook", hold.overdue
                ),
                "Run: sh {0}. Then find out who killed the watchdog; see the guide.".format(scripts.POST_PATH),
                "run {0}, state {1}".format(hold.run, hold.state),
            )
        ]
    if hold.state in _HOLDING:
        return [
            Finding(
                "hold.under_way",
                INFO,
                "A run holds its applications at this moment.",
                "Nothing, if a restore point is being taken; ask again in a few minutes.",
                "run {0}, state {1}".format(hold.run, hold.state),
            )
        ]
    return []


def _word(root: str, path: str) -> Optional[str]:
    file = look(root + path)
    text = (file.data or b"")[:100].decode("ascii", "replace").strip()
    plain = "".join(letter for letter in text if letter.isalnum() or letter in "-_")
    return plain or None if file.kind == FILE else None


def _overdue(root: str) -> float:
    """Seconds since the hold should have ended, negative before. Both count hundredths of a second since boot."""
    until = _word(root, RUN + "/current/until") or ""
    uptime = (look(root + "/proc/uptime").data or b"").split()
    try:
        return float(uptime[0]) - int(until) / 100.0
    except (IndexError, ValueError):
        return 0.0
