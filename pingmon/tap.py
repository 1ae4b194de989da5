"""`twistd pingmon`: options, and the composition root where every part meets the others.

Only this module knows the reactor, the system's clocks and its randomness; all else is handed what it needs. It
imports the parts inside functions, so that listing plugins and choosing a reactor stay cheap and possible.
"""

from __future__ import annotations

import os
import random
import resource
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from twisted.application.service import IService
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.logger import Logger
from twisted.python import usage

from pingmon.config import BadConfig, Config, load
from pingmon.core.times import SECOND

if TYPE_CHECKING:
    from pingmon.alarms import Alarms
    from pingmon.datadir import DataDir
    from pingmon.delivery.outbox import Outbox
    from pingmon.housekeeping import Housekeeping
    from pingmon.http.api import Api
    from pingmon.journal import SqliteJournal
    from pingmon.monitor import Monitor
    from pingmon.services import Listener

PORT: Final = 8000
TICK_TOO_OLD_S: Final = 10.0
"""Age of the last look at deadlines, and lateness of one that is due, from which the daemon reports itself unwell."""
SWITCH_S: Final = 0.0005
"""How long one thread keeps the interpreter while another wants it. The journal's thread needs it for moments only, and
all pings wait for that thread: with Python's 5 ms a quarter fewer are taken per second (`bench/pings.py`)."""
OWED_TOO_LONG_S: Final = 120.0
"""Lateness of a notification from which it does; a channel's queue may wait for attempts of 30 s."""

BaseUrl: TypeAlias = Callable[[], str]

log = Logger()


class Options(usage.Options):
    """The command line of `twistd pingmon`."""

    synopsis = "[options]"
    longdesc = "Takes pings from jobs over HTTP and tells you when one fails, hangs or stays silent."

    def __init__(self) -> None:
        super().__init__()
        self["data"] = self["config"] = None
        self["listen"] = []

    def opt_data(self, directory: str) -> None:
        """Directory for the log and the keys (default: pingmon-data)"""
        self["data"] = directory

    def opt_config(self, file: str) -> None:
        """Configuration file (TOML)"""
        self["config"] = file

    def opt_listen(self, endpoint: str) -> None:
        """Endpoint to listen on, such as tcp:8000 or tls:/etc/letsencrypt/live:443; may be given several times
        (default: port 8000 on IPv4 and IPv6)"""
        self["listen"].append(endpoint)

    opt_d, opt_c, opt_l = opt_data, opt_config, opt_listen


def makeService(options: Options) -> IService:
    """The daemon, not yet started. Exits with status 1 and a line for each problem if it cannot be made."""
    from pingmon.datadir import DataDir, DataDirError
    from pingmon.services import Refused

    try:
        config = load(Path(options["config"])) if options["config"] else Config()
        listeners = [_listener(text) for text in options["listen"] or config.listen or default_endpoints()]
        data = DataDir(Path(options["data"] or config.data).absolute(), owner=_owner(options))
    except BadConfig as error:
        raise Refused("\n".join(f"pingmon: {problem}" for problem in error.problems)) from error
    except DataDirError as error:
        raise Refused(f"pingmon: {error}") from error
    return _assembled(config, data, listeners)


def _owner(options: Options) -> tuple[int, int] | None:
    """User and group that `twistd --uid --gid` will become after it has bound its ports."""
    twistd = options.parent
    uid, gid = (None, None) if twistd is None else (twistd.get("uid"), twistd.get("gid"))
    return None if uid is None and gid is None else (-1 if uid is None else uid, -1 if gid is None else gid)


def default_endpoints() -> Sequence[str]:
    """Port 8000 on every address of this machine, as its kernel can do it."""
    if not socket.has_ipv6:
        return [f"tcp:{PORT}"]
    both = rf"tcp:{PORT}:interface=\:\:"
    return [both] if socket.has_dualstack_ipv6() else [f"tcp:{PORT}", both]


