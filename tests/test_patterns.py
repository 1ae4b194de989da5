"""What is matched against strangers' bytes takes time in proportion to their number."""

from __future__ import annotations

from collections.abc import Callable
from time import thread_time

import pytest

from pingmon.daemon.redaction import redacted
from pingmon.door.request_syntax import host_is_sane, is_path, taken_apart
from pingmon.wire.ping_url import canonical_uuid, first_segment, ping_query, ping_url

LONG = 16_000
LONGER = 8
"""So many times as long: a linear pattern takes so many times as long, a quadratic one the square of it."""


INSTANT_S = 0.000_2
"""What takes less is not measured well enough to be compared."""


def bait(long: int) -> list[bytes]:
    """What patterns stumble over, about so long."""
    return [
        b"/ping/a/b/" + b"0" * long + b"x",
        b"/ping/" + b"a" * long + b"/" + b"b" * long,
        b"/nothing/" + b"?key" * (long // 4),
        b"/x?" + b"&key=;" * (long // 6),
        b"/" + b"%2" * (long // 2),
        b"/" + b"/ping/" * (long // 6),
        b"a." * (long // 2),
        b"[" + b":" * long,
        b"http://" + b"a" * long,
        b"0-" * (long // 2),
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


@pytest.mark.parametrize("reader", READERS)
def test_no_text_of_a_stranger_takes_long_to_read(reader: str) -> None:
    """Eight times the text takes about eight times as long; a quadratic pattern would need sixty-four."""
    for short, long in zip(bait(LONG), bait(LONG * LONGER), strict=True):
        once, then = (min(taken(READERS[reader], text) for _ in range(5)) for text in (short, long))
        assert then < max(once, INSTANT_S) * LONGER * 4, short[:20]


def taken(reader: Callable[[bytes], object], text: bytes) -> float:
    """Seconds of this thread, whatever else the machine does meanwhile."""
    began = thread_time()
    reader(text)
    return thread_time() - began
