"""The pings of a job: sent in a thread beside it, in order, and tried again for a bounded time.

A daemon that is down must keep no job from running: nothing here raises, and nobody waits longer than was said. Source
of the rules: the pinging API; 408, 429 and 5xx are worth another try, as is a network that fails, and nothing else is.
"""

from __future__ import annotations

import re
from queue import SimpleQueue
from threading import Event, Thread
from time import monotonic
from typing import Final, NamedTuple

from pingmon import __version__

FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 8.0
ATTEMPT_S: Final = 10.0
"""How long one attempt may wait for anything to come."""
LAST_ATTEMPT_S: Final = 1.0
"""What an attempt may wait at least, though the time is nearly over."""
BODY_LIMIT: Final = 10_000
"""What a daemon keeps of a body, unless its answers say something else."""
WORTH_ANOTHER_TRY: Final = frozenset({408, 429})

_UUID: Final = re.compile("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class BadTarget(ValueError):
    """Where pings should go is not clear; the message is one line that says what to do."""


class PingTarget(NamedTuple):
    """A ping URL, taken apart: a path without the signal at its end, and the query without the run."""

    secure: bool
    host: str
    port: int | None
    path: str
    query: str


def ping_url(check: str, base: str, ping_key: str) -> str:
    """The ping URL of `check`, which is one, a UUID or a slug. `BadTarget` for a slug without a ping key."""
    if check.startswith(("http://", "https://")):
        return check
    if _UUID.fullmatch(check):
        return f"{base.rstrip('/')}/ping/{check}"
    if not ping_key:
        raise BadTarget(f"{check} is a slug, which needs the project's ping key: set PINGMON_PING_KEY")
    return f"{base.rstrip('/')}/ping/{ping_key}/{check}"


def target_of(url: str, *, create: bool = False) -> PingTarget:
    """Where pings to `url` go. `BadTarget` if it is no URL."""
    from urllib.parse import quote, urlsplit

    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or parts.scheme not in ("http", "https"):
        raise BadTarget(f"{url.partition('/ping/')[0]} is no http or https URL")  # cron mails it: without the ping key
    query = "&".join([*filter(None, [parts.query]), *(["create=1"] if create else [])])
    path = quote(parts.path.rstrip("/"), safe="/%", errors="replace")
    return PingTarget(parts.scheme == "https", host, port, path, query)


class Refused(Exception):
    """The daemon did not take a ping; `wait_s` is None if there is no sense in another try."""

    def __init__(self, why: str, wait_s: float | None = None) -> None:
        super().__init__(why)
        self.wait_s = wait_s


class JobPings:
    """Sends the pings of one run. Each is tried for `retry_s` seconds, and `finish` takes hardly longer.

    Pauses between tries begin with `pause_s` seconds, and each is twice the one before.
    """

    def __init__(self, url: str, *, create: bool, retry_s: float, pause_s: float = FIRST_PAUSE_S) -> None:
        self._url = url
        self._create = create
        self._retry_s = retry_s
        self._pause_s = pause_s
        self._body_limit = BODY_LIMIT
        self._waiting: SimpleQueue[tuple[str, bytes] | None] = SimpleQueue()
        self._ending = Event()
        self._end = float("inf")
        self._trouble: str | None = None
        self._thread = Thread(target=self._send_all, name="pings", daemon=True)
        self._thread.start()

    def start(self) -> None:
        """Tell that the job starts. Returns at once."""
        self._waiting.put(("start", b""))

    def finish(self, status: int, output: bytes) -> str | None:
        """Tell how the job ended; None when that was taken, else why not, in one line.

        What was not sent until now is given up for it.
        """
        self._end = monotonic() + self._retry_s
        self._trouble = f"no answer within {self._retry_s:g} s"
        self._waiting.put((str(status), output))
        self._waiting.put(None)
        self._ending.set()
        self._thread.join(self._retry_s + LAST_ATTEMPT_S)
        return self._trouble

    def _send_all(self) -> None:
        from uuid import uuid4

        rid = str(uuid4())
        try:
            target = target_of(self._url, create=self._create)
            while (ping := self._waiting.get()) is not None:
                self._trouble = self._sent(target, rid, *ping)
        except BadTarget as error:
            self._ending.wait()
            self._trouble = str(error)

    def _sent(self, target: PingTarget, rid: str, signal: str, body: bytes) -> str | None:
        """Try until it was taken or there is no more time; why it was not, if so."""
        ends = signal != "start"
        until, pause_s = monotonic() + self._retry_s, self._pause_s
        while True:
            try:
                self._attempt(target, rid, signal, body[-self._body_limit :] if self._body_limit else b"")
            except Refused as error:
                if error.wait_s is None:
                    return str(error)
                why, wait_s = str(error), max(pause_s, error.wait_s)
            else:
                return None
            if ends:
                until = self._end
            if monotonic() + wait_s > until:
                return why
            if ends:
                Event().wait(wait_s)
            elif self._ending.wait(wait_s):
                return why
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _attempt(self, target: PingTarget, rid: str, signal: str, body: bytes) -> None:
        from http.client import HTTPConnection, HTTPException, HTTPSConnection

        wait_s = max(LAST_ATTEMPT_S, min(ATTEMPT_S, self._end - monotonic()))
        opened = (HTTPSConnection if target.secure else HTTPConnection)(target.host, target.port, timeout=wait_s)
        query = "&".join(filter(None, [target.query, f"rid={rid}"]))
        headers = {"User-Agent": f"pingmon-run/{__version__}", "Content-Type": "text/plain"}
        try:
            opened.request("POST", f"{target.path}/{signal}?{query}", body, headers)
            answer = opened.getresponse()
            text = answer.read(200).decode("utf-8", "replace")
        except ValueError as error:  # a certificate that is not believed, a name that cannot be one
            raise Refused(str(error)) from error
        except (OSError, HTTPException) as error:
            raise Refused(f"{target.host}: {error or type(error).__name__}", 0.0) from error
        finally:
            opened.close()
        if limit := answer.headers.get("Ping-Body-Limit", ""):
            self._body_limit = int(limit) if limit.isdecimal() else BODY_LIMIT
        if 200 <= answer.status < 300:
            return
        why = f"{target.host} answered {answer.status} {text.partition(chr(10))[0]}".rstrip()
        if answer.status in WORTH_ANOTHER_TRY or answer.status >= 500:
            after = answer.headers.get("Retry-After", "")
            raise Refused(why, float(after) if after.isdecimal() else 0.0)
        if 300 <= answer.status < 400:
            why += f"; the URL may be {answer.headers.get('Location', 'another')}"
        raise Refused(why)
