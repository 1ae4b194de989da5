"""The pages behind the links in messages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pingmon.core.world.events import (
    ChannelConfirmed,
    ChannelCreated,
    ChannelUnsubscribed,
    CheckDeleted,
    OutageAcknowledged,
)
from pingmon.testing import PROJECT, SECRET, result, uuid
from pingmon.web.links import Links
from pingmon.wire.message.links import Link, What, url
from tests.door.stage import DoorStage

CHANNEL = uuid(1, "d")


@pytest.fixture
def house() -> Iterator[DoorStage]:
    with DoorStage() as house:
        house.root.putChild(b"links", Links(house.monitor))
        value: dict[str, object] = {"email": "ops@example.org"}
        made = ChannelCreated(PROJECT, "email", "<night>", value, SECRET, consent="asked")
        result(house.monitor.submit(CHANNEL, made))
        yield house


def path(what: What = "confirm", secret: str = SECRET) -> str:
    return url("", Link(what, CHANNEL), secret)


def test_to_open_a_link_shows_what_it_does_and_does_nothing(house: DoorStage) -> None:
    """A page with a button, which loads nothing, keeps nothing, and tells nobody where it was."""
    for what in ("confirm", "unsubscribe"):
        reply = house.ask(path(what), "GET")
        assert (reply.status, reply.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
        page = reply.body.decode()
        assert "ops@example.org" in page
        assert '<form method="post"><button>' in page
        assert "<script" not in page
        policy = reply.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'")
        assert "form-action 'self'; frame-ancestors 'none'" in policy
        assert reply.headers["Referrer-Policy"] == "no-referrer"
        assert reply.headers["Cache-Control"] == "no-store"
        assert "Set-Cookie" not in reply.headers
        assert house.ask(path(what), "HEAD").headers == reply.headers
    assert house.world.channels[CHANNEL].consent == "asked"


def test_the_button_confirms(house: DoorStage) -> None:
    reply = house.ask(path(), "POST")
    assert (reply.status, b"ops@example.org" in reply.body) == (200, True)
    assert house.events(ChannelConfirmed) == [ChannelConfirmed()]
    assert house.world.channels[CHANNEL].consent == ""


def test_one_click_of_a_mail_program_unsubscribes(house: DoorStage) -> None:
    """RFC 8058: a POST that sends `List-Unsubscribe=One-Click` along."""
    form = "Content-Type: application/x-www-form-urlencoded"
    assert house.ask(path("unsubscribe"), "POST", b"List-Unsubscribe=One-Click", form).status == 200
    assert house.events(ChannelUnsubscribed) == [ChannelUnsubscribed()]
    assert house.world.channels[CHANNEL].consent == "unsubscribed"
    assert house.ask(path(), "POST").status == 200, "who has changed his mind may follow the first link again"
    assert house.world.channels[CHANNEL].consent == ""


@pytest.mark.parametrize(
    "where",
    [
        "/links",
        "/links/",
        path(secret="whsec_" + "B" * 32),
        path().replace("confirm", "unsubscribe"),
        path() + "/",
        f"/links/confirm/{uuid(9, 'd')}/{'A' * 20}",
    ],
)
def test_a_link_that_was_not_signed_does_nothing(house: DoorStage, where: str) -> None:
    for method in ("GET", "POST"):
        assert house.ask(where, method).status == 404
    assert house.world.channels[CHANNEL].consent == "asked"


def test_other_methods_are_refused(house: DoorStage) -> None:
    assert house.ask(path(), "OPTIONS").headers["Allow"] == "GET, HEAD, POST, OPTIONS"
    reply = house.ask(path(), "DELETE")
    assert (reply.status, reply.headers["Allow"]) == (405, "GET, HEAD, POST, OPTIONS")


def test_a_full_disk_is_told_and_the_button_stays(house: DoorStage) -> None:
    house.journal.fail_next(1)
    reply = house.ask(path(), "POST")
    assert reply.status == 503
    assert b"<button>" in reply.body
    assert house.troubles(), "the monitor tells the operator"
    assert house.ask(path(), "POST").status == 200


# --- acknowledging ------------------------------------------------------------------------------------------------


def test_the_button_acknowledges_the_outage_that_the_message_was_about(house: DoorStage) -> None:
    """In the name of who was told; and not another one that came later."""
    check = house.check(7, name="backup")
    flip = house.ping(check, "fail").flip
    assert flip is not None
    ack = url("", Link("ack", CHANNEL, check, flip.seq), SECRET)
    assert "backup is down" in house.ask(ack, "GET").body.decode()
    assert house.events(OutageAcknowledged) == []
    assert "Nobody is reminded of backup any more" in house.ask(ack, "POST").body.decode()
    assert house.events(OutageAcknowledged) == [OutageAcknowledged("ops@example.org", flip.seq)]
    house.ping(check)
    house.ping(check, "fail")
    for method in ("GET", "POST"):
        assert "backup is not down any more, or that was another time." in house.ask(ack, method).body.decode()
    house.submit(check, CheckDeleted())
    assert "It is not down any more" in house.ask(ack, "POST").body.decode()
    assert len(house.events(OutageAcknowledged)) == 1
