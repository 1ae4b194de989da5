"""What one probe of a site saw, from one place.

    fault      class of what went wrong; "" is a good answer, `void` that the prober itself could, or may, not look
    dns        the name has no address, or its servers do not answer
    connect    refused, reset or unreachable before anything was said
    tls        the handshake, the chain or the name in the certificate
    timeout    the whole time was used up
    status     an HTTP answer with a status that is not up (`status_codes`)
    redirect   too many of them, a loop, or one that leads nowhere or to where the prober may not look
    protocol   an answer that is not HTTP, or too large

Note [Looks that count for nothing]
A look is `void` when it tells of whoever looked, and nothing of the site:

* It could not be made. The machine has no descriptor, no network or no name server that answers; there was no place
  free for it; the process stood still.
* It may not be made. The address that stands in the URL is forbidden, or, for a verifier, the one behind the name.
* It cannot be believed. The daemon's own place is sick: its canaries, other sites or the verifiers say so
  (`sites.own_health`).
* A verifier did not answer, or not in time, or not in a way that proves anything; or nobody waited for it (`verify`).

Taken for a failure, such a look would page people for pingmon's own trouble; taken for a success, it would end an
outage that goes on. So it is neither. It moves no count of looks in a row, and a verifier's is *absent* from the
verdict (`verdict`). It is counted for itself in the hour, and goes into the log only beside one that counts. The
daemon makes its own again within 50 s (`sites.site_watch`). Yet of a site that nobody can see nobody knows that it is
well: the third in a row is logged, and a site that is not down is `unknown` then (`sites.rounds`, `site`). No failure
was seen, so no incident begins, and nobody is told but the operator, if it goes for most sites
(`daemon.health_problems`).

Source: the partner webhook's `code` (0: no HTTP status was received), and the classes that operators ask for.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from msgspec import Struct

Method: TypeAlias = Literal["HEAD", "GET"]
Methods: TypeAlias = tuple[Method, ...]
"""What a site is asked, in this order: the next when the one before it came to nothing."""
ASKED: Final[Methods] = ("HEAD", "GET")
"""The same, unless the site says otherwise."""
Phase: TypeAlias = Literal["wait", "dns", "connect", "tls", "answer"]
"""What a probe is busy with; in `wait` it is not even its turn."""
Fault: TypeAlias = Literal["", "dns", "connect", "tls", "timeout", "status", "redirect", "protocol", "void"]


def methods(method: Method, head_only: bool) -> Methods:
    """What a site is asked that wants `method`; `head_only`: no GET where HEAD came to nothing."""
    return (method,) if head_only or method == "GET" else (method, "GET")


class Phases(Struct, frozen=True, omit_defaults=True, gc=False):
    """Milliseconds that each part of a probe took, over all hops; 0 for a part that was not reached."""

    dns: int = 0
    connect: int = 0
    tls: int = 0
    answer: int = 0


class ProbeResult(Struct, frozen=True, omit_defaults=True, gc=False):
    """`node` is the verifier's name ("" for this daemon), `at` the end of the probe (microseconds since the epoch).

    `code` is the last HTTP status received, 0 if there was none; `ms` the time in all; `address` the last one that was
    connected to; `detail` a few words for people, never a stranger's text in full.
    """

    node: str = ""
    at: int = 0
    code: int = 0
    fault: Fault = ""
    ms: int = 0
    address: str = ""
    detail: str = ""
    phases: Phases = Phases()

    @property
    def good(self) -> bool:
        """The site answered as it should."""
        return self.fault == ""

    @property
    def counts(self) -> bool:
        """Whether this says anything about the site at all; Note [Looks that count for nothing]."""
        return self.fault != "void"
