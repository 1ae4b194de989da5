"""The hashes are those that docs/log-format.md describes, and notice every change."""

from __future__ import annotations

from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from pingmon.journal.hash_chain import GENESIS, Tally, content_digest, link

ENTRIES = st.dictionaries(st.integers(0, 2**63), st.binary(max_size=40), max_size=12)


def test_a_link_is_the_documented_hash() -> None:
    digest = content_digest([b"one", b"two"])
    assert digest == sha256(b"onetwo").digest()
    packed = (1).to_bytes(8, "big") + (2).to_bytes(8, "big") + (-5).to_bytes(8, "big", signed=True)
    assert link(GENESIS, 1, 2, -5, digest) == sha256(bytes(32) + packed + digest).digest()


@given(ENTRIES, st.data())
def test_a_tally_does_not_depend_on_the_order_and_forgets_what_is_removed(
    entries: dict[int, bytes], data: st.DataObject
) -> None:
    order = data.draw(st.permutations(sorted(entries.items())))
    gone = data.draw(st.integers(0, len(order)))
    kept = Tally().changed(added=order).changed(removed=order[:gone])
    assert kept == Tally().changed(added=sorted(order[gone:]))
    assert Tally().changed(added=order).changed(removed=order) == Tally()


@given(ENTRIES.filter(bool), st.binary(max_size=40))
def test_a_tally_notices_one_changed_entry(entries: dict[int, bytes], other: bytes) -> None:
    seq = min(entries)
    changed = {**entries, seq: other}
    assert (Tally().changed(added=entries.items()) == Tally().changed(added=changed.items())) == (entries == changed)
