"""One mail handed to the operator's mail server: SMTP by `twisted.mail`, over a passage.

The server is named by the operator's configuration, so it may be at any address, a private one too. With `starttls` and
`tls` nothing is said of a mail or the login before a certificate for the server's name was seen; with `none` everything
can be read on the way. Whoever asks sets the deadline, by cancelling, which aborts the connection.

What a server says counts by where it says it. That it refuses a recipient or a mail for good (5xx at RCPT, and after
DATA) is the end of that mail. All else may pass or be mended, by the operator too: 4xx, a login or a sender that is
refused, a server that is not there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal, TypeAlias, cast

from msgspec import Struct
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IAddress, IOpenSSLClientConnectionCreator
from twisted.internet.protocol import Factory, connectionDone
from twisted.logger import Logger
from twisted.mail.smtp import (
    SUCCESS,
    AUTHDeclinedError,
    AUTHRequiredError,
    CramMD5ClientAuthenticator,
    EHLORequiredError,
    ESMTPClient,
    LOGINAuthenticator,
    PLAINAuthenticator,
    SMTPClientError,
    SMTPProtocolError,
    TLSError,
    TLSRequiredError,
)
from twisted.python.failure import Failure

from pingmon.outgoing.exchange import FAILURES, explained
from pingmon.outgoing.passage import Egress
from pingmon.wire.message.mail import Mail
from pingmon.wire.message.message import printable

Security: TypeAlias = Literal["starttls", "tls", "none"]

PORTS: Final[dict[Security, int]] = {"starttls": 587, "tls": 465, "none": 25}
"""Where a mail server listens as a rule."""
SAID_MAX: Final = 120
"""Characters of a server's answer that users are shown."""

log = Logger()


class MailServer(Struct, frozen=True):
    """The operator's. Without a `user` there is no login. `name` is what it is told that this machine is called."""

    host: str
    port: int
    tls: Security
    user: str
    password: str
    name: str

    def __repr__(self) -> str:
        return f"MailServer({self.host}:{self.port})"


class NotTaken(Exception):
    """The server has not taken a mail. The message says why in a few words for users. `permanent`: it never will."""

    def __init__(self, why: str, *, permanent: bool = False) -> None:
        super().__init__(why)
        self.permanent = permanent


async def submitted(egress: Egress, server: MailServer, mail: Mail) -> int:
    """The code with which `server` took `mail`. Raises `NotTaken`. Cancelling aborts the connection.

    If the answer is lost on the way, the server has the mail, and whoever tries again makes a second one of the same
    Message-ID.
    """
    passage = egress.passage()
    done: Deferred[int] = Deferred()
    ended = False
    try:
        trusted = egress.trust.creator(server.host)
        endpoint = passage.endpoint(server.host, server.port, tls=server.tls == "tls")
        await endpoint.connect(_Submitting(server, mail, trusted if server.tls == "starttls" else None, done))
        code = await done
        ended = True
    except FAILURES as error:
        flood = f"more than {egress.received_max} bytes came back"
        raise NotTaken(f"mail server: {flood if passage.flooded else explained(error)}") from error
    finally:
        passage.close(ended=ended)
        done.addErrback(lambda failure: None)  # of a connection whose end nobody waits for any more
    log.debug("{host} took a mail", host=server.host)
    return code


class _Submitting(Factory["_Submission"]):
    """Makes the one connection."""

    noisy = False

    def __init__(
        self, server: MailServer, mail: Mail, starttls: IOpenSSLClientConnectionCreator | None, done: Deferred[int]
    ) -> None:
        self._server = server
        self._mail = mail
        self._starttls = starttls
        self._done = done

    def buildProtocol(self, addr: IAddress | None) -> _Submission:
        """As `IProtocolFactory`."""
        return _Submission(self._server, self._mail, self._starttls, self._done)


