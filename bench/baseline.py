"""The bare servers that pingmon is measured against: `python bench/baseline.py leaf|klein PORT`.

Each answers every request with OK and does nothing else.
"""

from __future__ import annotations

import sys

from klein import Klein
from twisted.internet import reactor
from twisted.internet.endpoints import serverFromString
from twisted.web.resource import Resource
from twisted.web.server import Request, Site


class Leaf(Resource):
    """The least that twisted.web can do."""

    isLeaf = True

    def render(self, request: Request) -> bytes:
        """OK."""
        return b"OK"


class Bare:
    """The least that Klein can do: one route."""

    app = Klein()

    @app.route("/ping/<uuid>")
    def ping(self, request: Request, uuid: str) -> bytes:
        """OK."""
        return b"OK"


class Silent(Site):
    """No access log: pingmon has none by default either."""

    noisy = False

    def log(self, request: object) -> None:
        """Nothing."""


def main(kind: str, port: str) -> None:
    """Serve until ended."""
    site = Silent(Leaf() if kind == "leaf" else Bare().app.resource())
    serverFromString(reactor, f"tcp:{port}:interface=127.0.0.1").listen(site)
    reactor.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
