"""A terminal, for commands that ask."""

from __future__ import annotations

import io


class Terminal(io.BytesIO):
    """Standard input with somebody who types this."""

    def isatty(self) -> bool:
        """Yes."""
        return True
