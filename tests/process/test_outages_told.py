"""Who is told of an outage and when, by a daemon with three verifiers: first the partner, then perhaps the users."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
import standardwebhooks

from tests.process.daemons import Received, until
from tests.process.site_servers import Site, status
from tests.process.site_stage import SiteStage, housed, started

pytestmark = pytest.mark.process

PRIVATE = "http://10.0.0.1/"
"""What the configuration does not allow; nothing is ever sent there."""
HOSTED = "127.0.77.1"
"""An address that a partner's rule is about."""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SiteStage]:
    """A daemon, three verifiers, a receiver for users and one for partners."""
    with started(tmp_path_factory.mktemp("house")) as start:
        made = housed(start, "data", *start.verifiers("fra", "ams", "sgp"))
        made.partners.answer = Answering()
        yield made


class Answering:
    """What partners answer, each by its slug: `ok` until told otherwise."""

    def __init__(self) -> None:
        self.by_slug: dict[str, Saying] = {}

    def __call__(self, question: Received) -> int | tuple[int, bytes]:
        """As `Receiver.answer`."""
        return self.by_slug.get(question.path[1:], ok)(question)


Saying = Callable[[Received], int | tuple[int, bytes]]


def says(text: str | bytes, status: int = 200) -> Saying:
    return lambda question: (status, text if isinstance(text, bytes) else text.encode())


def instant(ahead_s: float, form: str = "%Y-%m-%dT%H:%M:%SZ", zone_h: int = 0) -> Saying:
    """Status 200 and an instant that far ahead, in this form, on a clock in this zone."""

    def answer(question: Received) -> tuple[int, bytes]:
        at = datetime.now(timezone(timedelta(hours=zone_h))) + timedelta(seconds=ahead_s)
        return 200, at.strftime(form).encode()

    return answer


ok = says("ok")


def seconds(text: str) -> float:
    """An instant of the API, in seconds since the epoch."""
    return datetime.fromisoformat(text).timestamp()


# --- what a partner answers ---------------------------------------------------------------------------------------


@dataclass
class Row:
    """A partner's answer to the news that a site is down, and what follows.

    `counts` of its answers, whether users are `told`, for about how many seconds all is `silent`. `asked`: how often.
    """

    name: str
    says: Saying
    counts: dict[str, int]
    told: bool = True
    silent: float = 0
    settings: dict[str, Any] = field(default_factory=dict)
    asked: int = 1

    @property
    def slug(self) -> str:
        return "".join(letter if letter.isalnum() else "-" for letter in self.name.lower())


