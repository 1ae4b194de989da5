"""`twistd pingmon-verifier`: options, and the composition root of a verifier (`verify.verifier`).

It has no journal and no database, and writes no files. All that it has to know is a secret, which it shares with the
daemons that may ask it. As in `tap`, the parts are imported inside functions.
"""

from __future__ import annotations

import socket
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from twisted.application.service import IService
from twisted.internet.defer import Deferred
from twisted.python import usage

from pingmon.daemon.endpoints import listener
from pingmon.daemon.listening import Listening, stopping_once
from pingmon.daemon.log_level import DEFAULT, LogFilter
from pingmon.daemon.ports import Listener
from pingmon.daemon.startup_errors import StartupRefused, Told
from pingmon.daemon.twistd_options import DaemonOptions, keep_hangups

if TYPE_CHECKING:
    from pingmon.core.address_policy import AddressPolicy
    from pingmon.door.door import Door
    from pingmon.verify.verifier import Looker, Verifier
    from pingmon.wire.message.signatures import Secret

PROGRAM: Final = "pingmon-verifier"
FILE_MAX: Final = 65_536
"""Bytes of a secret file."""
MODE_MAX: Final = 0o640
"""What the secret file may allow, and to whom."""
CONNECTIONS: Final = 512
"""At a time; one caller gets half of them at most."""
REQUEST_DEADLINE_S: Final = 10.0
IDLE_S: Final = 15.0
PER_ADDRESS: Final = 16
"""Probes of one address at a time: when a large host is down, all its sites are asked for at once."""
DRAIN_S: Final = 10.0
"""Seconds that probes under way get when the verifier is stopped."""


class VerifierOptions(DaemonOptions):
    """The command line of `twistd pingmon-verifier`."""

    program = PROGRAM
    longdesc = "Looks at sites when a pingmon that shares its secret asks it to, and tells what it saw."

    def __init__(self) -> None:
        super().__init__()
        self["listen"], self["allow"] = [], []
        self["secret-file"] = self["name"] = self["probes"] = None

    def opt_listen(self, endpoint: str) -> None:
        """Endpoint to listen on, such as tcp:8100 or tls:/etc/letsencrypt/live:8100; may be given several times"""
        self["listen"].append(endpoint)

    def opt_secret_file(self, file: str) -> None:
        """File with the secrets that questions may be signed with, one whsec_… a line; not readable by others"""
        self["secret-file"] = file

    def opt_allow(self, network: str) -> None:
        """Network that sites may be in besides the public ones, such as 192.168.0.0/16; may be given several times"""
        self["allow"].append(network)

    def opt_name(self, name: str) -> None:
        """What this verifier calls itself (default: the name of the host)"""
        self["name"] = name

    def opt_probes(self, number: str) -> None:
        """How many probes may be under way at a time (default: 200)"""
        if not (number.isascii() and number.isdigit() and 0 < int(number) <= 10_000):
            raise usage.UsageError("--probes: a number from 1 to 10000 is needed")
        self["probes"] = int(number)


Options = VerifierOptions
"""Under this name `ServiceMaker` looks for it."""


def makeService(options: VerifierOptions) -> IService:
    """The verifier, not yet started. Exits with status 1 and a line that says why if it cannot be made."""
    keep_hangups()
    from twisted.internet import reactor

    from pingmon.core.units import SECOND
    from pingmon.timing.clock import steadied, wall_seconds
    from pingmon.verify.verifier import PROBES_MAX, Verifier

    clock = steadied(reactor)

    def now() -> int:
        return int(wall_seconds() * SECOND)

    with Told(PROGRAM, options) as told:
        for needed in ("secret-file", "listen"):
            if not options[needed]:
                raise StartupRefused(f"--{needed} is needed")
        path = Path(options["secret-file"]).absolute()
        secrets = read_secrets(path)
        policy = _policy(options["allow"])
        listeners = [listener(clock, text) for text in options["listen"]]
        probes = options["probes"] or PROBES_MAX
        name = (options["name"] or socket.gethostname())[:255]
        verifier = Verifier(_looker(clock, policy, now, probes), secrets, name, clock, now=now, max_probes=probes)
        stopping_once(reactor)
        levels = LogFilter(options["log-level"] or DEFAULT)
        return VerifierService(verifier, _door(verifier, clock), listeners, path, clock, levels, told.started)


