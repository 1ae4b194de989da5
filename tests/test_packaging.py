"""What `pyproject.toml` says of pingmon, held against the code."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
THROUGH_TWISTED = {"zope"}
"""What Twisted's own interfaces consist of."""


def name_of(requirement: str) -> str:
    return re.split(r"[\[<>=!~ ;]", requirement, maxsplit=1)[0].replace(".", "-").lower()


def imported(nodes: Iterable[ast.AST]) -> set[str]:
    """The distributions that these import statements need."""
    names = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").partition(".")[0])
    packages = packages_distributions()
    foreign = names - set(sys.stdlib_module_names) - {"pingmon", "__future__"} - THROUGH_TWISTED
    return {packages[name][0].replace(".", "-").replace("_", "-").lower() for name in foreign}


def test_all_that_is_imported_is_required() -> None:
    """A package that comes along with another today may not tomorrow. One that is an extra is imported when needed."""
    modules = [ast.parse(path.read_text("utf-8")) for path in (ROOT / "pingmon").rglob("*.py")]
    required = {name_of(requirement) for requirement in PROJECT["dependencies"]}
    extras = {
        name_of(requirement)
        for extra, requirements in PROJECT["optional-dependencies"].items()
        for requirement in requirements
        if extra != "test"
    }
    assert imported(node for module in modules for node in module.body) <= required
    assert imported(node for module in modules for node in ast.walk(module)) <= required | extras


def test_whoever_may_use_it_is_told() -> None:
    """The licence is named by its SPDX expression, and the file goes along."""
    assert PROJECT["license"] == "MIT"
    assert all((ROOT / name).read_text("utf-8").startswith("MIT License") for name in PROJECT["license-files"])
