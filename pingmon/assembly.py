"""The composition root: where every part of the daemon meets the others.

Only `tap` knows the reactor, and only this module the system's clocks and its randomness; all else is handed what it
needs.
"""

from __future__ import annotations

import os
import random
import socket
import sys
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from importlib.util import find_spec
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Final, TypeAlias

from msgspec.structs import replace
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from pingmon import __version__
from pingmon.alarms import Alarms
from pingmon.api.api import Api
from pingmon.api.call import ApiSettings
from pingmon.api.credentials import new_id
from pingmon.core.address_policy import AddressPolicy
from pingmon.core.notify.allowed import Allowed
from pingmon.core.world.outcome import Outcome
from pingmon.daemon.config import Config
from pingmon.daemon.config_reload import Reload, Taker
from pingmon.daemon.control_socket import Control, owners_door
from pingmon.daemon.data_directory import DataDir
from pingmon.daemon.first_run import FirstStart
from pingmon.daemon.health_problems import Parts, grave_problems, problems, unsure
from pingmon.daemon.health_warnings import warnings
from pingmon.daemon.housekeeping import Housekeeping
from pingmon.daemon.log_level import LogFilter
from pingmon.daemon.metrics import DaemonMetrics
from pingmon.daemon.ports import Listener, base_url_of, only_by_socket
from pingmon.daemon.redaction import redacted
from pingmon.daemon.resource_tree import Root, voice
from pingmon.daemon.service import Daemon, Part
from pingmon.daemon.startup_errors import StartupRefused
from pingmon.daemon.trouble_watch import TroubleWatch
from pingmon.daemon.watchdog import Watchdog
from pingmon.delivery.advice import Advice
from pingmon.delivery.channel_kinds import channel_kinds
from pingmon.delivery.confirmations import Confirmations
from pingmon.delivery.email import MailRoute
from pingmon.delivery.outage_reviews import OutageReviews
from pingmon.delivery.outbox import Outbox
from pingmon.delivery.test_messages import ChannelTester
from pingmon.dns.resolver import Resolver
from pingmon.dns.results import LookupFailed
from pingmon.door.access_log import AccessLog
from pingmon.door.connection_places import make_room
from pingmon.door.door import Door
from pingmon.door.http_dates import Dates
from pingmon.door.limits import DoorSettings
from pingmon.door.public_url import ShownUrl
from pingmon.journal import Journal, Retention, journal_at
from pingmon.monitor import Monitor
from pingmon.outgoing.mail_submission import PORTS, MailServer
from pingmon.outgoing.passage import Addresses, Egress, EgressError
from pingmon.outgoing.tls_trust import Trust
from pingmon.pings.intake import PingIntake, PingSettings
from pingmon.pings.mail_intake import CONNECTIONS, MailIntake
from pingmon.probe.prober import Prober
from pingmon.sites.as_numbers import Cymru, load
from pingmon.sites.host_detection import HostDetection
from pingmon.sites.host_lookup import HostLookup, Origins
from pingmon.sites.own_health import Health
from pingmon.sites.partner_inquiries import Inquiries
from pingmon.sites.partner_requests import Partners
from pingmon.sites.rounds import ROUNDS, Rounds
from pingmon.sites.site_watch import SiteWatch
from pingmon.sites.stand_ins import StandIns
from pingmon.timing.clock import Timekeeper, steady_seconds, wall_seconds
from pingmon.verify.configured_verifier import Peer
from pingmon.verify.verifier_health import PeerHealth
from pingmon.verify.verifiers import Send, Verifiers, sender
from pingmon.web.badges import Badges
from pingmon.web.home import Home
from pingmon.web.links import Links
from pingmon.wire.message.links import PREFIX
from pingmon.wire.message.signatures import BadSecret, secret
from pingmon.wire.outgoing_request import Unsendable

SWITCH_S: Final = 0.0005
"""How long one thread keeps the interpreter while another wants it. The journal's thread needs it for moments only, and
all pings wait for that thread: with Python's 5 ms a quarter fewer are taken per second (`bench/pings.py`)."""

BaseUrl: TypeAlias = Callable[[], str]


