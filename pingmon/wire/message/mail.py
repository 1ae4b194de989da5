"""The mail that an email channel makes of a message: plain text and HTML, in seven bits.

    Subject                     DOWN, STILL DOWN, UP or ENDED | name; of pingmon itself TROUBLE or OVER
    Message-ID                  the message's id: the same in every attempt
    References, In-Reply-To     a name that all mails about one check or site share, so that programs show them as one
                                conversation; and the mail about the way down, once it was taken
    List-Unsubscribe            the signed link; with List-Unsubscribe-Post one click of a program will do (RFC 8058)
    Auto-Submitted              auto-generated: no program answers it (RFC 3834)

Names come from users, and some from whoever may ping: what stands in a header has no line breaks and nothing that
cannot be seen. `Date` is that of the attempt, so that a mail that came late does not sink below others.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime, parseaddr
from html import escape
from typing import Any, Final

from msgspec import Struct

from pingmon.core.check.check import Check
from pingmon.core.notify.channel import Channel
from pingmon.core.notify.trouble import Trouble
from pingmon.core.units import SECOND
from pingmon.wire.message.digest import AnyMessage, Digest, digest_lines, digest_name
from pingmon.wire.message.links import Link, url
from pingmon.wire.message.message import Letter, headline, kind, name, printable, sentences, why_of
from pingmon.wire.outgoing_request import Unsendable
from pingmon.wire.time_texts import duration_text, moment_text

TAIL: Final = 10_000
"""Characters of a ping's body that are quoted, from its end: that is where errors stand."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_BOUNDARY: Final = "=_pingmon"
"""Between the parts. `=` is written `=3D` in each of them, so it can stand in none."""
TAIL_HEAD: Final = "The end of what the last ping said:"
ACK: Final = "I have seen it"
QUESTION: Final = "Nothing else is sent before you have said that you want it."
LEAVE: Final = "No more of these"
_RED: Final = "#b3261e"
_GREEN: Final = "#1b7f3b"
_GREY: Final = "#5f6368"

_PAGE: Final = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title></head>
<body style="margin:0;padding:24px;font:16px/1.5 sans-serif;color:#202124">
<p style="margin:0 0 16px;padding-left:12px;border-left:6px solid {colour};font-size:18px">{news}</p>
{body}
<p style="margin:24px 0 0;font-size:13px;color:{grey}">{foot}</p>
</body>
</html>
"""
_BUTTON: Final = (
    '<p><a href="{href}" style="display:inline-block;padding:10px 18px;border-radius:4px;background:{colour};'
    'color:#fff;text-decoration:none">{words}</a></p>'
)


class _Policy(EmailPolicy):
    """The library's, but for ids and links: it encodes those that are long, and nobody decodes them."""

    def fold_binary(self, name: str, value: Any) -> bytes:
        if name in ("Message-ID", "In-Reply-To", "References", "List-Unsubscribe"):
            return f"{name}: {value}\n".replace("> <", ">\n <").encode("ascii")
        return super().fold_binary(name, value)


class Mail(Struct, frozen=True):
    """`data` is the whole mail, its lines ended by line feeds; `sender` and `recipient` are those of its envelope.

    `id` is what later mails may refer to.
    """

    sender: str
    recipient: str
    id: str
    data: bytes


