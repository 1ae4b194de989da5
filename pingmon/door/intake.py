"""What the door offers an application that wants some requests faster than resources get them.

The rest of what is served is resources, as Twisted knows them. Whoever has no such requests gives no intake.
"""

from __future__ import annotations

from typing import Protocol

from twisted.python.failure import Failure

from pingmon.door.caller_address import Caller
from pingmon.door.plain_answer import PlainAnswer


class IntakeRequest(Protocol):
    """A request that an intake takes, over whichever way it came.

    `came` counts the bytes of its body that have come, also those that were not kept. `path` is percent-encoded,
    `query` what stands behind its `?`.
    """

    @property
    def method(self) -> bytes: ...
    @property
    def path(self) -> bytes: ...
    @property
    def query(self) -> bytes: ...
    @property
    def came(self) -> int: ...

    def kept(self) -> bytes:
        """The part of the body that was kept."""

    def caller(self) -> Caller:
        """The client's address and scheme, as a trusted proxy reports them if it is one that called."""

    def field(self, name: bytes) -> bytes:
        """The value of the first header field `name` (lower case); empty if there is none."""

    def answer(self, answer: PlainAnswer) -> None:
        """Answer, now or later, once. Nothing happens if the client is gone."""

    def failed(self, failure: Failure) -> object:
        """It cannot be answered, by our own fault."""


class Intake(Protocol):
    """Takes requests whose path it wants, from anybody and whatever their Host says.

    `keeps`: bytes that are kept of the body of one. They count as soon as their head is there: one whose client hangs
    up, or whose body is too long or too slow, is taken with what has come of it.
    """

    @property
    def keeps(self) -> int: ...

    def wants(self, path: bytes) -> bool:
        """Whether requests for `path` (percent-encoded, without a query) are the intake's."""

    def take(self, request: IntakeRequest) -> bool:
        """Take a request; whether it names something that is there. If it raises, the client gets a 500."""
