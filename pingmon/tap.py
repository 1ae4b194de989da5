"""`twistd pingmon`: its options, and how they become a daemon (`assembly`).

The parts are imported inside functions, so that listing plugins and choosing a reactor stay cheap and possible.
"""

from __future__ import annotations

import socket
import stat
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

from msgspec.structs import replace
from twisted.application.service import IService
from twisted.logger import Logger

from pingmon.daemon.config import Config, Log
from pingmon.daemon.config_file import BadConfig, load
from pingmon.daemon.twistd_options import DaemonOptions, keep_hangups

PORT: Final = 8000

log = Logger()


class PingmonOptions(DaemonOptions):
    """The command line of `twistd pingmon`."""

    program = "pingmon"
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


Options = PingmonOptions
"""Under this name `ServiceMaker` looks for it."""


def makeService(options: PingmonOptions) -> IService:
    """The daemon, not yet started. Exits with status 1 and a line for each problem if it cannot be made."""
    keep_hangups()
    from twisted.internet import reactor

    from pingmon.assembly import assembled
    from pingmon.daemon.data_directory import DataDir, DataDirError
    from pingmon.daemon.endpoints import listener
    from pingmon.daemon.listening import stopping_once
    from pingmon.daemon.startup_errors import StartupRefused, Told
    from pingmon.timing.clock import steadied

    options["config"] = options["config"] and str(Path(options["config"]).absolute())
    clock = steadied(reactor)
    with Told("pingmon", options) as told:
        try:
            config = configured(options)
            endpoints = options["listen"] or config.listen or default_endpoints()
            listeners = [listener(clock, text) for text in endpoints]
            mail_listeners = [listener(clock, text) for text in config.mail.listen]
            data = DataDir(Path(options["data"] or config.data).absolute(), owner=_owner(options))
        except (BadConfig, DataDirError) as error:
            raise StartupRefused(str(error)) from error
        stopping_once(reactor)
        read = partial(configured, options) if options["config"] else None
        return assembled(clock, config, data, listeners, mail_listeners, started=told.started, read=read)


def configured(options: PingmonOptions) -> Config:
    """The configuration file, with the options that win over it. Raises BadConfig.

    A file with secrets in it that others may read is warned of.
    """
    config = load(Path(options["config"])) if options["config"] else Config()
    if config.verifier and Path(options["config"]).stat().st_mode & stat.S_IROTH:
        log.warn("everybody may read {file}, which has secrets in it; chmod o-rwx {file}", file=options["config"])
    return replace(config, log=Log(options["log-level"])) if options["log-level"] else config


def _owner(options: PingmonOptions) -> tuple[int, int] | None:
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
