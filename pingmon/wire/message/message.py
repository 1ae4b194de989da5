"""What a message about a check or site says, whatever kind of channel carries it: a line for people, and JSON.

The JSON object, which is also the default body of a webhook:

    event     "check.down", "check.up", "check.ended" (its schedule has run out), "check.reminder" (it is still down),
              "site.down", "site.up", "site.reminder", "test", or of itself "pingmon.trouble" or "pingmon.over"
    id        of the message; the same in every attempt, so that a receiver can drop a repeat
    text      all of it in one line
    check     the check, as the management API shows it; or
    site      the site, so too; or
    pingmon   trouble of pingmon itself: id, kind, text, detail, status, since
    flip      at, old, new; reason: silence, run, signal, verdict or ended; why: the same in words; exit_status; since:
              when `old` began; down_seconds (up only); code and looks (sites only): who saw what, "" is pingmon itself
    body      only if the check's last ping had one: its last 1,000 characters
    down_from only if the message about the way down was never delivered: when the check or site went down
    missed    only if there were more outages before of which none could be told: count, since, until
    alone     only if nobody elsewhere could look at a site that is told to be down: "well" if canaries or other sites
              say that pingmon's own place is, else "unsure"
    known_until  only if the host knew of the outage, and users are told when its silence is over: its end
    deaf      only if pingmon itself heard nothing when the ping was due: since, until, cause
    silenced  only if nobody was told when it went down: by ("maintenance" or "parent"), name
    reminder  only in a reminder: the how-manieth one it is
    step      only to who is told because nobody has acknowledged the outage: the step of the escalation
    acknowledged  only (up) if somebody saw to it: at, by
    relay     only if another channel could not be told: channel, name, error
    advice    only if pingmon has an idea what may be wrong: that the schedule's time zone is not the job's, say

Times are ISO 8601 in UTC, cut to whole seconds, as everywhere in the API.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from msgspec import Struct

from pingmon.core.check.check import Check
from pingmon.core.check.settings import CheckSpec
from pingmon.core.flip import Cause, Deaf, Flip
from pingmon.core.notify.channel import Channel
from pingmon.core.notify.notification import Acknowledged, Notification
from pingmon.core.notify.trouble import Trouble
from pingmon.core.site.settings import SiteSpec
from pingmon.core.site.site import Site
from pingmon.core.site.verdict import Place
from pingmon.core.units import DAEMON, SECOND
from pingmon.core.world.outcome import Topic
from pingmon.wire.api.probe_results import look_json, witnesses
from pingmon.wire.time_texts import duration_text, moment_text, seconds_text

REASONS: Final[dict[Cause, str]] = {
    "": "",
    "silence": "the job reported no success in time",
    "run": "a run took longer than it may",
    "signal": "the job reported a failure",
    "verdict": "",
    "ended": "its schedule has no further occurrence",
    "trouble": "",
}
ALONE: Final[dict[Place, str]] = {
    "well": "nobody elsewhere could look, but pingmon sees others well",
    "unsure": "nobody elsewhere could look, and nobody vouches for pingmon's own connection",
}
DEAF_CAUSES: Final = {
    "stopped": "it was not running",
    "suspended": "its machine was suspended",
    "disk": "its disk took nothing",
}
TEST_SPEC: Final = CheckSpec(name="test", slug="test", tags="test")
BODY_TAIL: Final = 1000
"""Characters of a ping's body that the object quotes, from its end: that is where errors stand."""


class Letter(Struct, frozen=True, gc=False):
    """A message that is owed, with all it is about. `lost` is the name of the channel that could not be told.

    `now` (microseconds since the epoch) is when this attempt began. `test`: somebody wants to see whether it arrives.
    `advice` is a sentence about what may be wrong.
    """

    owed: Notification
    subject: Topic
    channel: Channel
    now: int
    lost: str = ""
    test: bool = False
    advice: str = ""

    @property
    def id(self) -> str:
        """The message's id for the outside."""
        return message_id(self.owed.id)

    @property
    def down_seconds(self) -> int | None:
        """For an up: for how many seconds the check or site was down."""
        flip = self.owed.flip
        if flip.new != "up" or flip.cause == "ended":
            return None
        began = flip.since if self.owed.down_from is None else self.owed.down_from
        return max(0, flip.at - began) // SECOND


def trial_letter(channel: Channel, now: int, *, up: bool) -> Letter:
    """A message to try `channel` with: of a check that does not exist, going down, or coming back after a minute.

    Each has an id of its own.
    """
    began = now - 60 * SECOND
    if up:
        flip = Flip(0, DAEMON, now, "down", "up", "", began)
    else:
        flip = Flip(0, DAEMON, now, "up", "down", "signal", began, exitstatus=1)
    subject = Check(DAEMON, channel.project, TEST_SPEC, 0, began, now, "up" if up else "down", 1, now)
    return Letter(Notification(f"{channel.id}.test.{now}", channel.id, flip, now), subject, channel, now, test=True)


