"""The API's history of a site: its flips, its rounds of probes, its hours, and its uptime.

What is read stands as of one entry of the log. Every request reads a bounded part of it, however long it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from pingmon.api.api_answer import ApiAnswer, json_answer
from pingmon.api.call import PAGE, Call
from pingmon.api.check_history import asked_flips, flips_of
from pingmon.core.flip import Flip
from pingmon.core.partner.partner import MAX_SUPPRESSION_S
from pingmon.core.units import SECOND, Id
from pingmon.core.world.events import Entry, PartnerAnswered, SiteProbed
from pingmon.wire.api.query_parameters import BEFORE, DAYS, LIMIT, MONTHS, PAGE_MAX, NumberParameter
from pingmon.wire.api.site_history import decision_json, hour_json, round_json, whole_hours
from pingmon.wire.api.uptime import Past, days, months, silence_now, silences, tally, uptime_json

HOURS_PAGE: Final = 168
"""A week."""
SCAN: Final = 500
SCAN_MAX: Final = 5000
"""Entries that are looked through, in steps of `SCAN`, for those that a page is made of."""
UPTIME_MAX: Final = 20_000
"""Flips, and answers of partners, from which uptime is computed; what is before them is unknown."""
DAYS_SHOWN, MONTHS_SHOWN = 30, 12


async def list_flips(call: Call, id: Id) -> ApiAnswer:
    """A site's flips, newest first; `seconds`, `start`, `end`, `before` (a flip's `seq`), `limit` narrow the list."""
    site = call.site(id)
    flips = await asked_flips(call, id, PAGE)
    shown = await flips_of(call, site, flips)
    return json_answer({"flips": [each | decision_json(flip) for each, flip in zip(shown, flips, strict=True)]})


async def list_probes(call: Call, id: Id) -> ApiAnswer:
    """The rounds of probes that were logged, newest first: who saw what; `before` and `limit` page through them."""
    call.site(id)
    page, next = await _probed(call, id, lambda event: bool(event.looks), PAGE)
    return json_answer({"probes": [round_json(entry) for entry, _ in page], "next": next})


async def list_hours(call: Call, id: Id) -> ApiAnswer:
    """Response times of the hours that have ended, newest first; `before` and `limit` page through them."""
    call.site(id)
    page, next = await _probed(call, id, lambda event: event.hour is not None, HOURS_PAGE, _of_one_hour)
    hours = whole_hours((entry.seq, event.hour) for entry, event in page if event.hour is not None)
    return json_answer({"hours": [hour_json(seq, hour) for seq, hour in hours], "next": next})


def _of_one_hour(newer: SiteProbed, older: SiteProbed) -> bool:
    return newer.hour is not None and older.hour is not None and newer.hour.start == older.hour.start


async def read_uptime(call: Call, id: Id) -> ApiAnswer:
    """For how long the site was up and down in each of the last `days` (30) and `months` (12), in UTC."""
    site, now = call.site(id), call.monitor.now()
    by_day = days(now, _count(call, DAYS, DAYS_SHOWN))
    by_month = months(now, _count(call, MONTHS, MONTHS_SHOWN))
    start = min((period.start for period in (*by_day, *by_month)), default=now // SECOND)
    present = silence_now(site, call.world.host_of(site))
    upto = call.world.seq
    past, whole = await _past(call, id, upto, start, now)
    answers = await _answers(call, id, upto, start - MAX_SUPPRESSION_S)
    spans = past.spans([*silences(answers), *present])
    shown = {
        plural: [
            uptime_json(tally(spans, period, "unwatched" if whole else "unknown"), name, period) for period in periods
        ]
        for plural, name, periods in (("days", "date", by_day), ("months", "month", by_month))
    }
    return json_answer(shown)


def _count(call: Call, parameter: NumberParameter, default: int) -> int:
    asked = call.asked_number(parameter)
    return default if asked is None else asked


async def _probed(
    call: Call,
    id: Id,
    fits: Callable[[SiteProbed], bool],
    page: int,
    joins: Callable[[SiteProbed, SiteProbed], bool] = lambda newer, older: False,
) -> tuple[list[tuple[Entry, SiteProbed]], int | None]:
    """The entries about probes of the site that are asked for, and from where to ask for more; None if there are none.

    Hours and rounds are events of one kind, so a page may be shorter than asked although there is more. It is longer
    by those that belong to the last one of it (`joins`).
    """
    limit = call.asked_number(LIMIT) or page
    before = call.asked_number(BEFORE)
    upto = call.world.seq
    found: list[tuple[Entry, SiteProbed]] = []
    for _ in range(SCAN_MAX // SCAN):
        entries = await call.history.events(id, SiteProbed, upto=upto, before=before, limit=SCAN)
        for entry in entries:
            assert isinstance(entry.event, SiteProbed)
            if fits(entry.event):
                if len(found) >= limit and not joins(found[-1][1], entry.event):
                    return found, before
                found.append((entry, entry.event))
            before = entry.seq
        if len(entries) < SCAN:
            return found, None
    return found, before


async def _past(call: Call, id: Id, upto: int, start: int, now: int) -> tuple[Past, bool]:
    """What was since `start` (seconds since the epoch), and whether that is all there is to know."""
    past = Past(now)
    before: int | None = None
    for _ in range(UPTIME_MAX // PAGE_MAX):
        rows = await call.history.flips(id, upto=upto, before=before, limit=PAGE_MAX)
        past.take(msgspec.json.decode(row.body, type=Flip) for row in rows)
        if len(rows) < PAGE_MAX or past.start <= start:
            return past, True
        before = rows[-1].seq
    return past, False


async def _answers(call: Call, id: Id, upto: int, since: int) -> list[Entry]:
    """What the site's hosts answered since `since` (seconds since the epoch), newest first."""
    found: list[Entry] = []
    while len(found) < UPTIME_MAX:
        before = found[-1].seq if found else None
        page = await call.history.events(id, PartnerAnswered, upto=upto, before=before, limit=PAGE_MAX)
        found += page
        if len(page) < PAGE_MAX or page[-1].at < since * SECOND:
            break
    return found
