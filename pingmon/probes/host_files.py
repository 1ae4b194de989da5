"""The machine's own word on names: /etc/hosts and /etc/resolv.conf (hosts(5), resolv.conf(5)), read once."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Final

HOSTS: Final = Path("/etc/hosts")
RESOLV_CONF: Final = Path("/etc/resolv.conf")
MAX_SERVERS: Final = 3
"""Name servers that are taken from resolv.conf, as the C library does."""
DNS_PORT: Final = 53


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


def text_of(path: Path) -> str:
    """The file's text; empty if it cannot be read."""
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return "%" not in text
