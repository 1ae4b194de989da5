"""`pingmon crontab`: proposes checks for the jobs of a crontab or of systemd's timers, and their lines with pings.

It reads, and writes what it proposes; no crontab and no unit is ever changed in place.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias
from zoneinfo import available_timezones

import click
from msgspec import Struct

from pingmon.cli import systemd_timers as timers
from pingmon.cli.client_settings import DEFAULT_URL
from pingmon.cli.connection import connection_options, opened, settings
from pingmon.cli.crontab import CRON_PATH, CronJob, CronLine, job_name, parsed, printed, with_curl, with_run
from pingmon.cli.durations import duration_text
from pingmon.cli.field_options import Duration
from pingmon.cli.job_checks import JobCheck, Names, as_file, expected, judge
from pingmon.cli.job_pings import BadTarget, ping_url
from pingmon.cli.tables import printable
from pingmon.core.units import SECOND
from pingmon.timing.clock import wall_seconds
from pingmon.wire.api.check_fields import Invalid

Targets: TypeAlias = Mapping[str, str]
"""By where a job stands: the slug or the URL that it pings."""

_SLUG_LIKE: Final = re.compile("[a-z0-9_-]{2,}")
NO_CLOCK: Final = "no clock says when"


class ScheduledJob(Struct, frozen=True):
    """A job: where it stands, what it is called, the fields of its check; or why it is left alone."""

    where: str
    name: str
    fields: dict[str, Any] = {}
    trouble: str = ""


class Proposal(Struct, frozen=True):
    """What was read. `watched` is the text of what pings already; `edited` writes all with pings to some targets."""

    found: list[ScheduledJob]
    watched: str
    edited: Callable[[Targets], str]


@click.command()
@click.argument("files", nargs=-1, metavar="[FILE]...")
@click.option("--system/--user", default=None, help="Whether a user stands before each command, as in /etc/crontab.")
@click.option("--systemd", is_flag=True, help="The timers of this machine, all or those that are named.")
@click.option(
    "--with",
    "style",
    type=click.Choice(["run", "curl"]),
    default="run",
    show_default=True,
    help="What sends the pings.",
)
@click.option("--tz", help="The zone of the schedules; this machine's if not said.")
@click.option("--host", help="Part of names and slugs, and a tag; this machine's name if not said, '' for none.")
@click.option("--grace", type=Duration(), default="1h", show_default=True, help="How late a job may be, or how long.")
@click.option("--write", "out", type=click.Path(dir_okay=False, path_type=Path), help="Write the lines to this file.")
@click.option("--checks", type=click.Path(dir_okay=False, path_type=Path), help="Write checks for pingmon apply.")
@click.option("--create", is_flag=True, help="Make the checks now; the lines have their ping URLs then.")
@connection_options("project")
def crontab(
    files: Sequence[str],
    system: bool | None,
    systemd: bool,
    style: str,
    tz: str | None,
    host: str | None,
    grace: int,
    out: Path | None,
    checks: Path | None,
    create: bool,
    **connection: Any,
) -> None:
    """Propose checks for the jobs of a crontab, and write it with pings to standard output.

    FILE is a crontab, - for standard input, or a .timer unit; the user's own crontab (crontab -l) if nothing is said.
    Nothing is changed in place. What is proposed is told on standard error; --create makes the checks, and may be
    repeated.

    \b
    pingmon crontab                                      # look at it
    pingmon crontab --create --write new && crontab new
    pingmon crontab /etc/cron.d/backup --with curl --create
    pingmon crontab --systemd backup.timer --create
    """
    for target in filter(None, (out, checks)):
        if any(target.exists() and Path(file).exists() and target.samefile(file) for file in files):
            raise click.UsageError(f"{target} is what is read; take another name, and look at it first")
    if systemd or any(file.endswith(".timer") for file in files):
        proposal = _timers(files, systemd, style, tz or _zone())
    else:
        proposal = _crontab(files, system, style, tz or _zone())
    name = socket.gethostname().partition(".")[0] if host is None else host
    if create:
        wanted, targets = _created(proposal, name, grace, connection)
    else:
        wanted = _checks(proposal, Names(name, _SLUG_LIKE.findall(proposal.watched)), grace)
        targets = {check.where: _target(check.slug, style, connection["url"]) for check in wanted}
    text = proposal.edited(targets).encode("utf-8", "surrogateescape")
    if out is None:
        click.echo(text, nl=False)
    else:
        out.touch(0o600)  # as crontabs are, for commands may hold secrets
        out.write_bytes(text)
    if checks is not None:
        checks.write_text(as_file(wanted), "utf-8")
    _say_what_next(wanted, style, create=create, checks=checks)


def _created(
    proposal: Proposal, host: str, grace: int, connection: Mapping[str, Any]
) -> tuple[list[JobCheck], dict[str, str]]:
    """The checks, now at the daemon, with their ping URLs. One that is there stays: somebody may have tuned it."""
    with opened("project", **connection) as api:
        listed = api.ask("GET", "checks/")["checks"]
        there = {each["slug"]: each for each in listed if "ping_url" in each}  # read-only keys see none
        used = [slug for slug, each in there.items() if each["uuid"] in proposal.watched]
        names = Names(host, used, {slug: expected(each) for slug, each in there.items()})
        wanted = _checks(proposal, names, grace)
        new = {check.slug: check.fields for check in wanted if check.slug not in there}
        there |= {slug: api.ask("POST", "checks/", {**fields, "unique": ["slug"]}) for slug, fields in new.items()}
    click.echo(f"Checks made: {len(new)}, there already: {len(wanted) - len(new)}.", err=True)
    return wanted, {check.where: there[check.slug]["ping_url"] for check in wanted}


def _checks(proposal: Proposal, names: Names, grace: int) -> list[JobCheck]:
    """The checks of all jobs that can have one; each job is told of on standard error."""
    width = max((len(found.where) for found in proposal.found), default=0)
    wanted = []
    for found in proposal.found:
        trouble = found.trouble
        fields = {"grace": grace, **found.fields}
        if not trouble:
            try:
                judge(fields, round(wall_seconds() * SECOND))
            except Invalid as error:
                trouble = error.why or str(error).removeprefix("json validation error: ")
        if trouble:
            told = f"left alone: {trouble}"
        else:
            wanted.append(JobCheck(found.where, names.fields(found.name, expected(fields)) | fields))
            when = fields.get("schedule") or f"every {duration_text(fields['timeout'])}"
            told = f"{wanted[-1].slug}: {' | '.join(when.splitlines())} {fields.get('tz', '')}"
        click.echo(printable(f"{found.where:{width}}  {told}".rstrip()), err=True)
    return wanted


def _say_what_next(wanted: Sequence[JobCheck], style: str, *, create: bool, checks: Path | None) -> None:
    if not wanted:
        click.echo("Nothing to do.", err=True)
    elif create:
        click.echo("Look at the lines, then install them.", err=True)
    elif checks is not None:
        click.echo(f"Next: pingmon apply {checks}, and install the lines.", err=True)
    else:
        click.echo(
            "These checks are not made yet: --create makes them, --checks FILE writes them for review.", err=True
        )
    if wanted and style == "run" and not create:
        click.echo("Such lines need PINGMON_URL and PINGMON_PING_KEY where they run, or client.toml.", err=True)


def _target(slug: str, style: str, url: str | None) -> str:
    if style == "run":
        return slug
    known = settings()
    try:
        return ping_url(slug, url or known.url or DEFAULT_URL, known.ping_key)
    except BadTarget as error:
        raise click.UsageError(f"{error}, or let --create make the checks") from error


# --- crontabs -----------------------------------------------------------------------------------------------------


def _crontab(files: Sequence[str], system: bool | None, style: str, zone: str) -> Proposal:
    if len(files) > 1:
        raise click.UsageError("one crontab at a time")
    text = _text(files[0]) if files else _own_crontab()
    if system is None:
        system = bool(files) and (files[0] == "/etc/crontab" or Path(files[0]).parent.name == "cron.d")
    lines = parsed(text, system=system)
    jobs = [line for line in lines if isinstance(line, CronJob)]
    if any(job.zone for job in jobs):
        click.echo("warning: CRON_TZ counts for cronie; Debian's cron does not know it", err=True)

    def edited(targets: Targets) -> str:
        return printed(
            _with_ping(line, targets[_where(line)], style)
            if isinstance(line, CronJob) and _where(line) in targets
            else line
            for line in lines
        )

    found = [_found(line, zone) for line in lines if line.number]
    return Proposal(found, "\n".join(job.text for job in jobs if job.pings), edited)


def _where(line: CronLine | CronJob) -> str:
    return f"line {line.number}"


def _found(job: CronLine | CronJob, zone: str) -> ScheduledJob:
    if isinstance(job, CronLine):
        return ScheduledJob(_where(job), "", trouble="cron takes no such line")
    trouble = "it sends pings already" if job.pings else "" if job.expression else f"{NO_CLOCK} {job.schedule} is"
    fields = {"schedule": job.expression, "tz": job.zone or zone}
    if job.comment:
        fields["desc"] = _readable(job.comment)
    return ScheduledJob(_where(job), _readable(job_name(job.command)), fields, trouble)


def _readable(text: str) -> str:
    """What was perhaps no UTF-8 as text that can be sent."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _with_ping(job: CronJob, target: str, style: str) -> CronJob:
    return with_curl(job, target) if style == "curl" else with_run(job, target, _program(job.path or CRON_PATH))


