"""HTTP/2 on one connection: Twisted's, made safe for streams that are answered early and for clients that mean harm.

Twisted answers only whole requests, so it expects no frame of a stream that is done. pingmon answers a ping whose body
is too slow, and refuses other bodies that are too long, and then such frames come. Against floods:

* frames are counted before anybody reads them, and a client that sends too many that bring nothing is told
  ENHANCE_YOUR_CALM and closed; likewise a frame that is announced larger than it may be, which h2 would wait for;
* priorities are read by nobody: all answers are small, and a tree of a thousand streams is a burden;
* answers are sent whenever there is room for them, not stream by stream in one turn of the loop each: Twisted's sender
  tries without end, at full speed, to send to a client whose window is shut.

`twisted.web._http2` is not public; the methods overridden here are where it looks streams up, where it sends, and where
it meets priorities, and the tests notice if they change.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from h2.connection import H2Connection as Protocol
from h2.errors import ErrorCodes
from h2.exceptions import ProtocolError
from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure
from twisted.web._http2 import _END_STREAM_SENTINEL, H2Connection

from pingmon.door.connection_interface import Connection
from pingmon.door.http2_frames import REQUEST_EARNS, Allowance, Frames, cost
from pingmon.door.limits import HEAD_BYTES_MAX, HEAD_DECODED_MAX, HEADERS_MAX
from pingmon.door.plain_answer import HEAD_TOO_LARGE, URL_TOO_LONG, PlainAnswer

ALLOWED: Final = 500
"""Frames that bring nothing which a client may send at once. Browsers begin a connection with about ten."""

ALLOWED_PER_S: Final = 50

EARNING_BYTES: Final = 1024
"""Bytes of an answer that earn one frame: clients open the window as they read, every 4 KiB at most."""

FRAMES_AT_ONCE: Final = 16

PIECE_MAX: Final = 65_536
"""Bytes of a frame that is sent, whatever a client would take."""

CONTROL_MAX: Final = 1 << 18
"""Bytes of frames that wait for a client who does not read; more than there can be, as nothing is read from it then."""


class H2(Protocol):
    """h2, with a limit for heads, and less to remember of streams that are over."""

    DEFAULT_MAX_HEADER_LIST_SIZE = HEAD_DECODED_MAX
    MAX_CLOSED_STREAMS = 1000


class Http2(H2Connection):
    """Speaks HTTP/2. `timeOut` stays None: the watch looks after idle connections and slow streams."""

    timeOut = None
    transport: Any
    ready = True
    bite = sys.maxsize

    def __init__(self, connection: Connection) -> None:
        reactor = connection.watch.reactor
        self._sending = True  # Twisted's constructor calls for the first time
        super().__init__(reactor)
        self.conn: Any = H2(self.conn.config)
        self.connection = connection
        self._maxBufferedControlFrameBytes = CONTROL_MAX
        self._frames = Frames()
        self._allowance = Allowance(ALLOWED, ALLOWED_PER_S, reactor.seconds())
        self._unsent: dict[int, None] = {}

    def feed(self, piece: bytes) -> bytes:
        """Handle the first request of `piece`, or its first frames; gives back the rest."""
        end, frames = self._frames.read(piece, FRAMES_AT_ONCE)
        price = sum(map(cost, frames))
        if price and not self._allowance.take(price, self._reactor.seconds()):
            self._turn_out(ErrorCodes.ENHANCE_YOUR_CALM)
        elif any(frame.length > self.conn.max_inbound_frame_size for frame in frames):
            self._turn_out(ErrorCodes.FRAME_SIZE_ERROR)
        else:
            self.dataReceived(piece if end == len(piece) else piece[:end])
        if self.transport.disconnecting:
            self.connection.turn_out()  # also after an error: h2 would go on, and keep all that comes
        elif self._unsent:
            self._send_soon()
        return piece[end:]

    def left_over(self) -> bytes:
        """Nothing: streams do not wait for one another."""
        return b""

    # --- the end ----------------------------------------------------------------------------------------------------

    def say_goodbye(self) -> None:
        """Tell the client to open no more streams here."""
        if not self.transport.disconnecting:
            self.conn.close_connection()
            self.transport.write(self.conn.data_to_send())

    def _turn_out(self, why: ErrorCodes) -> None:
        """Say why, and be done with this client."""
        self.conn.close_connection(why)
        self._terminate(Failure(ConnectionLost(why.name)))

    # --- requests ---------------------------------------------------------------------------------------------------

    def _requestReceived(self, event: Any) -> None:
        refusal = _refusal(event.headers)
        if refusal is not None:
            self._refuse(event.stream_id, refusal)
            return
        try:
            super()._requestReceived(event)
        except ValueError:  # a header that HTTP/2 lets pass and HTTP does not know
            self._reset(event.stream_id)
        else:
            self._allowance.give(REQUEST_EARNS)

    def _refuse(self, stream: int, refusal: PlainAnswer) -> None:
        """Answer a request that nobody else sees."""
        fields = [(name.lower(), value) for name, value in refusal.headers]
        fields = [(b":status", b"%d" % refusal.status), *fields, (b"date", self.connection.watch.dates.header())]
        try:
            self.conn.send_headers(stream, fields)
            self.conn.send_data(stream, refusal.body, end_stream=True)
        except ProtocolError:  # its window is shut
            self._reset(stream)

    def _reset(self, stream: int) -> None:
        with suppress(ProtocolError):
            self.conn.reset_stream(stream, ErrorCodes.PROTOCOL_ERROR)

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

    def _handlePriorityUpdate(self, event: Any) -> None:
        """Nobody's answer is more urgent than another's."""

    # --- answers ----------------------------------------------------------------------------------------------------

    def pauseProducing(self) -> None:
        super().pauseProducing()
        self.connection.stall()

    def resumeProducing(self) -> None:
        super().resumeProducing()
        self.connection.flow()
        self._send_soon()

    def writeHeaders(self, *args: Any) -> None:
        with suppress(ProtocolError):  # the connection has ended in the middle of what came in one piece
            super().writeHeaders(*args)

    def abortRequest(self, streamID: int) -> None:
        with suppress(ProtocolError):
            super().abortRequest(streamID)

    def writeDataToStream(self, streamID: int, data: bytes) -> None:
        if data:
            self._allowance.give(len(data) / EARNING_BYTES)
            self._outboundStreamQueues[streamID].append(data)
            self._unsent[streamID] = None
            self._send_soon()

    def endRequest(self, streamID: int) -> None:
        self._outboundStreamQueues[streamID].append(_END_STREAM_SENTINEL)
        self._unsent[streamID] = None
        self._send_soon()

    def _requestDone(self, streamID: int) -> None:
        self._unsent.pop(streamID, None)
        super()._requestDone(streamID)

    def _send_soon(self) -> None:
        if not self._sending:
            self._sending = True
            self._reactor.callLater(0, self._sendPrioritisedData)

    def _sendPrioritisedData(self, *args: Any) -> None:
        """Send as much of each answer as the client has opened its window for, and reads."""
        self._sending = False
        try:
            for stream in tuple(self._unsent):
                while self._stillProducing and self._consumerBlocked is None and self._send(stream):
                    pass
        except Exception:  # noqa: BLE001 - the outer guard of what goes out
            self.connection.fail()

    def _send(self, stream: int) -> bool:
        """Send the next frame of an answer; whether there may be another one."""
        queue = self._outboundStreamQueues[stream]
        if not queue:
            del self._unsent[stream]
            return False
        piece = queue[0]
        if piece is _END_STREAM_SENTINEL:
            self.conn.end_stream(stream)
        else:
            room = min(self.conn.local_flow_control_window(stream), self.conn.max_outbound_frame_size, PIECE_MAX)
            if room <= 0:
                return False
            queue.popleft()
            if len(piece) > room:
                queue.appendleft(piece[room:])
            self.conn.send_data(stream, piece[:room])
        self.connection.life.moves(self.connection.watch.tick)
        self.transport.write(self.conn.data_to_send())
        if piece is _END_STREAM_SENTINEL:
            self._requestDone(stream)
        return stream in self._unsent


def _refusal(head: Sequence[tuple[bytes, bytes]]) -> PlainAnswer | None:
    """What HTTP/1 answers to a head of this size."""
    if any(name == b":path" and len(value) > HEAD_BYTES_MAX for name, value in head):
        return URL_TOO_LONG
    fields = [len(name) + len(value) for name, value in head if not name.startswith(b":")]
    return HEAD_TOO_LARGE if len(fields) > HEADERS_MAX or sum(fields) > HEAD_BYTES_MAX else None
