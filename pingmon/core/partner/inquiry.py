"""What a partner is asked when a site of its goes down or comes back, and what its answer means.

    kind        the answer                                                          what follows
    ok          status 200 and `ok`                                                 users are told
    until       status 200 and an instant to come                                   silence until then
    expired     status 200 and an instant that is past, now, or at most 60 s ahead  as ok
    malformed   status 200 and anything else                                        as ok
    refused     any other status, whatever comes with it                            as ok
    no answer   none within the time there is, or no way to the partner             as ok

Odd but understood, so counted beside the kind: `quoted` (one pair of double quotes around it), `offset` (a zone other
than UTC, converted), `clamped` (further ahead than the partner may silence).

An instant is `2017-11-05T13:15:30Z`: full ISO 8601, extended, with seconds and zone. Fractions are cut off at
microseconds; `t` and `z` may be small. No zone, a date alone, week dates, the basic format, leap seconds and 24:00 are
malformed. A byte order mark, white space around, and the case of `ok` do not matter.

Source: the partner webhook; whatever it leaves open is read so that the users are rather told than not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final, Literal, TypeAlias, get_args

from msgspec import Struct

from pingmon.core.site.probe_result import ProbeResult
from pingmon.core.units import SECOND

AnswerKind: TypeAlias = Literal["ok", "until", "expired", "malformed", "refused", "no answer"]
Oddity: TypeAlias = Literal["quoted", "offset", "clamped"]

COUNTED: Final[tuple[str, ...]] = (*get_args(AnswerKind), *get_args(Oddity))
"""What is counted of a partner's answers."""
BODY_MAX: Final = 1024
"""Bytes of an answer; a longer one is malformed."""
SKEW_S: Final = 60
"""Seconds ahead that still count as past: clocks differ."""
EXCERPT_MAX: Final = 60
"""Characters of a malformed answer that are kept to show it."""

_BOM: Final = b"\xef\xbb\xbf"
_SPACE: Final = b" \t\n\r\x0b\x0c"
_INSTANT: Final = re.compile(
    rb"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:([Zz])|([+-])([01]\d|2[0-3]):([0-5]\d))"
)
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 -- only differences are taken, so that no offset can overflow
_MICROSECOND: Final = timedelta(microseconds=1)


class PartnerQuestion(Struct, frozen=True, gc=False):
    """One webhook's content. `id` tells it from all others and is the same after a crash; `url` is as configured.

    `at`: end of the round's last probe, microseconds since the epoch. `host` is the partner's slug.
    """

    id: str
    url: str
    code: int
    host: str
    at: int


class PartnerAnswer(Struct, frozen=True, omit_defaults=True, gc=False):
    """What a partner's answer means. `until` (microseconds since the epoch) only with that kind.

    `detail`: for people, why it is not ok. `shared`: it was given for another site and holds for all of the partner's.
    """

    kind: AnswerKind
    until: int | None = None
    oddities: tuple[Oddity, ...] = ()
    detail: str = ""
    shared: bool = False


# --- the question -------------------------------------------------------------------------------------------------


def question(id: str, url: str, host: str, looks: Iterable[ProbeResult], *, down: bool) -> PartnerQuestion:
    """What to ask after the round of `looks` that decided that the site is `down`, or back.

    The code is the highest that speaks for that verdict, 0 if none does: a 200 that one node saw does not belong into
    the news of an outage, where it would mean that the site is back. Looks that say nothing of the site are left out.
    """
    counting = [look for look in looks if look.counts]
    codes = (look.code for look in counting if look.good != down and is_success(look.code) != down)
    return PartnerQuestion(id, url, max(codes, default=0), host, max((look.at for look in counting), default=0))


def is_success(code: int) -> bool:
    """Whether an HTTP status is what the webhook's text calls no failure."""
    return 200 <= code < 300


# --- the answer ---------------------------------------------------------------------------------------------------


def judged(status: int, body: bytes, now: int, max_suppression_s: int) -> PartnerAnswer:
    """What the answer that came at `now` (microseconds since the epoch) means.

    `max_suppression_s`: for how many seconds from now the partner may silence.
    """
    if status != 200:
        return PartnerAnswer("refused", detail=f"status {status}")
    if len(body) > BODY_MAX:
        return PartnerAnswer("malformed", detail=f"more than {BODY_MAX} bytes")
    text = body.strip(_SPACE).removeprefix(_BOM).strip(_SPACE)
    oddities: list[Oddity] = []
    if text[:1] == text[-1:] == b'"':
        text = text[1:-1]
        oddities.append("quoted")
    if text.lower() == b"ok":
        return PartnerAnswer("ok", oddities=tuple(oddities))
    instant = _instant(text)
    if instant is None:
        return PartnerAnswer("malformed", detail=_excerpt(text))
    until, converted = instant
    if converted:
        oddities.append("offset")
    if until <= now + SKEW_S * SECOND:
        return PartnerAnswer("expired", oddities=tuple(oddities), detail=_excerpt(text))
    latest = now + max_suppression_s * SECOND
    if until > latest:
        oddities.append("clamped")
    return PartnerAnswer("until", min(until, latest), tuple(oddities))


def silent_until(running: int | None, answer: PartnerAnswer) -> int | None:
    """Until when a scope is silent after `answer`, if it was so until `running`: the newest instant holds."""
    return running if answer.until is None else answer.until


def counted(counts: Mapping[str, int], answer: PartnerAnswer) -> dict[str, int]:
    """The counts of a partner's answers, with this one. A shared one was counted when it was given."""
    more = dict(counts)
    for name in () if answer.shared else (answer.kind, *answer.oddities):
        more[name] = more.get(name, 0) + 1
    return more


def _instant(text: bytes) -> tuple[int, bool] | None:
    """The instant in microseconds since the epoch, and whether it came in another zone than UTC; None if it is none."""
    # `datetime.fromisoformat` takes much that the webhook's text rules out (dates alone, week dates, no zone).
    found = _INSTANT.fullmatch(text)
    if found is None:
        return None
    try:
        local = datetime(*(int(found[part]) for part in range(1, 7)))  # type: ignore[arg-type]  # noqa: DTZ001
    except ValueError:
        return None
    fraction = int((found[7] or b"0")[:6].ljust(6, b"0"))
    at = (local - _EPOCH) // _MICROSECOND + fraction
    if found[8]:
        return at, False
    ahead_s = int(found[10]) * 3600 + int(found[11]) * 60
    sign = 1 if found[9] == b"+" else -1
    return at - sign * ahead_s * SECOND, found[9] == b"-" or ahead_s != 0


def _excerpt(text: bytes) -> str:
    """The beginning of a stranger's text, without what could disturb a page or a log."""
    shown = "".join(char if char.isprintable() else "?" for char in text[:EXCERPT_MAX].decode("utf-8", "replace"))
    return f"said: {shown}" if shown else "said nothing"
