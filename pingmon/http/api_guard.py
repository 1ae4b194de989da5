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

_HOST: Final = re.compile(rb"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9_.-]{1,253})(:[0-9]{0,5})?")
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
    if host and not (_HOST.fullmatch(host) and _is_name(host)):
        return "invalid host"
    try:
        b"/".join([*request.prepath, *request.postpath]).decode("utf-8")
    except UnicodeDecodeError:
        return "invalid url format"
    return None


def _is_name(host: bytes) -> bool:
    try:
        host.partition(b":")[0].decode("ascii").encode("idna")
    except UnicodeError:
        return False
    return True


def authority(request: IRequest) -> str:
    """The host and port that the client asked, or, if it named none, those it was connected to."""
    host = request.getHeader(b"host")
    if host:
        return str(host, "ascii")
    address = request.getHost()
    name = getattr(address, "host", None)
    if not isinstance(name, str):  # a UNIX socket
        return "localhost"
    return f"[{name}]:{address.port}" if ":" in name else f"{name}:{address.port}"


def origin(request: IRequest) -> str:
    """The URL of the daemon as the client sees it, without a slash at its end.

    A request of our own door knows the scheme that a trusted proxy was asked with.
    """
    caller = getattr(request, "caller", None)
    if caller is None:
        scheme = "https" if request.isSecure() else "http"
    else:
        _, scheme = caller()
    return f"{scheme}://{authority(request)}"
