"""What becomes of projects and keys, and of checks that move."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pingmon.core.check.settings import CheckChanges
from pingmon.core.units import DAEMON, HOUR
from pingmon.core.world import events as e
from tests.core.worlds import C1, C2, C3, H1, H2, T0, Log, P, Q, replayed, state

KEY = "44444444-4444-4444-8444-444444444444"


@pytest.fixture
def log() -> Log:
    """A log with two projects, each with a channel."""
    log = Log()
    log.add(Q, e.ProjectCreated("second", "otherkey"))
    log.channel(H1, P)
    log.channel(H2, Q)
    return log


def found(log: Log, project: str, slug: str) -> tuple[list[str], list[str]]:
    """The checks of a project, and those that its slug names."""
    members = log.world.members[project]
    return list(members.checks.values()), [members.checks[born] for born in members.named(slug)]


def created(log: Log, stream: str = P, role: e.Role = "rw") -> None:
    log.add(stream, e.KeyCreated(KEY, role, "hcw_abcd", "salt", "digest"))


# --- checks that move ---------------------------------------------------------------------------------------------


def test_a_moved_check_is_found_where_it_is(log: Log) -> None:
    """By its slug, among those of its new project in the order of their birth, with all of its channels."""
    log.check(C1, slug="backup", channels=(H1,))
    log.check(C2, Q, slug="backup")
    log.ping(C1)
    outcome = log.add(C1, e.CheckMoved(Q))
    check = log.world.checks[C1]
    assert (outcome.result, outcome.check) == ("done", check)
    assert (check.project, check.spec.channels, check.n_pings) == (Q, (H2,), 1)
    assert found(log, P, "backup") == ([], [])
    assert found(log, Q, "backup") == ([C1, C2], [C1, C2])


def test_nothing_is_owed_about_a_moved_check(log: Log) -> None:
    """Who was to be told is another project's; what became of the message is kept."""
    log.check(C1, channels=(H1,))
    log.ping(C1, "fail")
    outcome = log.add(C1, e.CheckMoved(Q))
    assert log.world.owed == {}
    assert [each.why for each in outcome.ended] == ["the check was moved to another project"]
    assert list(log.world.bare) == []


def test_where_a_check_cannot_move(log: Log) -> None:
    """To no project, or to one that is full; to where it is, it stays as it is."""
    log.check(C1, channels=())
    log.check(C2, Q)
    before = log.world.checks[C1]
    results = [log.add(C1, e.CheckMoved(project, 1)).result for project in (C3, Q, P)]
    assert results == ["unknown", "full", "done"]
    assert log.world.checks[C1] == before


# --- defaults -----------------------------------------------------------------------------------------------------


def first_ping(log: Log, id: str = C1) -> tuple[str, ...]:
    outcome = log.add(id, e.PingReceived(create=e.NewCheck(P, f"job-{id[-1]}")))
    assert outcome.check is not None
    return outcome.check.spec.channels


def test_defaults_make_first_checks(log: Log) -> None:
    """Only what they set is another; name and slug are the ping's."""
    log.add(P, e.ProjectDefaultsChanged(CheckChanges(grace=60, tags="cron")))
    assert first_ping(log) == (H1,)
    spec = log.world.checks[C1].spec
    assert (spec.name, spec.slug, spec.grace, spec.tags, spec.timeout) == ("job-1", "job-1", 60, "cron", 86_400)


def test_channels_by_default(log: Log) -> None:
    """Those that are chosen; none, if none is wanted; all, if those that were chosen are gone."""
    log.add(P, e.ProjectDefaultsChanged(CheckChanges(channels=(H2,))))
    assert first_ping(log, C1) == (H1,)
    log.add(P, e.ProjectDefaultsChanged(CheckChanges(channels=())))
    assert first_ping(log, C2) == ()
    log.add(P, e.ProjectDefaultsChanged(CheckChanges(channels=(H1,))))
    assert first_ping(log, C3) == (H1,)


# --- projects and keys --------------------------------------------------------------------------------------------


def test_a_project_is_made_once(log: Log) -> None:
    """A second creation finds it, and changes nothing."""
    again = log.add(P, e.ProjectCreated("other", "another"))
    assert (again.result, again.project) == ("exists", log.world.projects[P])
    assert log.world.projects[P].name == "first"


def test_a_ping_key_names_one_project(log: Log) -> None:
    """Whichever had it first. Its own it may have again, and another's once that has a new one."""
    key = log.world.projects[P].ping_key
    taken = log.add(Q, e.PingKeyRotated(key))
    assert (taken.result, taken.id) == ("exists", P)
    assert log.add(P, e.PingKeyRotated(key)).result == "done"
    assert log.world.ping_keys == {key: P, "otherkey": Q}
    log.add(P, e.PingKeyRotated("third"))
    assert log.add(Q, e.PingKeyRotated(key)).result == "done"
    assert log.world.ping_keys == {"third": P, key: Q}


def test_only_an_empty_project_is_deleted(log: Log) -> None:
    """With its keys; its ping key names nothing any more."""
    created(log)
    for what in (log.check(C1).id, log.site(), H1):
        assert log.add(P, e.ProjectDeleted()).result == "exists"
        event = {C1: e.CheckDeleted(), H1: e.ChannelDeleted()}.get(str(what), e.SiteDeleted())
        log.add(what if isinstance(what, str) else what.id, event)
    assert log.add(P, e.ProjectDeleted()).result == "done"
    assert log.add(P, e.ProjectDeleted()).result == "unknown"
    world = log.world
    assert (list(world.projects), list(world.members), world.ping_keys, world.keys) == ([Q], [Q], {"otherkey": Q}, {})
    assert world.keys_by_prefix == {}


def test_keys_are_used_and_retired(log: Log) -> None:
    """Only from the stream that they belong to; a key is found by its prefix as before."""
    created(log)
    log.add(P, e.KeyUsed(KEY), T0 + HOUR)
    log.add(P, e.KeyRetired(KEY, T0 + 2 * HOUR))
    assert log.add(DAEMON, e.KeyUsed(KEY), T0 + 9 * HOUR).result == "unknown"
    key = log.world.keys[KEY]
    assert (key.last_used, key.until) == (T0 + HOUR, T0 + 2 * HOUR)
    assert log.world.keys_by_prefix == {"hcw_abcd": (KEY,)}
    log.add(P, e.KeyRevoked(KEY))
    assert log.add(P, e.KeyUsed(KEY)).result == "unknown"


@given(moves=st.lists(st.tuples(st.sampled_from([C1, C2]), st.sampled_from([P, Q])), max_size=8))
def test_however_checks_move_nobody_is_lost(moves: list[tuple[str, str]]) -> None:
    """Each check is in the project that it was moved to last, and nowhere else; a replay finds the same."""
    log = Log()
    log.add(Q, e.ProjectCreated("second", "otherkey"))
    log.check(C1, slug="a")
    log.check(C2, slug="a")
    where = {C1: P, C2: P}
    for id, project in moves:
        log.add(id, e.CheckMoved(project))
        where[id] = project
    for project in (P, Q):
        members = [id for id in (C1, C2) if where[id] == project]
        assert found(log, project, "a") == (members, members)
    assert state(replayed(log)) == state(log.world)
