"""What apprise is handed of a message: a title, a body in plain text, and which of its types it is.

It cuts and splits for each service what is too long there.
"""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct

from pingmon.wire.message.digest import AnyMessage, Digest, digest_lines, digest_name
from pingmon.wire.message.message import headline, name, text
from pingmon.wire.message.service import ack_url

TITLE_MAX: Final = 200


class AppriseMessage(Struct, frozen=True):
    """`type` is the value of one of apprise's `NotifyType`."""

    title: str
    body: str
    type: Literal["failure", "success"]


def apprise_message(message: AnyMessage, base: str) -> AppriseMessage:
    """What `message` says to people. `base` is the daemon's own URL, for the link that acknowledges an outage."""
    if isinstance(message, Digest):
        new = message.status
        return _message(new.upper(), digest_name(message), "\n".join(digest_lines(message)), up=new == "up")
    flip = message.owed.flip
    what = "TEST" if message.test else headline(message.owed)
    link = ack_url(message, base)
    body = f"{text(message)}\nAcknowledge: {link}" if link else text(message)
    return _message(what, name(message.subject), body, up=flip.new == "up")


def _message(what: str, about: str, body: str, *, up: bool) -> AppriseMessage:
    title = " ".join(f"{what} | {about}".split())
    return AppriseMessage(title[:TITLE_MAX], body, "success" if up else "failure")
