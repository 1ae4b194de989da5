"""What Prometheus scrapes.

    /projects/<uuid>/metrics/   a project's checks and sites, with a read-only key of it
    /metrics                    how the daemon does, with an operator's key, or from the daemon's own machine

The key is a bearer token. A project's may also be the last part of the path, as the reference server has it; then a
scrape configuration needs no header. `checks/metrics/` is an older name of `metrics/`. One trailing slash more or less
is the same path.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from ipaddress import ip_address
from typing import Final, Protocol
from urllib.parse import urlsplit
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
from pingmon.core.world.project import Key
from pingmon.door.plain_answer import NOT_ALLOWED, PREFLIGHT, PlainAnswer
from pingmon.door.request import Request
from pingmon.monitor import Monitor
from pingmon.wire.api.project_metrics import CONTENT_TYPE, ProjectMetrics

TAGS_LIKE_A_CHECK: Final = 100
"""Characters of tags that take as long as all else of a check."""
BEARER: Final = "Bearer "
RELAYED: Final = (
    *(b"forwarded", b"via", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-real-ip"),
    b"origin",
)
"""Headers by which a proxy, or a browser, tells that it asks for somebody else."""


class Guard(Protocol):
    """Who lets in. Raises `ApiError`."""

    def known(self, shown: object) -> Key:
        """The key that `shown` is, if it is one."""

    def count(self, key: Key) -> None:
        """A request with this key counts against its limit."""


class Scrape(Resource):
    """What can only be read, and is told in Prometheus' text format."""

    isLeaf = True

    def render(self, request: Request) -> int:
        """Called by Twisted."""
        if request.method in (b"GET", b"HEAD"):
            Deferred.fromCoroutine(self._scraped(request)).addCallbacks(request.answer, request.failed)
        else:
            request.answer(PREFLIGHT if request.method == b"OPTIONS" else NOT_ALLOWED)
        return NOT_DONE_YET

    async def _scraped(self, request: Request) -> PlainAnswer:
        try:
            text = await self.measured(request)
        except ApiError as error:
            return error.plain()
        return PlainAnswer(HTTPStatus.OK, text, kind=CONTENT_TYPE)

    async def measured(self, request: Request) -> str:
        """The text. Raises `ApiError`."""
        raise NotImplementedError


class ProjectScrape(Scrape):
    """The resource of `/projects/`."""

    def __init__(self, monitor: Monitor, clock: IReactorTime, guard: Guard) -> None:
        super().__init__()
        self._monitor = monitor
        self._clock = clock
        self._guard = guard

    async def measured(self, request: Request) -> str:
        """Made a slice at a time, so that pings need not wait."""
        members = self._monitor.world.members[self._let_in(request)]
        world, found = self._monitor.world, ProjectMetrics(self._monitor.now())
        checks = [world.checks[id] for id in members.checks.values()]
        sites = [world.sites[id] for id in members.sites]
        done = 0
        for check in checks:
            found.add_checks([check])
            done += 1 + len(check.spec.tags) // TAGS_LIKE_A_CHECK
            if done >= SLICE:
                done = 0
                await deferLater(self._clock, PAUSE_S)
        for start in range(0, len(sites), SLICE):
            found.add_sites(sites[start : start + SLICE])
            await deferLater(self._clock, PAUSE_S)
        text: list[str] = []
        for part in found.text():
            text.append(part)
            await deferLater(self._clock, PAUSE_S)
        return "".join(text)

    def _let_in(self, request: Request) -> Id:
        """The project that may be shown. Another status than elsewhere is the reference server's."""
        project, *words = [part.decode("utf-8", "replace") for part in _parts(request)] or [""]
        if words[:1] == ["checks"]:
            del words[0]
        if words[:1] != ["metrics"] or len(words) > 2:
            raise not_found()
        shown = "".join(words[1:]) or _bearer(request)
        if not shown:
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


class DaemonScrape(Scrape):
    """The resource of `/metrics`. `text` gathers what is shown."""

    def __init__(self, text: Callable[[], Awaitable[str]], guard: Guard) -> None:
        super().__init__()
        self._text = text
        self._guard = guard

    async def measured(self, request: Request) -> str:
        """For an operator, and for who asks from this machine and for nobody else."""
        if _parts(request):
            raise not_found()
        shown = _bearer(request) or (request.getHeader(b"x-api-key") or b"").decode("latin-1")
        if shown or not _is_at_home(request):
            key = self._guard.known(shown)
            if key.role != "operator":
                raise ApiError(403, "this takes an operator's api key")
            self._guard.count(key)
        return await self._text()


def _parts(request: Request) -> list[bytes]:
    """The parts of the path behind the resource's own, without what follows a slash at the end."""
    parts = list(request.postpath or ())
    return parts[:-1] if parts[-1:] == [b""] else parts


def _is_at_home(request: Request) -> bool:
    """Whether a program on this machine asks for itself.

    A proxy on this machine asks for others, and says so. A page in a browser has another host, or tells its origin.
    """
    address, host = request.caller()[0], urlsplit(f"//{request.field(b'host').decode('latin-1')}").hostname
    relayed = any(request.requestHeaders.hasHeader(name) for name in RELAYED)
    return not relayed and _is_loopback(host or "") and _is_loopback(address or "localhost")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _bearer(request: Request) -> str:
    """The bearer token; empty if there is none."""
    header = (request.getHeader(b"authorization") or b"").decode("latin-1")
    return header.removeprefix(BEARER) if header.startswith(BEARER) else ""


def _uuid(text: str) -> str:
    """Its canonical form; empty if it is none."""
    try:
        return str(UUID(text))
    except ValueError:
        return ""
