"""One request that was let in: who asks, in which version, for what; and the questions every route has about it.

Routes are functions from a call to an answer. They read the world freely and change it only through `submit`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol, TypeVar

import msgspec
from msgspec import Struct
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from pingmon.api.api_answer import ApiAnswer, ApiError, not_found
from pingmon.api.credentials import RandomBytes
from pingmon.core.check.check import Check
from pingmon.core.notify.allowed import Allowed
from pingmon.core.notify.channel import Channel
from pingmon.core.notify.notification import Attempted
from pingmon.core.partner.partner import Partner
from pingmon.core.site.probe_result import ProbeResult
from pingmon.core.site.site import Site
from pingmon.core.units import Id
from pingmon.core.world.events import AnyEvent
from pingmon.core.world.outcome import Outcome
from pingmon.core.world.project import Project
from pingmon.core.world.world import World
from pingmon.journal import History
from pingmon.monitor import Monitor
from pingmon.timing.rate_limit import RateLimit
from pingmon.wire.api.checks import Json, View, unique_key
from pingmon.wire.api.query_parameters import NumberParameter, TextParameter

PAGE: Final = 100

SLICE: Final = 50
"""Items of a list that are made into JSON in one turn of the loop (about half a millisecond)."""
PAUSE_S: Final = 0.002
"""Between two slices. Without a pause the journal's thread waits for the interpreter until the whole list is made, and
all pings wait for the journal (`bench/lists.py`): the reactor gives it up for too short a time in each turn."""

_Item = TypeVar("_Item")
_NUMBER: Final = re.compile("[0-9]{1,18}")


class ApiSettings(Struct, frozen=True, kw_only=True):
    """What an operator may choose. `base_url` "" means the address that the client used; it has no slash at its end.

    `ping_path` comes between that and a check's id in its ping URL. A key may ask
    `keys_per_second` times on the average (0: without limit), and `keys_at_once` times at once. `allowed` says which
    receivers may be told, `verify_receivers` whether they are asked first.
    """

    base_url: str = ""
    allowed: Allowed = Allowed()
    ping_path: str = "/ping/"
    keys_per_second: int = 200
    keys_at_once: int = 1000
    max_checks: int = 10_000
    max_sites: int = 10_000
    max_channels: int = 1_000
    verify_receivers: bool = True


class Probes(Protocol):
    """What the API asks of those who probe sites."""

    def latest(self, site: Id) -> ProbeResult | None:
        """The newest look of the daemon itself at a site; None if it had none since it started."""

    def probe(self, site: Id) -> Deferred[ProbeResult]:
        """Probe a site now, or join the probe under way; fires with the daemon's own look.

        By then what follows from it is logged. It has a deadline of its own; cancelling ends only the waiting.
        """

    def refusal(self, url: str) -> str | None:
        """Why a site at `url`, which could be one, cannot be looked at, as far as that is plain from it."""


class Tests(Protocol):
    """What the API asks of those who deliver."""

    def test(self, channel: Id, *, up: bool) -> Deferred[Attempted]:
        """Send a test message now; fires with what became of it, within a deadline of its own."""


class Questions(Protocol):
    """What the API asks of those who ask receivers."""

    def ask(self, channel: Id) -> Deferred[Attempted]:
        """Ask the receiver now; fires with what became of it, within a deadline of its own."""


class Call(Struct, frozen=True, kw_only=True):
    """A request after authentication. `base` is the daemon's URL, `body` the JSON object of a POST.

    `project` is "" for the operator, whose operations are about the whole daemon. `probes` is None where nobody
    probes sites, `tests` and `confirmations` where nobody delivers; `at_once` counts what users ask for of these, by
    site and channel, `asked_receivers` and `asked_of_projects` how often receivers are asked, by channel and project.
    """

    monitor: Monitor
    clock: IReactorTime
    history: History
    probes: Probes | None
    tests: Tests | None
    confirmations: Questions | None
    at_once: RateLimit
    asked_receivers: RateLimit
    asked_of_projects: RateLimit
    settings: ApiSettings
    random_bytes: RandomBytes
    version: int
    project: Id
    readonly: bool
    base: str
    query: Mapping[bytes, list[bytes]]
    body: Mapping[str, object]

    @property
    def world(self) -> World:
        """The world as it is now."""
        return self.monitor.world

    def view(self) -> View:
        """How this client sees checks, at this moment."""
        ping_base = self.base + self.settings.ping_path
        return View(self.version, self.readonly, self.base, ping_base, self.monitor.now())

    def submit(self, stream: Id, event: AnyEvent) -> Deferred[Outcome]:
        """Have `event` logged; fires when it is durable."""
        return self.monitor.submit(stream, event)

    async def listed(
        self, name: str, items: Sequence[_Item], shown: Callable[[_Item], Json], wanted: Callable[[_Item], bool]
    ) -> ApiAnswer:
        """The JSON of those of `items` that are `wanted`, under `name`; a slice at a time, so that pings need not wait.

        What is listed are values that do not change, so the list is that of the moment in which it was asked for.
        """
        slices: list[bytes] = []
        for start in range(0, len(items), SLICE):
            if start:
                await deferLater(self.clock, PAUSE_S)
            found = [msgspec.json.encode(shown(item)) for item in items[start : start + SLICE] if wanted(item)]
            if found:
                slices.append((b"," if slices else b"") + b",".join(found))
        return ApiAnswer(200, b'{"%s":[' % name.encode("ascii"), parts=(*slices, b"]}"))

    # --- what is the project's own --------------------------------------------------------------------------------

    def checks(self) -> list[Check]:
        """All checks of the project, oldest first."""
        return list(map(self.world.checks.__getitem__, self.world.members[self.project].checks.values()))

    def check(self, id: Id) -> Check:
        """The check with this id; 404 if the project has none."""
        check = self.world.checks.get(id)
        if check is None or check.project != self.project:
            raise not_found()
        return check

    def check_by_unique_key(self, key: str) -> Check:
        """The check with this `unique_key`; 404 if the project has none."""
        for id in self.world.members[self.project].checks.values():
            if unique_key(id) == key:
                return self.world.checks[id]
        raise not_found()

    def channels(self) -> list[Channel]:
        """All channels of the project, oldest first."""
        return [self.world.channels[id] for id in self.world.members[self.project].channels]

    def channel(self, id: Id) -> Channel:
        """The channel with this id; 404 if the project has none."""
        channel = self.world.channels.get(id)
        if channel is None or channel.project != self.project:
            raise not_found()
        return channel

    def sites(self) -> list[Site]:
        """All sites of the project, oldest first."""
        return [self.world.sites[id] for id in self.world.members[self.project].sites]

    def site(self, id: Id) -> Site:
        """The site with this id; 404 if the project has none."""
        site = self.world.sites.get(id)
        if site is None or site.project != self.project:
            raise not_found()
        return site

    def any_project(self, id: Id) -> Project:
        """The project with this id, for the operator; 404 if there is none."""
        project = self.world.projects.get(id)
        if project is None:
            raise not_found()
        return project

    def partner(self, id: Id) -> Partner:
        """The partner with this id; 404 if there is none."""
        partner = self.world.partners.get(id)
        if partner is None:
            raise not_found()
        return partner

    # --- what the query asks --------------------------------------------------------------------------------------

    def asked(self, name: str) -> list[str]:
        """All values of a query parameter."""
        return [value.decode("utf-8", "replace") for value in self.query.get(name.encode("ascii"), [])]

    def asked_words(self, parameter: TextParameter) -> frozenset[str]:
        """All values of a parameter that may be repeated."""
        found = frozenset(self.asked(parameter.name))
        if parameter.values:
            found = frozenset(word for words in found for word in words.split(","))
        if parameter.values and not found <= frozenset(parameter.values):
            raise ApiError(400, f"{parameter.name} must be one of {', '.join(parameter.values)}")
        return found

    def asked_number(self, parameter: NumberParameter) -> int | None:
        """A whole number from the query; None if there is none."""
        name, least, most = parameter.name, parameter.least, parameter.most
        values = self.asked(name)
        if not values or (parameter.empty_is_none and not values[-1]):
            return None
        if not _NUMBER.fullmatch(values[-1]) or not least <= int(values[-1]) <= most:
            raise ApiError(400, f"{name} must be a number from {least} to {most}")
        return int(values[-1])
