"""The verifiers that this daemon asks: several at once about one site, each bounded, each with an answer to show.

Whoever was asked has an entry in the result, also if nothing came of it: `void`, and why. So a round shows who did not
answer, and whoever did not counts neither for nor against a site: Note [Looks that count for nothing] in
`core.site.probe_result`. Nobody is waited for who can change nothing (`quorum_wait`), and the operator is told who is
of no use (`verifier_health`). Each question has an id of its own, which its answer must repeat under a signature, so no
answer counts for another round or another verifier; and none counts after its deadline.

Who answers goes by the name that the configuration gives, whatever the answer calls itself.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Final, TypeAlias

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from pingmon.core.site.probe_result import ASKED, Methods, ProbeResult
from pingmon.outgoing.exchange import NoReply, Reply, exchange
from pingmon.outgoing.passage import Addresses, Egress
from pingmon.outgoing.tls_trust import Trust
from pingmon.timing.bounded_wait import within
from pingmon.verify.configured_verifier import Peer, chosen
from pingmon.verify.quorum_wait import QuorumWait
from pingmon.verify.verifier_health import Heard, PeerHealth, Standing, trouble
from pingmon.wire.message.signatures import Unauthorized, signature, signed
from pingmon.wire.outgoing_request import USER_AGENT, OutgoingRequest
from pingmon.wire.verifier import (
    BODY_MAX,
    REASONS,
    BadVerifierMessage,
    VerifierQuestion,
    answer_id,
    decode_answer,
    encode,
    look_of,
    question_of,
)

CONNECT_S: Final = 5.0
RECEIVED_MAX: Final = 65_536
"""For `Egress`: users wait for verifiers, and their answers are short."""
SLACK_S: Final = 5.0
"""Seconds beyond the site's own time limit for the way to a verifier and back."""


Send: TypeAlias = Callable[[OutgoingRequest, int], Coroutine[Deferred[Any], Any, Reply]]
"""Sends a request; the reply, with at least so many bytes of a longer body. As `outgoing.exchange`."""


def sender(reactor: Any, trust: Trust, addresses: Addresses) -> Send:
    """Sends to verifiers. No address policy is asked: it is the operator's configuration that names them."""
    egress = Egress(reactor, trust, addresses, None, connect_s=CONNECT_S, received_max=RECEIVED_MAX)
    return partial(exchange, egress)


