"""What is said of trouble of pingmon itself, by every kind of channel."""

from __future__ import annotations

import json
from email import message_from_bytes, policy

import pytest
from msgspec.structs import replace

from pingmon.core.flip import Flip
from pingmon.core.notify.channel import Channel
from pingmon.core.notify.notification import Missed, Notification
from pingmon.core.notify.trouble import Trouble, TroubleSpec
from pingmon.core.units import SECOND
from pingmon.testing import PROJECT, SECRET, uuid
from pingmon.testing import START as NOW
from pingmon.wire.api.channels import waiting_json
from pingmon.wire.api.status import trouble_json
from pingmon.wire.message.apprise import AppriseMessage, apprise_message
from pingmon.wire.message.digest import digest, digest_lines, digest_object
from pingmon.wire.message.mail import mail
from pingmon.wire.message.message import Letter, object_of, text
from pingmon.wire.message.pagerduty import PAGERDUTY
from pingmon.wire.message.slack import SLACK
from pingmon.wire.message.webhook import request
from tests.delivery.letters import letter as check_letter
from tests.wire.message.service_letters import BASE

TROUBLE = Trouble(uuid(1, "b"), "disk", "the disk is nearly full", "9 MiB left; make room", TroubleSpec(()), 3, NOW)
DOWN = "TROUBLE: pingmon: the disk is nearly full, since 2023-11-14 22:13:20 UTC; 9 MiB left; make room"
OVER = "OVER: pingmon: the disk is nearly full, from 2023-11-14 22:13:20 UTC to 2023-11-14 22:18:20 UTC (5 min)"


def trouble_letter(kind: str = "webhook", *, over: bool = False, **value: object) -> Letter:
    """That it has begun, or is over."""
    channel = Channel(uuid(1, "d"), PROJECT, kind, "ops", value, SECRET, 1, NOW)
    trouble = TROUBLE
    flip = Flip(7, TROUBLE.id, NOW, "up", "down", "trouble", NOW)
    if over:
        flip = Flip(9, TROUBLE.id, NOW + 300 * SECOND, "down", "up", "trouble", NOW)
        trouble = replace(TROUBLE, status="up", since=flip.at)
    owed = Notification(f"{channel.id}.{flip.seq}", channel.id, flip, NOW)
    return Letter(owed, trouble, channel, NOW)


def test_a_line_says_what_is_wrong_since_when_and_what_to_do() -> None:
    """And when that is over, from when to when it was."""
    assert text(trouble_letter()) == DOWN
    assert text(trouble_letter(over=True)) == OVER
    untold = trouble_letter(over=True)
    assert text(replace(untold, owed=replace(untold.owed, down_from=NOW))) == OVER
    again = trouble_letter()
    again = replace(again, owed=replace(again.owed, missed=Missed(NOW - 120 * SECOND, NOW - 60 * SECOND)))
    assert text(again).endswith("it was so before, from 2023-11-14 22:11:20 UTC to 2023-11-14 22:12:20 UTC")


def test_programs_are_told_the_same() -> None:
    said = object_of(trouble_letter(), trouble_json(TROUBLE))
    assert (said["event"], said["text"]) == ("pingmon.trouble", DOWN)
    assert said["pingmon"] == {
        "id": TROUBLE.id,
        "kind": "disk",
        "text": "the disk is nearly full",
        "detail": "9 MiB left; make room",
        "status": "down",
        "since": "2023-11-14T22:13:20+00:00",
    }
    over = object_of(trouble_letter(over=True), {})
    assert over["event"] == "pingmon.over"
    assert over["flip"] == {
        "at": "2023-11-14T22:18:20+00:00",
        "old": "down",
        "new": "up",
        "reason": "trouble",
        "why": "",
        "exit_status": None,
        "since": "2023-11-14T22:13:20+00:00",
        "down_seconds": 300,
    }
    sent = trouble_letter()
    listed = waiting_json(sent.owed, sent.channel, sent.subject)
    assert (listed["pingmon"], listed["event"]) == (TROUBLE.id, "pingmon.trouble")
    assert listed["name"] == "pingmon: the disk is nearly full"


@pytest.mark.parametrize("over", [False, True])
def test_in_webhooks_it_is_called_pingmon(over: bool) -> None:
    """And its status is down or up, as that of all else."""
    body = "$NAME|$STATUS|$TEXT|$SLUG$TAGS|$EXITSTATUS"
    settings = {f"{what}_{new}": it for new in ("down", "up") for what, it in _HOOK.items()}
    settings |= {"body_down": body, "body_up": body}
    asked = request(trouble_letter(over=over, **settings), {}, b"")
    assert asked is not None
    assert asked.body.decode() == f"pingmon|{'up' if over else 'down'}|{OVER if over else DOWN}||-1"


_HOOK = {"url": "http://x.example/", "method": "POST"}


def test_a_mail_has_it_in_its_subject_and_offers_nothing_to_acknowledge() -> None:
    """Nobody else is told, so there is nothing to be stopped."""
    letters = [trouble_letter("email", over=over, email="ops@example.org") for over in (False, True)]
    mails = [mail(each, b"", "pingmon <p@example.org>", BASE) for each in letters]
    down, over = (message_from_bytes(each.data, policy=policy.default) for each in mails)
    assert down["Subject"] == "TROUBLE | pingmon: the disk is nearly full"
    assert over["Subject"] == "OVER | pingmon: the disk is nearly full"
    assert down["References"] == over["References"]
    plain = [str(next(part for part in each.walk() if not part.is_multipart()).get_content()) for each in (down, over)]
    assert "/links/ack/" not in plain[0]
    assert "9 MiB left; make room" in plain[0]
    assert "Why" not in plain[0]
    assert "Lasted   5 min" in plain[1]


def test_services_are_told_it_too() -> None:
    """Without a link to acknowledge it."""
    assert apprise_message(trouble_letter(), BASE) == AppriseMessage(
        "TROUBLE | pingmon: the disk is nearly full", DOWN, "failure"
    )
    assert apprise_message(trouble_letter(over=True), BASE).title == "OVER | pingmon: the disk is nearly full"
    asked = SLACK.request(trouble_letter("slack", url="http://x.example/"), BASE)
    assert asked is not None
    assert json.loads(asked.body) == {"text": DOWN}
    keys = {"routing_key": "k", "severity": "critical", "url": "http://x.example"}
    alerts = [PAGERDUTY.request(trouble_letter("pagerduty", over=over, **keys), BASE) for over in (False, True)]
    told = [json.loads(alert.body) for alert in alerts if alert is not None]
    assert [(each["event_action"], each["dedup_key"]) for each in told] == [
        ("trigger", f"pingmon-{TROUBLE.id}"),
        ("resolve", f"pingmon-{TROUBLE.id}"),
    ]
    assert told[0]["payload"]["class"] == "pingmon.trouble"
    assert "links" not in told[0]


def test_a_digest_counts_it_by_itself() -> None:
    of_check, of_pingmon = check_letter({}, name="job"), trouble_letter()
    both = digest(of_check.channel, NOW, 7, [of_check, of_pingmon])
    assert digest_lines(both)[0] == "DOWN: 1 check and 1 trouble (2 down)"
    items = digest_object(both)["items"]
    assert isinstance(items, list)
    assert items[1]["pingmon"] == TROUBLE.id
    assert items[1]["event"] == "pingmon.trouble"
