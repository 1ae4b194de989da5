"""Tests of `pingmon.wire.api.command_channel`."""

from __future__ import annotations

import pytest

from pingmon.core.notify.allowed import Allowed
from pingmon.wire.api.check_fields import Invalid
from pingmon.wire.api.command_channel import changed_value, command_value, doubts, unreachable

PAGE = "/usr/local/bin/page"


def test_a_program_and_its_arguments() -> None:
    """Without arguments there are none; what is not sent stays."""
    assert command_value({"program": PAGE, "colour": "red"}) == {"program": PAGE, "arguments": []}
    assert changed_value({"program": PAGE, "arguments": ["-x"]}, {}) == {"program": PAGE, "arguments": ["-x"]}
    assert list(doubts({"program": PAGE, "arguments": []})) == []


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({}, "program is not an absolute path"),
        ({"program": "page"}, "program is not an absolute path"),
        ({"program": 1}, "program is not a string"),
        ({"program": PAGE, "arguments": "-x"}, "arguments is not an array"),
        ({"program": PAGE, "arguments": ["-x"] * 21}, "there are too many arguments"),
        ({"program": PAGE, "arguments": [1]}, "an item in 'arguments' has unexpected value"),
        ({"program": PAGE, "arguments": ["x" * 1001]}, "an item in 'arguments' has unexpected value"),
        ({"program": PAGE, "arguments": ["\0"]}, "an item in 'arguments' has unexpected value"),
    ],
)
def test_errors(value: object, text: str) -> None:
    """What no program could be started with is refused."""
    with pytest.raises(Invalid) as error:
        command_value(value)
    assert str(error.value) == f"json validation error: {text}"


def test_only_what_the_operator_names_is_run() -> None:
    """To the letter: what a path leads to is not looked at."""
    told = f'{PAGE} may not be run; allow it with [commands] allow = ["{PAGE}"]'
    assert unreachable({"program": PAGE}, Allowed()) == told
    assert unreachable({"program": PAGE}, Allowed(commands=(PAGE,))) is None
    assert unreachable({"program": f"{PAGE}/../sh"}, Allowed(commands=(PAGE,))) is not None
