"""The configuration file: TOML, strict, with every problem reported at once under its key.

Nothing here is needed to start; each key has a default that suits a small server of one's own.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeAlias, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, Struct

_is_url: Final = re.compile(r"https?://[A-Za-z0-9._\[\]:-]+(/[^\s?#'\"]*)?").fullmatch

Seconds: TypeAlias = Annotated[float, Meta(ge=0, le=86400)]
Bytes: TypeAlias = Annotated[int, Meta(ge=0, le=1 << 30)]
Count: TypeAlias = Annotated[int, Meta(ge=1)]


class Network(str):
    """A network in the form that `ipaddress.ip_network` takes, such as `192.168.0.0/16` or `fd00::/8`."""

    __slots__ = ()


class Url(str):
    """An `http://` or `https://` address with a host, and perhaps a port and a path; empty is allowed."""

    __slots__ = ()


class Http(Struct, frozen=True):
    """`[http]`: the listening side.

    `base_url` is how clients reach the daemon (empty: from the request). `ping_url` is the form of ping URLs that
    the API shows; both are served. `access_log` is a file's path; empty is off. `request_deadline` and `idle_timeout`
    are seconds, `drain` how many a stopping daemon waits for requests in flight.
    """

    base_url: Url = Url("")
    ping_url: Literal["/ping/", "/"] = "/ping/"
    trusted_proxies: tuple[Network, ...] = ()
    access_log: str = ""
    max_connections: Count = 10_000
    request_deadline: Annotated[float, Meta(ge=1, le=3600)] = 30.0
    idle_timeout: Annotated[float, Meta(ge=1, le=3600)] = 60.0
    drain: Seconds = 10.0


class Pings(Struct, frozen=True):
    """`[pings]`: how much of a body is kept, and when a ping is too much.

    `body_limit` bytes are kept of a body, `body_cap` bytes are read before the connection is closed. `per_minute`
    pings of one check are taken (0: no limit).
    """

    body_limit: Bytes = 10_000
    body_cap: Bytes = 1 << 20
    store_bodies: Literal["text", "any"] = "text"
    per_minute: Annotated[int, Meta(ge=0)] = 0


class Monitoring(Struct, frozen=True):
    """`[monitor]`: `hold` is for how many seconds silence is not told after pingmon itself was deaf."""

    hold: Seconds = 60.0


class Outgoing(Struct, frozen=True):
    """`[outgoing]`: `allow` names private networks that webhooks may reach, `parallel` how many run at once."""

    allow: tuple[Network, ...] = ()
    parallel: Count = 64


class Retained(Struct, frozen=True):
    """`[retention]`: `pings` are kept per check, and none older than `days` (0: any age)."""

    pings: Count = 1000
    days: Annotated[int, Meta(ge=0)] = 0


class Limits(Struct, frozen=True):
    """`[limits]`: `checks` per project; management API requests per second and key."""

    checks: Count = 10_000
    api_requests: Count = 20


class Config(Struct, frozen=True):
    """The whole file. `data` and `listen` are also options of the command line, which win."""

    data: str = "pingmon-data"
    listen: tuple[str, ...] = ()
    http: Http = Http()
    pings: Pings = Pings()
    monitor: Monitoring = Monitoring()
    outgoing: Outgoing = Outgoing()
    retention: Retained = Retained()
    limits: Limits = Limits()


class BadConfig(ValueError):
    """The file cannot be used; `problems` has one line for each thing that is wrong, with its key."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def load(path: Path) -> Config:
    """The configuration in the TOML file at `path`. Raises `BadConfig`."""
    try:
        tree = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise BadConfig([f"{path}: {error.strerror}"]) from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadConfig([f"{path}: {error}"]) from error
    return parse(tree, str(path))


def parse(tree: Mapping[str, Any], source: str) -> Config:
    """The configuration in a decoded TOML document. Raises `BadConfig` with all its problems."""
    problems = [f"{source}: {problem}" for problem in _problems(Config, tree, "")]
    if problems:
        raise BadConfig(problems)
    return msgspec.convert(tree, Config, dec_hook=_text)


def _problems(section: type[Struct], tree: Mapping[str, Any], prefix: str) -> Iterator[str]:
    types = get_type_hints(section, include_extras=True)
    for key, value in tree.items():
        path = prefix + key
        wanted = types.get(key)
        if wanted is None:
            yield f"{path}: there is no such key{_hint(types)}"
        elif not (isinstance(wanted, type) and issubclass(wanted, Struct)):
            yield from _problem(wanted, value, path)
        elif isinstance(value, dict):
            yield from _problems(wanted, value, path + ".")
        else:
            yield f"{path}: expected a table"


def _problem(wanted: Any, value: Any, path: str) -> Iterator[str]:
    if get_origin(wanted) is tuple and isinstance(value, list):
        for index, item in enumerate(value):
            yield from _problem(get_args(wanted)[0], item, f"{path}[{index}]")
        return
    if get_origin(wanted) is Literal and value not in get_args(wanted):
        yield f"{path}: expected one of {', '.join(map(repr, get_args(wanted)))}"
        return
    try:
        msgspec.convert(value, wanted, dec_hook=_text)
    except msgspec.ValidationError as error:
        yield f"{path}: {str(error)[:1].lower()}{str(error)[1:]}"


def _hint(types: Mapping[str, Any]) -> str:
    return f" (there are {', '.join(sorted(types))})"


def _text(wanted: type, value: Any) -> Network | Url:
    """A network or an address from a TOML value; msgspec asks for the types that it does not know itself."""
    return _network(value) if wanted is Network else _url(value)


def _url(value: Any) -> Url:
    if not isinstance(value, str) or (value and not _is_url(value)):
        raise ValueError(f'expected an address such as "https://ping.example.org", got {value!r}')
    return Url(value)


def _network(value: Any) -> Network:
    if not isinstance(value, str):
        raise ValueError(f'expected a network such as "192.168.0.0/16", got {value!r}')
    try:
        ip_network(value)
    except ValueError:
        raise ValueError(f'{value!r} is not a network such as "192.168.0.0/16" or "fd00::/8"') from None
    return Network(value)
