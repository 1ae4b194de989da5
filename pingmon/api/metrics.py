"""The API's `metrics/`: four numbers by which the reference server's operators see whether it does its work.

Whoever wants to know more asks `/metrics`. Ids are numbers of entries of the log: rows of pings and of notifications
there are not.
"""

from __future__ import annotations

from typing import Final

from pingmon.api.api_answer import ApiAnswer, json_answer
from pingmon.api.call import Call
from pingmon.core.notify.channel import Channel
from pingmon.core.units import SECOND
from pingmon.core.world.events import NotificationDelivered, PingReceived

NEWEST: Final = 1000
"""Entries of the log among which the newest ping is looked for."""


async def read_metrics(call: Call) -> ApiAnswer:
    """The time, the newest ping and the newest delivery in the log, and how many flips somebody waits to hear of."""
    return json_answer(
        {
            "ts": call.monitor.now() // SECOND,
            "max_ping_id": await _newest_ping(call),
            "max_notification_id": await _newest_delivery(call),
            "num_unprocessed_flips": len({owed.place for owed in call.world.owed.values()}),
        }
    )


async def _newest_ping(call: Call) -> int | None:
    entries = await call.history.entries(None, after=max(0, call.world.seq - NEWEST), limit=NEWEST)
    return max((entry.seq for entry in entries if isinstance(entry.event, PingReceived)), default=None)


async def _newest_delivery(call: Call) -> int | None:
    """Of the channel that was told last: none has one that is newer."""
    channel = max(call.world.channels.values(), key=_last_delivered, default=None)
    if channel is None:
        return None
    found = await call.history.events(channel.id, NotificationDelivered, upto=call.world.seq, limit=1)
    return found[0].seq if found else None


def _last_delivered(channel: Channel) -> int:
    return channel.last_delivered or 0