def mail(message: AnyMessage, last_body: bytes, sender: str, base: str) -> Mail:
    """The mail for `message`, from `sender` (`pingmon <pingmon@example.org>`). Raises `Unsendable`.

    `last_body` is that of the check's last ping, `base` the daemon's own URL.
    """
    channel, domain = message.channel, _domain(sender)
    if isinstance(message, Digest):
        said, conversation = _of_digest(message), []
    else:
        said = _of_letter(message, last_body, base)
        conversation = [f"<{channel.id}.{message.subject.id}@{domain}>", *filter(None, [message.owed.receipt])]
    begun = _begun(channel, sender, said.title, f"<{message.id}@{domain}>", message.now)
    if conversation:
        begun["In-Reply-To"] = conversation[-1]
        begun["References"] = " ".join(conversation)
    leave = url(base, Link("unsubscribe", channel.id), channel.secret)
    begun["List-Unsubscribe"] = f"<{leave}>"
    begun["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    foot = f'pingmon sends this to channel "{_line(channel.name or channel.kind)}".'
    return _whole(begun, _text(said, foot, base, leave), _html(said, foot, base, leave))


def question(channel: Channel, now: int, sender: str, base: str) -> Mail:
    """The mail that asks the receiver of `channel` whether it wants messages. Raises `Unsendable`."""
    confirm = url(base, Link("confirm", channel.id), channel.secret)
    begun = _begun(channel, sender, "Confirm that you want alerts", f"<{channel.id}_ask_{now}@{_domain(sender)}>", now)
    name = f' "{_line(channel.name)}"' if channel.name else ""
    news = f"Somebody wants pingmon at {base} to send alerts to you, by its channel{name}."
    said = _Said(str(begun["Subject"]), False, news, (QUESTION,), link=confirm, words="I want them")
    foot = "If you do nothing, you will get none."
    return _whole(begun, _text(said, foot, base, ""), _html(said, foot, base, ""))


def _domain(sender: str) -> str:
    return parseaddr(sender)[1].rpartition("@")[2]


def _begun(channel: Channel, sender: str, title: str, id: str, now: int) -> EmailMessage:
    recipient = channel.value.get("email")
    if not isinstance(recipient, str):
        raise Unsendable("the channel's settings are not those of an email channel")
    message = EmailMessage(_Policy(cte_type="7bit"))
    message["From"] = sender
    message["To"] = recipient
    message["Subject"] = title
    message["Date"] = format_datetime(_EPOCH + timedelta(seconds=now // SECOND))
    message["Message-ID"] = id
    message["Auto-Submitted"] = "auto-generated"
    return message


def _whole(message: EmailMessage, text: str, page: str) -> Mail:
    message.set_content(text, cte="quoted-printable")
    message.add_alternative(page, subtype="html", cte="quoted-printable")
    message.set_boundary(_BOUNDARY)
    sender, recipient = parseaddr(str(message["From"]))[1], str(message["To"])
    return Mail(sender, recipient, str(message["Message-ID"]), message.as_bytes())


# --- what it says -------------------------------------------------------------------------------------------------


class _Said(Struct, frozen=True):
    """What a mail says, as text and in HTML. `more` are sentences, `rows` a table, `tail` is quoted.

    `link` leads to what the reader can do about it, in these `words`.
    """

    title: str
    bad: bool
    news: str
    more: tuple[str, ...]
    rows: tuple[tuple[str, str], ...] = ()
    tail: str = ""
    link: str = ""
    words: str = ACK


def _of_letter(letter: Letter, last_body: bytes, base: str) -> _Said:
    flip, subject = letter.owed.flip, letter.subject
    about = "" if isinstance(subject, Trouble) else subject.spec.name
    title = f"{'TEST ' if letter.test else ''}{headline(letter.owed)} | {about or name(subject)}"
    news, *more = map(_line, sentences(letter))
    rows = tuple(_rows(letter))
    more = [f"{sentence[0].upper()}{sentence[1:]}." for sentence in more]
    return _Said(_line(title), flip.new == "down", news, tuple(more), rows, _tail(last_body), _ack(letter, base))


def _of_digest(digest: Digest) -> _Said:
    news, *more = map(_line, digest_lines(digest))
    title = f"{digest.status.upper()} | {digest_name(digest)}"
    return _Said(title, digest.status == "down", news, tuple(more))


def _rows(letter: Letter) -> Iterator[tuple[str, str]]:
    """What is to be known, in a table."""
    flip, subject = letter.owed.flip, letter.subject
    trouble = isinstance(subject, Trouble)
    yield "Trouble" if trouble else kind(subject).capitalize(), _line(name(subject))
    yield "When", moment_text(flip.at)
    if flip.new == "down" and not trouble:
        why = why_of(flip)
        yield "Why", _line(why if flip.exitstatus is None else f"{why} (exit status {flip.exitstatus})")
    if letter.down_seconds is not None:
        yield "Lasted" if trouble else "Was down for", duration_text(letter.down_seconds)
    if (took := _run_us(letter)) is not None:
        yield "The run took", duration_text(took // SECOND)
    if subject.spec.tags:
        yield "Tags", _line(subject.spec.tags)
    if isinstance(subject, Check) and subject.spec.desc:
        yield "Description", _line(subject.spec.desc)


def _run_us(letter: Letter) -> int | None:
    """How long the run took that ended with the flip, as long as no other has ended since."""
    flip, subject = letter.owed.flip, letter.subject
    ended = isinstance(subject, Check) and flip.cause in ("", "signal") and subject.last_ping == flip.at
    return subject.last_duration if isinstance(subject, Check) and ended else None


def _tail(last_body: bytes) -> str:
    """What is quoted of a body, without what cannot be seen."""
    lines = last_body.decode("utf-8", "replace")[-TAIL:].splitlines()
    return "\n".join(printable(line.expandtabs()) for line in lines).strip("\n")


def _ack(letter: Letter, base: str) -> str:
    """The link that says that somebody has taken notice of an outage; empty if there is none."""
    flip = letter.owed.flip
    if flip.new != "down" or flip.cause in ("ended", "trouble") or letter.test:
        return ""
    return url(base, Link("ack", letter.channel.id, letter.subject.id, letter.owed.flip.seq), letter.channel.secret)


def _text(said: _Said, foot: str, base: str, leave: str) -> str:
    width = max((len(label) for label, _ in said.rows), default=0) + 2
    paragraphs = [said.news, *said.more]
    if said.rows:
        paragraphs.append("\n".join(f"{label:{width}}{value}" for label, value in said.rows))
    if said.tail:
        quoted = "\n".join(f"> {line}" for line in said.tail.split("\n"))
        paragraphs += [TAIL_HEAD, quoted]
    if said.link:
        paragraphs.append(f"{said.words}: {said.link}")
    paragraphs.append(f"-- \n{foot} {base}" + (f"\n{LEAVE}: {leave}" if leave else ""))
    return "\n\n".join(paragraphs) + "\n"


def _html(said: _Said, foot: str, base: str, leave: str) -> str:
    colour = _RED if said.bad else _GREEN
    parts = [f"<p>{escape(sentence)}</p>" for sentence in said.more]
    if said.rows:
        style = f"padding:2px 16px 2px 0;color:{_GREY}"
        cells = (
            f'<tr><td style="{style}">{escape(label)}</td><td>{escape(value)}</td></tr>' for label, value in said.rows
        )
        parts.append("\n".join(["<table>", *cells, "</table>"]))
    if said.tail:
        style = "padding:12px;background:#f1f3f4;white-space:pre-wrap;font:13px/1.4 monospace"
        parts.append(f'<p>{TAIL_HEAD}</p>\n<pre style="{style}">{escape(said.tail)}</pre>')
    if said.link:
        parts.append(_BUTTON.format(href=escape(said.link), colour=colour, words=said.words))
    links = f'<a href="{escape(base)}">{escape(base)}</a>'
    if leave:
        links += f'<br>\n<a href="{escape(leave)}">{LEAVE}</a>'
    return _PAGE.format(
        title=escape(said.title),
        colour=colour,
        news=escape(said.news),
        body="\n".join(parts),
        grey=_GREY,
        foot=f"{escape(foot)} {links}",
    )


def _line(text: str) -> str:
    """A text in one line that holds nothing but what can be seen."""
    return printable(" ".join(text.split()))
