"""The API's rehearsals: what other settings would have made of a check's own history, before they are saved."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Final

from msgspec import Struct
from twisted.internet.task import deferLater

from pingmon.api.api_answer import ApiAnswer, json_answer
from pingmon.api.call import PAUSE_S, SLICE, Call
from pingmon.core.check.check import Check
from pingmon.core.check.rehearsal import REPLAYED, Rehearsal, reread
from pingmon.core.check.settings import CheckSpec
from pingmon.core.units import DAEMON, DAY, Id
from pingmon.core.world.events import CheckEvent, Entry, PingReceived
from pingmon.wire.api.check_fields import FIELDS, changes, ignored, judged
from pingmon.wire.api.checks import check_json
from pingmon.wire.api.query_parameters import DAYS_BACK
from pingmon.wire.api.rehearsals import Covered, rehearsal_json

DAYS: Final = 30
PINGS_MAX: Final = 10_000
PAGE: Final = 500
"""Pings that are read at once, with their bodies."""
OTHERS_MAX: Final = 1000
"""Pauses, times of deafness and the like that are replayed, of each kind."""


async def rehearse_check(call: Call, id: Id) -> ApiAnswer:
    """The alerts of the last `days` (30) if the fields that were sent had been set, beside those with today's settings.

    Nothing is changed.
    """
    check, now, upto = call.check(id), call.monitor.now(), call.world.seq
    wanted = changes(judged(call.body), check.spec, call.version, call.channels(), now).applied_to(check.spec)
    since = now - (call.asked_number(DAYS_BACK) or DAYS) * DAY
    pings = await _pings(call, check, upto, since, wanted)
    covered = _covered(check, since, now, pings)
    others = await _others(call, id, upto, pings[-1].seq) if pings else []
    today, changed = (Rehearsal(check, spec, covered.start) for spec in (check.spec, wanted))
    for number, each in enumerate(sorted([*pings, *others], key=attrgetter("seq"))):
        if number % SLICE == SLICE - 1:
            await deferLater(call.clock, PAUSE_S)
        today.take(each.today)
        changed.take(each.changed)
    shown = rehearsal_json(covered, (check.spec, today.end(now)), (wanted, changed.end(now)))
    return json_answer(shown | {"warnings": ignored(call.body, FIELDS, check_json(check, call.view()))})


class _Replayed(Struct, frozen=True):
    """An entry as it is taken with today's settings, and with the others; `guessed`: nobody knows how, with those."""

    seq: int
    today: Entry
    changed: Entry
    guessed: bool = False


async def _pings(call: Call, check: Check, upto: int, since: int, wanted: CheckSpec) -> list[_Replayed]:
    """The check's pings, newest first, and the last one before `since`, as far as they are kept."""
    found: list[_Replayed] = []
    before: int | None = None
    while len(found) < PINGS_MAX:
        page = await call.history.events(check.id, PingReceived, upto=upto, before=before, limit=PAGE)
        for entry in page:
            as_wanted, guessed = reread(entry, wanted)
            found.append(_Replayed(entry.seq, reread(entry, check.spec)[0], as_wanted, guessed))
            if entry.at < since:
                return found
        if len(page) < PAGE:
            break
        before = page[-1].seq
    return found


def _covered(check: Check, since: int, now: int, pings: Sequence[_Replayed]) -> Covered:
    """What can be said of the time since `since`; `check` is as it was when `pings` were read."""
    oldest = pings[-1].today.at if pings else now
    whole = oldest < since or len(pings) >= check.n_pings
    start = max(since, check.created if whole else oldest)
    guessed = sum(ping.guessed for ping in pings)
    return Covered(since, start, now, len(pings), whole, guessed)


async def _others(call: Call, id: Id, upto: int, after: int) -> list[_Replayed]:
    """What else is replayed of the check and of the daemon, after the entry `after`."""
    found: list[Entry] = []
    for kind in REPLAYED:
        if kind is not PingReceived:
            stream = id if issubclass(kind, CheckEvent) else DAEMON
            found += await call.history.events(stream, kind, upto=upto, limit=OTHERS_MAX)
    return [_Replayed(entry.seq, entry, entry) for entry in found if entry.seq > after]
