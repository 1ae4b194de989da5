"""The API's sites: list, create, read, change, pause, resume, probe, delete. One function per operation.

As with checks, what a request changes is decided by the fold; here it is only asked for and told, and a request that
would change nothing does not trouble the log.
"""

from __future__ import annotations

from collections.abc import Callable

from pingmon.api import shared_operations
from pingmon.api.api_answer import ApiAnswer, ApiError, existing, json_answer, try_again
from pingmon.api.call import Call
from pingmon.api.credentials import new_id
from pingmon.core.partner.partner import AUTO, Partner, host_of
from pingmon.core.site.site import Site
from pingmon.core.units import Id
from pingmon.core.world.events import SiteChanged, SiteCreated, SiteDeleted, SitePaused, SiteResumed
from pingmon.core.world.outcome import Outcome
from pingmon.wire.api.check_fields import ignored, judged
from pingmon.wire.api.checks import Json, tagged
from pingmon.wire.api.probe_results import look_json
from pingmon.wire.api.query_parameters import SITE_STATUS, TAG
from pingmon.wire.api.site_fields import FIELDS, changes, created
from pingmon.wire.api.sites import SiteView, site_json


async def list_sites(call: Call) -> ApiAnswer:
    """The project's sites; `tag` (several: all of them) and `status` (several: any of them) narrow the list."""
    tags, statuses = call.asked_words(TAG), call.asked_words(SITE_STATUS)

    def wanted(site: Site) -> bool:
        return (not tags or tagged(site, tags)) and (not statuses or site.status in statuses)

    return await call.listed("sites", call.sites(), _showing(call), wanted)


async def create_site(call: Call) -> ApiAnswer:
    """A new site to watch."""
    spec = created(judged(call.body, FIELDS), call.channels(), _hosts(call))
    _refuse(call, spec.url)
    shared_operations.check_parent(call, "", spec.alerts.parent)
    most = call.settings.max_sites
    outcome = await call.submit(new_id(call.random_bytes), SiteCreated(call.project, spec, most))
    if outcome.result == "full":
        raise ApiError(403, f"too many sites: a project may have {most}")
    return _taken(call, existing(outcome.site), 201)


async def read_site(call: Call, id: Id) -> ApiAnswer:
    """One site."""
    return _shown(call, call.site(id))


async def update_site(call: Call, id: Id) -> ApiAnswer:
    """Set the fields that were sent; the others stay."""
    site = call.site(id)
    wanted = changes(judged(call.body, FIELDS), site.spec, call.channels(), _hosts(call))
    after = wanted.applied_to(site.spec)
    if after.url != site.spec.url:
        _refuse(call, after.url)
    if after.alerts.parent != site.spec.alerts.parent:
        shared_operations.check_parent(call, id, after.alerts.parent)
    if after != site.spec:
        site = existing((await call.submit(id, SiteChanged(wanted))).site)
    return _taken(call, site)


async def delete_site(call: Call, id: Id) -> ApiAnswer:
    """Delete a site for ever; its last state is the answer."""
    return _shown(call, await shared_operations.delete(call, call.site(id), SiteDeleted(), _left))


async def pause_site(call: Call, id: Id) -> ApiAnswer:
    """Probe a site no more until it is resumed."""
    return _shown(call, await shared_operations.pause(call, call.site(id), SitePaused(), _left))


async def resume_site(call: Call, id: Id) -> ApiAnswer:
    """Probe a paused site again; 409 if it is not paused."""
    return _shown(call, await shared_operations.resume(call, call.site(id), SiteResumed(), _left))


async def acknowledge_site(call: Call, id: Id) -> ApiAnswer:
    """Say that somebody (`by`) sees to a site that is down: no more reminders and steps. 409 if it is not down."""
    await shared_operations.acknowledge(call, call.site(id))
    return _shown(call, call.site(id))


async def probe_site(call: Call, id: Id) -> ApiAnswer:
    """Probe a site now; answers with what was seen, and the site once that is logged. 409 if it is paused."""
    if call.site(id).status == "paused":
        raise ApiError(409, "site is paused")
    if call.probes is None:
        raise try_again()
    wait = call.at_once.wait_s(id)
    if wait:
        raise ApiError(429, "rate limit exceeded", (("Retry-After", str(wait)),))
    look = await call.probes.probe(id)
    return json_answer({"look": look_json(look), "site": _showing(call)(call.site(id))})


def _refuse(call: Call, url: str) -> None:
    """400 for an address that pingmon may not look at; where a name leads is found out by the first probe."""
    refusal = None if call.probes is None else call.probes.refusal(url)
    if refusal is not None:
        raise ApiError(400, f"url leads to where pingmon may not look: {refusal}")


# --- showing ------------------------------------------------------------------------------------------------------


def _left(outcome: Outcome) -> Site | None:
    return outcome.site


def _shown(call: Call, site: Site) -> ApiAnswer:
    return json_answer(_showing(call)(site))


def _taken(call: Call, site: Site, status: int = 200) -> ApiAnswer:
    """The site as the request has made it, with a warning of what was not understood."""
    shown = _showing(call)(site)
    shown["warnings"] += ignored(call.body, FIELDS, shown)
    return json_answer(shown, status)


def _hosts(call: Call) -> dict[str, Partner]:
    """All partners by slug."""
    return {partner.spec.slug: partner for partner in call.world.partners.values()}


def _showing(call: Call) -> Callable[[Site], Json]:
    """How this client sees sites, at this moment."""
    base = f"{call.base}/api/v{call.version}/sites/"
    hosts, now, probes = _hosts(call), call.monitor.now(), call.probes

    def shown(site: Site) -> Json:
        # `World.host_of` looks through all partners, which is too much for each of thousands of sites.
        spec, found = site.spec, site.hosting.found
        named = hosts.get(found.slug if spec.host == AUTO and found is not None else spec.host)
        host = None if named is None else host_of(spec.host, site.hosting, (named,))
        latest = None if probes is None else probes.latest(site.id)
        return site_json(site, SiteView(base + site.id, now, host, latest, call.readonly))

    return shown
