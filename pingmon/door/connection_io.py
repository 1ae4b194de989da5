"""What a connection does with its transport, be it bare, Twisted's, or wrapped in TLS: send, read or not, close."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from twisted.internet.interfaces import IPushProducer, ISSLTransport

from pingmon.door.front import BareSocket
from pingmon.door.limits import READ_MAX

READ_SECURE_MAX: Final = 4096
"""Bytes that are read at a time through TLS. Nobody can interrupt it, and in records of one byte they take it 1 ms."""


class ConnectionIO:
    """`producer` is told when the client does not read what was sent. `secure`: through TLS."""

    __slots__ = ("_at_once", "_producer", "_produces", "_reads", "_socket", "secure", "transport")

    def __init__(self, producer: IPushProducer) -> None:
        self.transport: Any = None
        self.secure = False
        self._produces = False
        self._producer: IPushProducer | None = producer
        self._reads = True
        self._at_once: Callable[[bytes], object] | None = None

    def open(self, transport: Any) -> None:
        """Use this transport from now on."""
        self.transport = self._socket = transport
        if not self._reads:
            transport.pauseProducing()
        if isinstance(transport, BareSocket):
            self._at_once = transport.writeSomeData
            return
        while (inner := getattr(self._socket, "transport", None)) is not None:
            self._socket = inner
        self.secure = ISSLTransport(transport, None) is not None
        self._socket.bufferSize = READ_SECURE_MAX if self.secure else READ_MAX
        if not self.secure:
            self._at_once = getattr(transport, "writeSomeData", None)

    def take_buffer(self) -> None:
        """More will be written than a socket takes at once: that needs a transport with a buffer."""
        if isinstance(self.transport, BareSocket):
            self.transport.give_up()
        self._at_once = None
        self.produce(False)

    def send(self, data: bytes) -> None:
        """Send an answer, at once if the socket takes it: that spares the loop a turn of its own."""
        if self._at_once is not None:
            sent = self._at_once(data)
            if sent == len(data):
                return
            self.take_buffer()
            data = data[sent:] if isinstance(sent, int) else data
        self.produce(True)
        self.transport.write(data)

    def read(self, reads: bool) -> None:
        """Read from the client, or not."""
        if reads is not self._reads:
            self._reads = reads
            if reads:
                self.transport.resumeProducing()
            else:
                self.transport.pauseProducing()

    def produce(self, produces: bool) -> None:
        """Have the producer told, or nobody any more."""
        if produces is not self._produces:
            self._produces = produces
            if produces:
                self.transport.registerProducer(self._producer, True)
            else:
                self.transport.unregisterProducer()

    def taken_over(self) -> None:
        """A channel has registered itself, and is told in the producer's stead."""
        self._produces = True

    def forget(self) -> None:
        """The connection has ended; nothing here keeps it in memory any more."""
        self._producer = None

    def close(self, *, consent: bool = True) -> None:
        """Close when all is sent.

        TLS says farewell and waits for the client to do so too. If it was closed before and the client did not answer,
        the socket below is closed without its `consent`.
        """
        self.produce(False)  # or TLS would wait for as long as somebody may still want to write
        if self.transport.disconnecting and not consent:
            self._socket.loseConnection()
        self.transport.loseConnection()