def _assembled(config: Config, data: DataDir, listeners: Sequence[Listener]) -> IService:
    from twisted.internet import reactor

    from pingmon.alarms import Alarms
    from pingmon.clock import Timekeeper, steady_seconds
    from pingmon.core.parts import Outcome
    from pingmon.housekeeping import Housekeeping
    from pingmon.http.door import Door, DoorSettings
    from pingmon.http.keys import new_id
    from pingmon.http.ping import PingResource, PingSettings
    from pingmon.http.root import Root
    from pingmon.journal import Retention, SqliteJournal
    from pingmon.monitor import Monitor
    from pingmon.services import Daemon

    sys.setswitchinterval(SWITCH_S)
    clock: Any = reactor
    retention = Retention(config.retention.pings, config.retention.days or None)
    journal: SqliteJournal[Outcome] = SqliteJournal(data.journal, reactor=clock, retention=retention)
    monitor = Monitor(journal, Timekeeper(clock.seconds, steady_seconds), hold_s=config.monitor.hold)
    alarms = Alarms(monitor, clock)
    configured = config.http.base_url.rstrip("/")
    outbox = _outbox(config, monitor, journal, clock, lambda: configured or base_url_of(listeners))
    pings = PingSettings(
        body_limit=config.pings.body_limit,
        store_bodies=config.pings.store_bodies,
        max_checks=config.limits.checks,
        per_minute=config.pings.per_minute,
    )
    housekeeping = Housekeeping(monitor, journal, clock)
    api = _api(config, monitor, journal, lambda: problems(monitor, alarms, housekeeping, outbox))
    root = Root(PingResource(monitor, pings, new_id=lambda: new_id(os.urandom)), monitor, api.resource())
    door_settings = DoorSettings(
        request_deadline_s=config.http.request_deadline,
        idle_timeout_s=config.http.idle_timeout,
        max_connections=_with_room_for(config.http.max_connections),
        body_cap=config.pings.body_cap,
        trusted_proxies=config.http.trusted_proxies,
    )
    door = Door(root, door_settings, clock, _access_log(config, monitor, clock))
    door.noisy = False
    return Daemon(
        data=data,
        monitor=monitor,
        alarms=alarms,
        housekeeping=housekeeping,
        outbox=outbox,
        door=door,
        factory=door,
        listeners=listeners,
        drain_s=config.http.drain,
        started=lambda bound: _greeted(config, monitor, data, bound),
    )


def problems(monitor: Monitor, alarms: Alarms, housekeeping: Housekeeping, outbox: Outbox) -> list[str]:
    """What keeps the daemon from doing its work; empty if it is well. Anybody may read it: details are in the log."""
    now, found = monitor.now(), []
    if monitor.journal.health().failing_since is not None or monitor.deaf_since is not None:
        found.append("the journal takes no events")
    if housekeeping.damage is not None:
        found.append("the journal is damaged")
    if monitor.time.steady() - alarms.last_tick > TICK_TOO_OLD_S:
        found.append("deadlines are not being looked at")
    if alarms.overdue(now) > TICK_TOO_OLD_S * SECOND and monitor.deaf_since is None:
        found.append(f"a deadline is overdue by {alarms.overdue(now) / SECOND:.0f} s")
    if outbox.overdue(now) > OWED_TOO_LONG_S * SECOND:
        found.append(f"a notification is overdue by {outbox.overdue(now) / SECOND:.0f} s")
    if monitor.time.steady() - outbox.last_tick > TICK_TOO_OLD_S:
        found.append("notifications are not being looked at")
    return found


