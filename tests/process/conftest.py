"""Fixtures for tests with real processes; what they give is in `daemons`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.process.daemons import Receiver, Starter


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Starter]:
    """Starts real daemons; see `Starter`."""
    starter = Starter(tmp_path)
    yield starter
    starter.end_all()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A real HTTP receiver on loopback; see `Receiver`."""
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the surrounding shell leads a test astray."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
