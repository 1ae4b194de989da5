"""Cookies as far as redirects need them: kept while one look lasts, and sent back to the host that gave them.

Some sites send every visitor back to where he came from with a cookie, and answer when he brings it. So whoever follows
redirects without cookies goes round in a circle. The number and size of cookies are bounded, because a stranger sets
them. They are shown nowhere, because they may name a session. Source: RFC 6265; `Domain` and `Path` are passed over, so
that no host learns what another has set.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from email.utils import parsedate_to_datetime
from typing import Final

from pingmon.core.units import SECOND

COOKIES_MAX: Final = 20
"""Cookies that are kept, of all hosts; the oldest are forgotten first."""
COOKIE_MAX: Final = 4096
"""Characters of one cookie, name and value."""

_PAIR: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+=[\x20-\x3a\x3c-\x7e]*")


class Cookies:
    """The cookies of one look."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], tuple[str, bool]] = {}

    def __repr__(self) -> str:
        return f"<{len(self._kept)} cookies>"

    def take(self, host: str, given: Iterable[str], now: int) -> None:
        """Keep what `host` gave (values of `Set-Cookie`); `now`: microseconds since the epoch.

        One that has run out removes the one of its name. What is no cookie is passed over.
        """
        for text in given:
            pair, *attributes = (part.strip(" \t") for part in text.split(";"))
            if len(pair) > COOKIE_MAX or not _PAIR.fullmatch(pair):
                continue
            said = {
                name.strip().lower(): value.strip() for name, _, value in (each.partition("=") for each in attributes)
            }
            key = host, pair.partition("=")[0]
            self._kept.pop(key, None)
            if not _over(said, now):
                self._kept[key] = pair, "secure" in said
        while len(self._kept) > COOKIES_MAX:
            del self._kept[next(iter(self._kept))]

    def header(self, host: str, *, secure: bool) -> str:
        """The value of `Cookie` for a request to `host`, over TLS or not; "" if there is nothing to send."""
        kept = ((owner, *cookie) for (owner, _), cookie in self._kept.items())
        return "; ".join(pair for owner, pair, only_secure in kept if owner == host and (secure or not only_secure))


def _over(said: dict[str, str], now: int) -> bool:
    age = said.get("max-age", "")
    if re.fullmatch(r"-?[0-9]{1,12}", age):
        return int(age) <= 0
    try:
        return parsedate_to_datetime(said.get("expires", "")).timestamp() * SECOND <= now
    except (ValueError, OverflowError, TypeError):
        return False
