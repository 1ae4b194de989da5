"""Real daemons, started as a user starts them, and real receivers for what they send."""

from __future__ import annotations

import http.client
import json
import os
import random
import select
import shutil
import signal
import socket
import subprocess
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from secrets import token_bytes
from typing import Any

import pytest

from tests.process.forked import BIN, Forked, Process

PATIENCE_S = 30.0


def until(true: Callable[[], Any], what: str, patience_s: float = PATIENCE_S) -> Any:
    """Wait until `true()` is, and return it; fail with `what` when patience ends."""
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        if found := true():
            return found
        select.select([], [], [], 0.02)
    pytest.fail(f"waited {patience_s:.0f} s in vain for {what}")


GIVEN: set[int] = set()


def free_port() -> int:
    """A port that nobody has now, that was not given before, and that the kernel gives to no client."""
    while True:
        port = random.randrange(12_000, 32_000)
        with socket.socket() as listening:
            try:
                listening.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in GIVEN:
            GIVEN.add(port)
            return port


@dataclass
class Answer:
    """What an HTTP server answered."""

    status: int
    body: bytes
    headers: dict[str, str]

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)


class Asked:
    """A process that listens for HTTP on `port` of loopback, and writes its log into a file."""

    port: int
    log: Path

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def ask(
        self, method: str, path: str, body: bytes | str | None = None, headers: Mapping[str, str | bytes] | None = None
    ) -> Answer:
        """One request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return Answer(response.status, response.read(), dict(response.getheaders()))
        finally:
            connection.close()


@dataclass
class Running(Asked):
    """A daemon process over `data`, listening on `port` of both loopback addresses."""

    data: Path
    port: int
    process: Process
    log: Path

    @property
    def keys(self) -> dict[str, str]:
        """What the first start left."""
        found: dict[str, str] = json.loads((self.data / "first-run.json").read_text())
        return found

    def api(self, method: str, path: str, body: Any = None, key: str = "api_key") -> Answer:
        """A management API request with one of the first run's keys."""
        text = None if body is None else json.dumps(body)
        return self.ask(method, f"/api/v3/{path}", text, {"X-Api-Key": self.keys[key]})

    def ping(self, slug: str, query: str = "", method: str = "GET", body: bytes | None = None) -> Answer:
        """Ping by slug: `job`, `job/fail` …"""
        return self.ask(method, f"/ping/{self.keys['ping_key']}/{slug}{query}", body)

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_S)

    def kill(self) -> None:
        """SIGKILL, as the out-of-memory killer would."""
        self.process.kill()
        self.process.wait(PATIENCE_S)

    def listening(self) -> bool:
        """Whether it takes connections and has its keys; fails the test if the process has ended instead."""
        if self.process.poll() is not None:
            pytest.fail(f"the daemon ended with {self.process.returncode}:\n{self.log.read_text()}")
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return (self.data / "first-run.json").exists() and self.ask("GET", "/api/v3/status/").status == 200


@dataclass
class Verifying(Asked):
    """A verifier process. `secret` is the first in `file`, `config` its place in the daemon's configuration."""

    name: str
    port: int
    secret: str
    file: Path
    process: Process
    log: Path

    @property
    def config(self) -> str:
        """Its name, where it is, and its secret."""
        return f'[[verifier]]\nname = "{self.name}"\nurl = "{self.url}"\nsecret = "{self.secret}"\n'

    def listening(self) -> bool:
        """Whether it takes connections; fails the test if the process has ended instead."""
        if self.process.poll() is not None:
            pytest.fail(f"the verifier ended with {self.process.returncode}:\n{self.log.read_text()}")
        try:
            return self.ask("GET", "/status").body == b"OK"
        except OSError:
            return False


def new_secret() -> str:
    """A secret for a verifier."""
    return "whsec_" + b64encode(token_bytes(32)).decode()


