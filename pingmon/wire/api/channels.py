"""A channel as clients see it, and what became of the messages to it. Source: the notifications spec.

A secret is shown whole only where it was just made. What is masked shows enough to tell one secret from another.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec.structs import asdict

from pingmon.core.notify.channel import Channel
from pingmon.core.notify.notification import Attempted, Delivery, Notification
from pingmon.core.world.outcome import Topic
from pingmon.wire.api.checks import Json
from pingmon.wire.message.message import event_of, kind, message_id, name
from pingmon.wire.time_texts import seconds_text

SHOWN_OF_SECRET: Final = len("whsec_") + 4
"""Characters of a secret that are shown."""


def channel_json(channel: Channel, now: int, waiting: int, warnings: Iterable[str]) -> Json:
    """The JSON object of one channel. `waiting` is how many messages are owed to it."""
    failing = channel.failing
    return {
        "id": channel.id,
        "name": channel.name,
        "kind": channel.kind,
        "value": channel.value,
        "secret": masked(channel.secret),
        "old_secret_until": seconds_text(channel.old_until) if now < channel.old_until else None,
        "last_delivered": seconds_text(channel.last_delivered),
        "last_error": channel.last_error,
        "failing": None
        if failing is None
        else {
            "since": seconds_text(failing.since),
            "attempts": failing.attempts,
            "error": failing.error,
            "next_try": seconds_text(failing.retry_at),
        },
        "confirmed": not channel.consent,
        "waiting": waiting,
        **asdict(channel.settings),
        "quiet_until": seconds_text(channel.settings.quiet_until(now)),
        "warnings": list(warnings),
    }


def masked(secret: str) -> str:
    """A secret for those who know it already."""
    return f"{secret[:SHOWN_OF_SECRET]}…" if secret else ""


def attempt_json(attempt: Attempted) -> Json:
    """One attempt at delivering a message: when it ended, how long it took, and the answer's status or the error."""
    shown: Json = {"at": seconds_text(attempt.at), "ms": attempt.took_ms}
    return shown | ({"error": attempt.error} if attempt.error else {"status": attempt.status})


def waiting_json(owed: Notification, channel: Channel, subject: Topic | None) -> Json:
    """A message that is owed and not delivered yet. `subject` is what it is about."""
    failing = channel.failing
    next_try = None if failing is None else seconds_text(failing.retry_at)
    return _message_json(owed, subject) | {"result": "waiting", "ended": None, "next_try": next_try}


def delivery_json(ended: Delivery, subject: Topic | None) -> Json:
    """What became of a message. `subject` is None if it was deleted since."""
    shown = _message_json(ended.owed, subject) | {
        "result": ended.became.replace(" ", "_"),
        "ended": seconds_text(ended.at),
    }
    if ended.by:
        shown["digest" if ended.became == "delivered" else "replaced_by"] = message_id(ended.by)
    if ended.why:
        shown["why"] = ended.why
    return shown


def _message_json(owed: Notification, subject: Topic | None) -> Json:
    """`seq` is the mark from which to ask for older ones."""
    shown: Json = {"id": message_id(owed.id), "channel": owed.channel, "seq": owed.place}
    if subject is not None:
        shown |= {kind(subject): subject.id, "name": name(subject), "event": event_of(owed, subject)}
    else:
        shown |= {"about": owed.flip.subject, "event": owed.flip.new}
    shown |= {"due": seconds_text(owed.created), "tried": [attempt_json(attempt) for attempt in owed.tried]}
    if owed.down_from is not None:
        shown["down_from"] = seconds_text(owed.down_from)
    if owed.relays is not None:
        shown["instead_of"] = owed.relays
    return shown
