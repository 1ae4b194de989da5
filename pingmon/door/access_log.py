"""The access log: off unless the operator names a file. Combined format, one line for each request.

What the application calls secret is taken out of all that a client has sent. A log that cannot be written costs nobody
an answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol, TextIO

from twisted.logger import Logger

from pingmon.door.caller_address import Caller
from pingmon.door.http_dates import Dates

_unprintable: Final = re.compile(r"[^ !#-\[\]-~]")


class Logged(Protocol):
    """A request that has been answered, as far as the log tells of it."""

    @property
    def method(self) -> bytes: ...
    @property
    def uri(self) -> bytes: ...
    @property
    def clientproto(self) -> bytes: ...
    @property
    def code(self) -> int: ...
    @property
    def sentLength(self) -> int: ...
    def caller(self) -> Caller: ...
    def field(self, name: bytes) -> bytes: ...


class AccessLog:
    """Appends to the file at `path` (None: nowhere); `redacted` takes secrets out of what a client sent."""

    log = Logger()

    def __init__(self, path: Path | None, redacted: Callable[[str], str], dates: Dates) -> None:
        self._path = path
        self._redacted = redacted
        self._dates = dates
        self._file: TextIO | None = None
        self._failing = False

    def begin(self) -> None:
        """Open the file for the first time. Raises OSError."""
        if self._path is not None:
            self._file = self._path.open("a", 1, encoding="ascii", errors="backslashreplace")

    def open(self) -> None:
        """Open the file, again if it is open, as after it was rotated. Trouble is logged, not raised."""
        self.close()
        self._failing = False
        try:
            self.begin()
        except OSError as error:
            self._trouble(error)

    def move(self, path: Path | None) -> None:
        """Open this file instead, or the same one again."""
        self._path = path
        self.open()

    def close(self) -> None:
        """Write no more."""
        file, self._file = self._file, None
        if file is not None:
            try:
                file.close()
            except OSError as error:
                self._trouble(error)

    def write(self, request: Logged) -> None:
        """One line for a request that has been answered."""
        if self._file is None:
            return
        try:
            self._file.write(self.line(request))
            self._failing = False
        except OSError as error:
            self._trouble(error)

    def line(self, request: Logged) -> str:
        """The line, in the combined format."""
        sent = (request.uri, request.field(b"referer") or b"-", request.field(b"user-agent") or b"-")
        target, referer, agent = (self._redacted(text.decode("utf-8", "replace")) for text in sent)
        first = f"{request.method.decode('latin-1')} {target} {request.clientproto.decode('latin-1')}"
        when = self._dates.log()
        caller = request.caller()[0] or "-"
        return (
            f'{caller} - - {when} "{_quoted(first)}" {request.code:d} {request.sentLength or "-"} '
            f'"{_quoted(referer)}" "{_quoted(agent)}"\n'
        )

    def _trouble(self, error: OSError) -> None:
        if not self._failing:
            self.log.warn(
                "pingmon cannot write the access log {path}: {why}; requests are answered all the same",
                path=str(self._path),
                why=error.strerror,
            )
        self._failing = True


def _quoted(text: str) -> str:
    """`text` as it may stand between quotation marks on one line."""
    return _unprintable.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
