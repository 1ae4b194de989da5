"""Sites over the API: what is asked of them, and what comes back."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail

from pingmon.api.api import ApiSettings
from pingmon.core.partner.partner import Attribution
from pingmon.core.site.probe_result import ProbeResult
from pingmon.core.site.settings import SiteChanges
from pingmon.core.world.events import PartnerDeleted, SiteChanged, SiteDeleted, SiteHostSeen, SiteResumed
from pingmon.journal import JournalUnavailable
from tests.api.stage import OTHER_PROJECT, SITES, ApiStage
from tests.door.stage import UNKNOWN

URL = "https://site.example/"

ALERTS = {"remind_every", "escalation", "parent", "acknowledged"}
"""How its outages are told, which readers do not see."""


class Prober:
    """Looks at once at whatever it is asked to, and logs it; `meanwhile` happens before it answers."""

    house: ApiStage

    def __init__(self) -> None:
        self.newest: dict[str, ProbeResult] = {}
        self.failure: Exception | None = None
        self.meanwhile: Any = None

    def refusal(self, url: str) -> str | None:
        return "address 10.0.0.1 is private" if "10.0.0.1" in url else None

    def latest(self, site: str) -> ProbeResult | None:
        return self.newest.get(site)

    def probe(self, site: str) -> Deferred[ProbeResult]:
        if self.failure is not None:
            return fail(self.failure)
        look = self.newest[site] = self.house.look(ms=21)
        done: Deferred[ProbeResult] = Deferred()
        self.house.probe(site, look)
        if self.meanwhile is not None:
            self.meanwhile(site)
        done.callback(look)
        return done


def probing(settings: ApiSettings | None = None) -> tuple[ApiStage, Prober]:
    prober = Prober()
    prober.house = ApiStage(settings, probes=prober)
    return prober.house, prober


# --- making and showing -------------------------------------------------------------------------------------------


def test_an_address_makes_a_site() -> None:
    """It is answered with all that is known of it, which is not much yet."""
    house = ApiStage()
    made = house.post(SITES, {"url": URL})
    assert made.status == 201
    shown = made.json
    address = f"http://pingmon.example/api/v3/sites/{shown['uuid']}"
    assert shown == {
        "name": "",
        "url": URL,
        "interval": 300,
        "timeout": 10,
        "host": "auto",
        "tags": "",
        "method": "HEAD",
        "head_only": False,
        "patience": 0,
        "local_only": False,
        "status": "new",
        "since": "2023-11-14T22:13:20+00:00",
        "incident": None,
        "last_probe": None,
        "last_code": None,
        "last_class": None,
        "last_detail": None,
        "last_ms": None,
        "host_found": None,
        "partner_answer": None,
        "suppressed_until": None,
        "told": False,
        "warnings": ["it has no channels: nobody is told when it goes down"],
        "uuid": shown["uuid"],
        "channels": "",
        "remind_every": None,
        "escalation": None,
        "parent": "",
        "acknowledged": None,
        "update_url": address,
        "pause_url": f"{address}/pause",
        "resume_url": f"{address}/resume",
        "probe_url": f"{address}/probe",
    }
    assert house.get(SITES + shown["uuid"]).json == shown
    assert house.get(SITES).json == {"sites": [shown]}


def test_channels_by_name() -> None:
    """Channels are given as those of checks are, and shown by their ids; one of another project is none."""
    house = ApiStage()
    id = house.new_channel("ops")
    site = house.new_site(channels="ops")
    assert house.get(SITES + site).json["channels"] == id
    assert house.post(SITES + site, {"channels": ""}).json["channels"] == ""
    assert house.post(SITES + site, {"channels": "*"}).json["channels"] == id
    key = house.new_project(OTHER_PROJECT)
    assert house.post(SITES, {"url": URL, "channels": id}, key).error == f"invalid channel identifier: {id}"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({}, "url is missing"),
        ({"url": "nonsense"}, "url is neither http nor https"),
        ({"url": URL, "interval": 1}, "interval is too small"),
        ({"url": URL, "host": "nobody"}, "host is no partner's slug: nobody"),
    ],
)
def test_what_cannot_be_a_site_is_told(body: dict[str, Any], text: str) -> None:
    """No site is made."""
    house = ApiStage()
    reply = house.post(SITES, body)
    assert (reply.status, reply.error) == (400, f"json validation error: {text}")
    assert house.world.sites == {}


def test_an_address_that_may_not_be_looked_at_is_refused() -> None:
    """At once, and not by a site that nobody can see; one that was there before can be changed in all else."""
    house, _ = probing()
    reply = house.post(SITES, {"url": "http://10.0.0.1/"})
    assert (reply.status, reply.error) == (400, "url leads to where pingmon may not look: address 10.0.0.1 is private")
    site = house.new_site()
    assert house.post(SITES + site, {"url": "http://10.0.0.1/"}).status == 400
    assert house.world.sites[site].spec.url == URL
    house.submit(site, SiteChanged(SiteChanges(url="http://10.0.0.1/")))
    assert house.post(SITES + site, {"url": "http://10.0.0.1/", "interval": 60}).status == 200


def test_a_project_has_so_many_sites() -> None:
    """A full project takes no more."""
    house = ApiStage(ApiSettings(max_sites=1, keys_per_second=0))
    house.new_site()
    reply = house.post(SITES, {"url": URL})
    assert (reply.status, reply.error) == (403, "too many sites: a project may have 1")


def test_a_reader_sees_what_is_of_use_to_readers() -> None:
    """A read-only key sees a site without channels and without the addresses that change it, and changes nothing."""
    house = ApiStage()
    site = house.new_site(channels="*")
    shown, whole = house.get(SITES + site, house.ro).json, house.get(SITES + site).json
    hidden = {
        "channels",
        "remind_every",
        "escalation",
        "parent",
        "acknowledged",
        "update_url",
        "pause_url",
        "resume_url",
        "probe_url",
    }
    assert shown == {name: value for name, value in whole.items() if name not in hidden}
    assert house.get(SITES, house.ro).json == {"sites": [shown]}
    asked = [house.post(SITES + site + end, {}, house.ro) for end in ("", "/pause", "/resume", "/probe")]
    asked += [house.post(SITES, {"url": URL}, house.ro), house.delete(SITES + site, house.ro)]
    assert [(reply.status, reply.error) for reply in asked] == [(401, "wrong api key")] * 6


def test_lists_are_narrowed_by_tag_and_status() -> None:
    """All the tags that are asked for, any of the states."""
    house = ApiStage()
    one, two = house.new_site(tags="a b"), house.new_site(tags="b")
    house.probe(two, house.look())

    def listed(query: str) -> list[str]:
        return [site["uuid"] for site in house.get(f"{SITES}?{query}").json["sites"]]

    assert listed("") == listed("tag=b") == listed("status=up&status=new") == listed("status=up,new") == [one, two]
    assert listed("tag=a&tag=b") == listed("status=new") == [one]
    assert listed("status=up&tag=b") == [two]
    assert listed("status=down") == listed("tag=A") == []
    assert house.get(f"{SITES}?status=great").error == "status must be one of new, up, suspect, down, unknown, paused"


def test_another_projects_site_does_not_exist() -> None:
    """It is answered exactly as one that does not."""
    house = ApiStage()
    id = house.new_site()
    key = house.new_project(OTHER_PROJECT)
    for method, end in [
        ("GET", ""), ("POST", ""), ("DELETE", ""), ("POST", "/pause"), ("POST", "/resume"), ("POST", "/probe"),
        ("GET", "/flips/"), ("GET", "/probes/"), ("GET", "/hours/"), ("GET", "/uptime/"),
    ]:  # fmt: skip
        other, missing = house.ask(method, SITES + id + end, key=key), house.ask(method, SITES + UNKNOWN + end, key=key)
        assert (other.status, other.body) == (missing.status, missing.body) == (404, b'{"error":"not found"}')
    assert house.get(SITES, key).json == {"sites": []}


@pytest.mark.parametrize("version", [1, 2, 3])
def test_every_version_has_sites(version: int) -> None:
    """With and without the last slash; addresses carry the version."""
    house = ApiStage()
    id = house.new_site()
    for end in ("", f"/{id}", f"/{id}/flips", f"/{id}/probes", f"/{id}/hours", f"/{id}/uptime"):
        for slash in ("", "/"):
            assert house.get(f"/api/v{version}/sites{end}{slash}").status == 200
    assert f"/api/v{version}/sites/" in house.get(f"/api/v{version}/sites/{id}").json["update_url"]


# --- changing -----------------------------------------------------------------------------------------------------


def test_a_change_sets_what_is_sent() -> None:
    """And what changes nothing does not trouble the log."""
    house = ApiStage()
    id = house.new_site(name="shop", interval=60)
    seq = house.world.seq
    assert house.post(SITES + id, {"interval": 60}).json["interval"] == 60
    assert house.world.seq == seq
    changed = house.post(SITES + id, {"timeout": 5}).json
    assert (changed["name"], changed["interval"], changed["timeout"]) == ("shop", 60, 5)
    assert house.post(SITES + id, {"url": "ftp://x"}).status == 400


def test_a_site_that_is_sent_back_as_it_was_is_still_that_site() -> None:
    """Also after its host was deleted, which a site may keep but not choose."""
    house = ApiStage()
    partner = house.new_partner("hosty")
    id = house.new_site(host="hosty")
    house.submit(partner, PartnerDeleted())
    shown = house.get(SITES + id).json
    assert shown["host_found"] is None
    assert house.post(SITES + id, shown | {"name": "new"}).json == shown | {"name": "new"}
    assert house.post(SITES, {"url": URL, "host": "hosty"}).status == 400


def test_a_deleted_site_is_shown_once_more() -> None:
    """And then there is none."""
    house = ApiStage()
    id = house.new_site()
    assert house.delete(SITES + id).json["uuid"] == id
    assert house.get(SITES + id).status == house.delete(SITES + id).status == 404


def test_pausing_and_resuming() -> None:
    """Pausing twice is pausing; a site that is not paused cannot be resumed."""
    house = ApiStage()
    id = house.new_site()
    assert house.post(f"{SITES}{id}/resume").error == "site is not paused"
    assert [house.post(f"{SITES}{id}/pause").json["status"] for _ in range(2)] == ["paused", "paused"]
    assert house.post(f"{SITES}{id}/resume").json["status"] == "new"
    assert house.post(f"{SITES}{id}/resume").status == 409


def race(house: ApiStage, id: str, path: str, winner: Any) -> tuple[int, str]:
    """The answer to a POST that was judged before `winner` was logged, and logged after it."""
    house.journal.at_once = False
    house.monitor.submit(id, winner)
    replies: list[Any] = []
    house.treq.post(f"http://pingmon.example{path}", headers={"X-Api-Key": house.rw}).addCallback(replies.append)
    house.treq.flush()
    house.journal.flush()
    house.treq.flush()
    raw: list[bytes] = []
    house.treq.content(replies[0]).addCallback(raw.append)
    return replies[0].code, raw[0].decode()


def test_a_site_that_goes_meanwhile_is_gone() -> None:
    """The order of the log decides."""
    house = ApiStage()
    id = house.new_site()
    assert race(house, id, f"{SITES}{id}/pause", SiteDeleted()) == (404, '{"error":"not found"}')


def test_of_two_that_resume_one_is_too_late() -> None:
    """The order of the log decides."""
    house = ApiStage()
    id = house.new_site()
    house.post(f"{SITES}{id}/pause")
    assert race(house, id, f"{SITES}{id}/resume", SiteResumed()) == (409, '{"error":"site is not paused"}')


# --- who hosts it -------------------------------------------------------------------------------------------------


def test_the_host_is_shown_with_its_evidence() -> None:
    """The one that was set, or the one that was found as long as its rule stands."""
    house = ApiStage()
    partner = house.new_partner("hosty", rules=[{"kind": "cname", "value": "hosty.example"}])
    house.new_partner("other")
    id = house.new_site()
    house.submit(id, SiteHostSeen(Attribution("hosty", "cname", "hosty.example", "a.hosty.example")))
    found = house.get(SITES + id).json["host_found"]
    assert (found["slug"], found["kind"], found["evidence"]) == ("hosty", "cname", "a.hosty.example")
    house.post(f"/api/v3/partners/{partner}", {"rules": []}, house.operator)
    assert house.get(SITES + id).json["host_found"]["slug"] is None
    named = house.post(SITES + id, {"host": "other"}).json["host_found"]
    assert (named["slug"], named["kind"]) == ("other", "explicit")
    (listed,) = house.get(SITES).json["sites"]
    assert listed["host_found"] == named


# --- probing now --------------------------------------------------------------------------------------------------


def test_probe_now() -> None:
    """The answer has what was seen and what became of the site."""
    house, _ = probing()
    id = house.new_site()
    reply = house.post(f"{SITES}{id}/probe")
    assert reply.status == 200
    assert (reply.json["look"]["class"], reply.json["look"]["ms"]) == ("ok", 21)
    assert (reply.json["site"]["status"], reply.json["site"]["last_ms"]) == ("up", 21)
    assert reply.json["site"] == house.get(SITES + id).json


def test_the_newest_look_is_shown_although_it_was_not_logged() -> None:
    """Most looks say that all is as it was; they are not in the log, but the site shows them."""
    house, prober = probing()
    id = house.new_site()
    prober.newest[id] = house.look(ms=7)
    assert house.get(SITES + id).json["last_ms"] == 7


def test_a_site_is_probed_by_hand_once_in_five_seconds() -> None:
    """Who asks sooner is told how long to wait; other sites are not affected."""
    house, _ = probing()
    id, other = house.new_site(), house.new_site()
    assert house.post(f"{SITES}{id}/probe").status == 200
    house.advance(1.5)
    refused = house.post(f"{SITES}{id}/probe")
    assert (refused.status, refused.error) == (429, "rate limit exceeded")
    assert refused.headers["Retry-After"] == "4"
    assert house.post(f"{SITES}{other}/probe").status == 200
    house.advance(3.5)
    assert house.post(f"{SITES}{id}/probe").status == 200


def test_when_nobody_can_probe() -> None:
    """Without probes, or when the log cannot take what follows, the client is told to try again."""
    house = ApiStage()
    reply = house.post(f"{SITES}{house.new_site()}/probe")
    assert (reply.status, reply.error, reply.headers["Retry-After"]) == (503, "try again", "5")
    house, prober = probing()
    prober.failure = JournalUnavailable("the disk is full")
    assert house.post(f"{SITES}{house.new_site()}/probe").status == 503


def test_a_paused_site_is_not_probed() -> None:
    """Nothing would follow from what was seen."""
    house, prober = probing()
    id = house.new_site()
    house.post(f"{SITES}{id}/pause")
    reply = house.post(f"{SITES}{id}/probe")
    assert (reply.status, reply.error, prober.newest) == (409, "site is paused", {})


def test_a_site_that_is_deleted_while_it_is_probed() -> None:
    """Is not there any more when the answer comes."""
    house, prober = probing()
    prober.meanwhile = lambda site: house.submit(site, SiteDeleted())
    assert house.post(f"{SITES}{house.new_site()}/probe").status == 404