def message_id(id: str) -> str:
    """A message's id for the outside: without the full stops that delimit the parts of a signed message."""
    return id.replace(".", "_")


def event_of(owed: Notification, subject: Topic) -> str:
    """What happened, for programs: `check.down`, `check.up`, `check.ended`, `check.reminder`, and so of sites."""
    flip = owed.flip
    if flip.cause == "trouble":
        return f"{kind(subject)}.{headline(owed).lower()}"
    return f"{kind(subject)}.{'ended' if flip.cause == 'ended' else 'reminder' if owed.reminder else flip.new}"


def headline(owed: Notification) -> str:
    """What happened, in a word or two for people."""
    flip = owed.flip
    if flip.cause == "trouble":
        return "TROUBLE" if flip.new == "down" else "OVER"
    return "ENDED" if flip.cause == "ended" else "STILL DOWN" if owed.reminder else flip.new.upper()


def why_of(flip: Flip) -> str:
    """Why a check or site flipped, in words for people: of a site, who saw what. Empty if there is nothing to say."""
    return witnesses(flip.looks) if flip.cause == "verdict" else REASONS[flip.cause]


def name(subject: Topic) -> str:
    """What people call the check or site, or the trouble of pingmon."""
    if isinstance(subject, Trouble):
        return f"{subject.spec.name}: {subject.text}"
    spec = subject.spec
    if isinstance(spec, SiteSpec):
        return f"{spec.name} ({spec.url})" if spec.name else spec.url
    return spec.name or spec.slug or subject.id


def called(channel: Channel) -> str:
    """What a channel is called in the log: its name, and enough of its id to tell it from another of that name."""
    return f"{printable(channel.name or channel.kind)} ({channel.id[:8]})"


def printable(name: str) -> str:
    """A name that somebody chose, in a form that cannot forge a line of the log."""
    return "".join(char if char.isprintable() else "?" for char in name)


def kind(subject: Topic) -> str:
    """What it is: `check` or `site`, or `pingmon` itself."""
    if isinstance(subject, Trouble):
        return "pingmon"
    return "site" if isinstance(subject, Site) else "check"


def text(letter: Letter) -> str:
    """The whole message in one line."""
    return "; ".join(sentences(letter))


def sentences(letter: Letter) -> list[str]:
    """The whole message: first what happened, and then what is to be said besides. None has line breaks in it."""
    return [" ".join(sentence.splitlines()) for sentence in _sentences(letter)]  # names may have some


def _sentences(letter: Letter) -> list[str]:
    if letter.test:
        happened = "came back" if letter.owed.flip.new == "up" else "went down"
        return [
            f'TEST: a message to channel "{printable(letter.channel.name)}", as if something {happened}; nothing has'
        ]
    sentences = [_news(letter)]
    if isinstance(letter.subject, Trouble) and letter.owed.flip.new == "down":
        sentences.append(letter.subject.detail)
    if (missed := letter.owed.missed) is not None:
        often = "" if missed.count == 1 else f"{missed.count} times "
        how = "so" if letter.owed.flip.cause == "trouble" else "down"
        sentences.append(f"it was {how} {often}before, from {moment_text(missed.since)} to {moment_text(missed.until)}")
    if letter.owed.flip.place:
        sentences.append(ALONE[letter.owed.flip.place])
    if letter.owed.flip.known_until is not None:
        sentences.append(f"its host knew of it until {moment_text(letter.owed.flip.known_until)}, and that is over")
    if letter.owed.flip.deaf is not None:
        sentences.append(_deafness(letter.owed.flip.deaf))
    sentences += _held(letter)
    if letter.owed.relays is not None:
        sentences.append(f'channel "{letter.lost}" could not be told ({letter.owed.relays_error})')
    if letter.advice:
        sentences.append(letter.advice)
    return sentences


