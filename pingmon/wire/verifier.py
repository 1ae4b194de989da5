"""What a daemon and a verifier say to each other: one question about one site, one answer, both signed.

    POST /verify  {"id","url","timeout","deadline"}                     and "head_only", "method", "version"
    200           {"id","code","class","ms","address","node","version"} and "detail", where there is one

    id         32 hex digits, fresh for each verifier and round; the answer repeats it
    timeout    seconds that the site gets; below 1 and above 30 count as these
    deadline   seconds from now until nobody waits for the answer any more. Not an instant: two clocks never agree
    code       the last HTTP status received, 0 if there was none
    class      ok, dns, connect, tls, timeout, status, redirect, protocol, or void: the verifier could not look
    ms         how long the probe took
    address    the last one that was connected to, or ""
    node       what the verifier calls itself; who asks goes by the name in its own configuration
    detail     a few words for people
    method     HEAD, which is meant where it is left out, or GET: what the site is asked (version 2)
    head_only  true: no GET is asked where HEAD came to nothing
    version    of an answer: the newest version of this contract that the verifier knows. Of a question: the oldest one
               that has all it asks for. 1 where it is left out

Daemons and verifiers of different age work together. Both sides ignore fields that they do not know, so a field that
may be ignored is added without a new version. One that must not be ignored makes a new version, and a verifier that is
too old for a question answers `void`. (The first verifiers refused fields that they did not know; they are sent none.)

Both are signed (see `signatures`). The webhook-id of a question is its `id`, that of an answer is `answer_` before it,
so that neither passes for the other. An answer is signed with the secret that its question was signed with.

Without an answer there is a status and a line of text: 400 a question that cannot be read, 401 one of `REASONS`,
503 too many at once.
"""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal, TypeAlias, TypeVar
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct, field

from pingmon.core.site.probe_result import Fault, Method, Methods, ProbeResult, methods
from pingmon.core.site.status_codes import contradicts
from pingmon.wire.message.signatures import MISMATCH, STALE, UNSIGNED
from pingmon.wire.web_url import PORTS, BadUrl, is_literal, web_url

BODY_MAX: Final = 8192
"""Bytes of a question, and of an answer."""
TIMEOUT_S: Final = (1.0, 30.0)
"""The shortest and the longest time that a site gets."""
DEADLINE_MAX_S: Final = 300.0
"""Whoever sends more has sent an instant by mistake."""
VERSION: Final = 2
"""The newest version of this contract that is known here."""
DETAIL_MAX: Final = 300
REPLAYED: Final = "the id was used before"
REASONS: Final = frozenset({UNSIGNED, MISMATCH, STALE, REPLAYED})
"""All that a verifier says with a 401. Which it is tells a wrong secret from a wrong clock."""

Class: TypeAlias = Literal["ok", "dns", "connect", "tls", "timeout", "status", "redirect", "protocol", "void"]
Id: TypeAlias = Annotated[str, Meta(pattern=r"\A[0-9a-f]{32}\Z")]

_Message = TypeVar("_Message", bound=Struct)

_PLACE: Final = re.compile(r"[a-z]+://[A-Za-z0-9._\[\]:-]+(/[A-Za-z0-9._~!$&'()*+;=:%/-]*)?")
"""Where a verifier may be: a host in ASCII, and neither a user name nor a query."""
_NOT_IN_URLS: Final = re.compile(r"[\x00-\x20\x7f]")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\s]+")


class BadVerifierMessage(ValueError):
    """A message that cannot be read. The text says what is wrong with it."""


class VerifierQuestion(Struct, frozen=True, omit_defaults=True, gc=False):
    """Is this site well, seen from where you are?"""

    id: Id
    url: Annotated[str, Meta(max_length=4096)]
    timeout: float
    deadline: Annotated[float, Meta(gt=0, le=DEADLINE_MAX_S)]
    head_only: bool = False
    method: Method = "HEAD"
    version: Annotated[int, Meta(ge=1)] = 1

    @property
    def methods(self) -> Methods:
        """What the site is asked."""
        return methods(self.method, self.head_only)

    @property
    def limit_s(self) -> float:
        """Seconds that the site gets: no more than it should, and none after the deadline."""
        return min(self.full_s, self.deadline)

    @property
    def full_s(self) -> float:
        """Seconds that the site should get."""
        return min(max(self.timeout, TIMEOUT_S[0]), TIMEOUT_S[1])


