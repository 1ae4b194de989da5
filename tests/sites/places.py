"""Probes and verifiers that see what the test says, when the test says so."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from twisted.internet.defer import Deferred, succeed

from pingmon.core.site.probe_result import ASKED, Fault, Methods, ProbeResult
from pingmon.core.units import Id
from pingmon.core.world.events import SiteProbed
from pingmon.journal import Memory
from pingmon.sites.own_health import Health
from pingmon.sites.rounds import Rounds
from pingmon.sites.site_watch import SiteWatch
from pingmon.sites.stand_ins import StandIns
from pingmon.testing import FakeTime, Rig


class FakeProber:
    """Sees each URL as `faults` says (good if it does not), at once, or when `let_go` is called while it `holds`."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.faults: dict[str, Fault] = {}
        self.addresses: dict[str, str] = {}
        self.details: dict[str, str] = {}
        self.looked: list[tuple[float, str]] = []
        self.holds = False
        self.broken_after: int | None = None
        self.held: list[Callable[[], None]] = []

    def look(self, url: str, timeout_s: float, *, methods: Methods = ASKED) -> Deferred[ProbeResult]:
        """As `Prober.look`."""
        self.looked.append((self.rig.time.steady(), url))
        if self.broken_after is not None and len(self.looked) > self.broken_after:
            raise ZeroDivisionError
        if not self.holds:
            return succeed(self.seen(url))
        done: Deferred[ProbeResult] = Deferred()
        self.held.append(lambda: None if done.called else done.callback(self.seen(url)))
        return done

    def refusal(self, url: str) -> str | None:
        """As `Prober.refusal`."""
        return None

    def seen(self, url: str) -> ProbeResult:
        """What is seen now."""
        fault = self.faults.get(url, "")
        code = 503 if fault == "status" else 0 if fault else 200
        address, detail = self.addresses.get(url, "192.0.2.1"), self.details.get(url, "")
        return ProbeResult("", self.rig.now, code, fault, 7, address, detail)

    def let_go(self) -> None:
        """End all looks that are held."""
        held, self.held = self.held, []
        for go in held:
            go()


class FakeVerifiers:
    """`votes` gives, by URL, the faults that the verifiers see; without an entry three see that all is well."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.votes: dict[str, tuple[Fault, ...]] = {}
        self.details: dict[str, str] = {}
        self.asked: list[str] = []

    def trouble(self) -> str:
        """All are well."""
        return ""

    def ask(self, url: str, timeout_s: float, *, methods: Methods = ASKED) -> Deferred[tuple[ProbeResult, ...]]:
        """As `Verifiers.ask`."""
        self.asked.append(url)
        faults = self.votes.get(url, ("", "", ""))
        detail = self.details.get(url, "")
        looks = [
            ProbeResult(
                f"v{number}", self.rig.now, 503 if fault == "status" else 0 if fault else 200, fault, 9, "", detail
            )
            for number, fault in enumerate(faults)
        ]
        return succeed(tuple(looks))


class Place(Rig):
    """A rig that watches sites with fakes. `verified`: there are verifiers. The URL of a site is `url(number)`."""

    def __init__(
        self,
        time: FakeTime | None = None,
        memory: Memory | None = None,
        *,
        verified: bool = True,
        canaries: tuple[str, ...] = (),
    ) -> None:
        super().__init__(time, memory)
        self.prober = FakeProber(self)
        self.verifiers = FakeVerifiers(self)
        self.addresses: list[tuple[Id, str]] = []
        self.node = Health(self.prober, canaries, self.time.steady)
        self.rounds = Rounds(
            self.monitor,
            self.prober,
            self.node,
            stand_ins=StandIns(self.prober, Random(1)),
            verifiers=self.verifiers if verified else None,
            quorum=2,
            address_seen=lambda site, address: self.addresses.append((site, address)),
        )
        self.watch = SiteWatch(self.monitor, self.rounds, self.node, self.clock)
        self.watch.start()

    def logged(self, site: Id) -> list[SiteProbed]:
        """What was logged of its probes, hours left out."""
        return [event for event in self.events(SiteProbed, of=site) if event.hour is None]

    def status(self, site: Id) -> str:
        """The site's status now."""
        return self.world.sites[site].status

    def fail(self, number: int = 1, fault: Fault = "status", *votes: Fault) -> None:
        """Let the site fail here and, if there are `votes`, so for the verifiers."""
        self.prober.faults[url(number)] = fault
        if votes:
            self.verifiers.votes[url(number)] = votes

    def heal(self, number: int = 1) -> None:
        """Let the site be well for all."""
        self.prober.faults.pop(url(number), None)
        self.verifiers.votes.pop(url(number), None)

    def times(self, number: int = 1) -> list[float]:
        """When the site was looked at from here, in seconds since the start."""
        return [at for at, seen in self.prober.looked if seen == url(number)]


def url(number: int) -> str:
    """The URL of the test's site with this number."""
    return f"http://site-{number}.example/"