HOUR = 3600.0
BODIES = {
    "empty": b"",
    "HTML": b"<html>ok</html>",
    "JSON": b'{"status":"ok"}',
    "a date alone": b"2027-11-05",
    "without a zone": b"2027-11-05T13:15:30",
    "without seconds": b"2027-11-05T13:15Z",
    "the basic format": b"20271105T131530Z",
    "a number": b"1825420530",
    "not UTF-8": b"\xff\xfe\xff",
    "more than 1 KiB": b"ok" + b" " * 1024,
}
ROWS = [
    Row("ok", ok, {"ok": 1}),
    Row("OK with a line end", says("OK\r\n"), {"ok": 1}),
    Row("ok after a byte order mark", says(b"\xef\xbb\xbfok"), {"ok": 1}),
    Row("ok quoted", says('"ok"'), {"ok": 1, "quoted": 1}),
    Row("until", instant(HOUR), {"until": 1}, told=False, silent=HOUR),
    Row("until quoted", instant(HOUR, '"%Y-%m-%dT%H:%M:%SZ"'), {"until": 1, "quoted": 1}, told=False, silent=HOUR),
    Row(
        "until with an offset",
        instant(HOUR, "%Y-%m-%dT%H:%M:%S+05:00", zone_h=5),
        {"until": 1, "offset": 1},
        told=False,
        silent=HOUR,
    ),
    Row("until with a fraction", instant(HOUR, "%Y-%m-%dt%H:%M:%S.%fz"), {"until": 1}, told=False, silent=HOUR),
    Row(
        "until clamped",
        instant(400 * 86400),
        {"until": 1, "clamped": 1},
        told=False,
        silent=HOUR,
        settings={"max_suppression": 3600},
    ),
    Row(
        "until, but suppress_users=false",
        instant(HOUR),
        {"until": 1},
        silent=HOUR,
        settings={"suppress_users": False},
    ),
    Row("expired", instant(-HOUR), {"expired": 1}),
    Row("expired within the minute that clocks may differ", instant(50), {"expired": 1}),
    *(Row(f"malformed: {kind}", says(body), {"malformed": 1}) for kind, body in BODIES.items()),
    Row("refused: 500 with an instant", lambda q: (500, instant(HOUR)(q)[1]), {"refused": 1}),  # type: ignore[index]
    Row("refused: 201 with ok", says("ok", 201), {"refused": 1}),
    Row("refused: 302", says("", 302), {"refused": 1}),
    Row("no answer: slow", lambda question: threading.Event().wait(25) or 200, {"no_answer": 1}),
    Row("no answer: dead", ok, {"no_answer": 1}, settings={"webhook": "http://127.0.0.1:1/"}, asked=0),
    Row("no answer: private address", ok, {"no_answer": 1}, settings={"webhook": PRIVATE}, asked=0),
    Row("without a webhook", ok, {}, settings={"webhook": ""}, asked=0),
    Row("not signed", ok, {"ok": 1}, settings={"secret": ""}),
]


@dataclass
class Played:
    """What became of a row: when its site went down, and when that was over."""

    site: str
    partner: dict[str, Any]
    secret: str
    down: dict[str, Any] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    up: dict[str, Any] = field(default_factory=dict)
    asked: list[Received] = field(default_factory=list)
    told: list[Received] = field(default_factory=list)


@pytest.fixture(scope="module")
def played(house: SiteStage) -> dict[str, Played]:
    """All rows at the same time: each site fails, its partner answers, and the site is well again."""
    answering, servers, rows = _answering(house), {}, {}
    for row in ROWS:
        server = servers[row.name] = Site(status(503))
        answering.by_slug[row.slug] = row.says
        partner = house.partner(row.slug, **row.settings)
        site = house.site(server.url, host=row.slug, name=row.name)
        rows[row.name] = Played(site, partner, partner["secret"])
    _wait_for_all(house, rows, 1)
    for each in rows.values():
        each.down, each.counts = house.shown(each.site), house.counts(each.partner)
    answering.by_slug.clear()
    for row in ROWS:
        servers[row.name].heal()
        rows[row.name].up = house.probe(rows[row.name].site)
    _wait_for_all(house, rows, 2)
    for row in ROWS:
        rows[row.name].asked, rows[row.name].told = house.asked(row.slug), house.told(rows[row.name].site)
    return rows


def _wait_for_all(house: SiteStage, rows: dict[str, Played], news: int) -> None:
    """Until all that should follow has; a row for which it does not fails its own test, and no other."""

    def settled(row: Row) -> bool:
        site = rows[row.name].site
        if row.silent and house.shown(site)["suppressed_until"] is None:
            return False
        return len(house.told(site)) >= (news if row.told else 0)

    with suppress(pytest.fail.Exception):
        until(lambda: all(map(settled, ROWS)), "all rows")


