"""The management API: lets requests in, has them answered, and tells every error as JSON.

    guard ─▶ Klein finds the route ─▶ method ─▶ body (POST) ─▶ key ─▶ rate ─▶ the operation ─▶ answer

One Klein app serves versions 1, 2 and 3. Klein cancels what it waits for when a client hangs up; here that ends only
the waiting, so a change that was asked for is made, whether anybody hears of it or not.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, cast
from uuid import UUID

import msgspec
from klein import Klein
from msgspec.structs import replace
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.iweb import IRequest
from twisted.web.resource import IResource, Resource
from werkzeug.exceptions import HTTPException

from pingmon import __version__
from pingmon.api.api_answer import TEXT, ApiAnswer, ApiError, cors, json_answer, not_found, sent, try_again, written
from pingmon.api.call import ApiSettings, Call, Probes, Questions, Tests
from pingmon.api.credentials import KEY_LENGTH, RandomBytes, find_key
from pingmon.api.openapi import api_document
from pingmon.api.routes import MAY, ROUTES, VERSIONS, Operation, Route
from pingmon.api.scrapes import DaemonScrape, ProjectScrape
from pingmon.core.notify.channel import Channel
from pingmon.core.units import DAEMON, HOUR, Id
from pingmon.core.world.events import KeyUsed
from pingmon.core.world.project import Key
from pingmon.door.public_url import ShownUrl
from pingmon.journal import History, JournalDamaged, JournalFull, JournalUnavailable
from pingmon.monitor import Monitor
from pingmon.timing.rate_limit import RateLimit
from pingmon.wire.api.check_fields import Invalid
from pingmon.wire.api.status import Problem, for_anybody, for_keys
from pingmon.wire.api.unheard_outages import untold

__all__ = ["Api", "ApiSettings", "Probes"]

Health = Callable[[], Sequence[Problem]]
OperatorsView = Callable[[], tuple[Sequence[Problem], Sequence[Channel]]]
"""What operators alone are warned of, and the channels that are told of trouble of the daemon."""
"""What is wrong with the daemon; empty if nothing is."""

PREFIX: Final = f"/<any({', '.join(f'v{version}' for version in VERSIONS)}):version>"
READ_METHODS: Final = ("GET", "HEAD", "OPTIONS")
OWNER: Final = Key(DAEMON, None, "operator", prefix="", salt="", digest="", name="", born=0, created=0)
"""Stands for a key where none is needed. It is not among the keys, so that nobody can show it."""


USE_EVERY: Final = HOUR
"""How often it is logged that a key is used."""

AT_ONCE_EVERY_S: Final = 5
"""Seconds between two probes of one site, or tests of one channel, that users ask for."""

ASKED_EVERY_S: Final = 60
"""Seconds, on the average, between two questions to the receivers of one channel or project. They are strangers."""
ASKED_AT_ONCE: Final = 3
ASKED_OF_PROJECT: Final = 100


class Api:
    """The management API of one daemon.

    `history` is the log store that the monitor writes to; without `probes` no site can be probed at once, without
    `tests` no channel tested, without `confirmations` no receiver asked. `keyless`: only the daemon's owner can get
    here. Who shows no key is the operator, and for what is in a project whoever has a key of the one that `X-Project`
    names. `url`: how the daemon is shown.
    """

    app = Klein()
    log = Logger()

    def __init__(
        self,
        monitor: Monitor,
        history: History,
        settings: ApiSettings,
        *,
        health: Health,
        operator: OperatorsView | None = None,
        clock: IReactorTime,
        probes: Probes | None = None,
        tests: Tests | None = None,
        confirmations: Questions | None = None,
        random_bytes: RandomBytes = os.urandom,
        keyless: bool = False,
        url: ShownUrl | None = None,
    ) -> None:
        self._monitor = monitor
        self._history = history
        self._settings = settings
        self._health = health
        self._operator = operator
        self._clock = clock
        self._url = url or ShownUrl(settings.base_url)
        self._probes = probes
        self._tests = tests
        self._confirmations = confirmations
        self._random_bytes = random_bytes
        self._keyless = keyless
        self._noting: set[Id] = set()
        self._rates = RateLimit(settings.keys_per_second, settings.keys_at_once, monitor.time.steady)
        self._at_once = RateLimit(1 / AT_ONCE_EVERY_S, 1, monitor.time.steady)
        self._asked_receivers = RateLimit(1 / ASKED_EVERY_S, ASKED_AT_ONCE, monitor.time.steady)
        self._asked_of_projects = RateLimit(1 / ASKED_EVERY_S, ASKED_OF_PROJECT, monitor.time.steady)

    def take(self, settings: ApiSettings) -> None:
        """Go by other limits from now on."""
        self._settings = settings
        self._rates = RateLimit(settings.keys_per_second, settings.keys_at_once, self._monitor.time.steady)

    def resource(self) -> IResource:
        """What to mount at `/api`."""
        return cast(IResource, self.app.resource())

    def mount_scrapes(self, root: Resource, metrics: Callable[[], Awaitable[str]]) -> None:
        """Put what Prometheus scrapes where it is looked for. `metrics` gives the daemon's own measurements."""
        root.putChild(b"projects", ProjectScrape(self._monitor, self._clock, self))
        root.putChild(b"metrics", DaemonScrape(metrics, self))

    # --- answering ------------------------------------------------------------------------------------------------

    def serve(self, route: Route, request: IRequest, version: str, names: Mapping[str, object]) -> Deferred[bytes]:
        """Answer a request to `route`; `names` are the parts of its path. Cancelling ends the waiting, nothing else."""
        answered: Deferred[ApiAnswer] = Deferred()
        answering = Deferred.fromCoroutine(self._answer(route, request, int(version.removeprefix("v")), names))
        answering.addBoth(answered.callback)
        return answered.addCallback(lambda answer: sent(request, answer, cors(route.methods)))

    async def _answer(self, route: Route, request: IRequest, version: int, names: Mapping[str, object]) -> ApiAnswer:
        """The answer, whatever happens."""
        try:
            return await self._asked(route, request, version, names)
        except ApiError as error:
            return error.answer()
        except Invalid as error:
            return json_answer({"error": str(error)} | ({"why": error.why} if error.why else {}), 400)
        except (JournalFull, JournalUnavailable):
            return try_again().answer()
        except JournalDamaged:  # the journal says so once, in the log and in `status/`
            return ApiError(503, "the journal is damaged").answer()
        except CancelledError:  # nobody cancels this coroutine but a reactor that is going away
            return try_again().answer()
        except Exception:  # noqa: BLE001 -- a bug of ours: the client gets an answer, the log the traceback
            self.log.failure("an error while answering {method} on {route}", method=request.method, route=route.name)
            return _internal_error()

    async def _asked(self, route: Route, request: IRequest, version: int, names: Mapping[str, object]) -> ApiAnswer:
        method = request.method.decode("ascii")
        if method == "OPTIONS":
            return ApiAnswer(204)
        operation = route.operation(method)
        if operation is None:
            raise _wrong_method(route.methods)
        body = self._body(request) if method == "POST" else {}
        key = self._let_in(request, operation, body)
        self._url.compare(request)
        call = Call(
            monitor=self._monitor,
            clock=self._clock,
            history=self._history,
            probes=self._probes,
            tests=self._tests,
            confirmations=self._confirmations,
            at_once=self._at_once,
            asked_receivers=self._asked_receivers,
            asked_of_projects=self._asked_of_projects,
            settings=self._settings,
            random_bytes=self._random_bytes,
            version=version,
            project=key.project or "",
            readonly=key.role == "ro",
            base=self._url.of(request),
            query=request.args,
            body=body,
        )
        texts = {name: str(value) if isinstance(value, UUID) else value for name, value in names.items()}
        return await operation.run(call, **texts)

    # --- letting in -----------------------------------------------------------------------------------------------

    def _body(self, request: IRequest) -> dict[str, Any]:
        """The JSON object of a POST; nothing and `null` are an empty one."""
        request.content.seek(0)
        raw = request.content.read()
        if not raw:
            return {}
        try:
            body = msgspec.json.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise ApiError(400, "could not parse request body") from None
        if body is None:
            return {}
        if not isinstance(body, dict):
            raise ApiError(400, "json validation error: value is not an object")
        return body

    def _let_in(self, request: IRequest, operation: Operation, body: Mapping[str, object]) -> Key:
        """The key that the client shows, if it may do `operation` now."""
        headers = [request.getHeader(name.lower().encode("ascii")) for name in operation.headers]
        shown = next((header.decode("latin-1") for header in headers if header is not None), body.get("api_key"))
        if shown is None and self._keyless and operation.needs == "operator":
            return OWNER
        if shown is None and self._keyless and (project := request.getHeader(b"x-project")) is not None:
            return self._owner_in(project.decode("latin-1").lower())
        try:
            key = self.known(shown)
            if key.role not in MAY[operation.needs]:
                raise ApiError(401, "wrong api key")
        except ApiError as error:
            raise ApiError(operation.refusal, error.message) from None
        self.count(key)
        return key

    def _owner_in(self, project: str) -> Key:
        """What stands for a key of `project`; 404 if there is none."""
        if project not in self._monitor.world.projects:
            raise not_found()
        return replace(OWNER, project=project, role="rw")

    def known(self, shown: object) -> Key:
        """The key that `shown` is. `ApiError` if it is none; what has another length than keys have is none at all."""
        if not isinstance(shown, str) or len(shown) != KEY_LENGTH:
            raise ApiError(401, "missing api key")
        key = find_key(self._monitor.world, shown)
        if key is None or (key.role != "operator" and key.project not in self._monitor.world.projects):
            raise ApiError(401, "wrong api key")
        if key.until is not None and self._monitor.now() >= key.until:
            raise ApiError(401, "wrong api key")
        return key

    def count(self, key: Key) -> None:
        """A request with this key counts against its limit. `ApiError` if that is reached.

        That the key is used is logged once in a while; the request does not wait for that.
        """
        wait = self._rates.wait_s(key.id)
        if wait:
            raise ApiError(429, "rate limit exceeded", (("Retry-After", str(wait)),))
        if (key.last_used or 0) + USE_EVERY <= self._monitor.now() and key.id not in self._noting:
            self._noting.add(key.id)
            noted = self._monitor.submit(key.project or DAEMON, KeyUsed(key.id))
            noted.addBoth(lambda _: self._noting.discard(key.id))

    # --- routes of no project, and of none ------------------------------------------------------------------------

    @app.route(f"{PREFIX}/status/", endpoint="status", strict_slashes=False, merge_slashes=False)
    def status(self, request: IRequest, version: str) -> bytes:
        """Whether the daemon can do its work, and if not, why not; see `wire.api.status`. Needs no key."""
        return _read(request, self._health_report)

    @app.route(f"/v{VERSIONS[-1]}/", endpoint="document", strict_slashes=False, merge_slashes=False)
    def document(self, request: IRequest) -> bytes:
        """What the API can do, as OpenAPI 3.1. Needs no key."""
        return _read(request, self._document)

    def _document(self, request: IRequest) -> ApiAnswer:
        servers = [{"url": f"{self._url.of(request)}/api/v{VERSIONS[-1]}"}]
        return json_answer(api_document() | {"servers": servers})

    def _health_report(self, request: IRequest) -> ApiAnswer:
        key = OWNER if self._keyless else None
        if shown := request.getHeader(b"x-api-key"):
            key = self.known(shown.decode("latin-1"))
            self.count(key)
        found = self._health()
        code = 503 if found else 200
        if key is not None:
            warnings = untold(self._monitor.world, self._monitor.now(), key.project)
            if key.project is not None or self._operator is None:
                return json_answer(for_keys(found, warnings, __version__), code)
            more, told = self._operator()
            return json_answer(for_keys(found, [*warnings, *more], __version__, told), code)
        return json_answer(for_anybody(found), code) if found else ApiAnswer(code, b"OK", TEXT)

    @app.handle_errors(HTTPException)
    def no_route(self, request: IRequest, failure: Failure) -> bytes:
        """No route has this path."""
        return written(request, not_found().answer())

    @app.handle_errors(Exception)
    def bug(self, request: IRequest, failure: Failure) -> bytes:
        """Something of ours is broken."""
        self.log.failure("an error while routing {path}", failure, path=request.path)
        return written(request, _internal_error())


def _mount(route: Route) -> None:
    """Have Klein serve `route`. werkzeug redirects neither for a slash too few nor for two in a row."""

    def serve(self: Api, request: IRequest, version: str, **names: object) -> Deferred[bytes]:
        return self.serve(route, request, version, names)

    Api.app.route(PREFIX + route.path, endpoint=route.name, strict_slashes=False, merge_slashes=False)(serve)


for _each in ROUTES:
    _mount(_each)


def _read(request: IRequest, answer: Callable[[IRequest], ApiAnswer]) -> bytes:
    """What is answered where no key is needed."""
    method = request.method.decode("ascii")
    try:
        if method not in READ_METHODS:
            raise _wrong_method(READ_METHODS)
        found = ApiAnswer(204) if method == "OPTIONS" else answer(request)
    except ApiError as error:
        found = error.answer()
    return written(request, found, cors(READ_METHODS))


def _wrong_method(allowed: tuple[str, ...]) -> ApiError:
    return ApiError(405, "method not allowed", (("Allow", ", ".join(allowed)),))


def _internal_error() -> ApiAnswer:
    return json_answer({"error": "internal error"}, 500)
