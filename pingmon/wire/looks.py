"""What probes saw, for people and as JSON: in messages, in the API, everywhere the same."""

from __future__ import annotations

from collections.abc import Iterable

from pingmon.core.look import Look
from pingmon.wire.checks import Json, exact_text

HERE = "here"
"""What the daemon's own place is called among those of the verifiers."""


def look_json(look: Look) -> Json:
    """One look. `node` is "" for the daemon itself; `class` is `ok` or what went wrong; times are milliseconds."""
    phases = look.phases
    return {
        "node": look.node,
        "at": exact_text(look.at),
        "class": look.fault or "ok",
        "code": look.code,
        "ms": look.ms,
        "address": look.address,
        "detail": look.detail,
        "phases": {"dns": phases.dns, "connect": phases.connect, "tls": phases.tls, "answer": phases.answer},
    }


def witnesses(looks: Iterable[Look]) -> str:
    """Who saw what, those together who saw the same: `503 Service Unavailable (here, berlin); ok (tokyo)`."""
    seen: dict[str, list[str]] = {}
    for look in looks:
        what = "ok" if look.good else look.detail or look.fault
        seen.setdefault(what, []).append(look.node or HERE)
    return "; ".join(f"{what} ({', '.join(dict.fromkeys(nodes))})" for what, nodes in seen.items())
