"""What pingmon writes into its log, read from the calls that write it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "pingmon"
LEVELS = {"debug", "info", "warn", "error", "critical"}
FAILURES = {"failure", "failuresHandled"}


def logged() -> Iterator[tuple[str, str, ast.expr]]:
    """Where something is logged, by which method, and in what words."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
                logger, method = ast.unparse(node.func.value), node.func.attr
                if method in LEVELS | FAILURES and logger.rpartition(".")[2] == "log":
                    yield f"{path.relative_to(PACKAGE)}:{node.lineno}", method, node.args[0]


LOGGED = list(logged())


@pytest.mark.parametrize(("method", "words"), [each[1:] for each in LOGGED], ids=[each[0] for each in LOGGED])
def test_a_line_is_a_constant_and_a_fault_says_that_it_is_an_error(method: str, words: ast.expr) -> None:
    """So that lines can be searched for, whatever they tell of; below a fault comes a traceback."""
    assert isinstance(words, ast.Constant) or ast.unparse(words) == "message"
    if method in FAILURES:
        assert str(ast.literal_eval(words)).startswith("an error while ")


def test_lines_are_found() -> None:
    """Enough of them that none is passed over by a rule that finds nothing."""
    assert len(LOGGED) > 80
