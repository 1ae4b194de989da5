"""Under which URL the daemon is shown to a client: the configured one, or else the one that the client used.

Behind a trusted proxy that is the one that the proxy was asked with, as far as its headers say it (`peers.asked`;
Note [Trust in relays]).
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from twisted.logger import Logger
from twisted.web.iweb import IRequest

from pingmon.door.request_syntax import is_host
from pingmon.wire.web_url import PORTS


class ShownUrl:
    """`configured` has no slash at its end; empty: there is none. `own`: known to clients whose URL says nothing."""

    log = Logger()

    def __init__(self, configured: str, own: Callable[[], str] | None = None) -> None:
        self._configured = configured
        self._own = own
        self._warned = False

    def of(self, request: IRequest) -> str:
        """The daemon's URL for this client, without a slash at its end."""
        return self._configured or (origin(request) if self._own is None else self._own())

    def compare(self, request: IRequest) -> None:
        """Warn, once, if a trusted proxy was asked with another URL than the configured one.

        For requests of those who have a key only: a stranger can ask a proxy for any host, and would choose the line.
        """
        if not self._configured or self._warned:
            return
        scheme, host = _reported(request)
        expected = urlsplit(self._configured)
        scheme = scheme or expected.scheme
        if scheme == expected.scheme and host.lower() in ("", *_spellings(scheme, expected.netloc.lower())):
            return
        self._warned = True
        self.log.warn(
            "clients come by {asked}, but [http] base_url is {configured}, and all URLs that pingmon shows begin with "
            "that: correct base_url, or what the proxy says of the host",
            asked=f"{scheme}://{host or expected.netloc}",
            configured=self._configured,
        )


def _reported(request: IRequest) -> tuple[str, str]:
    """What a trusted proxy was asked with. (Only requests of our own door know; `Request.forwarded`.)"""
    forwarded = getattr(request, "forwarded", None)
    scheme, host = ("", "") if forwarded is None else forwarded()
    return scheme, host if is_host(host.encode("latin-1")) else ""


def _spellings(scheme: str, host: str) -> tuple[str, str]:
    """A host with and without the port that its scheme has anyway."""
    bare = host.removesuffix(f":{PORTS.get(scheme)}")
    return bare, f"{bare}:{PORTS.get(scheme)}"


def origin(request: IRequest) -> str:
    """The URL of the daemon as the client sees it, without a slash at its end."""
    scheme, host = _reported(request)
    if not scheme:
        scheme = "https" if request.isSecure() else "http"
    return f"{scheme}://{host or request.getHeader(b'host').decode('ascii')}"
