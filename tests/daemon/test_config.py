"""The configuration file: strict, and all problems at once."""

from __future__ import annotations

import re
import tomllib
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from pingmon.daemon.config import Config
from pingmon.daemon.config_file import BadConfig, load, parse
from pingmon.verify.configured_verifier import Peer
from pingmon.wire.message.signatures import SECRET_MIN, BadSecret, secret
from pingmon.wire.probe.target import target

KEY = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"
PEER = {"name": "fra", "url": "https://fra.example:8100", "secret": KEY}

EVERYTHING = """
data = "/var/lib/pingmon"
listen = ["tcp:80", 'tls:/etc/letsencrypt/live:443']

[http]
base_url = "https://ping.example.org"
ping_url = "/"
trusted_proxies = ["127.0.0.1", "fd00::/8", "unix"]
access_log = "/var/log/pingmon/access.log"
max_connections = 500
request_deadline = 10
idle_timeout = 20.5
drain = 5

[pings]
body_limit = 100000
body_cap = 2000000
store_bodies = "any"
per_minute = 5

[mail]
listen = ["tcp:25"]
domain = "Ping.Example.org"

[monitor]
hold = 120

[outgoing]
allow = ["192.168.0.0/16"]
parallel = 8

[smtp]
host = "mail.example.org"
port = 2525
tls = "none"
user = "pingmon"
password = "hunter2"
from = "pingmon <alerts@example.org>"
verify_recipients = false

[commands]
allow = ["/usr/local/bin/page"]

[apprise]
schemes = ["ntfys", "pover"]

[sites]
quorum = 1
ask = 2
canaries = ["https://www.example.org/up?from=here", "http://192.0.2.1"]
parallel = 50
per_address = 2
as_numbers = "cymru"

[[verifier]]
name = "fra"
url = "https://fra.example:8100/verify"
secret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"
region = "eu"

[[verifier]]
name = "nyc"
url = "http://[2001:db8::1]:8100"
secret = ["whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI0", "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI1"]

[retention]
pings = 100
days = 90
probes = 500

[log]
level = "warn"

[watchdog]
url = "https://hc-ping.example/5bf66975-d4c7-4bf5-bcc8-b8d8a82ea278"
every = 30

[operator]
channels = ["ops"]
hold = 30

[limits]
checks = 100
sites = 50
api_requests = 5
api_burst = 6
"""


def test_a_file_may_set_everything(tmp_path: Path) -> None:
    """Every key there is, and it arrives."""
    path = tmp_path / "pingmon.toml"
    path.write_text(EVERYTHING)
    config = load(path)
    assert config.listen == ("tcp:80", "tls:/etc/letsencrypt/live:443")
    assert config.http.trusted_proxies == ("127.0.0.1", "fd00::/8", "unix")
    assert config.http.idle_timeout == 20.5
    assert config.mail.domain == "ping.example.org"
    assert config.outgoing.allow == ("192.168.0.0/16",)
    assert config.sites.canaries == ("https://www.example.org/up?from=here", "http://192.0.2.1")
    assert [(each.name, each.region, len(each.secret)) for each in config.verifier] == [
        ("fra", "eu", 1),
        ("nyc", "", 2),
    ]
    assert config.verifier[1].secret[0].endswith("MTI0")
    for section in config.__struct_fields__:
        assert getattr(config, section) != getattr(Config(), section), f"{section} is not covered by this test"


def test_an_empty_file_is_all_defaults() -> None:
    """Nothing is needed to start."""
    assert parse({}, "f") == Config()


def test_the_manual_shows_every_key_with_its_default() -> None:
    """And all of it is valid."""
    manual = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
    defaults, verifiers, mail, watchdog = map(tomllib.loads, re.findall(r"```toml\n(.*?)```", manual, re.DOTALL))
    shown = parse(defaults | {"listen": []}, "f")
    assert shown == Config()
    assert {*defaults, "verifier"} == set(Config.__struct_fields__)
    for name in defaults:
        section = getattr(shown, name)
        assert not isinstance(section, Struct) or set(defaults[name]) == set(section.__struct_encode_fields__)
    assert parse(watchdog, "f").watchdog.every == 60
    assert parse(mail, "f").smtp.from_ == "pingmon <alerts@example.org>"
    verifiers["verifier"][0]["secret"] = KEY
    (shown_verifier,) = parse(verifiers, "f").verifier
    assert set(verifiers["verifier"][0]) == set(shown_verifier.__struct_fields__)


