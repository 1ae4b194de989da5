"""Journals to test: both engines behind one face, and real files with known content."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias
from uuid import UUID

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from pingmon.core.units import Id
from pingmon.core.world.events import Draft, Entry, PingReceived, Signal
from pingmon.journal import Memory, MemoryJournal, Retention
from pingmon.journal.codec import encoded
from pingmon.journal.sqlite.engine import SqliteJournal
from pingmon.journal.sqlite.writer import Writer
from pingmon.testing import START

AnyJournal: TypeAlias = SqliteJournal[int] | MemoryJournal[int]


class JournalStage:
    """One place where a journal lives; `journal` opens it, as often as wanted, after the one before has stopped."""

    def __init__(self, engine: str, path: Path) -> None:
        self.engine = engine
        self.path = path
        self.delivered: list[Entry] = []
        self._memory = Memory()
        self._open: list[AnyJournal] = []

    def unstarted(self, *, retention: Retention | None = None, max_buffered: int = 20_000) -> AnyJournal:
        """A journal that was opened only."""
        kept = retention or Retention()
        journal: AnyJournal
        if self.engine == "memory":
            journal = MemoryJournal(memory=self._memory, retention=kept, max_buffered=max_buffered, at_once=False)
        else:
            journal = SqliteJournal(
                self.path,
                reactor=reactor,  # type: ignore[arg-type]  # the module stands for the reactor
                retention=kept,
                max_buffered=max_buffered,
            )
        journal.open(START)
        self._open.append(journal)
        return journal

    def journal(self, *, retention: Retention | None = None, max_buffered: int = 20_000) -> AnyJournal:
        """A journal that runs; the delivery of an entry remembers it and returns its seq."""
        journal = self.unstarted(retention=retention, max_buffered=max_buffered)
        journal.start(self.deliver)
        return journal

    def deliver(self, entry: Entry) -> int:
        self.delivered.append(entry)
        return entry.seq

    def settle(self, journal: AnyJournal) -> None:
        """Let a memory journal commit what is buffered; the other does so by itself."""
        if isinstance(journal, MemoryJournal):
            journal.flush()

    def stop(self) -> list[Deferred[None]]:
        return [journal.stop() for journal in self._open]


@pytest.fixture(params=["memory", "sqlite"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest_twisted.async_yield_fixture()
async def house(engine: str, tmp_path: Path):  # type: ignore[no-untyped-def]
    """A place for a journal of either engine."""
    place = JournalStage(engine, tmp_path / "journal.sqlite3")
    yield place
    for stopped in place.stop():
        await stopped


@pytest_twisted.async_yield_fixture()
async def disk(tmp_path: Path):  # type: ignore[no-untyped-def]
    """A place for a journal in a file."""
    place = JournalStage("sqlite", tmp_path / "journal.sqlite3")
    yield place
    for stopped in place.stop():
        await stopped


def stream_id(n: int) -> Id:
    return str(UUID(int=n))


def a_ping(at: int = START, stream: int = 1, signal: Signal = "success", payload: bytes | None = None) -> Draft:
    return Draft(at, stream_id(stream), PingReceived(signal), payload)


@pytest.fixture
def stream() -> Callable[[int], Id]:
    """The id of the n-th stream."""
    return stream_id


@pytest.fixture
def ping() -> Callable[..., Draft]:
    """A draft of a ping: `ping(at, stream number, signal, payload)`."""
    return a_ping


class Pen:
    """Writes a journal file without a reactor: each method is done when it returns."""

    def __init__(self, path: Path, retention: Retention | None = None) -> None:
        self.path = path
        self.found: list[Entry] = []
        self.writer = Writer(path, retention or Retention(), self.found.extend)
        self.writer.open(START)

    def write(self, *drafts: Draft) -> int:
        """One commit; the seq of its last entry."""
        return self.writer.commit((), [encoded(draft) for draft in drafts]).last

    def close(self) -> None:
        self.writer.close()


@pytest.fixture
def pen(tmp_path: Path) -> Iterator[Callable[..., Pen]]:
    """Opens `Pen`s on journal.sqlite3, or the name that is given, and closes those that are still open."""
    pens: list[Pen] = []

    def opened(retention: Retention | None = None, name: str = "journal.sqlite3") -> Pen:
        pens.append(Pen(tmp_path / name, retention))
        return pens[-1]

    yield opened
    for one in pens:
        one.close()
