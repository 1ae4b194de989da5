"""What it means that a probe came to no answer: that the site fails, or that nothing was seen of it (`void`).

    an address is forbidden                   the probe says
    that stands in the site's URL             void: the prober was told not to look
    to which its name leads, here             dns: names of domains that are suspended or filtered lead there
    to which its name leads, for a verifier   void: the site may be in the daemon's own network
    to which a redirect leads                 redirect: it is the site's own doing

    connecting failed, as                                     it tells of
    EMFILE ENFILE ENOBUFS ENOMEM EAGAIN EPERM EACCES          the machine, which refuses it to itself
    EADDRNOTAVAIL, to an IPv4 address                         the machine, which has no local port left
    EADDRNOTAVAIL, to an IPv6 address                         the family, of which the machine has no address
    ENETUNREACH EAFNOSUPPORT ENETDOWN                         the family, to which the machine has no way
    anything else                                             the site

    the time was used up                      the probe says
    and this process saw to it too late       void
    while it waited for its turn              void
    by looking up the name, for half of it    dns
    while not all addresses could be tried    void
    after an answer that counts               status
    otherwise                                 timeout

Several attempts to connect to one host are judged by what tells of the machine, else of the site, else of the family: a
machine without IPv6 is common and fails IPv6 at once, so that matters only where nothing else was left to try.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable
from ipaddress import IPv4Address, ip_address
from typing import Final, Literal, TypeAlias

from pingmon.core.site.failures import (
    BAD_STATUS,
    CANNOT_CONNECT_TO_ALL,
    DNS_SILENT,
    FORBIDDEN_NAME,
    HELD_UP,
    LEADS_ASTRAY,
    NO_PLACE,
    NOT_ALLOWED,
    TIMED_OUT,
    FailureKind,
)
from pingmon.core.site.probe_result import Phase

TellsOf: TypeAlias = Literal["machine", "site", "family"]
"""What a failed attempt to connect tells of."""
BEFORE: Final[tuple[TellsOf, ...]] = ("machine", "site", "family")
"""Which of several attempts counts: one that tells of what stands first here."""

EXHAUSTED: Final = frozenset(
    {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EAGAIN, errno.EPERM, errno.EACCES}
)
NO_NETWORK: Final = frozenset({errno.ENETUNREACH, errno.EAFNOSUPPORT, errno.ENETDOWN})

HELD_UP_S: Final = 1.0
"""Seconds by which a probe may be ended late and still count."""
LONG_LOOKUP: Final = 0.5
"""Part of its time from which on a lookup is to blame for a probe that used it up."""

DOING: Final[dict[Phase, str]] = {
    "wait": "waiting for its turn",
    "dns": "looking up the name",
    "connect": "connecting",
    "tls": "shaking hands over TLS",
    "answer": "waiting for the answer",
}
"""The phases of a probe, in the words of its failures."""


def forbidden(*, literal: bool, redirected: bool, elsewhere: bool) -> FailureKind:
    """Of which class it is that a probe was led to an address where it may not look.

    `literal`: it stands in the URL, of the site or of a redirect; `redirected`: a redirect has led there; `elsewhere`:
    a verifier looks.
    """
    if redirected:
        return LEADS_ASTRAY
    return NOT_ALLOWED if literal or elsewhere else FORBIDDEN_NAME


def tells_of(address: str, number: int | None) -> TellsOf:
    """What a failure to connect to `address` tells of. `number` is its `errno`; None if it had none."""
    if number == errno.EADDRNOTAVAIL:
        return "machine" if isinstance(ip_address(address), IPv4Address) else "family"
    return "machine" if number in EXHAUSTED else "family" if number in NO_NETWORK else "site"


def counting_attempt(attempts: Iterable[tuple[str, int | None]]) -> tuple[int, TellsOf]:
    """Which of these failed attempts (address, `errno`) counts, by its place among them, and what it tells of.

    There is at least one.
    """
    told = [tells_of(*attempt) for attempt in attempts]
    counts = min(told, key=BEFORE.index)
    return told.index(counts), counts


def out_of_time(
    phase: Phase, *, late_s: float, phase_s: float, limit_s: float, untried: bool, answered: bool
) -> FailureKind:
    """Of which class it is that a probe used up its time, of `limit_s` seconds, the last `phase_s` of them in `phase`.

    `late_s`: by how many seconds its end came late, because nobody took its next step; `untried`: no address has
    answered, and some could not be tried for reasons of this machine; `answered`: there is an answer that counts.
    """
    if late_s > HELD_UP_S:
        return HELD_UP
    if phase == "wait":
        return NO_PLACE
    if phase == "dns" and phase_s >= limit_s * LONG_LOOKUP:
        return DNS_SILENT
    if untried:
        return CANNOT_CONNECT_TO_ALL
    return BAD_STATUS if answered else TIMED_OUT
