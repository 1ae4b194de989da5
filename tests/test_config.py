"""The configuration file: strict, and all problems at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pingmon.config import BadConfig, Config, load, parse

EVERYTHING = """
data = "/var/lib/pingmon"
listen = ["tcp:80", 'tls:/etc/letsencrypt/live:443']

[http]
base_url = "https://ping.example.org"
ping_url = "/"
trusted_proxies = ["127.0.0.1", "fd00::/8"]
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

[monitor]
hold = 120

[outgoing]
allow = ["192.168.0.0/16"]
parallel = 8

[retention]
pings = 100
days = 90

[limits]
checks = 100
api_requests = 5
"""


def test_a_file_may_set_everything(tmp_path: Path) -> None:
    """Every key there is, and it arrives."""
    path = tmp_path / "pingmon.toml"
    path.write_text(EVERYTHING)
    config = load(path)
    assert config.listen == ("tcp:80", "tls:/etc/letsencrypt/live:443")
    assert config.http.trusted_proxies == ("127.0.0.1", "fd00::/8")
    assert config.http.idle_timeout == 20.5
    assert config.outgoing.allow == ("192.168.0.0/16",)
    for section in config.__struct_fields__:
        assert getattr(config, section) != getattr(Config(), section), f"{section} is not covered by this test"


def test_an_empty_file_is_all_defaults() -> None:
    """Nothing is needed to start."""
    assert parse({}, "f") == Config()


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
        "my.toml: data: expected `str`, got `int`",
        "my.toml: monitor: expected a table",
        'my.toml: http.trusted_proxies[1]: \'home\' is not a network such as "192.168.0.0/16" or "fd00::/8"',
        'my.toml: http.trusted_proxies[2]: expected a network such as "192.168.0.0/16", got 3',
        "my.toml: http.ping_url: expected one of '/ping/', '/'",
        "my.toml: http.drain: expected `float` >= 0.0",
        "my.toml: http.ports: there is no such key",
        "my.toml: http.base_url: expected an address such as \"https://ping.example.org\", got 'foo bar'",
        "my.toml: pings.body_limit: expected `int`, got `str`",
    ]


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


TOML = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*Config.__struct_fields__, "hold", "allow", "x"]), inner, max_size=4)
    ),
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
