"""A world with a log in front of it, and one with a site and its partner in it."""

from __future__ import annotations

import pytest

from tests.core.worlds import H1, H2, Log, T


@pytest.fixture
def log() -> Log:
    """A log with two channels."""
    made = Log()
    made.channel(H1)
    made.channel(H2)
    return made


@pytest.fixture
def hosted(log: Log) -> Log:
    """A log with a site that is up, and its partner."""
    log.partner()
    log.site()
    return log


@pytest.fixture
def told(hosted: Log) -> Log:
    """The same with the site down: its partner had nothing to say, and its users know."""
    hosted.fails()
    hosted.answer()
    assert hosted.news() == ["down"]
    return hosted


@pytest.fixture
def silent(hosted: Log) -> Log:
    """The same with the site down: its partner has asked for silence until `T`."""
    hosted.fails()
    hosted.until(T)
    return hosted
