"""An entry is read back as it was written."""

from __future__ import annotations

import struct
from typing import Any, get_type_hints
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pingmon.core.world.events import KINDS, CheckPaused, Draft, Entry, Event, PingReceived, ProjectCreated
from pingmon.journal.codec import canonical, decoded, encoded, packed_id
from pingmon.journal.errors import JournalFormatError

STREAM = "6a3f0d6e-2d5a-4c39-9d1b-0f1e2d3c4b5a"
INT64 = st.integers(-(2**63), 2**63 - 1)
JSON = st.recursive(
    st.none() | st.booleans() | INT64 | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


def values_of(hint: Any) -> st.SearchStrategy[Any]:
    """Values of a field's type, as JSON can hold them."""
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return structs_of(hint)
    if hint is int:
        return INT64
    if getattr(hint, "__origin__", None) is dict:
        return st.dictionaries(st.text(), JSON, max_size=3)
    arms = getattr(hint, "__args__", ())
    if arms and getattr(hint, "__origin__", None) is None:  # a union
        return st.one_of([values_of(arm) for arm in arms if arm is not msgspec.UnsetType])
    return st.from_type(hint)


def structs_of(kind: type[Any]) -> st.SearchStrategy[Any]:
    """Any value of a struct; fields with a default are left out at times."""
    hints = get_type_hints(kind)
    fields = msgspec.structs.fields(kind)
    required = {field.name: values_of(hints[field.name]) for field in fields if field.required}
    optional = {field.name: values_of(hints[field.name]) for field in fields if not field.required}
    return st.fixed_dictionaries(required, optional=optional).map(lambda given: kind(**given))


DRAFTS = st.builds(
    Draft,
    at=INT64,
    stream=st.uuids().map(str),
    event=st.one_of([structs_of(event) for event in KINDS]),
    payload=st.none() | st.binary(max_size=300),
)


@given(DRAFTS, st.integers(1, 2**62))
def test_every_event_is_read_back_as_it_was_written(draft: Draft, seq: int) -> None:
    row = encoded(draft)
    entry = decoded(seq, row.at, row.stream, row.kind.encode(), row.body.encode(), row.payload)
    assert entry == Entry(seq, draft.at, draft.stream, draft.event, draft.payload)
    assert row.canon == canonical(row.at, row.stream, row.kind.encode(), row.body.encode(), row.payload)


@given(st.lists(DRAFTS, min_size=1, max_size=3), st.lists(DRAFTS, min_size=1, max_size=3))
def test_joined_canonical_bytes_differ_if_the_entries_differ(some: list[Draft], others: list[Draft]) -> None:
    def joined(drafts: list[Draft]) -> bytes:
        return b"".join(encoded(draft).canon for draft in drafts)

    assert (joined(some) == joined(others)) == (some == others)


def test_no_payload_is_told_from_an_empty_one() -> None:
    rows = [encoded(Draft(0, STREAM, PingReceived(), payload)) for payload in (None, b"")]
    assert rows[0].canon != rows[1].canon


def test_the_body_leaves_defaults_out_and_is_readable() -> None:
    assert encoded(Draft(0, STREAM, PingReceived("fail", exitstatus=3))).body == '{"signal":"fail","exitstatus":3}'


@pytest.mark.parametrize("spelling", [STREAM.upper(), STREAM.replace("-", ""), "{" + STREAM + "}", "x", ""])
def test_an_id_in_another_spelling_is_refused(spelling: str) -> None:
    with pytest.raises(ValueError, match="UUID"):
        packed_id(spelling)
    assert packed_id(STREAM) == UUID(STREAM).bytes


def test_what_is_no_event_of_the_log_or_has_no_place_in_64_bits_is_refused() -> None:
    with pytest.raises(KeyError):
        encoded(Draft(0, STREAM, Event()))  # type: ignore[arg-type]
    with pytest.raises(struct.error):
        encoded(Draft(2**63, STREAM, CheckPaused()))
    with pytest.raises(UnicodeEncodeError):
        encoded(Draft(0, STREAM, ProjectCreated("\ud800", "key")))


def test_an_event_of_an_unknown_kind_is_that_of_a_newer_pingmon() -> None:
    with pytest.raises(JournalFormatError, match=r"'moon_landed'.*newer pingmon"):
        decoded(1, 0, UUID(STREAM).bytes, b"moon_landed", b"{}", None)


def test_a_body_that_is_not_of_its_kind_is_no_event() -> None:
    with pytest.raises(ValueError, match="entry 1"):
        decoded(1, 0, UUID(STREAM).bytes, b"ping_received", b'{"signal":"moo"}', None)
