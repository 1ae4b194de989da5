"""From a failed job to a mail, with a real daemon and a real mail server; and what the links in mails do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner

from pingmon.cli.commands import pingmon
from tests.authority import Certified
from tests.mail_server import PASSWORD, USER, MailServerProcess, Taken
from tests.process.daemons import Running, Starter, until

pytestmark = pytest.mark.process


@pytest.fixture
def mails(tmp_path: Path) -> Iterator[MailServerProcess]:
    folder = tmp_path / "mails"
    folder.mkdir()
    server = Certified("server", "localhost")
    pem = tmp_path / "server.pem"
    pem.write_bytes(server.pem + server.key_pem)
    process = MailServerProcess(folder, pem, pem)
    yield process
    process.close()


def config(mails: MailServerProcess, tmp_path: Path, port: str = "plain login") -> str:
    secret = tmp_path / "smtp.password"
    secret.write_text(PASSWORD + "\n")
    return (
        f'[smtp]\nhost = "127.0.0.1"\nport = {mails.ports[port]}\ntls = "none"\nuser = "{USER}"\n'
        f'password_file = "{secret}"\nfrom = "pingmon <alerts@example.net>"\n'
    )


def channel(daemon: Running, address: str) -> str:
    made = daemon.api("POST", "channels/", {"kind": "email", "name": "ops", "value": {"email": address}})
    assert made.status == 201, made.body
    return str(made.json["id"])


def wait(mails: MailServerProcess, address: str, count: int) -> Taken:
    """The mail to this address of that number."""
    until(lambda: len(mails.taken(address)) >= count, f"{count} mails to {address}")
    return mails.taken(address)[count - 1]


def link(mail: Taken, what: str) -> str:
    (found,) = set(re.findall(rf"http\S+/links/{what}/\S+", mail.part("plain")))
    return str(urlsplit(found).path)


def test_a_failed_job_is_told_by_mail_once_its_receiver_wants_that(
    start: Starter, mails: MailServerProcess, tmp_path: Path
) -> None:
    """Asked, confirmed by the link, told of the failure and the recovery, and unsubscribed by one click."""
    daemon = start(config=config(mails, tmp_path))
    address = "ops@example.org"
    id = channel(daemon, address)
    daemon.ping("job", "?create=1")
    daemon.ping("job/fail")
    daemon.ping("job")
    question = wait(mails, address, 1)
    assert question.message["Subject"] == "Confirm that you want alerts"
    assert question.user == USER
    confirm = link(question, "confirm")
    assert daemon.ask("GET", confirm).status == 200
    assert daemon.api("GET", f"channels/{id}").json["confirmed"] is False
    assert daemon.ask("POST", confirm).status == 200
    assert daemon.api("GET", f"channels/{id}").json["confirmed"] is True

    daemon.ping("job/start")
    daemon.ping("job/3", method="POST", body=b"dumping\ndisk on fire")
    down = wait(mails, address, 2)
    assert down.message["Subject"] == "DOWN | job"
    text = down.part("plain")
    assert "the job reported a failure (exit status 3)" in text
    assert "The run took  0 s" in text
    assert "> disk on fire" in text
    daemon.ping("job")
    up = wait(mails, address, 3)
    assert up.message["Subject"] == "UP | job"
    assert up.message["In-Reply-To"] == down.message["Message-ID"]

    leave = urlsplit(str(up.message["List-Unsubscribe"]).strip("<> ")).path
    assert leave == link(up, "unsubscribe")
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert daemon.ask("POST", leave, "List-Unsubscribe=One-Click", form).status == 200
    daemon.ping("job/fail")
    assert daemon.api("GET", f"channels/{id}").json["warnings"][0].startswith("the receiver wants no messages")
    daemon.stop()
    assert len(mails.taken(address)) == 3


def test_a_question_that_was_refused_is_asked_after_a_kill_when_it_is_due(
    start: Starter, mails: MailServerProcess, tmp_path: Path
) -> None:
    """Neither forgotten nor asked at each start."""
    text = config(mails, tmp_path)
    daemon = start(config=text)
    address = "greylisted@example.org"
    id = channel(daemon, address)
    until(lambda: daemon.api("GET", f"channels/{id}").json["failing"], "the question to be refused")
    daemon.kill()
    daemon = start(config=text)
    wait(mails, address, 1)
    shown = until(lambda: (it := daemon.api("GET", f"channels/{id}").json)["failing"] is None and it, "its result")
    assert (shown["confirmed"], shown["last_error"]) == (False, "")
    daemon.kill()
    start(config=text).stop()
    assert len(mails.taken(address)) == 1


def test_the_command_asks_again(start: Starter, mails: MailServerProcess, tmp_path: Path) -> None:
    """And says why a receiver could not be asked."""
    daemon = start(config=config(mails, tmp_path))
    id = channel(daemon, "refused@example.org")
    env = {"PINGMON_URL": daemon.url, "PINGMON_KEY": daemon.keys["api_key"]}
    asked = CliRunner().invoke(pingmon, ["channel", "confirm", "ops"], env=env)
    assert (asked.exit_code, asked.stdout) == (1, "")
    assert "ops was not asked: the mail server refused the recipient: 550 5.1.1 no such user here" in asked.stderr
    assert daemon.api("POST", f"channels/{id}", {"value": {"email": "ops@example.org"}}).status == 200
    asked = CliRunner().invoke(pingmon, ["channel", "confirm", "ops"], env=env)
    assert asked.stdout == "ops was asked; nothing else is sent before the link in that mail is followed\n"
    wait(mails, "ops@example.org", 1)


def test_a_password_file_that_is_not_there_ends_the_start(
    start: Starter, mails: MailServerProcess, tmp_path: Path
) -> None:
    text = config(mails, tmp_path)
    (tmp_path / "smtp.password").unlink()
    daemon = start(config=text, wait=False)
    assert daemon.process.wait(30) == 1
    assert "smtp.password_file: " in daemon.log.read_text()
