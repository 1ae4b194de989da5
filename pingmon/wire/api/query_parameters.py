"""The parameters of queries: what is asked by them, and between which limits.

The API judges by these values, and tells them in its OpenAPI document.
"""

from __future__ import annotations

from typing import Final, get_args

from msgspec import Struct

from pingmon.core.check.check import ShownStatus
from pingmon.core.site.site import SiteStatus
from pingmon.core.world.events import Signal

PAGE_MAX: Final = 1000


class NumberParameter(Struct, frozen=True):
    """A whole number from `least` to `most`, the last if there are several. `about`: what it asks for.

    `mark`: the pattern of what may stand in place of a number.
    """

    name: str
    about: str
    least: int
    most: int
    empty_is_none: bool = False
    mark: str = ""


class TextParameter(Struct, frozen=True):
    """A text, one of `values` if there are any. `repeated`: each that is there counts, else the last.

    Several `values` may also stand in one, with commas between them.
    """

    name: str
    about: str
    repeated: bool = False
    values: tuple[str, ...] = ()


QueryParameter = NumberParameter | TextParameter

LIMIT: Final = NumberParameter("limit", "At most so many.", 1, PAGE_MAX)
BEFORE: Final = NumberParameter("before", "Only what is older than the one with this `seq`.", 0, 10**15)
BEFORE_PING: Final = NumberParameter(
    "before",
    "Only pings with a smaller `n`, or from `next` on.",
    0,
    BEFORE.most,
    mark=r"[0-9]{1,15}\.[0-9]{1,18}",
)
SECONDS: Final = NumberParameter("seconds", "Only the last so many.", 0, 31_536_000, empty_is_none=True)
START: Final = NumberParameter("start", "From this Unix time on.", 0, 10_000_000_000)
END: Final = NumberParameter("end", "Before this Unix time.", 0, START.most)
DAYS: Final = NumberParameter("days", "So many days, today among them; 30 if not given.", 0, 366)
MONTHS: Final = NumberParameter("months", "So many months, the present one among them; 12 if not given.", 0, 36)
DAYS_BACK: Final = NumberParameter("days", "So many days back; 30 if not given.", 1, 366)

TAG: Final = TextParameter("tag", "Only what has this tag; of several, all.", repeated=True)
SLUG: Final = TextParameter("slug", "Only checks with this slug.")
CHECK_STATUS: Final = TextParameter("status", "Only such checks.", repeated=True, values=get_args(ShownStatus))
SITE_STATUS: Final = TextParameter("status", "Only such sites.", repeated=True, values=get_args(SiteStatus))
PING_TYPE: Final = TextParameter("type", "Only such pings.", repeated=True, values=get_args(Signal))
AT: Final = TextParameter("at", "An instant of the past, in ISO 8601 or as Unix time.")
