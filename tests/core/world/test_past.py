"""Checks and sites as they were."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pingmon.core.check.settings import CheckChanges, CheckSpec
from pingmon.core.flip import Flip
from pingmon.core.units import DAEMON
from pingmon.core.world.events import (
    CheckChanged,
    CheckCreated,
    CheckPaused,
    CheckResumed,
    ClockStepped,
    Entry,
    ListeningResumed,
    NewCheck,
    PingReceived,
    SiteProbed,
)
from pingmon.core.world.past import rebuilt
from tests.core.worlds import C1, C2, H1, MINUTE, S1, T0, Log, P, bad, good


def of(log: Log, id: str, upto: int, since: int = 0) -> list[Entry]:
    """The entries about one check or site and the daemon from `since` on; of birth and settings from the first on."""
    return [
        entry
        for entry in log.entries[:upto]
        if entry.stream in (id, DAEMON) and (entry.seq >= since or isinstance(entry.event, CheckCreated | CheckChanged))
    ]


def was(log: Log, id: str, upto: int, **more: Any) -> Any:
    """The check or site as it is rebuilt, after the entry `upto`."""
    arguments: dict[str, Any] = {"entries": of(log, id, upto), "before": None, "first": 0} | more
    world = rebuilt(log.world.subject(id), log.world.channels.values(), **arguments)
    return replace(world.subject(id), **dict.fromkeys(("audience",), None), relayed=())


_EVENTS = st.sampled_from(
    [
        PingReceived(),
        PingReceived(),
        PingReceived("start", rid="x"),
        PingReceived("fail", exitstatus=1),
        PingReceived("log"),
        CheckPaused(),
        CheckResumed(),
        CheckChanged(CheckChanges(grace=120)),
        CheckChanged(CheckChanges(timeout=60, kind="simple")),
        "expire",
        "deaf",
        "step",
    ]
)


@given(happened=st.lists(st.tuples(_EVENTS, st.integers(1, 10)), max_size=20))
def test_whatever_happened_a_check_is_rebuilt_as_it_was_after_each_entry(happened: list[tuple[Any, int]]) -> None:
    """From its own stream and the daemon's, out of a log with other things in it."""
    log = Log()
    log.channel()
    log.check(kind="cron", schedule="*/5 * * * *", grace=60, channels=(H1,))
    log.check(C2)
    states = []
    for event, minutes in happened:
        log.now += minutes * MINUTE
        if event == "expire":
            if log.world.checks[C1].deadline is not None:
                log.expire()
        elif event == "deaf":
            log.add(DAEMON, ListeningResumed(log.now - MINUTE, log.now + MINUTE))
        elif event == "step":
            log.add(DAEMON, ClockStepped(MINUTE))
        else:
            log.add(C1, event)
        log.ping(C2)
        states.append((log.world.seq, replace(log.world.checks[C1], audience=None)))
    for seq, check in states:
        assert was(log, C1, seq) == check


def test_a_site_is_rebuilt_with_what_its_partner_said() -> None:
    """From its stream and its partner's."""
    log = Log()
    log.partner()
    log.site(channels=())
    log.fails()
    log.until(log.now + 10 * MINUTE)
    site = log.world.sites[S1]
    entries = log.entries[1:]
    world = rebuilt(site, (), entries, None, 0)
    assert world.sites[S1] == site
    assert world.host_of(site) is not None


def flip_of(log: Log, number: int) -> Flip:
    flips = [outcome.flip for outcome in log.outcomes if outcome.flip is not None]
    return flips[number]


def test_where_the_first_pings_were_trimmed_the_last_flip_before_stands_for_them() -> None:
    """A check that was down, then up: from its newest ping on it is what it was."""
    log = Log()
    log.check(timeout=60, grace=60)
    log.ping()
    log.expire()
    log.now += 10 * MINUTE
    log.add(C1, CheckChanged(CheckChanges(grace=120)))
    log.ping(signal="log")
    kept = log.world.seq
    check = was(log, C1, kept, entries=of(log, C1, kept, since=kept), before=flip_of(log, -1), first=kept)
    assert (check.status, check.since) == ("down", T0 + 2 * MINUTE)
    log.ping()
    check = was(log, C1, kept + 1, entries=of(log, C1, kept + 1, since=kept), before=flip_of(log, -2), first=kept)
    whole = log.world.checks[C1]
    assert (check.status, check.since, check.spec, check.deadline) == ("up", log.now, whole.spec, whole.deadline)


def test_of_a_time_whose_pings_were_all_trimmed_the_status_is_known() -> None:
    """Also of a check that a ping has made, which is gone as well."""
    log = Log()
    log.add(C1, PingReceived(create=NewCheck(P, "job")))
    log.add(C1, CheckChanged(CheckChanges(grace=120)))
    for entries in ([], log.entries[2:3]):
        check = was(log, C1, 3, entries=entries, before=flip_of(log, 0), first=9)
        assert (check.status, check.since, check.spec.slug, check.created) == ("up", T0, "job", T0)


@pytest.mark.parametrize("failing", [False, True])
def test_of_a_site_too(failing: bool) -> None:
    """If it fails, since when."""
    log = Log()
    log.site(host="", channels=())
    if failing:
        log.probe(S1, bad(at=T0))
    born = [entry for entry in log.entries if entry.stream == S1 and not isinstance(entry.event, SiteProbed)]
    site = was(log, S1, 9, entries=born, before=flip_of(log, -1), first=9)
    assert (site.status, site.since) == (("suspect", T0) if failing else ("up", good().at))
    assert log.world.sites[S1].incident == (T0 if failing else None)


def test_channels_that_were_there_are_there() -> None:
    """A check that a first ping made has all of them."""
    log = Log()
    log.channel()
    log.add(C1, PingReceived(create=NewCheck(P, "job")))
    check = was(log, C1, 3)
    assert check.spec == CheckSpec(name="job", slug="job", channels=(H1,))
