"""Tests of `pingmon.wire.message.apprise`: what a plug-in is handed."""

from __future__ import annotations

from msgspec.structs import replace

from pingmon.core.notify.channel import Channel
from pingmon.testing import PROJECT, SECRET, uuid
from pingmon.testing import START as NOW
from pingmon.wire.message.apprise import TITLE_MAX, AppriseMessage, apprise_message
from pingmon.wire.message.digest import digest_lines
from pingmon.wire.message.message import text, trial_letter
from pingmon.wire.message.service import ack_url
from tests.delivery.letters import letter, many


def test_a_letter_is_a_title_and_the_message_in_one_line() -> None:
    down = letter({}, name="nightly\nbackup")
    down = replace(down, channel=replace(down.channel, secret=""))  # so there is no link
    assert apprise_message(down, "") == AppriseMessage("DOWN | nightly backup", text(down), "failure")
    flip = replace(down.owed.flip, old="down", new="up", cause="")
    up = replace(down, owed=replace(down.owed, flip=flip))
    assert apprise_message(up, "") == AppriseMessage("UP | nightly backup", text(up), "success")
    ended = replace(down, owed=replace(down.owed, flip=replace(flip, cause="ended")))
    assert apprise_message(ended, "").title == "ENDED | nightly backup"
    again = replace(down, owed=replace(down.owed, reminder=1))
    assert apprise_message(again, "").title == "STILL DOWN | nightly backup"
    assert len(apprise_message(letter({}, name="x" * 300), "").title) == TITLE_MAX


def test_a_message_about_an_outage_has_a_link_that_acknowledges_it() -> None:
    """In a line of its own; one about its end has none."""
    down = letter({}, name="backup")
    body = apprise_message(down, "https://pingmon.example").body
    assert body == f"{text(down)}\nAcknowledge: {ack_url(down, 'https://pingmon.example')}"
    up = replace(down, owed=replace(down.owed, flip=replace(down.owed.flip, old="down", new="up", cause="")))
    assert apprise_message(up, "https://pingmon.example").body == text(up)


def test_a_test_is_called_one() -> None:
    channel = Channel(uuid(1, "d"), PROJECT, "apprise", "ops", {}, SECRET, 1, NOW)
    assert apprise_message(trial_letter(channel, NOW, up=True), "").title == "TEST | test"
    assert apprise_message(trial_letter(channel, NOW, up=False), "").type == "failure"


def test_a_digest_has_a_line_for_each() -> None:
    found = many({}, 2, 1)
    assert apprise_message(found, "") == AppriseMessage("DOWN | 3 checks", "\n".join(digest_lines(found)), "failure")
    assert apprise_message(many({}, 0, 2), "").title == "UP | 2 checks"
    assert apprise_message(many({}, 0, 2), "").type == "success"
