"""`pingmon run`: runs a command as a job that is watched.

Cron starts this once a minute and more, so it must be fast: what is imported here is little, and none of it Twisted or
click (`tests/cli/test_run.py` holds the list). Nothing that is wrong with pings keeps the job from running.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from types import FrameType
from typing import Final, NoReturn

from pingmon.cli.client_settings import DEFAULT_URL, BadSettings, ClientSettings, client_settings
from pingmon.cli.durations import seconds_of
from pingmon.cli.job import Ended, Job
from pingmon.cli.job_pings import BadTarget, JobPings, ping_url

RETRY_S: Final = 30

DESCRIPTION: Final = """\
Run COMMAND, and tell pingmon when it starts and how it ends.

The command's output passes through, and its last 10,000 bytes go with the last ping. The exit status is the command's
own. If pingmon cannot be reached, the command runs all the same."""

EPILOG: Final = """\
CHECK is a ping URL, a check's UUID, or a slug. A slug needs the project's ping key.

  pingmon run 5bf66975-d4c7-4bf5-bcc8-b8d8a82ea278 /usr/local/bin/backup --full
  pingmon run --create --timeout 2h nightly-backup sh -c 'dump | gzip > /backup/db.gz'

settings, also in ~/.config/pingmon/client.toml (url = "…", ping_key = "…"):
  PINGMON_URL       where pingmon is, http://localhost:8000 if nothing is said
  PINGMON_PING_KEY  the project's ping key

exit status:
  the command's own; 128 + n if signal n ended it; 124 if --timeout did;
  126 if it cannot be executed, 127 if it was not found; 2 if this was mistyped
  It is what the last ping says, too."""


def _duration(text: str) -> int:
    try:
        return seconds_of(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pingmon run",
        usage="pingmon run [OPTIONS] CHECK COMMAND [ARGUMENT]...",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        add_help=False,
    )
    add = parser.add_argument
    add("check", metavar="CHECK", help=argparse.SUPPRESS)
    add("command", metavar="COMMAND", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    add("--url", metavar="URL", help="Where pingmon is (PINGMON_URL).")
    add("--ping-key", metavar="KEY", help="The project's ping key, for a slug (PINGMON_PING_KEY).")
    add("--create", action="store_true", help="Make a check with this slug if there is none.")
    add("--timeout", metavar="TIME", type=_duration, help="End the command after this time: 90, 30m, 2h.")
    add("--retry-for", metavar="TIME", type=_duration, default=RETRY_S, help="For how long a ping is tried; 30s.")
    add("--no-start", action="store_true", help="Do not tell the start.")
    add("--no-output", action="store_true", help="Do not send the output.")
    add("-q", "--quiet", action="store_true", help="Do not show the output, only send it.")
    add("-h", "--help", action="help", help="Show this message and exit.")
    return parser


def main(arguments: Sequence[str]) -> NoReturn:
    """Run the job that `arguments` describe, and exit with its status."""
    parser = _options()
    given = parser.parse_args(arguments)
    command = given.command[1:] if given.command[:1] == ["--"] else given.command
    if not command:
        parser.error("which command? Write it behind the check")
    if command[0].startswith("-"):
        parser.error(f"{command[0]} is behind the check: options of pingmon run stand before it")
    if given.timeout == 0:
        parser.error("--timeout 0 would end the command before it begins")
    for fd in (0, 1, 2):  # else a pipe or a connection would get the number, and be taken for the output
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    pings, trouble = _pings(given)
    if pings is not None and not given.no_start:
        pings.start()
    ended = Job(command, timeout_s=given.timeout, quiet=given.quiet).run()
    if pings is not None:
        trouble = _finish(pings, ended, given.no_output)
    if trouble is not None:
        _say(f"pingmon run: pingmon was not told of this job: {trouble}")
    sys.exit(ended.status)


def _pings(given: argparse.Namespace) -> tuple[JobPings | None, str | None]:
    """What sends the pings; or why none can be sent."""
    settings, trouble = ClientSettings(), None
    try:
        settings = client_settings(os.environ)
    except BadSettings as error:
        trouble = str(error)
    try:
        url = ping_url(given.check, given.url or settings.url or DEFAULT_URL, given.ping_key or settings.ping_key)
    except BadTarget as error:
        return None, trouble or str(error)
    return JobPings(url, create=given.create, retry_s=given.retry_for), trouble


class _Hurried(Exception):
    """A signal came while the last ping was sent: whoever sent it wants an end."""


def _finish(pings: JobPings, ended: Ended, no_output: bool) -> str | None:
    def hurry(number: int, frame: FrameType | None) -> None:
        raise _Hurried

    try:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, hurry)
        return pings.finish(ended.status, b"" if no_output else ended.output)
    except _Hurried:
        return "ended by a signal before it was"


def _say(line: str) -> None:
    text = "".join(char if char.isprintable() else "?" for char in line) + "\n"
    with suppress(OSError):
        os.write(2, text.encode("utf-8", "replace"))
