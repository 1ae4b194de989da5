"""What the HTTP status of an answer means: for the site, and for what it is asked next.

    status                   the site is   an answer to HEAD             an answer to GET
    2xx                      up            counts                        counts
    301, 302, 303, 307, 308  elsewhere     counts: it is followed        counts: it is followed
    405, 501                 not up        only says HEAD is not known   counts
    any other                not up        counts if GET has no answer   counts

Some servers treat HEAD as they would treat no browser: they refuse it, hang up, or never answer. One GET tells such a
server from one that is down. So GET is asked at once where HEAD has failed, or was answered with a status that is not
up; and besides, after half of the time, where nothing has come of HEAD yet. What GET is answered with counts for more,
unless HEAD is answered well in the end. A site may want but one of the two (`Methods`): then that answer counts.

Which status is up is said here alone. (What contradicts itself is no answer of a verifier: `contradicts`.)
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final, TypeAlias

from pingmon.core.site.failures import BAD_STATUS
from pingmon.core.site.probe_result import Fault, Method, Methods

REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
MAX_REDIRECTS: Final = 5
"""Redirects that are followed; there is no other limit to circles, for a cookie may be all that ends one."""
NO_HEAD: Final = frozenset({405, 501})
"""Answers to a HEAD that say nothing about the site."""

Came: TypeAlias = int | Fault
"""What came of a request: a status, or the class of what went wrong instead."""


def is_up(status: int) -> bool:
    """Whether a site that answers with this HTTP status is up."""
    return 200 <= status < 300


def contradicts(fault: Fault, status: int) -> bool:
    """Whether nobody can have seen both: what went wrong ("" nothing did), and this status (0: there was no answer)."""
    return (fault == "") != is_up(status) or (fault == "status" and status == 0)


def is_redirect(status: int) -> bool:
    """Whether the site is to be looked for where the answer says."""
    return status in REDIRECTS


def get_after_s(limit_s: float) -> float:
    """Seconds of the `limit_s` that a probe may take, after which GET is asked if nothing has come of HEAD yet."""
    return limit_s / 2


def settles(came: Came | None) -> bool:
    """Whether nothing more needs to be asked, whichever method brought it. None: nothing has come yet."""
    return isinstance(came, int) and (is_up(came) or is_redirect(came))


def counting(methods: Methods, came: Mapping[Method, Came]) -> Method | None:
    """The method of which the answer counts, of what came of each so far; None if there is no answer that does.

    Not even HEAD's status counts if GET could not be asked for the prober's own reasons.
    """
    first, last = came.get(methods[0]), came.get(methods[-1])
    if settles(first):
        return methods[0]
    if isinstance(last, int):
        return methods[-1]
    return methods[0] if isinstance(first, int) and first not in NO_HEAD and last != "void" else None


def bad_status(came: Mapping[Method, Came], counts: Method) -> str:
    """The sentence on the answer to `counts`, which is not up: its status, and what was asked."""
    status, head = came[counts], came.get("HEAD")
    if counts == "HEAD" or not isinstance(head, int):
        asked: str = counts
    else:
        asked = "HEAD and GET" if head == status else f"GET, {head} to HEAD"
    return BAD_STATUS(status=_phrase(int(status)), asked=asked)


def why_get(head: int | str | None) -> str:
    """Why GET was asked besides: HEAD's status, what went wrong with it in words, or None if nothing had come of it."""
    if isinstance(head, int):
        return f"HEAD was answered with {head}, so GET was asked"
    return f"HEAD came to nothing ({head or 'no answer in half of the time'}), so GET was asked"


def _phrase(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"{status}"
