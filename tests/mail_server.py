"""A real mail server (aiosmtpd) in a process of its own, with a port for each kind of server that there is.

The same ports take any mail; how one ends is said by the recipient, `greylisted@example.org` say (`RULES`). What was
taken lies in the folder as one file of JSON for each mail.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import subprocess
import sys
from collections.abc import Callable
from email import message_from_string
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from msgspec import Struct

USER, PASSWORD = "pingmon", "correct horse"
RULES = {
    "refused": "550 5.1.1 no such user here",
    "greylisted": "450 4.2.0 greylisted, come back later",
    "spam": "554 5.7.1 this looks like spam",
    "busy": "451 4.3.0 try again",
}
"""What some recipients are answered: the first two at RCPT (greylisted ones once), the others after DATA."""


class Taken(Struct):
    """A mail that was taken: its envelope, its data, over TLS or not, who logged in, and what the client is called."""

    sender: str
    recipients: list[str]
    data: str
    tls: bool
    user: str | None
    name: str

    @property
    def message(self) -> EmailMessage:
        """The mail, taken apart."""
        return message_from_string(self.data, policy=default)

    def part(self, kind: str) -> str:
        """Its text, `plain` or `html`."""
        part = self.message.get_body((kind,))
        assert part is not None
        return str(part.get_content()).replace("\r\n", "\n")


class MailServerProcess:
    """The process, its ports by name, and what it took."""

    def __init__(self, folder: Path, good: Path, wrong: Path) -> None:
        self.folder = folder
        self._process = subprocess.Popen(
            [sys.executable, __file__, str(folder), str(good), str(wrong)], stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.ports: dict[str, int] = json.loads(self._process.stdout.readline())

    def taken(self, recipient: str) -> list[Taken]:
        """The mails that were taken for a recipient, oldest first."""
        found = [json.loads(path.read_text()) for path in sorted(self.folder.glob("*.json"))]
        return [Taken(**each) for each in found if recipient in each["recipients"]]

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate(timeout=10)


class _Deliveries:
    """The hooks of aiosmtpd."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.count = 0
        self.seen: set[str] = set()

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address.startswith("nobody@"):
            return "553 5.1.8 not from here"
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        name = address.partition("@")[0]
        if name == "slow":
            await asyncio.sleep(3600)
        if name == "refused" or (name == "greylisted" and address not in self.seen):
            self.seen.add(address)
            return RULES[name]
        if name == "closes" and server.transport is not None:
            server.transport.close()
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        name = envelope.rcpt_tos[0].partition("@")[0]
        if name in RULES and name != "greylisted":
            return RULES[name]
        assert isinstance(envelope.content, bytes)
        assert isinstance(server.transport, asyncio.Transport)
        taken = {
            "sender": envelope.mail_from,
            "recipients": envelope.rcpt_tos,
            "data": envelope.content.decode("ascii"),
            "tls": server.transport.get_extra_info("ssl_object") is not None,
            "user": session.auth_data.login.decode() if session.auth_data else None,
            "name": session.host_name,
        }
        self.count += 1
        path = self.folder / f"{self.count:06}"
        path.write_text(json.dumps(taken))
        path.rename(path.with_suffix(".json"))
        return "250 2.0.0 taken"


def _logged_in(server: SMTP, session: Session, envelope: Envelope, mechanism: str, auth: Any) -> AuthResult:
    right = isinstance(auth, LoginPassword) and auth == LoginPassword(USER.encode(), PASSWORD.encode())
    return AuthResult(success=right, handled=False, auth_data=auth)


def _context(pem: str) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem)
    return context


class _Saying(asyncio.Protocol):
    """A server that says what it was told to, a line for each of the client's, and the first of all."""

    def __init__(self, *says: bytes) -> None:
        self.says = list(says)

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.data_received(b"")

    def data_received(self, data: bytes) -> None:
        if self.says:
            said = self.says.pop(0)
            self.transport.write(said)
            if said == b"":
                self.transport.close()


async def _serve(folder: Path, good: str, wrong: str) -> None:
    hooks = _Deliveries(folder)

    def smtp(**options: Any) -> Callable[[], SMTP]:
        return lambda: SMTP(hooks, hostname="mail.example.org", authenticator=_logged_in, **options)

    trusted, other = _context(good), _context(wrong)
    greeting, hello = b"220 hello\r\n", b"250-mail.example.org\r\n250 STARTTLS\r\n"
    servers: dict[str, tuple[Callable[[], Any], ssl.SSLContext | None]] = {
        "plain": (smtp(), None),
        "starttls": (smtp(tls_context=trusted), None),
        "starttls, wrong name": (smtp(tls_context=other), None),
        "tls": (smtp(), trusted),
        "tls, wrong name": (smtp(), other),
        "login": (smtp(tls_context=trusted, auth_required=True), None),
        "plain login": (smtp(auth_required=True, auth_require_tls=False), None),
        "only LOGIN": (smtp(auth_required=True, auth_require_tls=False, auth_exclude_mechanism=["PLAIN"]), None),
        "silent": (lambda: _Saying(), None),
        "not ready": (lambda: _Saying(b"554 5.3.2 go away\r\n"), None),
        "overloaded": (lambda: _Saying(b"421 4.3.2 too many of you\r\n"), None),
        "no SMTP": (lambda: _Saying(b"SSH-2.0-OpenSSH_9.2\r\n"), None),
        "hangs up": (lambda: _Saying(b""), None),
        "broken TLS": (lambda: _Saying(greeting, hello, b"220 go ahead\r\n", b"this is no TLS\r\n" * 9), None),
        "refuses TLS": (lambda: _Saying(greeting, hello, b"454 TLS not available\r\n"), None),
        "speaks before TLS": (lambda: _Saying(greeting, hello, b"220 go ahead\r\n250 AUTH PLAIN\r\n"), None),
        "knows no EHLO": (lambda: _Saying(greeting, b"502 what?\r\n"), None),
        "flood": (lambda: _Saying(greeting, b"250-and more\r\n" * 20_000), None),
    }
    loop, listening = asyncio.get_running_loop(), {}
    ports = {}
    for name, (made, context) in servers.items():
        listening[name] = await loop.create_server(made, "127.0.0.1", 0, ssl=context)
        ports[name] = listening[name].sockets[0].getsockname()[1]
    print(json.dumps(ports), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), sys.argv[2], sys.argv[3]))
