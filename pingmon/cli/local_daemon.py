"""The daemon whose data directory is at hand, asked without a key, whether it runs or not.

One that runs is asked over its control socket. The journal of one that is stopped is worked on by this process, which
keeps the daemon from starting meanwhile. Either way the management API answers: nothing is decided here.
"""

from __future__ import annotations

import json
import os
import pwd
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any, Final

import click

from pingmon.cli.journal import journal_file, one_line
from pingmon.daemon.data_directory import CONTROL, DataDir, DataDirError, DataDirInUse, short_name

STARTING_S: Final = 20.0
"""How long a daemon may hold the directory without listening: one that starts or ends does so for a while."""
ANSWER_S: Final = 30.0
LOOK_S: Final = 0.1


class LocalDaemon:
    """Answers questions on one connection, each within `wait_s` seconds."""

    def __init__(self, opened: socket.socket, wait_s: float = ANSWER_S) -> None:
        self._wait_s = wait_s
        opened.settimeout(wait_s)
        self._connection = HTTPConnection("localhost")
        self._connection.auto_open = 0  # never by itself to localhost:80
        self._connection.sock = opened

    def ask(self, method: str, path: str, body: dict[str, str] | None = None) -> Any:
        """The answer to a request to `/api/v3/<path>`, decoded. `ClickException` with one line if it is an error."""
        for name, text in (body or {}).items():
            if text.encode("utf-8", "replace").decode() != text:
                raise click.ClickException(f"{name} is not UTF-8")
        try:
            status, raw = self.request(method, path, body)
        except TimeoutError:
            raise click.ClickException(f"no answer within {self._wait_s:.0f} s; is the daemon's disk well?") from None
        except (OSError, HTTPException) as error:
            raise click.ClickException(
                "the daemon ended before it answered; look whether it was done (pingmon key list, pingmon project list)"
            ) from error
        if status == 503:
            raise click.ClickException("the journal takes no entries now, and nothing has changed; is the disk full?")
        try:
            answer = json.loads(raw)
        except ValueError:
            raise click.ClickException(f"the daemon answered {status} without a reason; its log may say why") from None
        if status >= 400:
            raise click.ClickException(str(answer["error"]).removeprefix("json validation error: "))
        return answer

    def request(self, method: str, path: str, body: dict[str, str] | None = None) -> tuple[int, bytes]:
        """Status and body of the answer. OSError or HTTPException if there is none."""
        self._connection.request(method, f"/api/v3/{path}", None if body is None else json.dumps(body))
        response = self._connection.getresponse()
        return response.status, response.read()


@contextmanager
def local_daemon(data: Path) -> Iterator[LocalDaemon]:
    """The daemon of the directory `data`. `ClickException` with one line if it cannot be asked."""
    data = data.absolute()
    owner = journal_file(data).stat()
    if os.geteuid() not in (0, owner.st_uid):
        raise click.ClickException(f"{data} belongs to {_user(owner.st_uid)}: run this as that user, or as root")
    found = _running(data)
    if found is not None:
        yield found
        return
    from pingmon.daemon.offline_api import offline_api

    if os.geteuid() != owner.st_uid:
        _become(owner.st_uid, owner.st_gid)
    ours = locked(data)
    if isinstance(ours, LocalDaemon):
        yield ours
        return
    try:
        with one_line(), offline_api(ours) as opened:
            yield LocalDaemon(opened)
    finally:
        ours.release()


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
