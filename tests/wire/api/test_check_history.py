"""Pings and flips are shown as the management API shows them, with the durations that its rule gives."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pingmon.core.flip import Flip, Silenced
from pingmon.core.units import SECOND
from pingmon.core.world.events import Entry, PingReceived, Signal
from pingmon.testing import START as NOW
from pingmon.wire.api.check_history import MAX_DURATION, Placed, durations, flip_json, pings_json, runs_without_start

A, B = "aaaaaaaa-0000-4000-8000-000000000000", "bbbbbbbb-0000-4000-8000-000000000000"


def pings(*signals: tuple[Signal, str | None], step: int = SECOND) -> list[Placed]:
    """Pings, given oldest first; seq counts from 1 and time goes on by `step`."""
    entries = [
        Entry(seq, NOW + seq * step, "c", PingReceived(signal, rid=rid)) for seq, (signal, rid) in enumerate(signals, 1)
    ]
    return list(enumerate(reversed(entries)))


def test_a_run_lasts_from_its_own_start() -> None:
    """Overlapping runs have each their own duration, by run id."""
    assert durations(pings(("start", A), ("start", B), ("success", A), ("fail", B))) == {3: 2 * SECOND, 4: 2 * SECOND}


def test_runs_without_an_id() -> None:
    """Without run ids the nearest start counts, once; a log in between does not matter."""
    rows = pings(("success", None), ("start", None), ("start", None), ("log", None), ("success", None), ("fail", None))
    assert durations(rows) == {5: 2 * SECOND}


def test_a_run_of_more_than_72_hours_has_no_duration() -> None:
    """72 hours are shown, a microsecond more is not, and neither is a time that ran backwards."""
    assert durations(pings(("start", None), ("success", None), step=MAX_DURATION)) == {2: MAX_DURATION}
    assert durations(pings(("start", None), ("success", None), step=MAX_DURATION + 1)) == {}
    assert durations(pings(("start", None), ("success", None), step=-1)) == {}


def test_older_pings_are_wanted_only_while_a_run_of_the_page_has_no_start() -> None:
    """A start with its run id, or another end of such a run, answers the question; a log says nothing."""
    rows = pings(("start", A), ("success", None), ("log", A), ("success", A), ("success", None), ("start", B))
    assert not runs_without_start(rows[:1], rows[:1])
    assert runs_without_start(rows[:2], rows[:3])
    assert runs_without_start(rows[:3], rows[:5])
    assert not runs_without_start(rows[:3], rows)
    assert not runs_without_start(rows[:2], rows[:5])


Signals = st.lists(st.tuples(st.sampled_from(["success", "start", "fail", "log", "ign"]), st.sampled_from([None, A])))


@given(Signals)
def test_durations_are_those_of_walking_back(signals: list[tuple[Signal, str | None]]) -> None:
    """One pass finds what walking back from every success and failure finds."""
    rows = pings(*signals)
    walked = {}
    for index, (signal, rid) in enumerate(signals):
        if signal in ("success", "fail"):
            for back in range(index - 1, -1, -1):
                if signals[back][1] == rid and signals[back][0] in ("success", "fail", "start"):
                    if signals[back][0] == "start":
                        walked[index + 1] = (index - back) * SECOND
                    break
    assert durations(rows) == walked


def test_a_ping_as_json() -> None:
    """A ping has the known keys in their order, its exit status, its number, and the address of its body."""
    old = Entry(1, NOW, "c", PingReceived("start"))
    new = Entry(2, NOW + 1_234_567, "c", PingReceived("fail", "POST", "https", "::1", "curl", 3), b"oops")
    shown: list[dict[str, Any]] = pings_json([(0, new)], [(0, new), (1, old)], 7, "http://x/c")["pings"]
    assert shown == [
        {
            "type": "fail",
            "date": "2023-11-14T22:13:21.234567+00:00",
            "n": 7,
            "scheme": "https",
            "remote_addr": "::1",
            "method": "POST",
            "ua": "curl",
            "rid": None,
            "body_url": "http://x/c/pings/7/body",
            "exitstatus": 3,
            "duration": 1.23,
        }
    ]
    first = pings_json([(1, old)], [(1, old)], 7, "http://x/c")["pings"][0]
    assert (first["n"], first["remote_addr"], first["body_url"], first["exitstatus"]) == (6, None, None, None)
    assert "duration" not in first


def test_flips_as_json() -> None:
    """Only an up is up; a reason is told for a down alone."""
    flips = [
        Flip(9, "c", NOW + 999_999, "down", "up"),
        Flip(8, "c", NOW, "up", "down", "signal"),
        Flip(7, "c", NOW, "up", "down", "silence"),
        Flip(6, "c", NOW, "up", "down", "run"),
        Flip(5, "c", NOW, "new", "paused"),
    ]
    shown = [flip_json(flip, [], readonly=True) for flip in flips]
    assert shown[0] == {
        "timestamp": "2023-11-14T22:13:20+00:00",
        "up": 1,
        "reason": "",
        "why": "",
        "seq": 9,
        "told": None,
    }
    assert [(flip["up"], flip["reason"], flip["why"]) for flip in shown[1:]] == [
        (0, "signal", "the job reported a failure"),
        (0, "silence", "the job reported no success in time"),
        (0, "run", "a run took longer than it may"),
        (0, "", ""),
    ]


def test_a_flip_says_whether_anybody_was_told_and_to_whom_it_may_how() -> None:
    """A read-only key does not see channels."""
    lost, delivered = {"result": "given_up"}, {"result": "delivered"}
    flip = Flip(8, "c", NOW, "up", "down", "signal")
    assert flip_json(flip, [lost], readonly=False)["told"] is False
    shown = flip_json(flip, [lost, delivered], readonly=False)
    assert (shown["told"], shown["deliveries"]) == (True, [lost, delivered])
    assert "deliveries" not in flip_json(flip, [delivered], readonly=True)


def test_a_flip_says_why_nobody_was_told_when_it_happened() -> None:
    """A read-only key sees no maintenance windows."""
    flip = Flip(8, "c", NOW, "up", "down", "signal", silenced=Silenced("maintenance", "w", "disks"))
    assert flip_json(flip, [], readonly=False)["silenced"] == {"by": "maintenance", "id": "w", "name": "disks"}
    assert "silenced" not in flip_json(flip, [], readonly=True)


@given(Signals, st.integers(0, 20), st.integers(0, 20))
def test_durations_are_known_as_soon_as_no_run_of_the_page_is_without_its_start(
    signals: list[tuple[Signal, str | None]], limit: int, more: int
) -> None:
    """Reading further back then finds the same."""
    rows = pings(*signals)
    page, around = rows[:limit], rows[: limit + more]
    if not runs_without_start(page, around):
        near, far = durations(around), durations(rows)
        assert [near.get(entry.seq) for _, entry in page] == [far.get(entry.seq) for _, entry in page]
