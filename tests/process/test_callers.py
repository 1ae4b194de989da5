"""Pings as people's scripts send them, to a real daemon."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.process.daemons import Running, Starter

pytestmark = pytest.mark.process


def run(*command: str) -> str:
    """What a command prints."""
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout


def pings(daemon: Running) -> list[dict[str, object]]:
    """All of the only check there is, newest first."""
    (check,) = daemon.api("GET", "checks/").json["checks"]
    found: list[dict[str, object]] = daemon.api("GET", f"checks/{check['uuid']}/pings/").json["pings"]
    return found


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_curl(start: Starter, tmp_path: Path) -> None:
    """A file that is uploaded is the body of a PUT; text in the query need not be encoded."""
    daemon = start()
    url = f"http://127.0.0.1:{daemon.port}/ping/{daemon.keys['ping_key']}/job"
    (tmp_path / "log.txt").write_text("all is well")
    assert run("curl", "-sS", f"{url}?create=1&msg=Größe") == "Created"
    assert run("curl", "-sS", "-T", str(tmp_path / "log.txt"), url) == "OK"
    assert run("curl", "-sS", "-X", "DELETE", url) == "OK"
    assert [ping["method"] for ping in pings(daemon)] == ["DELETE", "PUT", "GET"]
    (check,) = daemon.api("GET", "checks/").json["checks"]
    assert daemon.api("GET", f"checks/{check['uuid']}/pings/2/body").body == b"all is well"


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_bash_without_curl(start: Starter, version: str) -> None:
    """A few words to `/dev/tcp`, with the line ends that a shell writes, are answered at once."""
    daemon = start()
    daemon.ping("job", "?create=1")
    request = rf"GET /ping/{daemon.keys['ping_key']}/job/fail HTTP/{version}\n\n"
    script = f"exec 3<>/dev/tcp/127.0.0.1/{daemon.port}; printf '{request}' >&3; cat <&3"
    answer = run("timeout", "10", "bash", "-c", script)
    assert answer.startswith(f"HTTP/{version} 200 OK\n")
    assert [ping["type"] for ping in pings(daemon)] == ["fail", "success"]


FORWARDED = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "mon.example"}


def test_urls_behind_a_proxy_that_ends_tls(start: Starter) -> None:
    """What a trusted proxy was asked with is what all URLs begin with; against `base_url` it is one line in the log."""
    daemon = start(config='[http]\ntrusted_proxies = ["127.0.0.0/8"]\n')
    daemon.ping("job", "?create=1")
    keyed = {"X-Api-Key": daemon.keys["api_key"], **FORWARDED}
    (check,) = daemon.ask("GET", "/api/v3/checks/", headers=keyed).json["checks"]
    urls = {name: value for name, value in check.items() if name.endswith("_url")}
    assert set(urls) == {"ping_url", "update_url", "pause_url", "resume_url", "badge_url"}
    assert all(url.startswith("https://mon.example/") for url in urls.values())
    assert b"https://mon.example/api/v3/" in daemon.ask("GET", "/", headers=FORWARDED).body
    daemon.stop()
    config = '[http]\ntrusted_proxies = ["127.0.0.0/8"]\nbase_url = "http://mon.example"\n'
    daemon = start(config=config, port=daemon.port)
    daemon.ask("GET", "/api/v3/checks/", headers=FORWARDED)
    assert "but [http] base_url is" not in daemon.log.read_text()
    for _ in range(2):
        (check,) = daemon.ask("GET", "/api/v3/checks/", headers=keyed).json["checks"]
    assert check["ping_url"].startswith("http://mon.example/ping/")
    assert daemon.log.read_text().count("clients come by https://mon.example, but [http] base_url is") == 1
