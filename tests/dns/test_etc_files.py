"""`/etc/hosts` and `/etc/resolv.conf`: what they say, and that they are read again when they change."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock

from pingmon.dns import etc_files
from pingmon.dns.etc_files import FRESH_S, Reread
from pingmon.dns.resolver import Resolver
from pingmon.testing import result


def test_a_hosts_file_names_addresses() -> None:
    text = "127.0.0.1 localhost\n::1\tlocalhost # home\n\n# 1.1.1.1 no\n192.0.2.1 NAS nas. box\nbad line\n1.2 x\n"
    assert etc_files.hosts(text) == {
        "localhost": ("127.0.0.1", "::1"),
        "nas": ("192.0.2.1",),
        "box": ("192.0.2.1",),
    }


def test_resolv_conf_names_at_most_three_servers_and_without_any_this_machine_is_asked() -> None:
    text = (
        "search x\nnameserver 192.0.2.1\n nameserver 2001:db8::1 \nnameserver fe80::1%eth0\nnameserver\nnameserver x\n"
    )
    assert etc_files.servers(text) == (("192.0.2.1", 53), ("2001:db8::1", 53))
    assert len(etc_files.servers("nameserver 192.0.2.1\n" * 5)) == 3
    assert etc_files.servers("options rotate") == (("127.0.0.1", 53),)


def test_a_file_that_is_not_there_says_nothing(tmp_path: Path) -> None:
    assert etc_files.text_of(tmp_path / "none") is None
    (tmp_path / "some").write_bytes(b"\xff x")
    assert etc_files.text_of(tmp_path / "some") == "\ufffd x"


def test_a_file_is_read_again_when_it_has_changed_and_looked_at_now_and_then(tmp_path: Path) -> None:
    path = tmp_path / "hosts"
    path.write_text("192.0.2.1 a")
    file = Reread(path, etc_files.hosts, 100.0)
    path.write_text("192.0.2.22 a")
    assert not file.changed(100.0 + FRESH_S - 0.1)
    assert file.changed(100.0 + FRESH_S)
    assert file.value == {"a": ("192.0.2.22",)}
    os.utime(path, (1, 1))
    assert not file.changed(110.0)
    path.write_text("192.0.2.33 a")
    assert not file.changed(110.0 + FRESH_S - 0.1)
    assert file.changed(110.0 + FRESH_S)


def test_a_file_that_is_gone_means_what_it_did_until_it_is_back(tmp_path: Path) -> None:
    path = tmp_path / "resolv.conf"
    path.write_text("nameserver 192.0.2.1")
    file = Reread(path, etc_files.servers, 0.0)
    path.unlink()
    assert not file.changed(10.0)
    assert file.value == (("192.0.2.1", 53),)
    path.write_text("nameserver 192.0.2.2")
    assert file.changed(20.0)
    assert file.value == (("192.0.2.2", 53),)


class Askers(Clock):
    """A reactor without a network. `asked` are the name servers that questions have been sent to."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def addReader(self, reader: Any) -> None:
        """As `IReactorFDSet`."""
        with socket.fromfd(reader.fileno(), socket.AF_INET, socket.SOCK_DGRAM) as asking:
            self.asked.append(asking.getpeername()[0])

    def removeReader(self, reader: Any) -> None:
        """As `IReactorFDSet`."""

    def whom(self, resolver: Resolver) -> set[str]:
        """Whom a lookup asks."""
        self.asked.clear()
        looking = resolver.addresses("h.example")
        looking.addErrback(lambda failure: failure.trap(CancelledError))
        looking.cancel()
        return set(self.asked)


def test_another_resolv_conf_is_followed_without_a_restart(tmp_path: Path) -> None:
    path, running = tmp_path / "resolv.conf", Askers()
    path.write_text("nameserver 127.0.0.2\nnameserver 127.0.0.3\nnameserver 127.0.0.4\n")
    resolver, given = Resolver(running, resolv_conf=path), Resolver(running, [("127.0.0.9", 53)], resolv_conf=path)
    assert running.whom(resolver) == {"127.0.0.2"}
    path.write_text("nameserver 127.0.0.5\n")
    assert running.whom(resolver) == {"127.0.0.2"}
    running.advance(FRESH_S)
    assert running.whom(resolver) == {"127.0.0.5"}
    assert running.whom(given) == {"127.0.0.9"}


def test_another_hosts_file_is_followed_without_a_restart(tmp_path: Path) -> None:
    path, running = tmp_path / "hosts", Askers()
    path.write_text("192.0.2.1 nas\n")
    resolver, given = Resolver(running, (), hosts_file=path), Resolver(running, (), hosts={"nas": ["192.0.2.9"]})
    assert result(resolver.addresses("nas")).addresses == ("192.0.2.1",)
    path.write_text("192.0.2.22 nas\n")
    running.advance(FRESH_S)
    assert result(resolver.addresses("nas")).addresses == ("192.0.2.22",)
    assert result(given.addresses("nas")).addresses == ("192.0.2.9",)


@given(st.text())
def test_no_file_makes_it_fail(text: str) -> None:
    etc_files.hosts(text)
    etc_files.servers(text)
