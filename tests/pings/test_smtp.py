"""Pings by mail: what each command is answered, what a message records, and what strangers get of the daemon."""

from __future__ import annotations

import ast
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.interfaces import IAddress
from twisted.internet.testing import EventLoggingObserver
from twisted.logger import globalLogPublisher
from twisted.mail.smtp import SMTP

from pingmon.core.check.settings import CheckChanges
from pingmon.core.world.events import CheckChanged, CheckDeleted, CheckPaused, Entry, PingReceived
from pingmon.core.world.outcome import Outcome
from pingmon.pings import smtp
from pingmon.pings.intake import PingIntake, PingSettings
from pingmon.pings.mail_intake import CONNECTIONS, HELD_MAX, MailIntake
from pingmon.pings.smtp import (
    CLOSE_S,
    COMMANDS_MAX,
    IDLE_S,
    LINE_MAX,
    MESSAGE_S,
    RECIPIENTS_MAX,
    SIZE_MAX,
    SmtpServer,
)
from pingmon.testing import PING_KEY, Rig
from tests.door.stage import CALLER, CHECK, UNKNOWN, Wire, errors

DOMAIN = "ping.example.org"
BY_ID = f"{CHECK}@{DOMAIN}"
BY_SLUG = f"{PING_KEY}+backup@{DOMAIN}"


TEXT = b"Subject: done\r\n\r\nfine\r\n"


class Client:
    """A connection to the server; `said` takes what came back since it was asked last."""

    def __init__(self, stage: MailStage, peer: IAddress | None = None) -> None:
        peer = peer or IPv4Address("TCP", CALLER, 40_000)
        self.wire = Wire(stage.clock, peer)
        self.clock = stage.clock
        protocol: Any = stage.server.buildProtocol(peer)
        self.wire.protocol = protocol
        self.waiting: list[bytes] = []
        protocol.makeConnection(self.wire)

    def send(self, data: bytes | str) -> list[str]:
        """Send, as far as the server reads; the lines that came back."""
        self.waiting.append(data.encode() if isinstance(data, str) else data)
        return self.said()

    def said(self) -> list[str]:
        """The lines that came back since they were asked for last."""
        while self.waiting and self.wire.producerState == "producing" and not self.wire.disconnecting:
            self.wire.protocol.dataReceived(self.waiting.pop(0))
        text: str = self.wire.value().decode()
        self.wire.clear()
        return text.split("\r\n")[:-1]

    def codes(self, data: bytes | str) -> list[int]:
        """As `send`, the codes only."""
        return [int(line[:3]) for line in self.send(data)]

    def mail(self, *recipients: str, text: bytes = TEXT, sender: str = "a@b.example") -> int:
        """A whole message; the code that its end is answered, or the first that refuses a command."""
        self.said()
        commands = [f"MAIL FROM:<{sender}>", *(f"RCPT TO:<{each}>" for each in recipients), "DATA"]
        for command in commands:
            (code,) = self.codes(command + "\r\n")
            if code >= 400:
                return code
        codes = self.codes(text + b".\r\n")
        return codes[0] if codes else 0

    @property
    def producer(self) -> Any:
        """What a full socket pauses."""
        return self.wire.producer

    @property
    def closed(self) -> bool:
        """Whether the server has closed it."""
        self.clock.advance(0)
        return self.wire.closed


