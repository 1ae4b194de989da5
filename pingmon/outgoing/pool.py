"""Where HTTP connections come from when each exchange has one of its own."""

from __future__ import annotations

from typing import Any

from twisted.web.client import HTTPConnectionPool, _HTTP11ClientFactory


class _QuietFactory(_HTTP11ClientFactory):
    noisy = False


class QuietPool(HTTPConnectionPool):
    """A pool that keeps nothing, and does not log the coming and going of each connection."""

    _factory = _QuietFactory

    def __init__(self, reactor: Any) -> None:
        super().__init__(reactor, persistent=False)