class Verifiers:
    """Asks them by `send`. `clock`: of deadlines. `now`: microseconds since the epoch. `new_id`: 32 random hex digits.

    `ask`: how many are asked each time, from as many regions as there are, taking turns; None asks all. `quorum`: how
    many must find a site failing; None or 0 if that is nobody's business here, and then all are waited for. ValueError
    if two have the same name, because votes are counted by name.
    """

    log = Logger()

    def __init__(
        self,
        send: Send,
        clock: IReactorTime,
        peers: Sequence[Peer],
        *,
        now: Callable[[], int],
        new_id: Callable[[], str],
        ask: int | None = None,
        quorum: int | None = None,
    ) -> None:
        self.peers = tuple(peers)
        self._send = send
        self._clock = clock
        self._now = now
        self._new_id = new_id
        self._ask = len(self.peers) if ask is None else ask
        self._quorum = quorum or 0
        self._turn = 0
        self._standings = {peer.name: Standing(peer.name, peer.region) for peer in self.peers}
        if len(self._standings) < len(self.peers):
            raise ValueError("two verifiers have the same name")

    def ask(self, url: str, timeout_s: float, *, methods: Methods = ASKED) -> Deferred[tuple[ProbeResult, ...]]:
        """What each of those asked saw of `url`, in the order of the configuration.

        Fires within `timeout_s` + `SLACK_S` and does not fail; earlier if those that have not answered can change
        nothing (`quorum_wait`), who are then listed as not waited for. Cancelling ends all of it, and there is no
        result.
        """
        peers = chosen(self.peers, self._ask, self._turn)
        self._turn += 1
        calls = [self._bounded(peer, url, timeout_s, methods) for peer in peers]

        standings = [self._standings[peer.name] for peer in peers]
        due = [standing.due() for standing in standings]

        def awaited(number: int, unanimous: bool) -> bool:
            return due[number] or (unanimous and not standings[number].trouble)

        def left_out(number: int) -> ProbeResult:
            standings[number].passed_over()
            return self._void(peers[number], "not waited for: what the others saw was enough")

        return QuorumWait(calls, self._quorum, self._clock, awaited=awaited, left_out=left_out).done

    def health(self) -> tuple[PeerHealth, ...]:
        """How each of them has done, in the order of the configuration."""
        return tuple(standing.health for standing in self._standings.values())

    def trouble(self) -> str:
        """Why no verdict can be had, by each one's last answer: which verifiers are of no use; "" if enough are."""
        return trouble(tuple(self._standings.values()), max(1, self._quorum))

    # --- one of them --------------------------------------------------------------------------------------------------

    def _bounded(self, peer: Peer, url: str, timeout_s: float, methods: Methods) -> Deferred[ProbeResult]:
        question = question_of(self._new_id(), url, timeout_s, timeout_s + SLACK_S, methods)

        def late() -> Heard:
            return Heard(self._void(peer, f"no answer within {question.deadline:g} s"))

        def count(heard: Heard) -> ProbeResult:
            self._standings[peer.name].heard(heard)
            return heard.look

        asking = Deferred.fromCoroutine(self._asked(peer, question))
        return within(question.deadline, asking, self._clock, late).addCallback(count)

    async def _asked(self, peer: Peer, question: VerifierQuestion) -> Heard:
        body = encode(question)
        headers = signature(peer.secrets[0], question.id, self._now(), body)
        headers |= {"content-type": b"application/json", "user-agent": USER_AGENT}
        try:
            asked = OutgoingRequest("POST", peer.target, tuple(headers.items()), body)
            return self._seen(peer, question, await self._send(asked, BODY_MAX))
        except NoReply as error:
            return Heard(self._void(peer, str(error)))
        except CancelledError:
            raise
        except Exception:  # noqa: BLE001 -- one peer must not cost the round the answers of the others
            self.log.failure("an error while asking the verifier {peer}", peer=peer.name)
            return Heard(self._void(peer, "could not be asked, by pingmon's own fault; its log says more"))

    def _seen(self, peer: Peer, question: VerifierQuestion, reply: Reply) -> Heard:
        """What the reply says, if it is this peer's answer to this question."""
        if len(reply.body) > BODY_MAX:
            return Heard(self._void(peer, "too much came back"))
        if reply.status != 200:
            if reply.status == 400 and question.version > 1:
                return Heard(self._void(peer, f"is too old to ask with {question.method}"), alive=True)
            return Heard(self._void(peer, _refusal(reply)), alive=reply.status == 503)
        try:
            proof = signed(peer.secrets, reply.headers, reply.body, self._now())
            answer = decode_answer(reply.body)
        except Unauthorized as error:
            return Heard(self._void(peer, f"the answer is not to be trusted: {error}"))
        except BadVerifierMessage as error:
            return Heard(self._void(peer, f"the answer cannot be read: {error}"))
        if proof.id != answer_id(question.id) or answer.id != question.id:
            return Heard(self._void(peer, "answered another question"))
        return Heard(look_of(answer, peer.name, self._now()), alive=True)

    def _void(self, peer: Peer, why: str) -> ProbeResult:
        return ProbeResult(node=peer.name, at=self._now(), fault="void", detail=why)


def _refusal(reply: Reply) -> str:
    """Why it did not answer, in no words but our own."""
    text = reply.body.decode("latin-1")
    if reply.status == 401:
        return f"refused us: {text}" if text in REASONS else "refused our signature"
    return "is overloaded" if reply.status == 503 else f"answered with status {reply.status}"