class VerifierAnswer(Struct, frozen=True, omit_defaults=True, gc=False):
    """What was seen."""

    id: Id
    code: Annotated[int, Meta(ge=0, le=999)]
    class_: Class = field(name="class")
    ms: Annotated[int, Meta(ge=0, le=1_000_000)]
    address: str
    node: Annotated[str, Meta(max_length=255)]
    detail: str = ""
    version: Annotated[int, Meta(ge=1)] = 1


def question_url(place: str) -> str:
    """The URL that a verifier at `place` is asked at; `place` may have `/verify` at its end. Raises `BadUrl`."""
    if not _PLACE.fullmatch(place):
        raise BadUrl("has no valid host and port, or more in it than a path")
    web_url(place)
    return place.rstrip("/").removesuffix("/verify") + "/verify"


def question_of(id: str, url: str, timeout_s: float, deadline_s: float, asked: Methods) -> VerifierQuestion:
    """The question to ask; with no field that older verifiers do not know, unless they must."""
    method, head_only = asked[0], asked == ("HEAD",)
    return VerifierQuestion(id, url, timeout_s, deadline_s, head_only, method, 1 if method == "HEAD" else 2)


def encode(message: VerifierQuestion | VerifierAnswer) -> bytes:
    """The JSON of `message`."""
    return msgspec.json.encode(message)


def decode_question(body: bytes) -> VerifierQuestion:
    """The question in `body`. Raises `BadVerifierMessage`."""
    question = _decoded(body, VerifierQuestion)
    problem = _problem_with(question.url)
    if problem:
        raise BadVerifierMessage(f"url: {problem}")
    return question


def decode_answer(body: bytes) -> VerifierAnswer:
    """The answer in `body`. Raises `BadVerifierMessage`, also for one that contradicts itself."""
    answer = _decoded(body, VerifierAnswer)
    if answer.address and not is_literal(answer.address):
        raise BadVerifierMessage("address: neither IPv4 nor IPv6")
    if contradicts("" if answer.class_ == "ok" else answer.class_, answer.code):
        raise BadVerifierMessage(f"class: {answer.class_}, but the code is {answer.code}")
    return answer


def answer_of(look: ProbeResult, id: str, node: str) -> VerifierAnswer:
    """The answer of the verifier `node` to the question `id`."""
    kind: Class = look.fault or "ok"
    return VerifierAnswer(id, look.code, kind, look.ms, look.address, node, _words(look.detail), VERSION)


def look_of(answer: VerifierAnswer, node: str, at: int) -> ProbeResult:
    """What the verifier that the configuration calls `node` saw; `at`: when that was known here, microseconds."""
    fault: Fault = "" if answer.class_ == "ok" else answer.class_
    return ProbeResult(node, at, answer.code, fault, answer.ms, answer.address, _words(answer.detail))


def answer_id(id: str) -> str:
    """The webhook-id of the answer to the question `id`."""
    return f"answer_{id}"


def _decoded(body: bytes, kind: type[_Message]) -> _Message:
    if len(body) > BODY_MAX:
        raise BadVerifierMessage(f"more than {BODY_MAX} bytes")
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadVerifierMessage(_words(str(error))) from error


def _problem_with(url: str) -> str:
    if _NOT_IN_URLS.search(url):
        return "has spaces or control characters in it"
    try:
        parts = urlsplit(url)
        valid = bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        return "has no valid host and port"
    return "" if parts.scheme in PORTS else "neither http nor https"


def _words(text: str) -> str:
    return _CONTROL.sub(" ", text).strip()[:DETAIL_MAX]
