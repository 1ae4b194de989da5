"""The pages behind the links in messages (`wire.message.links`): whoever holds one may do what it says, without a key.

    GET, HEAD   a page that says what the link does, with a button: programs that read mail open links too
    POST        does it, whatever is sent along, and says so. Mail programs that offer to unsubscribe do this (RFC 8058)

What a link does is in `ACTIONS`, one line each. Nothing is kept in the browser, nothing is loaded, nothing is told to
where one goes next.
"""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from http import HTTPStatus
from typing import Final

from msgspec import Struct
from twisted.internet.defer import Deferred
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from pingmon.core.notify.channel import Channel
from pingmon.core.notify.outage import is_acknowledgeable
from pingmon.core.units import Id
from pingmon.core.world.events import AnyEvent, ChannelConfirmed, ChannelUnsubscribed, OutageAcknowledged
from pingmon.door.plain_answer import PlainAnswer
from pingmon.door.request import Request
from pingmon.journal import JournalFull, JournalUnavailable
from pingmon.monitor import Monitor
from pingmon.wire.message.links import Link, What, followed
from pingmon.wire.message.message import name

METHODS: Final = b"GET, HEAD, POST, OPTIONS"
ALONE: Final = (
    (
        b"Content-Security-Policy",
        b"default-src 'none'; img-src data:; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; "
        b"base-uri 'none'",
    ),
    (b"Referrer-Policy", b"no-referrer"),
    (b"X-Robots-Tag", b"noindex"),
)
PAGE: Final = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>pingmon: {title}</title>
<link rel="icon" href="data:,">
<style>
body {{ font: 1rem/1.5 sans-serif; margin: 15vh auto; max-width: 32rem; padding: 0 1rem; color: #202124 }}
button {{ font: inherit; padding: .6rem 1.2rem; border: 0; border-radius: 4px; background: #1a56db; color: #fff }}
</style>
</head>
<body>
<h1>{title}</h1>
<p>{text}</p>
{form}</body>
</html>
"""
FORM: Final = '<form method="post"><button>{button}</button></form>\n'
NOT_HERE: Final = "This link is not valid, or not any more."
OVER: Final = "{subject} is not down any more, or that was another time."
NOT_NOW: Final = "pingmon cannot write this down at the moment. Please try again in a minute."


class Action(Struct, frozen=True):
    """What a link does: the event it makes, on which stream, and the words before and after it.

    `{channel}` is filled in with who is told, `{subject}` with what the outage is of.
    """

    event: Callable[[Link, str], AnyEvent]
    """Of a link, and of who is told."""
    stream: Callable[[Link], Id]
    title: str
    text: str
    button: str
    done: str


def _of_channel(link: Link) -> Id:
    return link.channel


ACTIONS: Final[dict[What, Action]] = {
    "confirm": Action(
        event=lambda link, who: ChannelConfirmed(),
        stream=_of_channel,
        title="Do you want alerts?",
        text="pingmon is to send alerts to {channel}.",
        button="Yes, send them",
        done="Alerts are sent to {channel} from now on. Each has a link with which to end that.",
    ),
    "unsubscribe": Action(
        event=lambda link, who: ChannelUnsubscribed(),
        stream=_of_channel,
        title="No more alerts?",
        text="pingmon sends alerts to {channel}.",
        button="Send no more",
        done="No more alerts are sent to {channel}.",
    ),
    "ack": Action(
        event=lambda link, who: OutageAcknowledged(who, link.entry),
        stream=lambda link: link.subject,
        title="Do you see to it?",
        text="{subject} is down. If you see to it, nobody is reminded any more, and nobody else is called.",
        button="Yes, I see to it",
        done="Nobody is reminded of {subject} any more. Who was told of it will hear when it is back.",
    ),
}


class Links(Resource):
    """The resource of `/links`."""

    isLeaf = True

    def __init__(self, monitor: Monitor) -> None:
        super().__init__()
        self._monitor = monitor

    def render(self, request: Request) -> int:
        """Called by Twisted."""
        if request.method == b"OPTIONS":
            request.answer(PlainAnswer(HTTPStatus.NO_CONTENT, "", (b"Allow", METHODS)))
        elif request.method not in (b"GET", b"HEAD", b"POST"):
            request.answer(PlainAnswer(HTTPStatus.METHOD_NOT_ALLOWED, "method not allowed", (b"Allow", METHODS)))
        else:
            link = self._followed(request.path)
            answered = Deferred.fromCoroutine(self._answer(link, act=request.method == b"POST"))
            answered.addCallbacks(request.answer, request.failed)
        return NOT_DONE_YET

    def _followed(self, path: bytes) -> Link | None:
        return followed(path.decode("latin-1"), self._monitor.world.channels.get, self._monitor.now())

    async def _answer(self, link: Link | None, *, act: bool) -> PlainAnswer:
        action = None if link is None else ACTIONS.get(link.what)
        if link is None or action is None:
            return _page(HTTPStatus.NOT_FOUND, "Nothing here", NOT_HERE)
        world, channel = self._monitor.world, _told(self._monitor.world.channels[link.channel])
        outage = world.known(link.subject)
        if link.what == "ack" and (outage is None or not is_acknowledgeable(outage, link.entry)):
            return _page(HTTPStatus.OK, "It is over", OVER.format(subject="It" if outage is None else name(outage)))
        filled = {"channel": channel, "subject": "" if outage is None else name(outage)}
        if not act:
            return _page(HTTPStatus.OK, action.title, action.text.format(**filled), action.button)
        try:
            await self._monitor.submit(action.stream(link), action.event(link, channel))
        except (JournalFull, JournalUnavailable):
            return _page(HTTPStatus.SERVICE_UNAVAILABLE, "Not now", NOT_NOW, "Try again")
        return _page(HTTPStatus.OK, "Done", action.done.format(**filled))


def _told(channel: Channel) -> str:
    """Who is told by the channel, for whoever holds a link of it."""
    return str(channel.value.get("email") or channel.name or channel.kind)


def _page(status: HTTPStatus, title: str, text: str, button: str = "") -> PlainAnswer:
    form = FORM.format(button=escape(button)) if button else ""
    page = PAGE.format(title=escape(title), text=escape(text), form=form)
    return PlainAnswer(status, page, *ALONE, kind=b"text/html; charset=utf-8")
