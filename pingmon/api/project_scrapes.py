"""What Prometheus scrapes of one project, with a read-only key of it: `/projects/<uuid>/metrics/`.

The key is a bearer token, or the last part of the path, as the reference server has it; there a scrape configuration
needs no header. `checks/metrics/` is an older name of `metrics/`.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Final, Protocol
from uuid import UUID

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from pingmon.api.api_answer import ApiError, not_found
from pingmon.api.call import PAUSE_S, SLICE
from pingmon.api.credentials import KEY_LENGTH
from pingmon.core.units import Id
from pingmon.core.world.parts import Key
from pingmon.door.plain_answer import NOT_ALLOWED, PREFLIGHT, PlainAnswer
from pingmon.door.request import Request
from pingmon.monitor import Monitor
from pingmon.wire.api.project_metrics import CONTENT_TYPE, ProjectMetrics

BEARER: Final = "Bearer "


class Guard(Protocol):
    """Who lets in. Raises `ApiError`."""

    def known(self, shown: object) -> Key:
        """The key that `shown` is, if it is one."""

    def count(self, key: Key) -> None:
        """A request with this key counts against its limit."""


class ProjectScrapes(Resource):
    """The resource of `/projects/`."""

    isLeaf = True

    def __init__(self, monitor: Monitor, clock: IReactorTime, guard: Guard) -> None:
        super().__init__()
        self._monitor = monitor
        self._clock = clock
        self._guard = guard

    def render(self, request: Request) -> int:
        """Called by Twisted."""
        if request.method in (b"GET", b"HEAD"):
            Deferred.fromCoroutine(self._scraped(request)).addCallbacks(request.answer, request.failed)
        else:
            request.answer(PREFLIGHT if request.method == b"OPTIONS" else NOT_ALLOWED)
        return NOT_DONE_YET

    async def _scraped(self, request: Request) -> PlainAnswer:
        try:
            text = await self._measured(self._let_in(request))
        except ApiError as error:
            return error.plain()
        return PlainAnswer(HTTPStatus.OK, text, kind=CONTENT_TYPE)

    def _let_in(self, request: Request) -> Id:
        """The project that may be shown. Another status than elsewhere is the reference server's."""
        project, *words = [part.decode("utf-8", "replace") for part in request.postpath or ()]
        if words[:1] == ["checks"]:
            del words[0]
        if words[:1] != ["metrics"] or len(words) > 2:
            raise not_found()
        header = (request.getHeader(b"authorization") or b"").decode("latin-1")
        shown = "".join(words[1:]) or header.removeprefix(BEARER)
        if not shown or (shown == header):
            raise ApiError(401, "missing api key")
        if len(shown) != KEY_LENGTH:
            raise ApiError(400, "an api key has 32 characters")
        key = self._guard.known(shown)
        if key.role != "ro":
            raise ApiError(403, "this takes a read-only api key")
        self._guard.count(key)
        if _uuid(project) != key.project:
            raise not_found()
        return key.project or ""

    async def _measured(self, project: Id) -> str:
        """The text, made a slice at a time, so that pings need not wait."""
        world, found = self._monitor.world, ProjectMetrics(self._monitor.now())
        members = world.members[project]
        checks = [world.checks[id] for id in members.checks]
        sites = [world.sites[id] for id in members.sites]
        for start in range(0, len(checks), SLICE):
            found.add_checks(checks[start : start + SLICE])
            await deferLater(self._clock, PAUSE_S)
        for start in range(0, len(sites), SLICE):
            found.add_sites(sites[start : start + SLICE])
            await deferLater(self._clock, PAUSE_S)
        return found.text()


def _uuid(text: str) -> str:
    """Its canonical form; empty if it is none."""
    try:
        return str(UUID(text))
    except ValueError:
        return ""
