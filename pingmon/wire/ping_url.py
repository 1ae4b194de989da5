"""What the URL of a ping names: which check, which signal, and what its query asks for. Pure; never raises.

    /<uuid>             success                     /<ping-key>/<slug>           success
    /<uuid>/start       start                       /<ping-key>/<slug>/start     start
    /<uuid>/fail        failure                     /<ping-key>/<slug>/fail      failure
    /<uuid>/log         log                         /<ping-key>/<slug>/log       log
    /<uuid>/<0-255>     success if 0, else failure  /<ping-key>/<slug>/<0-255>   success if 0, else failure

Each form may have `/ping` before it and one slash after it. Percent-encoding is undone before anything is looked at.
A UUID is read in either case. A path whose second part is none of a UUID's endings is read as the form by ping key,
as the reference server does.

The mailbox of a ping by mail names a check in the same two ways, and nothing more: `<uuid>` and `<ping-key>+<slug>`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final
from urllib.parse import unquote_to_bytes

from msgspec import Struct

from pingmon.core.units import Id
from pingmon.core.world.events import Signal

SLUG_MAX: Final = 100
"""Characters of a slug."""

EXIT_STATUS_MAX: Final = 255
"""The largest exit status a job can have; a larger one in a URL is read as `EXIT_STATUS_MAX + 1`."""

_UUID: Final = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_uuid: Final = re.compile(_UUID).fullmatch
_form: Final = re.compile(
    rf"/(?:({_UUID})|([-A-Za-z0-9_]+)/([-a-z0-9_]{{1,{SLUG_MAX}}}))(?:/(?:(start|fail|log)|([0-9]+)))?/?"
).fullmatch
_mailbox_form: Final = re.compile(rf"(?:({_UUID})|([-A-Za-z0-9_]+)\+([-a-z0-9_]{{1,{SLUG_MAX}}}))").fullmatch
_SIGNALS: Final[dict[str | None, Signal]] = {None: "success", "start": "start", "fail": "fail", "log": "log"}
_REMEMBERED_LENGTH: Final = 200


class PingUrl(Struct, frozen=True, gc=False):
    """What a path names: the check `check`, or, if that is empty, the one of the ping key's project with this slug."""

    check: Id = ""
    key: str = ""
    slug: str = ""
    action: Signal = "success"
    exitstatus: int | None = None


class PingQuery(Struct, frozen=True, gc=False):
    """What a query asks for. `bad_rid`: a run id is given that is not a canonical UUID; `rid` is then None."""

    rid: Id | None = None
    bad_rid: bool = False
    create: bool = False


def ping_url(path: bytes) -> PingUrl | None:
    """What a request path (still percent-encoded, without the query) names; None if it fits no form."""
    if len(path) > _REMEMBERED_LENGTH:
        return _parsed(path)
    return _remembered(path)


def ping_mailbox(local_part: str) -> PingUrl | None:
    """What the mailbox before the `@` of an address names; None if it fits no form."""
    found = _mailbox_form(local_part)
    return None if found is None else PingUrl((found[1] or "").lower(), found[2] or "", found[3] or "")


def ping_query(query: bytes) -> PingQuery:
    """What a query string asks for. Names are case-sensitive, the last value of a name counts, all else is ignored."""
    rid: str | None = None
    create = False
    for field in query.split(b"&"):
        name, _, value = field.partition(b"=")
        match _decoded(name.replace(b"+", b" ")):
            case "rid":
                rid = _decoded(value.replace(b"+", b" "))
            case "create":
                create = _decoded(value) == "1"
    canonical = None if rid is None else canonical_uuid(rid)
    return PingQuery(canonical, rid is not None and canonical is None, create)


def canonical_uuid(text: str) -> Id | None:
    """`text` in lower case if it is a UUID in its canonical form, 8-4-4-4-12 digits and nothing more."""
    return text.lower() if _uuid(text) else None


def first_segment(path: bytes) -> str:
    """The first part of a request path, decoded: `ping` of `/ping/x`."""
    return _decoded(path)[1:].partition("/")[0]


def _parsed(path: bytes) -> PingUrl | None:
    text = _decoded(path)
    found = _form(text[5:] if text.startswith("/ping/") else text)
    if found is None:
        return None
    uuid, key, slug, action, digits = found.groups()
    exitstatus = None if digits is None else _exit_status(digits)
    return PingUrl((uuid or "").lower(), key or "", slug or "", _SIGNALS[action], exitstatus)


# Jobs call the same URL again and again; a longer path than theirs would only let strangers fill the memory.
_remembered: Final = lru_cache(maxsize=16_384)(_parsed)


def _exit_status(digits: str) -> int:
    """The number; longer ones than it can be are not converted, as that takes long or is refused by Python."""
    digits = digits.lstrip("0") or "0"
    return int(digits) if len(digits) <= 3 and int(digits) <= EXIT_STATUS_MAX else EXIT_STATUS_MAX + 1


def _decoded(quoted: bytes) -> str:
    """Text of percent-encoded bytes; what is not UTF-8 becomes U+FFFD, which fits no form."""
    return (unquote_to_bytes(quoted) if b"%" in quoted else quoted).decode("utf-8", "replace")
