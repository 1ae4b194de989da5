"""What is matched against strangers' bytes takes time in proportion to their number."""

from __future__ import annotations

from collections.abc import Callable
from time import process_time

import pytest

from pingmon.daemon.redaction import redacted
from pingmon.door.request_syntax import host_is_sane, is_path, taken_apart
from pingmon.wire.ping_url import canonical_uuid, first_segment, ping_query, ping_url

LONG = 16_000
BAIT = [
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
    "canonical_uuid": lambda bait: canonical_uuid(bait.decode()),
    "redacted": lambda bait: redacted(bait.decode(), lambda word: False),
    "taken_apart": taken_apart,
    "is_path": is_path,
    "host_is_sane": lambda bait: host_is_sane(None, [bait], needed=True),
}


@pytest.mark.parametrize("reader", READERS)
def test_no_text_of_a_stranger_takes_long_to_read(reader: str) -> None:
    """A quadratic pattern would take seconds for the longest request line there can be; a linear one, milliseconds."""
    for bait in BAIT:
        began = process_time()
        READERS[reader](bait)
        assert process_time() - began < 0.2, bait[:20]