def _answering(house: SiteStage) -> Answering:
    answering = house.partners.answer
    assert isinstance(answering, Answering)
    return answering


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_what_follows_from_an_answer(played: dict[str, Played], row: Row) -> None:
    """Only an instant silences; everything else is counted, and users are told as if there were no partner."""
    seen = played[row.name]
    assert seen.counts == row.counts
    assert seen.down["told"] == row.told
    events = [json.loads(message.body)["event"] for message in seen.told]
    assert events == (["site.down", "site.up"] if row.told else [])
    if row.silent:
        assert seen.asked[0].at + row.silent - 2 <= seconds(seen.down["suppressed_until"]) <= time.time() + row.silent
    else:
        assert seen.down["suppressed_until"] is None


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_a_partner_is_asked_before_users_are_told_and_again_when_the_site_is_back(
    played: dict[str, Played], row: Row
) -> None:
    """Once for each news, byte for byte; in silence it hears nothing of the way back, but users who know of one do."""
    seen = played[row.name]
    assert len(seen.asked) == (row.asked if row.silent else row.asked * 2)
    assert seen.up["status"] == "up"
    escaped = seen.down["url"].replace("/", "\\/")
    for number, question in enumerate(seen.asked):
        ts, code = json.loads(question.body)["ts"], (503, 200)[number]
        text = f'{{"ts":{ts},"url":"{escaped}","code":{code},"host":"{row.slug}","type":"http"}}'
        assert question.body == text.encode()
        assert question.headers["content-type"] == "application/json"
        if row.told:
            assert question.at < seen.told[number].at
        if seen.secret:
            standardwebhooks.Webhook(seen.secret).verify(question.body, question.headers)
        else:
            assert "webhook-signature" not in question.headers
    assert len({question.headers["webhook-id"] for question in seen.asked}) == len(seen.asked)


def test_users_wait_ten_seconds_for_a_slow_partner_and_no_longer(played: dict[str, Played]) -> None:
    """However long it takes to answer."""
    seen = played["no answer: slow"]
    assert 9.5 <= seen.told[0].at - seen.asked[0].at <= 15


def test_an_instant_of_a_partner_with_that_scope_silences_all_of_its_sites(house: SiteStage) -> None:
    """The second site that goes down is asked about no more, and nobody is told of it."""
    answering, (first, second) = _answering(house), (Site(), Site())
    answering.by_slug["whole-host"] = instant(HOUR)
    partner = house.partner("whole-host", scope="partner")
    sites = [house.site(server.url, host="whole-host") for server in (first, second)]
    for site in sites:
        house.becomes(site, "up")
    for server, site in zip((first, second), sites, strict=True):
        server.fail(500)
        assert house.probe(site)["status"] == "down"
        house.falls_silent(site)
    assert len(house.asked("whole-host")) == 1
    assert house.counts(partner) == {"until": 1}
    assert [house.told(site) for site in sites] == [[], []]
    assert not any(house.shown(site)["told"] for site in sites)


def test_the_host_of_a_site_is_found_by_its_address_and_asked(house: SiteStage) -> None:
    """Nobody had to say who hosts it; the API shows by which rule it was found."""
    partner = house.partner("found", rules=[{"kind": "prefix", "value": "127.0.77.0/24"}])
    server = Site(host=HOSTED)
    site = house.site(server.url, host="auto")
    host = until(lambda: house.shown(site)["host_found"], "the host to be found")
    assert (host["slug"], host["kind"], host["value"], host["evidence"]) == ("found", "prefix", "127.0.77.0/24", HOSTED)
    server.fail(502)
    house.probe(site)
    house.users_hear(site)
    assert [json.loads(question.body)["host"] for question in house.asked("found")] == ["found"]
    assert house.counts(partner) == {"ok": 1}


