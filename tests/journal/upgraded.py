"""Upgrades the journal that is named; run, and killed, by test_upgrade.py."""

from __future__ import annotations

import sys
from pathlib import Path

from pingmon.journal import Retention
from pingmon.journal.sqlite.writer import Writer

writer = Writer(Path(sys.argv[1]), Retention(), print)
writer.open(0)
print("opened", flush=True)
writer.upgrade()
print("upgraded", flush=True)
writer.close()
