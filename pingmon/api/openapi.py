"""What each operation of the API takes and answers, and the OpenAPI document that is made of it.

The table `TAKES` knows of each operation in `api.routes` the fields and parameters that it judges by, and the shape of
its answer. Tests hold all three against what is answered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, Final

from msgspec import Struct

from pingmon import __version__
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
from pingmon.api.channel_kinds import KINDS
from pingmon.api.routes import MAY, ROUTES, Operation, Route
from pingmon.api.shared_operations import ACK_FIELDS, OVERLAP_FIELDS
from pingmon.core.partner.partner import KINDS as RULE_KINDS
from pingmon.core.world.events import Role
from pingmon.wire.api import answer_shapes as shapes
from pingmon.wire.api import check_fields, site_fields
from pingmon.wire.api import maintenance as maintenance_fields
from pingmon.wire.api import partners as partner_fields
from pingmon.wire.api import projects as project_fields
from pingmon.wire.api import query_parameters as query
from pingmon.wire.api.openapi import JSON, TEXT, Described, Schema, Shape, document, fields

ABOUT: Final = (
    "The management API of Healthchecks, and what pingmon has besides. Versions 1 and 2 have the same operations. "
    "A POST may carry its key as `api_key` in the body instead. HEAD is served where GET is. A path may be written "
    "with or without its last slash. Unknown fields are ignored, and answers may have keys that are not told here."
)
ROLES: Final[dict[Role, str]] = {
    "ro": "A project's key that may read.",
    "rw": "A project's key that may do everything in it.",
    "operator": "The daemon's own key, for projects, keys and partners.",
}


class Takes(Struct, frozen=True):
    """What an operation answers with, by `statuses` that are good, and what it takes; `refusals` beside the usual."""

    answer: Shape | str
    statuses: tuple[int, ...] = (200,)
    query: tuple[query.QueryParameter, ...] = ()
    body: Mapping[str, Schema] = {}
    required: tuple[str, ...] = ()
    refusals: tuple[int, ...] = ()


MADE: Final = (201,)
PAGE: Final = (query.LIMIT, query.BEFORE)
FLIPS: Final = (query.SECONDS, query.START, query.END, *PAGE)


def _value(kind: str) -> Schema:
    """The settings of a channel of this kind."""
    settings = KINDS[kind].settings
    return {
        "type": "object",
        "title": kind,
        "properties": {name: {**each.schema, "description": each.help} for name, each in settings.items()},
    }


_RULE: Final[Schema] = {
    "type": "object",
    "properties": {"kind": {"enum": list(RULE_KINDS)}, "value": {"type": ["string", "integer"]}},
    "required": ["kind", "value"],
}

CHECK: Final = fields(check_fields.FIELDS)
NEW_CHECK: Final = CHECK | {"uuid": {"description": "The UUID that a new check has, if `unique` names `uuid`."}}
SITE: Final = fields(site_fields.FIELDS)
CHANNEL: Final = fields(channels.FIELDS) | {
    "kind": {"enum": list(KINDS)},
    "value": {"anyOf": [*map(_value, KINDS), {"type": "string", "contentMediaType": JSON}]},
}
PARTNER: Final = fields(partner_fields.FIELDS) | {
    "rules": {"type": "array", "items": _RULE, "maxItems": partner_fields.RULES_MAX}
}
DEFAULTS: Final[Schema] = {"type": "object", "properties": fields(project_fields.DEFAULTS_FIELDS)}
OVERLAP: Final = fields(OVERLAP_FIELDS)
WINDOW: Final = fields(maintenance_fields.WINDOW_FIELDS)

TAKES: Final[dict[Callable[..., Any], Takes]] = {
    checks.list_checks: Takes(shapes.ListedChecks, query=(query.TAG, query.CHECK_STATUS, query.SLUG)),
    checks.create_check: Takes(shapes.ShownCheck, (200, 201), body=NEW_CHECK, refusals=(403, 409)),
    checks.read_check: Takes(shapes.ShownCheck),
    checks.read_check_by_unique_key: Takes(shapes.ShownCheck),
    checks.update_check: Takes(shapes.ShownCheck, body=CHECK),
    checks.delete_check: Takes(shapes.ShownCheck),
    checks.pause_check: Takes(shapes.ShownCheck),
    checks.resume_check: Takes(shapes.ShownCheck, refusals=(409,)),
    checks.acknowledge_check: Takes(shapes.ShownCheck, body=fields(ACK_FIELDS), refusals=(409,)),
    explain.explain_check: Takes(shapes.ShownExplanation, query=(query.AT,)),
    explain.explain_check_by_unique_key: Takes(shapes.ShownExplanation, query=(query.AT,)),
    rehearse.rehearse_check: Takes(shapes.ShownRehearsal, query=(query.DAYS_BACK,), body=CHECK),
    check_history.list_pings: Takes(
        shapes.ListedPings, query=(query.LIMIT, query.BEFORE_PING, query.PING_TYPE)
    ),
    check_history.read_body: Takes(TEXT),
    check_history.list_flips: Takes(shapes.ListedFlips, query=FLIPS),
    check_history.list_flips_by_unique_key: Takes(shapes.ListedFlips, query=FLIPS),
    channels.list_channels: Takes(shapes.ListedChannels),
    channels.create_channel: Takes(
        shapes.ShownChannel, MADE, body=CHANNEL, required=("kind", "value"), refusals=(403, 404)
    ),
    channels.read_channel: Takes(shapes.ShownChannel),
    channels.update_channel: Takes(shapes.ShownChannel, body=CHANNEL),
    channels.delete_channel: Takes(shapes.ShownChannel),
    channels.test_channel: Takes(shapes.ShownTest, body=fields(channels.TEST_FIELDS), refusals=(409,)),
    channels.confirm_channel: Takes(shapes.ShownTest, refusals=(409,)),
    channels.renew_secret: Takes(shapes.ShownChannel, body=OVERLAP),
    channels.list_deliveries: Takes(shapes.ListedDeliveries, query=PAGE),
    badges.list_badges: Takes(shapes.ListedBadges),
    metrics.read_metrics: Takes(shapes.ShownMetrics),
    sites.list_sites: Takes(shapes.ListedSites, query=(query.TAG, query.SITE_STATUS)),
    sites.create_site: Takes(shapes.ShownSite, MADE, body=SITE, required=("url",), refusals=(403, 404)),
    sites.read_site: Takes(shapes.ShownSite),
    sites.update_site: Takes(shapes.ShownSite, body=SITE),
    sites.delete_site: Takes(shapes.ShownSite),
    sites.pause_site: Takes(shapes.ShownSite),
    sites.resume_site: Takes(shapes.ShownSite, refusals=(409,)),
    sites.acknowledge_site: Takes(shapes.ShownSite, body=fields(ACK_FIELDS), refusals=(409,)),
    sites.probe_site: Takes(shapes.ProbedSite, refusals=(409,)),
    explain.explain_site: Takes(shapes.ShownExplanation, query=(query.AT,)),
    site_history.list_flips: Takes(shapes.ListedSiteFlips, query=FLIPS),
    site_history.list_probes: Takes(shapes.ListedRounds, query=PAGE),
    site_history.list_hours: Takes(shapes.ListedHours, query=PAGE),
    site_history.read_uptime: Takes(shapes.ListedUptime, query=(query.DAYS, query.MONTHS)),
    maintenance.list_windows: Takes(shapes.ListedWindows),
    maintenance.create_window: Takes(shapes.ShownWindow, MADE, body=WINDOW, refusals=(403,)),
    maintenance.read_window: Takes(shapes.ShownWindow),
    maintenance.update_window: Takes(shapes.ShownWindow, body=WINDOW),
    maintenance.delete_window: Takes(shapes.ShownWindow),
    projects.list_projects: Takes(shapes.ListedProjects),
    projects.create_project: Takes(
        shapes.ShownProject, MADE, body=fields(project_fields.PROJECT_FIELDS), required=("name",), refusals=(403, 404)
    ),
    projects.read_project: Takes(shapes.ShownProject),
    projects.update_project: Takes(
        shapes.ShownProject, body=fields(project_fields.PROJECT_FIELDS) | {"defaults": DEFAULTS}
    ),
    projects.delete_project: Takes(shapes.ShownProject),
    projects.take_check: Takes(
        shapes.ShownCheck, body=fields(projects.MOVE_FIELDS), required=("check",), refusals=(403,)
    ),
    projects.rotate_ping_key: Takes(shapes.ShownProject, body=fields(project_fields.PING_KEY_FIELDS)),
    keys.list_keys: Takes(shapes.ListedKeys),
    keys.create_operator_key: Takes(
        shapes.ShownKey, MADE, body=fields(project_fields.KEY_FIELDS), refusals=(403, 404)
    ),
    keys.revoke_key: Takes(shapes.ShownKey),
    keys.rotate_key: Takes(shapes.ShownKey, MADE, body=OVERLAP, refusals=(403,)),
    keys.list_project_keys: Takes(shapes.ListedKeys),
    keys.create_project_key: Takes(
        shapes.ShownKey, MADE, body=fields(project_fields.PROJECT_KEY_FIELDS), refusals=(403,)
    ),
    partners.list_partners: Takes(shapes.ListedPartners),
    partners.create_partner: Takes(
        shapes.ShownPartner, MADE, body=PARTNER, required=("slug",), refusals=(403, 404)
    ),
    partners.read_partner: Takes(shapes.ShownPartner),
    partners.update_partner: Takes(shapes.ShownPartner, body=PARTNER),
    partners.delete_partner: Takes(shapes.ShownPartner),
}  # fmt: skip

KEYLESS: Final = (
    Described(
        id="get_status", method="GET", path="/status/", summary="Whether the daemon can do its work.",
        answers={200: (TEXT, shapes.ShownHealth), 503: (shapes.ShownHealth,)}, refusals=(401, 429),
    ),
    Described(
        id="get_document", method="GET", path="/", summary="This document.", answers={200: (dict,)},
    ),
)  # fmt: skip
"""Operations that need no key, and are no routes."""


@cache
def api_document() -> Schema:
    """The document, without `servers`."""
    told = [_described(route, *each) for route in ROUTES for each in route.operations.items()]
    return document([*told, *KEYLESS], dict(_schemes()), title="pingmon", version=__version__, about=ABOUT)


def operation_id(route: Route, method: str) -> str:
    """The name of an operation in the document; one of a path that is told with another has none there."""
    return f"{method.lower()}_{route.name.replace(' ', '_')}"


def _described(route: Route, method: str, operation: Operation) -> Described:
    takes = TAKES[operation.run]
    return Described(
        id=operation_id(route, method),
        method=method,
        path=route.path,
        summary=operation.summary,
        security=tuple(_scheme(role, header) for role in MAY[operation.needs] for header in operation.headers),
        query=takes.query,
        body=takes.body if method == "POST" else None,
        required=takes.required,
        answers=dict.fromkeys(takes.statuses, (takes.answer,)),
        refusals=(operation.refusal, *takes.refusals),
    )


def _schemes() -> Iterator[tuple[str, Schema]]:
    for operation in (each for route in ROUTES for each in route.operations.values()):
        for role in MAY[operation.needs]:
            for header in operation.headers:
                yield _scheme(role, header), {
                    "type": "apiKey", "in": "header", "name": header, "description": ROLES[role],
                }  # fmt: skip


def _scheme(role: Role, header: str) -> str:
    """The name of a way to show a key: its role, and where it is not `X-Api-Key`, which header."""
    return role if header == "X-Api-Key" else f"{role} {header}".replace(" ", "_")
