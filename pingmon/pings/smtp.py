"""SmtpServer: takes pings by mail from whoever connects. It relays nothing, knows no users and reveals no mailbox.

Twisted's `SMTP` reads commands and addresses. What it leaves to others is here: lines and when they wait, the message
and its size, what one caller may take of the daemon, and that the log has the ping before anything is answered 250.

Note [End of a message]
    Only CRLF ends a line, so only CRLF.CRLF ends a message. A lone CR or LF is part of a line, in a message kept as it
    is and in a command refused. A line that is too long is passed over up to its CRLF, and none of it is obeyed.

While a message is on its way into the log, and while a client does not read, none of its commands is obeyed, and soon
nothing more is read; so answers come in the order of the commands, and neither queue grows. What strangers do leaves no
line in the log.

Importing this asks for the machine's name, which may ask a name server, and brings the reactor: import it when it is
needed.
"""

from __future__ import annotations

import re
from typing import Any, Final

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IAddress, IPushProducer, IReactorTime
from twisted.internet.protocol import ServerFactory, connectionDone
from twisted.logger import Logger
from twisted.mail.smtp import COMMAND, DATA, SMTP, Address, SMTPServerError, User
from twisted.python.failure import Failure
from zope.interface import implementer

from pingmon.core.domain_names import folded
from pingmon.door.caller_address import group_of, host_of
from pingmon.door.connection_places import ConnectionPlaces
from pingmon.pings.mail_intake import CONNECTIONS, HELD_MAX, MailIntake, ReceivedMail
from pingmon.wire.ping_url import PingUrl, ping_mailbox

RECIPIENTS_MAX: Final = 100
"""Of one message; that many are to be taken (RFC 5321, 4.5.3.1.8)."""
SIZE_MAX: Final = 32 << 20
"""Bytes of a message, as the reference server has it."""
LINE_MAX: Final = 1 << 14
"""Bytes of a line. RFC 5321 has 1000 at most; programs that send longer ones are many."""
COMMANDS_MAX: Final = 3 * RECIPIENTS_MAX
"""Commands that a connection may send before a message of its comes to its end."""
IDLE_S: Final = 60
"""Seconds that a line may take."""
MESSAGE_S: Final = 300.0
"""Seconds that a message may take, from the connection or the message before it on."""
CLOSE_S: Final = 5.0
"""Seconds after which a connection that is being closed is aborted."""

_is_command: Final = re.compile(rb"[\t\x20-\x7e]*").fullmatch
_announced: Final = re.compile(rb"\sSIZE=([0-9]{1,20})(?:\s|$)", re.IGNORECASE).search


