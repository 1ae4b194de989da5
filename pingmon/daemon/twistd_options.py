"""What the command lines of `twistd pingmon` and `twistd pingmon-verifier` have in common."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NoReturn, get_args

from twisted.python import usage

from pingmon import __version__
from pingmon.daemon.log_level import Level


def keep_hangups() -> None:
    """Have a SIGHUP wait until the service takes it (`listening`): while a daemon starts it would end it, unheard."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})


class DaemonOptions(usage.Options):
    """Options of a plugin of `twistd`. What is wrong with them ends the process with one line."""

    program: ClassVar[str]
    synopsis = "[options]"

    def __init__(self) -> None:
        super().__init__()
        self["log-level"] = None

    def opt_log_level(self, level: str) -> None:
        """How much is logged: debug, info (the default), warn or error"""
        levels = get_args(Level)
        if level not in levels:
            raise usage.UsageError(f"--log-level: one of {', '.join(levels)} is needed")
        self["log-level"] = level

    def opt_version(self) -> NoReturn:
        """Show the version and end"""
        print(f"{self.program} {__version__}")
        sys.exit(0)

    def parseArgs(self, *words: str) -> None:
        """There are only options."""
        if words:
            raise usage.UsageError(f"{words[0]!r} is no option")

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Read the command line. Exits with status 1."""
        try:
            super().parseOptions(options)
        except usage.UsageError as error:
            sys.exit(f"{self.program}: {error}; see twistd {self.program} --help")

    def postOptions(self) -> None:
        """Refuse files that `twistd` could not write, and would find out too late. Exits with status 1.

        With `--chroot` nobody knows yet where its pidfile will be.
        """
        twistd: Mapping[str, Any] = self.parent or {}
        background = "nodaemon" in twistd and not (twistd["nodaemon"] or twistd.get("syslog"))
        for option in ("logfile", "pidfile"):
            text = twistd.get(option) or ("twistd.log" if option == "logfile" and background else "")
            if not text or text == "-" or (option == "pidfile" and twistd.get("chroot")):
                continue
            file = Path(twistd.get("rundir") or ".") / text if option == "pidfile" else Path(text)
            if not file.parent.is_dir():
                sys.exit(f"{self.program}: --{option} {text}: there is no directory {file.parent}")
            if file.is_dir():
                sys.exit(f"{self.program}: --{option} {text}: it is a directory")
            if not os.access(file if file.exists() else file.parent, os.W_OK):
                sys.exit(f"{self.program}: --{option} {text}: {file} cannot be written")
