"""What stands at `/`: what this is, whether it is well, and where to read on. HTML for browsers, text for all others.

Anybody may see it, so it says no more than `status/` says to anybody. It is always 200: machines ask `status/`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from http import HTTPStatus
from typing import Final

from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from pingmon.door.plain_answer import NOT_ALLOWED, NOT_FOUND, READING, PlainAnswer
from pingmon.door.public_url import ShownUrl
from pingmon.door.request import Request
from pingmon.wire.api.status import Problem

DOCUMENTATION: Final = "README.md and the folder docs/ in pingmon's source"
WHAT: Final = "It takes pings from jobs, looks at sites, and tells people when one fails, hangs or stays silent."

OPTIONS: Final = PlainAnswer(HTTPStatus.NO_CONTENT, "", (b"Allow", READING))
VARY: Final = (b"Vary", b"Accept")
ALONE: Final = (b"Content-Security-Policy", b"default-src 'none'; img-src data:; style-src 'unsafe-inline'")

PAGE: Final = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>pingmon</title>
<link rel="icon" href="data:,">
<style>body {{ font: 1rem/1.5 sans-serif; margin: 3rem auto; max-width: 40rem; padding: 0 1rem }}</style>
</head>
<body>
<h1>pingmon {version}</h1>
<p>{what}</p>
<p><strong>{health}</strong></p>
<ul>
<li>A job pings <code>{base}/ping/&lt;ping key&gt;/&lt;slug&gt;</code></li>
<li>The management API is at <code>{base}/api/v3/</code>, and
<a href="api/v3/status/"><code>{base}/api/v3/status/</code></a> is for machines that ask whether pingmon is well</li>
<li>Documentation: {documentation}</li>
</ul>
</body>
</html>
"""
TEXT: Final = """pingmon {version}
{what}
{health}

ping:           {base}/ping/<ping key>/<slug>
API:            {base}/api/v3/
for machines:   {base}/api/v3/status/
documentation:  {documentation}
"""


class Home(Resource):
    """The resource of `/`. `health` tells what is wrong with the daemon."""

    isLeaf = True

    def __init__(self, version: str, url: ShownUrl, health: Callable[[], Sequence[Problem]]) -> None:
        super().__init__()
        self._version = version
        self._url = url
        self._health = health

    def render(self, request: Request) -> int:
        """Called by Twisted."""
        if request.postpath:  # `//` and what follows
            request.answer(NOT_FOUND)
        elif request.method in (b"GET", b"HEAD"):
            request.answer(self._page(request))
        else:
            request.answer(OPTIONS if request.method == b"OPTIONS" else NOT_ALLOWED)
        return NOT_DONE_YET

    def _page(self, request: Request) -> PlainAnswer:
        html = b"text/html" in (request.getHeader(b"accept") or b"")
        said = {
            "version": self._version,
            "what": WHAT,
            "health": _sentence(self._health()),
            "base": self._url.of(request),
            "documentation": DOCUMENTATION,
        }
        if not html:
            return PlainAnswer(HTTPStatus.OK, TEXT.format_map(said), VARY)
        page = PAGE.format_map({name: escape(text) for name, text in said.items()})
        return PlainAnswer(HTTPStatus.OK, page, VARY, ALONE, kind=b"text/html; charset=utf-8")


def _sentence(problems: Sequence[Problem]) -> str:
    if not problems:
        return "It is well."
    return f"It is not well: {'; '.join(problem.text for problem in problems)}."
