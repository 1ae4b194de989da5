"""The API's channels: where people and programs are told. Their kinds are in `channel_kinds`."""

from __future__ import annotations

from collections.abc import Mapping
from heapq import nlargest
from math import ceil
from operator import attrgetter, itemgetter
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from pingmon.api.api_answer import ApiAnswer, ApiError, json_answer, not_found, try_again
from pingmon.api.call import PAGE, Call
from pingmon.api.channel_kinds import KINDS, Kind
from pingmon.api.credentials import new_id, new_secret
from pingmon.api.shared_operations import old_until
from pingmon.core.notify.channel import GROUP, Channel, Consent
from pingmon.core.notify.channel_settings import ChannelSettings
from pingmon.core.notify.notification import Delivery
from pingmon.core.units import Id
from pingmon.core.world.events import ChannelChanged, ChannelCreated, ChannelDeleted, ChannelSecretRenewed
from pingmon.core.world.outcome import Subject, Topic
from pingmon.wire.api.channel_fields import SETTINGS_FIELDS, chosen_settings, settings_doubts
from pingmon.wire.api.channels import attempt_json, channel_json, delivery_json, waiting_json
from pingmon.wire.api.check_fields import FieldRule, Invalid, judged
from pingmon.wire.api.checks import Json
from pingmon.wire.api.group_channel import with_ids
from pingmon.wire.api.query_parameters import BEFORE, LIMIT

FIELDS: Final[dict[str, FieldRule]] = {
    "kind": FieldRule(type="string"),
    "name": FieldRule(type="string", max_length=100),
    **SETTINGS_FIELDS,
}
"""Fields of a channel besides `value`, in the order they are judged."""
_place: Final = attrgetter("place")
CONSENT: Final[dict[Consent, str]] = {
    "due": "the receiver is about to be asked whether he wants messages; nothing is sent before he says so",
    "asked": "the receiver was asked whether he wants messages, and has not said so; nothing is sent",
    "unsubscribed": "the receiver wants no messages any more; nothing is sent",
}
"""Why a channel is sent nothing."""
TEST_FIELDS: Final[dict[str, FieldRule]] = {"event": FieldRule(type="string", values=("down", "up"))}


async def list_channels(call: Call) -> ApiAnswer:
    """The project's channels."""
    return json_answer({"channels": [{"id": it.id, "name": it.name, "kind": it.kind} for it in call.channels()]})


async def create_channel(call: Call) -> ApiAnswer:
    """A new channel. Its secret, with which its messages are signed, is shown in this answer."""
    given = judged({"kind": None} | dict(call.body), FIELDS)
    kind, name = given["kind"], given.get("name", "")
    if kind not in KINDS:
        raise Invalid(f"json validation error: kind has unexpected value; the kinds are: {', '.join(KINDS)}")
    value = KINDS[kind].judged(call.body.get("value"))
    value = _with_members(call, kind, value)
    _must_be_reachable(call, kind, value)
    most = call.settings.max_channels
    secret = new_secret(call.random_bytes)
    id = new_id(call.random_bytes)
    consent: Consent = ""
    if KINDS[kind].receiver is not None and call.settings.verify_receivers:
        consent = "due"
        _may_ask(call, id)
    settings = ChannelSettings(**chosen_settings(given))
    made = ChannelCreated(call.project, kind, name, value, secret, most, consent=consent, settings=settings)
    outcome = await call.submit(id, made)
    if outcome.result == "full":
        raise ApiError(403, f"too many channels: a project may have {most}")
    if outcome.result != "created":
        raise not_found()
    return json_answer(_shown(call, call.channel(id)) | _secret(kind, secret), 201)


async def read_channel(call: Call, id: Id) -> ApiAnswer:
    """One channel, with how it stands with it; its secret is masked."""
    return json_answer(_shown(call, call.channel(id)))


async def update_channel(call: Call, id: Id) -> ApiAnswer:
    """Set the name, and the settings that were sent; the others stay. What waits for the channel is tried at once."""
    channel = call.channel(id)
    given = judged(call.body, FIELDS)
    if given.get("kind", channel.kind) != channel.kind:
        raise Invalid("json validation error: kind cannot be changed")
    changes: dict[str, Any] = {"name": given["name"]} if "name" in given else {}
    if chosen := chosen_settings(given):
        changes["settings"] = replace(channel.settings, **chosen)
    if "value" in call.body:
        changed = _kind(channel).changed(channel.value, call.body["value"])
        changes["value"] = _with_members(call, channel.kind, changed)
        _must_be_reachable(call, channel.kind, changes["value"])
        receiver = _kind(channel).receiver
        if receiver is not None and receiver(changes["value"]) != receiver(channel.value):
            changes["secret"] = new_secret(call.random_bytes)  # links that the former receiver has shall be void
            if call.settings.verify_receivers:
                changes["consent"] = "due"
                _may_ask(call, id)
    if changes:
        await call.submit(id, ChannelChanged(**changes))
    return json_answer(_shown(call, call.channel(id)))


async def delete_channel(call: Call, id: Id) -> ApiAnswer:
    """Delete a channel for ever, and what is owed to it; checks and sites lose it. Its last state is the answer."""
    gone = _shown(call, call.channel(id))
    await call.submit(id, ChannelDeleted())
    subjects: list[Subject] = [*call.checks(), *call.sites()]
    bare = sum(not subject.spec.channels for subject in subjects)
    now = f"checks and sites that have no channel now, so that nobody is told when they go down: {bare}"
    return json_answer(gone | {"waiting": 0, "warnings": [now] if bare else []})


