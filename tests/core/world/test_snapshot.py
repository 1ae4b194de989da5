"""Saving a world in blocks: whatever changes, fails and is restarted, what is restored is the world."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pingmon.core.check.settings import CheckChanges
from pingmon.core.units import SECOND
from pingmon.core.world import events as e
from pingmon.core.world.snapshot import SHARE, Saver
from pingmon.core.world.snapshot_blocks import Block
from pingmon.core.world.world import World
from tests.core.world.test_world import EVENTS, acted
from tests.core.worlds import H1, H2, T0, Log, P, Saves, state

SIZE = 2
SAVING = st.sampled_from(["save", "save", "fails", "fails but is kept", "restart"])


def many(log: Log, count: int) -> list[str]:
    """Checks that are up."""
    ids = [f"cccccccc-0000-4000-8000-{n:012}" for n in range(count)]
    for id in ids:
        log.check(id, slug=f"job-{id[-4:]}")
        log.ping(id)
    return ids


def json_ids(block: Block) -> list[str]:
    """The ids of the parts in a block."""
    return [part["id"] for part in msgspec.json.decode(block.parts)]


def kept_of(saves: Saves, kind: str) -> list[str]:
    """The ids of all parts of a kind that are saved, as often as they are."""
    return [id for block in saves.blocks if block.kind == kind for id in json_ids(block)]


@settings(max_examples=300)
@given(acts=st.lists(EVENTS | SAVING, max_size=60))
def test_whatever_happens_the_saved_world_is_the_world(acts: list[Any]) -> None:
    """With blocks so small that rounds take several saves; saves that fail, in truth or not; restarts at any moment."""
    log = Log()
    log.channel(H1)
    log.channel(H2)
    saves = Saves(log, SIZE)
    for number, act in enumerate(acts):
        if act == "restart":
            before = log.world
            saves.restart()
            assert state(log.world) == state(before)
        elif isinstance(act, str):
            saves.save(failed=act != "save", kept=act != "fails")
        else:
            stream, what = act
            acted(log, stream, what, T0 + number * SECOND)
        assert state(saves.restored()) == state(log.world)
        numbers = [block.number for block in saves.blocks]
        assert sorted(set(numbers)) == numbers


@settings(max_examples=15)
@given(st.randoms(use_true_random=False), st.integers(1, 40))
def test_a_save_costs_what_has_changed_and_a_start_what_there_is(chance: random.Random, changed: int) -> None:
    """However few or many change each time, and which; the changed alone are written besides the round."""
    log = Log()
    saves = Saves(log, 10)
    ids = many(log, 200)
    saves.save()
    for _ in range(40):
        for id in chance.sample(ids, changed):
            log.ping(id)
        before = {block.number for block in saves.blocks}
        saves.save()
        written = [block for block in saves.blocks if block.number not in before and block.kind == "check"]
        count = sum(len(json_ids(block)) for block in written)
        assert count <= max(10, SHARE * changed) + changed
        assert len(written) <= count / 10 + 2
        assert len(kept_of(saves, "check")) <= len(ids) * (1 + 2 / SHARE) + 2 * (10 + changed)
    assert state(saves.restored()) == state(log.world)


def test_a_world_of_few_parts_is_written_whole_and_lies_there_once() -> None:
    """Also what is gone then leaves nothing, after one more save."""
    log = Log()
    saves = Saves(log)
    ids = many(log, 20)
    for _ in range(3):
        log.ping(ids[0])
        saves.save()
        assert kept_of(saves, "check") == ids
    log.add(ids[0], e.CheckDeleted())
    saves.save()
    assert [block.gone for block in saves.blocks if block.gone != b"[]"] == [msgspec.json.encode(ids[:1])]
    log.ping(ids[1])
    saves.save()
    assert kept_of(saves, "check") == ids[1:]
    assert [block.gone for block in saves.blocks if block.gone != b"[]"] == []


def test_a_round_goes_on_after_a_restart() -> None:
    """However seldom a daemon lives to see the end of one, what is saved does not grow without end."""
    log = Log()
    saves = Saves(log, 10)
    ids = many(log, 200)
    saves.save()
    for n in range(120):
        for id in ids[n % 20 : n % 20 + 3]:
            log.ping(id)
        saves.save()
        saves.restart()
        assert len(kept_of(saves, "check")) < 200 + 2 * 3 * 20 + 20


def test_nothing_has_changed_after_a_restart() -> None:
    """What was restored is saved already."""
    log = Log()
    many(log, 3)
    saves = Saves(log)
    saves.save()
    saves.restart()
    assert log.world.unsaved == 0
    save = saves.saver.save()
    assert (list(save.blocks), save.outdated) == ([], [])


def test_parts_that_could_not_be_saved_are_saved_the_next_time() -> None:
    """A failed save loses nothing."""
    log = Log()
    saver = Saver(log.world)
    log.check()
    first = saver.save()
    blocks = list(first.blocks)
    assert log.world.unsaved == 0
    first.failed()
    again = list(saver.save().blocks)
    assert [(block.kind, block.parts) for block in again] == [(block.kind, block.parts) for block in blocks]
    assert min(block.number for block in again) > max(block.number for block in blocks)


def test_what_is_deleted_after_a_save_that_was_kept_although_it_failed_stays_deleted() -> None:
    """That save wrote it in its round; the next one comes by there again, and finds nothing to write."""
    log = Log()
    saves = Saves(log, SIZE)
    ids = many(log, 12)
    saves.save()
    for failed in (False, True):
        log.ping(ids[0])
        saves.save(failed=failed)
    gone = ids[6]
    assert json_ids(saves.blocks[-2]) == [gone, ids[7]]
    log.add(gone, e.CheckDeleted())
    saves.save()
    assert gone not in saves.restored().checks


def test_a_check_that_was_made_anew_stands_behind_its_namesakes() -> None:
    """Its slug and id were there before, in a block that still is."""
    log = Log()
    saves = Saves(log, SIZE)
    ids = many(log, 12)
    for id in (ids[9], ids[10]):
        log.add(id, e.CheckChanged(CheckChanges(slug="same")))
    saves.save()
    log.add(ids[9], e.CheckDeleted())
    log.check(ids[9], slug="same")
    saves.save()
    assert sum(id == ids[9] for id in kept_of(saves, "check")) == 2
    members = saves.restored().members[P]
    assert [members.checks[born] for born in members.named("same")] == [ids[10], ids[9]]
    assert list(saves.restored().checks)[-1] == ids[9]


def test_of_many_messages_about_one_flip_none_is_lost() -> None:
    """They are of one age, so that a block of them replaces none that may hold others."""
    log = Log()
    channels = tuple(sorted(log.channel(f"{H1[:-2]}{n}") for n in range(10, 19)))
    log.check(channels=channels)
    saves = Saves(log, SIZE)
    log.ping(signal="fail")
    saves.save()
    for channel in channels[:2]:
        (owed,) = log.world.outbox[channel]
        log.add(channel, e.NotificationFailed(owed, 1, "no", log.now + SECOND))
        saves.save()
        assert state(saves.restored()) == state(log.world)
        saves.restart()
    assert len(log.world.owed) == len(channels)


@pytest.mark.parametrize("broken", [("comet", b"[]"), ("check", b'[{"id":1}]'), ("check", b"[")])
def test_what_this_pingmon_does_not_know_is_an_error_and_nothing_is_restored(broken: tuple[str, bytes]) -> None:
    """A newer pingmon may have saved it."""
    log = Log()
    world = World()
    with pytest.raises(ValueError, match=r"comet|Expected `str`|truncated"):
        Saver(world).restore(1, [*Saver(log.world).save().blocks, Block(9, *broken)])
    assert state(world) == state(World())


def test_what_checks_have_in_common_is_kept_once() -> None:
    """A million of them must fit into memory."""
    log = Log()
    log.channel(H1)
    saves = Saves(log)
    for id in ("c1", "c2"):
        log.check(id, name="a", slug="a", tags="prod db", tz="Europe/Berlin", schedule="1 1 * * *", channels=(H1,))
        log.ping(id)
    saves.save()
    world = saves.restored()
    one, other = world.checks.values()
    assert one.project is other.project
    assert one.last_ping is one.last_success is one.since
    assert one.spec.name is one.spec.slug
    for name in ("tags", "tz", "schedule", "channels"):
        assert getattr(one.spec, name) is getattr(other.spec, name)
    assert one == log.world.checks["c1"]


def test_checks_and_messages_come_back_in_the_order_in_which_they_were_made() -> None:
    """Whatever order they were written in: lists and deliveries follow it."""
    log = Log()
    log.channel(H1)
    saves = Saves(log, SIZE)
    ids = many(log, 9)
    saves.save()
    for id in (ids[7], ids[1], ids[4]):
        log.add(id, e.CheckChanged(CheckChanges(channels=(H1,))))
        log.ping(id, "fail")
        saves.save()
    world = saves.restored()
    assert list(world.checks) == list(world.members[P].checks.values()) == ids
    assert list(world.owed) == list(log.world.owed)
