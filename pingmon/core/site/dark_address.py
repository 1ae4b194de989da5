"""What a look at an address that answers nobody says of the other sites there.

Another look takes it for its own result, if it would have to wait for a place there and the address was tried for
`ENOUGH` of its own time limit: it could expect no better. That holds for as long again as the address was tried, and
`BEYOND_S` more. If somebody was answered there meanwhile, nothing follows for others. A host with several addresses is
dark if all of them are. Those to which this machine has no way count as dark, but at least one must have been tried.

Times are seconds of one clock that is never set.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from msgspec import Struct

BEYOND_S: Final = 5.0
"""Seconds for which an address is dark, besides as many as it was tried: by then the next who tried have been told."""
ENOUGH: Final = 0.8
"""Part of its own time limit that somebody else must have tried; looking up the name takes some of it."""
LONGEST_S: Final = 35.0
"""Seconds after which everything may be forgotten: probes have at most 30."""


class DarkAddress(Struct, frozen=True):
    """Nobody has answered at `address`, tried for `tried_s` seconds until `at_s`.

    Not `told`: this machine has no way there (a machine without IPv6), so it says nothing of the address.
    """

    address: str
    at_s: float
    tried_s: float
    told: bool = True

    def speaks_for(self, wanted_s: float, now_s: float) -> bool:
        """Whether a look that begins at `now_s` and would try for `wanted_s` can expect no better."""
        return now_s < self.at_s + self.tried_s + BEYOND_S and self.tried_s >= wanted_s * ENOUGH


def is_dark(tried_from_s: float, heard_s: float | None) -> bool:
    """Whether a look that nobody answered says anything; `heard_s`: when somebody else last had an answer there."""
    return heard_s is None or heard_s < tried_from_s


def is_old(at_s: float, now_s: float) -> bool:
    """Whether what was found at `at_s` can matter to nobody any more."""
    return at_s + LONGEST_S <= now_s


def told_of(known: Collection[DarkAddress | None]) -> DarkAddress | None:
    """What is said of a host, if this speaks for each of its addresses (None: nothing does); None: nothing is."""
    dark = [each for each in known if each is not None]
    return next((each for each in dark if each.told), None) if len(dark) == len(known) else None
