"""Tests of `delivery.email` and `outgoing.mail_submission`, against a mail server in another process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import pytest
import pytest_twisted
from msgspec.structs import replace
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.ssl import Certificate, trustRootFromCertificates

from pingmon.core.site.failures import WRONG_NAME
from pingmon.delivery.attempt import Delivered, NotDelivered, Result, attempt, bounded
from pingmon.delivery.email import NO_SERVER, Email, MailRoute
from pingmon.outgoing.mail_submission import MailServer, Security
from pingmon.outgoing.passage import Egress
from pingmon.outgoing.tls_trust import Trust
from pingmon.testing import START as NOW
from pingmon.wire.message.message import Letter
from tests.authority import Certified
from tests.delivery.letters import letter
from tests.mail_server import PASSWORD, USER, MailServerProcess

pytestmark = pytest.mark.usefixtures("nothing_left")

LAST = b"one\n.\n.two\r\n.\r\nMAIL FROM:<evil@example.org>\n" + b"x" * 70 + b"\n"


@pytest.fixture(scope="module")
def authority() -> Certified:
    return Certified("authority", authority=True)


@pytest.fixture(scope="module")
def mails(tmp_path_factory: pytest.TempPathFactory, authority: Certified) -> Iterator[MailServerProcess]:
    folder = tmp_path_factory.mktemp("mails")
    for name in ("localhost", "elsewhere.example.org"):
        server = Certified("server", name, by=authority)
        (folder / f"{name}.pem").write_bytes(server.pem + server.key_pem)
    process = MailServerProcess(folder, folder / "localhost.pem", folder / "elsewhere.example.org.pem")
    yield process
    process.close()


class Sender:
    """Sends messages to ports of the mail server."""

    def __init__(self, mails: MailServerProcess, authority: Certified) -> None:
        async def addresses(name: str) -> list[str]:
            return ["127.0.0.1"] if name == "localhost" else []

        roots = trustRootFromCertificates([Certificate.loadPEM(authority.pem)])
        self.egress = Egress(reactor, Trust(roots), addresses, None)
        self.mails = mails

    def send(
        self,
        port: str | int,
        recipient: str = "ops@example.org",
        tls: Security = "none",
        *,
        login: bool = False,
        password: str = PASSWORD,
        sender: str = "pingmon <alerts@example.net>",
        message: Letter | None = None,
        timeout_s: float = 10.0,
    ) -> Deferred[Result]:
        number = port if isinstance(port, int) else self.mails.ports[port]
        user = USER if login else ""
        server = MailServer("localhost", number, tls, user, password if login else "", "here")
        kind = Email(MailRoute(self.egress, server, sender), lambda: "https://ping.example.net", last_body)
        message = message or letter({"email": recipient}, name="backup")
        return attempt(kind, message, cast(Any, reactor), timeout_s)


async def last_body(letter: Letter) -> bytes:
    return LAST


@pytest.fixture
def sender(mails: MailServerProcess, authority: Certified) -> Sender:
    return Sender(mails, authority)


# --- a mail arrives -----------------------------------------------------------------------------------------------


@pytest_twisted.ensureDeferred
async def test_a_mail_arrives_whole_and_says_what_the_ping_said(sender: Sender) -> None:
    message = letter({"email": "whole@example.org"}, name="backup")
    delivered = await sender.send("plain", message=message)
    (taken,) = sender.mails.taken("whole@example.org")
    assert (taken.sender, taken.recipients, taken.name) == (
        "alerts@example.net",
        ["whole@example.org"],
        "[127.0.0.1]",
    )
    got = taken.message
    assert delivered == Delivered(250, receipt=got["Message-ID"])
    assert got["Subject"] == "DOWN | backup"
    assert "> one\n> .\n> .two\n> .\n> MAIL FROM:<evil@example.org>\n" in taken.part("plain")


@pytest_twisted.ensureDeferred
async def test_a_full_stop_at_the_begin_of_a_line_never_ends_a_mail(sender: Sender) -> None:
    """Wherever it stands: Twisted writes a mail in pieces of 16 KiB, and looks for full stops in each by itself."""
    for shift in range(0, 80, 7):
        recipient = f"stops-{shift}@example.org"
        message = letter({"email": recipient}, name="backup", desc="x" * shift)

        async def stops(letter: Letter) -> bytes:
            return b".\n" * 5_000

        server = MailServer("localhost", sender.mails.ports["plain"], "none", "", "", "here")
        kind = Email(MailRoute(sender.egress, server, "a@example.net"), str, stops)
        assert isinstance(await attempt(kind, message, cast(Any, reactor), 10.0), Delivered)
        (taken,) = sender.mails.taken(recipient)
        html = taken.part("html")
        assert html.count("\n.") == 4_999
        assert html.rstrip().endswith("</html>")


@pytest.mark.parametrize(
    ("port", "tls", "login"),
    [
        ("starttls", "starttls", False),
        ("tls", "tls", False),
        ("login", "starttls", True),
        ("plain login", "none", True),
        ("only LOGIN", "none", True),
    ],
)
@pytest_twisted.ensureDeferred
async def test_it_goes_over_tls_and_logs_in_as_configured(
    sender: Sender, port: str, tls: Security, login: bool
) -> None:
    recipient = f"{port.replace(' ', '-')}@example.org"
    assert isinstance(await sender.send(port, recipient, tls, login=login), Delivered)
    (taken,) = sender.mails.taken(recipient)
    assert (taken.tls, taken.user) == (tls != "none", USER if login else None)


@pytest_twisted.ensureDeferred
async def test_each_attempt_is_the_same_mail(sender: Sender) -> None:
    """Its id and its conversation, so that a repeat can be told from news; and the way up answers the way down."""
    recipient = "twice@example.org"
    message = letter({"email": recipient}, name="backup")
    first = await sender.send("plain", message=message)
    await sender.send("plain", message=replace(message, now=message.now + 3_600_000_000))
    assert isinstance(first, Delivered)
    down = message.owed.flip
    back = replace(down, seq=9, old="down", new="up", cause="", at=down.at + 60_000_000, since=down.at)
    owed = replace(message.owed, id=f"{message.channel.id}.9", flip=back, receipt=first.receipt)
    assert await sender.send("plain", message=replace(message, owed=owed)) == Delivered(250)
    one, two, up = (each.message for each in sender.mails.taken(recipient))
    assert one["Message-ID"] == two["Message-ID"] != up["Message-ID"]
    assert one["References"] == one["In-Reply-To"] == two["References"]
    assert up["References"].split() == [one["References"], one["Message-ID"]]
    assert up["In-Reply-To"] == one["Message-ID"]
    assert up["Subject"] == "UP | backup"


@pytest_twisted.ensureDeferred
async def test_a_receiver_is_asked_by_mail(sender: Sender) -> None:
    channel = letter({"email": "asked@example.org"}).channel
    server = MailServer("localhost", sender.mails.ports["plain"], "none", "", "", "monitor.example.net")
    kind = Email(MailRoute(sender.egress, server, "alerts@example.net"), lambda: "https://ping.example.net", last_body)
    asked = bounded(kind.ask(channel, NOW), channel, cast(Any, reactor))
    assert await asked == Delivered(250)
    (taken,) = sender.mails.taken("asked@example.org")
    assert taken.name == "monitor.example.net"
    assert f"https://ping.example.net/links/confirm/{channel.id}/" in taken.part("plain")
    nobody = letter({}).channel
    assert await bounded(kind.ask(nobody, NOW), nobody, cast(Any, reactor)) == NotDelivered(
        "the channel's settings are not those of an email channel", permanent=True
    )
    assert await bounded(Email(None, str, last_body).ask(channel, NOW), channel, cast(Any, reactor)) == NO_SERVER


def test_the_password_shows_itself_nowhere() -> None:
    assert "secret" not in repr(MailServer("localhost", 25, "none", "me", "secret", "here"))


# --- what answers mean --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("recipient", "result"),
    [
        (
            "refused@example.org",
            NotDelivered("the mail server refused the recipient: 550 5.1.1 no such user here", permanent=True),
        ),
        (
            "spam@example.org",
            NotDelivered("the mail server refused the mail: 554 5.7.1 this looks like spam", permanent=True),
        ),
        ("busy@example.org", NotDelivered("the mail server refused the mail: 451 4.3.0 try again")),
        ("closes@example.org", NotDelivered("mail server: the connection was lost")),
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_recipient_or_mail_that_is_refused_for_good_is_given_up(
    sender: Sender, recipient: str, result: Result
) -> None:
    assert await sender.send("plain", recipient) == result


@pytest_twisted.ensureDeferred
async def test_who_is_greylisted_is_told_later(sender: Sender) -> None:
    refused = await sender.send("plain", "greylisted@example.org")
    assert refused == NotDelivered("the mail server refused the recipient: 450 4.2.0 greylisted, come back later")
    assert isinstance(await sender.send("plain", "greylisted@example.org"), Delivered)


@pytest.mark.parametrize(
    ("port", "tls", "error"),
    [
        ("starttls, wrong name", "starttls", f"mail server: TLS: {WRONG_NAME(host='localhost')}"),
        ("tls, wrong name", "tls", f"mail server: TLS: {WRONG_NAME(host='localhost')}"),
        ("plain", "starttls", "the mail server offers no STARTTLS"),
        ("plain", "tls", "mail server: TLS: wrong version number"),
        ("broken TLS", "starttls", "mail server: TLS: wrong version number"),
        ("refuses TLS", "starttls", "the mail server refused STARTTLS: 454"),
        ("speaks before TLS", "starttls", "mail server: the answer is not SMTP"),
        ("not ready", "none", "the mail server is not ready: 554 5.3.2 go away"),
        ("overloaded", "none", "the mail server is not ready: 421 4.3.2 too many of you"),
        ("no SMTP", "none", "mail server: the answer is not SMTP"),
        ("hangs up", "none", "mail server: the connection was lost"),
        ("knows no EHLO", "none", "the mail server does not know EHLO"),
        ("flood", "none", "mail server: more than 131072 bytes came back"),
        (1, "none", "mail server: connection refused"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_trouble_with_the_server_is_told_and_tried_again(
    sender: Sender, port: str | int, tls: Security, error: str
) -> None:
    """Nothing was said of the mail, and of the login, before the server was known for what it is."""
    assert await sender.send(port, "trouble@example.org", tls, login=tls != "none") == NotDelivered(error)
    assert sender.mails.taken("trouble@example.org") == []


@pytest_twisted.ensureDeferred
async def test_a_login_or_a_sender_that_is_refused_may_be_mended(sender: Sender) -> None:
    refused = await sender.send("login", tls="starttls", login=True, password="wrong")
    assert refused == NotDelivered("the mail server refused the login: 535 5.7.8 Authentication credentials invalid")
    refused = await sender.send("plain", login=True)
    assert refused == NotDelivered("the mail server offers no way to log in that pingmon knows")
    refused = await sender.send("plain", sender="nobody@example.net")
    assert refused == NotDelivered("the mail server refused the sender: 553 5.1.8 not from here")


@pytest.mark.parametrize(("port", "recipient"), [("plain", "slow@example.org"), ("silent", "ops@example.org")])
@pytest_twisted.ensureDeferred
async def test_a_server_that_is_slow_ends_with_the_deadline_and_nothing_is_left(
    sender: Sender, port: str, recipient: str
) -> None:
    assert await sender.send(port, recipient, timeout_s=0.3) == NotDelivered("timed out after 0.3 s")


@pytest_twisted.ensureDeferred
async def test_no_mail_server_and_no_address_are_told(sender: Sender) -> None:
    message = letter({"email": "ops@example.org"})
    assert await attempt(Email(None, str, last_body), message, cast(Any, reactor)) == NO_SERVER
    assert await sender.send("plain", message=letter({})) == NotDelivered(
        "the channel's settings are not those of an email channel", permanent=True
    )
