"""Links in messages. Whoever follows one shows that the message was sent to him, and needs no key.

    /links/<what>/<channel>/<token>                       confirm, unsubscribe: about the channel itself
    /links/<what>/<channel>/<subject>/<entry>/<token>     ack: about an outage, by the entry of the flip it began with

The token signs all before it with the channel's secret: a link holds as long as the secret does, and is of use for
nothing else. Programs that read mail follow links too, so to open one changes nothing: its page has a button.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256
from hmac import compare_digest
from hmac import new as hmac
from typing import Final, Literal, TypeAlias, cast

from msgspec import Struct

from pingmon.core.notify.channel import Channel
from pingmon.core.units import Id

What: TypeAlias = Literal["ack", "confirm", "unsubscribe"]

PREFIX: Final = "links"
TOKEN_BYTES: Final = 15

_PATH: Final = re.compile(
    rf"/{PREFIX}/(?:(?P<plain>confirm|unsubscribe)/(?P<channel>[0-9a-f-]{{36}})"
    rf"|ack/(?P<told>[0-9a-f-]{{36}})/(?P<subject>[0-9a-z-]{{1,64}})/(?P<entry>[0-9]{{1,18}}))"
    rf"/(?P<token>[A-Za-z0-9_-]{{{TOKEN_BYTES * 4 // 3}}})"
)


class Link(Struct, frozen=True):
    """What a link is about. `subject` and `entry` are those of an outage, and empty with any other link."""

    what: What
    channel: Id
    subject: Id = ""
    entry: int = 0

    @property
    def path(self) -> str:
        """What its token signs."""
        about = f"/{self.subject}/{self.entry}" if self.what == "ack" else ""
        return f"/{PREFIX}/{self.what}/{self.channel}{about}"


def url(base: str, link: Link, secret: str) -> str:
    """The link below the daemon's own URL, signed with the channel's `secret`."""
    return f"{base}{link.path}/{_token(link, secret)}"


def followed(path: str, channel: Callable[[Id], Channel | None], now: int) -> Link | None:
    """The link that `path` is, if a secret that its channel has at `now` (microseconds since the epoch) signed it."""
    found = _PATH.fullmatch(path)
    if found is None:
        return None
    if found["plain"]:
        link = Link(cast(What, found["plain"]), found["channel"])
    else:
        link = Link("ack", found["told"], found["subject"], int(found["entry"]))
    known = channel(link.channel)
    if known is None or not any(compare_digest(found["token"], _token(link, each)) for each in known.secrets(now)):
        return None
    return link


def _token(link: Link, secret: str) -> str:
    return urlsafe_b64encode(hmac(secret.encode(), link.path.encode(), sha256).digest()[:TOKEN_BYTES]).decode()
