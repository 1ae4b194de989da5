"""Fakes for tests of pingmon and of what is built on it: time that the test advances, and a daemon without I/O.

This module is public API: a name without an underscore changes only with a line in the CHANGELOG. All stages of
pingmon's own tests that have a monitor grow from `Rig`, so what only one of them needs has no place in it.

rig = Rig()
check = rig.check(timeout=60, grace=60)
rig.ping(check)
rig.advance(121)
assert rig.world.checks[check].status == "down"

site = rig.site(host="example", channels=(rig.channel(),))
rig.partner(slug="example")
rig.probe(site, bad())
rig.probe(site, bad(), bad("berlin"), asked=1, quorum=1)
rig.answer(site)
assert rig.world.sites[site].told
"""

from __future__ import annotations

from typing import Any, Self, TypeVar
from uuid import UUID

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from pingmon.alarms import Alarms
from pingmon.core.check.settings import CheckSpec
from pingmon.core.flip import Flip
from pingmon.core.notify.channel_settings import ChannelSettings
from pingmon.core.partner.inquiry import AnswerKind, PartnerAnswer
from pingmon.core.partner.partner import PartnerSpec
from pingmon.core.site.probe_result import Fault, ProbeResult
from pingmon.core.site.settings import SiteSpec
from pingmon.core.units import SECOND, Id
from pingmon.core.world.events import (
    AnyEvent,
    ChannelCreated,
    CheckCreated,
    Entry,
    Event,
    PartnerAnswered,
    PartnerCreated,
    PingReceived,
    ProjectCreated,
    Signal,
    SiteCreated,
    SiteProbed,
)
from pingmon.core.world.outcome import Outcome
from pingmon.core.world.world import World
from pingmon.journal import Memory, MemoryJournal
from pingmon.monitor import Monitor
from pingmon.timing.clock import Timekeeper

T = TypeVar("T")
E = TypeVar("E", bound=Event)

START_S = 1_700_000_000
START = START_S * SECOND
PROJECT = "aaaaaaaa-0000-4000-8000-000000000001"
PING_KEY = "ping-key_0123456789-ABC"
SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"


