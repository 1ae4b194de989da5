"""Projects, their API keys, and what belongs to a project."""

from __future__ import annotations

from collections.abc import Iterable, Sized

from msgspec import Struct
from msgspec.structs import replace

from pingmon.core.check.settings import CheckChanges, CheckSpec
from pingmon.core.notify.alert_rules import ProjectAlertRules
from pingmon.core.units import Id
from pingmon.core.world import events


class Project(Struct, frozen=True, omit_defaults=True, gc=False):
    """A project. `defaults`: what a check has that a first ping makes, in place of what every new check has.

    `alerts` hold for those of its checks and sites that have no such rules of their own.
    """

    id: Id
    name: str
    ping_key: str
    born: int
    created: int
    defaults: CheckChanges = CheckChanges()
    alerts: ProjectAlertRules = ProjectAlertRules()

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


def is_full(members: Sized, most: int) -> bool:
    """Whether there are as many as there may be (0: no limit)."""
    return bool(most) and len(members) >= most


class Members:
    """What belongs to one project, in order of creation: checks by their births, everything else by its id."""

    __slots__ = ("channels", "checks", "namesakes", "sites", "slugs", "windows")

    def __init__(self) -> None:
        self.checks: dict[int, Id] = {}
        self.sites: dict[Id, None] = {}
        self.channels: dict[Id, None] = {}
        self.windows: dict[Id, None] = {}
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
        return not (self.checks or self.sites or self.channels or self.windows)
