"""A whole management API in memory: a rig, and a client without sockets."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import count
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from treq.testing import StubTreq
from twisted.internet.defer import Deferred
from twisted.web.iweb import IResponse
from werkzeug.routing import Map, Rule

from pingmon.api.api import Api, ApiSettings, Probes
from pingmon.api.api_answer import JSON
from pingmon.api.call import PAUSE_S, Questions, Tests
from pingmon.api.credentials import key_created, new_key
from pingmon.api.openapi import TAKES, api_document, operation_id
from pingmon.api.routes import ROUTES
from pingmon.core.site.probe_result import Fault, ProbeResult
from pingmon.core.units import DAEMON
from pingmon.core.world.events import ProjectCreated
from pingmon.daemon.resource_tree import Root, voice
from pingmon.door.door import Door
from pingmon.door.http_dates import Dates
from pingmon.door.limits import DoorSettings
from pingmon.journal import History
from pingmon.testing import PROJECT, Rig, uuid
from pingmon.wire.api.answer_shapes import ShownError
from pingmon.wire.api.status import Problem
from tests.door.stage import Line, Reply

OTHER_PROJECT = uuid(2, "a")
NEWEST: Final = "/api/v3"
CHECKS, CHANNELS, SITES, PARTNERS = (f"/api/v3/{kind}/" for kind in ("checks", "channels", "sites", "partners"))


_TOLD: Final = Map(
    [
        Rule(
            route.path,
            endpoint=(operation.run, operation_id(route, method)),
            methods=[method],
            strict_slashes=False,
        )
        for route in ROUTES
        for method, operation in route.operations.items()
    ],
    merge_slashes=False,
).bind("pingmon.example")


def must_be_as_told(method: str, path: str, reply: Reply) -> None:
    """An answer of version 3 has a status that the OpenAPI document tells, and the keys that it tells, no more."""
    if not path.startswith(NEWEST) or "//" in path or not _TOLD.test(path.removeprefix(NEWEST), method):
        return
    (run, id), _ = _TOLD.match(path.removeprefix(NEWEST), method)
    operations = [each for told in api_document()["paths"].values() for each in told.values()]
    known = next((each["responses"] for each in operations if each["operationId"] == id), None)
    assert known is None or reply.status == 500 or str(reply.status) in known, (
        f"{id} is not told to answer {reply.status}"
    )
    shape: Any = TAKES[run].answer if reply.status < 400 else ShownError
    assert msgspec.convert(reply.json, shape) == reply.json, "the answer has keys that its shape does not tell"


class ApiStage(Rig):
    """A rig with an API; `ask` is a client, and holds answers against the document. Nobody judges silence.

    What is called `new` is made by a request; `rw`, `ro` and `operator` are keys.
    """

    def __init__(
        self,
        settings: ApiSettings | None = None,
        history: History | None = None,
        probes: Probes | None = None,
        tests: Tests | None = None,
        confirmations: Questions | None = None,
    ) -> None:
        super().__init__()
        self.alarms.stop()
        self.health: Callable[[], list[Problem]] = list
        chance = count()
        self.random_bytes: Callable[[int], bytes] = lambda n: b"".join(
            (next(chance) * 2_654_435_761 % 2**32).to_bytes(4, "big") for _ in range(n)
        )[:n]
        settings = settings or ApiSettings(keys_per_second=0)
        self.api = Api(
            self.monitor,
            history or self.journal,
            settings,
            health=lambda: self.health(),
            clock=self.clock,
            probes=probes,
            tests=tests,
            confirmations=confirmations,
            random_bytes=lambda n: self.random_bytes(n),
        )
        self.root = Root(self.api.resource())
        self.api.mount_scrapes(self.root, self.measured)
        self.treq: Any = StubTreq(self.root)
        self.rw = self.new_key(PROJECT, "rw")
        self.ro = self.new_key(PROJECT, "ro")
        self.operator = self.new_key(DAEMON, "operator")

    # --- making ---------------------------------------------------------------------------------------------------

    async def measured(self) -> str:
        """The daemon's own measurements."""
        return "pingmon_info 1\n"

    def new_project(self, id: str) -> str:
        self.submit(id, ProjectCreated(id, f"ping{id[-1]}"))
        return self.new_key(id, "rw")

    def new_key(self, project: str, role: Any) -> str:
        key = new_key(role, self.random_bytes)
        stream = DAEMON if role == "operator" else project
        self.submit(stream, key_created(key, role, self.random_bytes))
        return key

    def new_check(self, **fields: Any) -> str:
        return self._new(CHECKS, fields)

    def new_channel(self, name: str = "ops") -> str:
        return self._new(CHANNELS, {"kind": "webhook", "name": name, "value": {"url_down": "http://x.y/"}})

    def new_site(self, url: str = "https://site.example/", **fields: Any) -> str:
        return self._new(SITES, {"url": url, **fields})

    def new_partner(self, slug: str = "hosty", **fields: Any) -> str:
        return self._new(PARTNERS, {"slug": slug, **fields}, self.operator)

    def _new(self, path: str, fields: object, key: str | None = None) -> str:
        reply = self.post(path, fields, key)
        assert reply.status == 201, reply.body
        return str(reply.json.get("uuid") or reply.json["id"])

    def look(self, fault: Fault = "", code: int = 200, node: str = "", **more: Any) -> ProbeResult:
        return ProbeResult(node, self.now, code, fault, **more)

    def outage(self, id: str, down_s: int = 60) -> None:
        """The site goes down now, without verifiers, and is back `down_s` seconds later."""
        for wait in (10, 10, down_s - 20 - 1, 1):
            self.probe(id, self.look("status", 503))
            self.advance(wait)
        self.probe(id, self.look())
        self.probe(id, self.look())

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
        while not replies and self.clock.getDelayedCalls():  # a long list is made in several turns
            self.clock.advance(PAUSE_S)
            self.treq.flush()
        assert replies, "no answer"
        raw: list[bytes] = []
        self.treq.content(replies[0]).addCallback(raw.append)
        self.treq.flush()
        shown = {
            name.decode("ascii"): values[0].decode("ascii") for name, values in replies[0].headers.getAllRawHeaders()
        }
        reply = Reply(replies[0].code, shown, raw[0])
        owners = "X-Project" in (headers or {})  # a way that the document does not tell
        if shown.get("Content-Type") == JSON and reply.body and not owners:
            must_be_as_told(method, urlsplit(url).path, reply)
        return reply

    def line(self) -> Line:
        """A client that has come through a door."""
        door = Door(self.root, DoorSettings(), self.clock, Dates(self.time.wall), voice=voice)
        return Line(self.clock, door, "127.0.0.1")

    def ask_door(
        self, method: str, target: str, *headers: str, body: bytes = b"", version: str = "1.1", key: str | None = None
    ) -> Reply:
        """The answer to a request that comes through a door, which looks at it first. `key`: empty for none."""
        line = self.line()
        shown = [] if key == "" else [f"X-Api-Key: {key or self.rw}"]
        lines = [f"{method} {target} HTTP/{version}", *shown, *headers, f"Content-Length: {len(body)}"]
        line.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        for _ in range(100):
            if line.replies():
                break
            self.clock.advance(PAUSE_S)
        reply = line.reply()
        line.hang_up()
        return reply
