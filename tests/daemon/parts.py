"""The parts of a daemon that is well."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from pingmon.testing import Rig


def parts(rig: Rig, **changes: Any) -> Any:
    """The parts of a daemon that is well, but for `changes`, such as `health__blind`."""
    health = SimpleNamespace(sites=10, blind=0, late_s=0.0, queued_s=0.0, trouble="")
    now = rig.time.steady()
    made: dict[str, Any] = {
        "monitor": rig.monitor,
        "alarms": rig.alarms,
        "reviews": SimpleNamespace(last_tick=now),
        "outbox": SimpleNamespace(last_tick=now, overdue=lambda now: 0, pending=0),
        "inquiries": SimpleNamespace(overdue=lambda now: 0),
        "hosts": SimpleNamespace(last_tick=now),
        "site_watch": SimpleNamespace(last_tick=now, health=lambda: health),
        "rounds": SimpleNamespace(health=lambda: health, verifiers=None),
        "prober": SimpleNamespace(waits=SimpleNamespace(shortages=lambda: ()), seen={}),
        "verifier_health": tuple,
        "disk_space": lambda: (1 << 40, 1 << 40),
        "certificates": tuple,
    }
    for name, value in changes.items():
        part, _, field = name.partition("__")
        if field:
            setattr(health if part == "health" else made[part], field, value)
        else:
            made[part] = value
    return SimpleNamespace(**made)
