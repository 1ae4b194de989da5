"""pingmon: a monitor for cron jobs and sites that keeps everything in one append-only log.

Of what can be imported, `pingmon.testing` and `__version__` are public; all other modules are private and change
without notice. `docs/architecture.md` lists what else may be built on: the HTTP APIs, the log, the configuration, the
commands.
"""

__version__ = "0.1.0"
"""The version stands here alone: `pyproject.toml` reads it from here."""
