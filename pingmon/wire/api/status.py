"""What `status/` answers: what is wrong with the daemon, in words for anybody and in words for its operator.

    without a key   200 `OK`, or 503 `{"problems": ["<text>", …]}`
    with any key    200 or 503 `{"version": "…", "problems": [{"text": "…", "detail": "…"}, …], "warnings": [the same]}`
    an operator's   `told` as well: the channels that are told of it, with `id`, `name` and `kind`

Strangers may ask, so a text names nobody: no check, no site, no verifier, no path. A detail may.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from pingmon.core.notify.channel import Channel
from pingmon.core.notify.trouble import Trouble
from pingmon.wire.time_texts import seconds_text


class Problem(Struct, frozen=True):
    """Something that keeps the daemon from doing its work.

    `text`: what that is, for anybody to read. `detail`: why, and what the operator can do about it. `kind` tells it
    from others, for ever, whatever its text is now.
    """

    text: str
    detail: str
    kind: str = ""


def for_anybody(problems: Sequence[Problem]) -> dict[str, object]:
    """What strangers are told of `problems`."""
    return {"problems": [problem.text for problem in problems]}


def for_keys(
    problems: Sequence[Problem], warnings: Sequence[Problem], version: str, told: Sequence[Channel] | None = None
) -> dict[str, object]:
    """What those who have a key are told; `version` is the daemon's. `warnings` do not keep it from its work.

    `told` are the channels that are told of trouble of the daemon, for operators to see.
    """
    shown: dict[str, object] = {"version": version, "problems": _explained(problems), "warnings": _explained(warnings)}
    if told is not None:
        shown["told"] = [{"id": channel.id, "name": channel.name, "kind": channel.kind} for channel in told]
    return shown


def trouble_json(trouble: Trouble) -> dict[str, object]:
    """Trouble of pingmon itself, as messages show it."""
    shown = {name: getattr(trouble, name) for name in ("id", "kind", "text", "detail", "status")}
    return shown | {"since": seconds_text(trouble.since)}


def _explained(problems: Sequence[Problem]) -> list[dict[str, str]]:
    return [{"text": problem.text, "detail": problem.detail} for problem in problems]
