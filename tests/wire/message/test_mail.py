"""Tests of `pingmon.wire.message.mail`: the mails that people get, to the letter, and what no name can make of them."""

from __future__ import annotations

from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pingmon.core.flip import Deaf
from pingmon.core.site.settings import SiteSpec
from pingmon.core.site.site import Site
from pingmon.core.units import SECOND
from pingmon.testing import PROJECT, SECRET, bad, uuid
from pingmon.testing import START as T0
from pingmon.wire.message.digest import AnyMessage, Digest, digest
from pingmon.wire.message.mail import TAIL, mail, question
from pingmon.wire.message.message import Letter, trial_letter
from pingmon.wire.outgoing_request import Unsendable
from tests.wire.message.test_message import CHANNEL, letter

GOLDEN = Path(__file__).with_name("golden")
SENDER, BASE = "pingmon <alerts@example.net>", "https://ping.example.net"
OPS = replace(CHANNEL, kind="email", value={"email": "ops@example.org"}, secret=SECRET)
BODY = b"dump complete\n.\nFrom here on: no space left on device\t\x1b[31m<full>\xff\n"


def about(sent: Letter, **spec: Any) -> Letter:
    """The message as an email channel is sent it, about a check with these settings besides."""
    return replace(sent, channel=OPS, subject=replace(sent.subject, spec=replace(sent.subject.spec, **spec)))


def down() -> Letter:
    sent = about(letter("down", "signal", exitstatus=3), tags="prod db", desc="Dumps all\ndatabases.")
    ended = replace(sent.subject, last_ping=sent.owed.flip.at, last_duration=303 * SECOND)
    return replace(sent, subject=ended, advice="the last 12 pings came 1 h late; they fit Europe/Riga")


def up() -> Letter:
    sent = about(letter("up"))
    return replace(sent, owed=replace(sent.owed, receipt=f"<{OPS.id}_7@example.net>"))


def silent_site() -> Letter:
    sent = about(letter("down", "silence", deaf=Deaf(T0 - 60 * SECOND, T0, T0 + 60 * SECOND)))
    site = Site(uuid(2), PROJECT, SiteSpec(url="https://shop.example/"), 3, T0, T0)
    flip = replace(sent.owed.flip, cause="verdict", deaf=None, looks=(bad("berlin"),), place="well")
    return replace(sent, subject=site, owed=replace(sent.owed, flip=flip))


def storm() -> Digest:
    """A digest of one that is down and one that is back."""
    return digest(OPS, T0 + SECOND, 9, [down(), replace(up(), subject=silent_site().subject)])


def read(sent: AnyMessage, body: bytes = b"") -> EmailMessage:
    return message_from_bytes(mail(sent, body, SENDER, BASE).data, policy=default)


@pytest.mark.parametrize(
    ("name", "sent", "body"),
    [
        ("down", down(), BODY),
        ("up", up(), b""),
        ("site", silent_site(), b""),
        ("ended", about(letter("up", "ended")), b""),
        ("test", trial_letter(OPS, T0, up=False), b""),
        ("digest", storm(), b""),
    ],
)
def test_the_mail_to_the_letter(name: str, sent: AnyMessage, body: bytes) -> None:
    """Golden mails; one that is not there yet is written, and the test fails that once."""
    path = GOLDEN / f"{name}.eml"
    made = mail(sent, body, SENDER, BASE)
    if not path.exists():
        path.write_bytes(made.data)
        pytest.fail(f"{path.name} was written: look at it")
    assert made.data == path.read_bytes()
    assert (made.sender, made.recipient) == ("alerts@example.net", "ops@example.org")
    assert made.id == message_from_bytes(made.data, policy=default)["Message-ID"]


def test_the_question_to_the_letter() -> None:
    """It has no link to unsubscribe: nobody has subscribed."""
    made = question(OPS, T0, SENDER, BASE)
    path = GOLDEN / "question.eml"
    if not path.exists():
        path.write_bytes(made.data)
        pytest.fail(f"{path.name} was written: look at it")
    assert made.data == path.read_bytes()
    assert b"List-Unsubscribe" not in question(replace(OPS, name=""), T0, SENDER, BASE).data
    with pytest.raises(Unsendable):
        question(CHANNEL, T0, SENDER, BASE)


