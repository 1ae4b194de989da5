"""The kinds of parts that a world is made of: where each is kept, and how it becomes JSON and a part again."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.structs import force_setattr

from pingmon.core.check.check import Check
from pingmon.core.check.settings import CheckSpec
from pingmon.core.notify.channel import Channel
from pingmon.core.notify.maintenance import MaintenanceWindow
from pingmon.core.notify.notification import Notification
from pingmon.core.notify.trouble import Trouble
from pingmon.core.partner.partner import Partner
from pingmon.core.site.site import Site
from pingmon.core.units import DAEMON
from pingmon.core.world.project import Key, Project
from pingmon.core.world.world import DaemonState, World

_DEFAULT: Final = CheckSpec()


class SavedKind(Struct, frozen=True):
    """How parts of one kind are kept.

    `decode` reads a JSON array of them; `kept` is where the world has them by their ids; `put` keeps one.
    `age` orders them, and `born` is the entry that it begins with.
    """

    decode: Callable[[bytes], list[Any]]
    kept: Callable[[World], Mapping[str, Any]]
    put: Callable[[World, Any], None]
    id: Callable[[Any], str] = attrgetter("id")
    born: Callable[[Any], int] = attrgetter("born")
    age: Callable[[Any], Any] = attrgetter("born")
    mixed: bool = False
    """Whether the world has them in another order."""

    def oldest_first(self, world: World) -> list[str]:
        """The ids of all parts."""
        kept = self.kept(world)
        return sorted(kept, key=lambda id: self.age(kept[id])) if self.mixed else list(kept)

    def born_after(self, world: World, entry: int) -> list[str]:
        """The ids of the parts that were born after `entry`, oldest first, or none; if any, with those born then."""
        kept, ids = self.kept(world), self.oldest_first(world)
        if not ids or self.born(kept[ids[-1]]) <= entry:
            return []
        return ids[bisect_left(ids, entry, key=lambda id: self.born(kept[id])) :]


class Reader:
    """Reads parts that were saved. What many checks have in common is kept once: a million must fit into memory."""

    def __init__(self) -> None:
        self._common: dict[Any, Any] = {}

    def parts(self, kind: str, body: bytes) -> list[Any]:
        """The parts in a JSON array. ValueError if there is no such kind, or they are not of it."""
        if kind not in KINDS:
            raise ValueError(f"there is no such part of the world as a {kind}")
        parts = KINDS[kind].decode(body)
        if kind == "check":
            self._share(parts)
        return parts

    def _share(self, checks: list[Check]) -> None:
        """Let new checks, which nobody holds yet, share what they have in common. Defaults are shared anyway."""
        once = self._common.setdefault
        for check in checks:
            spec, last = check.spec, check.last_ping
            force_setattr(check, "project", once(check.project, check.project))
            if check.last_success == last:
                force_setattr(check, "last_success", last)
            if check.since == last:
                force_setattr(check, "since", last)
            if spec.slug == spec.name:
                force_setattr(spec, "slug", spec.name)
            if spec.tags:
                force_setattr(spec, "tags", once(spec.tags, spec.tags))
            if spec.channels:
                force_setattr(spec, "channels", once(spec.channels, spec.channels))
            if spec.schedule is not _DEFAULT.schedule:
                force_setattr(spec, "schedule", once(spec.schedule, spec.schedule))
            if spec.tz is not _DEFAULT.tz:
                force_setattr(spec, "tz", once(spec.tz, spec.tz))


def _kind(
    type: type[Struct], kept: Callable[[World], Mapping[str, Any]], put: Callable[[World, Any], None]
) -> SavedKind:
    return SavedKind(msgspec.json.Decoder(list[type]).decode, kept, put)  # type: ignore[valid-type]


KINDS: Final[dict[str, SavedKind]] = {
    "daemon": SavedKind(
        msgspec.json.Decoder(list[DaemonState]).decode,
        kept=lambda world: {DAEMON: world.daemon},
        put=World.put_daemon,
        id=lambda daemon: DAEMON,
        born=lambda daemon: 0,
        age=lambda daemon: 0,
    ),
    "project": _kind(Project, lambda world: world.projects, World.put_project),
    "key": _kind(Key, lambda world: world.keys, World.put_key),
    "channel": _kind(Channel, lambda world: world.channels, World.put_channel),
    "check": _kind(Check, lambda world: world.checks, World.put_check),
    "partner": _kind(Partner, lambda world: world.partners, World.put_partner),
    "site": _kind(Site, lambda world: world.sites, World.put_site),
    "window": _kind(MaintenanceWindow, lambda world: world.windows, World.put_window),
    "trouble": _kind(Trouble, lambda world: world.troubles, World.put_trouble),
    "notification": SavedKind(
        msgspec.json.Decoder(list[Notification]).decode,
        kept=lambda world: world.owed,
        put=World.put_owed,
        born=lambda owed: owed.flip.seq,
        age=lambda owed: (owed.flip.seq, owed.created, owed.id),
        mixed=True,
    ),
}
"""In the order in which they are restored: a project before what is in it."""
