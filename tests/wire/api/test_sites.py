"""Tests of `pingmon.wire.api.sites`: a site as the management API shows it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import asdict, replace

from pingmon.core.partner.inquiry import PartnerAnswer
from pingmon.core.partner.partner import Attribution, Hosting, Partner, PartnerSpec
from pingmon.core.site.probe_result import ProbeResult
from pingmon.core.site.settings import SiteSpec
from pingmon.core.site.site import PartnerSilence, Site, Word
from pingmon.core.site.verdict import Round
from pingmon.core.units import SECOND
from pingmon.testing import PROJECT, bad, good, uuid
from pingmon.testing import START as NOW
from pingmon.wire.api.sites import SiteView, host_json, site_json

ID = uuid(1, "5")
ADDRESS = f"https://mon.example/api/v3/sites/{ID}"
FOUND = Attribution("example", "cname", "hosts.example", "shop.hosts.example")
HOST = Partner("partner", PartnerSpec(slug="example", webhook="https://hooks.example/"), 1, NOW)

ALERTS = {"remind_every", "escalation", "parent", "acknowledged"}
"""How its outages are told, which readers do not see."""


def site(**changes: Any) -> Site:
    spec = SiteSpec(name="Shop", url="https://shop.example/", tags="prod", channels=("a", "b"))
    return replace(Site(ID, PROJECT, spec, 1, NOW, NOW), **changes)


def shown(it: Site, **view: Any) -> dict[str, Any]:
    return site_json(it, SiteView(ADDRESS, NOW, **view))


def test_a_site_as_json() -> None:
    """Its settings, its state, what was seen last, and where it is to be changed."""
    down = site(
        status="down",
        since=NOW - 60 * SECOND,
        incident=NOW - 60 * SECOND,
        told=True,
        hosting=Hosting(FOUND, NOW - SECOND, NOW),
        last=Round((bad(at=NOW - SECOND), bad("berlin", at=NOW)), 1, 1),
    )
    assert shown(down, host=HOST) == {
        "name": "Shop",
        "url": "https://shop.example/",
        "interval": 300,
        "timeout": 10,
        "host": "auto",
        "tags": "prod",
        "channels": "a,b",
        "remind_every": None,
        "escalation": None,
        "parent": "",
        "acknowledged": None,
        "method": "HEAD",
        "head_only": False,
        "patience": 0,
        "local_only": False,
        "status": "down",
        "since": "2023-11-14T22:12:20+00:00",
        "incident": "2023-11-14T22:12:20+00:00",
        "last_probe": "2023-11-14T22:13:19+00:00",
        "last_code": 503,
        "last_class": "status",
        "last_detail": "503 Service Unavailable",
        "last_ms": 0,
        "host_found": {
            "slug": "example",
            "kind": "cname",
            "value": "hosts.example",
            "evidence": "shop.hosts.example",
            "since": "2023-11-14T22:13:19+00:00",
        },
        "partner_answer": None,
        "suppressed_until": None,
        "told": True,
        "warnings": [],
        "uuid": ID,
        "update_url": ADDRESS,
        "pause_url": f"{ADDRESS}/pause",
        "resume_url": f"{ADDRESS}/resume",
        "probe_url": f"{ADDRESS}/probe",
    }


def test_who_may_only_read_sees_no_channels_and_no_addresses() -> None:
    """They are for those who may change a site."""
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
    assert set(shown(site())) - set(shown(site(), readonly=True)) == hidden


@pytest.mark.parametrize(
    ("logged", "latest", "code"),
    [
        (None, None, None),
        (None, good(at=NOW), 200),
        (bad(at=NOW), None, 503),
        (bad(at=NOW - 1), good(at=NOW), 200),
        (bad(at=NOW), good(at=NOW - 1), 503),
        (bad("berlin", at=NOW), None, None),
        (bad("berlin", at=NOW), good(at=NOW - 1), 200),
    ],
)
def test_the_newest_look_that_pingmon_itself_had_is_shown(
    logged: ProbeResult | None, latest: ProbeResult | None, code: int | None
) -> None:
    """Most looks are not in the log, and after a start only the log has any; verifiers' looks are not pingmon's own."""
    it = site(last=None if logged is None else Round((logged,)))
    found = shown(it, latest=latest)
    assert found["last_code"] == code
    assert (found["last_probe"] is None) == (found["last_class"] is None) == (code is None)


def test_a_silence_is_shown_while_it_lasts() -> None:
    """That of the site, or of all the partner's."""
    quiet = site(silence=PartnerSilence("partner", NOW + SECOND))
    assert shown(quiet, host=HOST)["suppressed_until"] == "2023-11-14T22:13:21+00:00"
    assert shown(site(), host=replace(HOST, silent_until=NOW + SECOND))["suppressed_until"] is not None
    assert shown(site(silence=PartnerSilence("partner", NOW)), host=HOST)["suppressed_until"] is None
    assert shown(quiet, host=None)["suppressed_until"] is None


def test_the_last_that_a_partner_said_is_shown() -> None:
    """Also when it is not the site's host any more."""
    said = Word("partner", NOW, PartnerAnswer("until", NOW + 60 * SECOND, ("clamped",)))
    told = {
        "slug": "example",
        "at": "2023-11-14T22:13:20+00:00",
        "kind": "until",
        "until": "2023-11-14T22:14:20+00:00",
        "oddities": ["clamped"],
        "detail": "",
    }
    assert shown(site(word=said), host=HOST)["partner_answer"] == told
    assert shown(site(word=said))["partner_answer"] == {**told, "slug": None}
    other = replace(HOST, id="other")
    assert shown(site(word=said), host=other)["partner_answer"]["slug"] is None
    silent = Word("partner", NOW, PartnerAnswer("no answer", detail="timed out after 10 s"))
    assert shown(site(word=silent), host=HOST)["partner_answer"]["kind"] == "no_answer"


def test_who_hosts_a_site_is_shown_with_what_says_so() -> None:
    """Somebody who was set, who was found, who was found and is none any more, or nobody."""
    named = site(spec=SiteSpec(url="https://shop.example/", host="example"), hosting=Hosting(FOUND, NOW, NOW))
    found = site(hosting=Hosting(FOUND, NOW, NOW))
    explicit = Attribution("example", "explicit", "example", "set for the site")
    assert host_json(named, HOST) == {**asdict(explicit), "since": None}
    assert (host_json(found, HOST) or {})["slug"] == "example"
    assert (host_json(found, None) or {})["slug"] is None
    assert host_json(site(), None) is None
    assert json.loads(json.dumps(shown(found, host=HOST))) == shown(found, host=HOST)
