"""PingIntake: the one request that must always work, and fast.

A ping is judged (which check, exit status, run id, rate), given its meaning, and submitted to the log; it is answered
200 only when the log has it on disk. Nothing on the way waits for the client: once a ping is submitted it counts,
whether or not anybody is there to hear the answer. Source of the rules: the pinging API.

    GET, HEAD, POST, PUT, PATCH, DELETE   a ping         200 OK · 201 Created · 400 · 404 · 409 · 429 · 503
    OPTIONS                               never a ping   204, for browsers that ask before they call from another page
    any other method                      never a ping   405
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from http import HTTPStatus
from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import replace
from twisted.python.failure import Failure

from pingmon.core.check.check import Check
from pingmon.core.check.ping import USER_AGENT_MAX, is_text, meaning
from pingmon.core.check.settings import CheckSpec
from pingmon.core.units import Id
from pingmon.core.world.events import NewCheck, PingReceived, Signal
from pingmon.core.world.outcome import Outcome
from pingmon.door.intake import IntakeRequest
from pingmon.door.plain_answer import NOT_FOUND, PlainAnswer
from pingmon.journal import JournalFull, JournalUnavailable
from pingmon.monitor import Monitor
from pingmon.timing.rate_limit import RateLimit
from pingmon.wire.ping_url import (
    EXIT_STATUS_MAX,
    PingQuery,
    PingUrl,
    canonical_uuid,
    first_segment,
    ping_query,
    ping_url,
)

TRY_AGAIN_S: Final = 10
"""Seconds after which a client may try again when the log cannot take its ping."""

METHODS: Final = {name.encode(): name for name in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")}
_ALLOWED: Final = b", ".join((*METHODS, b"OPTIONS"))

BAD_URL: Final = PlainAnswer(HTTPStatus.BAD_REQUEST, "invalid url format")
BAD_RID: Final = PlainAnswer(HTTPStatus.BAD_REQUEST, "invalid uuid format")
AMBIGUOUS: Final = PlainAnswer(HTTPStatus.CONFLICT, "ambiguous slug")
NOT_ALLOWED: Final = PlainAnswer(HTTPStatus.METHOD_NOT_ALLOWED, "method not allowed", (b"Allow", _ALLOWED))
TRY_AGAIN: Final = PlainAnswer(HTTPStatus.SERVICE_UNAVAILABLE, "try again", (b"Retry-After", b"%d" % TRY_AGAIN_S))
PREFLIGHT: Final = PlainAnswer(
    HTTPStatus.NO_CONTENT,
    "",
    (b"Access-Control-Allow-Methods", _ALLOWED),
    (b"Access-Control-Allow-Headers", b"*"),
    (b"Access-Control-Max-Age", b"86400"),
    (b"Allow", _ALLOWED),
)

_NO_QUERY: Final = PingQuery()
_NEW: Final = CheckSpec()


class PingSettings(Struct, frozen=True, kw_only=True):
    """`body_limit` bytes are kept of a body (0: none), and those only if they are text, unless `store_bodies` is any.

    `max_checks`: checks of a project from which on `create=1` creates none. `per_minute`: pings of one check that are
    taken in a minute (0: any number).
    """

    body_limit: int = 10_000
    store_bodies: Literal["text", "any"] = "text"
    max_checks: int = 10_000
    per_minute: int = 0


class _Waiter:
    """A request whose ping is on its way into the log; `decided` is called with what the ping did, and the request."""

    __slots__ = ("_decided", "_intake", "_request")

    def __init__(
        self, intake: PingIntake, request: IntakeRequest, decided: Callable[[Outcome, IntakeRequest], None]
    ) -> None:
        self._intake = intake
        self._request = request
        self._decided = decided

    def callback(self, outcome: Outcome) -> None:
        try:
            self._decided(outcome, self._request)
        except Exception:  # noqa: BLE001 - the outer guard of a request
            self._request.failed(Failure())

    def errback(self, error: Exception) -> None:
        try:
            if not isinstance(error, JournalFull | JournalUnavailable):
                raise error
            self._intake.answer(self._request, TRY_AGAIN)
        except Exception:  # noqa: BLE001 - the outer guard of a request
            self._request.failed(Failure())


class PingIntake:
    """The door's intake. `new_id` makes the id of a check that a ping may create (a random lower-case UUID)."""

    def __init__(self, monitor: Monitor, settings: PingSettings, *, new_id: Callable[[], Id]) -> None:
        self.settings = settings
        self.keeps = settings.body_limit
        self._monitor = monitor
        self._new_id = new_id
        self.rates = RateLimit(settings.per_minute / 60, settings.per_minute, monitor.time.steady)
        limit = (b"Ping-Body-Limit", b"%d" % settings.body_limit)
        self.answered: Counter[str] = Counter()
        """How many pings were answered with each text since the start."""
        self._answers: dict[str, PlainAnswer] = {
            "done": PlainAnswer(HTTPStatus.OK, "OK", limit),
            "created": PlainAnswer(HTTPStatus.CREATED, "Created", limit),
            "ambiguous": AMBIGUOUS,
        }

    def wants(self, path: bytes) -> bool:
        """Whether a request for `path` (still percent-encoded) is a ping, well-formed or not.

        `/ping/…`; and `/<uuid>…` and `/<ping key>/…`, as in the oldest examples of the pinging API. A UUID and a ping
        key are long and random, so a first part that is one can mean nothing else.
        """
        if path.startswith(b"/ping/"):
            return True
        first = first_segment(path)
        return first == "ping" or canonical_uuid(first) is not None or first in self._monitor.world.ping_keys

    def take(self, request: IntakeRequest) -> bool:
        """Answers now if the request is refused, else when the log has the ping."""
        method = METHODS.get(request.method)
        if method is None:
            request.answer(PREFLIGHT if request.method == b"OPTIONS" else NOT_ALLOWED)
            return False
        refusal = self._take(request, method)
        if refusal is not None:
            self.answer(request, refusal)
        return refusal is None

    # --- judging ----------------------------------------------------------------------------------------------------

    def _take(self, request: IntakeRequest, method: str) -> PlainAnswer | None:
        """Submit the ping; or the answer that says why not. The order of judgement is the pinging API's."""
        url = ping_url(request.path)
        if url is None:
            return BAD_URL
        query = ping_query(request.query) if request.query else _NO_QUERY
        check = self._monitor.world.checks.get(url.check) if url.check else self._by_slug(url, query)
        if check is None:
            return NOT_FOUND
        if isinstance(check, PlainAnswer):
            return check
        if url.exitstatus is not None and url.exitstatus > EXIT_STATUS_MAX:
            return BAD_URL
        if query.bad_rid:
            return BAD_RID
        if isinstance(check, NewCheck):
            self._create(request, method, url, query.rid, check)
            return None
        if wait := self.rates.wait_s(check.id):
            return PlainAnswer(HTTPStatus.TOO_MANY_REQUESTS, "rate limited", (b"Retry-After", b"%d" % wait))
        self._record(request, method, url, query.rid, check)
        return None

    def _by_slug(self, url: PingUrl, query: PingQuery) -> Check | NewCheck | PlainAnswer | None:
        world = self._monitor.world
        project = world.ping_keys.get(url.key)
        if project is None:
            return None
        members = world.members[project]
        births = members.named(url.slug)
        if births:
            return world.checks[members.checks[births[0]]] if len(births) == 1 else AMBIGUOUS
        if query.create and len(members.checks) < self.settings.max_checks:  # the log decides; this spares it the rest
            return NewCheck(project, url.slug, self.settings.max_checks)
        return None

    # --- recording --------------------------------------------------------------------------------------------------

    def _record(self, request: IntakeRequest, method: str, url: PingUrl, rid: Id | None, check: Check) -> None:
        kept = request.kept()
        signal = meaning(check.spec, check.status, url.action, url.exitstatus, method, kept)
        event, payload = self._heard(request, signal, method, url.exitstatus, rid, kept)
        self._submit(request, check.id, event, payload)

    def _create(self, request: IntakeRequest, method: str, url: PingUrl, rid: Id | None, new: NewCheck) -> None:
        kept = request.kept()
        spec = self._monitor.world.projects[new.project].defaults.applied_to(_NEW)
        signal = meaning(spec, "new", url.action, url.exitstatus, method, kept)
        event, payload = self._heard(request, signal, method, url.exitstatus, rid, kept)

        def decided(outcome: Outcome, request: IntakeRequest) -> None:
            there = self._monitor.world.checks.get(outcome.id) if outcome.result == "exists" else None
            if there is None:
                self._recorded(outcome, request)
            else:  # another first ping has won
                its_signal = meaning(there.spec, there.status, url.action, url.exitstatus, method, kept)
                self._submit(request, there.id, replace(event, signal=its_signal, create=None), payload)

        self._monitor.submit_for(self._new_id(), replace(event, create=new), payload, _Waiter(self, request, decided))

    def _heard(
        self, request: IntakeRequest, signal: Signal, method: str, exitstatus: int | None, rid: Id | None, kept: bytes
    ) -> tuple[PingReceived, bytes | None]:
        """The event and its payload: the kept part of the body, unless it is binary and such is not wanted."""
        addr, scheme = request.caller()
        ua = request.field(b"user-agent").decode("utf-8", "replace")[:USER_AGENT_MAX]
        if not kept:
            return PingReceived(signal, method, scheme, addr, ua, exitstatus, rid), None
        if self.settings.store_bodies == "any" or is_text(kept, cut=request.came > self.keeps):
            return PingReceived(signal, method, scheme, addr, ua, exitstatus, rid), kept
        return PingReceived(signal, method, scheme, addr, ua, exitstatus, rid, left_out=request.came), None

    def _submit(self, request: IntakeRequest, check: Id, event: PingReceived, payload: bytes | None) -> None:
        self._monitor.submit_for(check, event, payload, _Waiter(self, request, self._recorded))

    def _recorded(self, outcome: Outcome, request: IntakeRequest) -> None:
        self.answer(request, self._answers.get(outcome.result, NOT_FOUND))

    def answer(self, request: IntakeRequest, answer: PlainAnswer) -> None:
        """Answer a ping, and count it."""
        self.answered[answer.text] += 1
        request.answer(answer)
