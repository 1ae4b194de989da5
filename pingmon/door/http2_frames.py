"""The frames that an HTTP/2 client sends, as far as they must be known before anybody reads them (RFC 9113 4.1).

    length (24 bits) · kind (8) · flags (8) · one bit of nothing, and the stream (31) · as many bytes as `length` says

A frame may ask for something, or only cost: `cost` says how much. Most of what floods servers over HTTP/2 are frames
that ask for nothing, a few bytes each, and a library has done its work for each before it can say what it was.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from msgspec import Struct

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADER_BYTES: Final = 9

END_STREAM: Final = 0x1
END_HEADERS: Final = 0x4
PADDED: Final = 0x8

PADDING_MAX: Final = 256
"""A padded frame that is no longer may hold nothing but padding."""

RESET_COST: Final = 4
REQUEST_EARNS: Final = 3
"""A request that is taken gives this back; so one that is reset at once has cost more than it gave."""


class FrameKind(IntEnum):
    """What frames are for. There are more kinds, which nobody needs to know."""

    DATA = 0
    HEADERS = 1
    RST_STREAM = 3
    CONTINUATION = 9


class Frame(Struct, frozen=True):
    """The header of a frame; `length` is in bytes, without the header."""

    kind: int
    flags: int
    length: int

    @property
    def ends_head(self) -> bool:
        """Whether the head of a request (or its trailer) is complete with it."""
        return self.kind in (FrameKind.HEADERS, FrameKind.CONTINUATION) and bool(self.flags & END_HEADERS)


def cost(frame: Frame) -> int:
    """How much a client has to be good for to send this frame; 0 if it brings something."""
    if frame.kind == FrameKind.RST_STREAM:
        return RESET_COST
    if frame.kind != FrameKind.DATA or (frame.flags & PADDED and frame.length <= PADDING_MAX):
        return 1
    return 1 if frame.length == 0 and not frame.flags & END_STREAM else 0


class Frames:
    """Finds the frames in what a client sends, in whatever pieces it comes."""

    def __init__(self) -> None:
        self._skip = len(PREFACE)
        self._header = b""

    def read(self, data: bytes, most: int) -> tuple[int, list[Frame]]:
        """How much of `data` to take next, and the frames whose headers are complete with it.

        That is all of it, or as much as ends with the head of a request, or with the last of `most` frames.
        """
        at, end, found = 0, len(data), list[Frame]()
        while at < end:
            if self._skip:
                step = min(self._skip, end - at)
                self._skip -= step
                at += step
            else:
                step = min(HEADER_BYTES - len(self._header), end - at)
                self._header += data[at : at + step]
                at += step
                if len(self._header) == HEADER_BYTES:
                    found.append(self._begin())
            if found and not self._skip and not self._header and (len(found) == most or found[-1].ends_head):
                break
        return at, found

    def _begin(self) -> Frame:
        header, self._header = self._header, b""
        self._skip = int.from_bytes(header[:3], "big")
        return Frame(header[3], header[4], self._skip)


class Allowance:
    """How many frames that bring nothing one client may send.

    It starts full, with `most`, and gains `per_s` a second, up to `most`. All times are seconds on one clock."""

    def __init__(self, most: float, per_s: float, now: float) -> None:
        self._most = most
        self._per_s = per_s
        self._left = most
        self._at = now

    def take(self, cost: float, now: float) -> bool:
        """Take `cost`; False if there is not as much."""
        self.give((now - self._at) * self._per_s)
        self._at = now
        self._left -= cost
        return self._left >= 0

    def give(self, earned: float) -> None:
        """Add what was earned."""
        self._left = min(self._most, self._left + earned)
