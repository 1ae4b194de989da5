"""What probes saw, for people and as JSON: in messages, in the API, everywhere the same."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pingmon.core.site.probe_result import Fault, ProbeResult
from pingmon.wire.api.checks import Json
from pingmon.wire.time_texts import exact_text

HERE: Final = "here"
"""What the daemon's own place is called among those of the verifiers."""
WORDS: Final[dict[Fault, str]] = {
    "": "ok",
    "dns": "no address found",
    "connect": "cannot connect",
    "tls": "TLS failed",
    "timeout": "timed out",
    "status": "status",
    "redirect": "redirects lead nowhere",
    "protocol": "no proper HTTP answer",
    "void": "could not look",
}
"""What is said of a look that does not say it itself."""


def look_json(look: ProbeResult) -> Json:
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


def witnesses(looks: Iterable[ProbeResult]) -> str:
    """Who saw what, those together who saw the same: `503 Service Unavailable (here, berlin); ok (tokyo)`.

    What is wrong comes first, who could not look last. No place is named if nobody but the daemon has looked.
    """
    ordered = sorted(looks, key=lambda look: (not look.counts, look.good))
    seen: dict[str, dict[str, None]] = {}
    for look in ordered:
        seen.setdefault(_words(look), {})[look.node or HERE] = None
    if all(look.node == "" for look in ordered):
        return "; ".join(seen)
    return "; ".join(f"{what} ({', '.join(places)})" for what, places in seen.items())


def _words(look: ProbeResult) -> str:
    # The detail of a look that saw nothing is about the prober: `no answer within 15 s` would be taken for the site's.
    if look.good or not look.counts:
        return WORDS[look.fault]
    return look.detail or (f"status {look.code}" if look.fault == "status" else WORDS[look.fault])
