"""What a request must be before Klein may see it, and under which address it came.

Klein looks at the Host header, the path and the method before any of its error handlers can act: a Host with a label of
64 characters or bytes that are not UTF-8 there make it log a traceback and answer in HTML. Such requests end here.
"""

from __future__ import annotations

import re
from typing import Final

from twisted.web.iweb import IRequest
from twisted.web.resource import IResource, Resource

from pingmon.http.answers import ApiError, written
from pingmon.http.sanity import is_host
from pingmon.http.shown_url import authority

_METHOD: Final = re.compile(rb"[A-Za-z-]{1,32}")


class Guarded(Resource):
    """Lets sound requests through to `inner` and answers the others itself."""

    isLeaf = True

    def __init__(self, inner: IResource) -> None:
        super().__init__()
        self._inner = inner

    def render(self, request: IRequest) -> bytes | int:
        """Called by Twisted."""
        trouble = _trouble(request)
        if trouble is not None:
            return written(request, ApiError(400, trouble).answer())
        if not request.getHeader(b"host"):
            request.requestHeaders.setRawHeaders(b"host", [authority(request).encode("ascii")])
        rendered: bytes | int = self._inner.render(request)
        return rendered


def _trouble(request: IRequest) -> str | None:
    """What is wrong with the request; None if nothing is."""
    if not _METHOD.fullmatch(request.method):
        return "invalid method"
    host = request.getHeader(b"host")
    if host and not is_host(host):
        return "invalid host"
    try:
        b"/".join([*request.prepath, *request.postpath]).decode("utf-8")
    except UnicodeDecodeError:
        return "invalid url format"
    return None
