"""Fixtures for tests with real connections: sites and name servers on loopback, and nothing left behind."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.task import deferLater

from tests.probes.authority import Authority
from tests.probes.names import Names
from tests.probes.sites import Site


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


@pytest_twisted.async_yield_fixture
async def site(nothing_left: None) -> AsyncIterator[Site]:
    site = Site()
    yield site
    await site.close()


@pytest_twisted.async_yield_fixture
async def names(nothing_left: None) -> AsyncIterator[Names]:
    names = Names()
    yield names
    await names.close()


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority()
