"""The root of all that is no ping.

/api/…    and whatever else is put here        its own resource
anything else                                  404
"""

from __future__ import annotations

from typing import Final

from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET

from pingmon.door.plain_answer import NOT_FOUND, PlainAnswer
from pingmon.door.request import Request

API: Final = b"api"


class NotFound(Resource):
    """What is not there, for any method."""

    isLeaf = True

    def render(self, request: Request) -> int:
        request.answer(NOT_FOUND)
        return NOT_DONE_YET


class Root(Resource):
    """Mount what else there is with `putChild`; `api` is mounted at `/api`."""

    def __init__(self, api: IResource | None = None) -> None:
        super().__init__()
        self._nothing = NotFound()
        if api is not None:
            self.putChild(API, api)

    def getChild(self, path: bytes, request: object) -> IResource:
        return self._nothing


def voice(path: bytes, refusal: PlainAnswer) -> PlainAnswer:
    """What the door refuses of the API's requests is answered in the API's words: every error is JSON."""
    return refusal.as_json() if path.split(b"/", 2)[1:2] == [API] else refusal
