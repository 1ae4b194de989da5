"""A verifier: looks at a site when a daemon that it knows asks it to, and says what it saw. It keeps nothing.

    POST /verify   a signed question (`wire.verifier`)  →  200 and a signed answer
                   400 it cannot be read · 401 it is not signed, or was taken before · 503 too many at once
    GET /status    200 OK

In this order: signature, whether the id was used before, whether the question can be read, whether there is room. So
a stranger gets no probe and no line in the log, and learns only that he is one. The door (`http.door`) has bounded
the request's size and time before it comes here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from msgspec import Struct
from twisted.internet.defer import CancelledError, Deferred, maybeDeferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from pingmon.core.site.probe_result import ASKED, Methods, ProbeResult
from pingmon.core.units import SECOND
from pingmon.timing.bounded_wait import within
from pingmon.verify.seen_messages import SeenMessages
from pingmon.wire.message.signatures import HEADERS, STALE, WINDOW_S, Secret, Signed, Unauthorized, signature, signed
from pingmon.wire.verifier import (
    REPLAYED,
    VERSION,
    BadVerifierMessage,
    VerifierQuestion,
    answer_id,
    answer_of,
    decode_question,
    encode,
)

PROBES_MAX: Final = 200
"""Probes under way at a time."""
RETRY_AFTER_S: Final = 5
"""What whoever comes when there is no room is told to wait."""
WAIT_S: Final = 3.0
"""Seconds that a probe may wait for its turn; they do not count against the site."""
OVERRUN_S: Final = WAIT_S + 1.0
"""Seconds beyond the site's time after which a probe is given up, should it not have ended by itself."""
METHODS: Final = {b"/verify": (b"POST",), b"/status": (b"GET", b"HEAD")}
TEXT: Final = "text/plain; charset=utf-8"


class Looker(Protocol):
    """Looks at a site once. The Deferred does not fail; cancelling ends the probe.

    It fires within `timeout_s`, and at most `WAIT_S` more.
    """

    def look(self, url: str, timeout_s: float, *, methods: Methods = ASKED) -> Deferred[ProbeResult]: ...


class _Reply(Struct, frozen=True):
    """What goes back."""

    status: int
    body: bytes
    kind: str = TEXT
    headers: Mapping[str, bytes] = {}


class _Refused(Exception):
    """There will be no probe."""

    def __init__(self, status: int, text: str, **headers: bytes) -> None:
        super().__init__(text)
        self.reply = _Reply(status, text.encode(), headers={name.replace("_", "-"): headers[name] for name in headers})


