"""Entries as they are on disk: event -> kind, JSON body and canonical bytes, and back.

The canonical bytes of an entry are what the hashes of the journal are taken over:

    at        8 bytes, signed, big-endian: microseconds since the epoch
    stream   16 bytes
    kind      length as 1 byte (here), the UTF-8 text below
    body      length as 4 bytes, unsigned, big-endian (here), the UTF-8 JSON text below
    payload   length as 4 bytes, signed, big-endian (here); -1: there is none
    then the kind, the body and the payload, in this order

They are self-delimiting, so that joined entries can be read in one way only.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from struct import Struct as Layout
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec import Struct

from pingmon.core.units import Id
from pingmon.core.world.events import KINDS, Draft, Entry, Event
from pingmon.journal.errors import JournalFormatError

HEAD: Final = Layout(">q16sBIi")
SEQ: Final = Layout(">Q")
_uuid: Final = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}").fullmatch

DECODERS: Final[dict[bytes, Callable[[bytes], Event]]] = {
    kind.encode(): msgspec.json.Decoder(event).decode for event, kind in KINDS.items()
}
_encode: Final = msgspec.json.Encoder().encode
_kind_bytes: Final[dict[type[Event], bytes]] = {event: kind.encode() for event, kind in KINDS.items()}


class Row(Struct, frozen=True, gc=False):
    """An entry as a row of the table `event`, without its place. `canon`: its canonical bytes."""

    at: int
    stream: bytes
    kind: str
    body: str
    payload: bytes | None
    canon: bytes


@lru_cache(maxsize=65_536)
def packed_id(text: Id) -> bytes:
    """The 16 bytes of a canonical UUID text. ValueError for any other spelling: it would be read back changed."""
    if not _uuid(text):
        raise ValueError(f"not a canonical UUID: {text!r}")
    return bytes.fromhex(text.replace("-", ""))


@lru_cache(maxsize=65_536)
def id_text(raw: bytes) -> Id:
    """The canonical UUID text of 16 bytes. ValueError for another length."""
    return str(UUID(bytes=raw))


def encoded(draft: Draft) -> Row:
    """The row that keeps `draft`.

    Whatever cannot be kept raises here, at the one who appends it, and not in the middle of a commit: TypeError,
    ValueError, KeyError (not an event of `core.world.events`), struct.error (a time outside 64 bits).
    """
    event, payload = draft.event, draft.payload
    kind = _kind_bytes[type(event)]
    body = _encode(event)
    stream = packed_id(draft.stream)
    canon = canonical(draft.at, stream, kind, body, payload)
    return Row(draft.at, stream, KINDS[type(event)], body.decode(), payload, canon)


def canonical(at: int, stream: bytes, kind: bytes, body: bytes, payload: bytes | None) -> bytes:
    """The canonical bytes of a row. ValueError, TypeError or struct.error if a value has not its column's type."""
    if len(stream) != 16:
        raise ValueError(f"a stream of {len(stream)} bytes")
    size = -1 if payload is None else len(payload)
    return HEAD.pack(at, stream, len(kind), len(body), size) + kind + body + (payload or b"")


def decoded(seq: int, at: int, stream: bytes, kind: bytes, body: bytes, payload: bytes | None) -> Entry:
    """The entry that a row keeps.

    Raises JournalFormatError for a kind of event that this pingmon does not know, ValueError for a body that is
    not JSON of its kind.
    """
    try:
        decode = DECODERS[kind]
    except KeyError:
        if not isinstance(kind, bytes):
            raise ValueError(f"entry {seq} has no kind") from None
        name = kind.decode("utf-8", "replace")
        raise JournalFormatError(
            f"entry {seq} is a {name!r}, which this pingmon does not know: a newer pingmon wrote it"
        ) from None
    try:
        event: Any = decode(body)
    except msgspec.DecodeError as error:
        raise ValueError(f"the body of entry {seq} is not that of a {kind.decode()}: {error}") from error
    return Entry(seq, at, id_text(stream), event, payload)
