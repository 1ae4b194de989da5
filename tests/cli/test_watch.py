"""What is told of a project that is looked at now and then."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import pytest

from pingmon.cli.api_client import ApiClient, Unreachable
from pingmon.cli.watch import ProjectWatch, line_of

BEGIN = 1_767_225_600  # 2026-01-01T00:00:00Z
CHECK = "22222222-2222-4222-8222-222222222222"
SITE = "55555555-5555-4555-8555-555555555555"


def at(second: int) -> str:
    return f"2026-01-01T00:00:{second:02}+00:00"


class Api:
    """Answers as the API would, from lists that the test writes."""

    def __init__(self) -> None:
        self.now = float(BEGIN)
        self.checks: list[dict[str, Any]] = [check()]
        self.sites: list[dict[str, Any]] = []
        self.flips: list[dict[str, Any]] = []
        self.pings: list[dict[str, Any]] = []
        self.down = False

    def ask(self, method: str, path: str, body: object = None, *, query: Mapping[str, Any] | None = None) -> Any:
        """Lists come newest first."""
        if self.down:
            raise Unreachable("no answer")
        name = path.strip("/").rpartition("/")[2]
        found = getattr(self, name)
        if name == "pings":
            assert query is not None
            found = [ping for ping in found if ping["n"] < query["before"]][-query["limit"] :]
        return {name: found[::-1] if name in ("pings", "flips") else found}


def check(status: str = "up", n_pings: int = 0) -> dict[str, Any]:
    return {"uuid": CHECK, "name": "job", "status": status, "n_pings": n_pings, "last_ping": str(n_pings)}


def flip(second: int, *, up: int, reason: str = "", **more: str) -> dict[str, Any]:
    return {"timestamp": at(second), "up": up, "reason": reason, "why": reason, "seq": second, **more}


def watch(api: Api, *, pings: bool = False) -> ProjectWatch:
    return ProjectWatch(cast(ApiClient, api), pings=pings)


def events(watched: ProjectWatch) -> list[str]:
    return [event["event"] for event in watched.news()]


def test_what_was_there_before_is_no_news() -> None:
    """Nor is a list that stays as it is."""
    assert events(watch(Api())) == []


def test_a_short_outage_between_two_looks_is_told() -> None:
    """The status is the same before and after."""
    watched = watch(api := Api())
    api.checks = [check("up", 2)]
    api.flips = [flip(1, up=0, reason="signal"), flip(2, up=1)]
    assert [(event["at"], event["event"], event.get("why")) for event in watched.news()] == [
        (at(1), "down", "signal"),
        (at(2), "up", None),
    ]
    assert events(watched) == []


def test_pauses_are_told_from_outages() -> None:
    """A flip of a check says only whether it is up."""
    watched = watch(api := Api())
    api.checks = [check("new")]
    api.flips = [flip(1, up=0), flip(2, up=0)]
    assert events(watched) == ["paused", "new"]


def test_flips_that_are_newer_than_the_list_are_told_once() -> None:
    """It happened while the daemon was asked."""
    watched = watch(api := Api())
    api.checks = [check("up", 1)]
    api.flips = [flip(1, up=0)]
    assert events(watched) == ["paused"]
    api.checks = [check("paused", 1)]
    assert events(watched) == []


def test_a_check_that_is_late_is_told() -> None:
    """Though that is no flip."""
    watched = watch(api := Api())
    api.checks = [check("grace")]
    assert events(watched) == ["grace"]


def test_pings_are_told_on_request() -> None:
    """Those that the list knew; one that came since is told with the next."""
    quiet, watched = watch(api := Api()), watch(api, pings=True)
    api.pings = [{"n": n, "date": at(n), "type": "success", "exitstatus": None} for n in (1, 2, 3)]
    api.checks = [check("up", 2)]
    assert [event["at"] for event in watched.news()] == [at(1), at(2)]
    api.checks = [check("up", 3)]
    assert [event["at"] for event in watched.news()] == [at(3)]
    assert events(quiet) == []


def test_what_is_made_and_deleted_is_told() -> None:
    """What has made it as it is, is not."""
    watched = watch(api := Api(), pings=True)
    api.sites = [{"uuid": SITE, "name": "shop", "status": "down", "since": at(1)}]
    api.flips = [flip(1, up=0, reason="verdict", old="new", new="down")]
    assert [(event["event"], event["at"]) for event in watched.news()] == [("made", at(0))]
    api.sites[0] = api.sites[0] | {"status": "up", "since": at(2)}
    api.flips.append(flip(2, up=1, reason="verdict", old="down", new="up"))
    assert events(watched) == ["up"]
    api.sites = []
    assert [(event["name"], event["event"]) for event in watched.news()] == [("shop", "deleted")]


def test_a_daemon_that_is_away_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    """And what happened meanwhile is told when it is back."""
    watched = watch(api := Api())
    api.down = True
    assert events(watched) + events(watched) == []
    api.down, api.checks, api.flips = False, [check("down")], [flip(1, up=0, reason="silence")]
    assert events(watched) == ["down"]
    assert capsys.readouterr().err == "no answer; still trying\npingmon answers again\n"


def test_a_line_says_when_what_and_why() -> None:
    """On one line, whatever it is called."""
    told = {"at": at(1), "kind": "check", "name": "a\nb", "event": "down", "why": "the job reported no success in time"}
    assert line_of(told) == "2026-01-01 00:00:01 UTC  check a?b: down (the job reported no success in time)"
    ping = {"at": at(1), "kind": "check", "name": "job", "event": "fail", "exitstatus": 3}
    assert line_of(ping) == "2026-01-01 00:00:01 UTC  check job: fail (exit status 3)"
