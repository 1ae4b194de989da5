"""Every route of the management API: its path, its methods, the key it needs, and the function that answers it.

This table is what is served; an API document can be made from it and from `wire.fields`. Paths are werkzeug's, below
`/api/v<version>`; one trailing slash more or less is the same path.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, Literal

from msgspec import Struct

from pingmon.http import api_channels as channels
from pingmon.http import api_checks as checks
from pingmon.http import api_history as history
from pingmon.http.answers import Answer

VERSIONS: Final = (1, 2, 3)


class Operation(Struct, frozen=True):
    """What one method does. `needs`: the least key that may; a read-and-write key may all that a read-only one may."""

    needs: Literal["ro", "rw"]
    run: Callable[..., Awaitable[Answer]]

    @property
    def summary(self) -> str:
        """One sentence for people."""
        return (self.run.__doc__ or "").partition("\n")[0]


class Route(Struct, frozen=True):
    """A path and its operations by method. HEAD is served where GET is, OPTIONS everywhere."""

    name: str
    path: str
    operations: dict[str, Operation]

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods that are answered with something else than 405."""
        known = [*self.operations, "OPTIONS"]
        return tuple(["GET", "HEAD", *known[1:]] if known[0] == "GET" else known)

    def operation(self, method: str) -> Operation | None:
        """What `method` does here."""
        return self.operations.get("GET" if method == "HEAD" else method)


def _route(name: str, path: str, **operations: tuple[Literal["ro", "rw"], Callable[..., Any]]) -> Route:
    return Route(name, path, {method: Operation(*what) for method, what in operations.items()})


CHECK: Final = "/checks/<uuid:id>"
UNIQUE: Final = "/checks/<string(length=40):key>"

ROUTES: Final = (
    _route("checks", "/checks/", GET=("ro", checks.list_checks), POST=("rw", checks.create_check)),
    _route(
        "check",
        CHECK,
        GET=("ro", checks.read_check),
        POST=("rw", checks.update_check),
        DELETE=("rw", checks.delete_check),
    ),
    _route("check by unique key", UNIQUE, GET=("ro", checks.read_check_by_unique_key)),
    _route("pause", f"{CHECK}/pause", POST=("rw", checks.pause_check)),
    _route("resume", f"{CHECK}/resume", POST=("rw", checks.resume_check)),
    _route("pings", f"{CHECK}/pings/", GET=("rw", history.list_pings)),
    _route("body", f"{CHECK}/pings/<string(maxlength=15):n>/body", GET=("rw", history.read_body)),
    _route("flips", f"{CHECK}/flips/", GET=("ro", history.list_flips)),
    _route("flips by unique key", f"{UNIQUE}/flips/", GET=("ro", history.list_flips_by_unique_key)),
    _route("channels", "/channels/", GET=("rw", channels.list_channels), POST=("rw", channels.create_channel)),
)
