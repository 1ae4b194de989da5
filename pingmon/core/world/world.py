"""The state of the world: all there is, by every name it is looked up by.

Only the fold (`fold`) changes it. It can be saved and restored by its parts (`snapshot`); what was saved with the
number of the last folded entry, plus the entries after it, is the same world as all entries from the first one on.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable
from operator import attrgetter
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from pingmon.core.check.check import Check
from pingmon.core.check.settings import CheckSpec
from pingmon.core.flip import Deaf
from pingmon.core.notify.channel import GROUP, Channel, without_member
from pingmon.core.notify.maintenance import MaintenanceWindow
from pingmon.core.notify.notification import Became, Delivery, Notification
from pingmon.core.notify.trouble import Trouble
from pingmon.core.partner.partner import Partner, host_of
from pingmon.core.site.site import Site
from pingmon.core.units import DAEMON, Id
from pingmon.core.world.outcome import Subject, Topic
from pingmon.core.world.project import Key, Members, Project

K = TypeVar("K", bound=Hashable)


class DaemonState(Struct, frozen=True, omit_defaults=True, gc=False):
    """What the world knows of the daemon itself: when it was deaf, newest last, and since when it has not listened."""

    deaf: tuple[Deaf, ...] = ()
    ended: int | None = None


class World:
    """All projects and what is in them, partners, keys and owed notifications. Read freely; only the fold writes."""

    def __init__(self) -> None:
        self.seq = 0
        self.daemon = DaemonState()
        self.projects: dict[Id, Project] = {}
        self.members: dict[Id, Members] = {}
        self.ping_keys: dict[str, Id] = {}
        self.keys: dict[Id, Key] = {}
        self.keys_by_prefix: dict[str, tuple[Id, ...]] = {}
        self.checks: dict[Id, Check] = {}
        self.sites: dict[Id, Site] = {}
        self.partners: dict[Id, Partner] = {}
        self.inquiring: dict[Id, None] = {}
        """Sites whose partner is to be asked something, in the order in which that became so."""
        self.channels: dict[Id, Channel] = {}
        self.owed: dict[str, Notification] = {}
        self.outbox: dict[Id, dict[str, Notification]] = {}
        self.bare: dict[Id, None] = {}
        """Checks and sites that are down and have no channels, so that nobody is told."""
        self.troubles: dict[Id, Trouble] = {}
        self.windows: dict[Id, MaintenanceWindow] = {}
        self.outages: dict[Id, None] = {}
        """Checks and sites that are down, and of which there may be more to tell."""
        self.held_by: dict[Id, dict[Id, None]] = {}
        """Those of them that nobody is told of because another one is down, by the id of that."""
        self.ended: list[Delivery] = []
        """What became of messages that the present entry has ended."""
        self._owed_about: dict[tuple[Id, Id], tuple[str, ...]] = {}
        self._dirty: dict[str, set[str]] = defaultdict(set)

    # --- what is looked up and what is owed ------------------------------------------------------------------------

    def twin(self, project: Id, spec: CheckSpec, unique: tuple[str, ...]) -> Check | None:
        """The oldest check of the project that equals `spec` in all the fields named by `unique`, if any are named."""
        if not unique:
            return None
        members = self.members[project]
        named = "slug" in unique and spec.slug
        candidates: Iterable[int] = members.named(spec.slug) if named else members.checks
        for born in candidates:
            check = self.checks[members.checks[born]]
            if all(getattr(check.spec, name) == getattr(spec, name) for name in unique):
                return check
        return None

    def subject(self, id: Id) -> Subject:
        """The check or site with this id; KeyError if there is none."""
        return self.checks.get(id) or self.sites[id]

    def known(self, id: Id) -> Subject | None:
        """The check or site with this id, if there is one."""
        return self.checks.get(id) or self.sites.get(id)

    def topic(self, id: Id) -> Topic:
        """What a message is about, by its id; KeyError if there is none."""
        return self.troubles.get(id) or self.subject(id)

    def zones_of(self, project: Id) -> list[str]:
        """The time zones of the project's schedules, those of most of them first."""
        specs = (self.checks[id].spec for id in self.members[project].checks.values())
        return [zone for zone, _ in Counter(spec.tz for spec in specs if spec.kind != "simple").most_common()]

    def host_of(self, site: Site) -> Partner | None:
        """The partner that hosts `site`, as far as that is known."""
        return host_of(site.spec.host, site.hosting, self.partners.values())

    def reached(self, channels: Iterable[Id]) -> tuple[Id, ...]:
        """The channels that these lead to, as far as they are there and their receivers want messages.

        In the place of a group, its members.
        """
        found: dict[Id, None] = {}
        for id in channels:
            channel = self.channels.get(id)
            members = channel.members if channel is not None and channel.kind == GROUP else (id,)
            there = filter(None, map(self.channels.get, members))
            found.update((each.id, None) for each in there if each.kind != GROUP and not each.consent)
        return tuple(found)

    def owed_about(self, subject: Topic) -> list[Notification]:
        """All messages about `subject` that are owed."""
        channels = self.outbox if isinstance(subject, Trouble) else self.members[subject.project].channels
        return [self.owed[id] for channel in channels for id in self._owed_about.get((channel, subject.id), ())]

    def owe(self, owed: Notification) -> None:
        """Owe a message by the present entry, or keep one that is owed already and has changed."""
        if owed.flip.seq != self.seq and owed.id not in self.owed:
            owed = replace(owed, entry=self.seq)
        self.put_owed(owed)

    def put_owed(self, owed: Notification) -> None:
        """Keep a message that is owed, new or changed."""
        if owed.id not in self.owed:
            _list(self._owed_about, (owed.channel, owed.flip.subject), owed.id)
        self.owed[owed.id] = owed
        self.outbox.setdefault(owed.channel, {})[owed.id] = owed
        self._dirty["notification"].add(owed.id)

    def settle(self, owed: Notification, became: Became, at: int, *, by: str = "", why: str = "") -> None:
        """Owe a message no more, from `at` on; see `Delivery` for what became of it."""
        self.ended.append(Delivery(replace(owed, overtook=None), became, at, by, why))
        del self.owed[owed.id]
        _unlist(self._owed_about, (owed.channel, owed.flip.subject), owed.id)
        queue = self.outbox[owed.channel]
        del queue[owed.id]
        if not queue:
            del self.outbox[owed.channel]
        self._dirty["notification"].add(owed.id)

    # --- keeping, with the lookups that go with it ----------------------------------------------------------------

    def keep(self, subject: Topic) -> None:
        """Replace a check, site or trouble that is already there."""
        if isinstance(subject, Trouble):
            self.put_trouble(subject)
        elif isinstance(subject, Site):
            self.put_site(subject)
        else:
            self.keep_check(subject)

    def keep_check(self, check: Check) -> None:
        """Replace a check that is already there."""
        before = self.checks[check.id]
        self.checks[check.id] = check
        if before.spec is not check.spec and before.spec.slug != check.spec.slug:
            members = self.members[check.project]
            members.unname(before.spec.slug, before.born)
            members.name(check.spec.slug, check.born)
        self._note_down(check)
        self._dirty["check"].add(check.id)

    def put_check(self, check: Check) -> None:
        """Keep a new check."""
        self.checks[check.id] = check
        self._enter(check, self.members[check.project])
        self._dirty["check"].add(check.id)

    def _enter(self, check: Check, members: Members) -> None:
        """Let a check that is kept be found among those of its project."""
        members.checks[check.born] = check.id
        members.name(check.spec.slug, check.born)
        if check.status == "down":
            self._note_down(check)

    def _leave(self, check: Check) -> None:
        """Let it be found there no more."""
        members = self.members[check.project]
        members.unname(check.spec.slug, check.born)
        del members.checks[check.born]

    def move_check(self, before: Check, after: Check, at: int) -> None:
        """Keep a check that is in another project now; nothing is owed about it any more."""
        self._void(self.owed_about(before), at, "the check was moved to another project")
        self._leave(before)
        self.checks[after.id] = after
        members = self.members[after.project]
        self._enter(after, members)
        members.checks = dict(sorted(members.checks.items()))
        self._note_down(after)
        self._dirty["check"].add(after.id)

    def drop_check(self, check: Check, at: int) -> None:
        """Forget a check and all that is owed about it."""
        self._void(self.owed_about(check), at, "the check was deleted")
        self._leave(check)
        del self.checks[check.id]
        self._forget(check)
        self._dirty["check"].add(check.id)

    def _note_down(self, subject: Subject) -> None:
        """Keep those of the lists that have what is down."""
        down, audience = subject.status == "down", subject.audience
        if down and not subject.spec.channels:
            self.bare[subject.id] = None
        elif self.bare:
            self.bare.pop(subject.id, None)
        if down and audience is not None and audience.flip is not None:
            self.outages[subject.id] = None
            if audience.held_by:
                self.held_by.setdefault(audience.held_by, {})[subject.id] = None
        elif self.outages:
            self.outages.pop(subject.id, None)

    def _forget(self, subject: Subject) -> None:
        self.bare.pop(subject.id, None)
        self.outages.pop(subject.id, None)
        self.held_by.pop(subject.id, None)

    def _void(self, messages: Iterable[Notification], at: int, why: str) -> None:
        for owed in messages:
            self.settle(owed, "void", at, why=why)

    def put_site(self, site: Site) -> None:
        """Keep a site, new or changed."""
        self.members[site.project].sites[site.id] = None
        self.sites[site.id] = site
        if site.inquiry is None:
            self.inquiring.pop(site.id, None)
        else:
            self.inquiring[site.id] = None
        self._note_down(site)
        self._dirty["site"].add(site.id)

    def drop_site(self, site: Site, at: int) -> None:
        """Forget a site and all that is owed about it."""
        self._void(self.owed_about(site), at, "the site was deleted")
        del self.sites[site.id]
        del self.members[site.project].sites[site.id]
        self.inquiring.pop(site.id, None)
        self._forget(site)
        self._dirty["site"].add(site.id)

    def put_trouble(self, trouble: Trouble) -> None:
        """Keep a trouble, new or changed."""
        self.troubles[trouble.id] = trouble
        self._dirty["trouble"].add(trouble.id)

    def put_window(self, window: MaintenanceWindow) -> None:
        """Keep a maintenance window, new or changed."""
        self.windows[window.id] = window
        self.members[window.project].windows[window.id] = None
        self._dirty["window"].add(window.id)

    def drop_window(self, window: MaintenanceWindow) -> None:
        """Forget a maintenance window."""
        del self.windows[window.id]
        del self.members[window.project].windows[window.id]
        self._dirty["window"].add(window.id)

    def put_partner(self, partner: Partner) -> None:
        """Keep a partner, new or changed."""
        self.partners[partner.id] = partner
        self._dirty["partner"].add(partner.id)

    def drop_partner(self, partner: Partner) -> None:
        """Forget a partner."""
        del self.partners[partner.id]
        self._dirty["partner"].add(partner.id)

    def put_project(self, project: Project) -> None:
        """Keep a project, new or changed; a ping key that it has no more names nothing."""
        before = self.projects.get(project.id)
        if before is not None:
            del self.ping_keys[before.ping_key]
        self.projects[project.id] = project
        self.members.setdefault(project.id, Members())
        self.ping_keys[project.ping_key] = project.id
        self._dirty["project"].add(project.id)

    def drop_project(self, project: Project) -> None:
        """Forget a project that has nothing in it."""
        del self.projects[project.id], self.members[project.id], self.ping_keys[project.ping_key]
        self._dirty["project"].add(project.id)

    def put_key(self, key: Key) -> None:
        """Keep a key, new or changed."""
        if key.id not in self.keys:
            _list(self.keys_by_prefix, key.prefix, key.id)
        self.keys[key.id] = key
        self._dirty["key"].add(key.id)

    def drop_key(self, key: Key) -> None:
        """Forget a key."""
        del self.keys[key.id]
        _unlist(self.keys_by_prefix, key.prefix, key.id)
        self._dirty["key"].add(key.id)

    def put_channel(self, channel: Channel) -> None:
        """Keep a channel, new or changed."""
        self.channels[channel.id] = channel
        self.members[channel.project].channels[channel.id] = None
        self._dirty["channel"].add(channel.id)

    def drop_channel(self, channel: Channel, at: int) -> None:
        """Forget a channel and all that is owed to it. No check, site or group of the project has it any more."""
        self._void(list(self.outbox.get(channel.id, {}).values()), at, "the channel was deleted")
        members = self.members[channel.project]
        for subject in map(self.subject, (*members.checks.values(), *members.sites)):
            if channel.id in subject.spec.channels or channel.id in subject.relayed:
                self.keep(_without(subject, channel.id))
        for group in map(self.channels.__getitem__, members.channels):
            if channel.id in group.members:
                self.put_channel(without_member(group, channel.id))
        del self.channels[channel.id]
        del members.channels[channel.id]
        self._dirty["channel"].add(channel.id)

    def put_daemon(self, daemon: DaemonState) -> None:
        """Keep what is known of the daemon itself."""
        self.daemon = daemon
        self._dirty["daemon"].add(DAEMON)

    # --- saving ---------------------------------------------------------------------------------------------------

    @property
    def unsaved(self) -> int:
        """How many parts have changed since they were last taken by `take_changed`."""
        return sum(map(len, self._dirty.values()))

    def put_saved(self, checks: list[Check]) -> None:
        """Keep checks that are saved already, oldest first, in a world that has their projects and no checks yet.

        `checks` is filled first, and everything else after that. In turns, each of them would push the other out of
        the processor's caches: so a million are kept quickly.
        """
        self.checks.update(zip(map(attrgetter("id"), checks), checks, strict=True))
        for check in checks:
            self._enter(check, self.members[check.project])

    def clear(self) -> None:
        """Be empty."""
        World.__init__(self)

    def take_changed(self) -> dict[str, set[str]]:
        """The ids of the parts, by kind, that have changed since the last call; they count as unchanged now."""
        taken, self._dirty = self._dirty, defaultdict(set)
        return taken

    def count_as_changed(self, taken: dict[str, set[str]]) -> None:
        """Count parts as changed that were taken and could not be saved."""
        for kind, ids in taken.items():
            self._dirty[kind] |= ids


def _without(subject: Subject, channel: Id) -> Subject:
    """The check or site as it is once nobody is told of it by `channel`."""
    left = tuple(id for id in subject.spec.channels if id != channel)
    relayed = tuple(id for id in subject.relayed if id != channel)
    if isinstance(subject, Check):
        return replace(subject, spec=replace(subject.spec, channels=left), relayed=relayed)
    return replace(subject, spec=replace(subject.spec, channels=left), relayed=relayed)


def _list(index: dict[K, tuple[str, ...]], name: K, id: str) -> None:
    index[name] = (*index.get(name, ()), id)


def _unlist(index: dict[K, tuple[str, ...]], name: K, id: str) -> None:
    left = tuple(other for other in index[name] if other != id)
    if left:
        index[name] = left
    else:
        del index[name]
