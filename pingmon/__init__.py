"""pingmon: a monitor for cron jobs and sites that keeps everything in one append-only log."""

__version__ = "0.1.0"
