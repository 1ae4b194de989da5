"""Makes a plan true in a project: what is not there is made, what is there is found again, and left as it is.

So it may be repeated. One item that is refused does not keep the others from being made.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple, TypeAlias

import click

from pingmon.cli.api_client import ApiClient, NotAllowed, Unreachable
from pingmon.cli.imports.plan import KINDS, Json, Wanted
from pingmon.cli.subjects import id_of
from pingmon.core.check.settings import CheckSpec
from pingmon.core.units import SECOND
from pingmon.wire.api import check_fields, site_fields, webhook_channel
from pingmon.wire.api.check_fields import Invalid

Came: TypeAlias = Literal["made", "changed", "there", "differs", "missing", "refused"]

ALL_CHANNELS = "who is told: none of its channels is here, so it has all of the project's"


class Result(NamedTuple):
    """What came of an item. `differs`: the fields in which what is here is not as it is at the source.

    `missing`: a channel that must be made by hand. `why`: why it was refused. `lost` as in `Wanted`.
    """

    wanted: Wanted
    came: Came
    id: str = ""
    new_url: str = ""
    differs: tuple[str, ...] = ()
    why: str = ""
    lost: tuple[str, ...] = ()


class Destination:
    """A project that things are brought to. `dry`: nothing is changed; `update`: what differs is made alike."""

    def __init__(self, api: ApiClient, *, dry: bool, update: bool) -> None:
        self._api = api
        self._dry = dry
        self._update = update
        self._there: dict[str, list[Json]] = {
            kind: list(api.ask("GET", f"{path}/")[path]) for kind, path in KINDS.items()
        }
        if any("unique_key" in check for check in self._there["check"]):
            raise NotAllowed(f"a read-only key may only look: {api.key_hint}")
        self._channels: dict[str, str] = {}

    def carried(self, wanted: Iterable[Wanted]) -> Iterator[Result]:
        """Bring each item here, channels first; what came of it. `Unreachable` and `NotAllowed` end it."""
        items = sorted(wanted, key=lambda item: list(KINDS).index(item.kind))
        found = self._found(items)
        for item in items:
            there = found.get((item.kind, item.key))
            try:
                result = self._one(item, there)
            except (Unreachable, NotAllowed):
                raise
            except (click.ClickException, Invalid) as error:
                said = error.message if isinstance(error, click.ClickException) else str(error)
                result = Result(item, "refused", why=said.removeprefix("json validation error: "), lost=item.lost)
            if item.kind == "channel" and result.came not in ("missing", "refused"):
                self._channels[item.key] = result.id
            yield result

    # --- finding --------------------------------------------------------------------------------------------------

    def _found(self, items: list[Wanted]) -> dict[tuple[str, str], Json]:
        """The things that are here already, each for one item: those first that are alike in more."""
        found: dict[tuple[str, str], Json] = {}
        free = {kind: list(things) for kind, things in self._there.items()}
        for look in (_same, _same_url):
            for item in items:
                if (item.kind, item.key) not in found:
                    thing = next((thing for thing in free[item.kind] if look(item, thing)), None)
                    if thing is not None:
                        found[item.kind, item.key] = thing
                        free[item.kind].remove(thing)
        return found

    # --- one item -------------------------------------------------------------------------------------------------

    def _one(self, item: Wanted, there: Json | None) -> Result:
        if item.fields is None:
            return Result(item, "missing", lost=item.lost) if there is None else Result(item, "there", id_of(there))
        channels, lost = self._named(item)
        fields = item.fields | channels
        lost = (*item.lost, *lost)
        if there is None:
            return self._made(item, fields)._replace(lost=lost)
        if item.kind == "channel":
            there = self._api.ask("GET", f"channels/{there['id']}")
        differs = tuple(
            name for name, value in fields.items() if name != "unique" and not _alike(value, there.get(name))
        )
        pauses = item.paused and there.get("status") != "paused"
        told = (*differs, *(["paused"] if pauses else []))
        result = Result(item, "differs" if told else "there", id_of(there), there.get("ping_url", ""), told, lost=lost)
        if not told or not self._update:
            return result
        if not self._dry:
            if differs:
                self._api.ask("POST", f"{KINDS[item.kind]}/{result.id}", fields)
            self._pause(item, result.id, pauses=pauses)
        return result._replace(came="changed")

    def _made(self, item: Wanted, fields: Json) -> Result:
        if self._dry:
            _judge(item, fields, int(self._api.now) * SECOND)
            return Result(item, "made", fields.get("uuid", ""))
        made = self._api.ask("POST", f"{KINDS[item.kind]}/", fields)
        self._pause(item, id_of(made), pauses=item.paused)
        return Result(item, "made", id_of(made), made.get("ping_url", ""))

    def _pause(self, item: Wanted, id: str, *, pauses: bool) -> None:
        if pauses:
            self._api.ask("POST", f"{KINDS[item.kind]}/{id}/pause", {})

    def _named(self, item: Wanted) -> tuple[Json, tuple[str, ...]]:
        """Its channels as a field, and what is lost of them. Without the field a new one has all of the project's."""
        if item.channels is None:
            return {}, ()
        ids = sorted(self._channels[key] for key in item.channels if key in self._channels)
        if item.channels and not ids:
            return {}, (ALL_CHANNELS,)
        return {"channels": ",".join(ids)}, ()


def _alike(value: object, shown: object) -> bool:
    """Whether what is shown is what is wanted, or of an object all that is wanted."""
    if isinstance(value, dict) and isinstance(shown, dict):
        return {**shown, **value} == shown
    return value == shown


def _same(item: Wanted, thing: Json) -> bool:
    """Whether `thing` is the item: a check by its UUID, a channel by its name, a site by URL and name."""
    if item.kind == "check":
        return item.fields is not None and bool(thing["uuid"] == item.fields["uuid"])
    if item.kind == "site":
        return _same_url(item, thing) and item.fields is not None and thing["name"] == item.fields["name"]
    named = bool(thing["name"] == item.name)
    return named and (item.fields is None or thing["kind"] == item.fields["kind"])


def _same_url(item: Wanted, thing: Json) -> bool:
    """Whether it is a site with the same URL, which was renamed here perhaps."""
    return item.kind == "site" and item.fields is not None and bool(thing["url"] == item.fields["url"])


def _judge(item: Wanted, fields: Json, now: int) -> None:
    """`Invalid` if the API would refuse a new one at `now`, as far as that can be told without asking it."""
    plain = {name: value for name, value in fields.items() if name != "channels"}
    if item.kind == "check":
        given = check_fields.judged(plain)
        check_fields.changes(given, CheckSpec(), 3, (), now)
    elif item.kind == "site":
        site_fields.created(check_fields.judged(plain, site_fields.FIELDS), (), ())
    else:
        webhook_channel.webhook_value(plain["value"])
