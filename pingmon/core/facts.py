"""What can be said of why a check or site is as it is: facts, each with the entries of the log that it rests on.

`core.check.explanation` and `core.site.explanation` find them; `core.notify.told_facts` those about messages, and
`core.notify.outage_facts` those about what holds them back and what follows. How they are put into sentences is up to
`wire.api.explanations`.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

from pingmon.core.check.zone_doctor import ZoneFinding
from pingmon.core.flip import Flip
from pingmon.core.site.probe_result import ProbeResult

Topic: TypeAlias = Literal["state", "next", "told", "change", "advice"]
"""Why it is as it is; what happens next, and when; who was told; what would change it; what may be wrong."""


class Fact(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One thing to say. `kind` is unique within checks, sites and messages; what else is set depends on it.

    `at` and `until` are microseconds since the epoch. `who` is whom or what it names, or the id of a run;
    `why` a cause by its short name, or the text of an error. `entries` may be empty: pingmon remembers it, but the log
    does not have it.
    """

    topic: Topic
    kind: str
    entries: tuple[int, ...]
    at: int | None = None
    until: int | None = None
    seconds: int | None = None
    count: int | None = None
    of: int | None = None
    who: str = ""
    why: str = ""
    flip: Flip | None = None
    look: ProbeResult | None = None
    finding: ZoneFinding | None = None
