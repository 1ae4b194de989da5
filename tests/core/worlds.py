"""A world with a log in front of it, for tests of the fold."""

from __future__ import annotations

from typing import Any, cast

from pingmon.core.check.check import Check
from pingmon.core.check.settings import CheckSpec
from pingmon.core.notify.notification import Notification
from pingmon.core.partner.inquiry import AnswerKind, PartnerAnswer
from pingmon.core.partner.partner import Partner, PartnerSpec
from pingmon.core.site.probe_result import ProbeResult
from pingmon.core.site.settings import SiteSpec
from pingmon.core.site.site import Inquiry, Site
from pingmon.core.units import HOUR as HOUR
from pingmon.core.units import MINUTE as MINUTE
from pingmon.core.world import events as e
from pingmon.core.world.fold import fold
from pingmon.core.world.outcome import Outcome
from pingmon.core.world.snapshot import BLOCK, Saver
from pingmon.core.world.snapshot_blocks import Block
from pingmon.core.world.world import World
from pingmon.testing import PROJECT, START, uuid
from pingmon.testing import bad as bad
from pingmon.testing import good as good

T0 = START
T = T0 + 2 * HOUR
"""Until when partners ask for silence."""
P, Q = PROJECT, uuid(2, "a")
C1, C2, C3 = (uuid(n) for n in (1, 2, 3))
H1, H2, H3 = (uuid(n, "d") for n in (1, 2, 3))
S1, S2 = (uuid(n, "e") for n in (1, 2))
A, B = (uuid(n, "f") for n in (1, 2))
URL = "http://shop.example/"
HOOK = "https://hooks.example/"

PARTS: dict[type[e.Event], str] = {
    e.CheckEvent: "check",
    e.SiteEvent: "site",
    e.PartnerEvent: "partner",
    e.ClockStepped: "everything",
}
"""The parts of an outcome, and the events that alone may tell of them."""


class Log:
    """A world with a log in front of it. `now` is when what is added happened; tests let it pass."""

    def __init__(self) -> None:
        self.now = T0
        self.world = World()
        self.entries: list[e.Entry] = []
        self.outcomes: list[Outcome] = []
        self.add(P, e.ProjectCreated("first", "pingkey"))

    def add(self, stream: str, event: e.Event, at: int | None = None) -> Outcome:
        entry = e.Entry(len(self.entries) + 1, self.now if at is None else at, stream, cast(e.AnyEvent, event))
        self.entries.append(entry)
        outcome = fold(self.world, entry)
        self.outcomes.append(outcome)
        for kind, part in PARTS.items():
            assert isinstance(event, kind) or not getattr(outcome, part), "who listens to such events misses one"
        return outcome

    def again(self, world: World, seq: int) -> None:
        """Take the entries after `seq` into `world`. What each does, and the deliveries it ends, is what it did."""
        for entry, outcome in zip(self.entries[seq:], self.outcomes[seq:], strict=True):
            assert fold(world, entry) == outcome

    def channel(self, id: str = H1, project: str = P) -> str:
        self.add(id, e.ChannelCreated(project, "webhook", f"hook {id[-1]}", {"url_down": "http://x/"}, "whsec_x"))
        return id

    def group(self, *members: str, id: str = H3) -> str:
        self.add(id, e.ChannelCreated(P, "group", "all", {"channels": ",".join(members)}, "whsec_x"))
        return id

    # --- checks ---------------------------------------------------------------------------------------------------

    def check(self, id: str = C1, project: str = P, **spec: Any) -> Check:
        outcome = self.add(id, e.CheckCreated(project, CheckSpec(**spec)))
        assert outcome.check is not None
        return outcome.check

    def ping(self, id: str = C1, signal: e.Signal = "success", at: int | None = None) -> Outcome:
        return self.add(id, e.PingReceived(signal), at)

    def expire(self, id: str = C1) -> Outcome:
        check = self.world.checks[id]
        assert check.deadline is not None
        return self.add(id, e.CheckExpired(check.deadline, check.armed_by), check.deadline)

    # --- sites and partners ---------------------------------------------------------------------------------------

    def site(self, id: str = S1, **spec: Any) -> Site:
        """A site that was seen well, told to the first channel if nothing else is said."""
        self.add(id, e.SiteCreated(P, SiteSpec(**{"url": URL, "host": "a", "channels": (H1,)} | spec)))
        self.probe(id, good())
        return self.world.sites[id]

    def partner(self, id: str = A, **spec: Any) -> Partner:
        """A partner called `a` that can be asked, if nothing else is said."""
        outcome = self.add(id, e.PartnerCreated(PartnerSpec(**{"slug": "a", "webhook": HOOK} | spec)))
        assert outcome.partner is not None
        return outcome.partner

    def probe(self, id: str, *looks: ProbeResult, asked: int = 0) -> Outcome:
        return self.add(id, e.SiteProbed(looks, asked, 2 if asked else 0, place="unsure" if asked else ""))

    def fails(self, id: str = S1) -> Outcome:
        """The site fails here and for two verifiers: a verdict, if it was suspect; else it is suspect first."""
        if self.world.sites[id].status in ("new", "up"):
            self.probe(id, bad(at=self.now))
        return self.probe(id, bad(at=self.now), bad("berlin", self.now), bad("tokyo", self.now), asked=2)

    def recovers(self, id: str = S1) -> Outcome:
        """The site answers here and a verifier: a recovery, if it was down."""
        return self.probe(id, good(at=self.now), good("berlin", self.now), asked=2)

    def inquiry(self, id: str = S1) -> Inquiry:
        """What the partner is being asked about the site."""
        inquiry = self.world.sites[id].inquiry
        assert inquiry is not None
        return inquiry

    def answer(
        self,
        kind: AnswerKind = "ok",
        until: int | None = None,
        id: str = S1,
        *,
        shared: bool = False,
        to: Inquiry | None = None,
    ) -> Outcome:
        """The partner answers what it is asked about the site, or what it was asked before."""
        inquiry = to or self.inquiry(id)
        answer = PartnerAnswer(kind, until, shared=shared)
        return self.add(id, e.PartnerAnswered(inquiry.question.id, inquiry.partner, answer, 5))

    def until(self, until: int, id: str = S1) -> Outcome:
        """The partner asks for silence."""
        return self.answer("until", until, id)

    def news(self, channel: str = H1) -> list[str]:
        """What is owed to the channel, as `site up` and the like; it is owed no more then."""
        owed = list(self.world.outbox.get(channel, {}).values())
        for each in owed:
            self.add(channel, e.NotificationDelivered(each.id, 1, 200))
        return [_said(each) for each in owed]

    @property
    def asked(self) -> list[tuple[str, int]]:
        """What partners are being asked, as (slug, code)."""
        inquiries = (self.world.sites[id].inquiry for id in self.world.inquiring)
        return [(each.question.host, each.question.code) for each in inquiries if each is not None]


