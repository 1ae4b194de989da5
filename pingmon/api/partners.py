"""The API's partners, for the operator: list, create, read, change, delete. Partners belong to the whole daemon."""

from __future__ import annotations

from typing import Final

from pingmon.api.api_answer import ApiAnswer, ApiError, existing, json_answer
from pingmon.api.call import Call
from pingmon.api.credentials import new_id, new_secret
from pingmon.core.changes import applied
from pingmon.core.units import Id
from pingmon.core.world.events import PartnerChanged, PartnerCreated, PartnerDeleted
from pingmon.wire.api.check_fields import Invalid
from pingmon.wire.api.partners import changes, created, partner_json, settings

MAX_PARTNERS: Final = 1000


async def list_partners(call: Call) -> ApiAnswer:
    """All partners."""
    return json_answer({"partners": [partner_json(partner) for partner in call.world.partners.values()]})


async def create_partner(call: Call) -> ApiAnswer:
    """A new partner. Its secret, with which its questions are signed, is shown in this answer."""
    partners = call.world.partners
    spec = created(settings(call.body), partners.values(), secret=new_secret(call.random_bytes))
    # Two requests at once may pass here and make one too many; that harms nobody.
    if len(partners) >= MAX_PARTNERS:
        raise ApiError(403, f"too many partners: there may be {MAX_PARTNERS}")
    outcome = await call.submit(new_id(call.random_bytes), PartnerCreated(spec))
    if outcome.result == "exists":
        raise Invalid("json validation error: slug is taken")
    return json_answer(partner_json(existing(outcome.partner), with_secret=True), 201)


async def read_partner(call: Call, id: Id) -> ApiAnswer:
    """One partner."""
    return json_answer(partner_json(call.partner(id)))


async def update_partner(call: Call, id: Id) -> ApiAnswer:
    """Set the fields that were sent; the others stay, and the slug always does."""
    partner = call.partner(id)
    wanted = changes(partner, settings(call.body), call.world.partners.values())
    if applied(wanted, partner.spec) != partner.spec:
        partner = existing((await call.submit(id, PartnerChanged(wanted))).partner)
    return json_answer(partner_json(partner))


async def delete_partner(call: Call, id: Id) -> ApiAnswer:
    """Delete a partner for ever; its last state is the answer. Nobody is asked about its sites any more."""
    call.partner(id)
    return json_answer(partner_json(existing((await call.submit(id, PartnerDeleted())).partner)))
