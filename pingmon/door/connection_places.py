"""How many connections there may be, and how many one caller may hold.

The fuller the house, the less one caller may have of it: nobody holds more connections than places are free. One
caller alone gets half of all places at most, two get a third each, and there is always room for one more. Trusted
proxies speak for many and are bound by the total only.
"""

from __future__ import annotations

import resource
from typing import Final

from twisted.logger import Logger

RESERVE: Final = 128
"""File descriptors kept for the journal, deliveries, listening sockets and the log."""

log = Logger()


def make_room(wanted: int, others: int) -> None:
    """Raise this process's limit of open files as far as it may be, and as `affordable` needs for `wanted`."""
    files = wanted + others + RESERVE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < files:
        raised = files if hard == resource.RLIM_INFINITY else min(files, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, raised), hard))


def affordable(wanted: int, descriptors: int | None = None, others: int = 0) -> int:
    """`wanted`, or as many connections as the process's limit of open files leaves room for; warns if that is less.

    `others`: how many files may be open for other purposes beside `RESERVE`.
    """
    if descriptors is None:
        descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    possible = max(descriptors - RESERVE - others, descriptors // 2, 1)
    if descriptors == resource.RLIM_INFINITY or wanted <= possible:
        return wanted
    log.warn(
        "[http] max_connections is {wanted}, but pingmon may open only {descriptors} files: it takes {possible} "
        "connections. Raise the limit of open files to have more",
        wanted=wanted,
        descriptors=descriptors,
        possible=possible,
    )
    return possible


class ConnectionPlaces:
    """Counts places taken, in all and by group of callers; `limit` is the number there are."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.taken = 0
        self.refused = 0
        self._held: dict[str, int] = {}

    def take(self, group: str) -> bool:
        """Take a place for a caller of `group`; the empty group (proxies, Unix sockets) is bound by the total only."""
        # One rule for every crowd: who holds as many as are free gets no more. So n callers that want all there is
        # end with 1/(n+1) each, and one more place is free for whoever comes next. A fixed share for each would be too
        # small for one caller alone, or too large for many.
        free = self.limit - self.taken
        held = self._held.get(group, 0)
        if free <= 0 or (group and held >= free):
            self.refused += 1
            return False
        self.taken += 1
        if group:
            self._held[group] = held + 1
        return True

    def leave(self, group: str) -> None:
        """Give back a place that was taken for `group`."""
        self.taken -= 1
        if not group:
            return
        left = self._held[group] - 1
        if left:
            self._held[group] = left
        else:
            del self._held[group]
