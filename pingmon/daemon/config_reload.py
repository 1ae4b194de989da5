"""The configuration file read again while the daemon runs (SIGHUP).

A configuration is a value. Each part that can take another one has a function that takes it; what no part can take is
named in a line, and a file that cannot be used changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeAlias

from msgspec import Struct, structs
from twisted.logger import Logger

from pingmon.daemon.config import Config
from pingmon.daemon.config_file import BadConfig
from pingmon.daemon.startup_errors import StartupRefused

TAKEN: Final = frozenset(
    {
        "log",
        "limits",
        "verifier",
        "http.access_log",
        "outgoing.allow",
        "sites.ask",
        "sites.quorum",
        "watchdog",
        "operator",
    }
)
"""Sections and keys that are taken up; all else needs a restart."""

Taker: TypeAlias = Callable[[Config], object]


class Reload:
    """Call it to read again. `running` is what the daemon was started with.

    `read` raises BadConfig; it is None if the daemon was started without a file.
    """

    log = Logger()

    def __init__(self, read: Callable[[], Config] | None, running: Config, takers: Sequence[Taker]) -> None:
        self._read = read
        self._running = running
        self._takers = takers

    def __call__(self) -> None:
        """Take up what has changed."""
        if self._read is None:
            self.log.info("there is no configuration to read again: pingmon was started without --config")
            return
        try:
            config = self._read()
        except BadConfig as error:
            for problem in error.problems:
                self.log.error("the configuration stays as it was: {problem}", problem=problem)
            return
        try:
            for take in self._takers:
                take(config)
        except StartupRefused as error:  # the first of them builds what may be refused, before anything has changed
            self.log.error("the configuration stays as it was: {problem}", problem=str(error))
            return
        self.log.info("the configuration was read again")
        if waiting := [key for key in differing(self._running, config) if not _taken(key)]:
            self.log.warn("these keys have changed, but only a restart takes them up: {keys}", keys=", ".join(waiting))


def differing(one: Struct, other: Any, prefix: str = "") -> Iterator[str]:
    """The keys in which two configurations differ, in the order of the file's description."""
    for field in structs.fields(one):
        old, new = getattr(one, field.name), getattr(other, field.name)
        if isinstance(old, Struct):
            yield from differing(old, new, f"{prefix}{field.name}.")
        elif old != new:
            yield f"{prefix}{field.name}"


def _taken(key: str) -> bool:
    return key in TAKEN or key.partition(".")[0] in TAKEN
