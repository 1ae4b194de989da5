"""What the operator ought to see to before it keeps the daemon from its work, or because only he can.

Those are warnings in `status/` for operators, and told to the channels of `[operator]`. A load balancer need not know.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pingmon.core.units import DAY
from pingmon.daemon.health_problems import Parts
from pingmon.wire.api.status import Problem
from pingmon.wire.message.message import called
from pingmon.wire.time_texts import moment_text

FULL_SHARE: Final = 20
FULL_BYTES: Final = 1 << 30
"""A disk is nearly full when less than both this and one part in so many of it is free."""
ENDS_SOON: Final = ((14, "certificate"), (3, "certificate at last"))
"""Days before its end from which a certificate is told of, each time as a trouble of its own."""


def warnings(parts: Parts) -> list[Problem]:
    """What there is to be warned of now."""
    return [*_of_the_disk(parts), *_of_certificates(parts), *_of_partners(parts), *_of_channels(parts)]


def _of_the_disk(parts: Parts) -> Iterator[Problem]:
    if parts.monitor.journal.health().hangs_s:
        return  # it would hang us, too
    free, size = parts.disk_space()
    if free < FULL_BYTES and free * FULL_SHARE < size:
        detail = f"{free >> 20} MiB of {size >> 20} MiB are free; on a full one pings are answered 503"
        yield Problem("the journal's disk is nearly full", detail, "disk")


def _of_certificates(parts: Parts) -> Iterator[Problem]:
    for where, ends in parts.certificates():
        for days, kind in ENDS_SOON:
            if ends - parts.monitor.now() <= days * DAY:
                text = f"a certificate that this daemon shows ends at {moment_text(ends)}"
                detail = f"{where}: that is within {days} days; its files are read again when they have changed"
                yield Problem(text, detail, f"{kind} {where}")


def _of_partners(parts: Parts) -> Iterator[Problem]:
    for partner in parts.monitor.world.partners.values():
        if partner.malformed:
            text = f"partner {partner.spec.slug} answers what cannot be understood"
            yield Problem(text, f"{partner.malformed}; users are told without it", f"partner {partner.id}")


def _of_channels(parts: Parts) -> Iterator[Problem]:
    for channel in parts.monitor.world.channels.values():
        if channel.given_up and not channel.consent:
            detail = f"{channel.last_error or 'nothing was delivered since'}; other channels of the project are told"
            yield Problem(f"messages to channel {called(channel)} were given up", detail, f"channel {channel.id}")
