"""The architecture, read from the import statements."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "pingmon"

# Each layer may import itself and the layers named behind it; siblings meet in none.
LAYERS: dict[str, set[str]] = {
    "core": set(),
    "clock": {"core"},
    "config": set(),
    "wire": {"core"},
    "journal": {"core", "clock"},
    "outgoing": {"core"},
    "probes": {"core", "wire", "outgoing"},
    "delivery": {"core", "wire", "outgoing", "journal", "monitor", "ticker"},
    "sites": {"core", "clock", "wire", "outgoing", "journal", "monitor", "probes", "delivery", "ticker"},
    "monitor": {"core", "wire", "journal", "clock"},
    "alarms": {"core", "journal", "monitor", "clock", "ticker"},
    "housekeeping": {"journal", "monitor"},
    "door": {"wire"},
    "http": {"core", "wire", "journal", "monitor", "clock", "door"},
    "datadir": set(),
    "first_run": {"core", "datadir", "http", "monitor"},
    "refusal": set(),
    "log_level": set(),
    "options": {"log_level"},
    "reload": {"config", "refusal"},
    "__main__": {"cli"},
    "certificates": set(),
    "endpoint_words": {"certificates"},
    "listening": {"certificates", "door", "endpoint_words", "log_level", "refusal", "ticker"},
    "endpoints": {"certificates", "endpoint_words", "listening", "refusal"},
    "control": {"clock", "datadir", "door", "http", "listening"},
    "offline_api": {"*"},
    "ticker": set(),
    "services": {"datadir", "journal", "listening", "log_level", "monitor", "refusal"},
    "testing": {"alarms", "clock", "core", "journal", "monitor"},
    "cli": {"journal", "datadir", "http", "offline_api"},
    "problems": {"alarms", "core", "delivery", "housekeeping", "monitor", "probes", "sites", "wire"},
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
    """core ← wire ← journal ← monitor ← {delivery, http} ← tap; the pure layers touch nothing outside."""
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


def test_only_the_composition_root_and_klein_bring_the_reactor() -> None:
    """Whoever imports pingmon's modules may still choose a reactor, but for those that need Klein or treq."""
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
    assert set(ran.stdout.split()) <= {"pingmon.http.api", "pingmon.assembly"}, ran.stdout


def test_nothing_outside_the_journal_knows_how_events_are_stored() -> None:
    """The seam at which the log may one day be another."""
    for path in modules():
        if layer_of(path) != "journal":
            assert "sqlite3" not in {name.split(".")[0] for name in imported(path)}, path


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
