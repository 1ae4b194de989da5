"""The daemon whose data directory is at hand, asked without a key, whether it runs or not.

One that runs is asked over its control socket. The journal of one that is stopped is worked on by this process, which
keeps the daemon from starting meanwhile. Either way the management API answers: nothing is decided here.
"""

from __future__ import annotations

import os
import pwd
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Final

import click

from pingmon.cli.api_client import ANSWER_S, ApiClient, Unreachable
from pingmon.cli.journal import journal_file, one_line
from pingmon.daemon.data_directory import CONTROL, DataDir, DataDirError, DataDirInUse, short_name

STARTING_S: Final = 20.0
"""How long a daemon may hold the directory without listening: one that starts or ends does so for a while."""
LOOK_S: Final = 0.1


class LocalDaemon(ApiClient):
    """Answers questions on the connection `opened`, each within `wait_s` seconds.

    `again`, if it is set, finds the daemon of the directory once more, should this one end before it has answered a
    question that may be asked again: it was just about to stop.
    """

    key_hint = "only the owner of the data directory needs none"

    def __init__(self, opened: socket.socket, wait_s: float = ANSWER_S) -> None:
        opened.settimeout(wait_s)
        connection = HTTPConnection("localhost")
        connection.auto_open = 0  # never by itself to localhost:80
        connection.sock = opened
        super().__init__(connection, sent={}, wait_s=wait_s)
        self.again: Callable[[], LocalDaemon] | None = None

    def _reopened(self) -> bool:
        again, self.again = self.again, None
        if again is None:
            return False
        self._connection = again()._connection
        return True

    def ping(self, path: str, body: bytes) -> None:
        if self.stopped:
            raise Unreachable("the daemon is stopped, so it takes no pings")
        super().ping(path, body)

    def lost(self, error: Exception) -> click.ClickException:
        return Unreachable("the daemon ended before it answered; look whether it was done")

    def unable(self, answer: str) -> click.ClickException:
        line = "the journal takes no entries now, and nothing has changed; is the disk full?"
        more = " (The daemon is stopped: only one that runs probes sites and sends test messages.)"
        return Unreachable(line + more * self.stopped)


@contextmanager
def local_daemon(data: Path) -> Iterator[LocalDaemon]:
    """The daemon of the directory `data`. `ClickException` with one line if it cannot be asked."""
    data = data.absolute()
    owner = journal_file(data).stat()
    if os.geteuid() not in (0, owner.st_uid):
        raise click.ClickException(f"{data} belongs to {_user(owner.st_uid)}: run this as that user, or as root")
    with ExitStack() as stack:

        def found() -> LocalDaemon:
            return _running(data) or _stopped(data, owner, stack)

        daemon = found()
        daemon.again = found
        yield daemon


def _stopped(data: Path, owner: os.stat_result, stack: ExitStack) -> LocalDaemon:
    """The journal of a daemon that is stopped, until `stack` is closed; or the daemon, if it runs after all."""
    from pingmon.daemon.offline_api import offline_api

    if os.geteuid() != owner.st_uid:
        _become(owner.st_uid, owner.st_gid)
    ours = locked(data)
    if isinstance(ours, LocalDaemon):
        return ours
    stack.callback(ours.release)
    stack.enter_context(one_line())
    daemon = LocalDaemon(stack.enter_context(offline_api(ours)))
    daemon.stopped = True
    return daemon


def _running(data: Path) -> LocalDaemon | None:
    """The daemon that listens on the control socket; None if none does."""
    opened = socket.socket(socket.AF_UNIX)
    try:
        with short_name(data / CONTROL) as name:
            opened.connect(name)
        found = LocalDaemon(opened)
        found.request("GET", "status/")  # one that is about to end may take a connection and not serve it
    except (OSError, HTTPException):
        opened.close()
        return None
    return found


def locked(data: Path, wait_s: float = STARTING_S) -> DataDir | LocalDaemon:
    """The directory, for this process alone; or the daemon, if it listens after all. `ClickException` if neither."""
    end = monotonic() + wait_s
    while True:
        try:
            return DataDir(data, command=True)
        except DataDirInUse as error:
            if monotonic() >= end:
                raise click.ClickException(
                    f"{error}, which does not answer on {CONTROL}; its log may say why, or stop it and try again"
                ) from error
        except DataDirError as error:
            raise click.ClickException(str(error)) from error
        Event().wait(LOOK_S)
        if (found := _running(data)) is not None:
            return found


def _become(user: int, group: int) -> None:
    """Be `user` from now on: root must leave no file that the daemon could not open."""
    try:
        os.initgroups(pwd.getpwuid(user).pw_name, group)
    except KeyError:
        os.setgroups([])
    os.setgid(group)
    os.setuid(user)


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"
