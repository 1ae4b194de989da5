"""What the services that carry messages have in common: chats, push and paging, each spoken to in JSON over HTTP.

A service is a module with two pure functions: `request` makes the request for a message, `read` says what the answer
means. Where a message can be changed, the way up changes the one about the way down, by the receipt that was kept of
it; so nobody has to look for the newest of two. What a service says is never shown, only its status and words of ours.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec
from msgspec import Struct

from pingmon.core.notify.trouble import Trouble
from pingmon.wire.message.digest import AnyMessage, Digest, digest_lines
from pingmon.wire.message.links import Link, url
from pingmon.wire.message.message import text
from pingmon.wire.message.webhook import RETRY_AFTER_MAX_S, retry_after_s
from pingmon.wire.outgoing_request import USER_AGENT, OutgoingRequest, target

ELLIPSIS: Final = "…"


class ServiceAnswer(Struct, frozen=True, gc=False):
    """What an answer means; with no `error` the message was taken, and is called `receipt` where it can be changed.

    `permanent` and `gone` are those of `NotDelivered`. `instead` is the request to make now in the place of this one.
    """

    error: str = ""
    receipt: str = ""
    permanent: bool = False
    gone: bool = False
    instead: OutgoingRequest | None = None


class MessageService(Struct, frozen=True):
    """How a service is spoken to. `request` takes the message and the daemon's own URL; None is nothing to send.

    It raises `Unsendable`. `read` takes the request, the answer's status, and its body, or the begin of a long one.
    `parallel` and `digests` are those of the kind.
    """

    request: Callable[[AnyMessage, str], OutgoingRequest | None]
    read: Callable[[OutgoingRequest, int, bytes], ServiceAnswer]
    parallel: int = 1
    digests: bool = True


def json_request(url: str, said: object, *, method: str = "POST", token: str = "") -> OutgoingRequest:
    """The request that says `said`; `token` is a bearer's. Raises `Unsendable`."""
    address, credentials = target(url)
    headers = {"Content-Type": b"application/json", "User-Agent": USER_AGENT}
    if token:
        headers["Authorization"] = b"Bearer " + token.encode()
    elif credentials is not None:
        headers["Authorization"] = credentials
    return OutgoingRequest(method, address, tuple(headers.items()), msgspec.json.encode(said))


def judged(status: int, *, gone: tuple[int, ...] = (), permanent: tuple[int, ...] = ()) -> ServiceAnswer:
    """What a status means where nothing else counts. 410 is always `gone`."""
    if 200 <= status < 300:
        return ServiceAnswer()
    return ServiceAnswer(f"status {status}", permanent=status in permanent, gone=status == 410 or status in gone)


def object_in(body: bytes) -> dict[str, Any]:
    """The JSON object that `body` is; empty if it is none."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def wait_s(body: bytes, header: bytes | None, now: int) -> float | None:
    """For how many seconds a service asks to be left alone: `retry_after` of its JSON, or the header `Retry-After`."""
    said = object_in(body)
    found = said.get("retry_after", part(said, "parameters").get("retry_after"))
    if isinstance(found, int | float) and found >= 0:  # a NaN is not, and JSON has no infinity
        return min(float(found), RETRY_AFTER_MAX_S)
    return retry_after_s(header, now)


def part(said: dict[str, Any], name: str) -> dict[str, Any]:
    """The object that `said` has by that name; empty if it has none."""
    found = said.get(name)
    return found if isinstance(found, dict) else {}


def cut(text: str, most: int) -> str:
    """`text`, or its begin with an ellipsis, in no more than `most` bytes of UTF-8.

    Services count bytes, UTF-16 or characters, and often do not say which. Bytes are never fewer than the others.
    """
    encoded = text.encode("utf-8", "replace")
    if len(encoded) > most:
        encoded = encoded[: most - len(ELLIPSIS.encode())] + ELLIPSIS.encode()
    return encoded.decode("utf-8", "ignore")


def is_down(message: AnyMessage) -> bool:
    """Whether it is bad news."""
    return (message.status if isinstance(message, Digest) else message.owed.flip.new) == "down"


def words(message: AnyMessage, most: int) -> str:
    """What it says, in no more than `most` bytes of UTF-8; a digest in several lines."""
    return cut("\n".join(digest_lines(message)) if isinstance(message, Digest) else text(message), most)


def receipt_of(message: AnyMessage) -> str:
    """What the service calls the message that this one changes; empty if it changes none."""
    return "" if isinstance(message, Digest) else message.owed.receipt


def ack_url(message: AnyMessage, base: str) -> str:
    """Where somebody says that he sees to the outage; empty if the message is not of one."""
    if isinstance(message, Digest) or message.test or isinstance(message.subject, Trouble):
        return ""
    if not is_down(message) or not message.channel.secret:
        return ""
    link = Link("ack", message.channel.id, message.subject.id, message.owed.flip.seq)
    return url(base, link, message.channel.secret)
