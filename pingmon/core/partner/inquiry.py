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

The bytes are read in `wire.partner_webhook`, which says what counts as `ok` and as an instant.

Source: the partner webhook; whatever it leaves open is read so that the users are rather told than not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Literal, TypeAlias, get_args

from msgspec import Struct

from pingmon.core.site.probe_result import ProbeResult
from pingmon.core.site.status_codes import is_up
from pingmon.core.units import SECOND

AnswerKind: TypeAlias = Literal["ok", "until", "expired", "malformed", "refused", "no answer"]
Oddity: TypeAlias = Literal["quoted", "offset", "clamped"]

COUNTED: Final[tuple[str, ...]] = (*get_args(AnswerKind), *get_args(Oddity))
"""What is counted of a partner's answers."""
SKEW_S: Final = 60
"""Seconds ahead that still count as past: clocks differ."""


class PartnerQuestion(Struct, frozen=True, gc=False):
    """One webhook's content. `id` tells it from all others and is the same after a crash; `url` is as configured.

    `at`: end of the round's last probe, microseconds since the epoch. `host` is the partner's slug.
    """

    id: str
    url: str
    code: int
    host: str
    at: int


class PartnerReply(Struct, frozen=True, gc=False):
    """What a partner replied, as read from the wire. `says` is an instant (microseconds since the epoch), or `ok`.

    It is None where the reply is neither. `detail`: for people, how it begins, or what is wrong with it.
    """

    status: int
    says: Literal["ok"] | int | None
    oddities: tuple[Oddity, ...] = ()
    detail: str = ""


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
    codes = (look.code for look in counting if look.good != down and is_up(look.code) != down)
    return PartnerQuestion(id, url, max(codes, default=0), host, max((look.at for look in counting), default=0))


# --- the answer ---------------------------------------------------------------------------------------------------


def judged(reply: PartnerReply, now: int, max_suppression_s: int) -> PartnerAnswer:
    """What the reply that came at `now` (microseconds since the epoch) means.

    `max_suppression_s`: for how many seconds from now the partner may silence.
    """
    if reply.status != 200:
        return PartnerAnswer("refused", detail=f"status {reply.status}")
    if reply.says is None:
        return PartnerAnswer("malformed", detail=reply.detail)
    if reply.says == "ok":
        return PartnerAnswer("ok", oddities=reply.oddities)
    if reply.says <= now + SKEW_S * SECOND:
        return PartnerAnswer("expired", oddities=reply.oddities, detail=reply.detail)
    latest = now + max_suppression_s * SECOND
    clamped: tuple[Oddity, ...] = ("clamped",) if reply.says > latest else ()
    return PartnerAnswer("until", min(reply.says, latest), reply.oddities + clamped)


def silent_until(running: int | None, answer: PartnerAnswer) -> int | None:
    """Until when a scope is silent after `answer`, if it was so until `running`: the newest instant holds."""
    return running if answer.until is None else answer.until


def counted(counts: Mapping[str, int], answer: PartnerAnswer) -> dict[str, int]:
    """The counts of a partner's answers, with this one. A shared one was counted when it was given."""
    more = dict(counts)
    for name in () if answer.shared else (answer.kind, *answer.oddities):
        more[name] = more.get(name, 0) + 1
    return more
