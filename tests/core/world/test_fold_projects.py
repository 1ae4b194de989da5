"""Projects and keys in the fold: what opens something, and what does no more."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pingmon.core.units import DAEMON
from pingmon.core.world import events as e
from pingmon.core.world.world import World
from tests.core.worlds import Log, P, Q, Saves, replayed, state


@pytest.fixture
def log() -> Log:
    return Log()


def key(id: str, prefix: str = "hcw_abcd", role: e.Role = "rw") -> e.KeyCreated:
    return e.KeyCreated(id, role, prefix, "salt", "digest")


def test_a_project_can_be_renamed(log: Log) -> None:
    """And keeps all else."""
    before = log.world.projects[P]
    after = log.add(P, e.ProjectRenamed("second")).project
    assert after is log.world.projects[P]
    assert (after.name, after.ping_key, after.born) == ("second", before.ping_key, before.born)


def test_a_ping_key_that_was_rotated_names_nothing(log: Log) -> None:
    """The new one names the project from the same entry on."""
    assert log.world.ping_keys == {"pingkey": P}
    log.add(P, e.PingKeyRotated("new"))
    assert log.world.ping_keys == {"new": P}
    assert log.world.projects[P].ping_key == "new"


def test_a_revoked_key_is_not_found(log: Log) -> None:
    """Its namesakes by prefix are."""
    log.add(P, key("k1"))
    log.add(P, key("k2"))
    assert log.add(P, e.KeyRevoked("k1")).result == "done"
    assert log.world.keys_by_prefix == {"hcw_abcd": ("k2",)}
    assert set(log.world.keys) == {"k2"}
    log.add(P, e.KeyRevoked("k2"))
    assert (log.world.keys_by_prefix, log.world.keys) == ({}, {})


def test_what_is_not_there_cannot_be_changed(log: Log) -> None:
    """Nor a key in the name of another project, nor a project or a key made twice."""
    log.add(P, key("k1"))
    for stream, event in (
        (Q, e.ProjectRenamed("x")),
        (Q, e.PingKeyRotated("x")),
        (P, e.KeyRevoked("k2")),
        (Q, e.KeyRevoked("k1")),
        (DAEMON, e.KeyRevoked("k1")),
    ):
        assert log.add(stream, event).result == "unknown"
    assert log.add(P, key("k1", "hcw_efgh")).result == "exists"
    assert log.add(P, e.ProjectCreated("again", "x")).result == "exists"
    assert state(log.world) == state(replayed(log))
    assert (log.world.projects[P].name, log.world.ping_keys) == ("first", {"pingkey": P})
    assert log.world.keys_by_prefix == {"hcw_abcd": ("k1",)}


PROJECTS = st.sampled_from([P, Q])
KEYS = st.sampled_from(["k1", "k2", "k3"])
STREAMS = st.sampled_from([P, Q, DAEMON])
EVENTS = st.one_of(
    st.tuples(PROJECTS, st.sampled_from(["create", "rotate"])),
    st.tuples(PROJECTS, st.builds(e.ProjectRenamed, st.sampled_from(["a", "b"]))),
    st.tuples(STREAMS, st.builds(e.KeyRevoked, KEYS)),
    st.tuples(PROJECTS, st.builds(key, KEYS, st.sampled_from(["hcw_abcd", "hcw_efgh"]))),
    st.tuples(st.just(DAEMON), st.builds(key, KEYS, st.just("hco_abcd"), st.just("operator"))),
)


def consistent(world: World) -> None:
    """Each project is found by its ping key and each key by its prefix, and nothing else is found."""
    assert world.ping_keys == {project.ping_key: id for id, project in world.projects.items()}
    assert set(world.members) == set(world.projects)
    listed = [(prefix, id) for prefix, ids in world.keys_by_prefix.items() for id in ids]
    assert sorted(listed) == sorted((key.prefix, key.id) for key in world.keys.values())


@settings(max_examples=150)
@given(acts=st.lists(EVENTS, max_size=40), save_at=st.integers(0, 40))
def test_whatever_happens_names_and_keys_lead_to_what_is_there(acts: list[tuple[str, Any]], save_at: int) -> None:
    """Also after a restart from a snapshot, and after a replay of the whole log."""
    log = Log()
    saves = Saves(log)
    for number, (stream, act) in enumerate(acts):
        if act == "create":
            act = e.ProjectCreated("new", f"ping{number}")
        elif act == "rotate":
            act = e.PingKeyRotated(f"ping{number}")
        log.add(stream, act)
        consistent(log.world)
        if number in (save_at, save_at // 2):
            saves.save()
    assert state(replayed(log)) == state(log.world)
    assert state(saves.restored()) == state(log.world)