class _Submission(ESMTPClient):
    """Says one mail, and quits. It fires `done` with the server's code, or fails it."""

    debug = False
    """It would keep what was said, the login too, and put it into errors."""
    heloFallback = False

    def __init__(
        self, server: MailServer, mail: Mail, starttls: IOpenSSLClientConnectionCreator | None, done: Deferred[int]
    ) -> None:
        super().__init__(server.password.encode(), starttls, server.name)
        self.requireTransportSecurity = server.tls != "none"
        self.requireAuthentication = bool(server.user)
        user = server.user.encode()
        ways = [PLAINAuthenticator(user), LOGINAuthenticator(user), CramMD5ClientAuthenticator(user)]
        for way in (ways if server.tls != "none" else reversed(ways)) if user else ():
            self.registerAuthenticator(way)
        self._mail: Mail | None = mail
        self._data = _AtOnce(mail.data)
        self._recipient = mail.recipient.encode("ascii")
        self._done = done

    def connectionMade(self) -> None:
        """As `IProtocol`. A name without a domain says nothing to a server, so it is told the address."""
        if b"." not in self.identity:
            host = cast(Any, self.transport).getHost().host
            self.identity = (f"[IPv6:{host}]" if ":" in host else f"[{host}]").encode("ascii")
        super().connectionMade()

    def esmtpState_starttls(self, code: int, resp: bytes) -> None:
        """Called by Twisted. Answers that came before TLS began may be anybody's, and would count as the server's."""
        if self.clearLineBuffer():
            self.sendError(SMTPProtocolError(-1, b"", isFatal=True))
        else:
            super().esmtpState_starttls(code, resp)

    # --- what Twisted asks and tells ------------------------------------------------------------------------------

    def getMailFrom(self) -> str | None:
        """The sender; None when the mail has been said."""
        mail, self._mail = self._mail, None
        return None if mail is None else mail.sender

    def getMailTo(self) -> Sequence[bytes]:
        """The recipient."""
        return [self._recipient]

    def getMailData(self) -> _AtOnce:
        """The mail."""
        return self._data

    def sentMail(
        self, code: int, resp: object, numOk: int, addresses: Sequence[tuple[bytes, int, bytes]], log: object
    ) -> None:
        """The server has said what it thinks of the mail, or refused its sender or recipient before."""
        if code in SUCCESS and numOk:
            self._over(code)
        elif numOk:
            self._over(NotTaken(f"the mail server refused the mail: {_said(code, resp)}", permanent=code >= 500))
        elif addresses:
            ((_, code, said),) = addresses
            self._over(NotTaken(f"the mail server refused the recipient: {_said(code, said)}", permanent=code >= 500))
        else:
            self._over(NotTaken(f"the mail server refused the sender: {_said(code, resp)}"))

    def sendError(self, exc: Exception) -> None:
        """It came to no mail. If the connection broke while the mail was being said, `exc` is not the server's."""
        self._over(NotTaken(_refusal(exc)) if isinstance(exc, SMTPClientError) else ConnectionLost())
        super().sendError(exc)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """As `IProtocol`."""
        super().connectionLost(reason)
        self._over(reason.value)

    def _over(self, result: int | BaseException | None) -> None:
        if not self._done.called:
            self._done.callback(result) if isinstance(result, int) else self._done.errback(result)


class _AtOnce:
    """A mail that is read in one go. Piece by piece, Twisted would not see that a piece begins with the full stop that
    ends a mail (measured: 26.10), and a ping's body could go on in SMTP."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self, size: int) -> bytes:
        """All, and then nothing."""
        data, self._data = self._data, b""
        return data


def _refusal(error: SMTPClientError) -> str:
    """Why it came to no mail, in a few words for users."""
    if isinstance(error, TLSRequiredError):
        return "the mail server offers no STARTTLS"
    if isinstance(error, TLSError):
        return f"the mail server refused STARTTLS: {error.code}"
    if isinstance(error, AUTHRequiredError):
        return "the mail server offers no way to log in that pingmon knows"
    if isinstance(error, AUTHDeclinedError):
        return f"the mail server refused the login: {_said(error.code, error.resp)}"
    if isinstance(error, EHLORequiredError):
        return "the mail server does not know EHLO"
    if isinstance(error, SMTPProtocolError):
        return "mail server: the answer is not SMTP"
    return f"the mail server is not ready: {_said(error.code, error.resp)}"


def _said(code: int, text: object) -> str:
    """An answer of the server, cut."""
    words = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
    return printable(" ".join(f"{code} {words}".split()))[:SAID_MAX]
