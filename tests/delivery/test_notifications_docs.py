"""What docs/notifications.md says of apprise is what the installed apprise says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from apprise import Apprise, AppriseAsset

from pingmon.api.channel_kinds import KINDS
from pingmon.delivery.apprise import THREADS
from pingmon.wire.api.apprise_channel import LOCAL, apprise_value

MANUAL = (Path(__file__).parents[2] / "docs" / "notifications.md").read_text("utf-8")
ROWS = re.findall(r"^\| ([^|`]+) \| `([a-z]+://[^`]*)` \|$", MANUAL, re.MULTILINE)
LOOKS = {
    "API_KEY": "a6k4vvukuld4yylva5b3fakbkh4eyzxc",
    "ACCOUNT_SID": "AC" + "0" * 32,
    "AUTH_TOKEN": "0123456789abcdef" * 2,
    "BOT_TOKEN": "AAbbCCddEEffGGhhIIjjKKllMMnnOOppQQ",
    "CHAT_ID": "12345678",
    "FROM_PHONE_ID": "15551234567",
    "WEBHOOK_TOKEN": "a1B2" * 20,
    "TOKEN": "a6k4vvukuld4yylva5b3fakbkh4eyzxc",
}
"""What stands for words of the manual where apprise wants a certain look."""


def test_the_manual_has_the_services_that_are_asked_for_most() -> None:
    assert len(ROWS) >= 20
    assert [name for name, _ in ROWS] == sorted((name for name, _ in ROWS), key=str.lower)


@pytest.mark.parametrize(("name", "url"), ROWS, ids=[name for name, _ in ROWS])
def test_apprise_takes_the_url_of_each_service(name: str, url: str) -> None:
    """And knows it by a name that has a word in common with the manual's."""
    filled = re.sub("[A-Z]+(?:_[A-Z]+)+|TOKEN", lambda word: LOOKS.get(word[0], word[0]), url)
    service = Apprise.instantiate(filled, asset=AppriseAsset(storage_mode="memory"))
    assert service is not None, filled
    known = str(service.service_name).lower().replace(" ", "")
    assert any(word in known for word in re.findall("[a-z]{3,}", name.lower()))
    assert apprise_value({"url": url}) == {"url": url}


def test_the_manual_knows_every_kind() -> None:
    table = MANUAL.partition("## Kinds")[2].partition("\n## ")[0]
    named = re.findall(r"`([a-z]+)`", " ".join(re.findall(r"^\| (`[^|]*) \|", table, re.MULTILINE)))
    assert sorted(named) == sorted(KINDS)


def test_the_manual_knows_what_a_star_does_not_allow() -> None:
    assert f"({', '.join(f'`{scheme}`' for scheme in sorted(LOCAL))})" in MANUAL.replace("\n", " ")
    assert THREADS == 8
