"""The wheel: what is in it, and that a daemon starts from it."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from tests.process.daemons import Running, Starter, free_port, until

pytestmark = [pytest.mark.process, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A freshly built wheel."""
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    (found,) = out.glob("*.whl")
    return found


def test_it_holds_all_of_pingmon_and_the_plugin_and_nothing_else(wheel: Path) -> None:
    """No `__init__` for Twisted's own packages, no plugin cache, no tests."""
    names = set(zipfile.ZipFile(wheel).namelist())
    sources = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "pingmon").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    packed = {name for name in names if ".dist-info/" not in name}
    assert {name.partition(".dist-info/")[2] for name in names} >= {"licenses/LICENSE"}
    assert packed == sources | {"twisted/plugins/pingmon_plugin.py"}


def test_a_daemon_starts_from_it(wheel: Path, start: Starter) -> None:
    """Installed where the source tree is not in sight: `twistd pingmon` and the command `pingmon` work."""
    place = start.tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place)], check=True, timeout=60)
    python = place / "bin" / "python"
    (purelib,) = place.glob("lib/python*/site-packages")
    (purelib / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "-q", "--no-deps", "--no-index"]
    subprocess.run([*install, "--force-reinstall", str(wheel)], check=True, timeout=60)
    port = free_port()
    run = "import sys; from twisted.scripts.twistd import run; sys.argv[0] = 'twistd'; run()"
    listen = f"tcp:{port}:interface=127.0.0.1"
    data = start.tmp_path / "data"
    arguments = ["-n", "--pidfile=", "pingmon", "--data", str(data), "--listen", listen]
    log = start.tmp_path / "wheel.log"
    with log.open("wb") as out:
        process = subprocess.Popen([str(python), "-c", run, *arguments], stdout=out, stderr=out, cwd=start.tmp_path)
    daemon = Running(data, port, process, log)
    start.running.append(daemon)
    until(daemon.listening, "the daemon to listen")
    assert daemon.ping("job", "?create=1").status == 201
    where = subprocess.run(
        [str(python), "-c", "import pingmon; print(pingmon.__file__)"],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
        cwd=start.tmp_path,
    )
    assert str(place) in where.stdout
    for command in (("journal", "verify"), ("key", "list"), ("project", "list")):
        arguments = [str(place / "bin" / "pingmon"), *command, "--data", str(data)]
        assert subprocess.run(arguments, capture_output=True, timeout=60, check=False).returncode == 0
