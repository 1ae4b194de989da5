"""Outages while the daemon is killed and started again: nothing is told twice, and nothing is lost."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pingmon.core.partner.inquiry import PartnerAnswer
from pingmon.core.partner.partner import PartnerSpec
from pingmon.core.site.probe_result import ProbeResult
from pingmon.core.site.probe_schedule import SOON_S, phase
from pingmon.core.site.settings import SiteSpec
from pingmon.core.units import SECOND
from pingmon.core.world.events import (
    ChannelCreated,
    PartnerAnswered,
    PartnerCreated,
    ProjectCreated,
    SiteCreated,
    SiteProbed,
)
from pingmon.testing import PROJECT, uuid
from tests.process.daemons import Received, Starter, until
from tests.process.site_servers import SEES_DOWN, SEES_UP, FakeVerifier, Site, status
from tests.process.site_stage import SiteStage, config, housed, started
from tests.process.test_alerts import leave_keys, past

pytestmark = pytest.mark.process

DOWN = status(503)


@dataclass
class Killed:
    """A daemon that is killed and started again over the same log, with the same verifier, users and partners."""

    start: Starter
    verifier: FakeVerifier
    house: SiteStage

    def again(self) -> None:
        """kill -9, and a new process."""
        old = self.house.daemon
        old.kill()
        self.house.daemon = self.start(old.data, config=config(self.verifier), port=old.port)


@pytest.fixture
def killed(tmp_path: Path) -> Iterator[Killed]:
    """A daemon with one verifier."""
    verifier = FakeVerifier("fra")
    with started(tmp_path) as start:
        yield Killed(start, verifier, housed(start, "data", verifier))


def failing(killed: Killed, slug: str) -> tuple[Site, str]:
    """A site that is up, and then is not: its server, and its id."""
    server = Site()
    site = killed.house.site(server.url, host=slug)
    killed.house.becomes(site, "up")
    server.fail(500)
    killed.verifier.says[server.url] = SEES_DOWN
    return server, site


def test_a_question_and_a_message_that_a_crash_interrupts_are_repeated_under_the_same_id(killed: Killed) -> None:
    """Killed while the partner thinks, and again while the users' receiver is broken: users take it exactly once."""
    house, thinking = killed.house, threading.Event()
    house.partners.answer = lambda question: (200, b"ok") if thinking.wait(30) else 500
    house.users.answer = lambda message: 500
    house.partner("example")
    server, site = failing(killed, "example")
    house.probe(site)
    house.partner_hears("example")
    killed.again()
    house.partner_hears("example", 2)
    assert house.users.arrived == []
    thinking.set()
    house.users_hear(site)
    until(lambda: "will try again" in house.daemon.log.read_text(), "the failure to be noted")
    house.users.answer = lambda message: 200
    killed.again()
    messages = house.users_hear(site, 2)
    assert len({message.headers["webhook-id"] for message in messages}) == 1
    assert json.loads(messages[0].body)["flip"] == json.loads(messages[1].body)["flip"]
    until(lambda: house.shown(site)["told"], "the delivery to be noted")
    killed.again()
    server.heal()
    killed.verifier.says[server.url] = SEES_UP
    assert house.probe(site)["status"] == "up"
    events = [json.loads(message.body)["event"] for message in house.users_hear(site, 3)]
    assert events == ["site.down", "site.down", "site.up"]
    first, second, third = house.asked("example")
    assert (first.body, first.headers["webhook-id"]) == (second.body, second.headers["webhook-id"])
    assert [json.loads(question.body)["code"] for question in (second, third)] == [503, 200]


def test_a_silence_survives_a_crash(killed: Killed) -> None:
    """That of one site, and that of a whole partner: nobody is asked again, and nobody is told."""
    house = killed.house
    house.partners.answer = _an_hour_ahead
    house.partner("one")
    partner = house.partner("all", scope="partner")
    sites = [failing(killed, slug)[1] for slug in ("one", "all")]
    for site in sites:
        house.probe(site)
    before = [house.falls_silent(site) for site in sites]
    killed.again()
    _, third = failing(killed, "all")
    sites.append(third)
    for site in sites:
        assert house.probe(site)["status"] == "down"
    assert [house.shown(site)["suppressed_until"] for site in sites] == [*before, before[1]]
    assert (len(house.asked("one")), len(house.asked("all"))) == (1, 1)
    assert house.counts(partner) == {"until": 1}
    assert house.users.arrived == []


def test_when_a_silence_ended_while_the_daemon_was_dead_the_partner_is_asked_and_users_are_told(
    start: Starter, tmp_path: Path
) -> None:
    """The log is written as if that had been: an outage without end must not stay a secret."""
    users, partners, server, now = start.receiver(), start.receiver(), Site(DOWN), time.time()
    partners.answer = lambda question: (200, b"ok")
    value: dict[str, object] = {"url_down": users.url, "method_down": "POST", "url_up": "", "method_up": "POST"}
    channel, partner = uuid(1, "d"), uuid(1, "e")
    site = next(id for id in map(uuid, range(1, 100)) if phase(id, SOON_S) == 0)
    spec = SiteSpec(url=server.url, interval=60, host="example", channels=(channel,))
    own, other = (ProbeResult(node, round((now - 200) * SECOND), 503, "status") for node in ("", "fra"))
    past(
        tmp_path / "data",
        (now - 300, PROJECT, ProjectCreated("p", "pingkey0000000000000000")),
        (
            now - 300,
            channel,
            ChannelCreated(PROJECT, "webhook", "users", value, "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"),
        ),
        (now - 300, partner, PartnerCreated(PartnerSpec(slug="example", webhook=partners.url))),
        (now - 300, site, SiteCreated(PROJECT, spec)),
        (now - 200, site, SiteProbed((own,))),
        (now - 200, site, SiteProbed((own, other), 1, 1)),
        (now - 199, site, PartnerAnswered(f"{site}_6", partner, PartnerAnswer("until", round((now - 5) * SECOND)), 9)),
    )
    leave_keys(tmp_path / "data")
    start(tmp_path / "data", config=config())
    (question,), (message,) = partners.wait(1), users.wait(1)
    assert json.loads(question.body)["ts"] >= int(now)
    assert question.headers["webhook-id"] != f"{site}_6"
    assert question.at < message.at
    assert json.loads(message.body)["flip"]["at"] == datetime.fromtimestamp(int(now - 200), UTC).isoformat()


def _an_hour_ahead(question: Received) -> tuple[int, bytes]:
    at = datetime.now(UTC) + timedelta(hours=1)
    return 200, at.strftime("%Y-%m-%dT%H:%M:%SZ").encode()