def _outbox(config: Config, monitor: Monitor, journal: SqliteJournal[Any], clock: Any, base_url: BaseUrl) -> Outbox:
    from ipaddress import ip_network

    from pingmon.core.addresses import AddressPolicy
    from pingmon.core.parts import Subject
    from pingmon.core.site import Site
    from pingmon.delivery.egress import Egress
    from pingmon.delivery.outbox import Outbox
    from pingmon.delivery.webhook import Webhook
    from pingmon.probes.lookups import LookupFailed
    from pingmon.probes.resolver import Resolver
    from pingmon.wire.checks import View, check_json
    from pingmon.wire.sites import SiteView, site_json

    async def last_body(check: str) -> bytes:
        newest = await journal.pings(check, upto=monitor.world.seq, limit=1)
        return (newest[0][1].payload or b"") if newest else b""

    def shown(subject: Subject, now: int) -> dict[str, object]:
        base, world = base_url(), monitor.world
        if isinstance(subject, Site):
            url = f"{base}/api/v3/sites/{subject.id}"
            return site_json(subject, SiteView(url, now, world.host_of(subject)))
        return check_json(subject, View(3, False, base, base + config.http.ping_url, now, world.daemon.deaf))

    resolver = Resolver(clock)

    async def addresses(name: str) -> Sequence[str]:
        try:
            return (await resolver.addresses(name)).addresses
        except LookupFailed:
            return ()

    policy = AddressPolicy(tuple(map(ip_network, config.outgoing.allow)))
    kinds = {"webhook": Webhook(Egress(clock, policy, addresses=addresses), shown, last_body)}
    return Outbox(monitor, kinds, clock, random.random, max_parallel=config.outgoing.parallel)


def _api(config: Config, monitor: Monitor, journal: SqliteJournal[Any], health: Callable[[], list[str]]) -> Api:
    from pingmon.http.api import Api
    from pingmon.http.api_call import ApiSettings

    settings = ApiSettings(
        base_url=config.http.base_url.rstrip("/"),
        ping_path=config.http.ping_url,
        keys_per_second=config.limits.api_requests,
        max_checks=config.limits.checks,
    )
    return Api(monitor, journal, settings, health=health, random_bytes=os.urandom)


def _access_log(config: Config, monitor: Monitor, clock: Any) -> Any:
    from pingmon.http.access_log import AccessLog

    if not config.http.access_log:
        return None
    return AccessLog(Path(config.http.access_log), monitor.world.ping_keys.__contains__, clock)


def _greeted(config: Config, monitor: Monitor, data: DataDir, listeners: Sequence[Listener]) -> Deferred[None]:
    from pingmon.first_run import first_run

    for listener in listeners:
        log.info("listening on {endpoint}", endpoint=listener.description)
    base_url = config.http.base_url.rstrip("/") or base_url_of(listeners)
    return Deferred.fromCoroutine(first_run(monitor, data, base_url, os.urandom))


def base_url_of(listeners: Sequence[Listener]) -> str:
    """How a client on this machine reaches the first of `listeners` that has a port."""
    for listener in listeners:
        host = None if listener.port is None else listener.port.getHost()
        port = getattr(host, "port", None)
        if port is None:
            continue
        secure = listener.description.startswith(("ssl:", "tls:"))
        address = getattr(host, "host", "")
        name = "localhost" if address in ("0.0.0.0", "::", "") else f"[{address}]" if ":" in address else address
        return f"{'https' if secure else 'http'}://{name}:{port}"
    return "http://localhost"


def _listener(description: str) -> Listener:
    from twisted.internet import reactor

    from pingmon.services import Listener, Refused

    try:
        return Listener(description, serverFromString(reactor, description))
    except Exception as error:
        # Endpoint parsers are plugins and raise whatever they like at text that they cannot read.
        raise Refused(f"pingmon: cannot listen on {description}: {error or type(error).__name__}") from error


def _with_room_for(connections: int) -> int:
    """`connections`, after raising this process's limit of open files as far as it may and needs to be."""
    from pingmon.http.places import RESERVE

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + RESERVE
    if soft != resource.RLIM_INFINITY and soft < wanted:
        raised = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, raised), hard))
    return connections
