"""What `pyproject.toml` says of pingmon, held against the code."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
THROUGH_TWISTED = {"zope"}
"""What Twisted's own interfaces consist of."""


def name_of(requirement: str) -> str:
    return re.split(r"[\[<>=!~ ;]", requirement, maxsplit=1)[0].replace(".", "-").lower()


def test_all_that_is_imported_is_required() -> None:
    """A package that comes along with another today may not tomorrow."""
    imported = set()
    for path in (ROOT / "pingmon").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add((node.module or "").partition(".")[0])
    packages = packages_distributions()
    foreign = imported - set(sys.stdlib_module_names) - {"pingmon"} - THROUGH_TWISTED
    needed = {packages[name][0].replace(".", "-").replace("_", "-").lower() for name in foreign}
    assert needed <= {name_of(requirement) for requirement in PROJECT["dependencies"]}


def test_whoever_may_use_it_is_told() -> None:
    """The licence is named by its SPDX expression, and the file goes along."""
    assert PROJECT["license"] == "MIT"
    assert all((ROOT / name).read_text("utf-8").startswith("MIT License") for name in PROJECT["license-files"])