def assembled(
    reactor: Any,
    config: Config,
    data: DataDir,
    listeners: Sequence[Listener],
    mail_listeners: Sequence[Listener] = (),
    *,
    started: Callable[[], object],
    read: Callable[[], Config] | None,
) -> Daemon:
    """The daemon, not yet started; it calls `started` when it is. Raises `StartupRefused`.

    `reactor` is asked for timers, sockets, threads and the time; `read` reads the configuration file again, if
    there is one.
    """
    sys.setswitchinterval(SWITCH_S)
    retention = Retention(config.retention.pings, config.retention.days or None, config.retention.probes)
    journal: Journal[Outcome] = journal_at(data.journal, reactor=reactor, retention=retention, begun=data.begun)
    monitor = Monitor(journal, Timekeeper(wall_seconds, steady_seconds), hold_s=config.monitor.hold)
    configured = config.http.base_url.rstrip("/")

    def base_url() -> str:
        return configured or base_url_of(listeners)

    def certificates() -> Sequence[tuple[str, int]]:
        served = (each.certificates for each in listeners)
        return [(each.where, each.ends) for each in served if each is not None]

    parts, take_parts = _parts(reactor, config, monitor, journal, base_url, partial(_space, data.path), certificates)
    access_log = _access_log(config, monitor)
    pings = PingIntake(parts.monitor, _ping_settings(config), new_id=lambda: new_id(os.urandom))
    mail = _mail(reactor, config, monitor, pings, mail_listeners)
    metrics = DaemonMetrics(parts, pings, data.journal, reactor).text
    root, take_limits = _root(reactor, config, parts, journal, metrics)
    door = _door(reactor, config, root, pings, access_log)
    parts.alarms.behind = door.behind
    owners_url = ShownUrl(configured, lambda: base_url_of(listeners))
    owners_root, take_owners_limits = _root(reactor, config, parts, journal, metrics, owners_url)
    control = Control(reactor, data.control, owners_door(reactor, owners_root, pings))
    levels = LogFilter(config.log.level)
    first = FirstStart(
        monitor, data, base_url, over=lambda: "" if configured else only_by_socket(listeners), random=os.urandom
    )

    def prepare() -> Deferred[None]:
        try:
            access_log.begin()
        except OSError as error:
            raise StartupRefused(f"http.access_log: {config.http.access_log}: {error.strerror}") from error
        return first.prepare()

    def take(new: Config) -> None:
        pings.settings = replace(pings.settings, max_checks=new.limits.checks)
        levels.level = new.log.level
        access_log.move(_path(new.http.access_log))

    def begun() -> None:
        first.tell()
        started()

    return Daemon(
        reactor=reactor,
        log_filter=levels,
        data=data,
        monitor=monitor,
        watchers=(parts.housekeeping, parts.alarms, parts.reviews, parts.hosts, parts.site_watch),
        tellers=(parts.outbox, parts.confirmations, parts.inquiries, parts.watchdog, parts.troubles, control, *mail),
        door=door,
        factory=door,
        listeners=[*listeners, *mail_listeners],
        drain_s=config.http.drain,
        prepare=prepare,
        started=begun,
        reload=Reload(read, config, [take_parts, take_limits, take_owners_limits, take]),
    )


# --- the parts ----------------------------------------------------------------------------------------------------


