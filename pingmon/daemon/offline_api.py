"""The management API over the journal of a daemon that is stopped, for a command that works on it.

The command gets one end of a connection, and the API that a daemon serves on its control socket answers at the other,
in a thread with the reactor. So whatever a command asks is answered by the same functions, daemon or none. Nothing
listens, nothing is probed or told, and what is logged is no sign of the daemon's life (`Monitor.start_deaf`; Note
[Deafness] in `monitor/deafness`).
"""

from __future__ import annotations

import encodings.idna  # noqa: F401 - looked up by name, when this process may no longer read its modules
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.threads import blockingCallFromThread

from pingmon.api.api import Api, ApiSettings
from pingmon.core.world.outcome import Outcome
from pingmon.daemon.control_socket import DRAIN_S, OwnersOnly, owners_door
from pingmon.daemon.data_directory import DataDir
from pingmon.daemon.resource_tree import Root
from pingmon.journal import Journal, journal_at
from pingmon.monitor import Monitor
from pingmon.timing.clock import Timekeeper, steadied, steady_seconds, wall_seconds


@contextmanager
def offline_api(data: DataDir) -> Iterator[socket.socket]:
    """A connection to the API, with which no key is needed; `data` must stay locked for as long as the block runs.

    Raises what opening a journal raises, and `JournalUnavailable` if it takes no entries. To be used once in a process.
    """
    from twisted.internet import reactor

    clock = steadied(reactor)
    journal: Journal[Outcome] = journal_at(data.journal, reactor=clock, begun=data.begun)
    monitor = Monitor(journal, Timekeeper(wall_seconds, steady_seconds))
    monitor.open()
    api = Api(monitor, journal, ApiSettings(), health=tuple, clock=clock, keyless=True)
    door = owners_door(clock, Root(api.resource()))
    factory = OwnersOnly(door)
    ours, theirs = socket.socketpair()

    def begin() -> Deferred[None]:
        factory.doStart()
        return monitor.start_deaf().addCallback(lambda _: serve())

    def serve() -> None:
        theirs.setblocking(False)
        clock.adoptStreamConnection(theirs.fileno(), socket.AF_UNIX, factory)
        theirs.close()

    def end() -> Deferred[None]:
        drained = door.drain(DRAIN_S)
        factory.doStop()
        return drained.addCallback(lambda _: monitor.stop())

    with _running(clock) as called:
        try:
            called(begin)
            yield ours
        finally:
            ours.close()
            called(end)


@contextmanager
def _running(reactor: Any) -> Iterator[Callable[[Callable[[], Any]], None]]:
    """Run the reactor in a thread; gives a function that calls another there and waits for what it fires with."""
    running = Thread(target=reactor.run, kwargs={"installSignalHandlers": False}, name="pingmon-reactor", daemon=True)
    running.start()
    try:
        yield lambda work: blockingCallFromThread(reactor, work)
    finally:
        reactor.callFromThread(reactor.stop)
        running.join()
