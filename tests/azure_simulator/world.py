"""Everything the simulated cloud holds. Handlers read and change it; nothing here knows HTTP or threads."""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from .clock import Clock
from .faults import Faults
from .operations import Agenda, Signer
from .paths import ancestors
from .records import Collection, Extension, GuestAnswer, Lock, Operation, Point, Vm
from .settings import Settings
from .throttling import Throttle

KEPT_REQUESTS = 100_000


class Subscription(NamedTuple):
    id: str
    name: str
    state: str = "Enabled"


class Group(NamedTuple):
    id: str
    name: str
    location: str
    tags: Mapping[str, str] = {}
    state: str = "Succeeded"


class Seen(NamedTuple):
    """One request, as tests want to look back at it. Signed query strings are cut."""

    method: str
    path: str
    query: str
    status: int
    principal: str


@dataclass(slots=True)
class VssHistory:
    """Where a Windows VM stands in the rule of three attempts."""

    fallbacks_left: int = 0
    attempts: int = 0


class World:
    def __init__(self, clock: Clock, settings: Settings, tenant_id: str) -> None:
        self.clock = clock
        self.settings = settings
        self.tenant_id = tenant_id
        self.faults = Faults()
        self.throttle = Throttle(clock, settings)
        self.agenda = Agenda()
        self.signer = Signer(settings.seed)
        self._random = random.Random(settings.seed)
        self.subscriptions: dict[str, Subscription] = {}
        self.groups: dict[str, Group] = {}
        self.vms: dict[str, Vm] = {}
        self.extensions: dict[str, dict[str, Extension]] = {}
        self.collections: dict[str, Collection] = {}
        self.points: dict[str, dict[str, Point]] = {}
        self.disks: dict[str, dict[str, Any]] = {}
        self.locks: dict[str, dict[str, Lock]] = {}
        self.operations: dict[str, Operation] = {}
        # Policy definitions, assignments and exemptions as they are shown, and since when each is there.
        self.policies: dict[str, dict[str, Any]] = {}
        self.policies_since: dict[str, float] = {}
        # Per scope (subscription or group), the keys of what lies in it, so that a list needs no scan.
        self.vms_in: dict[str, dict[str, None]] = {}
        self.collections_in: dict[str, dict[str, None]] = {}
        self.disks_in: dict[str, dict[str, None]] = {}
        self.points_of: Counter[str] = Counter()
        self.creating: dict[str, str] = {}
        self.vss: dict[str, VssHistory] = {}
        self.locked_below: Counter[str] = Counter()
        self.guest_answers: dict[str, GuestAnswer] = {}
        self.activity: deque[dict[str, Any]] = deque(maxlen=20_000)
        self.requests: deque[Seen] = deque(maxlen=KEPT_REQUESTS)
        self.request_counts: Counter[str] = Counter()
        # Set by whoever runs the world: talks to a real guest and calls back with its last word.
        self.ask_guest: Callable[[str, dict[str, Any], Callable[[GuestAnswer], None]], None] = no_guests
        # Set by whoever runs the world: makes sure that advance() is called at that simulated instant.
        self.wake_at: Callable[[float], None] = lambda _: None

    def advance(self) -> None:
        self.agenda.run(self.clock.now())

    def guid(self) -> str:
        digits = f"{self._random.getrandbits(128):032x}"
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"

    def add_group(self, subscription: str, name: str, location: str) -> Group:
        group_id = f"/subscriptions/{subscription}/resourceGroups/{name}"
        return self.groups.setdefault(group_id.lower(), Group(group_id, name, location))

    # VMs and extensions

    def put_vm(self, vm: Vm) -> None:
        if vm.key not in self.vms:
            _list_in(self.vms_in, vm.key)
        self.vms[vm.key] = vm

    def change_vm(self, key: str, **changes: Any) -> Vm:
        vm = self.vms[key] = replace(self.vms[key], **changes)
        return vm

    def drop_vm(self, key: str) -> None:
        """The VM goes with its extensions; its collections and points stay, as in Azure."""
        if self.vms.pop(key, None) is not None:
            _unlist_in(self.vms_in, key)
            self.extensions.pop(key, None)

    def model_changed(self, vm_key: str) -> None:
        """The VM's model or goal state moved: a create that is under way must notice."""
        self.change_vm(vm_key, model=self.vms[vm_key].model + 1)

    def put_extension(self, vm_key: str, extension: Extension) -> None:
        self.extensions.setdefault(vm_key, {})[extension.name.lower()] = extension

    def vss_history(self, vm_key: str) -> VssHistory:
        return self.vss.setdefault(vm_key, VssHistory())

    def snapshot_extension(self, vm_key: str) -> Extension | None:
        for extension in self.extensions.get(vm_key, {}).values():
            if extension.is_snapshot:
                return extension
        return None

    # Collections and points

    def put_collection(self, collection: Collection) -> None:
        if collection.key not in self.collections:
            _list_in(self.collections_in, collection.key)
            self.points.setdefault(collection.key, {})
        self.collections[collection.key] = collection

    def drop_collection(self, key: str) -> None:
        for point in list(self.points.get(key, {}).values()):
            self.drop_point(point)
        self.points.pop(key, None)
        if self.collections.pop(key, None) is not None:
            _unlist_in(self.collections_in, key)

    def put_point(self, point: Point) -> None:
        points = self.points[point.collection]
        if point.name.lower() not in points:
            self.points_of[point.vm_key] += 1
        points[point.name.lower()] = point

    def drop_point(self, point: Point) -> None:
        if self.points.get(point.collection, {}).pop(point.name.lower(), None) is not None:
            self.points_of[point.vm_key] -= 1
        if self.creating.get(point.vm_key) == point.key:
            del self.creating[point.vm_key]

    def put_disk(self, key: str, disk: dict[str, Any]) -> None:
        if key not in self.disks:
            _list_in(self.disks_in, key)
        self.disks[key] = disk

    def drop_disk(self, key: str) -> None:
        if self.disks.pop(key, None) is not None:
            _unlist_in(self.disks_in, key)

    # Locks

    def put_lock(self, lock: Lock) -> bool:
        """Whether it is new."""
        held = self.locks.setdefault(lock.scope, {})
        is_new = lock.name.lower() not in held
        if is_new:
            self.locked_below.update(ancestors(lock.scope)[1:])
        held[lock.name.lower()] = lock
        return is_new

    def drop_lock(self, lock: Lock) -> None:
        del self.locks[lock.scope][lock.name.lower()]
        if not self.locks[lock.scope]:
            del self.locks[lock.scope]
        self.locked_below.subtract(ancestors(lock.scope)[1:])

    def forget_operation(self, operation_id: str) -> None:
        self.operations.pop(operation_id, None)
        self.throttle.forget(operation_id)


def no_guests(socket: str, message: dict[str, Any], done: Callable[[GuestAnswer], None]) -> None:
    """Where nobody talks to guests, each of them is out of reach."""
    text = f"there is no way to reach the guest at {socket}"
    done(GuestAnswer(str(message.get("task_id")), str(message.get("run")), None, text))


def _scopes(key: str) -> tuple[str, str]:
    parts = key.split("/", 5)
    return "/".join(parts[:3]), "/".join(parts[:5])


def _list_in(index: dict[str, dict[str, None]], key: str) -> None:
    for scope in _scopes(key):
        index.setdefault(scope, {})[key] = None


def _unlist_in(index: dict[str, dict[str, None]], key: str) -> None:
    for scope in _scopes(key):
        index[scope].pop(key, None)
