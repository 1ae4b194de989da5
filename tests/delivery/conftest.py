"""Fixtures for tests with real connections: servers on loopback, and nothing left behind."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_twisted

from tests.delivery.receiver import Server


@pytest_twisted.async_yield_fixture
async def server(nothing_left: None) -> AsyncIterator[Server]:
    server = Server()
    yield server
    await server.close()
