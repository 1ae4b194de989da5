"""How much the daemon's log says: pingmon's own lines from a level up, and of libraries only what is amiss.

`twistd` writes all that anybody logs and knows no level. Those who write are found in Twisted's publisher, to which no
public way leads, and are put behind a filter.
"""

from __future__ import annotations

from typing import Any, Final, Literal, TypeAlias

from twisted.logger import ILogObserver, LogLevel, LogPublisher, globalLogPublisher
from zope.interface import implementer

Level: TypeAlias = Literal["debug", "info", "warn", "error"]
DEFAULT: Final[Level] = "info"
OWN: Final = "pingmon"
"""With what our namespaces begin."""


class LogFilter:
    """Lets pass what is of `level` or above; what libraries merely tell passes with `debug` only."""

    def __init__(self, level: Level = DEFAULT) -> None:
        self.level: Level = level

    def passes(self, event: dict[str, Any]) -> bool:
        """Whether this event is written."""
        least = LogLevel.lookupByName(self.level)
        if least > LogLevel.debug and not str(event.get("log_namespace", "")).startswith(OWN):
            least = max(least, LogLevel.warn)
        return bool(event.get("log_level", LogLevel.info) >= least)

    def install(self, publisher: LogPublisher = globalLogPublisher) -> None:
        """Stand before all who write now; to be called again when there may be others."""
        publisher._observers = [
            each if isinstance(each, _Filtered) else _Filtered(each, self) for each in publisher._observers
        ]


@implementer(ILogObserver)
class _Filtered:
    """Equal to the observer that it stands before, so that whoever added that one can take it away again."""

    def __init__(self, observer: Any, filter: LogFilter) -> None:
        self._observer = observer
        self._filter = filter

    def __eq__(self, other: object) -> bool:
        return other is self or other == self._observer

    def __hash__(self) -> int:
        return hash(self._observer)

    def __call__(self, event: dict[str, Any]) -> None:
        if self._filter.passes(event):
            self._observer(event)
