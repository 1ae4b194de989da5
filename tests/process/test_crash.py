"""Kill -9 at random moments under load: what was answered is there, nothing happens twice, alerts go out."""

from __future__ import annotations

import collections
import http.client
import json
import os
import random
import re
import shutil
import sqlite3
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from twisted.internet import reactor

from pingmon.core.world.events import KINDS, Entry
from pingmon.core.world.fold import fold
from pingmon.core.world.snapshot import Saver
from pingmon.core.world.world import World
from pingmon.journal import Journal, journal_at
from tests.process.daemons import Receiver, Running, Starter, until
from tests.process.forked import ran

pytestmark = pytest.mark.process

ROUNDS = int(os.environ.get("PINGMON_CRASH_ROUNDS", "20"))
JOBS = 8
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class Pinger(threading.Thread):
    """Pings a job over one connection until the daemon is gone, and counts what was answered 200."""

    target: Running
    job: str
    life: int
    answered: int = 0
    sent: int = 0
    stop: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        super().__init__(daemon=True)

    __hash__ = threading.Thread.__hash__

    def run(self) -> None:
        """Ping, each time with another body, until the connection breaks."""
        connection = http.client.HTTPConnection("127.0.0.1", self.target.port, timeout=10)
        path = f"/ping/{self.target.keys['ping_key']}/{self.job}?create=1"
        try:
            while not self.stop.is_set():
                signal = random.choice(["", "/fail", "/start"])
                self.sent += 1
                connection.request("POST", path.replace("?", f"{signal}?"), f"{self.job} {self.life} {self.sent}")
                response = connection.getresponse()
                response.read()
                if response.status in (200, 201):
                    self.answered += 1
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()


def verified(daemon: Running) -> None:
    """The journal's own proof that no record was altered or lost."""
    said = ran("pingmon", "journal", "verify", "--data", daemon.data)
    assert said.returncode == 0, said


def test_killed_at_random_moments_under_load_it_loses_nothing_and_repeats_nothing(
    start: Starter, receiver: Receiver
) -> None:
    """Every ping answered 200 is in the log exactly once, after every round; every flip is told, by stable ids."""
    answered: collections.Counter[str] = collections.Counter()
    sent: collections.Counter[str] = collections.Counter()
    config = '[outgoing]\nallow = ["127.0.0.0/8"]\n[monitor]\nhold = 0\n[retention]\npings = 1000000\n'
    daemon, history = start(config=config), History()
    value = {"url_down": receiver.url, "method_down": "POST", "url_up": receiver.url, "method_up": "POST"}
    assert daemon.api("POST", "channels/", {"kind": "webhook", "name": "hook", "value": value}).status == 201
    for life in range(ROUNDS):
        pingers = [Pinger(daemon, f"job-{number}", life) for number in range(JOBS)]
        for pinger in pingers:
            pinger.start()
        threading.Event().wait(random.uniform(0.05, 0.4))
        if life % 5 == 3:
            daemon.stop()  # leaves a snapshot, so that the next lives begin with one and a tail
        else:
            daemon.kill()
        for pinger in pingers:
            pinger.join(15)
            answered[pinger.job] += pinger.answered
            sent[pinger.job] += pinger.sent
        verified(daemon)
        history.goes_on(daemon)
        daemon = start(daemon.data, config=config)
        for check in daemon.api("GET", "checks/").json["checks"]:
            job = check["slug"]
            assert answered[job] <= check["n_pings"] <= sent[job], job
    assert sum(answered.values()) > ROUNDS
    until(lambda: daemon.ask("GET", "/api/v3/status/").status == 200, "everything owed to be delivered")
    final = {check["uuid"]: check["status"] for check in daemon.api("GET", "checks/").json["checks"]}
    told = last_told(receiver, daemon)
    for check, status in final.items():
        assert told.get(check) in (None, status), "the last message about a check is its newest flip"
    no_entry_twice(daemon)
    assert "Traceback" not in daemon.log.read_text()


class History:
    """What the log of a daemon says, from life to life: a life adds to it and changes nothing of the lives before."""

    def __init__(self) -> None:
        self.text = ""
        self.folded = World()

    def goes_on(self, daemon: Running) -> None:
        """The fold of all entries, as exported, is the world that the next daemon will load: snapshot plus tail."""
        exported = ran("pingmon", "journal", "export", "--data", daemon.data).stdout
        assert exported.startswith(self.text)
        for line in exported[len(self.text) :].splitlines():
            fold(self.folded, entry_of(json.loads(line)))
        self.text = exported
        loaded = loaded_by_the_next(daemon)
        assert loaded.checks == self.folded.checks
        assert loaded.daemon == self.folded.daemon
        assert loaded.channels == self.folded.channels
        assert loaded.owed == self.folded.owed


def loaded_by_the_next(daemon: Running) -> World:
    """The world that the next daemon will begin with."""
    copy = daemon.data.with_name("copy")
    shutil.copytree(daemon.data, copy, ignore=shutil.ignore_patterns("*.sock"))
    journal: Journal[None] = journal_at(copy / "journal.sqlite3", reactor=reactor)  # type: ignore[arg-type]
    journal.open(0)
    loaded = World()
    Saver(loaded).restore(journal.snapshot_seq, journal.load())
    for entry in journal.replay():
        fold(loaded, entry)
    journal.stop()
    shutil.rmtree(copy)
    return loaded


KIND_OF = {name: kind for kind, name in KINDS.items()}


def entry_of(line: dict[str, Any]) -> Entry:
    """An entry from its exported form."""
    at = round((datetime.fromisoformat(line["at"]) - EPOCH) / timedelta(microseconds=1))
    fields = {name.removeprefix("event_"): value for name, value in line.items() if name != "kind"}
    event: Any = msgspec.convert(fields, KIND_OF[line["kind"]])
    return Entry(line["seq"], at, line["stream"], event)


def last_told(receiver: Receiver, daemon: Running) -> dict[str, str]:
    """What the receiver was last told of each check, once the daemon owes nothing more."""
    with sqlite3.connect(f"file:{daemon.data}/journal.sqlite3?mode=ro", uri=True) as log:
        (flips,) = log.execute("SELECT max(seq) FROM flip").fetchone()
    assert flips is not None
    until(lambda: quiet(receiver), "the deliveries to end")
    told: dict[str, tuple[int, str]] = {}
    for request in receiver.got:
        seq = int(request.headers["webhook-id"].rsplit("_", 1)[1])
        found = re.search(rb'"uuid":"([0-9a-f-]{36})"', request.body)
        direction = re.search(rb'"event":"check\.(up|down)"', request.body)
        assert found is not None, request.body
        assert direction is not None, request.body
        check = found[1].decode()
        assert told.get(check, (0, ""))[0] <= seq, "an older flip was told after a newer one"
        told[check] = (seq, direction[1].decode())
    return {check: status for check, (_, status) in told.items()}


def quiet(receiver: Receiver) -> bool:
    """Nothing has come for a second."""
    before = len(receiver.got)
    threading.Event().wait(1.0)
    return len(receiver.got) == before


def no_entry_twice(daemon: Running) -> None:
    """Each body that a job sent is in the log once at most, and the order has no gap."""
    with sqlite3.connect(f"file:{daemon.data}/journal.sqlite3?mode=ro", uri=True) as log:
        count, first, last = log.execute("SELECT count(*), min(seq), max(seq) FROM event").fetchone()
        assert count == last - first + 1
        repeated = log.execute(
            "SELECT payload, count(*) FROM event WHERE payload IS NOT NULL GROUP BY payload HAVING count(*) > 1"
        ).fetchall()
    assert repeated == []
