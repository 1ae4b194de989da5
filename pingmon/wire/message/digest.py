"""A digest: one message about many changes of status, for a channel to which more is owed than it is sent one by one.

The JSON object, which is also the default body of a webhook:

    event     "digest"
    id        of the digest; a repeat with the same id tells nothing that the first has not told
    text      all of it in one line
    counts    down, up, ended: how many of each it tells
    items     the newest 100: id (of the message that each would have been), check, site or pingmon (its UUID), name,
              event ("check.down" …), at (when it happened), why, down_seconds (up only)
    more      how many there are besides

It has all that waits for the channel, and of each check and site the newest state alone, for newer messages overtake
older ones. A text lists the newest 50.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from pingmon.core.flip import Flip
from pingmon.core.notify.channel import Channel
from pingmon.core.units import Id
from pingmon.wire.message.message import Letter, event_of, kind, message_id, name, printable, text, why_of
from pingmon.wire.time_texts import seconds_text

NAMED: Final = 5
"""Checks and sites that the one line names."""
LISTED: Final = 50
"""Messages that the text in several lines tells in full."""
ITEMS: Final = 100
"""Messages that the JSON object tells in full."""


class Digest(Struct, frozen=True, gc=False):
    """All that waits for `channel`: at least one letter, those of the newest flips first.

    `through` is the newest entry of the log by which one of them became owed. `now` (microseconds since the epoch) is
    when this attempt began.
    """

    channel: Channel
    now: int
    through: int
    letters: tuple[Letter, ...]

    @property
    def id(self) -> str:
        """The digest's id for the outside."""
        return message_id(digest_id(self.channel.id, self.through))

    @property
    def status(self) -> Literal["up", "down"]:
        """`down` if anything of it is."""
        return "down" if any(_became(letter.owed.flip) == "down" for letter in self.letters) else "up"


AnyMessage: TypeAlias = Letter | Digest
"""What a channel is sent."""


def digest(channel: Channel, now: int, through: int, letters: Iterable[Letter]) -> Digest:
    """The digest of these letters, in whatever order they come."""
    newest_first = sorted(letters, key=lambda letter: (letter.owed.flip.at, letter.owed.flip.seq), reverse=True)
    return Digest(channel, now, through, tuple(newest_first))


def digest_id(channel: Id, through: int) -> str:
    """The id of the digest of what became owed to `channel` by the entry `through` at the latest."""
    return f"{channel}.digest.{through}"


def digest_name(digest: Digest) -> str:
    """What it is about, in the place of a name: `37 checks`, `1 site`, `2 checks and 3 sites`."""
    counts = Counter(kind(letter.subject) for letter in digest.letters)
    parts = ((counts["check"], "check"), (counts["site"], "site"), (counts["pingmon"], "trouble"))
    return " and ".join(f"{count} {what}{'' if count == 1 else 's'}" for count, what in parts if count)


def digest_text(digest: Digest) -> str:
    """The whole digest in one line: how many of what, and the names of the newest."""
    names = [printable(name(letter.subject)) for letter in digest.letters[:NAMED]]
    return f"{_head(digest)}: {', '.join(names)}{_more(len(digest.letters) - len(names))}"


def digest_lines(digest: Digest) -> list[str]:
    """The digest in several lines: how many of what, the newest messages in a line each, and how many more."""
    lines = [text(letter) for letter in digest.letters[:LISTED]]
    more = len(digest.letters) - len(lines)
    return [_head(digest), *lines, *([f"and {more} more"] if more else [])]


def digest_object(digest: Digest) -> dict[str, object]:
    """The digest as a JSON object."""
    return {
        "event": "digest",
        "id": digest.id,
        "text": digest_text(digest),
        "counts": _counts(digest),
        "items": [_item(letter) for letter in digest.letters[:ITEMS]],
        "more": max(0, len(digest.letters) - ITEMS),
    }


def _became(flip: Flip) -> str:
    return "ended" if flip.cause == "ended" else flip.new


def _counts(digest: Digest) -> dict[str, int]:
    counts = {"down": 0, "up": 0, "ended": 0}
    for letter in digest.letters:
        counts[_became(letter.owed.flip)] += 1
    return counts


def _head(digest: Digest) -> str:
    counted = ", ".join(f"{count} {what}" for what, count in _counts(digest).items() if count)
    return f"{digest.status.upper()}: {digest_name(digest)} ({counted})"


def _more(count: int) -> str:
    return f" and {count} more" if count else ""


def _item(letter: Letter) -> dict[str, object]:
    flip, subject = letter.owed.flip, letter.subject
    item: dict[str, object] = {
        "id": letter.id,
        kind(subject): subject.id,
        "name": name(subject),
        "event": event_of(letter.owed, subject),
        "at": seconds_text(flip.at),
        "why": why_of(flip),
    }
    return item if letter.down_seconds is None else item | {"down_seconds": letter.down_seconds}