class MailStage(Rig):
    """A rig with a server, and a check with the slug `backup`. Nobody judges its silence."""

    def __init__(self, pings: PingSettings | None = None, *, at_once: bool = True, domain: str = DOMAIN) -> None:
        super().__init__()
        self.alarms.stop()
        self.check(slug="backup")
        self.entries.clear()
        self.journal.at_once = at_once
        http = PingIntake(self.monitor, pings or PingSettings(), new_id=lambda: UNKNOWN)
        self.answered = http.answered
        self.intake = MailIntake(self.monitor, http.settings, http.rates, http.answered)
        self.server = SmtpServer(self.intake, domain, self.clock)
        self.server.start()
        self.faults = 0

    def __enter__(self) -> Self:
        self.observer = EventLoggingObserver()
        globalLogPublisher.addObserver(self.observer)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is left, and strangers have left no line."""
        globalLogPublisher.removeObserver(self.observer)
        if kind is not None:
            return
        self.server.stop()
        self.advance(CLOSE_S + 1)
        assert self.clock.getDelayedCalls() == []
        assert self.server._places.taken == 0
        assert len(errors(self.observer)) == self.faults
        assert [event for event in self.observer if event["log_namespace"].startswith("twisted")] == []

    def client(self, peer: IAddress | None = None) -> Client:
        """One who has been greeted."""
        client = Client(self, peer)
        assert client.said() == [f"220 {DOMAIN} ESMTP pingmon takes pings, and relays nothing"]
        return client

    @property
    def last(self) -> PingReceived:
        event = self.entries[-1].event
        assert isinstance(event, PingReceived)
        return event

    @property
    def payload(self) -> bytes | None:
        return self.entries[-1].payload


# --- what is taken ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [BY_ID, BY_SLUG, BY_ID.upper(), f"{CHECK}@PING.Example.Org", f"{CHECK}@{DOMAIN}."],
)  # fmt: skip
def test_a_mail_is_a_ping(address: str) -> None:
    """By UUID in either case, or by ping key and slug; the domain in either case."""
    with MailStage() as stage:
        assert stage.client().mail(address) == 250
        assert (stage.entries[-1].stream, stage.last.signal, stage.last.method) == (CHECK, "success", "")
        assert (stage.last.scheme, stage.last.addr, stage.last.ua) == ("email", CALLER, "Email from a@b.example")
        assert (stage.last.exitstatus, stage.last.rid) == (None, None)
        assert stage.payload == b"Subject: done\r\n\r\nfine\r\n"
        assert stage.answered == {"OK": 1, "not found": 0}


@pytest.mark.parametrize(
    "address",
    [
        f"backup@{DOMAIN}",
        f"{CHECK.replace('-', '')}@{DOMAIN}",
        f"{CHECK}-fail@{DOMAIN}",
        f"{CHECK}/fail@{DOMAIN}",
        f"{PING_KEY}+Backup@{DOMAIN}",
        f"{PING_KEY}+@{DOMAIN}",
        f"+backup@{DOMAIN}",
        f"{PING_KEY}+backup+fail@{DOMAIN}",
        f"{PING_KEY}+{'a' * 101}@{DOMAIN}",
        f"postmaster@{DOMAIN}",
        f"{CHECK}@example.org",
        f"{CHECK}@a.{DOMAIN}",
        f"{CHECK}%example.org@elsewhere.example",
        f"@{DOMAIN},@b.example:{CHECK}@elsewhere.example",
    ],
)
def test_there_are_no_other_mailboxes(address: str) -> None:
    """Nothing is relayed, whatever the path."""
    with MailStage() as stage:
        client = stage.client()
        assert client.send("MAIL FROM:<a@b.example>\r\n") == ["250 Sender address accepted"]
        assert client.send(f"RCPT TO:<{address}>\r\n") == ["550 5.1.1 no such mailbox"]
        assert client.codes("DATA\r\n") == [503]
        assert stage.entries == []


@pytest.mark.parametrize("address", [f"{UNKNOWN}@{DOMAIN}", f"nokey+backup@{DOMAIN}", f"{PING_KEY}+none@{DOMAIN}"])
def test_nobody_learns_which_checks_there_are(address: str) -> None:
    """Mail for one that is not there is taken like any other, and makes none."""
    with MailStage() as stage:
        client = stage.client()
        assert client.mail(address) == 250
        stage.check(2, slug="backup")
        stage.entries.clear()
        assert client.mail(BY_SLUG) == 250  # which is ambiguous now
        assert stage.entries == []
        assert stage.answered == {"not found": 2}


def test_each_recipient_is_a_ping() -> None:
    """Those that name no check are nobody's loss."""
    with MailStage() as stage:
        other = stage.check(2)
        assert stage.client().mail(BY_ID, f"{other}@{DOMAIN}", f"{UNKNOWN}@{DOMAIN}") == 250
        assert [entry.stream for entry in stage.entries[-2:]] == [CHECK, other]
        assert stage.answered == {"OK": 2, "not found": 1}


