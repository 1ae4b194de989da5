"""Every time that leaves a process is the time of day, though its timers count from when the machine was started."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from tests.process.daemons import Answer, Receiver, Running, Starter, free_port
from tests.process.forked import ran
from tests.process.test_https import certificate

pytestmark = pytest.mark.process

NEAR_S = 600.0
CONFIG = """
[http]
access_log = "{log}"
[outgoing]
allow = ["127.0.0.0/8"]
"""
_iso = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)")
_in_log = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4}", re.MULTILINE)
_in_access_log = re.compile(r"\[(\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d \+0000)\]")


def apart(at: datetime | float) -> float:
    seconds = at if isinstance(at, (int, float)) else at.timestamp()
    return abs(seconds - time.time())


def instants(text: str) -> list[datetime]:
    """Every instant that stands in `text`."""
    return [datetime.fromisoformat(found) for found in _iso.findall(text)]


def answers(daemon: Running) -> Iterator[Answer]:
    """One of each kind of answer."""
    yield daemon.ping("job", "?create=1")
    yield daemon.ping("JOB")
    yield daemon.ask("OPTIONS", "/ping/x")
    for path in ("/", "/nothing", "/b/2/x.svg", "/api/v3/status/", "/api/v3/nothing", "/api/v3/checks/"):
        yield daemon.ask("GET", path)
    yield daemon.ask("GET", "/", headers={"Host": "two words"})
    yield daemon.ask("GET", "/" + 17_000 * "x")
    yield daemon.api("GET", "checks/")


def test_answers_of_a_daemon(start: Starter, receiver: Receiver) -> None:
    """Headers, JSON, the log, the access log, the journal, and what webhooks are signed with."""
    access_log = start.tmp_path / "access.log"
    daemon = start(config=CONFIG.format(log=access_log))
    for answer in answers(daemon):
        assert apart(parsedate_to_datetime(answer.headers["Date"])) < NEAR_S
    value: dict[str, Any] = {"url_down": receiver.url, "method_down": "POST"}
    daemon.api("POST", "channels/", {"kind": "webhook", "name": "hook", "value": value})
    daemon.api("POST", "checks/", {"slug": "job", "unique": ["slug"], "channels": "*"})
    daemon.ping("job", "/start")
    daemon.ping("job", "/fail")
    (told,) = receiver.wait(1)
    assert apart(float(told.headers["webhook-timestamp"])) < NEAR_S
    check = daemon.api("GET", "checks/").json["checks"][0]["uuid"]
    paths = ("checks/", f"checks/{check}", f"checks/{check}/pings/", f"checks/{check}/flips/")
    texts = [told.body.decode(), *(daemon.api("GET", path).body.decode() for path in paths)]
    texts.append(ran("pingmon", "journal", "tail", "--data", daemon.data).stdout)
    for text in texts:
        assert instants(text)
        assert max(map(apart, instants(text))) < NEAR_S
    lines = _in_log.findall(daemon.log.read_text())
    assert lines
    assert max(apart(datetime.strptime(line, "%Y-%m-%dT%H:%M:%S%z")) for line in lines) < NEAR_S
    logged = _in_access_log.findall(access_log.read_text())
    assert logged
    assert max(apart(datetime.strptime(each, "%d/%b/%Y:%H:%M:%S %z")) for each in logged) < NEAR_S
    assert "1970" not in daemon.log.read_text() + access_log.read_text() + "".join(texts)


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_answers_over_http2(start: Starter) -> None:
    """Of pings and of all else."""
    folder = start.tmp_path / "live"
    folder.mkdir()
    certificate(folder, "localhost")
    port, secure = free_port(), free_port()
    daemon = start(port=port, listen=(f"tcp:{port}:interface=127.0.0.1", f"tls:{folder}:{secure}:interface=127.0.0.1"))
    for path in (f"/ping/{daemon.keys['ping_key']}/job?create=1", "/api/v3/status/", "/nothing"):
        command = [
            "curl",
            "-sSi",
            "--http2",
            "--cacert",
            f"{folder}/localhost.pem",
            f"https://localhost:{secure}{path}",
        ]
        came = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout
        assert came.startswith("HTTP/2 ")
        (date,) = re.findall(r"^date: (.*)$", came, re.MULTILINE | re.IGNORECASE)
        assert apart(parsedate_to_datetime(date.strip())) < NEAR_S


def test_answers_of_a_verifier_and_what_it_saw(start: Starter, receiver: Receiver) -> None:
    """Its headers, its log, and the looks that a daemon shows of it."""
    receiver.answer = lambda request: 503
    (verifier,) = start.verifiers("fra")
    daemon = start(config=CONFIG.format(log="") + verifier.config)
    asked = Running(start.tmp_path, verifier.port, verifier.process, verifier.log)
    for method, path in (("GET", "/status"), ("GET", "/nothing"), ("PUT", "/verify"), ("POST", "/verify")):
        assert apart(parsedate_to_datetime(asked.ask(method, path).headers["Date"])) < NEAR_S
    site = daemon.api("POST", "sites/", {"url": receiver.url}).json["uuid"]
    seen = daemon.api("POST", f"sites/{site}/probe")
    probes = daemon.api("GET", f"sites/{site}/probes/").body.decode()
    assert '"fra"' in probes
    for text in (seen.body.decode(), probes):
        assert max(map(apart, instants(text))) < NEAR_S
    assert (
        max(apart(datetime.strptime(at, "%Y-%m-%dT%H:%M:%S%z")) for at in _in_log.findall(verifier.log.read_text()))
        < NEAR_S
    )
