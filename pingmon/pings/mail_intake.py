"""MailIntake: pings by mail. What a message means for the checks that it names, and its way into the log.

It knows no SMTP (`smtp`). Nobody is told here whether a mailbox leads to a check: what names none is taken and thrown
away, as the reference server does it, so that nobody learns by asking. Source of the rules: the pinging API.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from msgspec import Struct
from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import Logger

from pingmon.core.check.check import Check
from pingmon.core.check.ping import USER_AGENT_MAX, is_text, mail_meaning
from pingmon.core.world.events import PingReceived
from pingmon.core.world.outcome import Outcome
from pingmon.journal import JournalFull, JournalUnavailable
from pingmon.monitor import Monitor
from pingmon.pings.intake import PingSettings
from pingmon.timing.rate_limit import RateLimit
from pingmon.wire.mail_text import MailText, mail_text
from pingmon.wire.ping_url import PingUrl

CONNECTIONS: Final = 100
"""Over which mail may come at once."""
HELD_MAX: Final = 1 << 18
"""Bytes of a message that are held and searched for keywords. Reading as many takes a quarter of a second at worst."""

NOT_READ: Final = MailText("", "")


class ReceivedMail(Struct, frozen=True):
    """A message that has come whole: `came` bytes, of which `held` are the first. `addr` is empty if it has none."""

    sender: str
    addr: str
    held: bytes
    came: int


class MailIntake:
    """Submits pings. `rates` and `answered` are those of the pings over HTTP."""

    log = Logger()

    def __init__(self, monitor: Monitor, settings: PingSettings, rates: RateLimit, answered: Counter[str]) -> None:
        self._monitor = monitor
        self._settings = settings
        self._rates = rates
        self._answered = answered

    def wait_s(self, mailbox: PingUrl) -> int:
        """Count one ping for the check of this mailbox: 0, or the seconds after which one more is taken."""
        check = self._check(mailbox)
        wait = 0 if check is None else self._rates.wait_s(check.id)
        if wait:
            self._answered["rate limited"] += 1
        return wait

    async def take(self, mailboxes: Sequence[PingUrl], mail: ReceivedMail) -> bool:
        """One ping for each mailbox; whether all are durable. If one is not, the message should come again."""
        checks = [check for mailbox in mailboxes if (check := self._check(mailbox)) is not None]
        self._answered["not found"] += len(mailboxes) - len(checks)
        filtered = any(check.spec.filter_subject or check.spec.filter_body for check in checks)
        text = mail_text(mail.held) if filtered else NOT_READ
        taken = await gatherResults([Deferred.fromCoroutine(self._taken(check, mail, text)) for check in checks])
        return all(taken)

    def _check(self, mailbox: PingUrl) -> Check | None:
        world = self._monitor.world
        if mailbox.check:
            return world.checks.get(mailbox.check)
        project = world.ping_keys.get(mailbox.key)
        if project is None:
            return None
        members = world.members[project]
        births = members.named(mailbox.slug)
        return world.checks[members.checks[births[0]]] if len(births) == 1 else None

    async def _taken(self, check: Check, mail: ReceivedMail, text: MailText) -> bool:
        signal = mail_meaning(check.spec, check.status, text.subject, text.body)
        kept = mail.held[: self._settings.body_limit]
        wanted = self._settings.store_bodies == "any" or is_text(kept, cut=mail.came > len(kept))
        ua = f"Email from {mail.sender or '<>'}"[:USER_AGENT_MAX]
        left_out = 0 if wanted else mail.came
        event = PingReceived(signal, "", "email", mail.addr, ua, left_out=left_out)
        try:
            outcome: Outcome = await self._monitor.submit(check.id, event, kept if kept and wanted else None)
        except (JournalFull, JournalUnavailable):
            self._answered["try again"] += 1
            return False
        self._answered["OK" if outcome.result == "done" else "not found"] += 1
        return True