def _parts(
    reactor: Any,
    config: Config,
    monitor: Monitor,
    journal: Journal[Outcome],
    base_url: BaseUrl,
    disk_space: Callable[[], tuple[int, int]],
    certificates: Callable[[], Sequence[tuple[str, int]]],
) -> tuple[Parts, Taker]:
    policy = _policy(config)
    resolver, trust = Resolver(reactor), Trust()
    addresses = addresses_by(resolver)
    egress = Egress(reactor, trust, addresses, policy)
    hosts = HostDetection(monitor, HostLookup(resolver, reactor, _origins(config, resolver)), reactor)
    prober = Prober(
        reactor,
        resolver,
        policy,
        trust,
        now=monitor.now,
        max_in_flight=config.sites.parallel,
        per_address=config.sites.per_address,
    )
    send = sender(reactor, trust, addresses)
    own_health = Health(prober, config.sites.canaries, monitor.time.steady)
    rounds = Rounds(
        monitor,
        prober,
        own_health,
        stand_ins=StandIns(prober, random.Random()),
        verifiers=_verifiers(config, send, reactor, monitor.now),
        quorum=config.quorum,
        address_seen=hosts.address_seen,
    )
    mail = _mail_route(reactor, config, trust, addresses)
    allowed, ping_path = _allowed(config), config.http.ping_url
    kinds = channel_kinds(monitor.world, journal, egress, base_url, ping_path, mail, reactor=reactor, allowed=allowed)
    advice = Advice(monitor.world, journal, reactor)
    confirmations = Confirmations(monitor, kinds, reactor, random.random)
    outbox = Outbox(monitor, kinds, reactor, random.random, advice=advice, max_parallel=config.outgoing.parallel)

    troubles = TroubleWatch(monitor, lambda: [*problems(parts), *warnings(parts)], lambda: unsure(parts), reactor)
    watchdog = Watchdog(send, lambda: grave_problems(parts), reactor, monitor.time.steady)

    def take(new: Config) -> None:
        nonlocal config
        _watch(watchdog, new)
        troubles.take(new.operator.channels, new.operator.hold)
        if (new.verifier, new.sites.ask, new.quorum) != (config.verifier, config.sites.ask, config.quorum):
            rounds.verifiers, rounds.quorum = _verifiers(new, send, reactor, monitor.now), new.quorum
        egress.policy = prober.policy = _policy(new)
        config = new

    def verifier_health() -> Sequence[PeerHealth]:
        return rounds.verifiers.health() if isinstance(rounds.verifiers, Verifiers) else ()

    parts = Parts(
        monitor=monitor,
        alarms=Alarms(monitor, reactor),
        reviews=OutageReviews(monitor, reactor),
        housekeeping=Housekeeping(monitor, journal, reactor),
        outbox=outbox,
        tester=ChannelTester(monitor, kinds, reactor),
        confirmations=confirmations,
        inquiries=Inquiries(monitor, Partners(egress, monitor.now), reactor),
        hosts=hosts,
        site_watch=SiteWatch(monitor, rounds, own_health, reactor),
        rounds=rounds,
        prober=prober,
        watchdog=watchdog,
        troubles=troubles,
        verifier_health=verifier_health,
        disk_space=disk_space,
        certificates=certificates,
    )
    troubles.take(config.operator.channels, config.operator.hold)
    _watch(watchdog, config)
    return parts, take


def _space(path: Path) -> tuple[int, int]:
    """How many bytes are free on the disk of `path` for this process, and how many it has."""
    disk = os.statvfs(path)
    return disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize


def _watch(watchdog: Watchdog, config: Config) -> None:
    try:
        watchdog.take(config.watchdog.url, config.watchdog.every)
    except Unsendable as error:
        raise StartupRefused(f"watchdog.url: {error}") from error


def addresses_by(resolver: Resolver) -> Addresses:
    """How the parts that send something find the addresses of a name."""

    async def addresses(name: str) -> Sequence[str]:
        try:
            return (await resolver.reachable(name)).addresses
        except LookupFailed as error:
            raise EgressError(f"could not resolve host: {error}") from error

    return addresses


def _mail_route(reactor: Any, config: Config, trust: Trust, addresses: Addresses) -> MailRoute | None:
    """How mails leave; the operator's server may be at any address. None if none is named."""
    smtp = config.smtp
    if not smtp.host:
        return None
    try:
        password = Path(smtp.password_file).read_text("utf-8").strip() if smtp.password_file else smtp.password
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "is not text"
        raise StartupRefused(f"smtp.password_file: {smtp.password_file}: {why}") from error
    port = smtp.port or PORTS[smtp.tls]
    server = MailServer(smtp.host, port, smtp.tls, smtp.user, password, socket.gethostname())
    return MailRoute(Egress(reactor, trust, addresses, None), server, smtp.from_)


def _policy(config: Config) -> AddressPolicy:
    return AddressPolicy(tuple(map(ip_network, config.outgoing.allow)))


def _allowed(config: Config) -> Allowed:
    return Allowed(_policy(config), config.apprise.schemes if find_spec("apprise") else None, config.commands.allow)


def _verifiers(config: Config, send: Send, clock: IReactorTime, now: Callable[[], int]) -> Verifiers | None:
    peers = []
    for number, each in enumerate(config.verifier):
        try:
            secrets = tuple(map(secret, each.secret))
            peers.append(Peer(each.name, each.url, secrets, each.region))
        except (BadSecret, ValueError) as error:
            raise StartupRefused(f"verifier[{number}]: {error}") from error
    if not peers:
        return None
    ask, quorum = config.sites.ask or None, config.quorum
    return Verifiers(send, clock, peers, now=now, new_id=lambda: os.urandom(16).hex(), ask=ask, quorum=quorum)


