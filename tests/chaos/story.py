# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What happens in a story, drawn from its seed: the machines, the runs and their kills, and the faults meanwhile."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import timedelta
from random import Random

from ansible_collections.appconsistent.azure.plugins.plugin_utils._azure.resource_ids import parse_vm_id
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore_points.next_step import Wish
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore_points.place import Place
from ansible_collections.appconsistent.azure.plugins.plugin_utils._restore_points.retention import Retention

from tests.azure_simulator import failures
from tests.azure_simulator.fleet_file import SUBSCRIPTION

HOUR = 3600.0
SCHEDULE = "nightly"
KEY = "k1"
# Points that the schedule has made on the days before.
OLD = f"{SCHEDULE}--old"
# Beside the schedule's own points: another schedule whose name begins alike, another tool, a person.
FOREIGN = ("nightly-x--k1", "nightly-x-20261122T0000Z", "AzureBackup_20261122_0100", "nightly-before-upgrade")

Fault = dict[str, t.Any]


@dataclass(frozen=True)
class Run:
    """One run of the fleet task. Times are seconds; `skew` is what its clock is ahead of Azure's."""

    after: float
    timeout: float = 900.0
    kill_after: float | None = None
    skew: float = 0.0
    check: bool = False
    # A second run begins that much later than this one, on another controller.
    twin_after: float | None = None
    # The first machine is deleted and made anew under its name before the run.
    recreated: bool = False
    # Seconds after its start at which each machine's newest own point is deleted by somebody.
    vanish_after: float | None = None
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True)
class Theme:
    """What the stories of a test have in common: faults of `kinds` only, or each run killed, or two at once."""

    kinds: frozenset[str] = frozenset()
    kills: bool = False
    twins: bool = False


@dataclass(frozen=True)
class Story:
    seed: int
    fleet: dict[str, t.Any]
    wish: Wish
    runs: tuple[Run, ...]


def _throttle(random: Random) -> Fault:
    form = random.choice(("arm", "compute", "compute_bare"))
    fault: Fault = {"form": form, "retry_after": random.choice((None, 1, 7, 40))}
    if form != "arm":
        fault["policy"] = random.choice(
            ("PutRestorePointSubscriptionMaximum", "CreateApplicationConsistentRestorePoint")
        )
    return fault


def _error(random: Random) -> Fault:
    status = random.choice((500, 502, 503))
    return {"status": status, "code": "ServiceUnavailable" if status == 503 else "InternalServerError"}


def _ending(random: Random) -> Fault:
    return dict(random.choice((failures.INTERNAL, failures.MODEL_CHANGED, failures.AGENT_SILENT, failures.VSS_WRITERS)))


def _stale(random: Random) -> Fault:
    """Another of Azure's servers does not know yet of what was made."""
    code = random.choice(("ResourceNotFound", "NotFound"))
    return {"status": 404, "code": code, "method": "GET", "action": "*/restorePoints/read", "times": 1}


def _link(random: Random) -> Fault:
    return {"form": random.choice(("blank", "non_ascii", "relative", "foreign", "bracket"))}


# The simulator's kinds of faults that a story draws, how often, and their parameters.
CATALOGUE: tuple[tuple[str, int, t.Callable[[Random], Fault]], ...] = (
    ("throttle", 4, _throttle),
    ("throttle_after_accept", 3, _throttle),
    ("error", 4, _error),
    ("error_after_accept", 4, _error),
    ("reset", 4, lambda _: {}),
    ("lose_answer", 5, lambda _: {}),
    ("truncate", 4, lambda _: {}),
    ("hang", 2, lambda _: {}),
    ("slow", 2, lambda random: {"seconds": random.choice((5, 45, 200))}),
    ("claims_challenge", 1, lambda _: {}),
    ("error", 3, _stale),
    ("odd_links", 2, _link),
    ("location_only", 1, lambda _: {}),
    ("drip", 1, lambda random: {"seconds": random.choice((0.01, 5))}),
    ("page_of_a_proxy", 2, lambda random: {"status": random.choice((200, 302, 502)), "text": "<html>"}),
    ("operation_completes", 1, lambda _: {}),
    ("operation_fails", 4, _ending),
    ("operation_canceled", 2, lambda _: {}),
    ("operation_hangs", 1, lambda _: {}),
)
METHODS = (None, None, "GET", "PUT", "PUT", "PUT", "DELETE")


