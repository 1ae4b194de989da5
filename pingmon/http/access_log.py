"""The access log: off unless the operator names a file. Combined format, one line for each request.

A ping URL is a secret, as is a ping key or an API key: whoever reads the log must not be able to ping. So UUIDs, ping
keys and the values of fields that hold keys are replaced, in the target and in the referer, percent-encoded or not.
A log that cannot be written costs nobody an answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO
from urllib.parse import unquote

from twisted.logger import Logger

from pingmon.http.dates import Dates
from pingmon.http.keys import PING_KEY_LENGTH

if TYPE_CHECKING:
    from pingmon.http.request import Request

HIDDEN: Final = "***"
SECRETS: Final = ("key", "token", "secret", "password")
"""Fields whose names hold one of these have secret values."""
FIELD_MAX: Final = 2048
"""Characters of a target, a referer or a user agent that are logged."""
DECODINGS: Final = 3
"""How many layers of percent-encoding are looked through."""

_uuid: Final = re.compile(r"[0-9a-fA-F]{8}(?:-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}")
_after_ping: Final = re.compile(r"(/ping/*)[^/?#&\s]+")
_api_key: Final = re.compile(r"hc[wro]_[A-Za-z0-9]+")
_separator: Final = re.compile(r"([?&;#])")
_word: Final = re.compile(r"[-A-Za-z0-9_]+")
_unprintable: Final = re.compile(r"[^ !#-\[\]-~]")


def redacted(text: str, is_key: Callable[[str], bool]) -> str:
    """`text` without secrets, cut to `FIELD_MAX`; `is_key` knows the ping keys. Takes time linear in its length."""
    text = text[:FIELD_MAX]
    for _ in range(DECODINGS):
        if "%" not in text:
            break
        text = unquote(text)
    text = "".join(map(_without_value, _separator.split(text)))
    for pattern, hidden in ((_after_ping, rf"\1{HIDDEN}"), (_uuid, HIDDEN), (_api_key, HIDDEN)):
        text = pattern.sub(hidden, text)
    return _word.sub(lambda word: HIDDEN if _has_key(word[0], is_key) else word[0], text)


def _has_key(word: str, is_key: Callable[[str], bool]) -> bool:
    """Whether a word is a ping key, or has one glued to something: a slash or a blank is soon forgotten."""
    pieces = range(len(word) - PING_KEY_LENGTH + 1)
    return is_key(word) or any(is_key(word[start : start + PING_KEY_LENGTH]) for start in pieces)


def _without_value(piece: str) -> str:
    """A part of a query, with its value hidden if its name says that it is a secret."""
    name, equals, value = piece.partition("=")
    secret = value and any(word in name.lower() for word in SECRETS)
    return f"{name}{equals}{HIDDEN}" if secret else piece


class AccessLog:
    """Appends to the file at `path` (None: nowhere); `dates` give the time of each line."""

    log = Logger()

    def __init__(self, path: Path | None, is_key: Callable[[str], bool], dates: Dates) -> None:
        self._path = path
        self._is_key = is_key
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

    def write(self, request: Request) -> None:
        """One line for a request that has been answered."""
        if self._file is None:
            return
        try:
            self._file.write(self.line(request))
            self._failing = False
        except OSError as error:
            self._trouble(error)

    def line(self, request: Request) -> str:
        """The line, in the combined format."""
        target = redacted(request.uri.decode("utf-8", "replace"), self._is_key)
        referer = redacted(_header(request, b"Referer"), self._is_key)
        agent = redacted(_header(request, b"User-Agent"), self._is_key)
        first = f"{request.method.decode('latin-1')} {target} {request.clientproto.decode('latin-1')}"
        when = self._dates.log()
        caller = request.caller()[0] or "-"
        return (
            f'{caller} - - {when} "{_quoted(first)}" {request.code:d} {request.sentLength or "-"} '
            f'"{_quoted(referer)}" "{_quoted(agent)}"\n'
        )

    def _trouble(self, error: OSError) -> None:
        if not self._failing:
            self.log.warn("the access log {path} cannot be written: {why}", path=str(self._path), why=error.strerror)
        self._failing = True


def _header(request: Request, name: bytes) -> str:
    values = request.requestHeaders.getRawHeaders(name)
    return values[0].decode("utf-8", "replace") if values else "-"


def _quoted(text: str) -> str:
    """`text` as it may stand between quotation marks on one line."""
    return _unprintable.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
