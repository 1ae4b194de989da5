"""`twistd` whose clocks can be made to hurry: run as `hurried.py BEGIN ARGUMENT...`, with `twistd`'s arguments.

It is BEGIN (seconds since the epoch) when it starts. For each number on standard input that many seconds pass quickly.
They pass as they would if nothing else happened: each timer in its turn, with time for what it began.
"""

from __future__ import annotations

import sys
import threading
import time

FASTER = 400
"""How many seconds pass in one while they hurry: half a minute, which is what an attempt to tell somebody may take, is
still time enough for one on this machine."""

_passed = 0.0
"""Seconds by which the clocks have hurried ahead so far."""


def _hurried() -> None:
    """Replace the system's clocks, before anybody imports them by name."""
    wall, steady, monotonic = time.time, time.clock_gettime, time.monotonic
    ahead = float(sys.argv.pop(1)) - wall()
    time.time = lambda: wall() + ahead + _passed
    time.clock_gettime = lambda which: steady(which) + _passed
    time.monotonic = lambda: monotonic() + _passed


def _run() -> None:
    from twisted.internet.epollreactor import EPollReactor
    from twisted.internet.main import installReactor
    from twisted.scripts.twistd import run

    class Hurrying(EPollReactor):
        to_pass = 0.0

        def timeout(self) -> float | None:
            """How long to wait for sockets. The reactor asks once in each round, when all that is due was done."""
            global _passed
            wait = super().timeout()
            if not wait or self.to_pass <= 0:
                return wait
            step = min(wait, self.to_pass)
            self.to_pass -= step
            _passed += step
            return step / FASTER

        def hurry(self, seconds: float) -> None:
            """Let so much time pass quickly, on top of what has not yet."""
            self.to_pass += seconds

    reactor = Hurrying()
    installReactor(reactor)

    def listen() -> None:
        for line in sys.stdin:
            reactor.callFromThread(reactor.hurry, float(line))

    threading.Thread(target=listen, daemon=True).start()
    run()


if __name__ == "__main__":
    _hurried()
    _run()