@dataclass
class Starter:
    """Starts daemons, verifiers and receivers, and ends them with the test."""

    tmp_path: Path
    running: list[Running] = field(default_factory=list)
    verifying: list[Verifying] = field(default_factory=list)
    receiving: list[Receiver] = field(default_factory=list)
    forks: bool = True
    """Whether daemons are forked from a process that has imported them; else `twistd` is started as a user does it."""
    places: list[Path] = field(default_factory=list)
    """Directories outside of `tmp_path`, which others may not enter; they go with the test."""

    def __call__(
        self,
        data: Path | None = None,
        *,
        config: str = "",
        command: tuple[str, ...] = ("twistd", "-n", "--pidfile=", "pingmon"),
        listen: tuple[str, ...] | None = None,
        port: int | None = None,
        wait: bool = True,
        preexec: Callable[[], None] | None = None,
    ) -> Running:
        """A daemon that listens and answers; `config` is the text of a TOML file."""
        data = data or self.tmp_path / "data"
        port = port or free_port()
        number = len(self.running)
        arguments = [*command, "--data", str(data)]
        if config:
            path = self.tmp_path / f"config-{number}.toml"
            path.touch(0o600)
            path.write_text(config)
            arguments += ["--config", str(path)]
        for endpoint in listen or (f"tcp:{port}:interface=127.0.0.1", rf"tcp:{port}:interface=\:\:1"):
            arguments += ["--listen", endpoint]
        log = self.tmp_path / f"daemon-{number}.log"
        process = self._process(log, arguments, preexec)
        daemon = Running(data, port, process, log)
        self.running.append(daemon)
        if wait:
            until(daemon.listening, "the daemon to listen")
        return daemon

    def verifiers(self, *names: str) -> list[Verifying]:
        """Verifiers that listen and may look at sites on loopback, each with a secret of its own."""
        started = [self.verifier(new_secret(), name=name, wait=False) for name in names]
        for verifier in started:
            until(verifier.listening, "the verifier to listen")
        return started

    def verifier(
        self,
        *secrets: str,
        name: str = "",
        options: tuple[str, ...] = ("--allow", "127.0.0.0/8"),
        wait: bool = True,
    ) -> Verifying:
        """A verifier with these secrets and options, that listens."""
        name, port = name or f"node-{len(self.verifying)}", free_port()
        file, log = self.tmp_path / f"{name}.secret", self.tmp_path / f"{name}.log"
        file.touch(0o600)
        file.write_text("\n".join(secrets))
        arguments = ["twistd", "-n", "--pidfile=", "pingmon-verifier", "--name", name, "--secret-file", str(file)]
        arguments += ["--listen", f"tcp:{port}:interface=127.0.0.1", *options]
        verifier = Verifying(name, port, secrets[0], file, self._process(log, arguments), log)
        self.verifying.append(verifier)
        if wait:
            until(verifier.listening, "the verifier to listen")
        return verifier

    def _process(self, log: Path, arguments: list[str], preexec: Callable[[], None] | None = None) -> Process:
        with log.open("wb") as out:
            if self.forks and arguments[0] == "twistd" and preexec is None and "LD_PRELOAD" not in os.environ:
                return Forked(arguments, out.fileno(), out.fileno(), self.tmp_path)
            command = [str(BIN / arguments[0]), *arguments[1:]]
            return subprocess.Popen(command, stdout=out, stderr=out, cwd=self.tmp_path, preexec_fn=preexec)

    def receiver(self) -> Receiver:
        """A receiver that listens."""
        self.receiving.append(Receiver())
        return self.receiving[-1]

    def end_all(self) -> None:
        """Kill what is still there."""
        while self.receiving:
            self.receiving.pop().close()
        for process in [*(each.process for each in self.running), *(each.process for each in self.verifying)]:
            if process.poll() is None:
                process.kill()
            process.wait(PATIENCE_S)
        for place in self.places:
            shutil.rmtree(place, ignore_errors=True)


@dataclass
class Received:
    """One request that a receiver got; names of headers are in lower case, `at` is seconds since the epoch."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    at: float


class _Patient(ThreadingHTTPServer):
    """Lets many connect at the same time: who finds the queue full would try again only a second later."""

    daemon_threads = True
    request_queue_size = 128


class Receiver:
    """A real HTTP server that keeps what it is sent.

    `answer` is asked for the status of each request, or for status and body. `arrived` has what has come and may not
    be answered yet, `got` what is about to be.
    """

    def __init__(self) -> None:
        self.got: list[Received] = []
        self.arrived: list[Received] = []
        self.answer: Callable[[Received], int | tuple[int, bytes]] = lambda request: 200
        outer = self

        class Taking(BaseHTTPRequestHandler):
            def take(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                request = Received(self.command, self.path, headers, body, time.time())
                outer.arrived.append(request)
                answered = outer.answer(request)
                status, answer = answered if isinstance(answered, tuple) else (answered, b"")
                outer.got.append(request)
                try:
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(answer)))
                    self.end_headers()
                    self.wfile.write(answer)
                except OSError:
                    self.close_connection = True  # whoever asked waits no more

            do_GET = do_POST = do_PUT = do_PATCH = take

            def log_message(self, format: str, *args: object) -> None:
                """Quiet."""

        self.server = _Patient(("127.0.0.1", 0), Taking)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def wait(self, count: int, patience_s: float = PATIENCE_S) -> list[Received]:
        """The requests, once there are at least `count`."""
        until(lambda: len(self.got) >= count, f"{count} requests, got {self.got}", patience_s)
        return self.got

    def close(self) -> None:
        """Stop serving."""
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(PATIENCE_S)
