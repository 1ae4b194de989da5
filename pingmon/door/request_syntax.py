"""Whether a request makes sense at all, before any resource sees it.

Resources, Klein and werkzeug raise on targets, hosts and methods that nobody sends in good faith; what they would
stumble over is refused here. Pings need none of this: they are recognised by their path alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import unquote_to_bytes

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress

_LABEL: Final = rb"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME: Final = rb"(?=[^:]{1,253}(?::|$))" + _LABEL + rb"(?:\." + _LABEL + rb")*\.?"
_ADDRESS: Final = rb"\[[0-9A-Fa-f:.]{2,45}\]"
_host: Final = re.compile(rb"(?:" + _NAME + rb"|" + _ADDRESS + rb")(?::[0-9]{0,5})?").fullmatch
_absolute: Final = re.compile(rb"https?://([^/?#]*)([^#]*)", re.IGNORECASE | re.DOTALL).fullmatch
_token: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}").fullmatch


def taken_apart(target: bytes | None) -> tuple[bytes | None, bytes]:
    """The authority (None: there is none) and the rest of a request target, which is a path if it names anything."""
    if target is None:  # CONNECT over HTTP/2
        return None, b""
    found = None if target.startswith(b"/") else _absolute(target)
    if found is None:
        return None, target
    return found[1], found[2] if found[2].startswith(b"/") else b"/" + found[2]


def is_method(method: bytes) -> bool:
    """Whether `method` is one word."""
    return _token(method) is not None


def is_path(path: bytes) -> bool:
    """Whether `path` (percent-encoded) is an absolute path of UTF-8."""
    if not path.startswith(b"/"):
        return False
    try:
        unquote_to_bytes(path).decode()
    except UnicodeDecodeError:
        return False
    return True


def is_host(text: bytes) -> bool:
    """Whether it can be the value of a Host header."""
    return _host(text) is not None


def authority(address: IAddress) -> bytes:
    """How a client would have named an address of ours that it has connected to."""
    if not isinstance(address, IPv4Address | IPv6Address):  # a UNIX socket
        return b"localhost"
    name = f"[{address.host}]" if ":" in address.host else address.host
    return f"{name}:{address.port}".encode("ascii")


def host_is_sane(authority: bytes | None, hosts: Sequence[bytes], *, needed: bool) -> bool:
    """Whether a request names one host, in its target or its Host headers, and it may be the name of one."""
    if len(hosts) > 1:
        return False
    if authority is not None:
        return is_host(authority)
    return is_host(hosts[0]) if hosts else not needed
