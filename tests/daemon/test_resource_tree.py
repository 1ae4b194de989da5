"""What the root of all URLs leads to."""

from __future__ import annotations

import pytest

from pingmon.testing import PING_KEY
from tests.door.stage import CHECK, UNKNOWN, DoorStage


@pytest.mark.parametrize(
    ("target", "status", "text"),
    [
        (f"/{CHECK}", 200, "OK"),
        (f"/{CHECK.upper()}/start", 200, "OK"),
        (f"/{PING_KEY}/backup/", 200, "OK"),
        (f"/%{ord(CHECK[0]):x}{CHECK[1:]}", 200, "OK"),
        (f"/%70ing/{CHECK}", 200, "OK"),
        (f"/ping%2F{CHECK}", 200, "OK"),
        (f"/{UNKNOWN}", 404, "not found"),
        (f"/{PING_KEY}", 400, "invalid url format"),
        (f"/{PING_KEY}/UP", 400, "invalid url format"),
        (f"/{CHECK}/256", 400, "invalid url format"),
        ("/api", 200, "GET 0"),
        ("/api/v3/checks/", 200, "GET 0"),
        ("/no-such-key/backup", 404, "not found"),
        ("/pings", 404, "not found"),
        ("/favicon.ico", 404, "not found"),
    ],
)
def test_routes(target: str, status: int, text: str) -> None:
    """UUIDs and ping keys are pings also without /ping before them; the rest goes its own way."""
    with DoorStage() as house:
        reply = house.ask(target)
        assert (reply.status, reply.body.decode()) == (status, text)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE", "PROPFIND"])
def test_what_is_not_there(method: str) -> None:
    """What is not there is not there for any method."""
    with DoorStage() as house:
        assert house.ask("/nothing/here", method).status == 404
