"""What a channel, and a request on it, ask of the connection that they are on. `connections.Connection` is one."""

from __future__ import annotations

from typing import Protocol

from twisted.internet.interfaces import IAddress

from pingmon.door.access_log import Logged
from pingmon.door.caller_address import ConnectionPeer
from pingmon.door.connection_lifetime import Lifetime
from pingmon.door.connection_watch import ConnectionWatch


class Cuttable(Protocol):
    """A request that may be ended before it is whole."""

    def end_early(self) -> None:
        """Go on as if the body ended here, if the head is complete."""

    def break_off(self) -> None:
        """No more of it comes in time."""


class Connection(Protocol):
    """A connection, seen from what is spoken on it."""

    @property
    def watch(self) -> ConnectionWatch: ...
    @property
    def life(self) -> Lifetime: ...
    @property
    def peer(self) -> ConnectionPeer: ...
    @property
    def lost(self) -> bool: ...

    def host(self) -> IAddress:
        """Our end."""

    def send(self, data: bytes) -> None:
        """Send an answer."""

    def log(self, request: Logged) -> None:
        """A request has been answered."""

    def stall(self) -> None:
        """The client does not read its answers."""

    def flow(self) -> None:
        """The client reads again."""

    def too_much(self, request: Cuttable) -> None:
        """More has come of `request` than is taken: it ends as soon as the parser has returned."""

    def answered(self) -> None:
        """A request that was whole has been answered, or its client is gone; the next one may be handled."""

    def turn_out(self) -> None:
        """Listen to this client no more."""

    def close(self) -> None:
        """Close when what is written has been sent."""

    def fail(self) -> None:
        """Something went wrong that nobody expected."""
