"""The API's history of a check: its pings, their bodies, its flips.

Pings are counted back from the newest one, so a page is read as of one entry of the log, the one that the check's
`n_pings` was taken at; pings that arrive meanwhile do not shift it.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from pingmon.api.api_answer import TEXT, ApiAnswer, json_answer, not_found
from pingmon.api.call import PAGE, Call
from pingmon.core.flip import Flip, Silenced
from pingmon.core.notify.notification import Delivery
from pingmon.core.units import SECOND, Id
from pingmon.core.world.events import CheckMoved, PingReceived
from pingmon.core.world.outcome import Subject
from pingmon.wire.api.channels import delivery_json, waiting_json
from pingmon.wire.api.check_history import Placed, flip_json, pings_json, runs_without_start
from pingmon.wire.api.checks import Json
from pingmon.wire.api.query_parameters import BEFORE, BEFORE_PING, END, LIMIT, PAGE_MAX, PING_TYPE, SECONDS, START

LOOK_BACK: Final = 200
"""Pings before a page in which the starts of its runs are looked for, if they are not among the first `NEAR`."""
NEAR: Final = 10
SCAN_MAX: Final = 5000
"""Pings that one request looks through for those of its types, in steps of a page, between which others are served."""

_MARK: Final = re.compile(BEFORE_PING.mark)


async def list_pings(call: Call, id: Id) -> ApiAnswer:
    """A check's pings, newest first; `type`, `before` (a ping's `n`, or `next`) and `limit` page through all of them.

    However few are of a wanted type, a request looks at `SCAN_MAX` pings and some more; then `next` leads on.
    """
    check = call.check(id)
    limit = call.asked_number(LIMIT) or PAGE
    place = _place(call, check.n_pings)
    types = call.asked_words(PING_TYPE)
    url = call.view().check_url(id)
    page, around, last = await _searched(call, id, place, limit, types)
    next = None if last is None else f"{check.n_pings - last[0]}.{last[1].seq}"
    return json_answer(pings_json(page, around, check.n_pings, url) | {"next": next})


class _Place(Struct, frozen=True):
    """Where a page begins: at the ping at `position`, counted from the newest, which is `skip` pings below `upto`."""

    position: int
    upto: int
    skip: int


def _place(call: Call, n_pings: int) -> _Place:
    """Where the query has the page begin. A bare number is counted off from the newest ping; `next` knows the entry."""
    asked = call.asked("before")
    if not asked or not _MARK.fullmatch(asked[-1]):
        before = call.asked_number(BEFORE_PING)
        skip = 0 if before is None else max(0, n_pings - before + 1)
        return _Place(skip, call.world.seq, skip)
    n, _, seq = asked[-1].partition(".")
    return _Place(max(0, n_pings - int(n) + 1), min(call.world.seq, int(seq) - 1), 0)


async def _searched(
    call: Call, id: Id, place: _Place, limit: int, types: frozenset[str]
) -> tuple[list[Placed], list[Placed], Placed | None]:
    """The page, the pings among which durations are found, and the last that was looked at if there may be more."""
    page: list[Placed] = []
    around: list[Placed] = []
    last: Placed | None = None
    position, upto, skip = place.position, place.upto, place.skip
    looked = after = 0
    many = limit + NEAR
    while not after or (after < LOOK_BACK and runs_without_start(page, around)):
        entries = await call.history.events(id, PingReceived, upto=upto, skip=skip, limit=many)
        for placed in enumerate(entries, position):
            if len(page) == limit or looked >= SCAN_MAX:
                after += 1
            else:
                looked, last = looked + 1, placed
                if not types or getattr(placed[1].event, "signal", None) in types:
                    page.append(placed)
            if page:
                around.append(placed if placed[1].payload is None else (placed[0], replace(placed[1], payload=None)))
        if len(entries) < many:
            return page, around, last if after else None
        position, upto, skip, many = position + len(entries), entries[-1].seq - 1, 0, limit + LOOK_BACK
    return page, around, last


async def read_body(call: Call, id: Id, n: str) -> ApiAnswer:
    """The body that came with a ping, byte for byte."""
    check = call.check(id)
    position = check.n_pings - int(n) if n.isascii() and n.isdigit() else -1
    if not 0 <= position < check.n_pings:
        raise not_found()
    found = await call.history.events(id, PingReceived, upto=call.world.seq, skip=position, limit=1)
    if not found or not found[0].payload:
        raise not_found()
    return ApiAnswer(200, found[0].payload, TEXT, (("X-Content-Type-Options", "nosniff"),))


async def list_flips(call: Call, id: Id) -> ApiAnswer:
    """A check's flips, newest first; `seconds`, `start`, `end`, `before` (a flip's `seq`), `limit` narrow the list."""
    check = call.check(id)
    return json_answer({"flips": await flips_of(call, check, await asked_flips(call, id, PAGE_MAX))})


async def list_flips_by_unique_key(call: Call, key: str) -> ApiAnswer:
    """The same, by the name that read-only keys see."""
    check = call.check_by_unique_key(key)
    return json_answer({"flips": await flips_of(call, check, await asked_flips(call, check.id, PAGE_MAX))})


async def flips_of(call: Call, subject: Subject, flips: list[Flip]) -> list[Json]:
    """The flips of a check or site as they are shown, with what became of the messages about them."""
    messages: dict[int, dict[Id, Json]] = {flip.seq: {} for flip in flips}
    for owed in call.world.owed_about(subject):
        if owed.place in messages:
            messages[owed.place][owed.channel] = waiting_json(owed, call.world.channels[owed.channel], subject)
    for row in await call.history.flips_at(messages):  # what has ended since then is shown once, as it ended
        if row.stream != subject.id:
            ended = msgspec.json.decode(row.body, type=Delivery)
            messages[row.seq][row.stream] = delivery_json(ended, subject)
            channel = call.world.channels.get(row.stream)
            if channel is not None and channel.project != call.project:  # the check was there before it was moved here
                messages[row.seq][row.stream] |= {"channel": "", "tried": []}
    own = await anonymous_before(call, subject, flips)
    return [flip_json(flip, list(messages[flip.seq].values()), readonly=call.readonly) for flip in own]


async def anonymous_before(call: Call, subject: Subject, flips: list[Flip]) -> list[Flip]:
    """`flips`; those of a time in another project without what silenced them there by name."""
    if not any(flip.silenced for flip in flips):
        return flips
    moved = await call.history.events(subject.id, CheckMoved, upto=call.world.seq, limit=1)
    since = moved[0].seq if moved else 0
    return [
        replace(flip, silenced=Silenced(flip.silenced.by, "", "")) if flip.silenced and flip.seq < since else flip
        for flip in flips
    ]


async def asked_flips(call: Call, subject: Id, page: int) -> list[Flip]:
    """The flips of a check or site that the query asks for, newest first; at most `page` if it sets no limit."""
    seconds = call.asked_number(SECONDS)
    start = call.asked_number(START)
    end = call.asked_number(END)
    before = call.asked_number(BEFORE)
    limit = call.asked_number(LIMIT) or page
    starts = [] if start is None else [start * SECOND]
    if seconds:
        starts.append(call.monitor.now() - seconds * SECOND)
    rows = await call.history.flips(
        subject,
        upto=call.world.seq,
        start=max(starts, default=None),
        end=None if end is None else end * SECOND,
        before=before,
        limit=limit,
    )
    return [msgspec.json.decode(row.body, type=Flip) for row in rows]
