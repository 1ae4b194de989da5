"""The management API as commands ask it: JSON in, JSON out, and every trouble one line that says what to do.

It brings no Twisted, and knows no check or site.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from threading import Event
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import click

from pingmon import __version__
from pingmon.cli.tables import printable

NO_PINGMON: Final = "this is no pingmon, or --url is not right"
ANSWER_S: Final = 60.0
"""How long an answer may take. To probe a site may take as long as its verifiers."""
BUSY_TRIES: Final = 5
BUSY_WAIT_S: Final = 30
"""How often, and how long at most, a command waits when it is told to come back later (429)."""
REPEATABLE: Final = ("GET", "DELETE")
"""What may be asked again if nobody knows whether it was heard."""


class Unreachable(click.ClickException):
    """The daemon does not answer, or cannot do its work now: the same command may succeed later."""

    exit_code = 3


class NotThere(click.ClickException):
    """What was asked for does not exist."""


class NotAllowed(click.ClickException):
    """The key is missing, wrong, or may not do this."""

    exit_code = 4


class ApiClient:
    """Asks questions on one connection, each answered within `wait_s` seconds. `sent`: headers of each request."""

    key_hint = "set PINGMON_KEY or --key"
    stopped = False
    """Whether no daemon runs, and its journal answers."""

    def __init__(
        self, connection: HTTPConnection, *, sent: Mapping[str, str], prefix: str = "", wait_s: float = ANSWER_S
    ) -> None:
        self._connection = connection
        self._wait_s = wait_s
        self._prefix = prefix
        self.sent = {"User-Agent": f"pingmon/{__version__}", **sent}
        self.now = 0.0
        """The daemon's time at its last answer, in seconds since the epoch."""

    def ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None = None,
        *,
        query: Mapping[str, object] | None = None,
    ) -> Any:
        """The answer to a request to `/api/v3/<path>`, decoded. `ClickException` with one line if it is an error."""
        for name, text in (body or {}).items():
            if isinstance(text, str) and text.encode("utf-8", "replace").decode() != text:
                raise click.ClickException(f"{name} is not UTF-8")
        if asked := urlencode(query or {}, doseq=True):
            path += f"?{asked}"
        for tried in range(BUSY_TRIES):
            status, raw, retry_after = self._answered(method, f"/api/v3/{path}", None if body is None else dict(body))
            if status != 429 or tried == BUSY_TRIES - 1:
                break
            Event().wait(min(float(retry_after) if retry_after.isdecimal() else 1.0, BUSY_WAIT_S))
        return self._decoded(status, raw)

    def request(self, method: str, path: str, body: Mapping[str, object] | None = None) -> tuple[int, bytes]:
        """Status and body of the answer to a request to `/api/v3/<path>`. OSError or HTTPException if there is none."""
        status, raw, _ = self._exchange(method, f"/api/v3/{path}", None if body is None else json.dumps(body).encode())
        return status, raw

    def ping(self, path: str, body: bytes) -> None:
        """Send a ping to `/ping/<path>`. `ClickException` with one line if it was not taken."""
        status, raw, _ = self._answered("POST", f"/ping/{path}", body)
        said = printable(raw.decode("utf-8", "replace")[:100])
        if status >= 500:
            raise Unreachable(f"the daemon cannot take pings now: {status} {said}")
        if status >= 400:
            raise click.ClickException(said)

    def must_run(self) -> None:
        """`ClickException` if no daemon runs, for what makes no sense then."""
        if self.stopped:
            raise Unreachable("the daemon is stopped, so nothing is watched")

    def lost(self, error: Exception) -> click.ClickException:
        """What to say when no answer came."""
        where = f"{self._connection.host}:{self._connection.port}"
        return Unreachable(f"no answer from {where}: {error or type(error).__name__}; does pingmon run there?")

    def unable(self, answer: str) -> click.ClickException:
        """What to say when the daemon can do nothing now."""
        return Unreachable(f"the daemon cannot do it now ({answer}); try again, or see pingmon status")

    def _answered(self, method: str, path: str, body: Any) -> tuple[int, bytes, str]:
        try:
            return self._exchange(method, path, json.dumps(body).encode() if isinstance(body, dict) else body)
        except TimeoutError:
            raise Unreachable(f"no answer within {self._wait_s:.0f} s; is the daemon's disk well?") from None
        except (OSError, HTTPException, UnicodeError) as error:
            raise self.lost(error) from error

    def _exchange(self, method: str, path: str, body: bytes | None) -> tuple[int, bytes, str]:
        try:
            return self._asked_once(method, path, body)
        except (ConnectionError, HTTPException):
            if method not in REPEATABLE or not self._reopened():
                raise
            return self._asked_once(method, path, body)

    def _reopened(self) -> bool:
        """Whether it makes sense to ask again: a connection that was kept may have ended since the last answer."""
        self._connection.close()
        return self.now > 0

    def _asked_once(self, method: str, path: str, body: bytes | None) -> tuple[int, bytes, str]:
        self._connection.request(method, self._prefix + path, body, self.sent)
        response: HTTPResponse = self._connection.getresponse()
        date = response.getheader("Date")
        self.now = parsedate_to_datetime(date).timestamp() if date else self.now
        return response.status, response.read(), response.getheader("Retry-After") or ""

    def _decoded(self, status: int, raw: bytes) -> Any:
        try:
            answer = json.loads(raw)
            error = _error_text(answer) if status >= 400 else ""
        except (ValueError, KeyError, TypeError):
            why = "; its log may say why" if status >= 500 else f": {NO_PINGMON}"
            answer, error = None, f"the daemon answered {status} without a reason{why}"
        if status in (401, 403) and error in ("wrong api key", "missing api key"):
            if error == "missing api key" and "X-Api-Key" in self.sent:
                error = "what was given is no api key, which has 32 characters"
            raise NotAllowed(f"{error}: {self.key_hint}")
        if status == 503:
            raise self.unable(error)
        if status >= 500 or status == 429:
            raise Unreachable(error)
        if status == 404:
            raise NotThere(error)
        if status >= 300 or answer is None:
            raise click.ClickException(error or f"{status}: {NO_PINGMON}")
        return answer


def _error_text(answer: Any) -> str:
    """What a refused request is told, and why, if the answer says so."""
    error = str(answer["error"]).removeprefix("json validation error: ")
    return printable(f"{error}: {answer['why']}" if "why" in answer else error)


def remote_daemon(url: str, key: str) -> ApiClient:
    """The daemon at `url`, asked with `key`; none is shown if that is empty. Nothing is connected yet."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or parts.scheme not in ("http", "https"):
        raise click.UsageError(f"{url} is no http or https URL (--url, PINGMON_URL)")
    if not key.isascii() or not key.isprintable():
        raise click.UsageError("the key has characters that no key has")
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(host, port, timeout=ANSWER_S)
    prefix = re.sub("/api/v[0-9]+$", "", parts.path.rstrip("/"))  # for those who know the API's own address
    return ApiClient(connection, sent={"X-Api-Key": key} if key else {}, prefix=prefix)
