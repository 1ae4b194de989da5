"""Badges, for anybody who knows their address: `/b/` for one check, `/badge/` for checks of a project.

An address names a check by a key that follows from its id. An index knows which check that is, so that a badge does not
cost a walk through all checks. It is made when the first badge is asked for, as most daemons show none. The checks of a
project are counted at most once a second, so that a badge on a page that many look at costs little. Both are done a
slice at a time, so that pings need not wait.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any, Final, TypeAlias
from uuid import UUID

from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from pingmon.core.check.badge import BadgeCounts
from pingmon.core.check.check import Check
from pingmon.core.units import SECOND, Id
from pingmon.core.world.events import CheckCreated, CheckDeleted, Entry, PingReceived
from pingmon.core.world.outcome import Outcome
from pingmon.core.world.project import Project
from pingmon.door.plain_answer import JSON, NOT_ALLOWED, NOT_FOUND, PREFLIGHT, PlainAnswer
from pingmon.door.request import Request
from pingmon.monitor import Monitor
from pingmon.wire.api.checks import tagged
from pingmon.wire.badges import ALL, Form, badge, badge_key, check_badge, project_badge

KINDS: Final[dict[Form, bytes]] = {"svg": b"image/svg+xml", "json": JSON, "shields": JSON}

SLICE: Final = 500
"""Checks that are looked at in one turn of the loop (about a millisecond)."""
PAUSE_S: Final = 0.002
"""Between two slices, for the journal's thread; see `api.call`."""
FRESH: Final = SECOND
"""How long a count of a project's checks is shown again."""
COUNTS_MAX: Final = 1024

Find: TypeAlias = Callable[[bytes], Coroutine[Any, Any, PlainAnswer]]
"""The badge at a path."""


class BadgeResource(Resource):
    """A resource that answers with what `find` gives."""

    isLeaf = True

    def __init__(self, find: Find) -> None:
        super().__init__()
        self._find = find

    def render(self, request: Request) -> int:
        """Called by Twisted."""
        if request.method in (b"GET", b"HEAD"):
            found = Deferred.fromCoroutine(self._find(request.path))
            found.addCallbacks(request.answer, request.failed)
        else:
            request.answer(PREFLIGHT if request.method == b"OPTIONS" else NOT_ALLOWED)
        return NOT_DONE_YET


class Badges:
    """The badges of what the monitor knows."""

    def __init__(self, monitor: Monitor, clock: IReactorTime) -> None:
        self._monitor = monitor
        self._clock = clock
        self._checks: dict[bytes, Id] | None = None
        self._making = DeferredLock()
        self._counts: dict[tuple[Id, str], tuple[int, BadgeCounts]] = {}
        monitor.listen(self._keep_index, CheckCreated, CheckDeleted, PingReceived)

    def mount(self, root: Resource) -> None:
        """Put both kinds of badges where clients look for them."""
        root.putChild(b"b", BadgeResource(self._of_check))
        root.putChild(b"badge", BadgeResource(self._of_project))

    async def _of_check(self, path: bytes) -> PlainAnswer:
        asked = check_badge(path)
        check = None if asked is None else await self._check(asked.key)
        if asked is None or check is None:
            return NOT_FOUND
        label = check.spec.name or check.spec.slug or "check"  # its id is a secret: who knows it can ping
        counts = BadgeCounts().plus([check], self._monitor.now())
        return _answer(asked.form, label, counts, two_states=asked.two_states)

    async def _of_project(self, path: bytes) -> PlainAnswer:
        asked = project_badge(path)
        project = None if asked is None else self._project(asked.key)
        if asked is None or project is None or not asked.signed_by(project.id):
            return NOT_FOUND
        label = project.name if asked.tag == ALL else asked.tag
        return _answer(asked.form, label, await self._count(project.id, asked.tag), two_states=asked.two_states)

    # --- which check, which project ----------------------------------------------------------------------------------

    async def _check(self, key: str) -> Check | None:
        await self._making.acquire()
        try:
            index = self._checks if self._checks is not None else await self._index()
        finally:
            self._making.release()
        return self._monitor.world.checks.get(index.get(_raw(key), ""))

    async def _index(self) -> dict[bytes, Id]:
        """The index of all checks, by their badge keys in 16 bytes."""
        index: dict[bytes, Id] = {}
        self._checks = index
        ids = list(self._monitor.world.checks)
        for start in range(0, len(ids), SLICE):
            if start:
                await deferLater(self._clock, PAUSE_S)
            index |= {_raw(badge_key(id)): id for id in ids[start : start + SLICE] if id in self._monitor.world.checks}
        return index

    def _keep_index(self, entry: Entry, outcome: Outcome) -> None:
        """A ping may make a check, too."""
        if self._checks is None:
            return
        if outcome.result == "created":
            self._checks[_raw(badge_key(entry.stream))] = entry.stream
        elif isinstance(entry.event, CheckDeleted):
            self._checks.pop(_raw(badge_key(entry.stream)), None)

    def _project(self, key: str) -> Project | None:
        projects = self._monitor.world.projects.values()
        return next((project for project in projects if badge_key(project.id) == key), None)

    async def _count(self, project: Id, tag: str) -> BadgeCounts:
        counted_at, counts = self._counts.get((project, tag), (0, BadgeCounts()))
        now = self._monitor.now()
        if counted_at <= now < counted_at + FRESH:
            return counts
        world, tags = self._monitor.world, frozenset({tag} - {ALL})
        checks = [world.checks[id] for id in world.members[project].checks.values()]
        counts = BadgeCounts()
        for start in range(0, len(checks), SLICE):
            if start:
                await deferLater(self._clock, PAUSE_S)
            counts = counts.plus((check for check in checks[start : start + SLICE] if tagged(check, tags)), now)
        if len(self._counts) >= COUNTS_MAX:
            self._counts.clear()
        self._counts[project, tag] = (now, counts)
        return counts


def _raw(key: str) -> bytes:
    """A key that may be none, in a third of the memory."""
    try:
        return UUID(key).bytes
    except ValueError:
        return b""


def _answer(form: Form, label: str, counts: BadgeCounts, *, two_states: bool) -> PlainAnswer:
    return PlainAnswer(HTTPStatus.OK, badge(form, label, counts, two_states=two_states), kind=KINDS[form])
