"""Tests of `pingmon.wire.message.signatures`: who sent a message, and secrets in their written form."""

from __future__ import annotations

import string
from base64 import b64encode
from datetime import UTC, datetime

import pytest
import standardwebhooks
from hypothesis import given
from hypothesis import strategies as st

from pingmon.core.units import SECOND
from pingmon.testing import START_S as NOW_S
from pingmon.wire.message.signatures import (
    MISMATCH,
    SIGNATURES_MAX,
    STALE,
    UNSIGNED,
    WINDOW_S,
    BadSecret,
    Secret,
    Signed,
    Unauthorized,
    secret,
    secrets_of,
    signature,
    signed,
)

NOW = NOW_S * SECOND + 999_999
ONE, TWO, THREE = (Secret(bytes([number]) * 32) for number in (1, 2, 3))
TEXT = "whsec_" + b64encode(ONE.key).decode()

ids = st.text(string.ascii_letters + string.digits + "_-", min_size=1, max_size=64)
keys = st.binary(min_size=24, max_size=64).map(Secret)


def refusal(headers: dict[str, bytes], body: bytes = b"{}", now: int = NOW, *secrets: Secret) -> str:
    """What is said to this message."""
    with pytest.raises(Unauthorized) as caught:
        signed(secrets or (ONE, TWO), headers, body, now)
    return str(caught.value)


@given(keys, st.lists(keys, max_size=3), ids, st.binary(max_size=200), st.integers(0, 10**12 - 1))
def test_what_is_signed_is_recognised_by_whoever_has_the_secret(
    key: Secret, others: list[Secret], id: str, body: bytes, at: int
) -> None:
    headers = signature(key, id, at * SECOND, body)
    assert signed([*others, key], headers, body, at * SECOND) == Signed(id, at, key)


def test_any_of_several_secrets_may_have_signed() -> None:
    """A secret can be replaced while both are valid."""
    for one in (ONE, TWO):
        assert signed((ONE, TWO), signature(one, "a", NOW, b"{}"), b"{}", NOW).by == one
    assert refusal(signature(THREE, "a", NOW, b"{}")) == MISMATCH


@given(st.data())
def test_any_changed_byte_is_refused(data: st.DataObject) -> None:
    body = b'{"id":"0"}'
    headers = signature(ONE, "abc", NOW, body)
    parts = {**headers, "body": body}
    which = data.draw(st.sampled_from(sorted(parts)))
    place = data.draw(st.integers(0, len(parts[which]) - 1))
    change = data.draw(st.integers(1, 255))
    changed = bytearray(parts[which])
    changed[place] ^= change
    parts[which] = bytes(changed)
    body = parts.pop("body")
    assert refusal(parts, body) in {UNSIGNED, MISMATCH, STALE}


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-id": b""},
        {"webhook-id": b"a.b"},
        {"webhook-id": b"x" * 65},
        {"webhook-timestamp": b""},
        {"webhook-timestamp": b"-5"},
        {"webhook-timestamp": b"1e9"},
        {"webhook-timestamp": b"9" * 13},
        {"webhook-signature": b""},
    ],
)
def test_without_all_three_headers_a_message_is_unsigned(change: dict[str, bytes]) -> None:
    headers = signature(ONE, "a", NOW, b"{}")
    assert refusal(headers | change) == UNSIGNED
    headers.pop(next(iter(change)))
    assert refusal(headers) == UNSIGNED


@given(st.dictionaries(st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature"]), st.binary()))
def test_no_header_raises_anything_else(headers: dict[str, bytes]) -> None:
    assert refusal(headers) in {UNSIGNED, MISMATCH, STALE}


@pytest.mark.parametrize("apart", [-WINDOW_S - 1, WINDOW_S + 1])
def test_a_timestamp_outside_the_window_is_refused(apart: int) -> None:
    assert refusal(signature(ONE, "a", NOW + apart * SECOND, b"{}")) == STALE


@pytest.mark.parametrize("apart", [-WINDOW_S, 0, WINDOW_S])
def test_a_timestamp_at_the_windows_edge_is_taken(apart: int) -> None:
    headers = signature(ONE, "a", NOW + apart * SECOND, b"{}")
    assert signed([ONE], headers, b"{}", NOW).at == NOW_S + apart


def test_one_signature_of_several_is_enough_but_not_of_endlessly_many() -> None:
    headers = signature(ONE, "a", NOW, b"{}")
    right, wrong = headers["webhook-signature"], b"v1a,AAAA"
    for many in (0, SIGNATURES_MAX - 1):
        headers["webhook-signature"] = b" ".join([*[wrong] * many, right])
        assert signed([ONE], headers, b"{}", NOW).id == "a"
    headers["webhook-signature"] = b" ".join([*[wrong] * SIGNATURES_MAX, right])
    assert refusal(headers) == MISMATCH


@given(keys, ids, st.text(max_size=100))
def test_signatures_are_those_of_standard_webhooks(key: Secret, id: str, text: str) -> None:
    written = "whsec_" + b64encode(key.key).decode()
    theirs = standardwebhooks.Webhook(written).sign(id, datetime.fromtimestamp(NOW_S, UTC), text)
    assert signature(secret(written), id, NOW, text.encode())["webhook-signature"] == theirs.encode()


def test_a_secret_does_not_show_itself() -> None:
    assert repr(ONE) == str(ONE) == "Secret(…)"
    assert "1" not in repr(Signed("a", 2, ONE))


@pytest.mark.parametrize("padded", [True, False])
def test_a_secret_is_read_with_or_without_padding(padded: bool) -> None:
    assert secret(TEXT if padded else TEXT.rstrip("=")) == ONE


BAD = [
    ("", "does not begin with whsec_"),
    (TEXT.removeprefix("whsec_"), "does not begin with whsec_"),
    ("whsec_", "has 0 bytes, at least 24 are needed"),
    ("whsec_" + "Ä" * 40, "is not base64 after whsec_"),
    ("whsec_" + "!" * 40, "is not base64 after whsec_"),
    ("whsec_" + b64encode(b"x" * 23).decode(), "has 23 bytes, at least 24 are needed"),
]


@pytest.mark.parametrize(("text", "why"), BAD)
def test_what_is_no_secret_is_refused_without_quoting_it(text: str, why: str) -> None:
    with pytest.raises(BadSecret, match=why):
        secret(text)


def test_a_file_has_a_secret_on_each_line() -> None:
    two = "whsec_" + b64encode(TWO.key).decode()
    assert secrets_of(f"{TEXT}\n") == (ONE,)
    assert secrets_of(f"# since March\r\n  {two}  \n\n{TEXT}") == (TWO, ONE)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "there is no secret in it"),
        ("\n# none\n", "there is no secret in it"),
        (f"{TEXT}\nsecret", "line 2 does not begin with whsec_"),
    ],
)
def test_a_file_without_secrets_or_with_a_bad_one_is_refused(text: str, why: str) -> None:
    with pytest.raises(BadSecret) as caught:
        secrets_of(text)
    assert str(caught.value) == why
