"""The history of a check as clients see it: its pings with their durations, and its flips.

A ping's duration is the time since the newest start with the same run id (none counts as one), unless a success or
failure with that id lies in between, or more than 72 hours. Source: the management API as the reference server behaves.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

from pingmon.core.flip import Flip, Silenced
from pingmon.core.units import SECOND
from pingmon.core.world.events import Entry, PingReceived
from pingmon.wire.api.checks import Json
from pingmon.wire.message.message import why_of
from pingmon.wire.time_texts import exact_text, seconds_text

Placed: TypeAlias = tuple[int, Entry]
"""A ping and its position, counted back from the newest one (0)."""

MAX_DURATION: Final = 72 * 3600 * SECOND
RUN_SIGNALS: Final = frozenset({"start", "success", "fail"})
"""The signals that durations are made of."""


def durations(pings: Iterable[Placed]) -> dict[int, int]:
    """Microseconds by `seq` for the successes and failures whose start is among `pings`, which come newest first."""
    found: dict[int, int] = {}
    started: dict[str | None, int] = {}
    for _, entry in reversed(list(pings)):
        ping = entry.event
        assert isinstance(ping, PingReceived)
        if ping.signal == "start":
            started[ping.rid] = entry.at
        elif ping.signal in RUN_SIGNALS and ping.rid in started:
            duration = entry.at - started.pop(ping.rid)
            if 0 <= duration <= MAX_DURATION:
                found[entry.seq] = duration
    return found


def runs_without_start(page: Iterable[Placed], around: Iterable[Placed]) -> bool:
    """Whether an older ping than `around` may be the start of a run that ends on `page`."""
    shown = {entry.seq for _, entry in page}
    open: set[str | None] = set()
    for _, entry in around:
        ping = entry.event
        assert isinstance(ping, PingReceived)
        if ping.signal not in RUN_SIGNALS:
            continue
        open.discard(ping.rid)
        if ping.signal != "start" and entry.seq in shown:
            open.add(ping.rid)
    return bool(open)


def pings_json(page: Iterable[Placed], around: Iterable[Placed], n_pings: int, check_url: str) -> Json:
    """The answer that lists `page`; `around` are the pings to find durations in, the page's own among them."""
    known = durations(around)
    return {"pings": [_ping_json(entry, n_pings - position, known, check_url) for position, entry in page]}


def _ping_json(entry: Entry, n: int, known: dict[int, int], check_url: str) -> Json:
    ping = entry.event
    assert isinstance(ping, PingReceived)
    shown: Json = {
        "type": ping.signal,
        "date": exact_text(entry.at),
        "n": n,
        "scheme": ping.scheme,
        "remote_addr": ping.addr or None,
        "method": ping.method,
        "ua": ping.ua,
        "rid": ping.rid,
        "body_url": f"{check_url}/pings/{n}/body" if entry.payload else None,
        "exitstatus": ping.exitstatus,
    }
    if entry.seq in known:
        shown["duration"] = round(known[entry.seq] / SECOND, 2)
    return shown


def flip_json(flip: Flip, messages: Sequence[Json], *, readonly: bool) -> Json:
    """One flip, as it is shown of checks and of sites. `seq` is the mark from which to ask for older ones.

    `messages` say what became of those about it (`channels.delivery_json`); who was told, and why nobody was told when
    it happened, is not shown to a read-only key. `told` is null of a flip that nobody was to be told of.
    """
    shown: Json = {
        "timestamp": seconds_text(flip.at),
        "up": int(flip.new == "up"),
        "reason": flip.cause,
        "why": why_of(flip),
        "seq": flip.seq,
        "told": any(message["result"] == "delivered" for message in messages) if messages else None,
    }
    if readonly:
        return shown
    return shown | {"silenced": silenced_json(flip.silenced), "deliveries": list(messages)}


def silenced_json(silenced: Silenced | None) -> Json | None:
    """Why nobody was told at once."""
    return None if silenced is None else {"by": silenced.by, "id": silenced.id, "name": silenced.name}