def object_of(letter: Letter, shown: Mapping[str, object], last_body: bytes = b"") -> dict[str, object]:
    """The message as a JSON object; `shown` is its subject as the management API shows it.

    `last_body` is that of the check's last ping.
    """
    owed, flip = letter.owed, letter.owed.flip
    changed: dict[str, object] = {
        "at": seconds_text(flip.at),
        "old": flip.old,
        "new": flip.new,
        "reason": flip.cause,
        "why": why_of(flip),
        "exit_status": flip.exitstatus,
        "since": seconds_text(flip.since),
    }
    if letter.down_seconds is not None:
        changed["down_seconds"] = letter.down_seconds
    if flip.cause == "verdict":
        changed |= {"code": flip.code, "looks": [look_json(look) for look in flip.looks]}
    what = kind(letter.subject)
    said: dict[str, object] = {
        "event": "test" if letter.test else event_of(owed, letter.subject),
        "id": letter.id,
        "text": text(letter),
        what: shown,
        "flip": changed,
    }
    if last_body:
        said["body"] = last_body.decode("utf-8", "replace")[-BODY_TAIL:]
    if owed.down_from is not None:
        said["down_from"] = seconds_text(owed.down_from)
    if (missed := owed.missed) is not None:
        since, until = seconds_text(missed.since), seconds_text(missed.until)
        said["missed"] = {"count": missed.count, "since": since, "until": until}
    if flip.place:
        said["alone"] = flip.place
    if flip.known_until is not None:
        said["known_until"] = seconds_text(flip.known_until)
    if (deaf := flip.deaf) is not None:
        said["deaf"] = {"since": seconds_text(deaf.since), "until": seconds_text(deaf.until), "cause": deaf.cause}
    said |= _told_how(letter)
    if owed.relays is not None:
        said["relay"] = {"channel": owed.relays, "name": letter.lost, "error": owed.relays_error}
    if letter.advice:
        said["advice"] = letter.advice
    return said


def _news(letter: Letter) -> str:
    flip, who, seconds = letter.owed.flip, name(letter.subject), letter.down_seconds
    if flip.cause == "ended":
        return f"ENDED: {who}, {REASONS[flip.cause]}: no ping is expected any more, so silence raises no alert"
    if seconds is None:
        why = why_of(flip)
        if flip.cause == "signal" and flip.exitstatus is not None:
            why = f"{why} (exit status {flip.exitstatus})"
        if letter.owed.reminder:
            lasts = duration_text(max(0, letter.now - flip.at) // SECOND)
            return f"{headline(letter.owed)}: {who}, for {lasts} now, since {moment_text(flip.at)}: {why}"
        return f"{headline(letter.owed)}: {who}, since {moment_text(flip.at)}{why and f': {why}'}"
    lasted = duration_text(seconds)
    if flip.cause == "trouble":
        began = moment_text(flip.at - seconds * SECOND)
        return f"OVER: {who}, from {began} to {moment_text(flip.at)} ({lasted})"
    if letter.owed.down_from is not None:
        return f"UP: {who}, was down from {moment_text(letter.owed.down_from)} to {moment_text(flip.at)} ({lasted})"
    return f"UP: {who}, since {moment_text(flip.at)}, after {lasted} down"


def _told_how(letter: Letter) -> dict[str, object]:
    """What `_held` says, for programs."""
    owed, silenced, known = letter.owed, letter.owed.flip.silenced, _acknowledged(letter)
    said: dict[str, object] = {}
    if silenced is not None and owed.flip.new == "down":
        said["silenced"] = {"by": silenced.by, "name": silenced.name}
    if owed.reminder:
        said["reminder"] = owed.reminder
    if owed.step:
        said["step"] = owed.step
    if known is not None:
        said["acknowledged"] = {"at": seconds_text(known.at), "by": known.by}
    return said


def _held(letter: Letter) -> Iterator[str]:
    """Why this is told now and not before, and who has seen to it."""
    owed, subject = letter.owed, letter.subject
    if owed.flip.new == "down" and not owed.reminder:
        silenced = owed.flip.silenced
        if silenced is not None and silenced.by == "parent":
            yield f"it depends on {silenced.name}, which was down then"
        elif silenced is not None:
            window = f' "{silenced.name}"' if silenced.name else ""
            yield f"it went down in maintenance{window}"
        if isinstance(subject, Check) and subject.spec.alerts.notify_after > 1:
            yield f"it failed {subject.spec.alerts.notify_after} times in a row"
    if owed.step:
        yield "nobody has acknowledged it yet"
    known = _acknowledged(letter)
    if known is not None:
        by = f" by {known.by}" if known.by else ""
        yield f"acknowledged{by} at {moment_text(known.at)}"


def _acknowledged(letter: Letter) -> Acknowledged | None:
    """Who saw to the outage that is over."""
    flip, audience = letter.owed.flip, letter.subject.audience
    if flip.new != "up" or audience is None or audience.seq != flip.seq:
        return None
    return audience.acknowledged


def _deafness(deaf: Deaf) -> str:
    why = DEAF_CAUSES.get(deaf.cause, deaf.cause)
    return f"pingmon itself heard nothing from {moment_text(deaf.since)} to {moment_text(deaf.until)} ({why})"