def test_every_problem_is_reported_at_once_with_its_key() -> None:
    """One start tells all there is to mend."""
    with pytest.raises(BadConfig) as caught:
        parse(
            {
                "colour": "red",
                "data": 5,
                "monitor": 3,
                "http": {
                    "trusted_proxies": ["10.0.0.0/8", "home", 3],
                    "ping_url": "no",
                    "drain": -1,
                    "ports": [1],
                    "base_url": "foo bar",
                },
                "pings": {"body_limit": "big"},
            },
            "my.toml",
        )
    assert [problem.split(" (")[0] for problem in caught.value.problems] == [
        "my.toml: colour: there is no such key",
        "my.toml: data: expected a text in quotes, got a whole number",
        "my.toml: monitor: expected a table",
        'my.toml: http.trusted_proxies[1]: \'home\' is not a network such as "192.168.0.0/16" or "fd00::/8"',
        'my.toml: http.trusted_proxies[2]: expected a network such as "192.168.0.0/16", got 3',
        "my.toml: http.ping_url: expected one of '/ping/', '/'",
        "my.toml: http.drain: expected a number >= 0.0",
        "my.toml: http.ports: there is no such key",
        "my.toml: http.base_url: expected an address such as \"https://ping.example.org\", got 'foo bar'",
        "my.toml: pings.body_limit: expected a whole number, got a text in quotes",
    ]


def peers(count: int) -> list[dict[str, Any]]:
    """So many verifiers."""
    return [PEER | {"name": str(number), "url": f"https://{number}.example"} for number in range(count)]


def problems(tree: dict[str, Any]) -> list[str]:
    with pytest.raises(BadConfig) as caught:
        parse(tree, "f")
    return [problem.removeprefix("f: ") for problem in caught.value.problems]


# --- mail ---------------------------------------------------------------------------------------------------------


def test_what_is_wrong_with_the_mail_server_is_told_and_the_password_is_not() -> None:
    assert problems({"smtp": {"host": "m", "port": 70_000, "tls": "ssl", "password": 5, "from": "ops"}}) == [
        "smtp.port: expected a whole number <= 65535",
        "smtp.tls: expected one of 'starttls', 'tls', 'none'",
        "smtp.password: expected a text in quotes",
        "smtp.from: expected an address such as \"pingmon <alerts@example.org>\", got 'ops'",
        "smtp.password: there is no user",
    ]
    assert problems({"smtp": {"host": "m", "user": "u"}}) == [
        "smtp.from: is missing; it is who mails come from",
        "smtp.user: there is no password",
    ]
    both = {"host": "m", "user": "u", "from": "a@b", "password": "hunter2", "password_file": "f"}
    assert problems({"smtp": both}) == ["smtp.password_file: there is a password already"]
    assert problems({"smtp": 5}) == ["smtp: expected a table"]
    config = parse({"smtp": {"host": "m", "user": "u", "from": "a@b", "password": "hunter2"}}, "f")
    assert config.smtp.password == "hunter2"
    assert "hunter2" not in repr(config)


@pytest.mark.parametrize("domain", ["ping", "192.0.2.1", "a@b.example", 5, "ping.example.org:25"])
def test_mail_needs_a_domain(domain: object) -> None:
    """One that can stand in an address."""
    assert problems({"mail": {"listen": ["tcp:25"], "domain": domain}}) == [
        f'mail.domain: expected a domain name such as "ping.example.org", got {domain!r}'
    ]
    assert problems({"mail": {"listen": ["tcp:25"]}}) == [
        "mail.domain: is missing; it is what stands behind the @ of an address"
    ]
    assert parse({"mail": {"domain": "", "listen": []}}, "f") == Config()


def test_programs_have_absolute_paths() -> None:
    """What would be looked for in a PATH could be another program tomorrow."""
    assert problems({"commands": {"allow": ["page"]}}) == [
        "commands.allow[0]: expected the absolute path of a program, got 'page'"
    ]


# --- sites and verifiers ------------------------------------------------------------------------------------------


