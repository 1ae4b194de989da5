"""An explanation as clients see it: every fact as a sentence, with what it says as data, and the entries it rests on.

The tables have the sentences by the kinds of facts. In them `{at}` and `{until}` are instants, `{seconds}` a duration,
`{reason}` why a flip came about, and the rest is as in `core.facts`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, get_args

from pingmon.core.check.zone_doctor import ZoneFinding
from pingmon.core.facts import Fact, Topic
from pingmon.core.flip import Flip
from pingmon.core.units import SECOND
from pingmon.wire.api.checks import Json
from pingmon.wire.api.probe_results import look_json, witnesses
from pingmon.wire.message.advice import zone_sentence
from pingmon.wire.message.message import DEAF_CAUSES, why_of
from pingmon.wire.time_texts import duration_text, moment_text, seconds_text

TOPICS: Final = get_args(Topic)
"""The order in which sentences come."""

COMMON: Final = {
    "paused": "It is paused since {at}.",
    "unwatched": "Nothing happens by itself while it is paused.",
    "not_kept": "What came in at that time is not kept any more: this is known from its changes of status alone.",
    "delivered": "{who} was told at {at}{how} that it {turned}.",
    "waiting": "{who} has not been told yet that it {turned}{failed}{again}.",
    "given_up": "{who} was not told that it {turned}: {why}.",
    "replaced": "{who} was not told that it {turned}: a newer message took the place of that one.",
    "void": "{who} is not told that it {turned}: {why}.",
    "nothing_to_send": "{who} wants no message when something {turned}.",
    "more": "So much for a few of them; there are {channels} more.",
    "told_of": "That it {turned} at {at} was told on {channels}.",
    "nobody": "Nobody was to be told that it {turned} at {at}: it had no channel for that.",
    "unheard": "Nobody was told that it {turned} at {at}{because}.",
    "few_failures": "No message says that it is down before it has failed {of} times in a row; "
    "so far it has {times}{enough}.",
    "maintenance": "No message says that it is down before {until}: until then there is maintenance{named}.",
    "parent_down": "No message says that it is down while {parent} is down, too.",
    "acknowledged": "The outage was acknowledged at {at}{by}: no reminder and no step of the escalation follows.",
    "reminded": "The newest reminder, number {count}, was due at {at}.",
    "told_then": "If it is still down at {at}, people are told of it.",
    "reminder": "Whoever was told is reminded at {at}, if it is still down and nobody has acknowledged it.",
    "step": "At {at} {whom} told, too, if it is still down and nobody has acknowledged it.",
    "nothing_yet": "No change of status had to be told so far: people hear when it goes down, and when it comes back.",
    "no_channels": "It has no channels, so nobody is told when it goes down.",
}
CHECK: Final = COMMON | {
    "new": "It is new since {at}: no ping has reported a success or failure yet.",
    "resumed": "It was resumed at {at}: no ping has reported a success or failure since.",
    "up": "It is up since {at}, when a ping reported success.",
    "down": "It is down since {at}: {reason}.",
    "last_ping": "Its last success or failure came at {at}.",
    "late": "A success was expected at {at}, and has not been reported.",
    "ended": "Its schedule has no further occurrence.",
    "was_deaf": "pingmon itself heard nothing from {at} to {until}, when the ping may have come: {deaf}.",
    "ignored": "Its newest ping, at {at}, counts for nothing: {ignored}.",
    "logged": "Its newest ping, at {at}, was only a message, and counts for nothing.",
    "run": "A run has been going on since {at}.",
    "overdue_run": "A run that began at {at} has lasted for too long, and is not watched any more.",
    "expected": "The next success is expected at {at}.",
    "run_must_end": "The run that began at {at} must end by {until}, or it goes down.",
    "held": "It would go down at {at}, but pingmon heard nothing for a while ({deaf}): it has until {until}.",
    "goes_down": "Without a success it goes down at {at}, which is {seconds} after one is expected.",
    "due": "Its time was over at {at}: it is about to go down.",
    "waits": "Nothing happens by itself before a ping reports a start, success or failure.",
    "stays_down": "It stays down until a ping reports success, or until it is paused. A start does not end that.",
    "no_more": "No ping is expected any more, so silence raises no alert.",
    "first_ping": "A ping that reports success makes it up, and one that reports a failure makes it down.",
    "failure": "A ping that reports a failure makes it down at once.",
    "success": "A ping that reports success makes it up.",
    "resume": "It must be resumed: until then pings are ignored.",
    "ping_or_resume": "The next success or failure ends the pause, and so does resuming it.",
    "post_only": "Only pings by POST count.",
    "keywords": "What a ping means is decided by the keywords in its body, not by its URL.",
    "zone": "Its schedule may be in the wrong time zone: {zone}.",
}
SITE: Final = COMMON | {
    "new": "It is new since {at}, and no look at it has counted yet.",
    "resumed": "It was resumed at {at}, and no look at it has counted since.",
    "up": "It is up since {at}: {reason}.",
    "suspect": "It is suspect since {at}, and being verified: {reason}.",
    "down": "It is down since {at}: {reason}.",
    "unknown": "Since {at} nobody can tell whether it is up: {reason}.",
    "last_look": "pingmon's own newest look, at {at}, saw: {look}.",
    "failing": "The first failure of this incident was seen at {at}.",
    "host": "It is hosted by {who}.",
    "asked": "{host} is being asked first, since {at}.",
    "said": "{host} answered at {at}: {answer}{when}.",
    "hushed": "{host} knows of the outage: its users are not told before {until}.",
    "look": "It is looked at next at {at}, and every {seconds}.",
    "looks": "It is looked at every {seconds} or so.",
    "patience": "It must fail until {at} to be down.",
    "unopposed": "If nobody sees it well before {at}, it is down then, whoever cannot look.",
    "hush_ends": "At {at} its users are told, if a fresh look still finds it down.",
    "first_look": "A good look makes it up, and one that fails makes it suspect.",
    "bad_look": "A look that fails makes it suspect; then it is looked at again at once, from elsewhere too.",
    "verdict": "What the next looks from all places agree on makes it up or down.",
    "good_looks": "It is up again after {looks}, one of them from a verifier if any can look.",
    "resume": "It must be resumed.",
}
IGNORED: Final = {
    "methods": "only POST counts",
    "paused": "the check is paused until it is resumed",
    "keywords": "none of the keywords is in its body",
    "then": "by what the check was, or was set to, at that time",
}
ANSWERS: Final[dict[str, str]] = {
    "ok": "ok",
    "until": "the outage is known",
    "expired": "the outage was known, but not any more",
    "malformed": "something that nobody understands",
    "refused": "with a refusal",
    "no answer": "nothing",
}
"""What the kinds of a partner's answers are called."""
TURNED: Final = {"down": "went down", "up": "came back"}