class Verifier(Resource):
    """The root of a verifier's URLs.

    `secrets`, of which any may sign, can be replaced at any time. `now`: microseconds since the epoch; what was signed
    before this object was made is refused, because nobody remembers any more whether it was taken.
    """

    isLeaf = True
    log = Logger()

    def __init__(
        self,
        looker: Looker,
        secrets: Sequence[Secret],
        name: str,
        clock: IReactorTime,
        *,
        now: Callable[[], int],
        max_probes: int = PROBES_MAX,
        taken: SeenMessages | None = None,
    ) -> None:
        super().__init__()
        self.secrets = secrets
        self.under_way = 0
        self._looker = looker
        self._name = name
        self._clock = clock
        self._now = now
        self._max_probes = max_probes
        self._taken = SeenMessages() if taken is None else taken
        self._since = now() // SECOND

    def render(self, request: Request) -> int:
        """As `IResource`, for any method."""
        allowed = METHODS.get(request.path)
        if allowed is None:
            _send(request, _Reply(404, b"not found"))
        elif request.method not in allowed:
            _send(request, _Reply(405, b"method not allowed", headers={"Allow": b", ".join(allowed)}))
        elif request.path == b"/status":
            _send(request, _Reply(200, b"OK"))
        else:
            self._verify(request)
        return NOT_DONE_YET

    def _verify(self, request: Request) -> None:
        try:
            question, proof = self._admitted(request)
        except _Refused as refused:
            _send(request, refused.reply)
            return
        looked = self._look(question)
        gone = False

        def hung_up(_: Failure) -> None:
            nonlocal gone
            gone = True
            looked.cancel()

        def send(reply: _Reply) -> None:
            if not gone:
                _send(request, reply)

        request.notifyFinish().addErrback(hung_up)
        looked.addCallback(self._answered, question, proof.by).addErrback(self._failed).addCallback(send)

    # --- may it be asked ----------------------------------------------------------------------------------------------

    def _admitted(self, request: Request) -> tuple[VerifierQuestion, Signed]:
        """The question, from now on taken, and who signed it. Raises `_Refused`."""
        assert request.content is not None  # the door calls when the body is whole
        body = request.content.read()
        proof = self._proof(request, body)
        question = self._question(body, proof)
        if self.under_way >= self._max_probes or self._taken.full:
            raise _Refused(503, "too many probes at once", Retry_After=b"%d" % RETRY_AFTER_S)
        self._taken.add(proof.id, proof.at + WINDOW_S)
        return question, proof

    def _proof(self, request: Request, body: bytes) -> Signed:
        now = self._now()
        try:
            proof = signed(self.secrets, _headers(request), body, now)
        except Unauthorized as error:
            raise _Refused(401, str(error)) from error
        self._taken.forget(now // SECOND)
        if proof.id in self._taken:
            raise _Refused(401, REPLAYED)
        if proof.at < self._since:
            raise _Refused(401, STALE)
        return proof

    def _question(self, body: bytes, proof: Signed) -> VerifierQuestion:
        try:
            question = decode_question(body)
        except BadVerifierMessage as error:
            raise _Refused(400, str(error)) from error
        if question.id != proof.id:
            raise _Refused(400, "id: not the one in webhook-id")
        return question

    # --- what is seen -------------------------------------------------------------------------------------------------

    def _look(self, question: VerifierQuestion) -> Deferred[ProbeResult]:
        if question.version > VERSION:
            too_new = f"was asked by version {question.version} of the contract, and knows only {VERSION}"
            return succeed(ProbeResult(fault="void", detail=too_new))

        def late() -> ProbeResult:
            return ProbeResult(fault="void", detail="the probe did not end in time")

        def ended(result: ProbeResult | Failure) -> ProbeResult | Failure:
            self.under_way -= 1
            return result

        self.under_way += 1
        limit_s = question.limit_s
        look = maybeDeferred(self._looker.look, question.url, limit_s, methods=question.methods)
        given_up_s = min(limit_s + OVERRUN_S, question.deadline)
        return within(given_up_s, look, self._clock, late).addBoth(ended)

    def _answered(self, look: ProbeResult, question: VerifierQuestion, by: Secret) -> _Reply:
        if look.fault == "timeout" and question.limit_s < question.full_s:
            look = ProbeResult(ms=look.ms, fault="void", detail=f"the deadline left {question.limit_s:g} s")
        body = encode(answer_of(look, question.id, self._name))
        headers = signature(by, answer_id(question.id), self._now(), body)
        return _Reply(200, body, "application/json", headers)

    def _failed(self, failure: Failure) -> _Reply:
        if not failure.check(CancelledError):
            self.log.failure("an error while looking at a site", failure)
        return _Reply(500, b"internal error")


def _headers(request: Request) -> dict[str, bytes]:
    """The headers of the signature, as far as they are there, and there only once."""
    found = ((name, request.requestHeaders.getRawHeaders(name.encode(), [])) for name in HEADERS)
    return {name: values[0] for name, values in found if len(values) == 1}


def _send(request: Request, reply: _Reply) -> None:
    request.setResponseCode(reply.status)
    request.setHeader("Content-Type", reply.kind)
    request.setHeader("Content-Length", str(len(reply.body)))
    request.setHeader("Cache-Control", "no-store")
    for name, value in reply.headers.items():
        request.setHeader(name, value)
    request.write(reply.body)
    request.finish()
