"""The one mutable heart, and what it knows of the times in which it could not hear."""

from __future__ import annotations

from pingmon.monitor.monitor import SNAPSHOT_EVERY, Monitor, derived

__all__ = ["SNAPSHOT_EVERY", "Monitor", "derived"]
