"""Where the API says that badges are."""

from __future__ import annotations

from twisted.web.iweb import IResponse

from pingmon.api.call import PAUSE_S, SLICE
from pingmon.testing import PROJECT
from pingmon.wire.badges import ALL, project_badge_urls
from tests.api.stage import ApiStage

BASE = "http://pingmon.example"


def test_every_tag_and_all() -> None:
    """For a read-only key as well: all forms for each tag, and `*` for all checks."""
    house = ApiStage()
    house.new_check(tags="prod web")
    house.new_check(tags="prod")
    badges = house.get("/api/v3/badges/", house.ro).json["badges"]
    assert list(badges) == [ALL, "prod", "web"]
    assert badges == {tag: project_badge_urls(BASE, PROJECT, tag) for tag in badges}


def test_no_checks() -> None:
    """There is a badge for all of them nevertheless."""
    assert list(ApiStage().get("/api/v2/badges").json["badges"]) == [ALL]


def test_many_tags_leave_turns_to_others() -> None:
    """All are there in the end."""
    house = ApiStage()
    house.new_check(tags=" ".join(f"t{number:03}" for number in range(SLICE)))
    replies: list[IResponse] = []
    listing = house.treq.get(f"{BASE}/api/v3/badges/", headers={"X-Api-Key": house.rw})
    listing.addCallback(replies.append)
    house.treq.flush()
    assert not replies
    house.clock.advance(PAUSE_S)
    house.treq.flush()
    assert replies
    assert len(house.get("/api/v3/badges/").json["badges"]) == SLICE + 1


def test_many_tags_are_sent_as_their_client_takes_them() -> None:
    """Slice by slice, to a client that is slow."""
    house = ApiStage()
    house.new_check(tags=" ".join(f"t{number:03}" for number in range(3 * SLICE)))
    whole = house.get("/api/v3/badges/")
    line = house.line()
    line.wire.slow = True
    line.send(f"GET /api/v3/badges/ HTTP/1.1\r\nHost: x\r\nX-Api-Key: {house.rw}\r\n\r\n".encode())
    house.clock.pump([PAUSE_S] * 4)
    assert 0 < len(line.wire.value()) < len(whole.body) / 2
    for _ in range(9):
        line.producer.resumeProducing()
    assert len(line.reply().json["badges"]) == 3 * SLICE + 1
    line.hang_up()
