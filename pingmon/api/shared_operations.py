"""What checks and sites have in common: both can be paused, resumed and deleted. `left` finds them in an outcome."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from msgspec.structs import replace

from pingmon.api.api_answer import ApiError, existing
from pingmon.api.call import Call
from pingmon.core.check.check import Check
from pingmon.core.notify.silences import depends
from pingmon.core.site.site import Site
from pingmon.core.units import SECOND, Id
from pingmon.core.world.events import AnyEvent, OutageAcknowledged
from pingmon.core.world.outcome import Outcome
from pingmon.wire.api.check_fields import FieldRule, Invalid, judged

T = TypeVar("T", Check, Site)

ACK_FIELDS: Final[dict[str, FieldRule]] = {"by": FieldRule(type="string", max_length=100)}
OVERLAP_S: Final = 86_400
OVERLAP_FIELDS: Final[dict[str, FieldRule]] = {"overlap": FieldRule(type="integer", minimum=0, maximum=30 * 86_400)}


def old_until(call: Call) -> int:
    """Until when a secret or key counts that is replaced now: for `overlap` seconds, a day if the request says nothing.

    In microseconds since the epoch; 0 if it does not count any more. Raises `Invalid`.
    """
    overlap = judged(call.body, OVERLAP_FIELDS).get("overlap", OVERLAP_S)
    return call.monitor.now() + overlap * SECOND if overlap else 0


async def pause(call: Call, watched: T, event: AnyEvent, left: Callable[[Outcome], T | None]) -> T:
    """Have it paused, unless it is."""
    return watched if watched.status == "paused" else existing(left(await call.submit(watched.id, event)))


async def resume(call: Call, watched: T, event: AnyEvent, left: Callable[[Outcome], T | None]) -> T:
    """Have it resumed; 409 if it is not paused, or was not when the log heard of it."""
    if watched.status == "paused":
        outcome = await call.submit(watched.id, event)
        resumed = existing(left(outcome))
        if outcome.flip is not None:
            return resumed
    raise ApiError(409, f"{type(watched).__name__.lower()} is not paused")


async def acknowledge(call: Call, watched: T) -> None:
    """Have its outage acknowledged by who `by` in the request says; 409 if there is none. Once is enough."""
    by = judged(call.body, ACK_FIELDS).get("by", "")
    if (await call.submit(watched.id, OutageAcknowledged(by))).result == "unknown":
        raise ApiError(409, f"{type(watched).__name__.lower()} is not down")


def check_parent(call: Call, id: Id, parent: Id) -> None:
    """Raises `Invalid` unless the check or site `id` may depend on `parent`: it is there, and not the other way round.

    A parent that is gone may stay, so `parent` is only what is new.
    """
    known = call.world.known(parent) if parent else None
    if parent and (known is None or known.project != call.project):
        raise Invalid("json validation error: parent is no check and no site of the project")
    if known is not None and depends(call.world, known, id):
        raise Invalid("json validation error: parent depends on this one")


async def delete(call: Call, watched: T, event: AnyEvent, left: Callable[[Outcome], T | None]) -> T:
    """Have it deleted; its last state, without the channels that it is told on no more."""
    gone = existing(left(await call.submit(watched.id, event)))
    return replace(gone, spec=replace(gone.spec, channels=()))
