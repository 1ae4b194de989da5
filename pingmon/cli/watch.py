"""`pingmon watch`: what happens in a project, line by line.

The API has no stream, so it is polled: two lists in each interval, and the flips of what has changed in them. A check
that went down and came back between two looks shows in its pings, so its flips are asked for all the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from threading import Event
from typing import Final

import click

from pingmon.cli.api_client import ApiClient, Unreachable
from pingmon.cli.checks import CHECKS
from pingmon.cli.connection import asks
from pingmon.cli.field_options import Duration
from pingmon.cli.sites import SITES
from pingmon.cli.subjects import Json, Subject, id_of, listed, name_of
from pingmon.cli.tables import printable
from pingmon.core.units import SECOND
from pingmon.wire.time_texts import moment_text, seconds_text

FLIPS: Final = 100
"""Flips of one check or site that are asked for at most when it has changed."""
PINGS_MAX: Final = 1000
"""The same of pings."""
LOOKED_AT: Final = ("status", "last_ping", "n_pings", "since")
"""What changes in a list whenever there are new flips."""


@click.command()
@click.option("--interval", type=Duration(), default=5, show_default=True, help="Seconds between two looks.")
@click.option("--pings", is_flag=True, help="Show pings, too.")
@click.option("--json", "as_json", is_flag=True, help="Lines of JSON for programs.")
@asks("project")
def watch(api: ApiClient, interval: int, pings: bool, as_json: bool) -> None:
    """Show checks and sites that go down, come back or change otherwise, until Ctrl-C.

    It asks every few seconds, and tells what has happened since. While pingmon cannot be reached it says so, and goes
    on when it can.
    """
    api.must_run()
    try:
        watched = ProjectWatch(api, pings=pings)
        while True:
            Event().wait(max(interval, 1))
            for event in watched.news():
                click.echo(json.dumps(event, ensure_ascii=False) if as_json else line_of(event))
    except KeyboardInterrupt:
        return


class ProjectWatch:
    """What was seen so far; what is there when it is made is no news."""

    def __init__(self, api: ApiClient, *, pings: bool) -> None:
        self._api = api
        self._pings = pings
        self._flips: dict[str, int] = {}
        self._seen: dict[str, Json] = {}
        self._reached = True
        for _ in self._looks():
            pass
        self._begun = api.now

    def news(self) -> list[Json]:
        """What has happened since it was last asked, each as a JSON object, oldest first."""
        found: list[Json] = []
        try:
            for event in self._looks():
                found.append(event)
        except Unreachable as error:
            if self._reached:
                click.echo(f"{error.message}; still trying", err=True)
            self._reached = False
        else:
            if not self._reached:
                click.echo("pingmon answers again", err=True)
            self._reached = True
        return sorted(found, key=lambda event: datetime.fromisoformat(event["at"]).replace(microsecond=0))

    def _looks(self) -> Iterator[Json]:
        first = not self._seen
        present = set()
        for subject in (CHECKS, SITES):
            for item in listed(self._api, subject):
                id = id_of(item)
                present.add(id)
                before = self._seen.get(id)
                now = {name: item.get(name) for name in LOOKED_AT}
                if before is None and not first:
                    flips = self._new_flips(subject, id)  # what has made it as it is now is no news
                    yield _event(subject, item, self._api.now, "made")
                    now["status"] = _after(flips, item["status"])
                elif before is not None and any(before.get(name) != now[name] for name in LOOKED_AT):
                    yield from self._new_pings(subject, before, item)
                    flips = self._new_flips(subject, id)
                    now["status"] = _after(flips, before["status"]) if flips else item["status"]
                    yield from self._changes(subject, before["status"], item, flips)
                self._seen[id] = now | {"word": subject.word, "name": name_of(item)}
        for id in self._seen.keys() - present:
            gone = self._seen.pop(id)
            yield {"at": _text(self._api.now), "kind": gone["word"], "name": gone["name"], "id": id, "event": "deleted"}

    def _new_pings(self, subject: Subject, before: Json, item: Json) -> Iterator[Json]:
        if not self._pings or subject is SITES or "uuid" not in item:
            return
        many = item["n_pings"] - before["n_pings"]
        if many <= 0:
            return
        page = {"limit": min(many, PINGS_MAX), "before": item["n_pings"] + 1}
        for ping in reversed(self._api.ask("GET", f"checks/{item['uuid']}/pings/", query=page)["pings"]):
            yield _event(subject, item, ping["date"], ping["type"], exitstatus=ping["exitstatus"])

    def _changes(self, subject: Subject, before: str, item: Json, flips: list[Json]) -> Iterator[Json]:
        """The flips; or, if there were none, a change of status that is no flip: of a check that is late."""
        for flip in flips:
            before = _after([flip], before)
            yield _event(subject, item, flip["timestamp"], before, why=flip["why"])
        if not flips and item["status"] != before:
            yield _event(subject, item, self._api.now, item["status"])

    def _new_flips(self, subject: Subject, id: str) -> list[Json]:
        """Those that were not asked for before, oldest first. They may be newer than the list."""
        page = {"limit": FLIPS, "start": int(self._begun)}
        flips = self._api.ask("GET", f"{subject.path}/{id}/flips/", query=page)["flips"]
        fresh = [flip for flip in reversed(flips) if flip["seq"] > self._flips.get(id, 0)]
        if fresh:
            self._flips[id] = fresh[-1]["seq"]
        return fresh


def _after(flips: list[Json], status: str) -> str:
    """The status after `flips`, oldest first, if it was `status` before."""
    for flip in flips:
        status = flip.get("new") or _became(flip, status)
    return status


def _became(flip: Json, before: str) -> str:
    """What a check became by a flip, which says only whether that is up. Nobody but a person gives no reason."""
    if flip["up"]:
        return "up"
    if flip["reason"]:
        return "down"
    return "new" if before == "paused" else "paused"


def _event(subject: Subject, item: Json, at: float | str, event: str, **more: object) -> Json:
    told = at if isinstance(at, str) else _text(at)
    known = {name: value for name, value in more.items() if value not in (None, "")}
    return {"at": told, "kind": subject.word, "name": name_of(item), "id": id_of(item), "event": event, **known}


def _text(at: float) -> str:
    return str(seconds_text(int(at) * SECOND))


def line_of(event: Json) -> str:
    """For people; the instant as messages and explanations have it."""
    at = moment_text(int(datetime.fromisoformat(event["at"]).timestamp()) * SECOND)
    more = event.get("why") or (f"exit status {event['exitstatus']}" if "exitstatus" in event else "")
    return printable(f"{at}  {event['kind']} {event['name']}: {event['event']}{f' ({more})' if more else ''}")
