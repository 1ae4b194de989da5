"""One question to one server: HEAD, and one GET where HEAD came to nothing.

Some servers do to HEAD what they would do to no browser: refuse it, hang up, never answer. One GET tells "this server
does not like HEAD" from "down":

    HEAD                                     then
    2xx or a redirect                        that is the answer
    another status, closed, not HTTP         GET is asked at once
    nothing yet, when somebody insists       GET is asked besides, and the first good answer counts

What GET is answered with counts for more than what HEAD was, also if HEAD never is. Where GET is not answered at all,
the status that HEAD had stands, but for those that only say that HEAD is not known. What fails before the question is
on its way, fails for GET too, which is not asked then.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Final, TypeAlias

from msgspec import Struct
from twisted.internet.defer import Deferred

from pingmon.core.site.probe_result import Method, Methods, is_up
from pingmon.probe.connect import Dial
from pingmon.probe.network_faults import ProbeFailed
from pingmon.wire.probe.response_head import ResponseHead

NO_HEAD: Final = frozenset({405, 501})
"""Answers to a HEAD that say nothing about the site."""
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


Ended: TypeAlias = Callable[[ResponseHead | ProbeFailed], object]


class Answered(Struct, frozen=True):
    """The answer that counts. `status` is it in words, with what was asked; `note`: why it was not HEAD, or ""."""

    head: ResponseHead
    status: str
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
        """What there is when nobody waits any more: a status that counts although the other method was not answered."""
        head, last = self._results.get("HEAD"), self._results.get(self._methods[-1])
        if isinstance(last, ResponseHead) and self._methods[-1] != "HEAD":
            return Answered(last, f"{_phrase(last.status)} to {self._answered_so(last)}")
        if isinstance(head, ResponseHead) and head.status not in NO_HEAD:
            return Answered(head, f"{_phrase(head.status)} to HEAD")
        return None

    def _ask(self, method: Method) -> None:
        self.asked.append(method)
        self._dials.append(self._dial(method, lambda result: self._ended(result, method)))

    def insist(self) -> None:
        """Ask with the next method, if the first is on its way, or was."""
        if not self.done.called and len(self.asked) < len(self._methods) and self.first.asked:
            self._ask(self._methods[1])

    def _ended(self, result: ResponseHead | ProbeFailed, method: Method) -> None:
        self._results[method] = result
        if not isinstance(result, ResponseHead) or not _settles(result):
            self.insist()
            if len(self._results) < len(self.asked):
                return
        outcome = self._outcome()
        self._abort()
        if isinstance(outcome, ProbeFailed):
            self.done.errback(outcome)
        else:
            self.done.callback(outcome)

    def _outcome(self) -> Answered | ProbeFailed:
        first, last = (self._results.get(method) for method in (self._methods[0], self._methods[-1]))
        if isinstance(first, ResponseHead) and _settles(first):
            return Answered(first, _phrase(first.status), "" if self._methods[0] == "HEAD" else "GET was asked")
        if isinstance(last, ResponseHead):
            return Answered(last, f"{_phrase(last.status)} to {self._answered_so(last)}", self._why_get(first))
        result = last if last is not None else first
        assert isinstance(result, ProbeFailed)
        return result if result.fault == "void" else self.so_far() or result

    def _answered_so(self, last: ResponseHead) -> str:
        first = self._results.get("HEAD")
        if len(self._methods) < 2 or not isinstance(first, ResponseHead):
            return self._methods[-1]
        return "HEAD and GET" if first.status == last.status else f"GET, {first.status} to HEAD"

    def _why_get(self, first: ResponseHead | ProbeFailed | None) -> str:
        if isinstance(first, ResponseHead):
            return f"HEAD was answered with {first.status}, so GET was asked"
        why = "no answer in half of the time" if first is None else first.detail
        return f"HEAD came to nothing ({why}), so GET was asked"

    def _abort(self) -> None:
        for dial in self._dials:
            dial.abort()


def _settles(head: ResponseHead) -> bool:
    """Whether nothing more needs to be asked."""
    return is_up(head.status) or head.status in REDIRECTS


def _phrase(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"{status}"
