"""The state of the world, folded from the log.

`World.fold` is the only thing that changes a world, and it asks nothing but the entry: no clock, no chance, no I/O.
The same entries in the same order make the same world, on every machine and after every restart.

A world can be saved and restored by its parts (`changed`, `restore`); what was saved with the number of the last
folded entry, plus the entries after it, is the same world as all entries from the first one on.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sized
from typing import Any, Final, Literal, TypeAlias, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from pingmon.core import check as checks
from pingmon.core import events, notify
from pingmon.core.check import Check, Deaf, Flip
from pingmon.core.events import CheckSpec, Entry, Id
from pingmon.core.notify import Channel, Notification

MAX_DEAF_SPANS: Final = 32
"""Times of deafness that are remembered, the newest ones; each start and each full disk is one."""

K = TypeVar("K", bound=Hashable)

Result: TypeAlias = Literal["done", "created", "exists", "ambiguous", "full", "unknown"]
StateRow: TypeAlias = tuple[str, str, bytes | None]
"""A part of the saved state: its kind, its id, and its JSON, or None if it is gone."""


class Project(Struct, frozen=True, omit_defaults=True, gc=False):
    id: Id
    name: str
    ping_key: str
    born: int
    created: int


class Key(Struct, frozen=True, omit_defaults=True, gc=False):
    """An API key as it is kept: `digest` is the hex SHA-256 of salt and key. `project` is None for operator keys."""

    id: Id
    project: Id | None
    role: events.Role
    prefix: str
    salt: str
    digest: str
    name: str
    born: int
    created: int


class Daemon(Struct, frozen=True, omit_defaults=True, gc=False):
    """What the world knows of the daemon itself: when it was deaf, newest last, and since when it has not listened."""

    deaf: tuple[Deaf, ...] = ()
    ended: int | None = None


class Outcome(Struct, frozen=True, gc=False):
    """What folding an entry did.

    `exists`: nothing, because the check wanted is `id`; `ambiguous`: nothing, several checks have the slug;
    `full`: nothing, the project has as many as it may; `unknown`: nothing, what the entry is about is not there.
    `check` is the check afterwards, `channels` those that are owed something new, `everything` tells that deadlines
    of all checks have moved.
    """

    result: Result = "done"
    id: Id = events.DAEMON
    check: Check | None = None
    flip: Flip | None = None
    channels: tuple[Id, ...] = ()
    everything: bool = False


class Members:
    """What belongs to one project, in order of creation: by id, and checks that have a slug by that too."""

    __slots__ = ("channels", "checks", "slugs")

    def __init__(self) -> None:
        self.checks: dict[Id, None] = {}
        self.channels: dict[Id, None] = {}
        self.slugs: dict[str, tuple[Id, ...]] = {}


class World:
    """All projects, checks, channels, keys and owed notifications. Read freely; only `fold` and `restore` write."""

    def __init__(self) -> None:
        self.seq = 0
        self.daemon = Daemon()
        self.projects: dict[Id, Project] = {}
        self.members: dict[Id, Members] = {}
        self.ping_keys: dict[str, Id] = {}
        self.keys: dict[Id, Key] = {}
        self.keys_by_prefix: dict[str, tuple[Id, ...]] = {}
        self.checks: dict[Id, Check] = {}
        self.channels: dict[Id, Channel] = {}
        self.owed: dict[str, Notification] = {}
        self.outbox: dict[Id, dict[str, Notification]] = {}
        self._owed_about: dict[tuple[Id, Id], tuple[str, ...]] = {}
        self._dirty: dict[str, set[str]] = {kind: set() for kind in _TABLES}

    # --- the fold -------------------------------------------------------------------------------------------------

    def fold(self, entry: Entry) -> Outcome:
        """Take in the next entry of the log and say what it did."""
        self.seq = entry.seq
        return _FOLDS[type(entry.event)](self, entry, entry.event)

    def _ping_received(self, entry: Entry, event: events.PingReceived) -> Outcome:
        check = self.checks.get(entry.stream)
        if check is None:
            if event.create is None:
                return Outcome("unknown", entry.stream)
            return self._ping_creates(entry, event, event.create)
        return self._changed(entry, *checks.pinged(check, entry.seq, entry.at, event))

    def _ping_creates(self, entry: Entry, event: events.PingReceived, new: events.NewCheck) -> Outcome:
        members = self.members.get(new.project)
        if members is None:
            return Outcome("unknown", entry.stream)
        namesakes = members.slugs.get(new.slug, ())
        if namesakes:
            return Outcome("exists" if len(namesakes) == 1 else "ambiguous", namesakes[0])
        if _is_full(members.checks, new.most):
            return Outcome("full", entry.stream)
        spec = CheckSpec(name=new.slug, slug=new.slug, channels=tuple(sorted(members.channels)))
        fresh = Check(entry.stream, new.project, spec, entry.seq, entry.at, entry.at)
        self._put_check(fresh)
        return replace(self._changed(entry, *checks.pinged(fresh, entry.seq, entry.at, event)), result="created")

    def _check_created(self, entry: Entry, event: events.CheckCreated) -> Outcome:
        if event.project not in self.members:
            return Outcome("unknown", entry.stream)
        twin = self.checks.get(entry.stream) or self.twin(event.project, event.spec, event.unique)
        if twin is not None:
            return Outcome("exists", twin.id, twin)
        if _is_full(self.members[event.project].checks, event.most):
            return Outcome("full", entry.stream)
        fresh = Check(entry.stream, event.project, event.spec, entry.seq, entry.at, entry.at)
        self._put_check(fresh)
        return Outcome("created", fresh.id, fresh)

    def _check_changed(self, entry: Entry, event: events.CheckChanged) -> Outcome:
        check = self.checks.get(entry.stream)
        if check is None:
            return Outcome("unknown", entry.stream)
        return self._changed(entry, checks.respecified(check, entry.seq, event.changes.applied_to(check.spec)), None)

    def _check_deleted(self, entry: Entry, event: events.CheckDeleted) -> Outcome:
        check = self.checks.pop(entry.stream, None)
        if check is None:
            return Outcome("unknown", entry.stream)
        del self.members[check.project].checks[check.id]
        self._unname(check)
        self._dirty["check"].add(check.id)
        self._forget_owed(check)
        return Outcome("done", check.id, check)

    def _check_paused(self, entry: Entry, event: events.CheckPaused) -> Outcome:
        check = self.checks.get(entry.stream)
        if check is None:
            return Outcome("unknown", entry.stream)
        return self._changed(entry, *checks.paused(check, entry.seq, entry.at))

    def _check_resumed(self, entry: Entry, event: events.CheckResumed) -> Outcome:
        check = self.checks.get(entry.stream)
        if check is None:
            return Outcome("unknown", entry.stream)
        return self._changed(entry, *checks.resumed(check, entry.seq, entry.at))

    def _check_expired(self, entry: Entry, event: events.CheckExpired) -> Outcome:
        check = self.checks.get(entry.stream)
        if check is None:
            return Outcome("unknown", entry.stream)
        after, flip = checks.expired(check, entry.seq, event.deadline, event.armed_by)
        if flip is not None:
            deaf = checks.overlap(self.daemon.deaf, event.deadline, check.spec.grace)
            flip = replace(flip, deaf=deaf)
        return self._changed(entry, after, flip)

    def _project_created(self, entry: Entry, event: events.ProjectCreated) -> Outcome:
        self._put_project(Project(entry.stream, event.name, event.ping_key, entry.seq, entry.at))
        return Outcome("created", entry.stream)

    def _key_created(self, entry: Entry, event: events.KeyCreated) -> Outcome:
        project = None if event.role == "operator" else entry.stream
        kept = (event.role, event.prefix, event.salt, event.digest, event.name)
        self._put_key(Key(event.key, project, *kept, entry.seq, entry.at))
        return Outcome("created", event.key)

    def _channel_created(self, entry: Entry, event: events.ChannelCreated) -> Outcome:
        members = self.members.get(event.project)
        if members is None:
            return Outcome("unknown", entry.stream)
        if _is_full(members.channels, event.most):
            return Outcome("full", entry.stream)
        kept = (event.project, event.kind, event.name, event.value, event.secret)
        self._put_channel(Channel(entry.stream, *kept, entry.seq, entry.at))
        return Outcome("created", entry.stream)

    def _delivered(self, entry: Entry, event: events.NotificationDelivered) -> Outcome:
        channel = self.channels.get(entry.stream)
        if channel is not None:
            self._put_channel(replace(channel, last_delivered=entry.at, last_error=""))
        owed = self.owed.get(event.id)
        if owed is not None:
            self._settle(owed)
            if owed.relays is not None and owed.flip.new == "down":
                check = self.checks[owed.flip.check]
                self._keep_check(replace(check, relayed=(*check.relayed, owed.channel)))
            return Outcome("done", entry.stream)
        for waiting in self.outbox.get(entry.stream, {}).values():
            if waiting.replaces == event.id:
                self._owe(notify.delivered_after_all(waiting))
                break
        return Outcome("unknown", entry.stream)

    def _failed(self, entry: Entry, event: events.NotificationFailed) -> Outcome:
        owed = self._unsent(entry, event.id, event.error)
        if owed is None:
            return Outcome("unknown", entry.stream)
        self._owe(replace(owed, attempts=owed.attempts + 1, error=event.error, next_at=event.retry_at))
        return Outcome("done", entry.stream)

    def _abandoned(self, entry: Entry, event: events.NotificationAbandoned) -> Outcome:
        lost = self._unsent(entry, event.id, event.error)
        if lost is None:
            return Outcome("unknown", entry.stream)
        self._settle(lost)
        project = self.channels[entry.stream].project
        relays = notify.relayed(lost, event.error, self.members[project].channels, entry.at)
        for relay in relays:
            self._owe(relay)
        return Outcome("done", entry.stream, channels=tuple(relay.channel for relay in relays))

    def _listening_resumed(self, entry: Entry, event: events.ListeningResumed) -> Outcome:
        span = Deaf(event.since, entry.at, event.hold_until, event.cause)
        self._put_daemon(Daemon(deaf=(*self.daemon.deaf, span)[-MAX_DEAF_SPANS:]))
        return Outcome()

    def _listening_ended(self, entry: Entry, event: events.ListeningEnded) -> Outcome:
        self._put_daemon(replace(self.daemon, ended=entry.at))
        return Outcome()

    def _clock_stepped(self, entry: Entry, event: events.ClockStepped) -> Outcome:
        by = event.by
        for check in list(self.checks.values()):
            self._keep_check(checks.shifted(check, entry.seq, by))
        for owed in list(self.owed.values()):
            flip = replace(owed.flip, at=owed.flip.at + by, since=owed.flip.since + by)
            down_from = None if owed.down_from is None else owed.down_from + by
            created, next_at = owed.created + by, owed.next_at + by
            self._owe(replace(owed, flip=flip, down_from=down_from, created=created, next_at=next_at))
        spans = tuple(
            replace(span, since=span.since + by, until=span.until + by, hold_until=span.hold_until + by)
            for span in self.daemon.deaf
        )
        ended = None if self.daemon.ended is None else self.daemon.ended + by
        self._put_daemon(Daemon(spans, ended))
        return Outcome(everything=True)

    # --- what folds share -----------------------------------------------------------------------------------------

    def twin(self, project: Id, spec: CheckSpec, unique: tuple[str, ...]) -> Check | None:
        """The oldest check of the project that equals `spec` in all the fields named by `unique`, if any are named."""
        if not unique:
            return None
        members = self.members[project]
        named = "slug" in unique and spec.slug
        candidates: Iterable[Id] = members.slugs.get(spec.slug, ()) if named else members.checks
        for id in candidates:
            check = self.checks[id]
            if all(getattr(check.spec, name) == getattr(spec, name) for name in unique):
                return check
        return None

    def _changed(self, entry: Entry, after: Check, flip: Flip | None) -> Outcome:
        """Keep the check as it is now; owe what its flip makes due."""
        self._keep_check(after)
        if flip is None:
            return Outcome("done", after.id, after)
        return Outcome("done", after.id, after, flip, self._owe_flip(entry, after, flip))

    def _owe_flip(self, entry: Entry, check: Check, flip: Flip) -> tuple[Id, ...]:
        """Owe `flip` to its channels, in place of all that is still owed about the check; which channels those are.

        A check that is paused or resumed overtakes nothing: what is owed about it goes out.
        """
        if flip.new not in ("up", "down"):
            return ()
        stale = self._forget_owed(check)
        if not notify.matters(flip):
            return ()
        told = [channel for channel in check.spec.channels if channel in self.channels]
        if flip.new == "up":
            told += [channel for channel in check.relayed if channel not in told]
        for channel in told:
            self._owe(notify.notification(flip, channel, entry.at, stale.get(channel)))
        if check.relayed:
            self._keep_check(replace(check, relayed=()))
        return tuple(told)

    def _unsent(self, entry: Entry, id: str, error: str) -> Notification | None:
        channel = self.channels.get(entry.stream)
        if channel is not None:
            self._put_channel(replace(channel, last_error=error))
        return self.owed.get(id)

    def _forget_owed(self, check: Check) -> dict[Id, Notification]:
        """Owe nothing about `check` any more; what was owed, by channel, relays left out."""
        forgotten = {}
        for channel in self.members[check.project].channels:
            for id in self._owed_about.get((channel, check.id), ()):
                owed = self.owed[id]
                self._settle(owed)
                if owed.relays is None:
                    forgotten[channel] = owed
        return forgotten

    def _owe(self, owed: Notification) -> None:
        if owed.id not in self.owed:
            _list(self._owed_about, (owed.channel, owed.flip.check), owed.id)
        self.owed[owed.id] = owed
        self.outbox.setdefault(owed.channel, {})[owed.id] = owed
        self._dirty["notification"].add(owed.id)

    def _settle(self, owed: Notification) -> None:
        del self.owed[owed.id]
        _unlist(self._owed_about, (owed.channel, owed.flip.check), owed.id)
        queue = self.outbox[owed.channel]
        del queue[owed.id]
        if not queue:
            del self.outbox[owed.channel]
        self._dirty["notification"].add(owed.id)

    # --- keeping, with the lookups that go with it ----------------------------------------------------------------

    def _keep_check(self, check: Check) -> None:
        """Replace a check that is already there."""
        before = self.checks[check.id]
        self.checks[check.id] = check
        if before.spec is not check.spec and before.spec.slug != check.spec.slug:
            self._unname(before)
            self._name(check)
        self._dirty["check"].add(check.id)

    def _put_check(self, check: Check) -> None:
        self.members[check.project].checks[check.id] = None
        self.checks[check.id] = check
        self._name(check)
        self._dirty["check"].add(check.id)

    def _name(self, check: Check) -> None:
        """Let the check be found by its slug, if it has one; namesakes stand in the order of their birth."""
        if check.spec.slug:
            slugs = self.members[check.project].slugs
            _list(slugs, check.spec.slug, check.id)
            namesakes = slugs[check.spec.slug]
            if len(namesakes) > 1:
                slugs[check.spec.slug] = tuple(sorted(namesakes, key=lambda id: self.checks[id].born))

    def _unname(self, check: Check) -> None:
        if check.spec.slug:
            _unlist(self.members[check.project].slugs, check.spec.slug, check.id)

    def _put_project(self, project: Project) -> None:
        self.projects[project.id] = project
        self.members.setdefault(project.id, Members())
        self.ping_keys[project.ping_key] = project.id
        self._dirty["project"].add(project.id)

    def _put_key(self, key: Key) -> None:
        if key.id not in self.keys:
            _list(self.keys_by_prefix, key.prefix, key.id)
        self.keys[key.id] = key
        self._dirty["key"].add(key.id)

    def _put_channel(self, channel: Channel) -> None:
        self.channels[channel.id] = channel
        self.members[channel.project].channels[channel.id] = None
        self._dirty["channel"].add(channel.id)

    def _put_daemon(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self._dirty["daemon"].add(events.DAEMON)

    # --- saving and restoring -------------------------------------------------------------------------------------

    @property
    def unsaved(self) -> int:
        """How many parts have changed since they were last taken by `changed`."""
        return sum(map(len, self._dirty.values()))

    def changed(self) -> tuple[list[tuple[str, str, Struct | None]], Callable[[], None]]:
        """The parts that changed since the last call, and a function that marks them changed again.

        The parts are immutable, so they may be encoded (`encoded`) later or in another thread; call the function if
        they could not be saved.
        """
        taken = self._dirty
        self._dirty = {kind: set() for kind in _TABLES}
        parts = [(kind, id, _TABLES[kind].get(self, id)) for kind, ids in taken.items() for id in ids]

        def put_back() -> None:
            for kind, ids in taken.items():
                self._dirty[kind] |= ids

        return parts, put_back

    def restore(self, seq: int, rows: Iterable[StateRow]) -> None:
        """Become the world that was saved at entry `seq`. Rows may come in any order.

        `ValueError` if one is of a kind or a shape that this pingmon does not know.
        """
        self.seq = seq
        decoders = {kind: msgspec.json.Decoder(table.type).decode for kind, table in _TABLES.items()}
        parts: dict[str, list[Any]] = {kind: [] for kind in _TABLES}
        common: dict[Any, Any] = {}
        for kind, _, body in rows:
            if kind not in decoders:
                raise ValueError(f"there is no such part of the world as a {kind}")
            if body is not None:
                part = decoders[kind](body)
                parts[kind].append(_sharing(part, common) if isinstance(part, Check) else part)
        for kind, table in _TABLES.items():
            for part in sorted(parts[kind], key=table.order):
                table.put(self, part)
        self._dirty = {kind: set() for kind in _TABLES}


def encoded(parts: Iterable[tuple[str, str, Struct | None]]) -> Iterator[StateRow]:
    """Parts of a world as rows to save."""
    encode = msgspec.json.Encoder().encode
    for kind, id, part in parts:
        yield kind, id, None if part is None else encode(part)


def _is_full(members: Sized, most: int) -> bool:
    return bool(most) and len(members) >= most


def _sharing(check: Check, common: dict[Any, Any]) -> Check:
    """`check` with what many checks have in common kept once; a million of them must fit into memory."""
    spec = check.spec
    return replace(
        check,
        project=common.setdefault(check.project, check.project),
        since=check.last_ping if check.since == check.last_ping else check.since,
        last_success=check.last_ping if check.last_success == check.last_ping else check.last_success,
        spec=replace(
            spec,
            slug=spec.name if spec.slug == spec.name else spec.slug,
            tags=common.setdefault(spec.tags, spec.tags),
            schedule=common.setdefault(spec.schedule, spec.schedule),
            tz=common.setdefault(spec.tz, spec.tz),
            channels=common.setdefault(spec.channels, spec.channels),
        ),
    )


def _list(index: dict[K, tuple[str, ...]], name: K, id: str) -> None:
    index[name] = (*index.get(name, ()), id)


def _unlist(index: dict[K, tuple[str, ...]], name: K, id: str) -> None:
    left = tuple(other for other in index[name] if other != id)
    if left:
        index[name] = left
    else:
        del index[name]


class _Table(Struct, frozen=True):
    """How one kind of part is kept: its type, its place in the world, and the order in which it is restored."""

    type: type[Struct]
    get: Callable[[World, str], Any]
    put: Callable[[World, Any], None]
    order: Callable[[Any], Any] = lambda part: part.born


def _age(owed: Notification) -> tuple[int, int, str]:
    return owed.flip.seq, owed.created, owed.id


_TABLES: Final[dict[str, _Table]] = {
    "daemon": _Table(Daemon, lambda w, id: w.daemon, World._put_daemon, lambda part: 0),
    "project": _Table(Project, lambda w, id: w.projects.get(id), World._put_project),
    "key": _Table(Key, lambda w, id: w.keys.get(id), World._put_key),
    "channel": _Table(Channel, lambda w, id: w.channels.get(id), World._put_channel),
    "check": _Table(Check, lambda w, id: w.checks.get(id), World._put_check),
    "notification": _Table(Notification, lambda w, id: w.owed.get(id), World._owe, _age),
}

_FOLDS: Final[dict[type[events.Event], Callable[[World, Entry, Any], Outcome]]] = {
    events.ProjectCreated: World._project_created,
    events.KeyCreated: World._key_created,
    events.CheckCreated: World._check_created,
    events.CheckChanged: World._check_changed,
    events.CheckDeleted: World._check_deleted,
    events.CheckPaused: World._check_paused,
    events.CheckResumed: World._check_resumed,
    events.PingReceived: World._ping_received,
    events.CheckExpired: World._check_expired,
    events.ChannelCreated: World._channel_created,
    events.NotificationDelivered: World._delivered,
    events.NotificationFailed: World._failed,
    events.NotificationAbandoned: World._abandoned,
    events.ListeningEnded: World._listening_ended,
    events.ListeningResumed: World._listening_resumed,
    events.ClockStepped: World._clock_stepped,
}
