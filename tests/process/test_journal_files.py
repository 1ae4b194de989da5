"""A journal whose files are taken away under a running daemon: nothing is answered 200 that nobody will find again."""

from __future__ import annotations

import pytest

from tests.process.daemons import PATIENCE_S, Starter, until

pytestmark = pytest.mark.process


def test_a_journal_that_is_deleted_is_missed_and_never_begun_anew(start: Starter) -> None:
    """503 and a word in `status/` while it is away, all goes on when it is back; a start without it is refused."""
    daemon = start()
    assert daemon.ping("job", "?create=1").status == 201
    file, elsewhere = daemon.data / "journal.sqlite3", daemon.data / "elsewhere"
    file.rename(elsewhere)
    health = until(lambda: (found := daemon.ask("GET", "/api/v3/status/")).status == 503 and found, "a word of it", 15)
    assert "its file was moved or deleted" in str(health.json)
    assert daemon.ping("job").status == 503
    elsewhere.rename(file)
    until(lambda: daemon.ping("job").status == 200, "pings to be taken again")
    file.unlink()
    assert daemon.ping("job").status == 503
    daemon.stop()
    before = sorted(each.name for each in daemon.data.iterdir())
    again = start(daemon.data, wait=False)
    assert again.process.wait(PATIENCE_S) == 1
    assert "the file is missing, but" in again.log.read_text()
    assert sorted(each.name for each in daemon.data.iterdir()) == before
    assert "Traceback" not in daemon.log.read_text() + again.log.read_text()


def test_a_write_ahead_log_that_is_deleted_costs_nothing(start: Starter) -> None:
    """It is brought into the file before the next ping is answered."""
    daemon = start()
    assert daemon.ping("job", "?create=1").status == 201
    (daemon.data / "journal.sqlite3-wal").unlink()
    assert [daemon.ping("job").status for _ in range(5)] == [200] * 5
    checks = daemon.api("GET", "checks/").json["checks"]
    assert len(daemon.api("GET", f"checks/{checks[0]['uuid']}/pings/").json["pings"]) == 6
    daemon.kill()
    again = start(daemon.data)
    assert again.api("GET", "checks/").json["checks"][0]["n_pings"] == 6


def test_damage_that_a_reader_meets_is_named_and_costs_no_traceback(start: Starter) -> None:
    """503 for the one who asked, one line in the log, and `status/` says so; pings are taken."""
    first = start()
    assert first.ping("job", "?create=1").status == 201
    for _ in range(120):
        first.ping("job", method="POST", body=b"x" * 9000)
    first.stop()
    file = first.data / "journal.sqlite3"
    with file.open("r+b") as damaged:
        damaged.seek(file.stat().st_size // 2)
        damaged.write(bytes(4096 * 30))
    daemon = start(first.data)
    (check,) = daemon.api("GET", "checks/").json["checks"]
    for _ in range(3):
        answer = daemon.api("GET", f"checks/{check['uuid']}/pings/?limit=1000")
        assert (answer.status, answer.json) == (503, {"error": "the journal is damaged"})
    health = daemon.ask("GET", "/api/v3/status/")
    assert (health.status, health.json) == (503, {"problems": ["the journal is damaged"]})
    assert daemon.ping("job").status == 200
    daemon.stop()
    log = daemon.log.read_text()
    assert "Traceback" not in log
    assert log.count("the journal is damaged") == 1