def test_several_messages_over_one_connection() -> None:
    """Each has recipients of its own, and one that was reset has none."""
    with MailStage() as stage:
        client = stage.client()
        assert client.codes("HELO x\r\n") == [250]
        assert client.mail(BY_ID) == 250
        assert client.codes(f"MAIL FROM:<a@b.example>\r\nRCPT TO:<{BY_ID}>\r\nRSET\r\nDATA\r\n") == [250, 250, 250, 503]
        assert client.mail(BY_SLUG, sender="") == 250
        assert stage.last.ua == "Email from <>"
        assert client.send("QUIT\r\n") == ["221 2.0.0 bye"]
        assert client.closed
        assert len(stage.entries) == 2


def test_who_sent_it_is_cut() -> None:
    """To as much as is kept of a user agent."""
    with MailStage() as stage:
        assert stage.client().mail(BY_ID, sender="a" * 300 + "@b.example") == 250
        assert stage.last.ua == "Email from " + "a" * 189


def test_a_caller_over_a_unix_socket_has_no_address() -> None:
    """And is served all the same."""
    with MailStage() as stage:
        client = stage.client(UNIXAddress(b"/run/pingmon/mail.sock"))
        assert client.codes("EHLO localhost\r\n") == [250] * 4
        assert client.mail(BY_ID) == 250
        assert stage.last.addr == ""


# --- what it means ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "signal"),
    [
        ({}, "success"),
        ({"methods": "POST"}, "success"),
        ({"filter_http_body": True, "failure_kw": "ERROR"}, "success"),
        ({"filter_subject": True, "success_kw": "fertig, größer"}, "success"),
        ({"filter_subject": True, "failure_kw": "ERROR"}, "ign"),
        ({"filter_subject": True, "failure_kw": "ERROR", "filter_default_fail": True}, "fail"),
        ({"filter_body": True, "failure_kw": "ERROR", "success_kw": "5 files"}, "fail"),
        ({"filter_body": True, "success_kw": "größer"}, "ign"),
        ({"filter_body": True, "filter_subject": True, "start_kw": "größer"}, "start"),
    ],
)
def test_keywords_are_looked_for_in_subject_and_text(spec: dict[str, Any], signal: str) -> None:
    """As they are read, not as they are encoded; the filter of HTTP bodies has no say, nor have methods."""
    text = (
        b"Subject: =?utf-8?q?gr=C3=B6=C3=9Fer?=\r\nContent-Type: text/html\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\nPHA+NSA8Yj5maWxlczwvYj48L3A+RVJST1I=\r\n"
    )
    with MailStage() as stage:
        stage.submit(CHECK, CheckChanged(CheckChanges(**spec)))
        assert stage.client().mail(BY_ID, text=text) == 250
        assert stage.last.signal == signal


def test_a_paused_check_with_manual_resume_ignores_mail() -> None:
    """As it ignores pings of all kinds."""
    with MailStage() as stage:
        stage.submit(CHECK, CheckChanged(CheckChanges(manual_resume=True)))
        stage.submit(CHECK, CheckPaused())
        assert stage.client().mail(BY_ID) == 250
        assert stage.last.signal == "ign"