def _origins(config: Config, resolver: Resolver) -> Origins | None:
    source = config.sites.as_numbers
    if source in ("", "cymru"):
        return Cymru(resolver) if source else None
    try:
        return load(Path(source))
    except OSError as error:
        raise StartupRefused(f"sites.as_numbers: {source}: {error.strerror}") from error
    except ValueError as error:
        raise StartupRefused(f"sites.as_numbers: {source}: {error}") from error


# --- the door -----------------------------------------------------------------------------------------------------


def _door(reactor: Any, config: Config, root: Root, pings: PingIntake, access_log: AccessLog) -> Door:
    mail_connections = CONNECTIONS if config.mail.listen else 0
    settings = DoorSettings(
        request_deadline_s=config.http.request_deadline,
        idle_timeout_s=config.http.idle_timeout,
        max_connections=config.http.max_connections,
        body_limit=config.http.api_body_limit,
        body_cap=config.pings.body_cap,
        trusted_proxies=config.http.trusted_proxies,
        front=config.http.front,
        other_files=2 * config.sites.parallel + ROUNDS * len(config.verifier) + mail_connections,
    )
    make_room(settings.max_connections, settings.other_files)
    return Door(root, settings, reactor, Dates(wall_seconds), intake=pings, voice=voice, access_log=access_log)


def _mail(
    reactor: Any, config: Config, monitor: Monitor, pings: PingIntake, listeners: Sequence[Listener]
) -> Sequence[Part]:
    """What takes pings by mail; nothing if nobody listens for any. Raises `StartupRefused`."""
    if not listeners:
        return ()
    from pingmon.pings.smtp import SmtpServer  # see there why not always

    intake = MailIntake(monitor, _ping_settings(config), pings.rates, pings.answered)
    server = SmtpServer(intake, config.mail.domain, reactor)
    for each in listeners:
        if each.behind_proxy:
            raise StartupRefused(f"mail.listen: {each.description}: no PROXY header is read before mail")
        each.factory = server
    return (server,)


def _root(
    reactor: Any,
    config: Config,
    parts: Parts,
    journal: Journal[Outcome],
    metrics: Callable[[], Awaitable[str]],
    owners_url: ShownUrl | None = None,
) -> tuple[Root, Taker]:
    """All resources; with `owners_url` those for the daemon's owner, who needs no key."""
    monitor = parts.monitor
    api_settings = _api_settings(config)
    api = Api(
        monitor,
        journal,
        api_settings,
        health=lambda: problems(parts),
        operator=lambda: (warnings(parts), parts.troubles.told()),
        clock=reactor,
        probes=parts.site_watch,
        tests=parts.tester,
        confirmations=parts.confirmations,
        random_bytes=os.urandom,
        keyless=owners_url is not None,
        url=owners_url,
    )
    root = Root(api.resource())
    root.putChild(b"", Home(__version__, ShownUrl(api_settings.base_url), lambda: problems(parts)))
    api.mount_scrapes(root, metrics)
    Badges(monitor, reactor).mount(root)
    root.putChild(PREFIX.encode(), Links(monitor))

    def take(new: Config) -> None:
        api.take(replace(_api_settings(config), **_limits(new), allowed=_allowed(new)))

    return root, take


def _ping_settings(config: Config) -> PingSettings:
    return PingSettings(
        body_limit=config.pings.body_limit,
        store_bodies=config.pings.store_bodies,
        max_checks=config.limits.checks,
        per_minute=config.pings.per_minute,
    )


def _api_settings(config: Config) -> ApiSettings:
    base_url = config.http.base_url.rstrip("/")
    return ApiSettings(
        base_url=base_url,
        allowed=_allowed(config),
        ping_path=config.http.ping_url,
        verify_receivers=config.smtp.verify_recipients,
        **_limits(config),
    )


def _limits(config: Config) -> dict[str, Any]:
    limits = config.limits
    return {
        "keys_per_second": limits.api_requests,
        "keys_at_once": limits.api_burst,
        "max_checks": limits.checks,
        "max_sites": limits.sites,
    }


def _access_log(config: Config, monitor: Monitor) -> AccessLog:
    hidden = partial(redacted, is_key=monitor.world.ping_keys.__contains__)
    return AccessLog(_path(config.http.access_log), hidden, Dates(wall_seconds))


def _path(text: str) -> Path | None:
    return Path(text).absolute() if text else None