def _said(owed: Notification) -> str:
    return f"{'again ' if owed.down_from is not None else ''}{owed.flip.new}"


def two_sites(log: Log, **spec: Any) -> None:
    """Two sites of one partner."""
    log.partner(**spec)
    log.site(S1)
    log.site(S2, url="http://blog.example/")


def state(world: World) -> dict[str, Any]:
    """All that makes a world, to be compared."""
    return {name: value for name, value in vars(world).items() if name != "_dirty"} | {
        "members": {
            id: (list(m.checks.items()), list(m.sites), list(m.channels), m.slugs, m.namesakes)
            for id, m in world.members.items()
        }
    }


class Saves:
    """Saves a log's world as the daemon does: what changed since the last time, over what was saved before."""

    def __init__(self, log: Log, size: int = BLOCK) -> None:
        self.seq = 0
        self.blocks: list[Block] = []
        self._log = log
        self._size = size
        self.saver = Saver(log.world, size)

    def save(self, *, failed: bool = False, kept: bool = True) -> None:
        """Save; a save that `failed` may have been `kept` all the same."""
        save = self.saver.save()
        seq, blocks = self._log.world.seq, list(save.blocks)
        if kept:
            self.seq = seq
            self.blocks = [
                block for block in self.blocks if not any(old.holds(block) for old in save.outdated)
            ] + blocks
        if failed:
            save.failed()

    def restored(self) -> World:
        """The world that the last save and the entries after it make."""
        world = World()
        Saver(world, self._size).restore(self.seq, self.blocks)
        self._log.again(world, self.seq)
        return world

    def restart(self) -> None:
        """Go on with the world that is restored."""
        self._log.world = World()
        self.saver = Saver(self._log.world, self._size)
        self.saver.restore(self.seq, self.blocks)
        self._log.again(self._log.world, self.seq)


def replayed(log: Log) -> World:
    """The world that all entries make."""
    world = World()
    log.again(world, 0)
    return world