def test_a_message_is_cut_to_the_limit_of_bodies() -> None:
    """From its beginning on; if it is not text it is left out, as over HTTP."""
    with MailStage(PingSettings(body_limit=20)) as stage:
        client = stage.client()
        assert client.mail(BY_ID, text=b"Subject: a\r\n\r\n..b\r\n" + b"x" * 100 + b"\r\n") == 250
        assert stage.payload == b"Subject: a\r\n\r\n.b\r\nxx"
        assert client.mail(BY_ID, text=b"Subject: a\r\n\r\n\xff\r\n") == 250
        assert stage.payload is None
        assert stage.last.left_out == 17
        assert client.mail(BY_ID, text=b"") == 250
        assert stage.payload is None
        assert stage.last.left_out == 0


def test_a_long_message_is_a_ping_and_its_beginning_is_searched() -> None:
    """Attachments of many megabytes cost the daemon nothing but their way."""
    line = b"x" * 98 + b"\r\n"
    with MailStage() as stage:
        stage.submit(CHECK, CheckChanged(CheckChanges(filter_body=True, success_kw="early", failure_kw="late")))
        text = b"\r\nearly\r\n" + line * (HELD_MAX // 100 + 1) + b"late\r\n"
        assert stage.client().mail(BY_ID, text=text) == 250
        assert (stage.last.signal, len(stage.payload or b"")) == ("success", 10_000)


# --- a ping that was answered 250 is on disk ----------------------------------------------------------------------


def test_the_answer_waits_for_the_disk_and_later_commands_for_the_answer() -> None:
    """Little is read meanwhile, so that answers come in order."""
    with MailStage(at_once=False) as stage:
        client = stage.client()
        assert client.mail(BY_ID, text=b"x\r\n.\r\nNOOP\r\nQUIT\r\n") == 0
        assert client.send("x" * LINE_MAX) == []
        assert client.wire.producerState == "paused"
        stage.journal.flush()
        assert [line[:3] for line in client.said()] == ["250", "250", "221"]
        assert len(stage.entries) == 1


def test_disk_trouble() -> None:
    """A mail of which the log cannot take all is answered 451 and comes again; later it is taken."""
    with MailStage() as stage:
        other = stage.check(2)
        stage.entries.clear()
        client = stage.client()
        stage.journal.fail_next()
        assert client.mail(BY_ID, f"{other}@{DOMAIN}") == 451
        assert stage.answered == {"OK": 1, "not found": 0, "try again": 1}
        stage.faults += len(errors(stage.observer))
        assert client.mail(BY_ID, f"{other}@{DOMAIN}") == 250
        assert [entry.stream for entry in stage.entries] == [other, CHECK, other]


def test_a_check_that_is_deleted_meanwhile() -> None:
    """Is as one that was never there."""
    with MailStage(at_once=False) as stage:
        client = stage.client()
        stage.monitor.submit(CHECK, CheckDeleted())
        assert client.mail(BY_ID) == 0
        stage.journal.flush()
        assert client.said() == ["250 2.0.0 OK"]
        assert stage.answered == {"not found": 1}


def test_a_client_that_does_not_wait_changes_nothing() -> None:
    """The ping counts once its message has come; one that does not come whole is none."""
    with MailStage(at_once=False) as stage:
        client = stage.client()
        assert client.mail(BY_ID) == 0
        client.wire.lost()
        stage.journal.flush()
        assert len(stage.entries) == 1
        client = stage.client()
        assert client.mail(BY_ID, text=b"half\r\n..") == 0
        client.wire.lost()
        stage.journal.flush()
        assert len(stage.entries) == 1


def test_our_own_fault() -> None:
    """An error of ours is answered 451, logged once, and the connection goes on."""
    with MailStage() as stage:

        def fault(entry: Entry) -> Outcome:
            raise ZeroDivisionError

        stage.journal.start(fault)
        client = stage.client()
        assert client.mail(BY_ID) == 451
        stage.faults = len(errors(stage.observer))
        assert stage.faults >= 1
        stage.journal.start(stage.monitor._deliver)
        assert client.mail(BY_ID) == 250


def test_rate() -> None:
    """The limit is that of pings over HTTP, and they share it; others go on."""
    with MailStage(PingSettings(per_minute=2)) as stage:
        client = stage.client()
        assert [client.mail(BY_ID) for _ in range(3)] == [250, 250, 450]
        assert client.codes("RSET\r\n") == [250]
        assert client.mail(f"{stage.check(2)}@{DOMAIN}") == 250
        assert stage.answered["rate limited"] == 1
        assert stage.intake._rates.wait_s(CHECK) > 0
        stage.advance(30)
        assert client.mail(BY_SLUG) == 250


# --- what commands are answered -----------------------------------------------------------------------------------


def test_what_is_understood_is_announced() -> None:
    """The size, and that commands may come in one go."""
    with MailStage() as stage:
        said = stage.client().send("EHLO job.example\r\n")
        assert said == [f"250-{DOMAIN}", f"250-SIZE {SIZE_MAX}", "250-PIPELINING", "250 8BITMIME"]


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("VRFY root", 502),
        ("EXPN all", 502),
        ("AUTH", 502),
        ("AUTH PLAIN AGEAYg==", 502),
        ("STARTTLS", 502),
        ("HELP", 502),
        ("ETRN x", 502),
        ("UNKNOWN", 502),
        ("", 500),
        ("   ", 500),
        ("\x00", 500),
        ("NOOP\x00", 500),
        ("NOOP\nNOOP", 500),
        ("NOOP\rNOOP", 500),
        ("n\u00f6\u00f6p", 500),
        ("noop  x", 250),
        ("x" * (LINE_MAX + 1), 500),
        ("DATA", 503),
        (f"RCPT TO:<{BY_ID}>", 503),
        ("MAIL", 501),
        ("MAIL FROM:", 501),
        ("MAIL FROM:<a b>", 501),
        ("MAIL FROM:<a@b", 501),
        ("MAIL FROM:<@>", 553),
        ("MAIL FROM:<>", 250),
        ("MAIL FROM: a@b.example BODY=8BITMIME", 250),
        (f"MAIL FROM:<a@b.example> SIZE={SIZE_MAX}", 250),
        (f"MAIL FROM:<a@b.example> SIZE={SIZE_MAX + 1}", 552),
        (f"MAIL FROM:<a@b.example> body=7bit size={'9' * 20}", 552),
    ],
)
def test_one_command_one_answer(command: str, code: int) -> None:
    """Whatever it is, the next one is heard."""
    with MailStage() as stage:
        client = stage.client()
        assert client.codes(command + "\r\n") == [code]
        assert client.codes("NOOP\r\n") == [250]


