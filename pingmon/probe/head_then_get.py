"""One question to one server: HEAD, and GET besides where HEAD has come to nothing.

What has come of a request settles it, or GET is asked; which answer counts in the end, and what is said of it, is up to
`core.site.status_codes`. What fails before the question is on its way, fails for GET too, which is not asked then.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from msgspec import Struct
from twisted.internet.defer import Deferred

from pingmon.core.site.probe_result import Method, Methods
from pingmon.core.site.status_codes import Came, bad_status, counting, settles, why_get
from pingmon.probe.connect import Dial
from pingmon.probe.network_faults import ProbeFailed
from pingmon.wire.probe.response_head import ResponseHead

Ended: TypeAlias = Callable[[ResponseHead | ProbeFailed], object]


class Answered(Struct, frozen=True):
    """The answer that counts. `bad`: what is said of it if it is not up; `note`: why it is not HEAD's, or ""."""

    head: ResponseHead
    bad: str
    note: str = ""


class HeadThenGet:
    """Asks with `methods`; `dial` makes a dial for one of them, which ends by calling what it is given.

    `done` fires with `Answered` or fails with `ProbeFailed`; cancelling it aborts all. `first` is the first dial.
    """

    def __init__(self, dial: Callable[[Method, Ended], Dial], methods: Methods) -> None:
        self.done: Deferred[Answered] = Deferred(lambda _: self._abort())
        self.asked: list[Method] = []
        self._dial = dial
        self._methods = methods
        self._results: dict[Method, ResponseHead | ProbeFailed] = {}
        self._dials: list[Dial] = []
        self._ask(methods[0])

    @property
    def first(self) -> Dial:
        """The dial for the first method."""
        return self._dials[0]

    @property
    def code(self) -> int:
        """The last status that was received; 0 if there was none."""
        heads = [result for result in self._results.values() if isinstance(result, ResponseHead)]
        return heads[-1].status if heads else 0

    def so_far(self) -> Answered | None:
        """The answer that counts, whatever else has come; None if there is none."""
        came = {method: _came(result) for method, result in self._results.items()}
        counts = counting(self._methods, came)
        if counts is None:
            return None
        head = self._results[counts]
        assert isinstance(head, ResponseHead)
        return Answered(head, bad_status(came, counts), self._note(counts))

    def _ask(self, method: Method) -> None:
        self.asked.append(method)
        self._dials.append(self._dial(method, lambda result: self._ended(result, method)))

    def insist(self) -> None:
        """Ask with the next method, if the first is on its way, or was."""
        if not self.done.called and len(self.asked) < len(self._methods) and self.first.asked:
            self._ask(self._methods[1])

    def _ended(self, result: ResponseHead | ProbeFailed, method: Method) -> None:
        self._results[method] = result
        if not settles(_came(result)):
            self.insist()
            if len(self._results) < len(self.asked):
                return
        answered = self.so_far()
        self._abort()
        if answered is not None:
            self.done.callback(answered)
        else:
            failure = self._results[self.asked[-1]]
            assert isinstance(failure, ProbeFailed)
            self.done.errback(failure)

    def _note(self, counts: Method) -> str:
        if counts == "HEAD":
            return ""
        if len(self._methods) < 2:
            return "GET was asked"
        head = self._results.get("HEAD")
        return why_get(head.detail if isinstance(head, ProbeFailed) else None if head is None else head.status)

    def _abort(self) -> None:
        for dial in self._dials:
            dial.abort()


def _came(result: ResponseHead | ProbeFailed) -> Came:
    return result.status if isinstance(result, ResponseHead) else result.fault