async def renew_secret(call: Call, id: Id) -> ApiAnswer:
    """A new secret, shown in this answer; for `overlap` seconds (a day) the old one signs as well."""
    call.channel(id)
    until = old_until(call)
    secret = new_secret(call.random_bytes)
    await call.submit(id, ChannelSecretRenewed(secret, until))
    channel = call.channel(id)
    return json_answer(_shown(call, channel) | _secret(channel.kind, secret))


async def test_channel(call: Call, id: Id) -> ApiAnswer:
    """Send a test message now, as if something went `down` (or `up`: `event`), and say what became of it.

    Of what the receiver answered only the status is told.
    """
    _must_want(call.channel(id))
    up = judged(call.body, TEST_FIELDS).get("event") == "up"
    if call.tests is None:
        raise try_again()
    wait = call.at_once.wait_s(id)
    if wait:
        raise ApiError(429, "rate limit exceeded", (("Retry-After", str(ceil(wait))),))
    attempt = await call.tests.test(id, up=up)
    return json_answer({"delivered": not attempt.error} | attempt_json(attempt))


async def confirm_channel(call: Call, id: Id) -> ApiAnswer:
    """Ask the receiver of an unconfirmed channel once more whether he wants messages, and say what became of it."""
    if not call.channel(id).consent:
        raise ApiError(409, "nobody has to confirm this channel")
    if call.confirmations is None:
        raise try_again()
    _may_ask(call, id)
    attempt = await call.confirmations.ask(id)
    return json_answer({"delivered": not attempt.error} | attempt_json(attempt))


async def list_deliveries(call: Call, id: Id) -> ApiAnswer:
    """The channel's messages, newest first, and what became of them; `before` (a message's `seq`) and `limit` page."""
    channel = call.channel(id)
    limit = call.asked_number(LIMIT) or PAGE
    before = call.asked_number(BEFORE)
    owing = call.world.outbox.get(id, {}).values()
    waiting = nlargest(limit, [owed for owed in owing if before is None or owed.place < before], key=_place)
    rows = await call.history.flips(id, upto=call.world.seq, before=before, limit=limit)
    ended = [msgspec.json.decode(row.body, type=Delivery) for row in rows]
    places = {each.owed.place for each in ended}  # what has ended since then is listed once
    shown = [delivery_json(each, _subject(call, each.owed.flip.subject)) for each in ended]
    for owed in waiting:
        if owed.place not in places:
            shown.append(waiting_json(owed, channel, _subject(call, owed.flip.subject)))
    return json_answer({"deliveries": nlargest(limit, shown, key=itemgetter("seq"))})


# --- what receivers want ------------------------------------------------------------------------------------------


def _may_ask(call: Call, id: Id) -> None:
    """429 if this channel's receiver, or those of the project's, were asked too often to be asked now."""
    wait = call.asked_receivers.wait_s(id) or call.asked_of_projects.wait_s(call.project)
    if wait:
        raise ApiError(429, "rate limit exceeded", (("Retry-After", str(ceil(wait))),))


def _must_want(channel: Channel) -> None:
    if channel.consent:
        raise ApiError(409, CONSENT[channel.consent])


def _secret(kind: str, secret: str) -> Json:
    """A new secret, whole; but where it signs the links by which a receiver says what he wants, nobody else sees it."""
    return {"secret": secret} if KINDS[kind].receiver is None else {}


# --- showing ------------------------------------------------------------------------------------------------------


def _kind(channel: Channel) -> Kind:
    """What is known of the channel's kind; `Invalid` if nothing is, because a newer pingmon made it."""
    kind = KINDS.get(channel.kind)
    if kind is None:
        raise Invalid(f"this pingmon knows nothing of the kind {channel.kind}")
    return kind


def _with_members(call: Call, kind: str, value: dict[str, object]) -> dict[str, object]:
    """The settings of a group with the ids of those that they name; of any other kind, as they are."""
    return with_ids(value, call.channels()) if kind == GROUP else value


def _must_be_reachable(call: Call, kind: str, value: Mapping[str, object]) -> None:
    refusal = KINDS[kind].unreachable(value, call.settings.allowed)
    if refusal is not None:
        raise Invalid(f"json validation error: {refusal}")


def _shown(call: Call, channel: Channel) -> Json:
    kind = KINDS.get(channel.kind)
    warnings = []
    if kind is not None:
        refusal = kind.unreachable(channel.value, call.settings.allowed)
        warnings = [*([refusal] if refusal else []), *kind.doubts(channel.value), *settings_doubts(channel)]
    if channel.consent:
        warnings.insert(0, CONSENT[channel.consent])
    return channel_json(channel, call.monitor.now(), len(call.world.outbox.get(channel.id, {})), warnings)


def _subject(call: Call, id: Id) -> Topic | None:
    """What a message was about; None if it is no more, or another project's now, which has since named it anew."""
    if id in call.world.troubles:
        return call.world.troubles[id]
    subject = call.world.known(id)
    return subject if subject is not None and subject.project == call.project else None