def read_secrets(path: Path) -> tuple[Secret, ...]:
    """The secrets in the file at `path`. Raises `StartupRefused` if it cannot be read, or could be by too many."""
    from pingmon.wire.message.signatures import BadSecret, secrets_of

    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise StartupRefused(f"{path}: is not a file")
        if stat.S_IMODE(status.st_mode) & ~MODE_MAX:
            raise StartupRefused(f"{path}: others may read or change it; chmod 0600 (0640 at most)")
        with path.open("rb") as file:
            return secrets_of(file.read(FILE_MAX).decode())
    except OSError as error:
        raise StartupRefused(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise StartupRefused(f"{path}: is not text") from error
    except BadSecret as error:
        raise StartupRefused(f"{path}: {error}") from error


class VerifierService(Listening):
    """A verifier and its door. SIGHUP has it read its secrets again; if it cannot, it keeps those that it has."""

    def __init__(
        self,
        verifier: Verifier,
        door: Door,
        listeners: Sequence[Listener],
        secret_file: Path,
        reactor: Any,
        log_filter: LogFilter,
        started: Callable[[], object],
    ) -> None:
        super().__init__(door, listeners, reactor=reactor, log_filter=log_filter, started=started)
        self.setName(PROGRAM)
        self._verifier = verifier
        self._door = door
        self._secret_file = secret_file

    def reload(self) -> None:
        """Read the secrets and the certificates again."""
        super().reload()
        try:
            self._verifier.secrets = read_secrets(self._secret_file)
        except StartupRefused as error:
            self.log.error("the secrets stay as they were: {error}", error=str(error))
        else:
            self.log.info("the secrets were read again, and there are {count}", count=len(self._verifier.secrets))

    def stopService(self) -> Deferred[None]:
        """Fires when probes under way are answered, at the latest after `DRAIN_S`."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        await self.close_ports()
        with self.log.failuresHandled("an error while finishing requests"):
            await self._door.drain(DRAIN_S)
        self.log.info("{name} has stopped", name=PROGRAM)


def _looker(clock: Any, policy: AddressPolicy, now: Callable[[], int], probes: int) -> Looker:
    from pingmon.dns.resolver import Resolver
    from pingmon.outgoing.tls_trust import Trust
    from pingmon.probe.prober import Prober
    from pingmon.verify.verifier import WAIT_S

    return Prober(
        clock,
        Resolver(clock),
        policy,
        Trust(),
        now=now,
        max_in_flight=probes,
        per_address=PER_ADDRESS,
        max_waiting=probes,
        max_wait_s=WAIT_S,
        elsewhere=True,
        remedies={"in all": "raise --probes", "at one address": "one verifier does no more; have several"},
    )


def _door(verifier: Verifier, clock: Any) -> Door:
    from pingmon.door.door import Door
    from pingmon.door.http_dates import Dates
    from pingmon.door.limits import DoorSettings
    from pingmon.timing.clock import wall_seconds
    from pingmon.wire.verifier import BODY_MAX

    settings = DoorSettings(
        request_deadline_s=REQUEST_DEADLINE_S,
        idle_timeout_s=IDLE_S,
        max_connections=CONNECTIONS,
        body_limit=BODY_MAX,
    )
    return Door(verifier, settings, clock, Dates(wall_seconds))


def _policy(networks: Sequence[str]) -> AddressPolicy:
    from pingmon.core.address_policy import ON_THE_COMMAND_LINE, allowing

    try:
        return allowing(networks, ON_THE_COMMAND_LINE)
    except ValueError as error:
        raise StartupRefused(f"--allow: {error}") from error
