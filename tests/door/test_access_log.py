"""The access log: what it shows, and what it must never show."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pingmon.api.credentials import PING_KEY_LENGTH
from pingmon.daemon.redaction import redacted
from pingmon.door.access_log import AccessLog
from pingmon.door.http_dates import Dates
from pingmon.testing import PING_KEY
from tests.door.stage import CHECK, RID, DoorStage


def logging(path: Path) -> DoorStage:
    return DoorStage(
        access_log=lambda house: AccessLog(path, house.redacted, Dates(house.time.wall)),
    )


def test_combined_format(tmp_path: Path) -> None:
    """One line for each request, in the combined format, pings and all else."""
    path = tmp_path / "access.log"
    with logging(path) as house:
        house.ask("/ping/x", "GET", b"", "Referer: http://example/", 'User-Agent: cu"rl\\ \x01\xe9')
        house.ask("/api?a=b")
        house.ask("/api", "HEAD")
    first, second, third = path.read_text("ascii").splitlines()
    assert first == (
        '192.0.2.7 - - [14/Nov/2023:22:13:20 +0000] "GET /ping/*** HTTP/1.1" 400 18 '
        '"http://example/" "cu\\x22rl\\x5c \\x01\\xe9"'
    )
    assert '"GET /api?a=b HTTP/1.1" 200 5 "-" "-"' in second
    assert '"HEAD /api HTTP/1.1" 200 - ' in third


@pytest.mark.parametrize(
    "target",
    [
        f"/ping/{CHECK}",
        f"/ping/{CHECK.upper()}/start?rid={RID}",
        f"/{CHECK}",
        f"/ping/{PING_KEY}/backup",
        f"/{PING_KEY}/backup?create=1",
        f"/%70ing/%32{CHECK[1:]}",
        f"/ping%252F{PING_KEY}%252Fbackup",
        f"/api/v3/checks/{CHECK.replace('-', '')}",
        f"/api?api_key={PING_KEY}x&x=y&Token={PING_KEY}y",
        f"/ping{PING_KEY}/backup",
        f"/pings{PING_KEY}backup/fail",
        f"/ping{CHECK}",
    ],
)
def test_secrets_are_hidden(tmp_path: Path, target: str) -> None:
    """UUIDs, ping keys and API keys appear nowhere: not in the target, the referer or the agent, however encoded."""
    path = tmp_path / "access.log"
    with logging(path) as house:
        house.ask(target, "GET", b"", f"Referer: https://h{target}", f"User-Agent: see {target}")
    line = path.read_text("ascii").lower()
    assert line.count("***") >= 3
    for secret in (CHECK, CHECK.replace("-", ""), PING_KEY, RID):
        assert secret.lower() not in line


@given(st.text(), st.sampled_from([CHECK, PING_KEY]), st.text())
def test_redaction_never_fails(before: str, secret: str, after: str) -> None:
    """Whatever surrounds it, a secret that stands by itself is hidden."""
    shown = redacted(f"{before}/{secret}/{after}", {PING_KEY}.__contains__)
    assert f"/{secret}/" not in shown or re.search(r"%", before + after)


@pytest.mark.parametrize("text", ["/{}backup", "/my-{}/x", "GET/{}", "/pin/{}x", "see:{}{}"])
def test_a_ping_key_is_hidden_though_it_is_glued_to_something(text: str) -> None:
    """A slash is soon forgotten."""
    key = "k3y5that4re22charslong"
    assert len(key) == PING_KEY_LENGTH
    assert key not in redacted(text.format(key, key), {key}.__contains__)
    assert redacted("/no-key-is-as-long-as-this-word", {key}.__contains__) == "/no-key-is-as-long-as-this-word"


@pytest.mark.parametrize("end", ["", "/", "/3/body", "?limit=3", "#x", " HTTP/1.1"])
def test_the_list_of_pings_is_told_as_it_was_asked_for(end: str) -> None:
    """It begins like a ping URL, and is none."""
    shown = redacted(f"/api/v3/checks/{CHECK}/pings{end}", lambda word: False)
    assert shown == f"/api/v3/checks/***/pings{end}"


def test_rotation(tmp_path: Path) -> None:
    """After the file was moved away, opening it again continues in a new one."""
    path = tmp_path / "access.log"
    with logging(path) as house:
        house.ask("/api")
        path.rename(tmp_path / "access.log.1")
        assert house.door._access_log is not None
        house.door._access_log.open()
        house.ask("/api")
    assert len(path.read_text().splitlines()) == len((tmp_path / "access.log.1").read_text().splitlines()) == 1


def test_unwritable_log_costs_nothing(tmp_path: Path) -> None:
    """A log that cannot be opened or written is said so once; pings are answered."""
    with logging(tmp_path / "missing" / "access.log") as house:
        assert house.ask(f"/ping/{CHECK}").status == 200
        assert len([event for event in house.observer if "why" in event]) == 0
    with logging(Path("/dev/full")) as house:
        for _ in range(3):
            assert house.ask(f"/ping/{CHECK}").status == 200
        assert [event["why"] for event in house.observer if "why" in event] == ["No space left on device"]


@pytest.mark.parametrize(
    "text", ["/hcw_0123456789abcdefghijABCDEFGH", "/x?a=hcr_0123456789abcdefghij", "hco_0123456789"]
)
def test_api_keys_are_hidden_wherever_they_stand(text: str) -> None:
    """Also where no field's name says what they are."""
    assert "0123456789" not in redacted(text, lambda word: False)


def test_a_very_long_field_is_cut() -> None:
    """One line of the log stays one line that people can read."""
    assert len(redacted("/x" * 10_000, lambda word: False)) <= 2048
