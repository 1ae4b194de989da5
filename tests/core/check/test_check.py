"""The state machine of a check, held against the table at the top of its module."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pingmon.core.check import check as machine
from pingmon.core.check.check import MAX_OPEN_RUNS, Check, Run
from pingmon.core.check.settings import CheckSpec
from pingmon.core.flip import Deaf, Flip
from pingmon.core.units import DAY, HOUR, SECOND
from pingmon.core.world.events import PingReceived, Signal
from pingmon.testing import START as T0

A, B = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"


def fresh(**spec: Any) -> Check:
    return Check("c", "p", CheckSpec(**spec), born=1, created=T0, since=T0)


def ping(check: Check, at: int, signal: Signal = "success", rid: str | None = None, **more: Any) -> Check:
    return machine.pinged(check, check.armed_by + 1, at, PingReceived(signal=signal, rid=rid, **more))[0]


def flip_of(check: Check, at: int, signal: Signal = "success", rid: str | None = None) -> Flip | None:
    return machine.pinged(check, check.armed_by + 1, at, PingReceived(signal=signal, rid=rid))[1]


def expire(check: Check) -> tuple[Check, Flip | None]:
    assert check.deadline is not None
    return machine.expired(check, check.armed_by + 1, check.deadline, check.armed_by)


def in_status(status: str) -> Check:
    up = ping(fresh(), T0)
    return {
        "new": fresh(),
        "up": up,
        "down": ping(up, T0, "fail"),
        "paused": machine.paused(up, 5, T0)[0],
    }[status]


def table() -> list[tuple[str, str, str]]:
    """The state table of the module's docstring as (status, input, what the cell says)."""
    assert machine.__doc__ is not None
    lines = [line.strip() for line in machine.__doc__.splitlines()]
    head = next(index for index, line in enumerate(lines) if line.startswith("status "))
    columns = re.split(r"\s{2,}", lines[head])[1:]
    rows = [re.split(r"\s{2,}", line) for line in lines[head + 1 : head + 5]]
    return [(row[0], column, cell) for row in rows for column, cell in zip(columns, row[1:], strict=True)]


def test_the_table_names_every_status_and_input() -> None:
    """A table that lost a row or column would prove nothing."""
    assert len(table()) == 4 * 7


@pytest.mark.parametrize(("status", "given_input", "cell"), table())
def test_every_cell_of_the_state_table_is_what_the_code_does(status: str, given_input: str, cell: str) -> None:
    """The table at the top of the module is true."""
    before = in_status(status)
    at = T0 + HOUR
    if given_input == "deadline passes" and before.deadline is None:
        before = ping(before, T0 + 1, "start")
    after = {
        "success": lambda: ping(before, at),
        "fail": lambda: ping(before, at, "fail"),
        "start": lambda: ping(before, at, "start"),
        "log, ign": lambda: ping(ping(before, at, "log"), at, "ign"),
        "deadline passes": lambda: expire(before)[0] if before.deadline is not None else before,
        "pause": lambda: machine.paused(before, 9, at)[0],
        "resume": lambda: machine.resumed(before, 9, at)[0],
    }[given_input]()
    wanted = cell.removeprefix("→ ") if cell.startswith("→") else status
    assert after.status == wanted
    if cell == "run opens":
        assert after.last_start == at
        assert Run(None, at) in after.runs
    if cell == "(has none)":
        assert before.deadline is None
    if cell == "refused":
        assert after is before


def test_an_up_check_is_due_one_period_and_one_grace_after_its_last_ping() -> None:
    """`last ping + timeout + grace`, to the microsecond, and the flip is stamped with it."""
    check = ping(fresh(timeout=60, grace=120), T0 + 7)
    assert check.deadline == T0 + 7 + 180 * SECOND
    after, flip = expire(check)
    assert after.status == "down"
    assert after.deadline is None
    assert flip == Flip(after.armed_by, "c", T0 + 7 + 180 * SECOND, "up", "down", "silence", T0 + 7)


def test_a_run_that_takes_longer_than_the_grace_goes_down_even_on_a_new_check() -> None:
    """A start sets a deadline of its own, and the flip says that a run was too long."""
    check = ping(fresh(grace=600), T0, "start")
    assert check.status == "new"
    assert check.deadline == T0 + 600 * SECOND
    after, flip = expire(check)
    assert flip is not None
    assert (flip.old, flip.new, flip.cause) == ("new", "down", "run")
    assert after.runs == (Run(None, T0, overdue=True),)


