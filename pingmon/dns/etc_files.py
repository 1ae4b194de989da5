"""The machine's own word on names: /etc/hosts and /etc/resolv.conf (hosts(5), resolv.conf(5)).

They change while the daemon runs: with the network a machine is in, and when its administrator changes them.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Final, Generic, TypeVar

T = TypeVar("T")

HOSTS: Final = Path("/etc/hosts")
RESOLV_CONF: Final = Path("/etc/resolv.conf")
MAX_SERVERS: Final = 3
"""Name servers that are taken from resolv.conf, as the C library does."""
DNS_PORT: Final = 53
FRESH_S: Final = 5.0
"""Seconds for which a file is not looked at again."""


class Reread(Generic[T]):
    """What the file at `path` says, according to `meaning`; read here and now, and again when it has changed.

    A file that cannot be read any more means what it did: it may be about to be replaced.
    """

    def __init__(self, path: Path, meaning: Callable[[str], T], now_s: float) -> None:
        self.path = path
        self._meaning = meaning
        self._seen = _mark(path)  # before it is read, lest a change in between be missed
        self._looked_s = now_s
        self.value = meaning(text_of(path) or "")

    def changed(self, now_s: float) -> bool:
        """Whether `value` is another now; the file is looked at if that was `FRESH_S` ago."""
        if now_s < self._looked_s + FRESH_S:
            return False
        self._looked_s = now_s
        mark, before = _mark(self.path), self._seen
        if mark == before:
            return False
        self._seen = mark
        text, known = text_of(self.path), self.value
        self.value = known if text is None else self._meaning(text)
        return self.value != known


def hosts(text: str) -> dict[str, tuple[str, ...]]:
    """Names in lower case and their addresses. Lines that say something else are passed over."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        address, *names = line.partition("#")[0].split() or [""]
        if _is_address(address):
            for name in names:
                known = found.setdefault(name.lower().rstrip("."), [])
                if address not in known:
                    known.append(address)
    return {name: tuple(addresses) for name, addresses in found.items()}


def servers(text: str) -> tuple[tuple[str, int], ...]:
    """The name servers of a resolv.conf; this machine's own if it names none."""
    found = []
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 2 and words[0] == "nameserver" and _is_address(words[1]):
            found.append((words[1], DNS_PORT))
    return tuple(found[:MAX_SERVERS]) or (("127.0.0.1", DNS_PORT),)


def text_of(path: Path) -> str | None:
    """The file's text; None if it cannot be read."""
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return None


def _mark(path: Path) -> object:
    """Another one when the file is another, or was written."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return "%" not in text
