"""Tests of `pingmon.wire.message.digest`: much in one message."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pingmon.core.check.settings import CheckSpec
from pingmon.core.flip import Flip
from pingmon.core.notify.notification import Notification
from pingmon.core.site.settings import SiteSpec
from pingmon.core.site.site import Site
from pingmon.core.units import SECOND
from pingmon.testing import PROJECT, uuid
from pingmon.testing import START as T0
from pingmon.wire.message.digest import (
    ITEMS,
    LISTED,
    Digest,
    digest,
    digest_lines,
    digest_name,
    digest_object,
    digest_text,
)
from pingmon.wire.message.message import Letter, text
from tests.delivery.letters import many


def with_site(found: Digest) -> Digest:
    """The digest with a site besides, whose flip is its oldest."""
    site = Site(uuid(1, "5"), PROJECT, SiteSpec(name="shop", url="https://shop.example/"), 3, T0, T0, "down")
    flip = Flip(1, site.id, T0, "suspect", "down", "verdict", T0)
    letter = Letter(Notification(f"{found.channel.id}.1", found.channel.id, flip, T0), site, found.channel, T0)
    return digest(found.channel, found.now, found.through, (letter, *found.letters))


@pytest.mark.parametrize(
    ("found", "line"),
    [
        (many({}, 1), "DOWN: 1 check (1 down): job 1"),
        (many({}, 2, 1), "DOWN: 3 checks (2 down, 1 up): job 3, job 2, job 1"),
        (many({}, 0, 7), "UP: 7 checks (7 up): job 7, job 6, job 5, job 4, job 3 and 2 more"),
        (with_site(many({}, 1)), "DOWN: 1 check and 1 site (2 down): job 1, shop (https://shop.example/)"),
    ],
)
def test_the_line_says_how_many_are_down_and_names_the_newest(found: Digest, line: str) -> None:
    assert digest_text(found) == line


def test_a_schedule_that_has_run_out_is_counted_apart_and_is_not_down() -> None:
    found = many({}, 0, 1)
    (letter,) = found.letters
    ended = replace(letter, owed=replace(letter.owed, flip=replace(letter.owed.flip, old="up", cause="ended")))
    assert digest_text(replace(found, letters=(ended,))) == "UP: 1 check (1 ended): job 1"


def test_what_it_is_about_stands_in_the_place_of_a_name() -> None:
    assert digest_name(many({}, 36, 1)) == "37 checks"


def test_the_lines_are_those_of_the_messages() -> None:
    found = many({}, 2)
    assert digest_lines(found) == ["DOWN: 2 checks (2 down)", *map(text, found.letters)]


def test_a_name_with_a_line_break_makes_no_line_of_its_own() -> None:
    found = many({}, 1)
    (letter,) = found.letters
    named = replace(letter, subject=replace(letter.subject, spec=CheckSpec(name="a\nb")))
    found = replace(found, letters=(named,))
    assert len(digest_text(found).splitlines()) == 1
    assert len(digest_lines(found)) == len("\n".join(digest_lines(found)).splitlines()) == 2


def test_the_object_tells_each_message_by_its_own_id() -> None:
    found = digest_object(with_site(many({}, 1, 1)))
    assert found == {
        "event": "digest",
        "id": f"{uuid(1, 'd')}_digest_2",
        "text": "DOWN: 2 checks and 1 site (2 down, 1 up): job 2, job 1, shop (https://shop.example/)",
        "counts": {"down": 2, "up": 1, "ended": 0},
        "items": [
            {
                "id": f"{uuid(1, 'd')}_2",
                "check": uuid(2),
                "name": "job 2",
                "event": "check.up",
                "at": "2023-11-14T22:13:22+00:00",
                "why": "",
                "down_seconds": 60,
            },
            {
                "id": f"{uuid(1, 'd')}_1",
                "check": uuid(1),
                "name": "job 1",
                "event": "check.down",
                "at": "2023-11-14T22:13:21+00:00",
                "why": "the job reported no success in time",
            },
            {
                "id": f"{uuid(1, 'd')}_1",
                "site": uuid(1, "5"),
                "name": "shop (https://shop.example/)",
                "event": "site.down",
                "at": "2023-11-14T22:13:20+00:00",
                "why": "",
            },
        ],
        "more": 0,
    }


@given(st.integers(0, 150), st.integers(0, 150))
def test_however_much_it_tells_it_stays_short_and_counts_all(down: int, up: int) -> None:
    """The newest come first, and `more` is what is left."""
    if not down + up:
        return
    found = many({}, down, up)
    told = digest_object(found)
    items = told["items"]
    assert isinstance(items, list)
    assert told["counts"] == {"down": down, "up": up, "ended": 0}
    assert len(items) == min(down + up, ITEMS)
    assert told["more"] == down + up - len(items)
    assert [item["at"] for item in items] == sorted((item["at"] for item in items), reverse=True)
    assert found.status == ("down" if down else "up")
    assert len(digest_lines(found)) <= LISTED + 2


def test_the_id_is_that_of_the_newest_entry_it_tells_of() -> None:
    """So a repeat that bears the id of one that arrived has nothing that the first had not."""
    found = many({}, 3)
    assert found.id == digest(found.channel, found.now + SECOND, 3, reversed(found.letters[1:])).id
    assert found.id != replace(found, through=4).id