def test_recipients_are_bounded() -> None:
    """A hundred; who has more sends them in another message."""
    with MailStage() as stage:
        client = stage.client()
        client.send("MAIL FROM:<>\r\n")
        codes = client.codes(f"RCPT TO:<{BY_ID}>\r\n" * (RECIPIENTS_MAX + 1))
        assert codes == [250] * RECIPIENTS_MAX + [452]
        assert client.codes("DATA\r\nx\r\n.\r\n") == [354, 250]
        assert len(stage.entries) == RECIPIENTS_MAX


def test_commands_are_bounded() -> None:
    """Who sends nothing but commands is shown out."""
    with MailStage() as stage:
        client = stage.client()
        codes = client.codes("NOOP\r\n" * COMMANDS_MAX)
        assert codes == [250] * (COMMANDS_MAX - 1) + [421]
        assert client.closed
        client = stage.client()
        codes = client.codes((b"x" * (LINE_MAX + 1) + b"\r\n") * COMMANDS_MAX)
        assert codes == [500] * (COMMANDS_MAX - 1) + [421]


# --- where a message ends -----------------------------------------------------------------------------------------


SMUGGLED = b"MAIL FROM:<smuggled@b.example>\r\nRCPT TO:<" + BY_ID.encode() + b">\r\nDATA\r\nx\r\n.\r\n"


