"""systemd's timers: when they start a job, and drop-ins that let the job ping. Text in, text out.

Units are read as `systemctl cat` writes them: a file and its drop-ins after one another. An empty value forgets those
before it. systemd.timer(5) and systemd.service(5) say what a setting means.
"""

from __future__ import annotations

import re
import shlex
from collections import defaultdict
from collections.abc import Mapping
from typing import Final, TypeAlias

from pingmon.cli.crontab import CURL

Unit: TypeAlias = Mapping[str, list[str]]
"""The values of each setting, called `Section.Name`, in their order."""

SPANS: Final = {
    1: ("", "s", "sec", "second", "seconds"),
    60: ("m", "min", "minute", "minutes"),
    3_600: ("h", "hr", "hour", "hours"),
    86_400: ("d", "day", "days"),
    604_800: ("w", "week", "weeks"),
    2_630_016: ("M", "month", "months"),
    31_557_600: ("y", "year", "years"),
}
_SECONDS: Final = {name: length for length, names in SPANS.items() for name in names}
_SPAN: Final = re.compile(r"\s*([0-9]+)\s*([A-Za-z]*)")
_FINE: Final = re.compile(r"[0-9.]+\s*(ms|msec|us|usec)\s*$")
ENDED: Final = 'case "$$EXIT_STATUS" in ""|*[!0-9]*) s=fail;; *) s=$$EXIT_STATUS;; esac'
"""What the service's end was, for a shell; systemd says the name of a signal where there is no exit status."""
WRAPPED: Final = frozenset({"", "simple", "exec", "oneshot", "idle"})
"""Types of services whose command may be started by another."""


def unit(text: str) -> Unit:
    """What a unit's files say."""
    found: dict[str, list[str]] = defaultdict(list)
    section = ""
    for line in text.replace("\\\n", " ").split("\n"):
        line = line.strip()
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1]
        elif line and line[0] not in "#;" and "=" in line:
            name, _, value = line.partition("=")
            key = f"{section}.{name.strip()}"
            if value.strip():
                found[key].append(value.strip())
            else:
                found[key] = []
    return found


def seconds(span: str) -> int:
    """The whole seconds of a time span, `1h 30min`. `ValueError` if it is none."""
    rest = _FINE.sub("", span)
    parts = _SPAN.findall(rest)
    if _SPAN.sub("", rest).strip() or not all(name in _SECONDS for _, name in parts):
        raise ValueError(f"{span} is no time span")
    return sum(int(number) * _SECONDS[name] for number, name in parts)


def service_of(name: str, timer: Unit) -> str:
    """The unit that the timer called `name` starts."""
    return (timer.get("Timer.Unit") or [name.removesuffix(".timer") + ".service"])[-1]


def expected(timer: Unit) -> dict[str, object]:
    """The fields of a check: its schedule, or its timeout. `ValueError` if no clock says when the job is started."""
    if calendar := timer.get("Timer.OnCalendar"):
        return {"schedule": "\n".join(calendar)}
    for name in ("OnUnitActiveSec", "OnUnitInactiveSec"):
        if spans := timer.get(f"Timer.{name}"):
            return {"timeout": min(map(seconds, spans))}
    raise ValueError("it has no OnCalendar, and no OnUnitActiveSec: nothing can be expected at any time")


def delay(timer: Unit) -> int:
    """By how many seconds a start may be late on purpose."""
    return sum(
        seconds(spans[-1]) for name in ("RandomizedDelaySec", "AccuracySec") if (spans := timer.get(f"Timer.{name}"))
    )


def pings(service: Unit) -> bool:
    """Whether a service sends pings already."""
    return any("pingmon run" in line or "/ping/" in line for lines in service.values() for line in lines)


def can_run(service: Unit) -> bool:
    """Whether its command can be run by another: it is the only one, and nobody waits for a word of it."""
    commands = service.get("Service.ExecStart", [])
    kind = (service.get("Service.Type") or [""])[-1]
    return len(commands) == 1 and kind in WRAPPED and commands[0].lstrip("-")[:1] not in "@:+!|"


def with_run(service: Unit, target: str, program: str) -> str:
    """A drop-in that has the service's command run by `pingmon run`; `program` is its absolute path."""
    (command,) = service["Service.ExecStart"]
    bare = command.lstrip("-")
    mark = command[: len(command) - len(bare)]
    return f"[Service]\nExecStart=\nExecStart={mark}{_in_unit(program)} run {_in_unit(target)} {bare}\n"


def with_curl(url: str) -> str:
    """A drop-in that sends a ping with the service's exit status when it has ended, however it did."""
    return f"[Service]\nExecStopPost=-/bin/sh -c '{ENDED}; {CURL} {_in_unit(url)}/$$s'\n"


def drop_in(service: str) -> str:
    """Where a drop-in of a system's service belongs."""
    return f"/etc/systemd/system/{service}.d/pingmon.conf"


def _in_unit(word: str) -> str:
    return shlex.quote(word).replace("%", "%%").replace("$", "$$")
