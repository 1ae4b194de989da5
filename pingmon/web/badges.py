"""What stands at `/b/`, where clients look for the badges whose address is in `badge_url`. There are none.

The key stays in the API because clients need it. Whoever fetches what it names is told the truth, in the form that was
asked for: a picture for a page, JSON for a program. The status is 404, so nothing takes it for a check's state.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from pingmon.door.plain_answer import JSON, PlainAnswer
from pingmon.door.request import Request

WORDS: Final = "this pingmon makes no badges"
PICTURE: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="190" height="20" role="img">'
    f"<title>{WORDS}</title>"
    '<rect width="190" height="20" rx="3" fill="#9f9f9f"/>'
    '<text x="95" y="14" fill="#fff" font-family="sans-serif" font-size="11" text-anchor="middle">'
    f"{WORDS}</text></svg>"
)
NONE: Final = {
    b".svg": PlainAnswer(HTTPStatus.NOT_FOUND, PICTURE, kind=b"image/svg+xml"),
    b".json": PlainAnswer(HTTPStatus.NOT_FOUND, f'{{"error": "{WORDS}"}}', kind=JSON),
    b".shields": PlainAnswer(HTTPStatus.NOT_FOUND, f'{{"error": "{WORDS}"}}', kind=JSON),
}
IN_TEXT: Final = PlainAnswer(HTTPStatus.NOT_FOUND, WORDS)


class Badges(Resource):
    """The resource of `/b/`, for any method."""

    isLeaf = True

    def render(self, request: Request) -> int:
        """Called by Twisted."""
        _, dot, form = request.path.rpartition(b".")
        request.answer(NONE.get(dot + form, IN_TEXT))
        return NOT_DONE_YET
