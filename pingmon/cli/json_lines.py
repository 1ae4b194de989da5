"""Entries as lines of JSON, for people and their tools.

    {"seq": 7, "at": "2026-01-02T03:04:05.000006Z", "stream": "…", "kind": "ping_received", …fields, "payload": "…"}

The event's own fields stand under their names, those with their default left out; a field that has the name of an
entry's (a channel's `kind`, say) stands as `event_kind`. A payload that is not UTF-8 stands under `payload_base64`.
"""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from pingmon.core.world.events import KINDS, Entry

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_OWN: Final = frozenset({"seq", "at", "stream", "kind", "payload", "payload_base64"})
_encode: Final = msgspec.json.Encoder().encode


def iso(at: int) -> str:
    """Microseconds since the epoch as ISO 8601, UTC; the bare number if no calendar year fits it."""
    try:
        return (_EPOCH + timedelta(microseconds=at)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    except OverflowError:
        return str(at)


def line(entry: Entry) -> str:
    """One entry as one line of JSON, without the line's end."""
    fields: dict[str, object] = {
        "seq": entry.seq,
        "at": iso(entry.at),
        "stream": entry.stream,
        "kind": KINDS[type(entry.event)],
    }
    for name, value in msgspec.to_builtins(entry.event).items():
        fields[f"event_{name}" if name in _OWN else name] = value
    if entry.payload is not None:
        try:
            fields["payload"] = entry.payload.decode()
        except UnicodeDecodeError:
            fields["payload_base64"] = b64encode(entry.payload).decode()
    return _encode(fields).decode()
