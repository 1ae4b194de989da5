"""One change of the status of a check or of a site: what people are told of, and what history is made of."""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct, field

from pingmon.core.site.probe_result import ProbeResult
from pingmon.core.site.verdict import Place
from pingmon.core.units import Id

FlipStatus: TypeAlias = Literal["new", "up", "down", "paused", "suspect", "unknown"]
Cause: TypeAlias = Literal["", "silence", "run", "signal", "verdict", "ended", "trouble"]


class Deaf(Struct, frozen=True, omit_defaults=True, gc=False):
    """A time in which pingmon heard nothing by its own fault; silence alerts of that time wait until `hold_until`.

    See Note [Deafness] in `monitor/deafness`.
    """

    since: int
    until: int
    hold_until: int
    cause: str = "stopped"


class Silenced(Struct, frozen=True, gc=False):
    """Why nobody was told at once: a maintenance window, or the check or site that this one depends on is down."""

    by: Literal["maintenance", "parent"]
    id: Id
    name: str


class Flip(Struct, frozen=True, omit_defaults=True, gc=False):
    """`subject` is the check or site. `seq` is the log entry that caused it, `at` the instant it is stamped with.

    `cause` of a check's way down: `silence`, `run` (ran too long) or `signal`; of what probes of a site led to:
    `verdict`; of what is no change but is told like one, a schedule that has run out: `ended`; of trouble of
    pingmon itself, which is the subject: `trouble`. `since` is when the old status began, `deaf` the time of pingmon's
    own deafness that the missed ping may have fallen into.

    `code` and `looks` belong to verdicts: the highest HTTP status among the looks that agree with it (0: none of them
    received one), and who saw what. `known_until`: when the silence ended in which the host knew of an outage that is
    only told now; `first` is then the entry of the flip that this is late news of. `place`: nobody elsewhere could
    look, and so much was known of the daemon's own place. `silenced`: why nobody was told when it happened.
    """

    seq: int
    subject: Id = field(name="check")
    at: int
    old: FlipStatus
    new: FlipStatus
    cause: Cause = ""
    since: int = 0
    exitstatus: int | None = None
    deaf: Deaf | None = None
    code: int = 0
    looks: tuple[ProbeResult, ...] = ()
    known_until: int | None = None
    place: Place = ""
    first: int = 0
    silenced: Silenced | None = None
