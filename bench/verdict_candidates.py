"""Rules that were considered for ours: what a round leads to when places disagree, and when they are asked again.

Written apart from `core/site`, so that what was not chosen leaves nothing there. The first candidate is the
chosen rule; it asks nobody about the daemon's own place, but knows when that is sick.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from verdict_rules import TIMEOUT_S, VERIFIERS, Notice, next_on_grid, phase
from verdict_world import DAEMON, Seen, SiteWorld

Found: TypeAlias = Literal["up", "down", "", "unknown"]

BACK_OFF_S: Final = (10.0, 30.0, 60.0, 120.0, 300.0)
DOWN_PACE_S: Final = 30.0


@dataclass(frozen=True)
class Candidate:
    """`at_once`: which failures a single round confirms, if a quorum agrees: `any`; those that nobody `disputes`; those
    of them that are not the daemon's own `timeouts`; or `none`.

    Of others there must be `agreeing` rounds, `pace_s` apart. `torn`: how many rounds that are good here and bad for a
    quorum are an end. `outvoted`: how many that are bad here and good for most.
    """

    at_once: Literal["any", "undisputed", "no timeouts", "none"] = "no timeouts"
    agreeing: int = 2
    pace_s: float = 10.0
    torn: int = 2
    outvoted: int = 1
    quorum: int = 2

    def __call__(self, site: SiteWorld, interval: float) -> list[Notice]:
        """What users are told about the site."""
        notices: list[Notice] = []
        now = phase(site, interval)
        while (now := site.next_trouble(now, interval)) < site.world.end:
            first = site.probe(DAEMON, now, TIMEOUT_S)
            ended = first.end
            if not first.good:
                down, ended = self._decided(site, ended)
                if down and ended < site.world.end:
                    notices.append(Notice(ended, "down", now))
                    ended = _recovered(site, ended)
                    if ended < site.world.end:
                        notices.append(Notice(ended, "up", now))
            now = next_on_grid(now, interval, ended)
        return notices

    def _decided(self, site: SiteWorld, start: float) -> tuple[bool, float]:
        """Whether it is down, and when that was decided, by rounds from `start` on."""
        counts = {"agreed": 0, "torn": 0, "outvoted": 0, "unknown": 0}
        while start < site.world.end:
            own = site.probe(DAEMON, start, TIMEOUT_S)
            votes = [site.probe(place, start, TIMEOUT_S) for place in VERIFIERS]
            ended = max(own.end, *(vote.end for vote in votes))
            found = self._found(own, own.end - start >= TIMEOUT_S, votes, counts, site.daemon_sick(own.end))
            if found in ("up", "down"):
                return found == "down", ended
            counts["unknown"] = counts["unknown"] + 1 if found == "unknown" else 0
            wait = BACK_OFF_S[min(counts["unknown"], len(BACK_OFF_S)) - 1] if found == "unknown" else self.pace_s
            start = max(ended, start + wait)
        return False, start

    def _found(self, own: Seen, late: bool, votes: list[Seen], counts: dict[str, int], sick: bool) -> Found:
        present = [vote for vote in votes if not vote.void]
        failing = sum(not vote.good for vote in present)
        well = len(present) - failing
        if own.good:
            counts["torn"] += failing >= self.quorum
            return "up" if failing < self.quorum or counts["torn"] >= self.torn else ""
        if well > len(votes) / 2:
            counts["outvoted"] += 1
            return "up" if counts["outvoted"] >= self.outvoted else ""
        if not present or failing < min(self.quorum, len(present)):
            return "unknown"
        undisputed = failing >= self.quorum and not well
        if sick and not undisputed:
            return "unknown"
        counts["agreed"] += 1
        sure = {"any": True, "undisputed": undisputed, "no timeouts": undisputed and not late, "none": False}
        return "down" if sure[self.at_once] or counts["agreed"] >= self.agreeing else ""


def _recovered(site: SiteWorld, ended: float) -> float:
    """When an outage is over: at a good look here that a verifier confirms."""
    start = ended + DOWN_PACE_S
    while start < site.world.end:
        own = site.probe(DAEMON, start, TIMEOUT_S)
        if own.good:
            votes = [site.probe(place, own.end, TIMEOUT_S) for place in VERIFIERS]
            if any(vote.good for vote in votes):
                return max(vote.end for vote in votes)
        start = max(own.end, start + DOWN_PACE_S)
    return start


CANDIDATES: Final = {
    "the chosen rule": Candidate(),
    "any quorum at once": Candidate("any"),
    "any quorum at once, one torn round is an end (before)": Candidate("any", torn=1),
    "undisputed failures at once, timeouts too": Candidate("undisputed"),
    "nothing at once": Candidate("none"),
    "one torn round is an end": Candidate(torn=1),
    "three torn rounds are an end": Candidate(torn=3),
    "two outvoted rounds are an end": Candidate(outvoted=2),
    "three agreeing rounds": Candidate(agreeing=3),
    "rounds 20 s apart": Candidate(pace_s=20),
    "rounds 30 s apart": Candidate(pace_s=30),
    "quorum 1": Candidate(quorum=1),
    "quorum 3": Candidate(quorum=3),
}
