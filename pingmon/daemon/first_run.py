"""The first start: a project, and its keys.

The keys are written to the data directory before the log learns their hashes, and the project enters the log last.
So a crash in between leaves keys that the next start makes real, and never a daemon whose keys nobody has. The file
gets its name when the keys work, so whoever waits for it may use them at once.
"""

from __future__ import annotations

from collections.abc import Callable
from shlex import quote

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from pingmon.api.credentials import RandomBytes, find_key, key_created, new_id, new_key, new_ping_key
from pingmon.core.units import DAEMON
from pingmon.core.world.events import ProjectCreated, Role
from pingmon.core.world.world import World
from pingmon.daemon.data_directory import FIRST_RUN, DataDir, DataDirError, FirstRun
from pingmon.monitor import Monitor

log = Logger()


async def first_run(monitor: Monitor, data: DataDir, base_url: str, random_bytes: RandomBytes) -> FirstRun | None:
    """Make the first project and its keys if there is none yet; what was made, or None if this is no first start.

    Raises `DataDirError`, `JournalFull` or `JournalUnavailable`; the next start then tries again.
    """
    made = data.drafted()
    if made is None and monitor.world.projects:
        return None
    if made is not None and made.project in monitor.world.projects:
        data.publish()
        return made
    if made is None:
        made = FirstRun(
            project=new_id(random_bytes),
            ping_key=new_ping_key(random_bytes),
            api_key=new_key("rw", random_bytes),
            api_key_readonly=new_key("ro", random_bytes),
            operator_key=new_key("operator", random_bytes),
            base_url=base_url,
        )
        data.draft(made)
    keys: list[tuple[str, str, Role]] = [
        (made.project, made.api_key, "rw"),
        (made.project, made.api_key_readonly, "ro"),
        (DAEMON, made.operator_key, "operator"),
    ]
    for stream, key, role in keys:
        if find_key(monitor.world, key) is None:
            await monitor.submit(stream, key_created(key, role, random_bytes, "first run"))
    await monitor.submit(made.project, ProjectCreated("My project", made.ping_key))
    data.publish()
    return made


def lost_keys(world: World, data: DataDir) -> str | None:
    """What to tell if no key of the first start opens anything (any more); None if one does.

    Restored from a backup, a journal has nobody's keys, or comes to lie beside those of another journal.
    """
    try:
        made = data.published()
        what = f"there is no {FIRST_RUN}" if made is None else f"no key in {FIRST_RUN} opens anything here"
    except DataDirError as error:
        made, what = None, str(error)
    keys = () if made is None else (made.api_key, made.api_key_readonly, made.operator_key)
    if any(find_key(world, key) for key in keys):
        return None
    return f"{what}. To make new keys: pingmon key create --data {quote(str(data.path))}"


class FirstStart:
    """Makes the first project and its keys before anybody can call, and says how to ping when somebody can.

    `over`: the options with which `curl` reaches a daemon that has no port.
    """

    def __init__(
        self, monitor: Monitor, data: DataDir, base_url: Callable[[], str], over: Callable[[], str], random: RandomBytes
    ) -> None:
        self._monitor = monitor
        self._data = data
        self._base_url = base_url
        self._over = over
        self._random_bytes = random
        self._made: FirstRun | None = None

    def prepare(self) -> Deferred[None]:
        """Errbacks as `first_run` does."""
        making = Deferred.fromCoroutine(first_run(self._monitor, self._data, self._base_url(), self._random_bytes))
        return making.addCallback(self._keep)

    def _keep(self, made: FirstRun | None) -> None:
        self._made = made

    def tell(self) -> None:
        """A line to paste that works; at a later start, what to do if the keys are lost."""
        if self._made is None:
            if hint := lost_keys(self._monitor.world, self._data):
                log.info("{hint}", hint=hint)
        else:
            log.info("first start: the keys are in {path}", path=self._data.first_run)
            url = f"{self._made.base_url}/ping/{self._made.ping_key}/my-first-job?create=1"
            log.info("try it: curl -fsS {over}'{url}'", over=self._over(), url=url)
