"""How each verifier has done, and whether enough of them are left.

A verifier is *in trouble* from an answer of no use to the next one that is of use: no answer in time, nobody there, a
wrong secret or clock. Answers from the verifier itself, if only that it cannot look now, are not believed at once to
mean more than that; `PASSING` of them in a row are. That it may not look at a certain site, or has no way there, is
about the site and no trouble at all.

The operator hears of it once when it begins and once when it is over, not at each of the thousands of questions that
an outage makes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace
from twisted.logger import Logger

from pingmon.core.site.failures import ABOUT_THE_SITE
from pingmon.core.site.probe_result import ProbeResult

PASSING: Final = 3
"""Answers in a row that it cannot look now, from which that is trouble."""
UNHEARD: Final = 10
"""Rounds in a row that did not wait for somebody, after which one does, lest its trouble stay unknown."""

log = Logger()


class Heard(Struct, frozen=True):
    """What came of a question. `alive`: it was the verifier that said so, however little it says about the site."""

    look: ProbeResult
    alive: bool = False


class PeerHealth(Struct, frozen=True):
    """How one verifier has done since the start; instants in microseconds since the epoch, 0 for never.

    `asked` counts the questions whose answer was waited for, `answered` the answers that say something about the site;
    `last_error` is why the last one that did not.
    """

    name: str
    region: str
    asked: int = 0
    answered: int = 0
    last_ok: int = 0
    last_error_at: int = 0
    last_error: str = ""


class Standing:
    """One verifier's. `trouble`: why it is of no use, "" if it is or was never asked."""

    def __init__(self, name: str, region: str) -> None:
        self.name = name
        self.region = region
        self.trouble = ""
        self.health = PeerHealth(name, region)
        self._useless = 0
        self._unheard = 0

    def due(self) -> bool:
        """Whether this round, and then no other, is to wait for its answer although it can do without."""
        due = self._unheard >= UNHEARD
        self._unheard = 0 if due else self._unheard
        return due

    def passed_over(self) -> None:
        """A round did not wait for its answer."""
        self._unheard += 1

    def heard(self, heard: Heard) -> None:
        """It has answered, or failed to."""
        self._unheard = 0
        self.health = _after(self.health, heard.look)
        if heard.look.counts or (heard.alive and heard.look.detail.startswith(ABOUT_THE_SITE)):
            self._well()
        else:
            self._useless += 1
            if not heard.alive or self._useless >= PASSING or self.trouble:
                self._ill(heard.look.detail)

    def _well(self) -> None:
        if self.trouble:
            log.info("the verifier {name} is of use again", name=self.name)
        self._useless, self.trouble = 0, ""

    def _ill(self, why: str) -> None:
        why = why or "it cannot look"
        if not self.trouble:
            log.warn("the verifier {name} is of no use: {why}", name=self.name, why=why)
        self.trouble = why


def trouble(standings: Sequence[Standing], needed: int) -> str:
    """What the operator has to know: that fewer than `needed` are of use, and why; empty if enough are."""
    ill = [each for each in standings if each.trouble]
    left = len(standings) - len(ill)
    if not ill or left >= needed:
        return ""
    why = "; ".join(f"{each.name}: {each.trouble}" for each in ill)
    if len(standings) == 1:
        return f"the only verifier does not answer: {why}"
    some = f"only {left}" if left else "none"
    answer = "answer" if left > 1 else "answers"
    return f"{some} of {len(standings)} verifiers {answer}, fewer than the quorum of {needed}: {why}"


def _after(health: PeerHealth, look: ProbeResult) -> PeerHealth:
    health = replace(health, asked=health.asked + 1)
    if look.counts:
        return replace(health, answered=health.answered + 1, last_ok=look.at)
    return replace(health, last_error_at=look.at, last_error=look.detail)