class FakeTime:
    """Three clocks that agree until the test says otherwise: the wall's, a steady one, and the reactor's timers.

    It is `START_S` by the wall's at first; the others show the seconds that `clock` has.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self._began = self.clock.seconds()
        self._set_by = 0.0
        self._slept = 0.0
        self._worked = 0.0

    def wall(self) -> float:
        """Seconds since the epoch, as the wall clock shows them."""
        return START_S + self.clock.seconds() - self._began + self._slept + self._set_by

    def steady(self) -> float:
        """Seconds that have truly passed."""
        return self.clock.seconds() + self._slept

    def advance(self, seconds: float, step: float = 1.0) -> None:
        """Let time pass in steps of at most `step` seconds, so that loops run as often as they would.

        What is due already runs first, and alone if `seconds` is 0.
        """
        self.clock.advance(0)
        while seconds > 0:
            self.clock.advance(min(step, seconds))
            seconds -= step

    def set_wall(self, by: float) -> None:
        """Set the wall clock by `by` seconds."""
        self._set_by += by

    def busy(self) -> float:
        """Seconds of processor time used; only `work` uses any."""
        return self._worked

    def sleep(self, seconds: float) -> None:
        """Suspend the machine: time passes, nothing runs."""
        self._slept += seconds

    def work(self, seconds: float) -> None:
        """Keep the loop busy: time passes, nothing else runs."""
        self._slept += seconds
        self._worked += seconds


class Rig:
    """A monitor with its alarms over a journal in memory, and with a project (`PROJECT`, `PING_KEY`) if it is wanted.

    `time` and the timers of `clock` move only when the test says so. `entries` and `flips` are those that were logged
    while it ran; `events` reads the whole log. `journal` lets writes fail (`fail_next`). `monitor` is what the parts of
    a daemon stand on. A subclass adds such a part, and takes `time` and `memory` first if it is to be restarted.
    """

    def __init__(
        self,
        time: FakeTime | None = None,
        memory: Memory | None = None,
        *,
        hold_s: float = 60.0,
        project: bool = True,
    ) -> None:
        self.time = time or FakeTime()
        self.clock = self.time.clock
        self.memory = memory or Memory()
        self.journal: MemoryJournal[Outcome] = MemoryJournal(memory=self.memory)
        self.keeper = Timekeeper(self.time.wall, self.time.steady, busy=self.time.busy)
        self.monitor = Monitor(self.journal, self.keeper, hold_s=hold_s)
        self.alarms = Alarms(self.monitor, self.clock)
        self.entries: list[Entry] = []
        self.flips: list[Flip] = []
        self.monitor.listen(self._logged)
        self.monitor.open()
        self.monitor.start()
        self.alarms.start()
        if project and not self.world.projects:
            self.submit(PROJECT, ProjectCreated("project", PING_KEY))

    def restarted(self, *, clean: bool = True, away_s: float = 0.0, **more: Any) -> Self:
        """The next daemon over the same log, `away_s` seconds later. Not `clean`: this one was killed.

        It is of the same class, and made of `time`, `memory` and what else is given here.
        """
        self.alarms.stop()
        if clean:
            result(self.monitor.stop())
        self.time.sleep(away_s)
        return type(self)(self.time, self.memory, **more)

    @property
    def world(self) -> World:
        """The folded state."""
        return self.monitor.world

    @property
    def now(self) -> int:
        """Microseconds since the epoch by the wall clock."""
        return round(self.time.wall() * SECOND)

    def events(self, *kinds: type[E], of: Id | None = None) -> list[E]:
        """The events of these kinds in the whole log, from the oldest on; `of`: of this check, site … alone."""
        entries = map(self.memory.entry, sorted(self.memory.rows))
        return [each.event for each in entries if isinstance(each.event, kinds) and of in (None, each.stream)]

    def advance(self, seconds: float, step: float = 1.0) -> None:
        """Let time pass, in steps of at most `step` seconds."""
        self.time.advance(seconds, step)

    def submit(self, stream: Id, event: AnyEvent, payload: bytes | None = None) -> Outcome:
        """Log `event`; its outcome, at once. Raises what the submission failed with."""
        return result(self.monitor.submit(stream, event, payload))

    def check(self, number: int = 1, **spec: Any) -> Id:
        """A check of the project; the fields of its `CheckSpec` may be given."""
        return self.submit(uuid(number), CheckCreated(PROJECT, CheckSpec(**spec))).id

    def channel(self, number: int = 1, *, settings: ChannelSettings | None = None, **value: Any) -> Id:
        """A webhook channel of the project; by default it posts to a receiver that does not exist."""
        hook = {"url_down": "http://localhost/down", "url_up": "http://localhost/up"} | value
        generic = settings or ChannelSettings()
        made = ChannelCreated(PROJECT, "webhook", f"hook {number}", hook, SECRET, settings=generic)
        return self.submit(uuid(number, "d"), made).id

    def ping(self, check: Id, signal: Signal = "success", payload: bytes | None = None, **more: Any) -> Outcome:
        """A ping of `check`, as the HTTP side would submit it."""
        return self.submit(check, PingReceived(signal, **more), payload)

    def site(self, number: int = 1, **spec: Any) -> Id:
        """A site of the project, not looked at yet; the fields of its `SiteSpec` may be given."""
        settings = {"url": f"http://site-{number}.example/"} | spec
        return self.submit(uuid(number, "5"), SiteCreated(PROJECT, SiteSpec(**settings))).id

    def partner(self, number: int = 1, **spec: Any) -> Id:
        """A partner that can be asked; the fields of its `PartnerSpec` may be given."""
        settings = {"slug": f"partner-{number}", "webhook": f"http://localhost/partner-{number}"} | spec
        return self.submit(uuid(number, "9"), PartnerCreated(PartnerSpec(**settings))).id

    def probe(self, site: Id, *looks: ProbeResult, asked: int = 0, quorum: int = 0) -> Outcome:
        """What was seen of `site` at one time; `asked` and `quorum` are the verifiers'."""
        return self.submit(site, SiteProbed(looks, asked, quorum))

    def answer(self, site: Id, kind: AnswerKind = "ok", until: int | None = None) -> Outcome:
        """The partner's answer to what it is being asked about `site`."""
        inquiry = self.world.sites[site].inquiry
        assert inquiry is not None, "nobody is asked about the site"
        return self.submit(site, PartnerAnswered(inquiry.question.id, inquiry.partner, PartnerAnswer(kind, until), 1))

    def _logged(self, entry: Entry, outcome: Outcome) -> None:
        self.entries.append(entry)
        if outcome.flip is not None:
            self.flips.append(outcome.flip)


def good(node: str = "", at: int = START, code: int = 200) -> ProbeResult:
    """A look that saw what it should, from here or from the verifier `node`."""
    return ProbeResult(node, at, code)


def bad(
    node: str = "",
    at: int = START,
    code: int = 503,
    fault: Fault = "status",
    detail: str = "503 Service Unavailable",
) -> ProbeResult:
    """A look that failed, from here or from the verifier `node`."""
    return ProbeResult(node, at, code, fault, detail=detail)


def uuid(number: int, kind: str = "c") -> Id:
    """A readable UUID: `kind` is one hex digit."""
    return str(UUID(f"{kind * 8}-0000-4000-8000-{number:012d}"))


def result(deferred: Deferred[T]) -> T:
    """What `deferred` has fired with. Raises its failure, or `AssertionError` if it has not fired."""
    results: list[T | Failure] = []
    deferred.addBoth(results.append)
    assert results, "the Deferred has not fired"
    (found,) = results
    if isinstance(found, Failure):
        found.raiseException()
        raise AssertionError("unreachable")
    return found
