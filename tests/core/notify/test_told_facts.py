"""Who was told."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from pingmon.core.flip import Flip
from pingmon.core.notify.notification import Attempted, Delivery, Notification
from pingmon.core.notify.told_facts import MOST, Message, as_of, newest_reminder, told_facts
from tests.core.worlds import C1, H1, MINUTE, T0

DOWN = Flip(7, C1, T0, "up", "down", "silence")
REFUSED = Attempted(T0 + MINUTE, 5, error="connection refused")


def owed(*tried: Attempted) -> Notification:
    failed = [attempt for attempt in tried if attempt.error]
    error = failed[-1].error if failed else ""
    return Notification(f"{H1}.7", H1, DOWN, T0, attempts=len(failed), error=error, tried=tried)


def delivered(*tried: Attempted) -> Message:
    """At the fifth minute, by entry 9."""
    tried = (*tried, Attempted(T0 + 5 * MINUTE, 5, 200))
    return Message(owed(*tried), "ops", Delivery(owed(*tried), "delivered", T0 + 5 * MINUTE), 9)


def facts(flip: Flip | None, *messages: Message, channels: int = 1, **more: Any) -> list[dict[str, Any]]:
    found = list(told_facts(flip, messages, channels=channels, settings=2, **more))
    assert all(fact.topic == "told" for fact in found)
    return [
        {"kind": fact.kind, "entries": fact.entries, "who": fact.who, "why": fact.why, "count": fact.count}
        for fact in found
    ]


def kinds(flip: Flip | None, *messages: Message, **more: Any) -> list[tuple[str, tuple[int, ...]]]:
    return [(fact["kind"], fact["entries"]) for fact in facts(flip, *messages, **more)]


def test_who_was_told_in_a_digest_is_said_to_be() -> None:
    message = delivered()
    assert message.ended is not None
    (fact,) = told_facts(DOWN, [replace(message, ended=replace(message.ended, by="digest"))], channels=1, settings=2)
    assert (fact.kind, fact.why) == ("delivered", "in a digest")


def test_a_message_that_was_taken_rests_on_the_flip_and_on_the_entry_that_says_so() -> None:
    """If that can be found."""
    assert kinds(DOWN, delivered()) == [("delivered", (7, 9))]
    ended = Delivery(owed(), "given up", T0, why="status 410")
    (fact,) = facts(DOWN, Message(owed(), "ops", ended))
    assert fact == {"kind": "given_up", "entries": (7,), "who": "ops", "why": "status 410", "count": None}


def test_a_message_that_waits_says_why_and_how_often_it_failed() -> None:
    """And when its channel is tried again."""
    message = Message(owed(REFUSED), "ops", retry_at=T0 + 2 * MINUTE)
    (fact,) = told_facts(DOWN, [message], channels=1, settings=2)
    assert (fact.kind, fact.why, fact.count, fact.until) == ("waiting", "connection refused", 1, T0 + 2 * MINUTE)


def test_where_nobody_is_told() -> None:
    """There was nothing to tell; there were no channels then; there are none now."""
    assert kinds(None) == [("nothing_yet", (2,))]
    assert kinds(DOWN) == [("nobody", (7,))]
    assert kinds(DOWN, channels=0) == [("no_channels", (2,)), ("nobody", (7,))]


def test_where_nobody_was_told_although_there_were_channels() -> None:
    """It was held, and other facts say why; or it is over."""
    assert kinds(DOWN, unheard="held") == []
    (fact,) = told_facts(DOWN, [], channels=1, settings=2, unheard="parent", by="uplink")
    assert (fact.kind, fact.entries, fact.why, fact.who) == ("unheard", (7,), "parent", "uplink")
    assert kinds(DOWN, delivered(), unheard="held") == [("delivered", (7, 9))]


def test_the_newest_reminder_of_this_outage_is_told() -> None:
    """By the entry that made it due."""
    of_this = [replace(owed(), entry=10 + number, reminder=number, created=T0 + number) for number in (2, 1)]
    other = replace(owed(), entry=20, reminder=5, flip=replace(DOWN, seq=8))
    (fact,) = newest_reminder(DOWN, [owed(), *of_this, other])
    assert (fact.kind, fact.entries, fact.count, fact.at) == ("reminded", (7, 12), 2, T0 + 2)
    assert newest_reminder(replace(DOWN, seq=5), [owed(), *of_this, other]) == []
    late = replace(of_this[0], flip=replace(DOWN, seq=9, first=7))
    assert len(newest_reminder(DOWN, [late])) == 1


def test_of_many_channels_a_few_are_named() -> None:
    """And the others counted."""
    found = facts(DOWN, *[delivered()] * (MOST + 2))
    assert [fact["kind"] for fact in found] == ["delivered"] * MOST + ["more"]
    assert found[-1]["count"] == 2


def test_those_who_may_not_see_channels_hear_how_many_were_told() -> None:
    """And of whom, nothing."""
    (fact,) = facts(DOWN, delivered(), Message(owed(), "pager"), short=True)
    assert fact == {"kind": "told_of", "entries": (7,), "who": "", "why": "", "count": 1}
    assert kinds(DOWN, short=True) == [("nobody", (7,))]
    assert kinds(None, channels=0, short=True) == [("no_channels", (2,)), ("nothing_yet", (2,))]


def test_what_was_known_of_a_message_at_an_earlier_time() -> None:
    """It was not owed yet; it waited, after as many attempts as there had been; it was taken."""
    message = delivered(REFUSED)
    assert as_of(message, T0 - 1) is None
    at_first = as_of(message, T0)
    assert at_first is not None
    assert (at_first.ended, at_first.owed.attempts, at_first.owed.error) == (None, 0, "")
    later = as_of(message, T0 + 2 * MINUTE)
    assert later is not None
    assert (later.ended, later.owed.attempts, later.owed.error) == (None, 1, "connection refused")
    assert as_of(message, T0 + 5 * MINUTE) == message
    waiting = Message(owed(REFUSED), "ops", retry_at=T0 + 2 * MINUTE)
    assert as_of(waiting, T0 + MINUTE) == waiting
