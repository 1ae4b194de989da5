"""The values that go into and come out of a journal. Nothing here knows how they are stored."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from pingmon.core.units import DAY, Id
from pingmon.core.world.events import CheckDeleted, Event, PingReceived, SiteDeleted, SiteProbed

MEASUREMENTS: Final[dict[type[Event], type[Event]]] = {PingReceived: CheckDeleted, SiteProbed: SiteDeleted}
"""The events that may be trimmed, each with the one after which nobody needs those of the same stream."""

STOPPED: Final = "the journal is not running"


class FlipRow(Struct, frozen=True, gc=False):
    """A flip that the fold derived from entry `seq`, or what became of a message about it (`stream`: the channel).

    `at`: microseconds since the epoch; `body`: JSON, opaque here. The first one with a key (`seq`, `stream`) is kept,
    so that no replay changes what was, unless a later one says that it is known better now (`anew`).
    """

    seq: int
    stream: Id
    at: int
    body: bytes
    anew: bool = False


class Retention(Struct, frozen=True):
    """Which measurements (pings, probes) may be trimmed.

    A ping may go if at least `pings_per_check` pings of its check are newer, or if it and all before it are older
    than `max_age_days` and it is not the newest of its check, or if its check was deleted. The same holds for a probe,
    its site and `probes_per_site`. All other entries stay for ever.
    """

    pings_per_check: int = 1000
    max_age_days: int | None = None
    probes_per_site: int = 2000

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1")

    def newest(self, kind: type[Event]) -> int:
        """How many of the newest measurements of this kind stay in each stream, unless they are too old."""
        return self.pings_per_check if kind is PingReceived else self.probes_per_site

    def too_old(self, at: int, now: int) -> bool:
        """Whether age alone lets go what was measured at `at`."""
        return self.max_age_days is not None and at < now - self.max_age_days * DAY


DEFAULT_RETENTION: Final = Retention()


class Trimmed(Struct, frozen=True):
    """What one retention step did. `wrapped`: the sweep has seen all that may be trimmed and starts over."""

    scanned: int
    deleted: int
    wrapped: bool


class JournalHealth(Struct, frozen=True):
    """The journal's own report. Instants are microseconds by the reactor's clock, whatever that counts from.

    `failing_since` is None while writes succeed; `last_error` stays after recovery, and so does its `gist`, which names
    no path. `damage`: what was read or trimmed and is not what was written; it stays. `unreadable`: why the last read
    failed, if it did. `hangs_s`: for how many seconds a write has been under way, once that is too long, else 0.
    `entries_total` counts all entries ever written. `commit_s` is the mean duration, in seconds, of the last commits
    (0.0 before the first).
    """

    failing_since: int | None
    last_error: str | None
    gist: str
    damage: str | None
    unreadable: str | None
    hangs_s: int
    buffered: int
    entries_total: int
    last_commit_at: int | None
    commits: int
    commit_s: float


def newest_seq(upto: int, before: int | None) -> int:
    """The newest entry that is <= `upto` and < `before` (None: no such bound); 0 if there can be none."""
    return upto if before is None else max(0, min(upto, before - 1))


class Window(Struct, frozen=True):
    """Which flips of a stream are asked for: seq <= `upto`, `start` <= at < `end` (microseconds; None: open)."""

    stream: Id
    upto: int
    start: int | None = None
    end: int | None = None

    def newest(self, flips: Iterable[FlipRow], limit: int | None) -> list[FlipRow]:
        """At most `limit` of those of `flips` that are within, newest first, each once."""
        within = {flip.seq: flip for flip in flips if self._holds(flip)}
        return [within[seq] for seq in sorted(within, reverse=True)][:limit]

    def _holds(self, flip: FlipRow) -> bool:
        return (
            flip.stream == self.stream
            and flip.seq <= self.upto
            and (self.start is None or flip.at >= self.start)
            and (self.end is None or flip.at < self.end)
        )
