"""Tests of `pingmon.daemon.config_reload` and `pingmon.daemon.log_level`."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace
from twisted.logger import ILogObserver, LogLevel, LogPublisher, capturedLogs
from zope.interface import implementer

from pingmon.daemon.config import Config, Limits, Log, Monitoring
from pingmon.daemon.config_reload import Reload, differing
from pingmon.daemon.log_level import LogFilter
from pingmon.daemon.startup_errors import StartupRefused
from tests.door.stage import errors


def test_the_keys_in_which_two_configurations_differ_are_found() -> None:
    """In sections too; tables are one key."""
    other = replace(Config(), data="x", limits=Limits(checks=3), monitor=Monitoring(hold=1))
    assert list(differing(Config(), other)) == ["data", "monitor.hold", "limits.checks"]
    assert list(differing(other, other)) == []


def test_what_the_parts_cannot_take_is_named_until_the_restart() -> None:
    """At each reading, compared with what runs."""
    new = replace(Config(), data="x", limits=Limits(checks=3), log=Log("warn"))
    taken: list[Config] = []
    reload = Reload(lambda: new, Config(), [taken.append])
    with capturedLogs() as logged:
        reload()
        reload()
    assert taken == [new, new]
    assert [event["keys"] for event in logged if "keys" in event] == ["data", "data"]


def test_without_a_file_nothing_is_read_and_the_log_says_so() -> None:
    """No part is bothered."""
    taken: list[Config] = []
    with capturedLogs() as logged:
        Reload(None, Config(), [taken.append])()
    assert taken == []
    assert [event["log_format"] for event in logged] == [
        "there is no configuration to read again: pingmon was started without --config"
    ]


def test_what_is_refused_on_the_way_is_said() -> None:
    """By the first part, before another one has changed."""

    def refuse(config: Config) -> None:
        raise StartupRefused("verifier[0]: no")

    with capturedLogs() as logged:
        Reload(Config, Config(), [refuse])()
    assert [event["problem"] for event in errors(logged)] == ["verifier[0]: no"]


def test_a_filter_lets_pass_our_lines_from_its_level_and_only_troubles_of_others() -> None:
    """All of them with debug; it stands before each observer once."""
    seen: list[str] = []

    @implementer(ILogObserver)
    class Seeing:
        def __call__(self, event: dict[str, Any]) -> None:
            seen.append(event["id"])

    seeing = Seeing()
    publisher = LogPublisher(seeing)
    level = LogFilter()
    level.install(publisher)
    level.install(publisher)

    def all_passed() -> list[str]:
        seen.clear()
        for namespace in ("pingmon.x", "twisted.y"):
            for each in ("debug", "info", "warn", "critical"):
                event = {
                    "log_namespace": namespace,
                    "log_level": LogLevel.lookupByName(each),
                    "id": namespace[0] + each,
                }
                publisher(event)
        return seen

    assert all_passed() == ["pinfo", "pwarn", "pcritical", "twarn", "tcritical"]
    level.level = "error"
    assert all_passed() == ["pcritical", "tcritical"]
    level.level = "debug"
    assert len(all_passed()) == 8
    publisher.removeObserver(seeing)
    assert all_passed() == [], "it is taken away as if it stood there itself"
