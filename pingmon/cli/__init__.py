"""The command `pingmon`: tools for the one who runs the daemon, and for scripts. The daemon itself is `twistd pingmon`.

This module imports nothing but what every command needs: `pingmon run` begins a job in a few hundredths of a second.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command that `sys.argv` says, and exit."""
    if sys.argv[1:2] == ["run"]:
        from pingmon.cli.run import main as run

        run(sys.argv[2:])
    from pingmon.cli.commands import pingmon

    pingmon(prog_name="pingmon")
