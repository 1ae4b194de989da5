"""Under which URL the daemon is shown, and what it says when that is not the one that its clients use."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.logger import capturedLogs

from pingmon.door.limits import DoorSettings
from pingmon.door.public_url import ShownUrl
from tests.door.stage import DoorStage

TRUSTED = DoorSettings(trusted_proxies=("192.0.2.0/24",))


class Asked:
    """A request that came with these headers, over a proxy that reported `scheme` and `host`."""

    def __init__(self, scheme: str = "", host: str = "") -> None:
        self._forwarded = scheme, host

    def forwarded(self) -> tuple[str, str]:
        return self._forwarded

    def isSecure(self) -> bool:
        return False

    def getHeader(self, name: bytes) -> bytes:
        return b"127.0.0.1:8000"


@pytest.mark.parametrize(
    ("headers", "shown"),
    [
        ((), "http://pingmon.example"),
        (("X-Forwarded-Proto: https",), "https://pingmon.example"),
        (("X-Forwarded-Proto: https", "X-Forwarded-Host: mon.example:8443"), "https://mon.example:8443"),
        (("Forwarded: for=198.51.100.9;proto=https;host=mon.example",), "https://mon.example"),
        (("X-Forwarded-Host: <script>",), "http://pingmon.example"),
        (("X-Forwarded-Host: a b",), "http://pingmon.example"),
        (("X-Forwarded-Host: \xe4",), "http://pingmon.example"),
        ((f"X-Forwarded-Host: {64 * 'a'}.example",), "http://pingmon.example"),
    ],
)
def test_urls_behind_a_proxy(headers: tuple[str, ...], shown: str) -> None:
    """Without `base_url` they begin with what a trusted proxy was asked with; nobody else is believed."""
    with DoorStage(door=TRUSTED) as house:
        assert f"{shown}/api/v3/" in house.ask("/", "GET", b"", *headers).body.decode()
    with DoorStage() as house:
        assert "http://pingmon.example/api/v3/" in house.ask("/", "GET", b"", *headers).body.decode()


@pytest.mark.parametrize(
    ("configured", "reported"),
    [
        ("https://mon.example", ("https", "mon.example")),
        ("https://mon.example", ("https", "MON.example:443")),
        ("https://mon.example:443/sub", ("https", "mon.example")),
        ("https://mon.example", ("", "")),
        ("https://mon.example", ("https", "")),
        ("https://mon.example", ("", "<odd>")),
        ("", ("https", "other.example")),
    ],
)
def test_no_warning_where_nothing_contradicts(configured: str, reported: tuple[str, str]) -> None:
    """A port that goes without saying, a path, and what is not reported are no contradiction."""
    request: Any = Asked(*reported)
    with capturedLogs() as logged:
        ShownUrl(configured).compare(request)
    assert logged == []


def test_a_contradiction_is_told_once() -> None:
    """The scheme or the host may be another one; a thousand requests are one line."""
    for reported, told in (
        (("https", ""), "https://mon.example"),
        (("http", "other.example"), "http://other.example"),
        (("https", "mon.example"), "https://mon.example"),
    ):
        url, request = ShownUrl("http://mon.example"), Asked(*reported)
        shown: Any = request
        with capturedLogs() as logged:
            for _ in range(3):
                url.compare(shown)
                assert url.of(shown) == "http://mon.example"
        assert [event["asked"] for event in logged] == [told]


def test_who_comes_by_a_way_without_a_url_is_told_that_of_the_others() -> None:
    """The daemon's owner, over a socket."""
    request: Any = Asked()
    assert ShownUrl("", lambda: "http://10.0.0.1:8000").of(request) == "http://10.0.0.1:8000"
    assert ShownUrl("https://pingmon.example", lambda: "").of(request) == "https://pingmon.example"
