"""The root of all URLs: what is a ping, and what else there is.

    /ping/…                                        pings
    /<uuid>…  /<ping key>/…                        pings, as in the oldest examples of the pinging API
    /api/…    and whatever else is put here        its own resource
    anything else                                  404

A UUID and a ping key are long and random, so a first part that is one can mean nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET

from pingmon.http.ping import PingResource
from pingmon.http.plain import NOT_FOUND
from pingmon.wire.ping_url import canonical_uuid, first_segment

if TYPE_CHECKING:
    from pingmon.http.request import Request
    from pingmon.monitor import Monitor


class NotFound(Resource):
    """What is not there, for any method."""

    isLeaf = True

    def render(self, request: Any) -> int:
        request.answer(NOT_FOUND)
        return NOT_DONE_YET


class Root(Resource):
    """Mount what else there is with `putChild`; `api` is mounted at `/api`."""

    def __init__(self, ping: PingResource, monitor: Monitor, api: IResource | None = None) -> None:
        super().__init__()
        self.ping = ping
        self.ping_body_limit = ping.settings.body_limit
        self._monitor = monitor
        self._nothing = NotFound()
        self.putChild(b"ping", ping)
        if api is not None:
            self.putChild(b"api", api)

    def names_ping(self, path: bytes) -> bool:
        """Whether a request for `path` (still percent-encoded) is a ping, well-formed or not."""
        if path.startswith(b"/ping/"):
            return True
        first = first_segment(path)
        return first == "ping" or canonical_uuid(first) is not None or first in self._monitor.world.ping_keys

    def take_ping(self, request: Request) -> None:
        """Hand over a request whose path names a ping, without the way through the tree."""
        self.ping.render(request)

    def getChild(self, path: bytes, request: Any) -> IResource:
        return self._nothing