# --- the whole story ----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_story_of_an_outage_that_the_partner_knows_about(house: SiteStage) -> None:
    """Failure, verdict, the partner's word, a minute's silence, a second question, the users, and the way back."""
    story, answering, server = Story(house), _answering(house), Site()
    partner = house.partner("example", name="Example Hosting", max_suppression=60)
    answering.by_slug["example"] = instant(HOUR)
    story.site = house.site(server.url, host="example", name="shop")
    house.becomes(story.site, "up")
    story.tell("the site is created and well")

    server.fail(403)
    assert house.probe(story.site)["status"] == "down"
    (first,) = house.partner_hears("example")
    silent_until = seconds(house.falls_silent(story.site))
    story.tell("it answers 403: suspect, then down by the word of all; the partner knows for an hour, a minute is all")
    decided = house.rounds(story.site)[0]
    ended = max(seconds(look["at"]) for look in decided["looks"])
    escaped = server.url.replace("/", "\\/")
    assert first.body == _payload(int(ended), escaped, 403)
    standardwebhooks.Webhook(partner["secret"]).verify(first.body, first.headers)
    assert house.flips(story.site) == ["new", "up", "suspect", "down"]
    assert [look["class"] for look in decided["looks"]] == ["status"] * 4
    assert 58 <= silent_until - first.at <= 61

    answering.by_slug["example"] = ok
    house.probe(story.site)
    story.tell("looked at again in the silence: nobody is asked, nobody is told")
    assert (len(house.asked("example")), house.told(story.site)) == (1, [])

    second = house.partner_hears("example", 2, patience_s=70)[1]
    (down,) = house.users_hear(story.site)
    story.tell("the instant is reached, the site is still down: the partner says ok, and the users are told")
    assert silent_until <= second.at <= silent_until + 3
    assert second.at < down.at
    ended = max(seconds(look["at"]) for look in house.rounds(story.site)[0]["looks"])
    assert second.body == _payload(int(ended), escaped, 403)
    assert second.headers["webhook-id"] != first.headers["webhook-id"]
    message = json.loads(down.body)
    assert (message["event"], message["flip"]["code"], message["site"]["status"]) == ("site.down", 403, "down")
    assert message["flip"]["at"] == house.shown(story.site)["incident"]

    server.heal()
    assert house.probe(story.site)["status"] == "up"
    back = house.users_hear(story.site, 2)[1]
    story.tell("it is well again here and for a verifier: the partner is told, then the users")
    third = house.asked("example")[2]
    assert third.at < back.at
    ended = max(seconds(look["at"]) for look in house.rounds(story.site)[0]["looks"])
    assert third.body == _payload(int(ended), escaped, 200)
    message = json.loads(back.body)
    assert (message["event"], message["flip"]["code"]) == ("site.up", 200)
    assert message["flip"]["down_seconds"] >= 58
    for told in (down, back):
        standardwebhooks.Webhook(house.secret).verify(told.body, told.headers)
    assert house.counts(partner) == {"until": 1, "clamped": 1, "ok": 2}
    assert (len(house.asked("example")), len(house.told(story.site))) == (3, 2)
    shown = house.shown(story.site)
    assert (shown["status"], shown["told"], shown["incident"], shown["suppressed_until"]) == ("up", False, None, None)


def _payload(ts: int, escaped: str, code: int) -> bytes:
    return f'{{"ts":{ts},"url":"{escaped}","code":{code},"host":"example","type":"http"}}'.encode()


class Story:
    """Prints what happens to a site, for `pytest -s`: its state and all that was sent, step by step."""

    SHOWN = ("status", "incident", "last_code", "suppressed_until", "told")

    def __init__(self, house: SiteStage) -> None:
        self.house = house
        self.site = ""
        self._flips, self._asked, self._told = 0, 0, 0

    def tell(self, what: str) -> None:
        """A step has ended."""
        house, shown = self.house, self.house.shown(self.site)
        lines = [f"\n{_clock(time.time())}  {what}"]
        lines += [f"          flips    {' → '.join(house.flips(self.site))}"]
        lines += [f"          looks    {house.rounds(self.site)[0]['summary']}"]
        lines += [f"          API      {', '.join(f'{name}={shown[name]}' for name in self.SHOWN)}"]
        for question in house.asked("example")[self._asked :]:
            self._asked += 1
            lines += [f"{_clock(question.at)}  partner  {question.body.decode()}"]
            lines += [f"{'':10}{'':9}{name}: {question.headers[name]}" for name in ("webhook-id", "webhook-signature")]
        for message in house.told(self.site)[self._told :]:
            self._told += 1
            text = json.loads(message.body)
            lines += [f"{_clock(message.at)}  users    {text['event']}: {text['text']}"]
        print("\n".join(lines))


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S")