def _own_crontab() -> str:
    return _output(["crontab", "-l"], "name a file, or - for standard input")


def _text(file: str) -> str:
    if file == "-":
        return sys.stdin.buffer.read().decode("utf-8", "surrogateescape")
    return Path(file).read_text("utf-8", "surrogateescape")


# --- timers -------------------------------------------------------------------------------------------------------


def _timers(names: Sequence[str], systemd: bool, style: str, zone: str) -> Proposal:
    cat = _shown_unit if systemd else _unit_file
    if systemd:
        names = _listed_timers(names)
    found: list[ScheduledJob] = []
    services: dict[str, timers.Unit] = {}
    for name in names:
        timer = timers.unit(cat(name))
        where = timers.service_of(Path(name).name, timer)
        if where in services:
            found.append(
                ScheduledJob(where, where, trouble=f"{Path(name).name} starts it as well: take one check for both")
            )
            continue
        services[where] = timers.unit(cat(str(Path(name).with_name(where))))
        found.append(_found_timer(where, timer, services[where], style, zone))

    def edited(targets: Targets) -> str:
        return "\n".join(
            f"# {timers.drop_in(where)}\n"
            + (
                timers.with_curl(target)
                if style == "curl"
                else timers.with_run(services[where], target, _program("", absolute=True))
            )
            for where, target in targets.items()
        )

    watched = "\n".join(
        line for each in services.values() if timers.pings(each) for lines in each.values() for line in lines
    )
    return Proposal(found, watched, edited)


