"""The servers that are measured, each a process of its own with a plain and a TLS port, and pingmon's checks."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from common import HERE, accepts, daemon_command, free_port, process, until

CHECKS = 100


@dataclass(frozen=True)
class Server:
    """A running server."""

    name: str
    plain: int
    tls: int
    pid: int


def start(place: Path, stack: ExitStack) -> list[Server]:
    """All that this machine has, the leaf first; says which are missing. They run until `stack` is closed."""
    pem, running = certificate(place), []
    for name, command in SERVERS.items():
        plain, tls = free_port(), free_port()
        try:
            arguments = command(place, plain, tls, pem)
        except MissingError as why:
            print(f"No row of {name}: {why}.\n")
            continue
        pid = stack.enter_context(process(arguments, plain, place / f"{name}.log")).pid
        until(partial(accepts, tls), f"{name} to take TLS connections")
        running.append(Server(name, plain, tls, pid))
    return running


class MissingError(Exception):
    """A server's program is not there."""


def _program(name: str) -> str:
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if found is None:
        raise MissingError(f"there is no `{name}` on PATH")
    return found


def _bare(kind: str) -> Callable[[Path, int, int, Path], list[str]]:
    def command(place: Path, plain: int, tls: int, pem: Path) -> list[str]:
        return [sys.executable, str(HERE / "baseline.py"), kind, f"tcp:{plain}:interface=127.0.0.1", secure(tls, pem)]

    return command


def _pingmon(place: Path, plain: int, tls: int, pem: Path) -> list[str]:
    """As a user starts it, with every limit of its door; but a project may have more checks than usual."""
    (place / "pingmon.toml").write_text("[limits]\nchecks = 1_000_000\n")
    more = ("--listen", secure(tls, pem), "--config", str(place / "pingmon.toml"))
    return daemon_command(place / "data", plain, *more)


def _nginx(place: Path, plain: int, tls: int, pem: Path) -> list[str]:
    """An nginx of one process that answers 200 from memory and stores nothing."""
    program = _program("nginx")
    for folder in ("body", "logs"):
        (place / folder).mkdir(exist_ok=True)
    (place / "nginx.conf").write_text(
        f"daemon off; master_process off; pid {place}/nginx.pid; error_log {place}/logs/error.log;\n"
        "events { worker_connections 1024; }\n"
        f"http {{ access_log off; client_body_temp_path {place}/body; keepalive_requests 1000000000;\n"
        f"  proxy_temp_path {place}/body; fastcgi_temp_path {place}/body; uwsgi_temp_path {place}/body;\n"
        f"  scgi_temp_path {place}/body; ssl_certificate {pem}; ssl_certificate_key {pem};\n"
        f"  server {{ listen 127.0.0.1:{plain}; listen 127.0.0.1:{tls} ssl;\n"
        '    location / { return 200 "OK"; } } }\n'
    )
    return [program, "-p", str(place), "-c", str(place / "nginx.conf"), "-e", str(place / "logs" / "error.log")]


def _grouped(place: Path, plain: int, tls: int, pem: Path) -> list[str]:
    built = place / "grouped"
    subprocess.run([_program("go"), "build", "-o", str(built), str(HERE / "grouped.go")], check=True)
    return [str(built), str(place / "grouped.log"), f"127.0.0.1:{plain}", f"127.0.0.1:{tls}", str(pem)]


SERVERS: dict[str, Callable[[Path, int, int, Path], list[str]]] = {
    "twisted.web leaf": _bare("leaf"),
    "pingmon": _pingmon,
    "Klein": _bare("klein"),
    "Go, grouped fdatasync": _grouped,
    "nginx": _nginx,
}


def secure(port: int, pem: Path) -> str:
    """A TLS endpoint of the loopback interface."""
    return f"ssl:{port}:interface=127.0.0.1:privateKey={pem}:certKey={pem}"


def certificate(place: Path) -> Path:
    """A certificate and its key, in one file."""
    pem = place / "localhost.pem"
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    made += ["-subj", "/CN=localhost", "-keyout", str(place / "key"), "-out", str(place / "certificate")]
    subprocess.run(made, check=True, capture_output=True)
    pem.write_text((place / "key").read_text() + (place / "certificate").read_text())
    return pem


def checks(data: Path, port: int) -> list[str]:
    """Make the checks `job-0` and so on, with a ping each; their ping paths."""
    until((data / "first-run.json").exists, "the first run's keys")
    until(lambda: status(port) == 200, "the daemon to be well")
    for number in range(CHECKS):
        path = f"{by_slug(data)}/job-{number}?create=1"
        urllib.request.urlopen(f"http://127.0.0.1:{port}{path}").read()
    return [f"/ping/{check['uuid']}" for check in listed(data, port)]


def by_slug(data: Path) -> str:
    """What the ping paths of all slugs begin with."""
    return f"/ping/{json.loads((data / 'first-run.json').read_text())['ping_key']}"


def status(port: int) -> int:
    """What the daemon says of itself."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v3/status/") as answer:
            return int(answer.status)
    except OSError:
        return 0


def listed(data: Path, port: int) -> list[dict[str, object]]:
    """All checks, as the API tells of them."""
    key = json.loads((data / "first-run.json").read_text())["api_key"]
    request = urllib.request.Request(f"http://127.0.0.1:{port}/api/v3/checks/", headers={"X-Api-Key": key})
    with urllib.request.urlopen(request) as answer:
        found: list[dict[str, object]] = json.loads(answer.read())["checks"]
        return found
