"""What the world is made of besides checks, channels and messages, and what folding an entry tells."""

from __future__ import annotations

from collections.abc import Iterable, Sized
from typing import Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from pingmon.core.check.check import Check
from pingmon.core.check.settings import CheckChanges, CheckSpec
from pingmon.core.flip import Deaf, Flip
from pingmon.core.notify.notification import Delivery
from pingmon.core.partner.partner import Partner
from pingmon.core.site.site import Site
from pingmon.core.units import DAEMON, Id
from pingmon.core.world import events

Subject: TypeAlias = Check | Site
"""What has a status, flips, and channels that are told."""
Result: TypeAlias = Literal["done", "created", "exists", "ambiguous", "full", "unknown"]


class Project(Struct, frozen=True, omit_defaults=True, gc=False):
    """A project. `defaults`: what a check has that a first ping makes, in place of what every new check has."""

    id: Id
    name: str
    ping_key: str
    born: int
    created: int
    defaults: CheckChanges = CheckChanges()

    def first_settings(self, slug: str, channels: Iterable[Id]) -> CheckSpec:
        """The settings of a check that a first ping by `slug` makes, in a project with these channels.

        It has all of them if none was chosen, or if those that were are gone: an alert too many is better than none.
        """
        every = tuple(sorted(channels))
        spec = self.defaults.applied_to(CheckSpec(name=slug, slug=slug, channels=every))
        left = tuple(id for id in spec.channels if id in every)
        return replace(spec, channels=left if left or not spec.channels else every)


class Key(Struct, frozen=True, omit_defaults=True, gc=False):
    """An API key as it is kept: `digest` is the hex SHA-256 of salt and key. `project` is None for operator keys.

    `last_used`: when it was last seen, to within an hour or so; None if never. `until`: from when on it opens nothing,
    if another one takes its place. Both are microseconds since the epoch.
    """

    id: Id
    project: Id | None
    role: events.Role
    prefix: str
    salt: str
    digest: str
    name: str
    born: int
    created: int
    last_used: int | None = None
    until: int | None = None


class DaemonState(Struct, frozen=True, omit_defaults=True, gc=False):
    """What the world knows of the daemon itself: when it was deaf, newest last, and since when it has not listened."""

    deaf: tuple[Deaf, ...] = ()
    ended: int | None = None


class Block(Struct, frozen=True, gc=False):
    """Parts of one kind as they are saved together; what a block of a higher `number` says of a part counts instead.

    `parts` is a JSON array of them, `gone` one of the ids of parts that are no more. `round` and `upto`: see
    `snapshot`.
    """

    number: int
    kind: str
    parts: bytes
    gone: bytes = b"[]"
    round: int | None = None
    upto: int | None = None


class Outdated(Struct, frozen=True, gc=False):
    """The blocks of a kind with a number below `below` that a save replaces: with an `upto` below this one, or all."""

    kind: str
    below: int
    upto: int | None = None

    def holds(self, block: Block) -> bool:
        """Whether `block` is one of them."""
        past = self.upto is None or (block.upto is not None and block.upto < self.upto)
        return block.kind == self.kind and block.number < self.below and past


class Outcome(Struct, frozen=True, gc=False):
    """What folding an entry did.

    `exists`: nothing, because the check wanted is `id`; `ambiguous`: nothing, several checks have the slug;
    `full`: nothing, the project has as many as it may; `unknown`: nothing, what the entry is about is not there.
    `check`, `site`, `partner`, `project` and `key` are what the entry was about, afterwards; `channels` those that are
    owed something new; `ended` says of messages that are owed no more what became of them; `everything` tells that
    deadlines of all checks have moved.
    """

    result: Result = "done"
    id: Id = DAEMON
    check: Check | None = None
    site: Site | None = None
    partner: Partner | None = None
    flip: Flip | None = None
    channels: tuple[Id, ...] = ()
    ended: tuple[Delivery, ...] = ()
    everything: bool = False
    project: Project | None = None
    key: Key | None = None


def is_full(members: Sized, most: int) -> bool:
    """Whether there are as many as there may be (0: no limit)."""
    return bool(most) and len(members) >= most


class Members:
    """What belongs to one project, in order of creation: checks by their births, everything else by its id."""

    __slots__ = ("channels", "checks", "namesakes", "sites", "slugs")

    def __init__(self) -> None:
        self.checks: dict[int, Id] = {}
        self.sites: dict[Id, None] = {}
        self.channels: dict[Id, None] = {}
        self.slugs: dict[str, int] = {}
        """The birth of the oldest check with each slug."""
        self.namesakes: dict[str, tuple[int, ...]] = {}
        """The births of all that have a slug which several have. Few do, and a million tuples would take 50 MB."""

    def named(self, slug: str) -> tuple[int, ...]:
        """The births of the checks that have this slug, oldest first."""
        oldest = self.slugs.get(slug)
        return () if oldest is None else self.namesakes.get(slug) or (oldest,)

    def name(self, slug: str, born: int) -> None:
        """Let a check be found by its slug, if it has one."""
        if slug and self.slugs.setdefault(slug, born) != born:
            births = tuple(sorted((*self.named(slug), born)))
            self.slugs[slug], self.namesakes[slug] = births[0], births

    def unname(self, slug: str, born: int) -> None:
        """Let it be found by that slug no more."""
        if slug:
            left = tuple(other for other in self.named(slug) if other != born)
            del self.slugs[slug]
            self.namesakes.pop(slug, None)
            if left:
                self.slugs[slug] = left[0]
            if len(left) > 1:
                self.namesakes[slug] = left

    def empty(self) -> bool:
        """Whether there is nothing."""
        return not (self.checks or self.sites or self.channels)
