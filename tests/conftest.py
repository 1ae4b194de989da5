"""What tests with real connections share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_twisted
from hypothesis import settings
from twisted.internet import reactor
from twisted.internet.task import deferLater

from tests.authority import Authority
from tests.delivery.receiver import Server
from tests.dns.names import Names
from tests.probe.sites import Site

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


@pytest_twisted.async_yield_fixture
async def server(nothing_left: None) -> AsyncIterator[Server]:
    """What webhooks and partners' questions are sent to."""
    server = Server()
    yield server
    await server.close()


@pytest_twisted.async_yield_fixture
async def site(nothing_left: None) -> AsyncIterator[Site]:
    """A web server that is probed."""
    site = Site()
    yield site
    await site.close()


@pytest_twisted.async_yield_fixture
async def names(nothing_left: None) -> AsyncIterator[Names]:
    """A name server."""
    names = Names()
    yield names
    await names.close()


@pytest.fixture(scope="session")
def authority() -> Authority:
    """Who signs the certificates of tests."""
    return Authority()
