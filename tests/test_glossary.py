"""The words of `docs/glossary.md`, held against the code."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "pingmon"
ROWS = re.findall(r"^\| ([a-z ,]+) \| (`.+?`) \| .+ \|$", (ROOT / "docs/glossary.md").read_text("utf-8"), re.MULTILINE)

TWINS = {"Connection", "Door", "Prober", "Resolver", "Verifiers"}
"""Protocols bear the name of what implements them."""

NOT_IN: dict[str, set[str]] = {
    "deaf": {"api", "cli", "delivery", "dns", "door", "outgoing", "pings", "probe", "sites", "timing", "verify", "web"},
    "patience": {
        "api",
        "cli",
        "daemon",
        "delivery",
        "dns",
        "door",
        "journal",
        "outgoing",
        "pings",
        "probe",
        "timing",
        "verify",
    },
    "silence": {"cli", "delivery", "dns", "door", "journal", "outgoing", "pings", "probe", "timing", "verify", "web"},
    "front": {"api", "cli", "core", "delivery", "dns", "journal", "outgoing", "pings", "probe", "sites", "timing"},
    "manager": {""},
    "handler": {""},
    "helper": {""},
    "utils": {""},
}
"""Words that no identifier of these rooms has in it ("": of none), because they mean something else there."""


def modules(room: str = "") -> list[Path]:
    found = PACKAGE / room
    return sorted(found.rglob("*.py")) if found.is_dir() else [found.with_suffix(".py")]


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def classes(path: Path) -> Iterator[ast.ClassDef]:
    return (node for node in parsed(path).body if isinstance(node, ast.ClassDef))


def protocols(path: Path) -> set[str]:
    """The classes of a module that are only the shape of others."""
    tree = parsed(path)
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module == "typing"]
    if not any(alias.name == "Protocol" for node in imports for alias in node.names):
        return set()
    return {node.name for node in classes(path) if any(ast.unparse(base).startswith("Protocol") for base in node.bases)}


def identifiers(path: Path) -> Iterator[str]:
    """Names that this module gives: of classes, functions, parameters, and of what it assigns to."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.id if isinstance(node, ast.Name) else node.attr


@pytest.mark.parametrize(("word", "place"), ROWS, ids=[word for word, _ in ROWS])
def test_a_word_is_where_the_glossary_says(word: str, place: str) -> None:
    """A class of that room, defined once there, or a module."""
    room, _, name = place.strip("`").partition(": ")
    if name:
        found = [path for path in modules(room) for node in classes(path) if node.name == name]
        assert len(found) == 1, f"{word}: {name} is defined in {found}"
    else:
        assert (PACKAGE / f"{room}.py").is_file(), word


def test_each_word_stands_there_once() -> None:
    words = [part for word, _ in ROWS for part in word.split(", ")]
    assert len(words) > 40
    assert len(words) == len(set(words))


def test_a_class_name_stands_once_in_the_house() -> None:
    """But for a Protocol beside what implements it, and for what is private to its module."""
    defined: dict[str, list[tuple[Path, bool]]] = defaultdict(list)
    for path in modules():
        shapes = protocols(path)
        for node in classes(path):
            if not node.name.startswith("_"):
                defined[node.name].append((path, node.name in shapes))
    twice = {name: found for name, found in defined.items() if len(found) > 1}
    assert twice.keys() <= TWINS, {name: found for name, found in twice.items() if name not in TWINS}
    for name in twice.keys() & TWINS:
        assert sum(not protocol for _, protocol in twice[name]) <= 1, name


@pytest.mark.parametrize("word", NOT_IN)
def test_a_word_means_one_thing(word: str) -> None:
    for room in NOT_IN[word]:
        for path in modules(room):
            found = [name for name in identifiers(path) if word in name.lower().split("_")]
            assert not found, f"{path.relative_to(ROOT)}: {found}"