def test_a_mail_says_how_to_get_no_more_of_them_in_one_click() -> None:
    """RFC 8058; and neither answers nor vacations come back (RFC 3834)."""
    got = read(down())
    link = got["List-Unsubscribe"].strip("<> ")
    assert link.startswith(f"{BASE}/links/unsubscribe/{OPS.id}/")
    assert got["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert got["Auto-Submitted"] == "auto-generated"
    for part in ("plain", "html"):
        body = got.get_body((part,))
        assert body is not None
        assert link in body.get_content()


def test_only_a_way_down_can_be_acknowledged() -> None:
    """By a link that names the entry of the flip."""
    assert f"{BASE}/links/ack/{OPS.id}/{uuid(1)}/7/".encode() in mail(down(), b"", SENDER, BASE).data.replace(
        b"=\n", b""
    )
    for other in (up(), about(letter("up", "ended")), trial_letter(OPS, T0, up=False)):
        assert b"/links/ack/" not in mail(other, b"", SENDER, BASE).data.replace(b"=\n", b"")


def test_the_duration_is_that_of_the_run_that_ended_so_or_is_not_said() -> None:
    sent = down()
    assert b"The run took" in mail(sent, b"", SENDER, BASE).data
    later = replace(sent, subject=replace(sent.subject, last_ping=sent.owed.flip.at + 1))
    assert b"The run took" not in mail(later, b"", SENDER, BASE).data


def test_the_end_of_a_long_body_is_quoted() -> None:
    text = "x" * 70
    body = read(down(), ("begin\n" + f"{text}\n" * 500 + "the end\n").encode()).get_body(("plain",))
    assert body is not None
    said = body.get_content()
    assert "> the end\n" in said
    assert "begin" not in said
    assert TAIL <= len(said) < TAIL * 1.2


@given(
    st.text(max_size=100),
    st.text(max_size=200),
    st.binary(max_size=300),
    st.sampled_from(["down", "up"]),
    st.text(max_size=50),
)
def test_no_name_and_no_body_forges_a_header_or_a_part(
    name: str, desc: str, body: bytes, new: Any, channel: str
) -> None:
    """Whatever users and jobs write: the same headers, each once, two parts, seven bits, lines that SMTP carries."""
    sent = about(letter(new, "signal" if new == "down" else ""), name=name, desc=desc, tags=name)
    made = mail(replace(sent, channel=replace(OPS, name=channel)), body, SENDER, BASE)
    assert made.data.isascii()
    assert b"\r" not in made.data
    assert max(map(len, made.data.split(b"\n"))) < 998
    got, plain = message_from_bytes(made.data, policy=default), read(about(letter(new, "signal")))
    assert got.keys() == plain.keys()
    assert got["Subject"].startswith(f"{new.upper()} |")
    assert [part.get_content_type() for part in got.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    assert not got.defects


def test_a_reminder_is_called_one_in_the_subject() -> None:
    """So that a list of mails shows one outage, and not two."""
    sent = down()
    assert read(replace(sent, owed=replace(sent.owed, reminder=2)))["Subject"] == "STILL DOWN | nightly backup"


def test_what_is_said_besides_is_a_sentence_in_a_paragraph() -> None:
    sent = down()
    assert (
        b"\n\nNobody has acknowledged it yet.\n\n"
        in mail(replace(sent, owed=replace(sent.owed, step=1)), b"", SENDER, BASE).data
    )


def test_what_cannot_be_seen_is_not_in_the_subject() -> None:
    sent = about(down(), name="a\r\nBcc: x@example.org\u2028\x00\u202e büro\ud800")
    assert read(sent)["Subject"] == "DOWN | a Bcc: x@example.org ?? büro?"
    assert read(sent)["Bcc"] is None


def test_settings_without_an_address_make_no_mail() -> None:
    with pytest.raises(Unsendable, match="not those of an email channel"):
        mail(letter("down"), b"", SENDER, BASE)
