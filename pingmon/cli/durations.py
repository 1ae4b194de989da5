"""Durations as people write them: `90`, `90s`, `30m`, `1h30m`, `2d`, `1w`."""

from __future__ import annotations

import re
from typing import Final

UNITS: Final = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
RULE: Final = "write seconds (90), or 90s, 30m, 1h30m, 2d, 1w"

_WHOLE: Final = re.compile("".join(rf"(?:([0-9]{{1,9}}){unit})?" for unit in UNITS))


def seconds_of(text: str) -> int:
    """The seconds that `text` says. `ValueError` with the rule if it says none."""
    if text.isdecimal() and text.isascii() and len(text) < 10:
        return int(text)
    found = _WHOLE.fullmatch(text)
    if not text or found is None:
        raise ValueError(f"{text!r} is no duration: {RULE}")
    return sum(int(number or 0) * unit for number, unit in zip(found.groups(), UNITS.values(), strict=True))


def duration_text(seconds: int) -> str:
    """`seconds` as `seconds_of` reads it, in the largest units that fit: `1h30m`."""
    parts = []
    for unit, length in UNITS.items():
        count, seconds = divmod(seconds, length)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