def test_a_start_does_not_postpone_the_scheduled_deadline() -> None:
    """A job expected at noon must be done by noon plus grace, however late it started."""
    check = ping(fresh(timeout=3600, grace=3600), T0)
    late = ping(check, T0 + HOUR + HOUR // 2, "start")
    assert late.deadline == T0 + 2 * HOUR


def test_every_open_run_is_watched_and_a_success_of_one_leaves_the_others_running() -> None:
    """Two overlapping runs: the older one's deadline counts until it is closed."""
    check = ping(ping(fresh(), T0, "start", A), T0 + 60 * SECOND, "start", B)
    assert check.deadline == T0 + HOUR
    done = ping(check, T0 + 90 * SECOND, rid=B)
    assert done.last_duration == 30 * SECOND
    assert done.runs == (Run(A, T0),)
    assert done.deadline == T0 + HOUR


def test_a_success_without_a_run_id_ends_the_run_that_began_without_one() -> None:
    """The id-less run and named runs do not mix."""
    check = ping(ping(fresh(), T0, "start"), T0, "start", A)
    done = ping(check, T0 + SECOND)
    assert done.runs == (Run(A, T0),)
    assert done.last_duration == SECOND


def test_a_success_without_a_run_id_ends_all_named_runs_when_no_other_is_open() -> None:
    """Clients that send ids only with the start must not be alarmed."""
    check = ping(ping(fresh(), T0, "start", A), T0, "start", B)
    assert ping(check, T0 + SECOND).runs == ()


def test_a_success_with_a_foreign_run_id_keeps_the_runs_and_the_last_duration() -> None:
    """An id that matches no open start says nothing about durations."""
    check = ping(ping(fresh(), T0, "start", A), T0 + SECOND, rid=A)
    assert check.last_duration == SECOND
    foreign = ping(check, T0 + 5 * SECOND, rid=B)
    assert foreign.last_duration == SECOND
    running = ping(ping(check, T0, "start", A), T0 + SECOND, rid=B)
    assert running.runs == (Run(A, T0),)
    assert running.last_duration == SECOND


def test_a_success_without_start_or_run_id_has_no_duration() -> None:
    """A duration that is not known is not shown."""
    check = ping(ping(fresh(), T0, "start"), T0 + SECOND)
    assert ping(check, T0 + 2 * SECOND).last_duration is None


def test_a_newer_start_without_an_id_restarts_the_run() -> None:
    """Starts without an id are one run, as clients know it."""
    check = ping(ping(fresh(), T0, "start"), T0 + 9, "start")
    assert check.runs == (Run(None, T0 + 9),)


def test_open_runs_are_bounded_and_the_oldest_is_dropped_and_counted() -> None:
    """A client that never closes its runs cannot grow a check without end."""
    check = fresh()
    for number in range(MAX_OPEN_RUNS + 3):
        check = ping(check, T0 + number, "start", f"{number:08d}-0000-4000-8000-000000000000")
    assert len(check.runs) == MAX_OPEN_RUNS
    assert check.dropped_runs == 3
    assert check.runs[0].started == T0 + 3


def test_a_run_that_alerted_once_does_not_alert_again_but_still_gives_its_duration() -> None:
    """An overdue run is told once; when it ends after all, its duration is known."""
    check, _ = expire(ping(ping(fresh(timeout=86400), T0), T0, "start", A))
    up = ping(check, T0 + 2 * HOUR, rid=B)
    assert up.deadline == T0 + 2 * HOUR + DAY + HOUR
    assert ping(up, T0 + 3 * HOUR, rid=A).last_duration == 3 * HOUR


def test_a_run_that_outlived_its_grace_while_the_check_was_down_is_not_told_on_recovery() -> None:
    """Going up must not at once go down for a run that hung during the outage."""
    down = ping(ping(fresh(), T0), T0, "fail")
    hanging = ping(down, T0, "start", A)
    assert hanging.deadline is None
    up = ping(hanging, T0 + 2 * HOUR, rid=B)
    assert up.deadline == T0 + 2 * HOUR + DAY + HOUR


def test_an_expiry_that_names_another_arming_is_void() -> None:
    """A ping that reached the log before the expiry wins."""
    check = ping(fresh(), T0)
    assert check.deadline is not None
    newer = ping(check, T0 + 1)
    assert machine.expired(newer, 9, check.deadline, check.armed_by) == (newer, None)


def test_a_flip_by_deadline_never_predates_the_status_it_ends() -> None:
    """A run hung in the second in which another went well: down comes after up."""
    check = ping(ping(fresh(grace=60), T0, "start", A), T0 + 61 * SECOND, rid=B)
    after, flip = expire(check)
    assert flip is not None
    assert flip.at == T0 + 61 * SECOND == after.since


@pytest.mark.parametrize("signal", ["success", "fail", "start"])
def test_a_paused_check_with_manual_resume_counts_pings_and_does_nothing_else(signal: Signal) -> None:
    """Only the user resumes it."""
    check = machine.paused(fresh(manual_resume=True), 3, T0)[0]
    after = ping(check, T0 + 1, signal)
    assert after.n_pings == check.n_pings + 1
    assert (after.status, after.runs, after.last_ping, after.deadline) == ("paused", (), None, None)


def test_pausing_forgets_open_runs_and_resuming_forgets_the_last_ping() -> None:
    """Paused: nothing is due. Resumed: as new."""
    running = ping(ping(fresh(), T0), T0 + 1, "start")
    paused, flip = machine.paused(running, 7, T0 + 2)
    assert (paused.runs, paused.deadline, paused.last_ping) == ((), None, T0)
    assert flip is not None
    assert (flip.old, flip.new) == ("up", "paused")
    new, flip = machine.resumed(paused, 8, T0 + 3)
    assert (new.status, new.last_ping, new.deadline) == ("new", None, None)
    assert flip is not None
    assert (flip.old, flip.new) == ("paused", "new")


def test_new_settings_move_the_deadline_and_equal_settings_change_nothing() -> None:
    """A shorter period counts from the last ping."""
    check = ping(fresh(), T0)
    assert machine.respecified(check, 9, CheckSpec()) is check
    sooner = machine.respecified(check, 9, CheckSpec(timeout=60, grace=60))
    assert sooner.deadline == T0 + 120 * SECOND
    assert machine.respecified(fresh(), 9, CheckSpec(timeout=60)).deadline is None


def test_a_clock_that_was_set_takes_every_instant_along() -> None:
    """After a step of an hour all is due an hour later by the clock, which is the same instant in truth."""
    check = ping(ping(fresh(), T0), T0 + SECOND, "start", A)
    moved = machine.shifted(check, 9, HOUR)
    assert check.deadline is not None
    assert moved.deadline == check.deadline + HOUR
    assert moved.runs == (Run(A, T0 + SECOND + HOUR),)
    assert moved.last_ping == T0 + HOUR
    assert machine.shifted(fresh(), 9, HOUR).deadline is None


def test_silence_that_pingmon_may_have_caused_itself_is_held() -> None:
    """A deadline whose grace time overlaps the deafness waits for the end of the hold; others do not."""
    check = ping(fresh(timeout=3600, grace=60), T0)
    due = T0 + HOUR + 60 * SECOND
    during = Deaf(since=due - SECOND, until=due + 5 * SECOND, hold_until=due + 65 * SECOND)
    before = Deaf(since=T0, until=T0 + HOUR - SECOND, hold_until=due + DAY)
    later = Deaf(since=due + 1, until=due + 2, hold_until=due + DAY)
    assert machine.fires_at(check, (during,)) == during.hold_until
    assert machine.fires_at(check, (before,)) == due
    assert machine.fires_at(check, (later,)) == due
    assert machine.fires_at(check, ()) == due
    assert machine.fires_at(fresh(), (during,)) is None
    assert machine.overlap((during, before), due, 60) == during
    again = Deaf(since=due + 20 * SECOND, until=due + 40 * SECOND, hold_until=due + 100 * SECOND)
    assert machine.fires_at(check, (during, again)) == again.hold_until


def test_the_shown_status_is_late_until_the_log_says_down() -> None:
    """People see `grace` from the expected ping on, also past the deadline: while pingmon is deaf, nobody is down."""
    check = ping(fresh(timeout=60, grace=60), T0)
    due = T0 + 120 * SECOND
    assert machine.shown_status(check, T0 + 59 * SECOND) == "up"
    assert machine.shown_status(check, T0 + 60 * SECOND) == "grace"
    assert machine.shown_status(check, due + DAY) == "grace"
    after, _ = machine.expired(check, 2, due, check.armed_by)
    assert machine.shown_status(after, due) == "down"
    assert machine.shown_status(ping(check, due, "fail"), due) == "down"
    assert machine.shown_status(ping(fresh(), T0, "start"), T0) == "new"


def test_the_next_ping_is_expected_at_the_period_or_at_the_start_of_a_running_job() -> None:
    """`next_ping` of the API, the start rule included."""
    check = ping(fresh(timeout=60), T0)
    assert machine.next_ping(check) == T0 + 60 * SECOND
    assert machine.next_ping(ping(check, T0 + 1, "start")) == T0 + 1
    assert machine.next_ping(fresh()) is None


def test_a_cron_check_is_due_a_grace_after_the_first_occurrence_past_its_last_ping() -> None:
    """A ping before the occurrence does not satisfy it; one after it waits for the next."""
    noon = 1_700_049_600 * SECOND  # 2023-11-15 12:00 UTC
    check = ping(fresh(kind="cron", schedule="0 12 * * *", grace=60), noon - HOUR)
    assert check.expected == noon
    assert ping(check, noon - 1).expected == noon
    assert ping(check, noon).expected == noon + DAY


SIGNALS = st.sampled_from(["success", "fail", "start", "log", "ign"])
RIDS = st.sampled_from([None, A, B])
STEPS = st.lists(st.tuples(st.integers(1, 3 * 86400), SIGNALS, RIDS, st.booleans()), max_size=40)


@given(steps=STEPS, timeout=st.integers(60, 86400), grace=st.integers(60, 86400))
def test_whatever_happens_a_check_stays_sane(
    steps: list[tuple[int, Signal, str | None, bool]], timeout: int, grace: int
) -> None:
    """Down has no deadline, up always has one; n_pings counts all; flips alternate and never go back in time."""
    check = fresh(timeout=timeout, grace=grace)
    at, seq, pings, flips = T0, 1, 0, [Flip(0, "c", T0, "paused", "new")]
    for wait, signal, rid, punctual in steps:
        at += wait * SECOND
        seq += 1
        if not punctual and check.deadline is not None and check.deadline <= at:
            check, flip = machine.expired(check, seq, check.deadline, check.armed_by)
        else:
            check, flip = machine.pinged(check, seq, at, PingReceived(signal=signal, rid=rid))
            pings += 1
        if flip is not None:
            assert flip.old == flips[-1].new != flip.new == check.status
            assert flips[-1].at <= flip.at == check.since <= at
            flips.append(flip)
        assert check.n_pings == pings
        assert (check.deadline is None) == (check.status == "down" or (check.status == "new" and not _watched(check)))
        assert check.last_duration is None or check.last_duration >= 0


def _watched(check: Check) -> list[int]:
    return [run.started for run in check.runs if not run.overdue]


CHANGES: dict[str, Callable[[Check, int, int], Check]] = {
    "success": lambda check, seq, at: machine.pinged(check, seq, at, PingReceived())[0],
    "run": lambda check, seq, at: machine.pinged(check, seq, at, PingReceived(rid=A))[0],
    "fail": lambda check, seq, at: machine.pinged(check, seq, at, PingReceived("fail"))[0],
    "start": lambda check, seq, at: machine.pinged(check, seq, at, PingReceived("start"))[0],
    "start run": lambda check, seq, at: machine.pinged(check, seq, at, PingReceived("start", rid=A))[0],
    "silence": lambda check, seq, at: machine.expired(check, seq, check.deadline or at, check.armed_by)[0],
    "pause": lambda check, seq, at: machine.paused(check, seq, at)[0],
    "resume": lambda check, seq, at: machine.resumed(check, seq, at)[0],
    "change": lambda check, seq, at: machine.respecified(check, seq, CheckSpec(timeout=60 + at % 999, grace=at % 77)),
    "clock": lambda check, seq, at: machine.shifted(check, seq, HOUR),
}


@given(changes=st.lists(st.tuples(st.integers(0, 2 * 86400), st.sampled_from(sorted(CHANGES))), max_size=30))
def test_whatever_changes_a_check_sets_the_deadline_that_follows_and_says_which_entry_did(
    changes: list[tuple[int, str]],
) -> None:
    """The earliest of what is expected and the watched runs, plus the grace time; and none while the check is down."""
    check, at = fresh(), T0
    for seq, (wait, change) in enumerate(changes, 2):
        at += wait * SECOND
        before, check = check, CHANGES[change](check, seq, at)
        starts = [*_watched(check), *([] if check.expected is None else [check.expected])]
        follows = min(starts) + check.spec.grace * SECOND if starts and check.status != "down" else None
        assert check.deadline == follows
        assert check is before or check.armed_by == seq
