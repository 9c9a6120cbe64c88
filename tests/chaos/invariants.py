# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What must hold in every story, checked against the simulator's own journal."""

from __future__ import annotations

import typing as t
from collections import defaultdict
from itertools import pairwise

from ansible_collections.appconsistent.azure.plugins.plugin_utils._azure.gate import READ_TIMEOUT
from ansible_collections.appconsistent.azure.plugins.plugin_utils._failures.explain import Retry, explain
from ansible_collections.appconsistent.azure.plugins.plugin_utils._fleet.verdict import Outcome, Verdict
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore_points.names import Naming, of_schedule
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore_points.points import Consistency

from tests.azure_simulator.records import Operation, Point
from tests.chaos.stage import Ended, Journal, Seen
from tests.chaos.story import FOREIGN, HOUR, OLD

# Seconds that a run may take beyond the time allowed: a request waits for the answer of the first of its kind, which
# may be silent as long as a connection is given at all, and the pause before a try that is not made any more.
GRACE = READ_TIMEOUT + 10


def violations(journal: Journal) -> list[str]:
    """Return what was violated, a sentence each; an empty list when all holds."""
    return [
        f"{check.__name__}: {found}"
        for check in (
            one_point_each,
            none_lost,
            tried_again_within_reason,
            retention_keeps_its_word,
            foreign_points_stay,
            outcomes_are_true,
            check_mode_writes_nothing,
            runs_end_in_time,
        )
        for found in check(journal)
    ]


def one_point_each(journal: Journal) -> t.Iterator[str]:
    """No point is begun under another name, nor while a good one of the key is there."""
    for seen in journal.seen:
        made = seen.made
        if made is None:
            continue
        if not _of_key(journal, made):
            yield f"{seen.who} made {made.name}, which is no name of the key"
        for point in seen.before.values():
            same = point.vm.vm_id == made.vm.vm_id
            if same and _of_key(journal, point) and (point.state == "Creating" or _good(journal, point)):
                yield f"{seen.who} made {made.name} at {seen.at:.1f} beside {point.name} ({point.state})"


def none_lost(journal: Journal) -> t.Iterator[str]:
    """After the calm run each machine that can reach it has exactly one good point, and the outcome names it."""
    last = journal.ended[-1]
    for outcome in last.outcomes:
        now = journal.world.vms[outcome.vm_id.lower()].vm_id
        held = last.points[outcome.vm_id].values()
        points = [point for point in held if _of_key(journal, point) and point.vm.vm_id == now]
        # Azure makes one point of a machine at a time, also where an earlier one of its name began it.
        if any(point.state == "Creating" and _of_key(journal, point) for point in held):
            if outcome.good:
                yield f"{outcome.host} is {outcome.verdict.value} although its point is in the making for ever"
            continue
        good = [point.name for point in points if _good(journal, point)]
        vm = journal.world.vms[outcome.vm_id.lower()]
        can_reach = vm.os == "windows" or vm.linux_scripts == "ok"
        if vm.os == "linux" and not can_reach:
            if good or outcome.verdict is not Verdict.DEGRADED:
                yield f"{outcome.host} cannot be application-consistent, and is {outcome.verdict.value}"
        elif len(good) != 1 or outcome.verdict not in (Verdict.REACHED, Verdict.FRESH):
            yield f"{outcome.host} has the good points {good} and is {outcome.verdict.value}: {outcome.cause}"
        elif outcome.point is None or outcome.point.name != good[0]:
            yield f"{outcome.host} has {good[0]}, and the outcome names another point"


def tried_again_within_reason(journal: Journal) -> t.Iterator[str]:
    """A run tries again only after a failure that passes by itself; other runs keep the least interval."""
    wish = journal.story.wish
    creates: defaultdict[str, list[Seen]] = defaultdict(list)
    for seen in journal.seen:
        if seen.made is not None:
            creates[seen.vm].append(seen)
    operations = {
        (operation.target, operation.started): operation
        for operation in journal.world.operations.values()
        if operation.kind == "restore_point_create"
    }
    for vm, begun in creates.items():
        os = journal.world.vms[vm].os
        for earlier, later in pairwise(begun):
            if earlier.path.lower() not in later.before or _machine(earlier) != _machine(later):
                continue  # Somebody took it away, or it is of another machine: there is nothing to be tried again.
            operation = operations[earlier.path.lower(), earlier.at]
            if earlier.who == later.who and not _passes(operation, os):
                yield f"{later.who} tried {vm} again after {operation.status} {operation.error}"
            # Azure's clock decides, and what it tells has whole seconds; answers are on their way for some.
            skew = 10.0
            if earlier.who != later.who and later.at - earlier.at < wish.interval.total_seconds() - skew:
                yield f"{later.who} tried {vm} {later.at - earlier.at:.0f} s after {earlier.who}"
        for first, fourth in zip(begun, begun[3:], strict=False):
            if fourth.at - first.at < HOUR and _machine(first) == _machine(fourth):
                yield f"{vm} was tried four times in an hour"
        per_run: defaultdict[str, int] = defaultdict(int)
        for seen in begun:
            per_run[seen.who] += 1
        for who, count in per_run.items():
            if count > wish.attempts:
                yield f"{who} tried {vm} {count} times, and {wish.attempts} are allowed"


