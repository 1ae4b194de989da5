"""Pings by mail as real mail programs send them, to a real daemon."""

from __future__ import annotations

import shutil
import smtplib
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Any

import pytest

from tests.process.daemons import Starter, free_port, until
from tests.process.test_disk_full import BODY, small_disk
from tests.process.test_https import certificate

__all__ = ["small_disk"]
pytestmark = pytest.mark.process

DOMAIN = "ping.example.org"


class MailStarter:
    """A daemon that takes mail at `port`, with a check `job`."""

    def __init__(self, start: Starter, data: Path | None = None) -> None:
        self.port, other = free_port(), free_port()
        endpoints = [f"tcp:{port}:interface=127.0.0.1" for port in (self.port, other)]
        self.daemon = start(data, config=f'[mail]\nlisten = {endpoints}\ndomain = "{DOMAIN}"\n')
        self.other = other
        self.start = start
        assert self.daemon.ping("job", "?create=1").status == 201
        (self.check,) = self.daemon.api("GET", "checks/").json["checks"]

    @property
    def address(self) -> str:
        return f"{self.check['uuid']}@{DOMAIN}"

    @property
    def by_slug(self) -> str:
        return f"{self.daemon.keys['ping_key']}+job@{DOMAIN}"

    def pings(self) -> list[dict[str, Any]]:
        """Those that came by mail, the last one first."""
        found = self.daemon.api("GET", f"checks/{self.check['uuid']}/pings/").json["pings"]
        return [ping for ping in found if ping["scheme"] == "email"]

    def client(self) -> smtplib.SMTP:
        return smtplib.SMTP("127.0.0.1", self.port, timeout=30)

    @contextmanager
    def raw(self) -> Iterator[socket.socket]:
        """A connection that was greeted, and is closed at the end."""
        with socket.create_connection(("127.0.0.1", self.port), 30) as connection:
            assert connection.recv(1000).startswith(b"220 ")
            yield connection


@pytest.fixture
def mail(start: Starter) -> MailStarter:
    """See `MailStarter`."""
    return MailStarter(start)


def message(subject: str, text: str) -> EmailMessage:
    made = EmailMessage(policy=SMTP)
    made["Subject"], made["From"], made["To"] = subject, "cron@job.example", "pings"
    made.set_content(text)
    return made


def test_a_mail_is_a_ping_with_a_body(mail: MailStarter) -> None:
    """By UUID and by slug, over each endpoint; what was answered 250 is there after a kill."""
    with mail.client() as client:
        assert client.send_message(message("Backup", "fertig, größer"), "cron@job.example", [mail.address]) == {}
        assert client.has_extn("size")
        assert client.verify("root")[0] == 502
    with smtplib.SMTP("127.0.0.1", mail.other, timeout=30) as client:
        client.sendmail("", [mail.by_slug, f"nobody@{DOMAIN}"], b"Subject: second\n\nx")
    mail.daemon.kill()
    mail.daemon = mail.start(mail.daemon.data)
    second, first = mail.pings()
    assert (first["type"], first["remote_addr"], first["method"]) == ("success", "127.0.0.1", "")
    assert (first["ua"], second["ua"]) == ("Email from cron@job.example", "Email from <>")
    body = mail.daemon.api("GET", f"checks/{mail.check['uuid']}/pings/{second['n']}/body").body
    assert body == b"Subject: second\n\nx\r\n"
    assert "Traceback" not in mail.daemon.log.read_text()


def test_keywords_in_a_mail_bring_the_check_down(mail: MailStarter) -> None:
    """However the mail program has encoded it."""
    change = {"filter_subject": True, "filter_body": True, "failure_kw": "größter Fehler"}
    assert mail.daemon.api("POST", f"checks/{mail.check['uuid']}", change).status == 200
    html = message("Backup", "plain")
    html.add_alternative("<p>der <b>größte</b><!-- x -->r\nFehler", subtype="html")
    with mail.client() as client:
        client.send_message(message("nichts", "zu sehen"), to_addrs=mail.address)
        client.send_message(message("größter Fehler", ""), to_addrs=mail.address)
        client.send_message(html, to_addrs=mail.address)
    assert [ping["type"] for ping in mail.pings()] == ["fail", "fail", "ign"]
    assert mail.daemon.api("GET", f"checks/{mail.check['uuid']}").json["status"] == "down"


