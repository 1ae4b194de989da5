"""HTTP/2 on one connection: Twisted's, made safe for streams that are answered before their request has ended.

Twisted answers only whole requests, so it expects no frame of a stream that is done. pingmon answers a ping whose body
is too slow, and refuses other bodies that are too long, and then such frames come. `twisted.web._http2` is not public;
the methods overridden here are where it looks streams up, and the tests notice if they change.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from h2.errors import ErrorCodes
from h2.exceptions import ProtocolError
from twisted.web._http2 import H2Connection

if TYPE_CHECKING:
    from pingmon.http.connections import Connection


class Http2(H2Connection):
    """Speaks HTTP/2. `timeOut` stays None: the watch looks after idle connections and slow streams."""

    timeOut = None
    transport: Any

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection.watch.reactor)
        self.connection = connection

    def say_goodbye(self) -> None:
        """Tell the client to open no more streams here, and close when all is sent."""
        self.conn.close_connection()
        self.transport.write(self.conn.data_to_send())
        self.transport.loseConnection()

    def pauseProducing(self) -> None:
        self.connection.stalled = self.connection.watch.tick
        super().pauseProducing()

    def resumeProducing(self) -> None:
        self.connection.stalled = 0
        super().resumeProducing()

    def _requestReceived(self, event: Any) -> None:
        try:
            super()._requestReceived(event)
        except ValueError:  # a header that HTTP/2 lets pass and HTTP does not know
            with suppress(ProtocolError):
                self.conn.reset_stream(event.stream_id, ErrorCodes.PROTOCOL_ERROR)

    def _requestDataReceived(self, event: Any) -> None:
        if event.stream_id in self.streams:
            super()._requestDataReceived(event)
            return
        # The rest of a body that nobody reads any more; the watch ends a connection that brings nothing else.
        with suppress(ProtocolError):
            self.conn.acknowledge_received_data(event.flow_controlled_length, event.stream_id)

    def _requestEnded(self, event: Any) -> None:
        if event.stream_id in self.streams:
            super()._requestEnded(event)

    def _requestAborted(self, event: Any) -> None:
        if event.stream_id in self.streams:
            super()._requestAborted(event)
