"""What a site may be, and how a request becomes its settings."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pingmon.core.notify.channel import Channel
from pingmon.core.site.settings import SiteSpec
from pingmon.wire.api.check_fields import Invalid, fault, judged
from pingmon.wire.api.site_fields import FIELDS, changes, created
from pingmon.wire.probe.target import target

URL = "https://site.example/"
CHANNEL = Channel("c1", "p", "webhook", "ops", {}, "", 1, 1)


def spec(**body: Any) -> SiteSpec:
    return created(judged({"url": URL} | body, FIELDS), [CHANNEL], {"hosty"})


def test_an_address_is_enough() -> None:
    """All else has a default."""
    assert spec() == SiteSpec(url=URL, interval=300, timeout=10, host="auto", channels=(CHANNEL.id,))
    assert spec(channels="").channels == ()


@pytest.mark.parametrize("url", ["https://☕.example/", "https://i❤️.example/🎉?🎉", "https://bücher.example/ä"])
def test_an_emoji_or_a_letter_of_any_script_may_be_in_it(url: str) -> None:
    assert spec(url=url).url == url


def test_everything_that_can_be_set() -> None:
    """Each field arrives as it was sent, channels as their ids."""
    body: dict[str, Any] = {
        "name": "shop",
        "interval": 60,
        "timeout": 1,
        "host": "hosty",
        "tags": "a b",
        "method": "GET",
        "head_only": True,
    }
    assert spec(**body, channels="ops") == SiteSpec(url=URL, channels=("c1",), **body)
    assert spec(channels="*").channels == ("c1",)
    assert spec(host="").host == ""


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"name": "x" * 101}, "name is too long"),
        ({"url": 1}, "url is not a string"),
        ({"url": ""}, "url is neither http nor https"),
        ({"url": "ftp://site.example/"}, "url is neither http nor https"),
        ({"url": "//site.example/"}, "url is neither http nor https"),
        ({"url": "https:///x"}, "url has no valid host and port"),
        ({"url": "https://site.example:0/"}, "url has no valid host and port"),
        ({"url": "https://site.example:99999/"}, "url has no valid host and port"),
        ({"url": "https://[::1/"}, "url has no valid host and port"),
        ({"url": "https://a..b/"}, "url has a host that is neither a name nor an address"),
        ({"url": "https://a b.example/"}, "url has a host that is neither a name nor an address"),
        ({"url": "https://user@site.example/"}, "url has a user name or password in it"),
        ({"url": "https://:pw@site.example/"}, "url has a user name or password in it"),
        ({"url": "https://site.example/a b"}, "url contains spaces or characters that cannot be seen"),
        ({"url": "https://site.example/a\nb"}, "url contains spaces or characters that cannot be seen"),
        ({"url": "https://site.example/\x7f"}, "url contains spaces or characters that cannot be seen"),
        ({"url": "https://site.example/\u2028"}, "url contains spaces or characters that cannot be seen"),
        ({"url": URL + "x" * 2000}, "url is too long"),
        ({"interval": 59}, "interval is too small"),
        ({"interval": 86_401}, "interval is too large"),
        ({"interval": True}, "interval is not a number"),
        ({"timeout": 0}, "timeout is too small"),
        ({"timeout": 31}, "timeout is too large"),
        ({"host": "nobody"}, "host is no partner's slug: nobody"),
        ({"host": None}, "host is not a string"),
        ({"tags": 1}, "tags is not a string"),
        ({"head_only": 0}, "head_only is not a boolean"),
        ({"method": "POST"}, "method has unexpected value"),
    ],
)
def test_what_cannot_be_used_is_told(body: dict[str, Any], text: str) -> None:
    """Each field has its rule, and the limits themselves are allowed."""
    with pytest.raises(Invalid) as caught:
        spec(**body)
    assert str(caught.value) == f"json validation error: {text}"


def test_the_limits_themselves_are_allowed() -> None:
    """Both ends of every range count."""
    for body in (
        {"interval": 60, "timeout": 1},
        {"interval": 86_400, "timeout": 30},
        {"url": URL + "x" * (2000 - len(URL))},
    ):
        spec(**body)


def test_a_site_needs_an_address() -> None:
    """Other fields alone make none, and they are judged first."""
    with pytest.raises(Invalid, match=r"^json validation error: url is missing$"):
        created(judged({"name": "x"}, FIELDS), [], ())
    with pytest.raises(Invalid, match="name is not a string"):
        created(judged({"name": 1}, FIELDS), [], ())


def test_channels_are_those_of_checks() -> None:
    """The same errors too."""
    with pytest.raises(Invalid, match=r"^invalid channel identifier: dev$"):
        spec(channels="dev")


def test_a_change_sets_only_what_is_sent() -> None:
    """A host that is gone may stay where it is, and nowhere else."""
    before = SiteSpec(url=URL, host="gone", channels=("c1",))
    after = changes({"name": "x", "host": "gone"}, before, [], ()).applied_to(before)
    assert after == SiteSpec(url=URL, host="gone", channels=("c1",), name="x")
    assert changes({}, before, [], ()).applied_to(before) is before
    with pytest.raises(Invalid, match="host is no partner's slug: gone"):
        changes({"host": "gone"}, SiteSpec(url=URL), [], ())


HOSTS = st.sampled_from(
    ["site.example", "SITE.example", "bücher.example", "127.1", "[::1]", "[::1%25e]", "a_b", "-", "."]
)
TAILS = st.text(st.sampled_from("/?#%:@[]\\aé😀"), max_size=12)


@given(st.sampled_from(["http", "HTTPS", "ftp", ""]), HOSTS | st.text(max_size=8), TAILS)
@example("http", "site.example", ":8080/ä?ö#ü")
def test_whatever_is_accepted_can_be_probed(scheme: str, host: str, tail: str) -> None:
    """The prober has no objection left to a URL that a site may have."""
    url = f"{scheme}://{host}{tail}"
    if fault(FIELDS["url"], url, "url") is None:
        target(url)
