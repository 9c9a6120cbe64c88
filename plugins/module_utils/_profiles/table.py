# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""All profiles, and how an entry of the user's list becomes a hook."""

import re
from typing import Any, Dict, List, Mapping, Sequence, Set

from .._finding import ERROR, Finding
from .command import COMMAND
from .iris import IRIS
from .mariadb import MARIADB, MYSQL
from .mongodb import MONGODB
from .oracle import ORACLE
from .postgresql import POSTGRESQL
from .profile import BadProfile, Hook, Profile, resolve, unique
from .redis import REDIS, VALKEY
from .saphana import SAPHANA
from .service import SERVICE

_ALL = (COMMAND, IRIS, MARIADB, MONGODB, MYSQL, ORACLE, POSTGRESQL, REDIS, SAPHANA, SERVICE, VALKEY)
PROFILES: Dict[str, Profile] = {profile.name: profile for profile in _ALL}

# What must never be shown, by the name of its option.
SECRETS = frozenset(option.name for profile in PROFILES.values() for option in profile.options if option.secret)


def masked(entry: Mapping[str, Any]) -> Dict[str, Any]:
    """An entry of the user's list as it may be shown."""
    return {name: "********" if name in SECRETS and value else value for name, value in entry.items()}


_LABEL = re.compile(r"[a-z0-9][a-z0-9_-]{0,29}\Z")


def hooks_of(entries: List[Mapping[str, Any]]) -> List[Hook]:
    """The hooks of the user's list of profiles, in the order in which they freeze."""
    hooks = []
    for number, entry in enumerate(entries):
        where = "profiles[{0}]".format(number)
        profile = PROFILES.get(str(entry.get("name")))
        if profile is None:
            raise BadProfile(
                "{0}: there is no profile '{1}'; choose from {2}.".format(
                    where, entry.get("name"), ", ".join(sorted(PROFILES))
                )
            )
        label = entry.get("label") or ""
        if label and not _LABEL.match(label):
            raise BadProfile(
                "{0}: label must hold no more than 30 of a-z, 0-9, - and _, and begin with a letter or digit, "
                "not '{1}'.".format(where, label)
            )
        name = profile.name + "-" + label if label else profile.name
        order = entry.get("order")
        if order is not None and not 0 <= order <= 99:
            raise BadProfile("{0}: order must be from 0 to 99, not {1}.".format(where, order))
        given = {
            key: value for key, value in entry.items() if value is not None and key not in ("name", "label", "order")
        }
        hooks.append(resolve(where, profile, name, order, given))
    return unique(hooks)


# The clients that a hook looks for by itself, the first one that is there.
_CLIENTS = {
    "mariadb": ("mariadb", "mysql"),
    "mysql": ("mysql",),
    "redis": ("redis-cli",),
    "valkey": ("valkey-cli",),
}


def clients_of(profile: str) -> Sequence[str]:
    """The programs of which one has to be there for a hook that names none; none where that cannot be said."""
    return _CLIENTS.get(profile, ())


# The units that start an application, as Debian, Red Hat and the vendors name them.
_UNITS = {
    "iris": ("iris.service",),
    "mariadb": ("mariadb.service", "mysql.service"),
    "mongodb": ("mongod.service",),
    "mysql": ("mysql.service", "mysqld.service"),
    "oracle": ("oracle.service",),
    "postgresql": ("postgresql.service", *("postgresql-{0}.service".format(major) for major in range(12, 19))),
    "redis": ("redis.service", "redis-server.service"),
    "valkey": ("valkey.service", "valkey-server.service"),
    "saphana": ("sapinit.service",),
}


def units_of(hooks: List[Hook]) -> List[str]:
    """The systemd units of the applications that the hooks hold."""
    units: Set[str] = set()
    for hook in hooks:
        units.update(_UNITS.get(hook.profile, ()))
        if hook.profile == SERVICE.name:
            units.add(hook.values["unit"])
    return sorted(units)


# Settings with which an application is only as good as the freeze of all its file systems at one moment.
_RELY_ON_FREEZE = (("mongodb", "mode='*flush"), ("mysql", "mode='*instance"), ("postgresql", "mode='*checkpoint"))


def needs_freeze(path: str, settings: str) -> List[Finding]:
    """A hook whose settings rely on file systems being frozen, said of a guest that freezes none."""
    for profile, pattern in _RELY_ON_FREEZE:
        # Not splitlines: a setting may hold what Unicode takes for the end of a line.
        lines = settings.split("\n")
        if "profile=" + profile in lines and any(re.match(pattern, line) for line in lines):
            return [
                Finding(
                    "hook.needs_freeze",
                    ERROR,
                    "{0} relies on frozen file systems, and fsFreezeEnabled is false.".format(path),
                    "Set fs_freeze_enabled to true, or choose the profile's other mode.",
                )
            ]
    return []
