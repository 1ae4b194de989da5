"""`pingmon journal …`: look at the log, prove it, copy it. Read-only, and made to run beside the daemon."""

from __future__ import annotations

import signal
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event as Alarm
from typing import Any, Final, TextIO
from uuid import UUID

import click

from pingmon.cli.json_lines import line
from pingmon.core.world.events import Entry
from pingmon.journal import (
    FILE_NAME,
    JournalDamaged,
    JournalFormatError,
    JournalUnavailable,
    Progress,
    StoredJournal,
    stored_journal_at,
    unheard,
)

POLL_S: Final = 0.25
MANY: Final = (1 << 63) - 1
"""More entries than SQLite can count cannot be asked for."""

data_option = click.option(
    "--data",
    type=click.Path(readable=False, path_type=Path),  # who may not read it is told more than that
    default=Path("pingmon-data"),
    show_default=True,
    help="The daemon's data directory, or a journal by itself, such as a backup.",
)


@contextmanager
def one_line() -> Iterator[None]:
    """Makes one line and exit status 1 of the trouble that the block has with a journal."""
    try:
        yield
    except (JournalDamaged, JournalFormatError, JournalUnavailable) as error:
        raise click.ClickException(str(error)) from error


class JournalCommands(click.Group):
    """Commands that may have trouble with a journal."""

    def invoke(self, ctx: click.Context) -> Any:
        with one_line():
            return super().invoke(ctx)


@click.group(cls=JournalCommands)
def journal() -> None:
    """Look at the append-only log, prove that it is whole, copy it."""


def journal_file(data: Path) -> Path:
    """The journal in the directory `data`, or `data` itself if it is a file.

    `ClickException` with one line if there is none, or it is not ours to see.
    """
    path = data / FILE_NAME
    try:
        if data.is_file():
            return data
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        missing = f"there is no journal in {data} ({FILE_NAME} is missing); is --data right?"
        raise click.ClickException(missing) from None
    except PermissionError:
        raise click.ClickException(f"{data} is private to its owner: run this as that user, or as root") from None
    if not stat.S_ISREG(found.st_mode):
        raise click.ClickException(f"{path} is no file")
    return path


@contextmanager
def _progress(label: str, *, wanted: bool = True) -> Iterator[Progress]:
    """A bar on stderr while the block runs, if that is a terminal."""
    if not (wanted and sys.stderr.isatty()):
        yield unheard
        return
    with click.progressbar(length=1, label=label, file=sys.stderr, update_min_steps=1) as bar:

        def report(done: int, total: int) -> None:
            bar.length = total
            bar.update(done - bar.pos)

        yield report


@journal.command("verify")
@data_option
@click.argument("file", type=click.Path(path_type=Path), required=False)
def verify_command(data: Path, file: Path | None) -> None:
    """Prove that no entry was altered or lost.

    It looks at the daemon's journal, or at FILE. Exit status 0: sound; 1: damaged.
    """
    path = journal_file(file or data)
    with _progress("verifying") as report:
        found = stored_journal_at(path).verify(report)
    if found.damage:
        for damage in found.damage:
            click.echo(f"damaged: {damage}", err=True)
        raise click.ClickException(
            f"{path} is damaged. Stop pingmon, keep a copy of the file, and restore a backup "
            "(docs/log-format.md, «When a journal is damaged»)."
        )
    click.echo(
        f"sound: {found.entries} entries up to {found.last} ({found.trimmed} trimmed), {found.commits} commits in the "
        f"chain, {found.state} blocks of state, {found.flips} flips"
    )


@journal.command()
@data_option
@click.option("-n", "count", type=click.IntRange(0, MANY), default=10, show_default=True, help="Entries to begin with.")
@click.option("-f", "--follow", is_flag=True, help="Go on with what is added.")
@click.option("--stream", type=click.UUID, help="Only entries about the check, site, partner, project … with this id.")
def tail(data: Path, count: int, follow: bool, stream: UUID | None) -> None:
    """The newest entries as JSON lines, oldest first."""
    stored = stored_journal_at(journal_file(data))
    only = None if stream is None else str(stream)
    after = stored.last_seq()
    begin = stored.newest_entries(count, only)
    _show(begin, sys.stdout)
    after = max([after, *(entry.seq for entry in begin)])
    if not follow:
        return
    interrupted = _interrupted()
    while not interrupted():
        Alarm().wait(POLL_S)
        for entry in stored.entries_after(after, only):
            _show([entry], sys.stdout)
            after = entry.seq


def _interrupted() -> Callable[[], bool]:
    """Whether SIGINT has come since. (As an exception it may come where Python can only drop it, in a finalizer.)"""
    came: list[int] = []
    signal.signal(signal.SIGINT, lambda number, frame: came.append(number))
    return lambda: bool(came)


def _show(entries: list[Entry], out: TextIO) -> None:
    out.writelines(line(entry) + "\n" for entry in entries)
    out.flush()


@journal.command()
@data_option
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A new file; else standard output.",
)
def export(data: Path, output: Path | None) -> None:
    """All entries as JSON lines, oldest first."""
    stored = stored_journal_at(journal_file(data))
    if output is None:
        _export(stored, sys.stdout, unheard)
        return
    try:
        out = output.open("x", encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"{output}: {error.strerror}") from error
    with out, _progress("exporting") as report:
        count = _export(stored, out, report)
    click.echo(f"exported {count} entries to {output}", err=True)


def _export(stored: StoredJournal, out: TextIO, report: Progress) -> int:
    total = stored.last_seq()
    count = 0
    for count, entry in enumerate(stored.entries_after(0), 1):
        out.write(line(entry) + "\n")
        if count % 1000 == 0:
            report(entry.seq, max(total, entry.seq))
    out.flush()
    return count


@journal.command("backup")
@click.argument("dest", type=click.Path(path_type=Path))
@data_option
def backup_command(dest: Path, data: Path) -> None:
    """Copy the journal to DEST, and verify the copy. DEST is a new file, or a directory."""
    path = journal_file(data)
    target = dest / FILE_NAME if dest.is_dir() else dest
    with _progress("copying") as report:
        found = stored_journal_at(path).backup(target, report)
    click.echo(f"backed up {found.entries} entries up to {found.last} to {target}; the copy is sound")