def test_every_problem_in_every_verifier_is_reported_with_its_place() -> None:
    """Also what is missing, and what does not go together."""
    found = problems(
        {
            "colour": "red",
            "sites": {"quorum": 9, "ask": -1, "canaries": ["https://a.example/", "a.example", ""]},
            "verifier": [
                PEER,
                PEER | {"url": "fra.example", "secret": "hunter2"},
                {"secret": [KEY, "whsec_hunter2!", "whsec_aHVudGVyMg==", 3]},
                {"name": "", "url": "https://user@fra.example/", "secret": [], "city": "Frankfurt"},
                "fra",
            ],
        }
    )
    assert [problem.split(" (known: ")[0] for problem in found] == [
        "colour: there is no such key",
        "sites.ask: expected a whole number >= 0",
        "sites.canaries[1]: expected a URL such as \"https://www.example.org/\", got 'a.example'",
        "sites.canaries[2]: expected a URL such as \"https://www.example.org/\", got ''",
        "verifier[1].url: expected an address such as \"https://verifier.example.org:8100\", got 'fra.example'",
        "verifier[1].secret: expected a secret that begins with whsec_",
        "verifier[2].name: is missing",
        "verifier[2].url: is missing",
        "verifier[2].secret[1]: is not base64 after whsec_",
        "verifier[2].secret[2]: has 7 bytes, at least 24 are needed",
        "verifier[2].secret[3]: expected a secret that begins with whsec_",
        "verifier[3].name: expected a text in quotes of length >= 1",
        'verifier[3].url: expected an address such as "https://verifier.example.org:8100", got '
        "'https://user@fra.example/'",
        "verifier[3].secret: there is no secret in it",
        "verifier[3].city: there is no such key",
        "verifier[4]: expected a table",
        "verifier[1].name: is that of verifier[0] already",
        "sites.quorum: 9 is more than there are verifiers (5)",
    ]
    assert not any("hunter2" in problem or "aHVudGVy" in problem for problem in found)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://v.example", "https://v.example"),
        ("https://v.example:8100/", "https://v.example:8100"),
        ("https://v.example/pingmon", "https://v.example/pingmon/verify"),
        ("https://v.example/verify/", "https://v.example"),
        ("https://V.example:443", "https://v.EXAMPLE."),
        ("http://[2001:db8::1]:80", "http://[2001:DB8::1]/"),
    ],
)
def test_one_verifier_under_two_names_is_refused(one: str, other: str) -> None:
    """It would have two votes."""
    two = [PEER | {"name": name, "url": url} for name, url in (("a", one), ("b", other))]
    assert problems({"verifier": two}) == ["verifier[1].url: is that of verifier[0] already"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://v.example", "http://v.example"),
        ("https://v.example", "https://v.example:8100"),
        ("https://v.example/a", "https://v.example/b"),
        ("https://v.example/a", "https://v.example/A"),
        ("http://[2001:db8::1]:80", "http://[2001:db8::2]:80"),
    ],
)
def test_two_verifiers_that_must_agree_may_be_alike(one: str, other: str) -> None:
    """Behind one name, for example."""
    two = [PEER | {"name": name, "url": url} for name, url in (("a", one), ("b", other))]
    assert parse({"sites": {"quorum": 2}, "verifier": two}, "f").quorum == 2


def test_one_table_where_several_belong_is_told_how_to_write_them() -> None:
    """`[verifier]` is the likeliest slip."""
    assert problems({"verifier": PEER}) == ["verifier: expected tables, each under [[verifier]]"]


@pytest.mark.parametrize(
    ("verifiers", "sites", "problem"),
    [
        (0, {"quorum": 1}, "sites.quorum: 1 is more than there are verifiers (0)"),
        (2, {"quorum": 3}, "sites.quorum: 3 is more than there are verifiers (2)"),
        (3, {"quorum": 3, "ask": 2}, "sites.quorum: 3 is more than are asked (sites.ask = 2)"),
    ],
)
def test_a_quorum_that_can_never_come_together_is_refused(verifiers: int, sites: dict[str, int], problem: str) -> None:
    """No site would ever be down."""
    assert problems({"sites": sites, "verifier": peers(verifiers)}) == [problem]


