"""The bare servers that pingmon is measured against: `python bench/baseline.py leaf|klein ENDPOINT ...`.

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
    """The least that Klein can do: two routes."""

    app = Klein()

    @app.route("/ping/<uuid>")
    def ping(self, request: Request, uuid: str) -> bytes:
        """OK."""
        return b"OK"

    @app.route("/ping/<ping_key>/<slug>")
    def ping_by_slug(self, request: Request, ping_key: str, slug: str) -> bytes:
        """OK."""
        return b"OK"


class Silent(Site):
    """No access log: pingmon has none by default either."""

    noisy = False

    def log(self, request: object) -> None:
        """Nothing."""


def main(kind: str, *endpoints: str) -> None:
    """Serve until ended."""
    site = Silent(Leaf() if kind == "leaf" else Bare().app.resource())
    for endpoint in endpoints:
        serverFromString(reactor, endpoint).listen(site)
    reactor.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
