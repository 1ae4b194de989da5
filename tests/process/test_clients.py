"""Pings as people's scripts send them, to a real daemon."""

from __future__ import annotations

import contextlib
import select
import shutil
import signal
import socket
import subprocess
from ipaddress import IPv6Address
from pathlib import Path

import pytest

from tests.process.daemons import Running, Starter, free_port, until

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


V2_LOCAL = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"
V2_IPV6 = b"\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x24" + IPv6Address("2001:db8::7").packed * 2 + b"\x9c\x40\0\x50"


def through(port: int, *pieces: bytes) -> bytes:
    """What comes back on a connection whose client sends these pieces one by one, and then no more."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            client.sendall(piece)
            select.select([client], [], [], 0.02)
        came = b""
        with contextlib.suppress(OSError):  # of who was turned away
            client.shutdown(socket.SHUT_WR)
            while more := client.recv(65_536):
                came += more
        return came


def test_behind_a_proxy_that_speaks_the_proxy_protocol(start: Starter) -> None:
    """The client that the header names is the caller, in both versions; strangers cause one line, and no traceback."""
    plain, proxied = free_port(), free_port()
    listen = (f"tcp:{plain}:interface=127.0.0.1", f"haproxy:tcp:{proxied}:interface=127.0.0.1")
    daemon = start(port=plain, listen=listen)
    daemon.ping("job", "?create=1")
    ping = f"GET /ping/{daemon.keys['ping_key']}/job HTTP/1.1\r\n\r\n".encode()
    text = b"PROXY TCP4 198.51.100.9 192.0.2.1 40000 80\r\n"
    for pieces in (
        [bytes([byte]) for byte in text] + [ping],
        [V2_IPV6 + ping],
        [b"PROXY UNKNOWN\r\n", ping],
        [V2_LOCAL, ping],
    ):
        assert through(proxied, *pieces).startswith(b"HTTP/1.1 200 OK\r\n")
    assert [ping["remote_addr"] for ping in pings(daemon)][:4] == [
        "127.0.0.1",
        "127.0.0.1",
        "2001:db8::7",
        "198.51.100.9",
    ]
    before = daemon.log.read_text()
    for sent in (
        ping,
        b"PROXY TCP4 a b c d\r\n" + ping,
        text.replace(b"40000", b"x") + ping,
        text[:-3],
        b"",
        b"\0\xff",
    ):
        assert through(proxied, sent) == b""
    assert through(proxied, text + ping).startswith(b"HTTP/1.1 200 OK\r\n")
    said = daemon.log.read_text().removeprefix(before).splitlines()
    assert len(said) == 1
    assert f"port {proxied}: it is for proxies only" in said[0]
    assert daemon.stop() == -signal.SIGTERM


def test_tls_below_the_proxy_protocol_is_refused(start: Starter) -> None:
    """No proxy sends its header inside TLS."""
    daemon = start(listen=(f"haproxy:ssl:{free_port()}:privateKey=x.pem",), wait=False)
    assert daemon.process.wait(30) == 1
    assert "so the proxy ends TLS; write haproxy:tcp:8000" in daemon.log.read_text()


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_the_line_to_paste_works_where_there_is_only_a_unix_socket(start: Starter, tmp_path: Path) -> None:
    """And the log says once that it listens there."""
    endpoint = f"unix:{tmp_path / 'http.sock'}"
    daemon = start(listen=(endpoint,), wait=False)
    until(lambda: "try it: " in daemon.log.read_text(), "the line")
    said = daemon.log.read_text()
    assert run("sh", "-c", said.partition("try it: ")[2].rstrip()) == "Created"
    assert [line for line in said.splitlines() if "http.sock" in line and "try it" not in line] == [
        line for line in said.splitlines() if line.endswith(f"listening on {endpoint}")
    ]


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_behind_a_proxy_on_a_unix_socket(start: Starter, tmp_path: Path) -> None:
    """`unix` in `trusted_proxies` names it, and the PROXY protocol is spoken there too."""
    port, sockets = free_port(), (tmp_path / "http.sock", tmp_path / "proxy.sock")
    listen = (f"tcp:{port}:interface=127.0.0.1", f"unix:{sockets[0]}", f"haproxy:unix:{sockets[1]}")
    daemon = start(port=port, listen=listen, config='[http]\ntrusted_proxies = ["unix"]\n')
    daemon.ping("job", "?create=1")
    url = f"http://mon.example/ping/{daemon.keys['ping_key']}/job"
    headers = ("-H", "X-Forwarded-For: 198.51.100.9", "-H", "X-Forwarded-Proto: https")
    assert run("curl", "-sS", "--unix-socket", str(sockets[0]), *headers, url) == "OK"
    with socket.socket(socket.AF_UNIX) as proxy:
        proxy.connect(str(sockets[1]))
        ping = f"GET /ping/{daemon.keys['ping_key']}/job HTTP/1.0\r\n\r\n".encode()
        proxy.sendall(b"PROXY TCP6 2001:db8::7 2001:db8::1 40000 80\r\n" + ping)
        assert proxy.recv(4096).startswith(b"HTTP/1.0 200 OK\r\n")
    assert [(ping["remote_addr"], ping["scheme"]) for ping in pings(daemon)][:2] == [
        ("2001:db8::7", "http"),
        ("198.51.100.9", "https"),
    ]
    front = run("curl", "-sS", "--unix-socket", str(sockets[0]), *headers, "http://mon.example/")
    assert "https://mon.example/api/v3/" in front
