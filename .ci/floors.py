"""Reads coverage's JSON report and fails if a part of pingmon is covered by less than its floor.

A floor is the percentage of lines and branches that was measured, less one point. What only runs in processes that
tests start is not measured.
"""

from __future__ import annotations

import json
import sys
from collections import Counter

FLOORS = {
    "core": 100, "wire": 100,
    "alarms": 92, "api": 98, "assembly": 40, "cli": 85, "daemon": 75, "delivery": 97, "dns": 97, "door": 98,
    "journal": 94, "monitor": 98, "outgoing": 98, "pings": 99, "probe": 98, "resubmit": 92, "sites": 97,
    "testing": 98, "timing": 98, "verify": 98, "web": 99,
}  # fmt: skip
NOT_MEASURED = {"__init__", "__main__", "tap", "verifier_tap"}

hit: Counter[str] = Counter()
there: Counter[str] = Counter()
for path, report in json.load(sys.stdin)["files"].items():
    part = path.removeprefix("pingmon/").partition("/")[0].removesuffix(".py")
    totals = report["summary"]
    hit[part] += totals["covered_lines"] + totals["covered_branches"]
    there[part] += totals["num_statements"] + totals["num_branches"]

low = []
for part in sorted(there.keys() - NOT_MEASURED):
    percent, floor = 100 * hit[part] / max(there[part], 1), FLOORS.get(part)
    print(f"{part:10} {percent:6.2f} %, {'and has no floor' if floor is None else f'at least {floor} %'}")
    if floor is None or percent < floor:
        low.append(part)
if low:
    sys.exit(f"covered too little, or without a floor in .ci/floors.py: {', '.join(low)}")