@implementer(IPushProducer)
class SmtpSession(SMTP):
    """One connection."""

    log = Logger()
    noisy = False
    timeout = IDLE_S
    transport: Any

    def __init__(self, server: SmtpServer, peer: IAddress | None) -> None:
        super().__init__()
        self.host = server.domain
        self._server = server
        self._addr = "" if peer is None else host_of(peer)
        self._group = group_of(self._addr)
        self._has_place = False
        self._handling = False
        self._logging = False
        self._clogged = False
        self._closing = False
        self._passing_over = False
        self._commands_left = COMMANDS_MAX
        self._deadline: Any = None
        self._sender = ""
        self._mailboxes: list[PingUrl] = []
        self._held = bytearray()
        self._came = 0
        self._refusal: tuple[int, bytes] | None = None

    # --- the connection -------------------------------------------------------------------------------------------

    def callLater(self, seconds: float, called: Any) -> Any:
        """As `TimeoutMixin` wants it, which sets the idle timeout by it."""
        return self._server.clock.callLater(seconds, called)

    def connectionMade(self) -> None:
        """Greet, if there is a place for one more."""
        self._has_place = self._server.begun(self, self._group)
        if not self._has_place:
            self._closing = True
            self.sendCode(421, b"4.3.2 too many connections")
            self.transport.loseConnection()
            return
        self.transport.registerProducer(self, True)
        self._restart_deadline()
        super().connectionMade()

    def greeting(self) -> bytes:
        """What follows 220."""
        return self._server.domain.encode() + b" ESMTP pingmon takes pings, and relays nothing"

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Give back what the connection has. What came of a message without its end is no ping."""
        self._closing = True
        self.setTimeout(None)
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if self._has_place:
            self._server.ended(self, self._group)

    def timeoutConnection(self) -> None:
        """Nothing has come for too long, or the end of the connection has not."""
        self.close(421, b"4.4.2 timeout")

    def close(self, code: int, text: bytes) -> None:
        """Say so and close; at once if that was tried before."""
        if self._closing:
            self.transport.abortConnection()
            return
        self._closing = True
        self.sendCode(code, text)
        self.transport.unregisterProducer()  # TLS would wait for it
        self.transport.loseConnection()
        self.setTimeout(CLOSE_S)

    def end(self) -> None:
        """The daemon stops: close, once a message that is on its way into the log is answered."""
        if not self._logging:
            self.close(421, b"4.3.2 pingmon stops")

    def _restart_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self._server.clock.callLater(MESSAGE_S, self._too_slow)

    def _too_slow(self) -> None:
        self._deadline = None
        self.close(421, b"4.4.2 too slow")

    # --- lines ----------------------------------------------------------------------------------------------------

    def dataReceived(self, data: bytes) -> None:
        """See Note [End of a message]."""
        self._buffer += data
        self._handle_lines()
        if self._waits() and len(self._buffer) > LINE_MAX:
            self.transport.pauseProducing()

    def _handle_lines(self) -> None:
        if self._handling:
            return
        self._handling = True
        try:
            while not self._waits() and b"\r\n" in self._buffer:
                lines = self._buffer.split(b"\r\n")
                self._buffer = b""
                rest = lines.pop()
                for number, line in enumerate(lines):
                    if self._waits():
                        rest = b"\r\n".join((*lines[number:], rest))
                        break
                    self._handle_line(line)
                self._buffer = rest
            if not self._waits() and len(self._buffer) > LINE_MAX:
                self._passing_over = True
                self._buffer = self._buffer[-1:]  # it may be the first half of CRLF
        finally:
            self._handling = False

    def _waits(self) -> bool:
        return self._logging or self._clogged or self._closing

    def _handle_line(self, line: bytes) -> None:
        if self._passing_over or len(line) > LINE_MAX:
            self._passing_over = False
            self.resetTimeout()
            self.lineLengthExceeded(line)
        else:
            self.lineReceived(line)

    def lineLengthExceeded(self, line: bytes) -> None:
        """A command is refused at once, a message at its end."""
        if self.mode == DATA:
            self._refusal = (500, b"5.6.0 a line is too long")
        elif self._counted():
            self.sendCode(500, b"5.5.2 the line is too long")

    def pauseProducing(self) -> None:
        """The client does not read its answers, or TLS cannot send any yet. Reading ends only when there is a lot to
        read (`dataReceived`): the handshake, without which TLS sends nothing, has to be read."""
        self._clogged = True

    def resumeProducing(self) -> None:
        """It does again."""
        self._clogged = False
        self._go_on()

    def stopProducing(self) -> None:
        """The connection is lost, which `connectionLost` hears, too."""

    def _go_on(self) -> None:
        self._handle_lines()
        if not self._waits():
            self.transport.resumeProducing()

    # --- commands -------------------------------------------------------------------------------------------------

    def state_COMMAND(self, line: bytes) -> None:
        """A command, if it is text and there have not been too many."""
        if not self._counted():
            return
        if _is_command(line):
            super().state_COMMAND(line)
        else:
            self.sendCode(500, b"5.5.2 that is no command")

    def _counted(self) -> bool:
        self._commands_left -= 1
        if self._commands_left <= 0:
            self.close(421, b"4.7.0 too many commands")
        return self._commands_left > 0

    def do_HELO(self, rest: bytes) -> None:
        """Begin anew."""
        self._forget()
        self.sendCode(250, self._server.domain.encode())

    def do_EHLO(self, rest: bytes) -> None:
        """Begin anew, and say what is understood."""
        self._forget()
        self.sendCode(250, b"%b\nSIZE %d\nPIPELINING\n8BITMIME" % (self._server.domain.encode(), SIZE_MAX))

    def do_NOOP(self, rest: bytes) -> None:
        """Nothing."""
        self.sendCode(250, b"2.0.0 OK")

    def do_QUIT(self, rest: bytes) -> None:
        """The end."""
        self.close(221, b"2.0.0 bye")

    def do_UNKNOWN(self, rest: bytes) -> None:
        """VRFY and EXPN too: nobody is told which mailboxes there are."""
        self.sendCode(502, b"5.5.1 there is no such command")

    def do_MAIL(self, rest: bytes) -> None:
        """Refuse a message whose announced size is too much."""
        size = _announced(rest)
        if size and int(size[1]) > SIZE_MAX:
            self.sendCode(552, b"5.3.4 the message is too big")
        else:
            super().do_MAIL(rest)

    def validateFrom(self, helo: object, origin: Address) -> Address:
        """Whoever it says it is from; nobody (`<>`), too."""
        return origin

    def validateTo(self, user: User) -> PingUrl:
        """The mailbox. Raises `SMTPServerError`."""
        mailbox = None
        if folded(user.dest.domain.decode("ascii", "replace")) == self._server.domain:
            mailbox = ping_mailbox(user.dest.local.decode("ascii", "replace"))
        if mailbox is None:
            raise SMTPServerError(550, "5.1.1 no such mailbox")
        if len(self._to) >= RECIPIENTS_MAX:
            raise SMTPServerError(452, "4.5.3 too many recipients")
        if wait := self._server.intake.wait_s(mailbox):
            raise SMTPServerError(450, f"4.7.1 rate limited, try again in {wait} s")
        return mailbox

    def _forget(self) -> None:
        self._helo = (None, None)
        self._from = None
        self._to = []

    # --- the message ----------------------------------------------------------------------------------------------

    def do_DATA(self, rest: bytes) -> None:
        """Take a message for the mailboxes that were named."""
        if self._from is None or not self._to:
            self.sendCode(503, b"5.5.1 a sender and a recipient come first")
            return
        self._sender, self._mailboxes = str(self._from), [mailbox for _, mailbox in self._to]
        self._forget()
        self._held, self._came, self._refusal = bytearray(), 0, None
        self.mode = DATA
        self.sendCode(354, b"go on, and end with a dot on a line of its own")

    def state_DATA(self, line: bytes) -> None:
        """One line of a message, or its end."""
        if line == b".":
            self.mode = COMMAND
            self._take()
            return
        line = line.removeprefix(b".") + b"\r\n"
        self._came += len(line)
        self._held += line[: HELD_MAX - len(self._held)]
        if self._came > SIZE_MAX:
            self._refusal = (552, b"5.3.4 the message is too big")

    def _take(self) -> None:
        mail = ReceivedMail(self._sender, self._addr, bytes(self._held), self._came)
        self._held = bytearray()
        if self._refusal is not None:
            self._end_message(*self._refusal)
            return
        self._logging = True
        Deferred.fromCoroutine(self._server.intake.take(self._mailboxes, mail)).addBoth(self._taken)

    def _taken(self, taken: bool | Failure) -> None:
        self._logging = False
        if isinstance(taken, Failure):
            self.log.failure("an error while taking a ping by mail", taken)
            self._end_message(451, b"4.3.0 internal error")
        elif taken:
            self._end_message(250, b"2.0.0 OK")
        else:
            self._end_message(451, b"4.3.0 try again")

    def _end_message(self, code: int, text: bytes) -> None:
        if self._closing:
            return
        self.sendCode(code, text)
        if self._server.stopping:
            self.close(421, b"4.3.2 pingmon stops")
            return
        self._commands_left = COMMANDS_MAX
        self._restart_deadline()
        self.resetTimeout()
        self._go_on()


class SmtpServer(ServerFactory):
    """Makes sessions. `domain`, in lower case, is that of the mailboxes. It runs while the daemon does."""

    noisy = False

    def __init__(self, intake: MailIntake, domain: str, clock: IReactorTime) -> None:
        self.intake = intake
        self.domain = domain
        self.clock = clock
        self.stopping = False
        self._places = ConnectionPlaces(CONNECTIONS)
        self._sessions: set[SmtpSession] = set()
        self._stopped: Deferred[None] | None = None

    def buildProtocol(self, addr: IAddress | None) -> SmtpSession:
        """A session for whoever calls from there."""
        return SmtpSession(self, addr)

    def begun(self, session: SmtpSession, group: str) -> bool:
        """Whether there is a place for one more connection of these callers."""
        if self.stopping or not self._places.take(group):
            return False
        self._sessions.add(session)
        return True

    def ended(self, session: SmtpSession, group: str) -> None:
        """A connection that had a place is lost."""
        self._places.leave(group)
        self._sessions.discard(session)
        if self._stopped is not None and not self._sessions:
            self._stopped.callback(None)

    def start(self) -> None:
        """There is nothing to begin: ports are the daemon's."""

    def stop(self) -> Deferred[None]:
        """Fires when what was on its way into the log is answered and no connection is left, or after `CLOSE_S`."""
        self.stopping = True
        if not self._sessions:
            return succeed(None)
        self._stopped = Deferred()
        late = self.clock.callLater(CLOSE_S, self._abort)
        for session in tuple(self._sessions):
            session.end()
        return self._stopped.addCallback(lambda _: late.cancel() if late.active() else None)

    def _abort(self) -> None:
        for session in tuple(self._sessions):
            session.transport.abortConnection()
