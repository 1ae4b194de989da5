"""Badges: their addresses, and how they look.

    /b/<states>/<check's badge key>.<form>                   one check
    /badge/<project's badge key>/<signature>/<tag>.<form>    the checks with a tag
    /badge/<project's badge key>/<signature>.<form>          all checks of a project

`states` is 3 if what is late is told, else 2; a signature that ends in `-2` means two states. The form is `svg`, `json`
or `shields` (an endpoint badge of shields.io). Badges are public, so an address tells neither an id nor a key. Badge
keys follow from ids, which cannot be had from them. Who has no signature cannot ask for tags that nobody showed.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from functools import lru_cache
from hashlib import sha256
from hmac import compare_digest, digest
from html import escape
from typing import Final, Literal, TypeAlias, assert_never, cast, get_args
from urllib.parse import quote, unquote
from uuid import UUID

import msgspec
from msgspec import Struct

from pingmon.core.check.badge import BadgeCounts, BadgeStatus
from pingmon.core.units import Id

Form: TypeAlias = Literal["svg", "json", "shields"]
FORMS: Final[tuple[Form, ...]] = get_args(Form)

SIGNATURE_LENGTH: Final = 8
TWO_STATES: Final = "-2"
ALL: Final = "*"
"""Stands for all checks where a tag is expected."""

PICTURE_COLORS: Final[dict[BadgeStatus, str]] = {"up": "#4c1", "late": "#fe7d37", "down": "#e05d44"}
SHIELDS_COLORS: Final[dict[BadgeStatus, str]] = {"up": "success", "late": "important", "down": "critical"}

_FORM: Final = rf"\.(?P<form>{'|'.join(FORMS)})"
_check: Final = re.compile(rf"/b/(?P<states>[0-9]{{1,9}})/(?P<key>[0-9a-fA-F-]{{36}}){_FORM}").fullmatch
_project: Final = re.compile(
    rf"/badge/(?P<key>[0-9a-fA-F-]{{36}})/(?P<signature>[A-Za-z0-9_-]{{8}})(?P<two>-2)?(?:/(?P<tag>[^/]+))?{_FORM}"
).fullmatch
_invisible: Final = re.compile("[\0-\x1f\x7f\ufffe\uffff]")


class CheckBadge(Struct, frozen=True):
    """What the address of one check's badge asks for."""

    key: str
    two_states: bool
    form: Form


class ProjectBadge(Struct, frozen=True):
    """What the address of a badge of a project's checks asks for; `tag` is `ALL` for all of them."""

    key: str
    tag: str
    signature: str
    two_states: bool
    form: Form

    def signed_by(self, project: Id) -> bool:
        """Whether the address is one that the project itself has shown."""
        return compare_digest(self.signature, _signature(project, self.tag))


@lru_cache(maxsize=65_536)
def badge_key(id: Id) -> str:
    """The name of a check or project in the addresses of its badges."""
    return str(UUID(bytes=sha256(f"badge {id}".encode()).digest()[:16], version=4))


def check_badge_url(base: str, check: Id) -> str:
    """The address of a check's badge, a picture of two states, below the daemon's own URL."""
    return f"{base}/b/2/{badge_key(check)}.svg"


def project_badge_urls(base: str, project: Id, tag: str) -> dict[str, str]:
    """The addresses of all badges for the checks with `tag`: by form, and `3` where what is late is told."""
    begin = f"{base}/badge/{badge_key(project)}/{_signature(project, tag)}"
    end = "" if tag == ALL else f"/{quote(tag, safe='')}"
    kinds = (("", TWO_STATES), ("3", ""))
    return {f"{form}{more}": f"{begin}{two}{end}.{form}" for form in FORMS for more, two in kinds}


def check_badge(path: bytes) -> CheckBadge | None:
    """What the path (percent-encoded) asks for; None if it is no address of a check's badge."""
    found = _check(path.decode("latin-1"))
    return found and CheckBadge(found["key"].lower(), int(found["states"]) != 3, cast(Form, found["form"]))


def project_badge(path: bytes) -> ProjectBadge | None:
    """What the path (percent-encoded) asks for; None if it is no address of a badge of a project."""
    found = _project(path.decode("latin-1"))
    if found is None:
        return None
    tag = ALL if found["tag"] is None else unquote(found["tag"])
    return ProjectBadge(
        found["key"].lower(), tag, found["signature"], found["two"] is not None, cast(Form, found["form"])
    )


def _signature(project: Id, tag: str) -> str:
    return urlsafe_b64encode(digest(project.encode(), tag.encode(), "sha256")).decode()[:SIGNATURE_LENGTH]


def badge(form: Form, label: str, tally: BadgeCounts, *, two_states: bool) -> str:
    """A badge in this form."""
    status = tally.status(two_states=two_states)
    match form:
        case "svg":
            return _picture(label, status)
        case "json":
            counts = {"total": tally.total, "grace": tally.grace, "down": tally.down}
            return msgspec.json.encode({"status": status} | counts).decode()
        case "shields":
            look = {"schemaVersion": 1, "label": label, "message": status, "color": SHIELDS_COLORS[status]}
            return msgspec.json.encode(look).decode()
        case _:
            assert_never(form)


PICTURE: Final = """\
<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="20" role="img" aria-label="{label}: {status}">\
<title>{label}: {status}</title>\
<clipPath id="r"><rect width="{width}" height="20" rx="3"/></clipPath>\
<g clip-path="url(#r)"><rect width="{split}" height="20" fill="#555"/>\
<rect x="{split}" width="{rest}" height="20" fill="{color}"/></g>\
<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle">\
<text x="{left}" y="14" textLength="{label_width}">{label}</text>\
<text x="{right}" y="14" textLength="{status_width}">{status}</text></g></svg>
"""
MARGIN: Final = 6


def _picture(label: str, status: BadgeStatus) -> str:
    label = _invisible.sub("\ufffd", label)
    label_width, status_width = _width(label), _width(status)
    split, rest = label_width + 2 * MARGIN, status_width + 2 * MARGIN
    return PICTURE.format(
        width=split + rest,
        split=split,
        rest=rest,
        left=split / 2,
        right=split + rest / 2,
        label_width=label_width,
        status_width=status_width,
        label=escape(label),
        status=status,
        color=PICTURE_COLORS[status],
    )


def _width(text: str) -> int:
    """About how wide a text is in Verdana of 11 pixels; the browser fits it to this."""
    return round(sum(4 if char in " ijl.,:;'|!()[]frtI" else 10 if char in "mwMW@%" else 7 for char in text)) or 1