def retention_keeps_its_word(journal: Journal) -> t.Iterator[str]:
    """Only own points go, only after success, and `keep_good` application-consistent ones stay."""
    retention = journal.story.wish.retention
    for seen in journal.seen:
        gone = seen.deleted
        if gone is None:
            continue
        # A failed point holds nothing; it goes in any case.
        if not retention.limits and gone.state != "Failed":
            yield f"{seen.who} deleted {gone.name} without being asked"
        if _of_key(journal, gone) and _good(journal, gone):
            yield f"{seen.who} deleted {gone.name}, the good point of the key"
        machine = journal.machines[seen.who, seen.vm]
        if gone.vm.vm_id != machine:
            yield f"{seen.who} deleted {gone.name}, which holds an earlier machine"
        own = [point for point in seen.before.values() if _own(journal, point) and point.vm.vm_id == machine]
        # What somebody else took away meanwhile, the run could not know.
        own += [point for point in journal.vanished.values() if point.vm_key == gone.vm_key]
        left = [point for point in own if point.key != gone.key and _good(journal, point)]
        if _good(journal, gone) and len(left) < retention.keep_good:
            yield f"{seen.who} deleted {gone.name} and left {len(left)} good ones of {retention.keep_good}"
        # Without a key, one of the old ones may be young enough by the clock of the run.
        new = [point for point in own if _of_key(journal, point) or not journal.story.wish.key]
        if not any(_good(journal, point) for point in new):
            yield f"{seen.who} deleted {gone.name} although the new point was not there"


def foreign_points_stay(journal: Journal) -> t.Iterator[str]:
    for seen in journal.seen:
        if seen.method == "DELETE" and seen.path.rsplit("/", 1)[-1].lower() in {name.lower() for name in FOREIGN}:
            yield f"{seen.who} asked for the deletion of {seen.path}"


def outcomes_are_true(journal: Journal) -> t.Iterator[str]:
    """A good outcome is one that the journal shows; nothing is told of a point that it does not show."""
    for ended in journal.ended:
        for outcome in ended.outcomes:
            yield from _untrue(journal, ended, outcome)


def _untrue(journal: Journal, ended: Ended, outcome: Outcome) -> t.Iterator[str]:
    subject = f"{ended.who}: {outcome.host} is {outcome.verdict.value}"
    if "mistake in appconsistent.azure" in outcome.cause:
        yield f"{subject}: {outcome.cause}"
    minimum = outcome.minimum
    if outcome.verdict in (Verdict.REACHED, Verdict.FRESH) and outcome.reached < minimum:
        yield f"{subject} with {outcome.reached.label}"
    if outcome.point is not None and outcome.point.finished:
        states = [point for _at, point in journal.states.get(outcome.point.id.lower(), ())]
        truth = [point for point in states if point.state == "Succeeded"]
        ours = journal.machines.get((ended.who, outcome.vm_id.lower()))
        if outcome.verdict in (Verdict.REACHED, Verdict.FRESH) and any(point.vm.vm_id != ours for point in truth):
            yield f"{subject} with {outcome.point.name}, which holds an earlier machine"
        if not truth or all(point.consistency != outcome.point.consistency.label for point in truth):
            yield f"{subject} with {outcome.point.name} {outcome.point.consistency.label}, which never was"
    made = {seen.made.key for seen in journal.seen if seen.who == ended.who and seen.made and _is_at(seen, outcome)}
    # Who gets no answer to a look at what became of a lost request cannot know.
    blind = outcome.failure.get("kind") == "EndpointUnreachable" or (outcome.failure.get("status") or 0) >= 500
    if outcome.verdict is Verdict.FAILED and not blind:
        for point in ended.points[outcome.vm_id].values():
            going = point.state == "Creating" or _good(journal, point)
            if point.key in made and going and point.key not in journal.vanished:
                yield f"{subject}, and its {point.name} is {point.state}: {outcome.cause}"
    if made and outcome.good and not outcome.changed:
        yield f"{subject} and unchanged, although it made a point"


def _machine(seen: Seen) -> str:
    return seen.made.vm.vm_id if seen.made is not None else ""


def _is_at(seen: Seen, outcome: Outcome) -> bool:
    return seen.vm == outcome.vm_id.lower()


def check_mode_writes_nothing(journal: Journal) -> t.Iterator[str]:
    for number, run in enumerate(journal.story.runs, start=1):
        for seen in journal.seen:
            if run.check and seen.who in (f"run {number}", f"run {number} twin"):
                yield f"{seen.who} sent {seen.method} {seen.path}"


def runs_end_in_time(journal: Journal) -> t.Iterator[str]:
    for ended in journal.ended:
        allowed = ended.run.timeout + GRACE
        if ended.seconds > allowed:
            yield f"{ended.who} took {ended.seconds:.0f} s of {allowed:.0f} s"


def _passes(operation: Operation, os: str) -> bool:
    error = operation.error or {}
    explanation = explain(str(error.get("code")), str(error.get("message")), status=200, os=os)
    return operation.status in ("Failed", "Canceled") and explanation.retry is Retry.LATER


def _own(journal: Journal, point: Point) -> bool:
    return of_schedule(point.name, journal.story.wish.schedule)


def _of_key(journal: Journal, point: Point) -> bool:
    """Tell whether a point is one that the runs of this story may make: of the key, or of any day but the old ones."""
    wish = journal.story.wish
    if wish.key:
        return Naming(wish.schedule, wish.key, keyed=True).attempt_of(point.name) > 0
    return _own(journal, point) and not point.name.startswith(OLD)


def _good(journal: Journal, point: Point) -> bool:
    return point.state == "Succeeded" and Consistency.read(point.consistency) >= journal.story.wish.minimum
