"""Addresses of badges, and what stands there."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pingmon.core.check.badge import BadgeCounts
from pingmon.wire.badges import (
    ALL,
    CheckBadge,
    badge,
    badge_key,
    check_badge,
    check_badge_url,
    project_badge,
    project_badge_urls,
)

ID = "11111111-1111-4111-8111-111111111111"
OTHER = "11111111-1111-4111-8111-111111111112"
KEY = badge_key(ID)
UP, LATE, DOWN = BadgeCounts(total=3), BadgeCounts(total=3, grace=1), BadgeCounts(total=3, grace=1, down=2)


def test_a_key_tells_no_id() -> None:
    """It is another one for each id, and looks like one."""
    assert badge_key(ID) != badge_key(OTHER)
    assert len(KEY) == 36
    assert KEY[14] == "4"


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        (f"/b/2/{KEY}.svg", CheckBadge(KEY, True, "svg")),
        (f"/b/3/{KEY}.json", CheckBadge(KEY, False, "json")),
        (f"/b/7/{KEY}.shields", CheckBadge(KEY, True, "shields")),
        (f"/b/2/{KEY.upper()}.svg", CheckBadge(KEY, True, "svg")),
        (f"/b/2/{KEY}.png", None),
        (f"/b/x/{KEY}.svg", None),
        (f"/b/2/{KEY}", None),
        ("/b/2/.svg", None),
    ],
)
def test_addresses_of_checks(path: str, asked: CheckBadge | None) -> None:
    """3 states where 3 is asked for, else 2."""
    assert check_badge(path.encode()) == asked


def test_the_address_of_a_check() -> None:
    """It is a picture of two states."""
    assert check_badge_url("https://x", ID) == f"https://x/b/2/{KEY}.svg"


@given(st.text(min_size=1))
def test_addresses_of_tags_lead_back(tag: str) -> None:
    """Whatever the tag is, each address names it, its form and its states, and bears the project's signature."""
    for name, url in project_badge_urls("", ID, tag).items():
        asked = project_badge(url.encode())
        assert asked is not None
        assert (asked.key, asked.tag) == (KEY, tag)
        assert f"{asked.form}{'' if asked.two_states else '3'}" == name
        assert asked.signed_by(ID)
        assert not asked.signed_by(OTHER)


def test_the_address_for_all_checks() -> None:
    """It has no tag, and its signature is not that of another tag."""
    urls = project_badge_urls("https://x", ID, ALL)
    assert list(urls) == ["svg", "svg3", "json", "json3", "shields", "shields3"]
    assert urls["svg"] == urls["svg3"].replace(".svg", "-2.svg")
    moved = project_badge(urls["svg3"].removeprefix("https://x").replace(".svg", "/web.svg").encode())
    assert moved is not None
    assert not moved.signed_by(ID)


@pytest.mark.parametrize("path", [b"/badge/", b"/badge/x/y/z.svg", b"/badge/" + KEY.encode() + b"/12345678/a/b.svg"])
def test_no_address_of_a_project(path: bytes) -> None:
    """Then nothing is looked for."""
    assert project_badge(path) is None


@pytest.mark.parametrize(
    ("counts", "two_states", "status", "color", "fill"),
    [
        (UP, False, "up", "success", "#4c1"),
        (LATE, False, "late", "important", "#fe7d37"),
        (LATE, True, "up", "success", "#4c1"),
        (DOWN, True, "down", "critical", "#e05d44"),
    ],
)
def test_forms(counts: BadgeCounts, two_states: bool, status: str, color: str, fill: str) -> None:
    """The three forms tell the same; the counts are those of three states."""
    shown = json.loads(badge("json", "web", counts, two_states=two_states))
    assert shown == {"status": status, "total": counts.total, "grace": counts.grace, "down": counts.down}
    shields = json.loads(badge("shields", "web", counts, two_states=two_states))
    assert shields == {"schemaVersion": 1, "label": "web", "message": status, "color": color}
    picture = badge("svg", "web", counts, two_states=two_states)
    assert ElementTree.fromstring(picture).get("aria-label") == f"web: {status}"
    assert fill in picture


@given(st.text())
def test_pictures_of_any_label(label: str) -> None:
    """A label is text, never markup; what XML cannot hold is replaced."""
    root = ElementTree.fromstring(badge("svg", label, UP, two_states=True))
    title = root.findtext("{http://www.w3.org/2000/svg}title")
    assert title is not None
    assert len(title) == len(f"{label}: up")
    assert title.endswith(": up")
