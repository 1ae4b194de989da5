"""What stands at `/`."""

from __future__ import annotations

import re

import pytest

from pingmon.wire.api.status import Problem
from tests.door.stage import DoorStage

BROWSER = "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


def test_text_for_curl() -> None:
    """What this is, its version, that it is well, and where the documentation is."""
    with DoorStage() as house:
        reply = house.ask("/", "GET", b"", "Accept: */*")
        assert (reply.status, reply.headers["Content-Type"]) == (200, "text/plain; charset=utf-8")
        text = reply.body.decode()
        assert text.startswith("pingmon 9.9\n")
        assert "\nIt is well.\n" in text
        assert "\ndocumentation:  README.md" in text
        assert house.ask("/").body == reply.body


def test_html_for_browsers() -> None:
    """The same as a page that fetches nothing from anywhere."""
    with DoorStage() as house:
        house.problems.append(Problem("the disk is <full>", "secret detail"))
        reply = house.ask("/", "GET", b"", BROWSER)
        assert (reply.status, reply.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
        page = reply.body.decode()
        assert "It is not well: the disk is &lt;full&gt;." in page
        assert "secret" not in page
        assert re.findall(r"(?:src|href)=\"([^\"]*)\"", page) == ["data:,", "api/v3/status/"]
        assert reply.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert reply.headers["Vary"] == "Accept"


@pytest.mark.parametrize("accept", ["Accept: */*", BROWSER])
def test_head_and_other_methods(accept: str) -> None:
    """HEAD is GET without its body; nothing can be changed here."""
    with DoorStage() as house:
        head, whole = house.ask("/", "HEAD", b"", accept), house.ask("/", "GET", b"", accept)
        assert head.headers == whole.headers
        assert int(head.headers["Content-Length"]) == len(whole.body)
        assert house.ask("/", "OPTIONS").headers["Allow"] == "GET, HEAD, OPTIONS"
        refused = house.ask("/", "POST", b"x")
        assert (refused.status, refused.headers["Allow"]) == (405, "GET, HEAD, OPTIONS")
