"""Tests of `pingmon.wire.message.webhook`: the request that a channel's settings make of a message."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from standardwebhooks import Webhook

from pingmon.core.check.check import Check, Status
from pingmon.core.check.settings import CheckSpec
from pingmon.core.flip import Flip
from pingmon.core.notify.channel import Channel
from pingmon.core.notify.notification import Notification
from pingmon.core.site.settings import SiteSpec
from pingmon.core.site.site import Site
from pingmon.core.units import SECOND
from pingmon.testing import PROJECT, SECRET, bad, uuid
from pingmon.testing import START as T0
from pingmon.wire.message.digest import digest_object
from pingmon.wire.message.message import Letter, object_of
from pingmon.wire.message.webhook import digest_request, request, retry_after_s, wants_body
from pingmon.wire.outgoing_request import USER_AGENT, OutgoingRequest, Unsendable, signature_headers
from tests.delivery.letters import many

URL = "http://hook.example/"
CHECK = {"name": "x", "n_pings": 3}


def letter(
    value: dict[str, object],
    *,
    new: Status = "down",
    secret: str = "",
    exitstatus: int | None = None,
    last_exit: int | None = None,
    **spec: Any,
) -> Letter:
    check = Check(uuid(1), PROJECT, CheckSpec(**spec), 3, T0, T0, new, exitstatus=last_exit)
    channel = Channel(uuid(1, "d"), PROJECT, "webhook", "ops", value, secret, 1, T0)
    flip = Flip(7, check.id, T0, "up" if new == "down" else "down", new, "", T0 - 90 * SECOND, exitstatus)
    return Letter(Notification(f"{channel.id}.7", channel.id, flip, T0), check, channel, T0 + 1_500_000)


def made(value: dict[str, object], body: bytes = b"", **more: Any) -> OutgoingRequest:
    found = request(letter(value, **more), CHECK, body)
    assert found is not None
    return found


def url(template: str, **more: Any) -> str:
    return made({"url_down": template}, **more).url


def body(template: str, last: bytes = b"", **more: Any) -> str:
    return made({"url_down": URL, "method_down": "POST", "body_down": template}, last, **more).body.decode()


def headers(value: dict[str, str], **more: Any) -> dict[str, bytes]:
    return dict(made({"url_down": URL, "headers_down": value}, **more).headers)


# --- which request ------------------------------------------------------------------------------------------------


def test_each_direction_has_its_own_url_method_headers_and_body() -> None:
    value: dict[str, object] = {
        "url_down": "http://a/",
        "method_down": "POST",
        "headers_down": {"X-A": "1"},
        "body_down": "down",
        "url_up": "http://b/",
        "method_up": "PUT",
        "headers_up": {"X-B": "2"},
        "body_up": "up",
    }
    down, up = made(value), made(value, new="up")
    assert (down.method, down.url, down.body, dict(down.headers)["X-A"]) == ("POST", "http://a/", b"down", b"1")
    assert (up.method, up.url, up.body, dict(up.headers)["X-B"]) == ("PUT", "http://b/", b"up", b"2")


def test_no_url_for_a_direction_means_no_request() -> None:
    assert request(letter({"url_up": URL}), CHECK, b"") is None
    assert request(letter({"url_down": ""}), CHECK, b"") is None


def test_a_get_has_no_body_even_if_one_is_configured() -> None:
    assert made({"url_down": URL, "method_down": "GET", "body_down": "text"}).body == b""
    assert made({"url_down": URL}).method == "GET"


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_without_a_configured_body_the_message_goes_as_json(method: str) -> None:
    value: dict[str, object] = {"url_down": URL, "method_down": method}
    sent = made(value, name="backup")
    assert json.loads(sent.body) == object_of(letter(value, name="backup"), CHECK)
    assert dict(sent.headers)["Content-Type"] == b"application/json"


def test_a_configured_body_gets_no_content_type_of_ours() -> None:
    assert "Content-Type" not in dict(made({"url_down": URL, "method_down": "POST", "body_down": "a=b"}).headers)


def test_a_configured_content_type_stays() -> None:
    sent = made({"url_down": URL, "method_down": "POST", "headers_down": {"content-type": "text/x"}})
    assert [(name, value) for name, value in sent.headers if name.lower() == "content-type"] == [
        ("content-type", b"text/x")
    ]


@pytest.mark.parametrize(
    "value",
    [
        {"url_down": 5},
        {"url_down": URL, "method_down": "DELETE"},
        {"url_down": URL, "method_down": "get"},
        {"url_down": URL, "headers_down": []},
        {"url_down": URL, "headers_down": {"X": 1}},
        {"url_down": URL, "headers_down": {"X Y": "1"}},
        {"url_down": URL, "headers_down": {"": "1"}},
        {"url_down": URL, "body_down": None},
    ],
)
def test_settings_that_make_no_request_are_refused(value: dict[str, object]) -> None:
    with pytest.raises(Unsendable):
        made(value)


# --- digests ------------------------------------------------------------------------------------------------------

BOTH: dict[str, object] = {"url_down": "http://d/", "method_down": "POST", "url_up": "http://u/", "method_up": "POST"}


def test_a_digest_goes_as_json_and_is_signed() -> None:
    found = many(BOTH, 2, 1)
    sent = digest_request(found)
    assert sent is not None
    assert json.loads(sent.body) == digest_object(found)
    headers = {name: value.decode() for name, value in sent.headers}
    assert headers["webhook-id"] == found.id
    assert headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("value", "down", "up", "url", "counts"),
    [
        (BOTH, 2, 1, "http://d/", {"down": 2, "up": 1, "ended": 0}),
        (BOTH, 0, 1, "http://u/", {"down": 0, "up": 1, "ended": 0}),
        (BOTH | {"url_up": ""}, 2, 1, "http://d/", {"down": 2, "up": 0, "ended": 0}),
        (BOTH | {"url_down": ""}, 2, 1, "http://u/", {"down": 0, "up": 1, "ended": 0}),
        (BOTH | {"url_down": ""}, 2, 0, None, {}),
    ],
)
def test_a_digest_tells_what_the_channel_wants_and_goes_as_down_if_anything_is(
    value: dict[str, object], down: int, up: int, url: str | None, counts: dict[str, int]
) -> None:
    sent = digest_request(many(value, down, up))
    assert (None if sent is None else sent.url) == url
    if sent is not None:
        assert json.loads(sent.body)["counts"] == counts


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ("$CODE", PROJECT),
        ("$STATUS", "down"),
        ("$NAME", "2 checks"),
        ("$NAME_JSON", '"2 checks"'),
        ("$NOW", "2023-11-14T22:13:22+00:00"),
        ("$SLUG|$TAGS|$BODY", "||"),
        ("$TAG1", "$TAG1"),
        ("$EXITSTATUS", "-1"),
        ("$TEXT", "DOWN: 2 checks (2 down): job 2, job 1"),
        ("$TEXT_JSON", '"DOWN: 2 checks (2 down): job 2, job 1"'),
        ("$JSON", json.dumps(digest_object(many({}, 2)))),
    ],
)
def test_what_stands_for_each_placeholder_in_a_digest(template: str, filled: str) -> None:
    sent = digest_request(many({"url_down": URL, "method_down": "POST", "body_down": template}, 2))
    assert sent is not None
    assert sent.body.decode() == filled


# --- placeholders -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ("$CODE", uuid(1)),
        ("$STATUS", "down"),
        ("$NOW", "2023-11-14T22:13:20+00:00"),
        ("$NAME", 'a "b"'),
        ("$NAME_JSON", '"a \\"b\\""'),
        ("$SLUG", "a-b"),
        ("$TAGS", "prod  db ü"),
        ("$TAG1 $TAG2 $TAG3", "prod db ü"),
        ("$TAG4 $TAG0 $TAG01", "$TAG4 $TAG0 $TAG01"),
        ("$EXITSTATUS", "-1"),
        ("$JSON", '{"name": "x", "n_pings": 3}'),
        ("$UNKNOWN $ $$NAME $name", '$UNKNOWN $ $a "b" $name'),
        ("$NAMES$STATUS_", 'a "b"Sdown_'),
    ],
)
def test_placeholders_are_replaced_and_unknown_ones_are_left(template: str, filled: str) -> None:
    assert body(template, name='a "b"', slug="a-b", tags="prod  db ü") == filled


def test_the_tenth_tag_is_not_the_first_with_a_zero() -> None:
    tags = " ".join(f"t{number}" for number in range(1, 12))
    assert body("$TAG1 $TAG10 $TAG11 $TAG12", tags=tags) == "t1 t10 t11 $TAG12"


def test_a_value_that_looks_like_a_placeholder_is_not_replaced_again() -> None:
    assert body("$NAME $TAG1", b"secret", name="$BODY $CODE", tags="$NAME") == "$BODY $CODE $NAME"


@pytest.mark.parametrize(
    ("of_flip", "last", "shown"), [(3, 0, "3"), (None, 2, "2"), (0, None, "0"), (None, None, "-1")]
)
def test_the_exit_status_is_that_of_the_ping_that_flipped_the_check_or_of_the_last_one(
    of_flip: int | None, last: int | None, shown: str
) -> None:
    assert body("$EXITSTATUS", exitstatus=of_flip, last_exit=last) == shown


def test_the_last_ping_is_quoted_in_bodies_only() -> None:
    value: dict[str, object] = {
        "url_down": URL + "$BODY",
        "headers_down": {"X": "$BODY_JSON"},
        "method_down": "PUT",
        "body_down": "$BODY|$BODY_JSON",
    }
    sent = made(value, b'disk "full"\n')
    assert sent.url == URL + "$BODY"
    assert dict(sent.headers)["X"] == b"$BODY_JSON"
    assert sent.body == b'disk "full"\n|"disk \\"full\\"\\n"'


def test_a_last_ping_that_is_not_utf_8_breaks_neither_body_nor_signature() -> None:
    sent = made({"url_down": URL, "method_down": "POST", "body_down": "$BODY"}, b"\xff\x00ok\xc3", secret=SECRET)
    assert sent.body == "\ufffd\x00ok\ufffd".encode()
    assert "webhook-signature" in dict(sent.headers)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ({"url_down": URL, "method_down": "POST", "body_down": "a $BODY"}, True),
        ({"url_down": URL, "method_down": "PUT", "body_down": "$BODY_JSON"}, True),
        ({"url_down": URL, "method_down": "POST", "body_down": "$NAME"}, False),
        ({"url_down": URL, "method_down": "GET", "body_down": "$BODY"}, False),
        ({"url_down": "", "method_down": "POST", "body_down": "$BODY"}, False),
        ({"url_down": URL + "$BODY", "method_down": "POST", "body_down": "x"}, False),
        ({"url_down": URL, "method_down": "POST"}, True),
    ],
)
def test_the_last_pings_body_is_only_asked_for_when_it_is_used(value: dict[str, object], wanted: bool) -> None:
    assert wants_body(letter(value)) is wanted


# --- sites --------------------------------------------------------------------------------------------------------


def of_site(value: dict[str, object], **spec: Any) -> Letter:
    about = Site(
        uuid(1, "5"), PROJECT, SiteSpec(**{"url": "http://shop.example/", "tags": "prod eu"} | spec), 3, T0, T0
    )
    told = letter(value)
    flip = Flip(7, about.id, T0, "suspect", "down", "verdict", T0, code=503, looks=(bad(),))
    return replace(told, subject=about, owed=replace(told.owed, flip=flip))


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ("$CODE $STATUS $NOW", f"{uuid(1, '5')} down 2023-11-14T22:13:20+00:00"),
        ("$NAME|$NAME_JSON", 'Shop|"Shop"'),
        ("$TAGS|$TAG2", "prod eu|eu"),
        ("$SLUG|$EXITSTATUS|$BODY|$BODY_JSON", '|-1||""'),
        ("$JSON", '{"name": "x", "n_pings": 3}'),
    ],
)
def test_the_placeholders_of_checks_serve_for_sites(template: str, filled: str) -> None:
    told = of_site({"url_down": URL, "method_down": "POST", "body_down": template}, name="Shop")
    sent = request(told, CHECK, b"")
    assert sent is not None
    assert sent.body.decode() == filled
    assert not wants_body(told)


def test_a_site_without_a_name_is_called_by_its_url() -> None:
    sent = request(of_site({"url_down": URL + "?site=$NAME"}), CHECK, b"")
    assert sent is not None
    assert sent.url == URL + "?site=http%3A//shop.example/"


def test_without_a_configured_body_a_sites_message_goes_as_json() -> None:
    told = of_site({"url_down": URL, "method_down": "POST"})
    sent = request(told, {"name": "Shop"}, b"")
    assert sent is not None
    assert json.loads(sent.body) == object_of(told, {"name": "Shop"})
    assert json.loads(sent.body)["event"] == "site.down"


# --- the URL ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("template", "result"),
    [
        ("https://h", "https://h/"),
        ("http://h?x=1", "http://h/?x=1"),
        ("http://H.Example:8080/Path#part", "http://h.example:8080/Path"),
        ("http://h/$NAME?n=$NAME", "http://h/a%26b%3Fc%23/d%20%C3%BC%25?n=a%26b%3Fc%23/d%20%C3%BC%25"),
        ("http://h/ä b?q=ö<>", "http://h/%C3%A4%20b?q=%C3%B6%3C%3E"),
        ("http://h/%2F%C3%A4?a[]=1&$x;", "http://h/%2F%C3%A4?a[]=1&$x;"),
        ("http://my_service:8000/", "http://my_service:8000/"),
        ("http://bücher.example/", "http://xn--bcher-kva.example/"),
        ("http://[::1]:8000/x", "http://[::1]:8000/x"),
        ("http://[0:0:0:0:0:0:0:1]", "http://[::1]/"),
        ("http://127.0.0.1/", "http://127.0.0.1/"),
        ("http://h./", "http://h./"),
        ("$TAG1://$TAG2/", "https://tagged.example/"),
    ],
)
def test_the_url_goes_out_in_ascii_with_values_percent_encoded(template: str, result: str) -> None:
    assert url(template, name="a&b?c#/d ü%", tags="https tagged.example") == result


@pytest.mark.parametrize(
    "template",
    [
        "ftp://h/",
        "hook.example/x",
        "//h/",
        "http://",
        "http:///x",
        "http://:80/",
        "http://h:0/",
        "http://h:65536/",
        "http://h:x/",
        "http://[::1/",
        "http://[fe80::1%25eth0]/",
        "http://[v1.x]/",
        "http://a b/",
        "http://a..b/",
        "http://$NAME.example/",
        "http://\u2100.example/",
        "http://ⴰ\u0301\u200d.example/",
        f"http://{'a.' * 130}b/",
        f"http://{'a' * 64}.example/",
        "file:///etc/passwd",
        "javascript:alert(1)",
    ],
)
def test_a_url_that_cannot_be_asked_is_refused_without_being_quoted(template: str) -> None:
    with pytest.raises(Unsendable) as refused:
        url(template, name="a b", secret=SECRET)
    assert template not in str(refused.value)


def test_credentials_in_the_url_become_basic_authentication() -> None:
    sent = made({"url_down": "http://us%40er:p%3Ass@h/x"})
    assert sent.url == "http://h/x"
    assert dict(sent.headers)["Authorization"] == b"Basic dXNAZXI6cDpzcw=="
    assert dict(made({"url_down": "http://user@h/"}).headers)["Authorization"] == b"Basic dXNlcjo="


def test_a_configured_authorization_wins_over_credentials_in_the_url() -> None:
    sent = made({"url_down": "http://u:p@h/", "headers_down": {"authorization": "Bearer x"}})
    assert [value for name, value in sent.headers if name.lower() == "authorization"] == [b"Bearer x"]


@given(st.text(), st.text(max_size=30))
def test_whatever_a_check_is_called_the_url_is_ascii_and_asks_the_same_host(name: str, tags: str) -> None:
    sent = made({"url_down": "http://h.example/x/$NAME?t=$TAGS&$TAG1#$NAME"}, name=name, tags=tags)
    assert sent.url.startswith("http://h.example/x/")
    assert all("!" <= char <= "~" for char in sent.url)
    assert "#" not in sent.url


# --- headers ------------------------------------------------------------------------------------------------------


def test_requests_say_which_program_sends_them_unless_the_user_says_otherwise() -> None:
    assert headers({})["User-Agent"] == USER_AGENT
    assert USER_AGENT.startswith(b"pingmon/")
    mine = headers({"user-agent": "mine"})
    assert mine["user-agent"] == b"mine"
    assert "User-Agent" not in mine


@pytest.mark.parametrize(
    ("template", "sent"),
    [
        ("$NAME is $STATUS", b"caf\xe9 &#9731; is down"),
        ("a\r\nX-Evil: $TAG1", b"a X-Evil: x y"),
        ("\ttab\tinside ", b"tab\tinside"),
        ("nul\x00del\x7f", b"nul del"),
        ("nel\x85csi\x9bnbsp\xa0end", b"nel csi nbsp\xa0end"),
    ],
)
def test_header_values_are_latin_1_and_one_line(template: str, sent: bytes) -> None:
    assert headers({"X": template}, name="café ☃", tags="x\ny")["X"] == sent


def test_headers_that_frame_or_sign_the_request_cannot_be_set() -> None:
    given_ = {
        "Content-Length": "5",
        "transfer-encoding": "chunked",
        "Connection": "x",
        "Webhook-Id": "forged",
        "X": "y",
    }
    assert set(headers(given_)) == {"X", "User-Agent"}


# --- signature ----------------------------------------------------------------------------------------------------


@given(st.text(), st.sampled_from(["", "$NAME", "$BODY", "$JSON"]), st.binary(max_size=30))
def test_every_request_is_signed_for_the_bytes_that_are_sent(name: str, template: str, last: bytes) -> None:
    sent = made({"url_down": URL, "method_down": "POST", "body_down": template}, last, name=name, secret=SECRET)
    found = dict(sent.headers)
    at = datetime.fromtimestamp(int(found["webhook-timestamp"]), UTC)
    assert int(found["webhook-timestamp"]) == 1_700_000_001
    assert found["webhook-signature"].decode() == Webhook(SECRET).sign(
        found["webhook-id"].decode(), at, sent.body.decode()
    )


def test_the_receivers_library_verifies_a_request_made_now() -> None:
    now = int(datetime.now(UTC).timestamp() * SECOND)  # noqa: TID251 -- `verify` compares with the real clock
    signed = signature_headers((SECRET,), "id_1", now, b'{"a": 1}')
    found = Webhook(SECRET).verify(b'{"a": 1}', {name: value.decode() for name, value in signed.items()})
    assert found == {"a": 1}


def test_while_a_secret_is_being_replaced_receivers_with_either_verify() -> None:
    now = int(datetime.now(UTC).timestamp() * SECOND)  # noqa: TID251 -- `verify` compares with the real clock
    old = "whsec_" + "b2xk" * 8
    signed = signature_headers((SECRET, old), "id_1", now, b"{}")
    for known in (SECRET, old):
        assert Webhook(known).verify(b"{}", {name: value.decode() for name, value in signed.items()}) == {}


def test_the_last_ping_is_read_for_what_quotes_it_and_never_for_a_test() -> None:
    plain = letter({"url_down": URL, "method_down": "POST"})
    assert wants_body(plain)
    assert not wants_body(replace(plain, test=True))
    sent = request(plain, CHECK, b"disk is full")
    assert sent is not None
    assert json.loads(sent.body)["body"] == "disk is full"


def test_the_id_in_the_signature_is_the_messages_and_has_no_full_stop() -> None:
    sent = dict(made({"url_down": URL}, secret=SECRET).headers)
    assert sent["webhook-id"].decode() == f"{uuid(1, 'd')}_7"


def test_a_channel_without_a_secret_signs_nothing() -> None:
    assert signature_headers((), "id", T0, b"") == {}


@pytest.mark.parametrize("secret", ["whsec_", "whsec_a", "whsec_ü", "="])
def test_a_secret_that_cannot_sign_is_refused_without_being_quoted(secret: str) -> None:
    with pytest.raises(Unsendable) as refused:
        signature_headers((secret,), "id", T0, b"")
    assert "secret cannot sign" in str(refused.value)


# --- Retry-After --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        (b"", None),
        (b"120", 120.0),
        (b" 7 ", 7.0),
        (b"0", 0.0),
        (b"99999999999999999999", 86_400.0),
        (b"-5", None),
        (b"1.5", None),
        (b"\xb2", None),
        (b"soon", None),
        (b"Tue, 14 Nov 2023 22:13:50 GMT", 30.0),
        (b"Tue, 14 Nov 2023 22:13:50", 30.0),
        (b"Tue, 14 Nov 2023 22:13:00 GMT", 0.0),
        (b"Tue, 14 Nov 2033 22:13:00 GMT", 86_400.0),
        (b"Tue, 99 Nov 2023 22:13:00 GMT", None),
        (b"Tue, 14 Nov 2023 22:13:00 +99999999999999", None),
    ],
)
def test_a_retry_after_is_seconds_or_a_date(header: bytes | None, seconds: float | None) -> None:
    assert retry_after_s(header, T0) == seconds


@given(st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(9999, 1, 1)))  # noqa: DTZ001
def test_any_date_makes_a_wait_between_nothing_and_a_day(when: datetime) -> None:
    found = retry_after_s(format_datetime(when.replace(tzinfo=UTC), usegmt=True).encode(), T0)
    assert found is not None
    assert 0.0 <= found <= 86_400.0


@given(st.binary(max_size=60))
def test_no_header_of_a_stranger_breaks_the_reading(header: bytes) -> None:
    found = retry_after_s(header, T0)
    assert found is None or 0.0 <= found <= 86_400.0