def test_swaks_is_served(mail: MailStarter) -> None:
    """With pipelining and an attachment."""
    swaks = shutil.which("swaks")
    if swaks is None:
        pytest.skip("swaks is not installed")
    command = [swaks, "--server", f"127.0.0.1:{mail.port}", "--to", mail.address, "--from", "root@job.example"]
    command += ["--pipeline", "--attach", "@/etc/passwd", "--body", "done"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert [ping["ua"] for ping in mail.pings()] == ["Email from root@job.example"]
    elsewhere = [*command[:3], "--to", "victim@elsewhere.example", *command[5:]]
    ran = subprocess.run(elsewhere, capture_output=True, text=True, timeout=60, check=False)
    assert "550 5.1.1 no such mailbox" in ran.stdout


def test_hostile_clients_cost_nobody_a_ping_and_the_log_no_line(mail: MailStarter) -> None:
    """Half commands, endless lines, bytes that are no text, those who never read, and as many as there are places."""
    before = mail.daemon.log.read_text()
    with mail.raw() as half, mail.raw() as deaf_ears, mail.raw() as endless:
        half.sendall(b"MAIL FROM:<a@b.exa")
        deaf_ears.sendall(b"EHLO x\r\n" * 200)
        endless.sendall(b"\0\xff" * 1_000_000)
        with mail.raw() as broken:
            broken.sendall(b"MAIL FROM:<>\r\nRCPT TO:<" + mail.address.encode() + b">\r\nDATA\r\nhalf")
        crowd = [socket.create_connection(("127.0.0.1", mail.port), 30) for _ in range(120)]
        refused = [each for each in crowd if each.recv(1000).startswith(b"421")]
        assert len(refused) >= 70
        for each in crowd:
            each.close()
        with mail.client() as client:
            client.sendmail("a@b.example", [mail.address], b"Subject: ok\n\nx")
    assert [ping["ua"] for ping in mail.pings()] == ["Email from a@b.example"]
    mail.daemon.stop()
    added = mail.daemon.log.read_text().removeprefix(before)
    assert "smtp" not in added.lower()
    assert "Traceback" not in added
    assert len(added.splitlines()) < 12, added


def test_while_the_disk_is_full_mail_comes_again_later(start: Starter, small_disk: Path) -> None:
    """451, which every mail server takes for that."""
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(500_000))
    mail = MailStarter(start, small_disk / "data")
    while mail.daemon.ping("job", method="POST", body=BODY).status == 200:
        pass
    with mail.client() as client:
        with pytest.raises(smtplib.SMTPDataError) as caught:
            client.sendmail("a@b.example", [mail.address], b"Subject: full\n\n" + BODY)
        assert caught.value.smtp_code == 451
        ballast.unlink()

        def sent() -> bool:
            try:
                client.sendmail("a@b.example", [mail.address], b"Subject: room\n\nx")
            except smtplib.SMTPDataError:
                return False
            return True

        until(sent, "the daemon to take mail again")
    assert len(mail.pings()) == 1


def test_mail_comes_over_tls_and_unix_sockets_too(start: Starter) -> None:
    """As HTTP does; who hangs up within a handshake leaves no line."""
    certificate(start.tmp_path, "localhost")
    pem, socket_file, port = start.tmp_path / "localhost.pem", start.tmp_path / "mail.sock", free_port()
    tls = f"ssl:{port}:privateKey={pem}:certKey={pem}:interface=127.0.0.1"
    daemon = start(config=f'[mail]\nlisten = ["{tls}", "unix:{socket_file}"]\ndomain = "{DOMAIN}"\n')
    daemon.ping("job", "?create=1")
    address = f"{daemon.keys['ping_key']}+job@{DOMAIN}"
    before = daemon.log.read_text()
    with socket.create_connection(("127.0.0.1", port), 30) as broken:
        broken.sendall(b"EHLO no-tls\r\n")
        broken.recv(1000)
    context = ssl.create_default_context(cafile=pem)
    with smtplib.SMTP_SSL("localhost", port, timeout=30, context=context) as client:
        for _ in range(3):
            client.sendmail("a@b.example", [address], "Subject: over TLS\n\n" + "x\n" * 100_000)
    with socket.socket(socket.AF_UNIX) as local:
        local.settimeout(30)
        local.connect(str(socket_file))
        local.sendall(f"MAIL FROM:<>\r\nRCPT TO:<{address}>\r\nDATA\r\n\r\n.\r\nQUIT\r\n".encode())
        said = b"".join(iter(lambda: local.recv(1000), b""))
    assert [line[:3] for line in said.splitlines()] == [b"220", b"250", b"250", b"354", b"250", b"221"]
    assert daemon.api("GET", "checks/").json["checks"][0]["n_pings"] == 5
    assert daemon.log.read_text().removeprefix(before) == ""