def explanation_json(head: Json, facts: Iterable[Fact], *, site: bool = False) -> Json:
    """The answer; `head` says what is explained."""
    facts = sorted(facts, key=lambda fact: TOPICS.index(fact.topic))
    words = SITE if site else CHECK
    sentences = [_fact_json(fact, words) for fact in facts]
    finding = next((fact.finding for fact in facts if fact.finding is not None), None)
    return head | {"sentences": sentences, "zone": None if finding is None else _zone_json(finding)}


def sentence(fact: Fact, words: dict[str, str]) -> str:
    """A fact in words."""
    return words[fact.kind].format_map(_values(fact))


def _values(fact: Fact) -> dict[str, str]:
    flip = fact.flip
    count = fact.count or 0
    return {
        "at": "" if fact.at is None else moment_text(fact.at),
        "until": "" if fact.until is None else moment_text(fact.until),
        "seconds": "" if fact.seconds is None else duration_text(fact.seconds),
        "who": fact.who,
        "host": f"{fact.who}, who hosts it," if fact.who else "Its host",
        "why": fact.why,
        "reason": "" if flip is None else _reason(flip),
        "turned": "" if flip is None else TURNED.get(flip.new, flip.new),
        "deaf": DEAF_CAUSES.get(fact.why, fact.why),
        "answer": ANSWERS.get(fact.why, ""),
        "ignored": IGNORED.get(fact.why, ""),
        "look": "" if fact.look is None else witnesses([fact.look]),
        "zone": "" if fact.finding is None else zone_sentence(fact.finding),
        "failed": f": {fact.why} ({counted(count, 'attempt')})" if count else "",
        "how": f" {fact.why}" if fact.why else "",
        "again": "" if fact.until is None else f", and is tried again at {moment_text(fact.until)}",
        "when": "" if fact.until is None else f", until {moment_text(fact.until)}",
        "of": str(fact.of),
        "count": str(count),
        "times": counted(count, "time"),
        "enough": "" if fact.until is None else f", and without a success it has at {moment_text(fact.until)}",
        "named": f" ({fact.who})" if fact.who else "",
        "by": f" by {fact.who}" if fact.who else "",
        "parent": _parent(fact),
        "because": _because(fact),
        "whom": f"{fact.who or counted(count, 'more channel')} {'is' if count == 1 else 'are'}",
        "looks": counted(count, "more good look"),
        "channels": counted(count, "channel"),
    }


def _parent(fact: Fact) -> str:
    return f"{fact.who}, which it depends on," if fact.who else "what it depends on"


def _because(fact: Fact) -> str:
    """Why nobody was told."""
    match fact.why:
        case "maintenance":
            return f": there was maintenance{fact.who and f' ({fact.who})'}"
        case "parent":
            return f": {_parent(fact)} was down, too"
        case "before":
            return ": nobody had been told that it went down"
        case _:
            return ""


def _reason(flip: Flip) -> str:
    status = "" if flip.exitstatus is None else f" (exit status {flip.exitstatus})"
    return f"{why_of(flip)}{status}"


def counted(count: int, what: str) -> str:
    """`1 alert`, `2 alerts`."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _fact_json(fact: Fact, words: dict[str, str]) -> Json:
    """A fact; what it says besides is there only if it says it."""
    shown: Json = {
        "topic": fact.topic,
        "kind": fact.kind,
        "text": sentence(fact, words),
        "entries": sorted(set(fact.entries)),
    }
    more: Json = {
        "at": seconds_text(fact.at),
        "until": seconds_text(fact.until),
        "seconds": fact.seconds,
        "count": fact.count,
        "of": fact.of,
        "who": fact.who or None,
        "why": fact.why or (None if fact.flip is None else _reason(fact.flip) or None),
        "look": None if fact.look is None else look_json(fact.look),
    }
    return shown | {name: value for name, value in more.items() if value is not None}


def _zone_json(finding: ZoneFinding) -> Json:
    """What the time zone doctor has found. Seconds are negative of pings that came early."""
    return {
        "schedule": finding.zone,
        "fits": list(finding.fits),
        "pings": len(finding.entries),
        "least_seconds": finding.least // SECOND,
        "most_seconds": finding.most // SECOND,
    }
