"""What a round of looks says about a site that fails, or seems to.

A round is what was seen at one time, here and elsewhere. A verifier that could not look, or was not heard of, is
*absent*: it counts for nobody (Note [Looks that count for nothing] in `probe_result`).

    here                elsewhere                                               the round says
    good                fewer than `quorum` see it failing                      up
    good                at least `quorum` do                                    torn
    bad                 most of those asked see it well                         up
    bad                 all are absent, or nobody was asked                     alone
    bad, not a timeout  at least `quorum` see it failing, nobody sees it well   down
    bad                 of those present, a quorum sees it failing              failing
    bad                 fewer do: others see it well                            unknown
    void                most of those asked see it well                         up
    void                anything else                                           unknown

The quorum of those present is `quorum`, or all of them if they are fewer. What follows from a round is up to
`core.site`: `down` and `up` are decided, `failing` and `torn` need a second such round. A timeout is the weakest sign
of all: a packet that is lost and a site that is slow look the same. So it is never believed at once.

Rounds that were logged before it was noted how the daemon's own place was (`place` is "") are judged as they were then:
their messages are sent, and no replay may make others of them.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from pingmon.core.site.failures import FORBIDDEN_NAME, NOT_ALLOWED
from pingmon.core.site.probe_result import ProbeResult

Verdict: TypeAlias = Literal["down", "up", "failing", "torn", "alone", "unknown"]
Place: TypeAlias = Literal["", "well", "unsure"]
"""How the daemon's own place was: its canaries or other sites were well, or nobody vouched for it."""


class Round(Struct, frozen=True, omit_defaults=True, gc=False):
    """What was seen at one time, and from how many places it was asked for.

    `looks` are the daemon's own (`node` is "") and the verifiers'; `asked` counts the verifiers that were asked and
    `quorum` how many of them must agree on a failure.
    """

    looks: tuple[ProbeResult, ...]
    asked: int = 0
    quorum: int = 0
    place: Place = ""

    @property
    def own(self) -> ProbeResult | None:
        """The daemon's newest look that saw anything."""
        return next((look for look in reversed(self.looks) if look.node == "" and look.counts), None)

    @property
    def others(self) -> tuple[ProbeResult, ...]:
        """The verifiers' looks that saw anything, one for each verifier."""
        return tuple({look.node: look for look in self.looks if look.node != "" and look.counts}.values())

    @property
    def seen_well(self) -> bool:
        """Whether somebody elsewhere sees the site well."""
        return any(look.good for look in self.others)

    @property
    def unanimous(self) -> bool:
        """Whether enough verifiers see the site failing, and none sees it well."""
        return len(self.others) >= max(1, self.quorum) and not self.seen_well

    @property
    def at(self) -> int:
        """When the last look of the round ended."""
        return max((look.at for look in self.looks), default=0)


NOTHING_SEEN: Final = Round(())


def verdict(seen: Round) -> Verdict:
    """What `seen` says, by the table above."""
    if seen.asked and not seen.place:
        return _before_places(seen)
    own, present = seen.own, len(seen.others)
    failing = sum(not look.good for look in seen.others)
    well, quorum = present - failing, max(1, seen.quorum)
    if own is not None and own.good:
        return "torn" if seen.asked and failing >= quorum else "up"
    if seen.asked and well > seen.asked / 2:
        return "up"
    if own is None:
        return "unknown"
    if not present:
        return "alone"
    if seen.unanimous and own.fault != "timeout":
        return "down"
    return "failing" if failing >= min(quorum, present) else "unknown"


def agreed(own: ProbeResult, others: tuple[ProbeResult, ...]) -> tuple[ProbeResult, ...]:
    """What verifiers saw, once it is known what was seen here.

    One that may not look where a name leads says nothing of the site, which may be in a network that only the daemon
    is allowed into. But if the daemon may not look there either, both have seen the same: it leads nowhere.
    """
    if not FORBIDDEN_NAME.seen_in(own):
        return others
    return tuple(
        replace(look, fault=own.fault, detail=own.detail) if NOT_ALLOWED.seen_in(look) else look for look in others
    )


def _before_places(seen: Round) -> Verdict:
    """The rule of the first versions: the absent could keep a verdict from being had, and one quorum was enough."""
    own, failing = seen.own, sum(not look.good for look in seen.others)
    if (own is not None and own.good) or len(seen.others) - failing > seen.asked / 2:
        return "up"
    return "down" if own is not None and failing >= max(1, seen.quorum) else "unknown"
