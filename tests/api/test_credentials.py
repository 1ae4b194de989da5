"""API keys are made by chance, kept as salted hashes, and recognised."""

from __future__ import annotations

import os
import re
from itertools import count

import pytest

from pingmon.api.credentials import find_key, key_created, new_id, new_key
from pingmon.core.units import DAEMON
from pingmon.core.world.events import Entry, ProjectCreated, Role
from pingmon.core.world.fold import fold
from pingmon.core.world.world import World
from pingmon.testing import PROJECT


@pytest.mark.parametrize(("role", "mark"), [("rw", "hcw_"), ("ro", "hcr_"), ("operator", "hco_")])
def test_a_key_tells_its_role(role: Role, mark: str) -> None:
    """A key is its role's mark and 28 letters and digits, and no two are the same."""
    keys = {new_key(role, os.urandom) for _ in range(100)}
    assert len(keys) == 100
    assert all(re.fullmatch(f"{mark}[a-zA-Z0-9]{{28}}", key) for key in keys)


def test_every_character_is_as_likely_as_any_other() -> None:
    """Bytes that would favour some characters are thrown away, however many come."""
    numbers = count()
    key = new_key("rw", lambda n: bytes((next(numbers) + 240) % 256 for _ in range(n)))
    assert key == "hcw_" + "23456789" + "abcdefghijklmnopqrst"


def test_a_key_is_found_by_itself_alone() -> None:
    """Keys that begin alike are told apart; a wrong key, or one character more, is none."""
    world = World()
    fold(world, Entry(1, 0, PROJECT, ProjectCreated("p", "k")))
    first, second = "hcw_aaaa" + "b" * 24, "hcw_aaaa" + "c" * 24
    for seq, key in enumerate((first, second), 2):
        fold(world, Entry(seq, 0, PROJECT, key_created(key, "rw", os.urandom, "ci")))
    fold(world, Entry(4, 0, DAEMON, key_created("hco_" + "d" * 28, "operator", os.urandom)))
    found = [find_key(world, key) for key in (first, second)]
    assert [key and (key.project, key.name) for key in found] == [(PROJECT, "ci")] * 2
    assert found[0] != found[1]
    assert find_key(world, first + "x") is None
    assert find_key(world, "hcw_aaaa" + "d" * 24) is None
    assert find_key(world, "é" * 32) is None
    operator = find_key(world, "hco_" + "d" * 28)
    assert operator is not None
    assert operator.project is None


def test_the_log_does_not_hold_the_key() -> None:
    """The event that makes a key holds its first eight characters and nothing else of it; salts differ."""
    key = new_key("ro", os.urandom)
    made = [key_created(key, "ro", os.urandom) for _ in range(2)]
    assert made[0].prefix == key[:8]
    assert key[8:] not in repr(made)
    assert made[0].salt != made[1].salt
    assert made[0].digest != made[1].digest


def test_ids_are_version_4_uuids() -> None:
    """A new id is a random UUID in lower case."""
    assert re.fullmatch("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", new_id(os.urandom))
