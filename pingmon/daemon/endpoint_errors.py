"""What is wrong with an endpoint, and what to write or to do instead, for people who do not know endpoint strings."""

from __future__ import annotations

import errno
import os
import re
from typing import Final

from twisted.internet.error import CannotListenError

from pingmon.daemon.certificates import BadCertificates

PORT_MAX: Final = 65_535
TWISTEDS_LOCK: Final = "Cannot acquire lock"
"""What Twisted says when another process listens on a UNIX socket."""

_PORT_CURES: Final = {
    errno.EADDRINUSE: "; end what listens there, or choose another port with --listen, such as tcp:8001",
    errno.EACCES: "; ports below 1024 need root or a socket of systemd's (docs/operations.md)",
    errno.EADDRNOTAVAIL: "; this machine has no such address",
}
"""What to do about what the system says of a port."""
_SOCKET_CURES: Final = {
    errno.EADDRINUSE: "; end what listens there, or choose another path",
    errno.EACCES: "; pingmon's user must be allowed to write in the directory of the socket",
    errno.ENOENT: "; the directory of the socket must be there",
    errno.ENOTDIR: "; the directory of the socket must be there",
}
"""What to do about what it says of a UNIX socket."""

_unknown: Final = re.compile(r"unexpected keyword argument '(\w+)'").search
_bare: Final = re.compile(r"(?:(?P<host>\[[0-9A-Fa-f:.]+\]|localhost|[\w-]+\.[\w.-]+):)?(?P<port>[0-9]+)").fullmatch


def cannot_listen(description: str, error: BaseException) -> str:
    """Why nothing can be had of this endpoint, in words."""
    return f"cannot listen on {description}: {_reason(description, error)}"


def _reason(description: str, error: BaseException) -> str:
    if isinstance(error, CannotListenError):
        locked = str(error.socketError) == TWISTEDS_LOCK
        error = OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE)) if locked else error.socketError
    kind, _, rest = description.partition(":")
    port = rest.partition(":")[0]
    if isinstance(error, OSError):
        text = error.strerror or str(error)
        cures = _SOCKET_CURES if "unix" in (kind, port) else _PORT_CURES
        return f"{text[:1].lower()}{text[1:]}{cures.get(error.errno or 0, '')}"
    if isinstance(error, BadCertificates):
        return str(error)
    if bare := _bare(description):
        return f"write {_endpoint(bare['host'], bare['port'])}"
    if kind == "tcp" and not is_port(port):
        return f"{port!r} is no port; write {kind}:8000" if port else f"write {kind}:8000"
    if kind == "systemd" and isinstance(error, LookupError):
        return "no such socket was handed over; is the daemon started by systemd, with a socket unit that names it?"
    if "::" in description:
        return r"a colon within a value is written \:, as in tcp:8000:interface=\:\:"
    text = str(error) or type(error).__name__
    if isinstance(error, TypeError) and (unknown := _unknown(text)):
        return f"{kind} takes no {unknown[1]}"
    return f"{text[:1].lower()}{text[1:]}; write tcp:8000, or see docs/operations.md"


def is_port(text: str) -> bool:
    """Whether `text` is the number of a port."""
    return text.isascii() and text.isdigit() and int(text) <= PORT_MAX


def _endpoint(host: str | None, port: str) -> str:
    if host is None:
        return f"tcp:{port}"
    bare = host.strip("[]").replace(":", r"\:")
    return f"tcp:{port}:interface={bare}"
