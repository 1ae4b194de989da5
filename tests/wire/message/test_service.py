"""What services have in common: texts are cut, waits are read, links are for outages only."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pingmon.testing import START as NOW
from pingmon.wire.message.message import trial_letter
from pingmon.wire.message.service import ack_url, cut, is_down, object_in, receipt_of, wait_s, words
from tests.delivery.letters import many
from tests.wire.message.service_letters import ACK, BASE, service_letter

LETTER = service_letter("slack", {"url": "https://x.y/"})


@given(st.text(), st.integers(3, 60))
def test_a_text_is_cut_only_if_it_is_too_long(text: str, most: int) -> None:
    """It never takes more bytes, is the begin of what was said, and an ellipsis shows that there was more."""
    short = cut(text, most)
    whole = text.encode("utf-8", "replace").decode()
    assert len(short.encode()) <= most
    if len(whole.encode()) <= most:
        assert short == whole
    else:
        assert short[-1] == "…"
        assert whole.startswith(short[:-1])


@pytest.mark.parametrize(
    ("body", "header", "seconds"),
    [
        (b'{"retry_after": 0.5, "global": false}', b"1", 0.5),
        (b'{"ok": false, "parameters": {"retry_after": 35}}', None, 35.0),
        (b'{"retry_after": 1e300}', None, 86_400.0),
        (b'{"retry_after": "soon"}', b"7", 7.0),
        (b'{"retry_after": -1}', b"7", 7.0),
        (b"no JSON", b"7", 7.0),
        (b"[]", None, None),
    ],
)
def test_how_long_a_service_wants_to_be_left_alone(body: bytes, header: bytes | None, seconds: float | None) -> None:
    """Its JSON is more precise than its header; either will do."""
    assert wait_s(body, header, NOW) == seconds


def test_json_that_is_nested_too_deeply_is_none() -> None:
    """A stranger's answer stops nothing."""
    assert object_in(b"[" * 100_000) == {}


def test_only_the_message_of_an_outage_has_a_link_to_acknowledge_it() -> None:
    """A way up, a test and a channel without a secret have none."""
    assert ack_url(LETTER, BASE) == ACK
    assert ack_url(service_letter("slack", {"url": "https://x.y/"}, receipt=""), BASE) == ""
    assert ack_url(trial_letter(LETTER.channel, NOW, up=False), BASE) == ""
    assert ack_url(many({}, 3), BASE) == ""
    assert ack_url(replace(LETTER, channel=replace(LETTER.channel, secret="")), BASE) == ""


def test_a_digest_is_told_in_lines() -> None:
    """It is bad news if anything of it is, and changes no message that there is."""
    told = many({}, 1, 1)
    assert words(told, 1000).split("\n") == [
        "DOWN: 2 checks (1 down, 1 up)",
        "UP: job 2, since 2023-11-14 22:13:22 UTC, after 1 min down",
        "DOWN: job 1, since 2023-11-14 22:13:21 UTC: the job reported no success in time",
    ]
    assert words(told, 10) == "DOWN: 2…"
    assert (is_down(told), is_down(many({}, 0, 2)), receipt_of(told)) == (True, False, "")
