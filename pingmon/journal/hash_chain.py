"""The hashes by which a journal proves that nothing in it was altered or lost.

Above the trim mark every commit is a link of a chain:

    digest = sha256(canonical bytes of its entries, joined)
    chain  = sha256(chain of the commit before ‖ first seq ‖ last seq ‖ at ‖ digest)

Integers are 8 bytes, big-endian; the first commit follows 32 zero bytes. At and below the mark single entries are
deleted, which no chain survives. There a tally stands in: how many entries are kept, and the sum modulo 2^256 of
sha256(seq ‖ canonical bytes) of each.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from struct import Struct as Layout
from typing import Final

from msgspec import Struct

from pingmon.journal.codec import SEQ

GENESIS: Final = bytes(32)
_LINK: Final = Layout(">QQq")
_MODULUS: Final = 1 << 256


def content_digest(canons: Iterable[bytes]) -> bytes:
    """The digest of one commit's entries, in their order."""
    return sha256(b"".join(canons)).digest()


def link(previous: bytes, first: int, last: int, at: int, digest: bytes) -> bytes:
    """The chain hash of the commit with entries `first` to `last`, which follows the one with hash `previous`."""
    return sha256(previous + _LINK.pack(first, last, at) + digest).digest()


class Tally(Struct, frozen=True):
    """How many entries there are, and the order-free sum of their digests (32 bytes, big-endian)."""

    count: int = 0
    total: bytes = GENESIS

    def changed(self, *, added: Iterable[tuple[int, bytes]] = (), removed: Iterable[tuple[int, bytes]] = ()) -> Tally:
        """This tally after entries, given as (seq, canonical bytes), came and went."""
        count, total = self.count, int.from_bytes(self.total, "big")
        for seq, canon in added:
            count += 1
            total += entry_number(seq, canon)
        for seq, canon in removed:
            count -= 1
            total -= entry_number(seq, canon)
        return Tally(count, (total % _MODULUS).to_bytes(32, "big"))


def entry_number(seq: int, canon: bytes) -> int:
    """The digest of one entry at its place, as the number that the tally sums."""
    return int.from_bytes(sha256(SEQ.pack(seq) + canon).digest(), "big")