@pytest.mark.parametrize(
    "end",
    ["\n.\n", "\r.\r", "\n.\r\n", "\r\n.\n", "\r\n.\r", "\r.\r\n", "\r\n\0.\r\n", "\r\n.\0\r\n", "\r\n..\r\n"],
)  # fmt: skip
def test_nothing_but_a_dot_between_two_line_ends_ends_a_message(end: str) -> None:
    """What another server might take for its end is part of it, and no second message is smuggled in."""
    with MailStage() as stage:
        client = stage.client()
        client.send(f"MAIL FROM:<a@b.example>\r\nRCPT TO:<{BY_ID}>\r\nDATA\r\n")
        codes = client.codes(b"one" + end.encode() + SMUGGLED)
        assert (codes, len(stage.entries)) == ([250], 1)
        assert b"smuggled" in (stage.payload or b"")


def test_a_line_that_is_too_long_refuses_its_message_and_hides_no_command() -> None:
    """Wherever it is cut by the network."""
    long = b"x" * LINE_MAX + b"x\n.\nNOOP\n.\r"
    for sizes in (len(long) + 20, 1000, 7, 1):
        with MailStage() as stage:
            client = stage.client()
            client.send(f"MAIL FROM:<a@b.example>\r\nRCPT TO:<{BY_ID}>\r\nDATA\r\n")
            data = long + b"\r\n.\r\nNOOP\r\n"
            said = [line for at in range(0, len(data), sizes) for line in client.send(data[at : at + sizes])]
            assert said == ["500 5.6.0 a line is too long", "250 2.0.0 OK"]
            assert stage.entries == []
            assert client.mail(BY_ID) == 250