@pytest.mark.parametrize(
    ("verifiers", "sites", "quorum"),
    [
        (0, {}, 0),
        (1, {}, 1),
        (2, {}, 2),
        (5, {}, 2),
        (5, {"ask": 1}, 1),
        (1, {"ask": 3}, 1),
        (5, {"ask": 4}, 2),
        (5, {"quorum": 4}, 4),
        (3, {"quorum": 1, "ask": 3}, 1),
    ],
)
def test_two_verifiers_must_agree_unless_the_file_says_otherwise_or_fewer_are_asked(
    verifiers: int, sites: dict[str, int], quorum: int
) -> None:
    """The default can always come together."""
    config = parse({"sites": sites, "verifier": peers(verifiers)}, "f")
    assert config.quorum == quorum


def test_a_configuration_that_is_shown_does_not_show_its_secrets() -> None:
    """In a traceback, for example."""
    assert KEY not in repr(parse({"verifier": [PEER, peers(1)[0] | {"secret": [KEY]}]}, "f"))


WRITTEN = st.binary(max_size=40).map(lambda key: b64encode(key).decode())


@given(text=st.one_of(WRITTEN, WRITTEN.map(lambda text: text.rstrip("=")), st.text(max_size=50)), marked=st.booleans())
def test_what_is_a_secret_here_is_one_to_those_who_sign_with_it(text: str, marked: bool) -> None:
    """And the other way round."""
    text = "whsec_" * marked + text
    try:
        known = len(secret(text).key) >= SECRET_MIN
    except BadSecret:
        known = False
    try:
        parse({"verifier": [PEER | {"secret": text}]}, "f")
        accepted = True
    except BadConfig:
        accepted = False
    assert accepted is known


URLS = st.from_regex(r"https?://[a-z\[\]:.1-9@_-]{1,9}(/[ -~ä]{0,5})?([?#][ -~]{0,4})?", fullmatch=True)


@given(url=URLS)
def test_every_verifier_that_is_accepted_can_be_asked(url: str) -> None:
    """`Peer` has no objection left."""
    try:
        config = parse({"verifier": [PEER | {"url": url}]}, "f")
    except BadConfig:
        return
    (found,) = config.verifier
    Peer(found.name, found.url, tuple(map(secret, found.secret)), found.region)


@pytest.mark.parametrize(
    ("url", "accepted"),
    [
        ("http://a.example", True),
        ("https://a.example:8443/x?y=z", True),
        ("http://[2001:db8::1]/", True),
        ("http://a.example:99999/", False),
        ("http://[::1/", False),
        ("ftp://a.example/", False),
        ("http://user:pw@a.example/", False),
        ("http://a.example/#top", False),
        ("http://bücher.example/ü", True),
        ("http://a..b/", False),
        ("http://a.example/a b", False),
    ],
)
def test_a_canary_is_something_that_can_be_probed(url: str, accepted: bool) -> None:
    """Whatever else stands there is told at the start."""
    tree = {"sites": {"canaries": [url]}}
    if accepted:
        target(parse(tree, "f").sites.canaries[0])
    else:
        assert len(problems(tree)) == 1


# --- the file itself ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [b"data = ", b"\xff", b"[http]\n[http]\n"])
def test_a_file_that_is_no_toml_says_where(tmp_path: Path, text: bytes) -> None:
    """The file's name stands in front of the parser's words."""
    path = tmp_path / "pingmon.toml"
    path.write_bytes(text)
    with pytest.raises(BadConfig, match=r"pingmon.toml: "):
        load(path)


def test_a_file_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    """In the system's words."""
    with pytest.raises(BadConfig, match="No such file or directory"):
        load(tmp_path / "none.toml")


KEYS = [*Config.__struct_fields__, "hold", "allow", "name", "url", "secret", "quorum", "ask", "canaries", "x"]
TOML = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=12,
)


@given(tree=st.dictionaries(st.sampled_from([*Config.__struct_fields__, "x"]), TOML, max_size=4))
def test_no_document_is_answered_with_anything_but_a_configuration_or_its_problems(tree: dict[str, object]) -> None:
    """Whatever stands in the file."""
    try:
        parse(tree, "f")
    except BadConfig as bad:
        problems = bad.problems
        assert all(problem.startswith("f: ") for problem in problems)
