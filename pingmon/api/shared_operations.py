"""What checks and sites have in common: both can be paused, resumed and deleted. `left` finds them in an outcome."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from msgspec.structs import replace

from pingmon.api.api_answer import ApiError, existing
from pingmon.api.call import Call
from pingmon.core.check.check import Check
from pingmon.core.site.site import Site
from pingmon.core.units import SECOND
from pingmon.core.world.events import AnyEvent
from pingmon.core.world.outcome import Outcome
from pingmon.wire.api.check_fields import FieldRule, judged

T = TypeVar("T", Check, Site)

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


async def delete(call: Call, watched: T, event: AnyEvent, left: Callable[[Outcome], T | None]) -> T:
    """Have it deleted; its last state, without the channels that it is told on no more."""
    gone = existing(left(await call.submit(watched.id, event)))
    return replace(gone, spec=replace(gone.spec, channels=()))
