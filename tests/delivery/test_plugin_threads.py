"""Tests of `pingmon.delivery.plugin_threads`."""

from __future__ import annotations

from threading import Event, current_thread
from typing import Any, cast

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred

from pingmon.delivery.plugin_threads import Hanging, PluginThreads
from tests.delivery.receiver import until

pytestmark = pytest.mark.usefixtures("nothing_left")


class Hook:
    """Work that hangs until it is let go."""

    def __init__(self) -> None:
        self.begun, self.released = Event(), Event()

    def __call__(self) -> str:
        self.begun.set()
        self.released.wait(10)
        return "done"

    def run(self, threads: PluginThreads, channel: str) -> Deferred[str]:
        return Deferred.fromCoroutine(threads.run(channel, self))


def threads(most: int) -> PluginThreads:
    return PluginThreads(cast(Any, reactor), most)


async def abandoned(running: Deferred[str]) -> None:
    """Nobody waits for it any more."""
    running.cancel()
    with pytest.raises(CancelledError):
        await running


@pytest_twisted.ensureDeferred
async def test_work_is_done_on_a_daemon_thread_and_its_errors_come_back() -> None:
    pool = threads(1)
    assert await pool.run("a", lambda: current_thread().daemon) is True
    with pytest.raises(ZeroDivisionError):
        await pool.run("a", lambda: 1 // 0)
    assert await pool.run("a", lambda: 3) == 3


@pytest_twisted.ensureDeferred
async def test_no_more_runs_at_once_than_there_are_threads() -> None:
    pool, first, second = threads(1), Hook(), Hook()
    one, two, given_up = first.run(pool, "a"), second.run(pool, "b"), Hook().run(pool, "c")
    await until(first.begun.is_set)
    await abandoned(given_up)
    assert not second.begun.is_set()
    first.released.set()
    second.released.set()
    assert (await one, await two) == ("done", "done")


@pytest_twisted.ensureDeferred
async def test_a_channel_whose_work_hangs_gets_no_second_thread() -> None:
    """Others are served; and it is, when the work has ended after all."""
    pool, hook = threads(2), Hook()
    hanging = hook.run(pool, "a")
    await until(hook.begun.is_set)
    await abandoned(hanging)
    with pytest.raises(Hanging, match="an earlier message to this channel hangs still"):
        await pool.run("a", str)
    assert await pool.run("b", lambda: 1) == 1
    hook.released.set()
    await until(lambda: not pool.hanging)
    assert await pool.run("a", lambda: 2) == 2


@pytest_twisted.ensureDeferred
async def test_when_all_threads_hang_everyone_is_told_so_at_once() -> None:
    """Those who wait already, too; and when one is free again, work is done again."""
    pool, hooks = threads(2), [Hook(), Hook()]
    running = [hook.run(pool, name) for hook, name in zip(hooks, "ab", strict=True)]
    waiting = Hook().run(pool, "c")
    for hook in hooks:
        await until(hook.begun.is_set)
    for each in running:
        await abandoned(each)
    for refused in (waiting, Deferred.fromCoroutine(pool.run("d", str))):
        with pytest.raises(Hanging, match="all 2 threads for plug-ins hang"):
            await refused
    hooks[0].released.set()
    await until(lambda: pool.hanging == 1)
    assert await pool.run("d", lambda: 4) == 4
    hooks[1].released.set()
    await until(lambda: not pool.hanging)
