"""From what an operator writes after `--listen` to a listener: Twisted's endpoint strings, some of them read by us.

tls:FOLDER:PORT                                              certificates by name, from a folder like certbot's
ssl:PORT:privateKey=FILE:certKey=FILE:extraCertChain=FILE    one certificate
haproxy:ENDPOINT                                             a PROXY header comes before all else
anything else                                                as Twisted has it
"""

from __future__ import annotations

import re
import socket
from functools import partial
from pathlib import Path
from typing import Any, Final

from twisted.internet.endpoints import TCP4ServerEndpoint, serverFromString, wrapServerTLS

from pingmon.daemon.certificates import Certificates, in_folder
from pingmon.daemon.endpoint_errors import cannot_listen, is_port
from pingmon.daemon.ports import BACKLOG, Binding, Listener
from pingmon.daemon.startup_errors import StartupRefused

PROXIED: Final = "haproxy:"
PLAIN: Final = ("tcp:", "tcp4:", "tcp6:", "unix:", "systemd:")
"""Endpoints without TLS."""

_field: Final = re.compile(r"((?:[^:=\\]|\\.)+)(?:(=)((?:[^:\\]|\\.)*))?").finditer
_escaped: Final = re.compile(r"\\(.)")

Named = dict[str, str]


def listener(reactor: Any, description: str) -> Listener:
    """The listener that an endpoint string of the operator's describes. Raises `StartupRefused`."""
    binding = Binding(reactor, description)
    try:
        if description.startswith(("tls:", "ssl:")):
            return _over_tls(binding, description)
        endpoint = _after_proxy(description)
        return Listener(description, serverFromString(binding, endpoint), behind_proxy=endpoint != description)
    except Exception as error:
        # Endpoint parsers are plugins and raise whatever they like at text that they cannot read.
        raise StartupRefused(cannot_listen(description, error)) from error


def _over_tls(reactor: Any, description: str) -> Listener:
    kind, *plain = [field for field in _fields(description) if isinstance(field, str)]
    named = dict(field for field in _fields(description) if not isinstance(field, str))
    backlog, interface = named.pop("backlog", str(BACKLOG)), named.pop("interface", None)
    if kind == "tls":
        certificates = _of_folder(plain[0] if plain else "")
        ports = plain[1:]
        interface = ("::" if socket.has_dualstack_ipv6() else "") if interface is None else interface
    else:
        certificates, ports = _of_files(named), plain
    if named or len(ports) > 1:
        raise ValueError(f"{kind} takes no {', '.join([*named, *ports[1:]])}")
    port = ports[0] if ports else "443"
    if not is_port(port):
        raise ValueError(f"{port!r} is no port")
    endpoint = TCP4ServerEndpoint(reactor, int(port), int(backlog), interface or "")
    return Listener(description, wrapServerTLS(certificates, endpoint, reactor), certificates=certificates)


def _of_folder(folder: str) -> Certificates:
    if not folder:
        raise ValueError("no folder is named; write tls:/etc/letsencrypt/live:443")
    return Certificates(folder, partial(in_folder, Path(folder).absolute()))


def _of_files(named: Named) -> Certificates:
    key = named.pop("privateKey", "")
    if not key:
        raise ValueError("no key is named; write ssl:443:privateKey=key.pem:certKey=cert.pem")
    files = [key, named.pop("certKey", key)]
    if "extraCertChain" in named:
        files.append(named.pop("extraCertChain"))
    paths = [Path(file).absolute() for file in dict.fromkeys(files)]
    return Certificates(", ".join(map(str, paths)), lambda: paths)


def _fields(description: str) -> list[str | tuple[str, str]]:
    """The fields of an endpoint string, plain or named; a backslash lets the next character be itself."""
    fields: list[str | tuple[str, str]] = []
    for name, named, value in (found.groups("") for found in _field(description)):
        words = [_escaped.sub(r"\1", word) for word in (name, value)]
        fields.append((words[0], words[1]) if named else words[0])
    return fields


def _after_proxy(description: str) -> str:
    """The endpoint behind `haproxy:`, whose header is read by us (`http.proxied`). Raises ValueError."""
    endpoint = description.removeprefix(PROXIED)
    if endpoint != description and not endpoint.startswith(PLAIN):
        raise ValueError("a PROXY header comes before all else, so the proxy ends TLS; write haproxy:tcp:8000")
    return endpoint
