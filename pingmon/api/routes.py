"""Every route of the management API: its path, its methods, the key it needs, and the function that answers it.

This table is what is served; `api.openapi` tells what each operation takes and answers. Paths are
werkzeug's, below `/api/v<version>`; one trailing slash more or less is the same path.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from msgspec import Struct

from pingmon.api import (
    badges,
    channels,
    check_history,
    checks,
    explain,
    keys,
    maintenance,
    metrics,
    partners,
    projects,
    rehearse,
    site_history,
    sites,
)
from pingmon.api.api_answer import ApiAnswer
from pingmon.core.world.events import Role

VERSIONS: Final = (1, 2, 3)

MAY: Final[dict[Role, tuple[Role, ...]]] = {"ro": ("ro", "rw"), "rw": ("rw",), "operator": ("operator",)}
"""The roles of the keys that may do what needs a key; an operator's is for what concerns no project."""


class Operation(Struct, frozen=True):
    """What one method does. `needs`: the least key that may (see `MAY`).

    The key is in the first of `headers` that is there; who has none that may is answered `refusal`.
    """

    needs: Role
    run: Callable[..., Awaitable[ApiAnswer]]
    headers: tuple[str, ...] = ("X-Api-Key",)
    refusal: int = 401

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


def _route(name: str, path: str, **operations: tuple[Role, Callable[..., Any]]) -> Route:
    return Route(name, path, {method: Operation(*what) for method, what in operations.items()})


METRICS_KEY: Final = ("X-Metrics-Key", "X-Api-Key")
"""Where the reference server's `metrics/` looks for its key, and all else for any."""
CHECK: Final = "/checks/<uuid:id>"
UNIQUE: Final = "/checks/<string(length=40):key>"
CHANNEL: Final = "/channels/<uuid:id>"
SITE: Final = "/sites/<uuid:id>"
PROJECT: Final = "/projects/<uuid:id>"

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
    _route("acknowledge check", f"{CHECK}/ack", POST=("rw", checks.acknowledge_check)),
    _route("explain check", f"{CHECK}/explain", GET=("ro", explain.explain_check)),
    _route("explain check by unique key", f"{UNIQUE}/explain", GET=("ro", explain.explain_check_by_unique_key)),
    _route("rehearse", f"{CHECK}/rehearse", POST=("rw", rehearse.rehearse_check)),
    _route("pings", f"{CHECK}/pings/", GET=("rw", check_history.list_pings)),
    _route("body", f"{CHECK}/pings/<string(maxlength=15):n>/body", GET=("rw", check_history.read_body)),
    _route("flips", f"{CHECK}/flips/", GET=("ro", check_history.list_flips)),
    _route("flips by unique key", f"{UNIQUE}/flips/", GET=("ro", check_history.list_flips_by_unique_key)),
    _route("channels", "/channels/", GET=("rw", channels.list_channels), POST=("rw", channels.create_channel)),
    _route(
        "channel",
        CHANNEL,
        GET=("rw", channels.read_channel),
        POST=("rw", channels.update_channel),
        DELETE=("rw", channels.delete_channel),
    ),
    _route("test channel", f"{CHANNEL}/test", POST=("rw", channels.test_channel)),
    _route("confirmation of a channel", f"{CHANNEL}/confirm", POST=("rw", channels.confirm_channel)),
    _route("secret of a channel", f"{CHANNEL}/secret", POST=("rw", channels.renew_secret)),
    _route("deliveries", f"{CHANNEL}/deliveries/", GET=("rw", channels.list_deliveries)),
    _route("badges", "/badges/", GET=("ro", badges.list_badges)),
    Route("metrics", "/metrics/", {"GET": Operation("operator", metrics.read_metrics, METRICS_KEY, refusal=403)}),
    _route("sites", "/sites/", GET=("ro", sites.list_sites), POST=("rw", sites.create_site)),
    _route(
        "site",
        SITE,
        GET=("ro", sites.read_site),
        POST=("rw", sites.update_site),
        DELETE=("rw", sites.delete_site),
    ),
    _route("pause site", f"{SITE}/pause", POST=("rw", sites.pause_site)),
    _route("resume site", f"{SITE}/resume", POST=("rw", sites.resume_site)),
    _route("acknowledge site", f"{SITE}/ack", POST=("rw", sites.acknowledge_site)),
    _route("probe site", f"{SITE}/probe", POST=("rw", sites.probe_site)),
    _route("explain site", f"{SITE}/explain", GET=("ro", explain.explain_site)),
    _route("flips of a site", f"{SITE}/flips/", GET=("ro", site_history.list_flips)),
    _route("probes of a site", f"{SITE}/probes/", GET=("ro", site_history.list_probes)),
    _route("hours of a site", f"{SITE}/hours/", GET=("ro", site_history.list_hours)),
    _route("uptime of a site", f"{SITE}/uptime/", GET=("ro", site_history.read_uptime)),
    _route(
        "maintenance windows",
        "/maintenance/",
        GET=("rw", maintenance.list_windows),
        POST=("rw", maintenance.create_window),
    ),
    _route(
        "maintenance window",
        "/maintenance/<uuid:id>",
        GET=("rw", maintenance.read_window),
        POST=("rw", maintenance.update_window),
        DELETE=("rw", maintenance.delete_window),
    ),
    _route(
        "projects", "/projects/", GET=("operator", projects.list_projects), POST=("operator", projects.create_project)
    ),
    _route(
        "project",
        PROJECT,
        GET=("operator", projects.read_project),
        POST=("operator", projects.update_project),
        DELETE=("operator", projects.delete_project),
    ),
    _route("take check", f"{PROJECT}/take-check", POST=("operator", projects.take_check)),
    _route("rotate ping key", f"{PROJECT}/rotate-ping-key", POST=("operator", projects.rotate_ping_key)),
    _route(
        "keys of a project",
        f"{PROJECT}/keys/",
        GET=("operator", keys.list_project_keys),
        POST=("operator", keys.create_project_key),
    ),
    _route("keys", "/keys/", GET=("operator", keys.list_keys), POST=("operator", keys.create_operator_key)),
    _route("key", "/keys/<uuid:id>", DELETE=("operator", keys.revoke_key)),
    _route("rotate key", "/keys/<uuid:id>/rotate", POST=("operator", keys.rotate_key)),
    _route(
        "partners", "/partners/", GET=("operator", partners.list_partners), POST=("operator", partners.create_partner)
    ),
    _route(
        "partner",
        "/partners/<uuid:id>",
        GET=("operator", partners.read_partner),
        POST=("operator", partners.update_partner),
        DELETE=("operator", partners.delete_partner),
    ),
)
