"""The architecture, read from the import statements."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "pingmon"

# Each layer may import itself and the layers named behind it; siblings meet in none.
LAYERS: dict[str, set[str]] = {
    "core": set(),
    "wire": {"core"},
    "timing": {"core"},
    "journal": {"core", "timing"},
    "dns": {"core", "wire", "timing"},
    "outgoing": {"core", "wire"},
    "probe": {"core", "wire", "timing", "dns", "outgoing"},
    "verify": {"core", "wire", "timing", "outgoing"},
    "monitor": {"core", "wire", "timing", "journal"},
    "alarms": {"core", "timing", "journal", "monitor"},
    "resubmit": {"core", "journal", "monitor"},
    "delivery": {"core", "wire", "timing", "outgoing", "journal", "monitor", "resubmit"},
    "sites": {"core", "wire", "timing", "dns", "outgoing", "journal", "monitor", "resubmit"},
    "door": {"wire", "timing"},
    "pings": {"core", "wire", "timing", "journal", "monitor", "door"},
    "api": {"core", "wire", "timing", "journal", "monitor", "door"},
    "web": {"core", "wire", "journal", "monitor", "door"},
    "cli": {"core", "wire", "timing", "journal", "api", "daemon"},
    "daemon": {
        *("core", "wire", "timing", "journal", "monitor", "alarms", "probe", "delivery", "sites", "door", "api"),
        *("pings", "verify", "outgoing", "resubmit"),
    },
    "testing": {"core", "timing", "journal", "monitor", "alarms"},
    "__main__": {"cli"},
    "assembly": {"*"},
    "tap": {"*"},
    "verifier_tap": {"*"},
}
PURE = {"core", "wire"}
IMPURE = {
    "twisted",
    "klein",
    "treq",
    "sqlite3",
    "time",
    "random",
    "socket",
    "os",
    "io",
    "threading",
    "secrets",
    "pathlib",
}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def layer_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            module = node.module or ""
            yield from (f"{module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_one_way(path: Path) -> None:
    """core ← wire ← journal ← monitor ← {delivery, sites} ← door ← {pings, api, web} ← daemon ← tap; see `LAYERS`."""
    layer = layer_of(path)
    if layer == "__init__":
        return
    assert layer in LAYERS, f"{path.name}: give this module a place in the layers"
    allowed = LAYERS[layer] | {layer, "__version__"}
    for name in imported(path):
        parts = name.split(".")
        if parts[0] == "pingmon" and len(parts) > 1 and "*" not in allowed:
            assert parts[1] in allowed, f"{layer} must not import {name}"
        if layer in PURE:
            assert parts[0] not in IMPURE, f"{path.name} must stay pure, but imports {name}"


def test_the_document_draws_the_layers() -> None:
    """From the top down: each room may import those in lines below its own, and none beside it."""
    text = (PACKAGE.parent / "docs/architecture.md").read_text("utf-8")
    drawing = next(block for block in text.split("```") if "\n   core  " in block)
    column = drawing.index("composition") - drawing.index("\n") - 1
    lines = [set(re.findall(r"\w+", line[:column])) for line in drawing.strip("\n").split("\n")]
    assert set().union(*lines) == LAYERS.keys() - {"testing", "__main__"}
    for number, rooms in enumerate(lines):
        for room in rooms:
            below = set().union(*lines[number + 1 :])
            assert LAYERS[room] <= below | {"*"}, f"{room} stands below what it may import"


def test_only_the_composition_root_and_klein_bring_the_reactor() -> None:
    """Whoever imports pingmon's modules may still choose one, but for those that need Klein, treq or twisted.mail."""
    names = [
        ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__") for path in modules()
    ]
    script = (
        "import importlib, sys\n"
        f"for name in {names!r}:\n"
        "    before = 'twisted.internet.reactor' in sys.modules\n"
        "    importlib.import_module(name)\n"
        "    if not before and 'twisted.internet.reactor' in sys.modules:\n"
        "        print(name)\n"
        "        del sys.modules['twisted.internet.reactor']\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert set(ran.stdout.split()) <= {"pingmon.api.api", "pingmon.assembly", "pingmon.pings.smtp"}, ran.stdout


def test_nothing_outside_the_journal_knows_how_events_are_stored() -> None:
    """The seam at which the log may one day be another. That another program's file is a database is its own affair."""
    for path in modules():
        if layer_of(path) != "journal" and path.name != "kuma_file.py":
            assert "sqlite3" not in {name.split(".")[0] for name in imported(path)}, path
            engines = [name for name in imported(path) if name.startswith("pingmon.journal.") and name.count(".") > 2]
            assert not engines, f"{path}: what the package `pingmon.journal` gives is enough"


def test_the_door_knows_nothing_of_what_is_served() -> None:
    """Its modules follow one another: none imports one that imports it, not even for types."""
    follows: dict[str, set[str]] = {}
    for path in (PACKAGE / "door").glob("*.py"):
        assert "TYPE_CHECKING" not in path.read_text("utf-8"), path.name
        follows[path.stem] = {name.split(".")[2] for name in imported(path) if name.startswith("pingmon.door.")}
    while follows:
        last = {name for name, others in follows.items() if not others & follows.keys()}
        assert last, f"these import each other: {sorted(follows)}"
        for name in last:
            del follows[name]
