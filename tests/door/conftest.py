"""What clients of the door see they see through Twisted's transports and through the front."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.door.stage import Line


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test twice that uses the fixture, but for those of hypothesis, which draw it."""
    if "met_by" in metafunc.fixturenames and not hasattr(metafunc.function, "hypothesis"):
        metafunc.parametrize("met_by", ["twisted", "front"], indirect=True, scope="module")


@pytest.fixture(scope="module")
def met_by(request: pytest.FixtureRequest) -> Iterator[str]:
    """Who meets the clients of a house."""
    by = getattr(request, "param", "twisted")
    Line.FRONT = by == "front"
    yield by
    Line.FRONT = False
