"""What can be configured: the tables and keys of the configuration file (`config_file`), with their defaults.

Nothing here is needed to start; each key has a default that suits a small server of one's own. Those of one part of the
daemon are told there (`DOOR`, `PINGS`, `API`, `DEFAULT_RETENTION`).
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias

from msgspec import Meta, Struct, field

from pingmon.api.call import ApiSettings
from pingmon.door.limits import DoorSettings
from pingmon.journal import DEFAULT_RETENTION
from pingmon.pings.intake import PingSettings

DOOR: Final = DoorSettings()
PINGS: Final = PingSettings()
API: Final = ApiSettings()

Seconds: TypeAlias = Annotated[float, Meta(ge=0, le=86400)]
Bytes: TypeAlias = Annotated[int, Meta(ge=0, le=1 << 30)]
Count: TypeAlias = Annotated[int, Meta(ge=1)]
Number: TypeAlias = Annotated[int, Meta(ge=0)]


class Network(str):
    """A network in the form that `ipaddress.ip_network` takes, such as `192.168.0.0/16` or `fd00::/8`."""

    __slots__ = ()


class Proxies(str):
    """Where proxies are: a `Network`, or `unix` for whoever comes over a Unix socket."""

    __slots__ = ()


class Url(str):
    """An `http://` or `https://` address with a host, and perhaps a port and a path; empty is allowed."""

    __slots__ = ()


class Domain(str):
    """A domain name in the form that `core.domain_names.domain` gives it; empty is allowed."""

    __slots__ = ()


class Page(str):
    """A URL that is probed, as `wire.probe.target.page` reads it, without a fragment."""

    __slots__ = ()


class PeerUrl(str):
    """Where a verifier is, as `wire.verifier.question_url` reads it."""

    __slots__ = ()


class SecretSetting(str):
    """`whsec_` and base64, as `wire.message.signatures.secret` reads it. It shows itself nowhere."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret(…)"


class Secrets(tuple[SecretSetting, ...]):
    """Secrets that are valid at the same time, at least one; in the file a string or an array of strings."""

    __slots__ = ()


class Mailbox(str):
    """Who mails come from, as `wire.mail_address.mailbox` reads it; empty is allowed."""

    __slots__ = ()


