"""What tests with real connections share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import pytest_twisted
from hypothesis import settings
from twisted.internet import reactor
from twisted.internet.task import deferLater

settings.register_profile("pingmon", deadline=None)  # how long an example takes says more of the machine than of us
settings.load_profile("pingmon")


def _open() -> tuple[set[Any], list[Any]]:
    running: Any = reactor
    return {*running.getReaders(), *running.getWriters()}, running.getDelayedCalls()


@pytest.fixture
def nothing_left() -> Iterator[None]:
    """Fails a test that leaves delayed calls or sockets behind."""
    pytest_twisted.blockon(deferLater(reactor, 0))  # a reactor that has just been started opens sockets of its own
    before, _ = _open()
    yield
    readers, calls = _open()
    for _ in range(100):
        readers, calls = _open()
        if readers <= before and not calls:
            return
        pytest_twisted.blockon(deferLater(reactor, 0.01))
    pytest.fail(f"left behind: {[*(readers - before), *calls]}")
