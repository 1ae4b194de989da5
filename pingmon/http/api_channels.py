"""The API's channels: where people and programs are told. One line of `KINDS` per kind of channel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from pingmon.core.events import ChannelCreated
from pingmon.http.answers import Answer, ApiError, json_answer, not_found
from pingmon.http.api_call import Call
from pingmon.http.keys import new_id, new_secret
from pingmon.wire.fields import Invalid, Rule, judged
from pingmon.wire.webhook_value import webhook_value

KINDS: Final[dict[str, Callable[[object], dict[str, object]]]] = {"webhook": webhook_value}
"""Kind -> the judge of its settings, which returns them complete or raises `Invalid`."""

FIELDS: Final[dict[str, Rule]] = {"kind": Rule(type="string"), "name": Rule(type="string", max_length=100)}
"""Fields of a channel besides `value`, in the order they are judged."""


async def list_channels(call: Call) -> Answer:
    """The project's channels."""
    return json_answer({"channels": [{"id": it.id, "name": it.name, "kind": it.kind} for it in call.channels()]})


async def create_channel(call: Call) -> Answer:
    """A new channel. Its secret, with which its messages are signed, is shown in this answer."""
    given = judged({"kind": None} | dict(call.body), FIELDS)
    kind, name = given["kind"], given.get("name", "")
    if kind not in KINDS:
        raise Invalid(f"json validation error: kind has unexpected value; the kinds are: {', '.join(KINDS)}")
    value: dict[str, Any] = KINDS[kind](call.body.get("value"))
    most = call.settings.max_channels
    secret = new_secret(call.random_bytes)
    id = new_id(call.random_bytes)
    outcome = await call.submit(id, ChannelCreated(call.project, kind, name, value, secret, most))
    if outcome.result == "full":
        raise ApiError(403, f"too many channels: a project may have {most}")
    if outcome.result != "created":
        raise not_found()
    return json_answer({"id": id, "name": name, "kind": kind, "value": value, "secret": secret}, 201)