class Password(str):
    """It shows itself nowhere."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Password(…)"


class Program(str):
    """The absolute path of a program."""

    __slots__ = ()


class Http(Struct, frozen=True):
    """`[http]`: the listening side.

    `base_url` is how clients reach the daemon (empty: from the request). `ping_url` is the form of ping URLs that
    the API shows; both are served. `api_body_limit`: bytes that the body of a request to the API may have.
    `access_log` is a file's path; empty is off. `front`: plain TCP callers are met without Twisted's transport.
    `request_deadline` and `idle_timeout` are seconds, `drain` how many a stopping daemon waits for requests in flight.
    """

    base_url: Url = Url("")
    ping_url: Literal["/ping/", "/"] = "/ping/"
    trusted_proxies: tuple[Proxies, ...] = ()
    api_body_limit: Bytes = DOOR.body_limit
    access_log: str = ""
    front: bool = DOOR.front
    max_connections: Count = DOOR.max_connections
    request_deadline: Annotated[float, Meta(ge=1, le=3600)] = DOOR.request_deadline_s
    idle_timeout: Annotated[float, Meta(ge=1, le=3600)] = DOOR.idle_timeout_s
    drain: Seconds = 10.0


class Pings(Struct, frozen=True):
    """`[pings]`: how much of a body is kept, and when a ping is too much.

    `body_limit` bytes are kept of a body, `body_cap` bytes are read before the connection is closed. `per_minute`
    pings of one check are taken (0: no limit).
    """

    body_limit: Bytes = PINGS.body_limit
    body_cap: Bytes = DOOR.body_cap
    store_bodies: Literal["text", "any"] = "text"
    per_minute: Number = PINGS.per_minute


class MailPings(Struct, frozen=True):
    """`[mail]`: `listen` has the endpoints at which pings come by mail (none: they do not).

    `domain` is what stands behind the `@` of their addresses.
    """

    listen: tuple[str, ...] = ()
    domain: Domain = Domain("")


class Monitoring(Struct, frozen=True):
    """`[monitor]`: `hold` is for how many seconds silence is not told after pingmon itself was deaf."""

    hold: Seconds = 60.0


class Outgoing(Struct, frozen=True):
    """`[outgoing]`: `allow` names private networks that probes and webhooks may reach.

    `parallel`: how many webhooks run at once.
    """

    allow: tuple[Network, ...] = ()
    parallel: Count = 64


class Smtp(Struct, frozen=True):
    """`[smtp]`: the mail server that takes what channels of kind `email` send. Without a `host` there is none.

    `port` 0 is that of `tls`: 587, 465 or 25. `password_file` holds the password in place of `password`. `from` is who
    mails come from. `verify_recipients`: whoever is to get mails has to say so first, by a link in one that asks.
    """

    host: str = ""
    port: Annotated[int, Meta(ge=0, le=65535)] = 0
    tls: Literal["starttls", "tls", "none"] = "starttls"
    user: str = ""
    password: Password = Password("")
    password_file: str = ""
    from_: Mailbox = field(default=Mailbox(""), name="from")
    verify_recipients: bool = True


class AppriseSetting(Struct, frozen=True):
    """`[apprise]`: with which `schemes` channels may use apprise; `*` is all but those that act on this machine."""

    schemes: tuple[str, ...] = ()


class CommandSetting(Struct, frozen=True):
    """`[commands]`: the programs that channels of kind `command` may run, by their absolute paths."""

    allow: tuple[Program, ...] = ()


class Sites(Struct, frozen=True):
    """`[sites]`: how sites are probed, and when they are down.

    `quorum`: how many verifiers must find a site down (0: see `Config.quorum`). `ask`: how many of them are asked at a
    time (0: all). `canaries`: URLs that are as good as always up; when they fail, pingmon is cut off and not the sites.
    `parallel` probes run at once, `per_address` of them to one address. `as_numbers`: where AS numbers come from,
    `cymru`, the path of a table of iptoasn.com, or nowhere ("").
    """

    quorum: Number = 0
    ask: Number = 0
    canaries: tuple[Page, ...] = ()
    parallel: Count = 500
    per_address: Count = 4
    as_numbers: str = ""


class VerifierSetting(Struct, frozen=True):
    """`[[verifier]]`: one that may be asked. Questions are signed with the first of its secrets; answers with any.

    Verifiers of one `region` ("": unlike all others) see much the same.
    """

    name: Annotated[str, Meta(min_length=1, max_length=100)]
    url: PeerUrl
    secret: Secrets
    region: str = ""


class Retained(Struct, frozen=True):
    """`[retention]`: how much is kept, and no ping older than `days` (0: any age).

    `pings` are kept per check, `probes` per site.
    """

    pings: Count = DEFAULT_RETENTION.pings_per_check
    days: Number = DEFAULT_RETENTION.max_age_days or 0
    probes: Count = DEFAULT_RETENTION.probes_per_site


class Limits(Struct, frozen=True):
    """`[limits]`: `checks` and `sites` per project.

    `api_requests`: how many requests of the management API a key may make in a second, on the average (0: no limit),
    and `api_burst` how many at once.
    """

    checks: Count = API.max_checks
    sites: Count = API.max_sites
    api_requests: Number = API.keys_per_second
    api_burst: Count = API.keys_at_once


class WatchdogSetting(Struct, frozen=True):
    """`[watchdog]`: who is pinged as long as this daemon does its work: `url`, a ping URL, each `every` seconds."""

    url: Url = Url("")
    every: Annotated[float, Meta(ge=1, le=86400)] = 60.0


class OperatorSetting(Struct, frozen=True):
    """`[operator]`: the `channels`, by id or name, that are told of trouble of pingmon itself.

    `hold` is for how many seconds it has to last.
    """

    channels: tuple[str, ...] = ()
    hold: Seconds = 60.0


class Log(Struct, frozen=True):
    """`[log]`: the least `level` of what pingmon logs. The option --log-level wins."""

    level: Literal["debug", "info", "warn", "error"] = "info"


class Config(Struct, frozen=True):
    """The whole file. `data` and `listen` are also options of the command line, which win."""

    data: str = "pingmon-data"
    listen: tuple[str, ...] = ()
    http: Http = Http()
    pings: Pings = Pings()
    mail: MailPings = MailPings()
    monitor: Monitoring = Monitoring()
    outgoing: Outgoing = Outgoing()
    smtp: Smtp = Smtp()
    apprise: AppriseSetting = AppriseSetting()
    commands: CommandSetting = CommandSetting()
    sites: Sites = Sites()
    verifier: tuple[VerifierSetting, ...] = ()
    retention: Retained = Retained()
    limits: Limits = Limits()
    watchdog: WatchdogSetting = WatchdogSetting()
    operator: OperatorSetting = OperatorSetting()
    log: Log = Log()

    @property
    def quorum(self) -> int:
        """How many verifiers must find a site down: two unless the file says otherwise, but no more than are asked."""
        asked = min(self.sites.ask or len(self.verifier), len(self.verifier))
        return self.sites.quorum or min(2, asked)