def _found_timer(where: str, timer: timers.Unit, service: timers.Unit, style: str, zone: str) -> ScheduledJob:
    try:
        fields = timers.expected(timer)
        late = timers.delay(timer)
    except ValueError as error:
        return ScheduledJob(where, where, trouble=str(error))
    if timers.pings(service):
        return ScheduledJob(where, where, trouble="it sends pings already")
    if style == "run" and not timers.can_run(service):
        return ScheduledJob(
            where, where, trouble="pingmon run cannot start its command (Type, ExecStart): take --with curl"
        )
    if "schedule" in fields:
        fields["tz"] = zone
    if late:
        fields["grace"] = 3600 + late
    if told := service.get("Unit.Description"):
        fields["desc"] = _readable(told[-1])
    return ScheduledJob(where, where.removesuffix(".service"), fields)


def _listed_timers(wanted: Sequence[str]) -> list[str]:
    """The timers that systemd has; those that are `wanted`, if any are. `ClickException` if it has one of these not."""
    text = _output(["systemctl", "list-timers", "--all", "-o", "json"], "is this systemd's machine?")
    try:
        known = [each["unit"] for each in json.loads(text)]
    except ValueError as error:
        raise click.ClickException(
            "systemctl writes no JSON: it is of a systemd before 247; name unit files"
        ) from error
    if missing := sorted({*wanted} - {*known}):
        raise click.ClickException(f"systemd has no timer {', '.join(missing)}")
    return [name for name in known if not wanted or name in wanted]


def _shown_unit(name: str) -> str:
    return _output(["systemctl", "cat", "--", name], "is there such a unit?")


def _unit_file(name: str) -> str:
    """A unit's file with its drop-ins; nothing if it is a service that is not beside its timer."""
    path = Path(name)
    if not path.exists() and name.endswith(".service"):
        return ""
    parts = [path, *sorted(Path(f"{name}.d").glob("*.conf"))]
    return "\n".join(part.read_text("utf-8", "surrogateescape") for part in parts)


# --- this machine -------------------------------------------------------------------------------------------------


def _output(command: Sequence[str], advice: str) -> str:
    """What a command prints. `ClickException` with its own words and `advice` if it fails."""
    try:
        ran = subprocess.run(command, capture_output=True, check=False, stdin=subprocess.DEVNULL)
    except OSError as error:
        raise click.ClickException(f"{command[0]}: {error.strerror}; {advice}") from error
    if ran.returncode:
        said = ran.stderr.decode("utf-8", "replace").strip().partition("\n")[0]
        raise click.ClickException(f"{' '.join(command)}: {said or f'exit status {ran.returncode}'}; {advice}")
    return ran.stdout.decode("utf-8", "surrogateescape")


def _program(path: str, *, absolute: bool = False) -> str:
    """How `pingmon` is called where commands are looked for in `path`."""
    if not absolute and shutil.which("pingmon", path=path):
        return "pingmon"
    return os.path.abspath(shutil.which("pingmon") or Path(sys.executable).with_name("pingmon"))


def _zone() -> str:
    """The machine's time zone; UTC if it has none that has a name."""
    named = [os.environ.get("TZ", "").lstrip(":")]
    try:
        named.append(os.readlink("/etc/localtime").rpartition("zoneinfo/")[2])
        named.append(Path("/etc/timezone").read_text("utf-8").strip())
    except OSError:
        named.append("")
    known = available_timezones()
    return next((name for name in named if name in known and name != "Etc/UTC"), "UTC")