def _fault(random: Random, kinds: t.Collection[str]) -> Fault:
    drawn = [entry for entry in CATALOGUE if not kinds or entry[0] in kinds]
    kind, _weight, parameters = random.choices(drawn, [weight for _kind, weight, _parameters in drawn])[0]
    fault = {"kind": kind, **parameters(random)}
    if kind.startswith("operation_"):
        fault.update(operation=random.choice(("restore_point_create", "*")), times=random.choice((1, 1, 2)))
    else:
        fault = {"skip": random.randrange(12), "times": random.choice((1, 1, 2, 6)), **fault}
        # Azure counts the points of a machine where they are asked for, and nowhere else.
        method = "PUT" if fault.get("policy") else random.choice(METHODS)
        if method and "action" not in fault:
            fault.update(method=method, skip=random.randrange(3))
    return fault


def _vm(random: Random, number: int) -> dict[str, t.Any]:
    name = f"vm{number}"
    vm: dict[str, t.Any] = {
        "name": name,
        "os": random.choice(("linux", "windows")),
        "linux_scripts": random.choice(("ok", "ok", "ok", "missing")),
        "snapshot_extension": random.choice(("present", "present", "absent")),
        "create_seconds": random.choice((5, 20, 90)),
    }
    group = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-fleet"
    vm_id = f"{group}/providers/Microsoft.Compute/virtualMachines/{name}"
    collection = Place().of(parse_vm_id(vm_id, name)).name
    own = [
        {
            "collection": collection,
            "name": f"{OLD}{days}",
            "age": f"{days}d",
            "consistency": random.choice(("ApplicationConsistent", "ApplicationConsistent", "FileSystemConsistent")),
            "state": random.choice(("Succeeded", "Succeeded", "Succeeded", "Failed")),
        }
        for days in range(1, random.choice((1, 3, 6)))
    ]
    foreign = [
        {"collection": collection, "name": foreign, "age": f"{random.randrange(1, 90)}d"}
        for foreign in FOREIGN
        if random.random() < 0.3
    ]
    return {**vm, "points": own + foreign}


def _run(random: Random, theme: Theme) -> Run:
    at_any_instant = (random.uniform(0, 3), random.uniform(0, 40), random.uniform(0, 200))
    at_once = (0.0, random.uniform(0, 2), random.uniform(0, 60))
    twin_after = random.choice(at_once if theme.twins else (None, None, None, *at_once))
    return Run(
        after=random.choice((0.0, 0.0, 5.0, 40.0, 600.0, 1.5 * HOUR, 3.5 * HOUR)),
        kill_after=random.choice(at_any_instant if theme.kills else (None, *at_any_instant)),
        timeout=random.choice((120.0, 300.0, 900.0)),
        skew=random.choice((0.0, 0.0, 0.0, random.uniform(-600, 600), random.uniform(-5, 5) * 24 * HOUR)),
        recreated=random.random() < 0.1,
        check=random.random() < 0.05,
        twin_after=twin_after,
        # Two runs that see a point before and after somebody deleted it cannot derive the same name.
        vanish_after=random.uniform(0, 60) if twin_after is None and random.random() < 0.15 else None,
        faults=tuple(_fault(random, theme.kinds) for _number in range(random.choice((0, 1, 2, 3, 5)))),
    )


def draw(seed: int, theme: Theme = Theme()) -> Story:
    """Return the story of a seed.

    Its last run is a calm one, hours later: what the others left behind has to be put right by it.
    """
    random = Random(seed)
    retention = random.choice(
        (
            Retention(),
            Retention(keep=random.choice((1, 2, 4)), keep_good=random.choice((1, 2, 3))),
            Retention(keep_for=timedelta(days=random.choice((1, 3))), keep_good=random.choice((0, 1, 3))),
        )
    )
    wish = Wish(
        schedule=SCHEDULE,
        # Without a key, a good point that is young enough is wanted; the machines' old ones are not.
        key=random.choice((KEY, KEY, "")),
        retention=retention,
        attempts=random.choice((1, 2, 2, 3)),
        min_interval=random.choice((None, None, timedelta(0))),
    )
    fleet = {
        "vms": [_vm(random, number) for number in range(1, random.choice((1, 2, 3)) + 1)],
        "durations": {"token": random.choice((86400, 86400, 86400, 90, 600))},
    }
    runs = [_run(random, theme) for _number in range(random.choice((1, 2, 2, 3)))]
    return Story(seed, fleet, wish, (*runs, Run(after=5 * HOUR)))
