"""A whole management API in memory: real HTTP parsing, real monitor, a journal without a disk, clocks set by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import count
from typing import Any

from msgspec import Struct
from treq.testing import StubTreq
from twisted.internet.defer import Deferred
from twisted.internet.testing import EventLoggingObserver
from twisted.logger import globalLogPublisher
from twisted.web.iweb import IResponse

from pingmon.api.api import Api, ApiSettings, Probes
from pingmon.api.call import PAUSE_S, Tests
from pingmon.api.credentials import key_created, new_key
from pingmon.core.check.check import Check
from pingmon.core.site.probe_result import Fault, ProbeResult
from pingmon.core.units import SECOND
from pingmon.core.world.events import DAEMON, AnyEvent, PingReceived, ProjectCreated, Signal, SiteProbed
from pingmon.core.world.parts import Outcome
from pingmon.daemon.resource_tree import Root, voice
from pingmon.door.door import Door
from pingmon.door.http_dates import Dates
from pingmon.door.limits import DoorSettings
from pingmon.journal import History, MemoryJournal
from pingmon.monitor import Monitor
from pingmon.timing.clock import Timekeeper
from pingmon.wire.api.status import Problem
from tests.door.stage import Line, Loop

PROJECT = "11111111-0000-4000-8000-000000000001"
OTHER_PROJECT = "11111111-0000-4000-8000-000000000002"
START = 1_700_000_000
"""2023-11-14T22:13:20+00:00"""


class Reply(Struct, frozen=True):
    """An answer as a client has it."""

    status: int
    raw: bytes
    headers: dict[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.raw)

    @property
    def error(self) -> str:
        assert self.headers["Content-Type"] == "application/json"
        message = self.json["error"]
        assert isinstance(message, str)
        return message


class ApiStage:
    """`ask` is a client; `journal`, `monitor` and `time` (seconds) are there to be tampered with."""

    def __init__(
        self,
        settings: ApiSettings | None = None,
        history: History | None = None,
        probes: Probes | None = None,
        tests: Tests | None = None,
    ) -> None:
        self.time = float(START)
        self.turns = self.clock = Loop()
        self.health: Callable[[], list[Problem]] = list
        chance = count()
        self.random_bytes: Callable[[int], bytes] = lambda n: b"".join(
            (next(chance) * 2_654_435_761 % 2**32).to_bytes(4, "big") for _ in range(n)
        )[:n]
        self.journal: MemoryJournal[Outcome] = MemoryJournal()
        self.monitor = Monitor(self.journal, Timekeeper(lambda: self.time, lambda: self.time - START))
        self.monitor.open()
        self.monitor.start()
        settings = settings or ApiSettings(keys_per_second=0)
        self.api = Api(
            self.monitor,
            history or self.journal,
            settings,
            health=lambda: self.health(),
            clock=self.turns,
            probes=probes,
            tests=tests,
            random_bytes=lambda n: self.random_bytes(n),
        )
        self.root = Root(self.api.resource())
        self.treq: Any = StubTreq(self.root)
        self.rw = self.new_project(PROJECT)
        self.ro = self.new_key(PROJECT, "ro")
        self.operator = self.new_key(DAEMON, "operator")

    # --- making ---------------------------------------------------------------------------------------------------

    def new_project(self, id: str) -> str:
        self.submit(id, ProjectCreated(id, f"ping{id[-1]}"))
        return self.new_key(id, "rw")

    def new_key(self, project: str, role: Any) -> str:
        key = new_key(role, self.random_bytes)
        stream = DAEMON if role == "operator" else project
        self.submit(stream, key_created(key, role, self.random_bytes))
        return key

    def submit(self, stream: str, event: AnyEvent, payload: bytes | None = None) -> Outcome:
        outcomes: list[Outcome] = []
        self.monitor.submit(stream, event, payload).addCallback(outcomes.append)
        return outcomes[0]

    def ping(self, id: str, signal: Signal = "success", body: bytes | None = None, **more: Any) -> None:
        self.submit(id, PingReceived(signal, **more), body)

    def create(self, **fields: Any) -> str:
        reply = self.post("/api/v3/checks/", fields)
        assert reply.status == 201, reply.raw
        return str(reply.json["uuid"])

    def channel(self, name: str = "ops") -> str:
        reply = self.post("/api/v3/channels/", {"kind": "webhook", "name": name, "value": {"url_down": "http://x.y/"}})
        assert reply.status == 201, reply.raw
        return str(reply.json["id"])

    def new_site(self, url: str = "https://site.example/", **fields: Any) -> str:
        reply = self.post("/api/v3/sites/", {"url": url, **fields})
        assert reply.status == 201, reply.raw
        return str(reply.json["uuid"])

    def new_partner(self, slug: str = "hosty", **fields: Any) -> str:
        reply = self.post("/api/v3/partners/", {"slug": slug, **fields}, self.operator)
        assert reply.status == 201, reply.raw
        return str(reply.json["uuid"])

    def look(self, fault: Fault = "", code: int = 200, node: str = "", **more: Any) -> ProbeResult:
        return ProbeResult(node, self.now, code, fault, **more)

    def probed(self, id: str, *looks: ProbeResult, asked: int = 0, quorum: int = 0) -> None:
        self.submit(id, SiteProbed(looks, asked, quorum))

    def outage(self, id: str, down_s: int = 60) -> None:
        """The site goes down now, without verifiers, and is back `down_s` seconds later."""
        for wait in (10, 10, down_s - 20 - 1, 1):
            self.probed(id, self.look("status", 503))
            self.time += wait
        self.probed(id, self.look())
        self.probed(id, self.look())

    def check(self, id: str) -> Check:
        return self.monitor.world.checks[id]

    @property
    def now(self) -> int:
        return round(self.time * SECOND)

    # --- asking ---------------------------------------------------------------------------------------------------

    def get(self, path: str, key: str | None = None) -> Reply:
        return self.ask("GET", path, key=key or self.rw)

    def post(self, path: str, body: object = None, key: str | None = None) -> Reply:
        return self.ask("POST", path, json.dumps(body).encode(), key=key or self.rw)

    def delete(self, path: str, key: str | None = None) -> Reply:
        return self.ask("DELETE", path, key=key or self.rw)

    def ask(
        self, method: str, path: str, body: bytes = b"", *, key: str = "", headers: dict[str, str] | None = None
    ) -> Reply:
        """The answer; fails if there is none yet."""
        sent = {"X-Api-Key": key} if key else {}
        replies: list[IResponse] = []
        url = path if path.startswith("http") else f"http://pingmon.example{path}"
        asked: Deferred[IResponse] = self.treq.request(
            method, url, data=body or None, headers=sent | (headers or {}), allow_redirects=False
        )
        asked.addCallback(replies.append)
        self.treq.flush()
        while not replies and self.turns.getDelayedCalls():  # a long list is made in several turns
            self.turns.advance(PAUSE_S)
            self.treq.flush()
        assert replies, "no answer"
        raw: list[bytes] = []
        self.treq.content(replies[0]).addCallback(raw.append)
        self.treq.flush()
        shown = {
            name.decode("ascii"): values[0].decode("ascii") for name, values in replies[0].headers.getAllRawHeaders()
        }
        return Reply(replies[0].code, raw[0], shown)

    def ask_door(self, method: str, target: str, *headers: str, body: bytes = b"", version: str = "1.1") -> Reply:
        """The answer to a request that comes through a door, which looks at it first."""
        self.door = Door(self.root, DoorSettings(), self.turns, Dates(lambda: self.time), voice=voice)
        line = Line(self.clock, self.door, "127.0.0.1")
        lines = [f"{method} {target} HTTP/{version}", f"X-Api-Key: {self.rw}", *headers, f"Content-Length: {len(body)}"]
        line.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        reply = line.reply()
        line.hang_up()
        return Reply(reply.status, reply.body, reply.headers)


class Logged:
    """Collects `all` that is logged while it is entered; `troubles` are errors and bugs."""

    def __enter__(self) -> Logged:
        self._observer = EventLoggingObserver()
        globalLogPublisher.addObserver(self._observer)
        return self

    def __exit__(self, *exc: object) -> None:
        globalLogPublisher.removeObserver(self._observer)

    @property
    def all(self) -> list[Any]:
        return list(self._observer)

    @property
    def troubles(self) -> list[Any]:
        return [event for event in self._observer if event["log_level"].name in ("error", "critical")]
