"""Reads coverage's JSON report and fails if a part of pingmon is covered by less than its floor, in percent.

A floor is what was measured, less one point. `core` and `wire` must be covered to every branch.
"""

from __future__ import annotations

import json
import sys
from collections import Counter

FLOORS = {"core": 100, "wire": 100}

hit: Counter[str] = Counter()
there: Counter[str] = Counter()
for path, report in json.load(sys.stdin)["files"].items():
    part = path.removeprefix("pingmon/").partition("/")[0]
    totals = report["summary"]
    hit[part] += totals["covered_lines"] + totals["covered_branches"]
    there[part] += totals["num_statements"] + totals["num_branches"]

failed = False
for part in sorted(there):
    covered = 100 * hit[part] / max(there[part], 1)
    floor = FLOORS.get(part, FLOORS.get("", 0))
    low = covered < floor
    failed |= low
    print(f"{part:20} {covered:6.1f} %, at least {floor} %{' <-- too little' if low else ''}")
sys.exit(failed)