def test_a_message_that_is_too_big_is_refused_at_its_end() -> None:
    """Nothing of it is kept meanwhile but its beginning."""
    chunk = (b"x" * 4000 + b"\r\n") * 100
    with MailStage() as stage:
        client = stage.client()
        client.send(f"MAIL FROM:<a@b.example>\r\nRCPT TO:<{BY_ID}>\r\nDATA\r\n")
        for _ in range(SIZE_MAX // len(chunk) + 1):
            assert client.send(chunk) == []
            assert len(client.wire.protocol._held) <= HELD_MAX
        assert client.codes(".\r\n") == [552]
        assert stage.entries == []


@settings(max_examples=60, deadline=None)
@given(
    pieces=st.lists(
        st.sampled_from([
            *(b"\r\n", b"\n", b"\r", b".", b"..", b"\r\n.\r\n", b"x" * (LINE_MAX - 1), b"EHLO x\r\n", b"RSET\r\n"),
            *(b"MAIL FROM:<", b"a@b.example", b">\r\n", b"RCPT TO:<", BY_ID.encode(), b"DATA\r\n", b"QUIT\r\n", b"@"),
            *(b"MAIL FROM:<>\r\nRCPT TO:<" + BY_ID.encode() + b">\r\nDATA\r\n", b"\0", b"\xff", b"\\", b'"'),
        ])
        | st.binary(max_size=9),
        max_size=30,
    ),
    cuts=st.lists(st.integers(1, 40), max_size=20),
)  # fmt: skip
def test_no_bytes_are_an_error_and_cuts_make_no_difference(pieces: list[bytes], cuts: list[int]) -> None:
    """The same bytes get the same answers and record the same pings, however the network has cut them."""
    sent = b"".join(pieces)
    results = []
    for sizes in ([len(sent) or 1], cuts):
        with MailStage() as stage:
            client, rest, said = stage.client(), sent, []
            for size in [*sizes, len(sent)]:
                said += client.send(rest[:size])
                rest = rest[size:]
            results.append((said, [(entry.event, entry.payload) for entry in stage.entries]))
    assert results[0] == results[1]


# --- what one gets of the daemon ----------------------------------------------------------------------------------


def test_who_says_nothing_is_shown_out() -> None:
    """And who sends no whole line, however steadily."""
    with MailStage() as stage:
        silent, slow = stage.client(), stage.client()
        for _ in range(IDLE_S - 1):
            stage.advance(1)
            assert slow.send("x") == []
        assert not silent.wire.disconnecting
        stage.advance(1)
        assert silent.said() == slow.said() == ["421 4.4.2 timeout"]
        assert silent.closed
        assert slow.closed


def test_a_message_must_come_within_its_time() -> None:
    """A line now and then does not keep a place for ever."""
    with MailStage() as stage:
        client = stage.client()
        client.send(f"MAIL FROM:<>\r\nRCPT TO:<{BY_ID}>\r\nDATA\r\n")
        for _ in range(round(MESSAGE_S) // 50 - 1):
            stage.advance(50)
            assert client.send("line\r\n") == []
        stage.advance(50)
        assert client.said() == ["421 4.4.2 too slow"]
        assert client.closed
        assert stage.entries == []


def test_who_does_not_read_is_not_read_from() -> None:
    """And is aborted in the end."""
    with MailStage() as stage:
        client = stage.client()
        client.wire.reads = False
        client.producer.pauseProducing()
        assert client.send("NOOP\r\n") == []
        client.producer.resumeProducing()
        assert client.said() == ["250 2.0.0 OK"]
        client.producer.pauseProducing()
        stage.advance(IDLE_S + CLOSE_S)
        assert client.wire.aborted


def test_there_are_so_many_connections() -> None:
    """One caller gets half of them, so that others get in; who is refused may come later."""
    with MailStage() as stage:
        clients = [Client(stage) for _ in range(CONNECTIONS // 2)]
        assert all(client.said()[0].startswith("220") for client in clients)
        refused = Client(stage)
        assert refused.send(f"MAIL FROM:<>\r\nRCPT TO:<{BY_ID}>\r\nDATA\r\n\r\n.\r\n") == [
            "421 4.3.2 too many connections"
        ]
        assert refused.closed
        assert stage.client(IPv4Address("TCP", "192.0.2.99", 40_000)).mail(BY_ID) == 250
        clients[0].wire.lost()
        clients[1].wire.lost()
        assert stage.client().mail(BY_ID) == 250


def test_a_stop_answers_what_is_on_its_way() -> None:
    """And shows all others out."""
    with MailStage(at_once=False) as stage:
        idle, busy = stage.client(), stage.client()
        assert busy.mail(BY_ID) == 0
        stopped: list[object] = []
        stage.server.stop().addCallback(stopped.append)
        assert idle.said() == ["421 4.3.2 pingmon stops"]
        assert idle.closed
        assert stopped == []
        stage.journal.flush()
        assert busy.said() == ["250 2.0.0 OK", "421 4.3.2 pingmon stops"]
        assert busy.closed
        assert stopped == [None]
        assert Client(stage).said() == ["421 4.3.2 too many connections"]


def test_a_stop_does_not_wait_for_ever() -> None:
    """For those who do not even notice that they are shown out."""
    with MailStage() as stage:
        client = stage.client()
        client.wire.reads = False
        stopped: list[object] = []
        stage.server.stop().addCallback(stopped.append)
        stage.advance(CLOSE_S)
        assert client.wire.aborted
        assert stopped == [None]


def test_twisted_still_has_what_is_not_public() -> None:
    """And no more of it is used than this."""
    tree = ast.parse(Path(smtp.__file__).read_text("utf-8"))
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr.startswith("_")}
    assert {name for name in used if hasattr(SMTP(), name) and not name.startswith("__")} == {
        "_buffer",
        "_from",
        "_helo",
        "_to",
    }
