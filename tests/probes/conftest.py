"""Fixtures for tests with real connections: sites and name servers on loopback, and nothing left behind."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_twisted

from tests.authority import Authority
from tests.probes.names import Names
from tests.probes.sites import Site


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
