"""What is matched against strangers' bytes takes time in proportion to their number."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pingmon.daemon.redaction import redacted
from pingmon.door.request_syntax import host_is_sane, is_path, taken_apart
from pingmon.wire.ping_url import canonical_uuid, first_segment, ping_query, ping_url

LONG = 1_000_000
"""Bytes of a text: read in proportion to its length it takes a moment, by a quadratic pattern a quarter of an hour."""


def bait() -> list[bytes]:
    """What patterns stumble over."""
    return [
        b"/ping/a/b/" + b"0" * LONG + b"x",
        b"/ping/" + b"a" * LONG + b"/" + b"b" * LONG,
        b"/nothing/" + b"?key" * (LONG // 4),
        b"/x?" + b"&key=;" * (LONG // 6),
        b"/" + b"%2" * (LONG // 2),
        b"/" + b"/ping/" * (LONG // 6),
        b"a." * (LONG // 2),
        b"[" + b":" * LONG,
        b"http://" + b"a" * LONG,
        b"0-" * (LONG // 2),
    ]


READERS: dict[str, Callable[[bytes], object]] = {
    "ping_url": ping_url,
    "ping_query": ping_query,
    "first_segment": first_segment,
    "canonical_uuid": lambda text: canonical_uuid(text.decode()),
    "redacted": lambda text: redacted(text.decode(), lambda word: False),
    "taken_apart": taken_apart,
    "is_path": is_path,
    "host_is_sane": lambda text: host_is_sane(None, [text], needed=True),
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("reader", READERS)
def test_no_text_of_a_stranger_takes_long_to_read(reader: str) -> None:
    """Whoever reads a part of it again for each of its bytes does not come to an end here."""
    for text in bait():
        READERS[reader](text)
