"""What a mail says to its reader: subject and text, out of MIME. Pure; never raises, whatever the bytes are.

The standard library reads headers and undoes encodings. Where parts begin is found here, and tags are taken off HTML
here: strangers write what is read, and the library's parsers need time that grows with the square of some inputs
(nested parts, long parameters, `<` upon `<`). Whatever is done here needs time in proportion to the bytes.
"""

from __future__ import annotations

import codecs
import html
import re
from collections.abc import Iterator
from contextlib import suppress
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from email.parser import BytesHeaderParser
from typing import Final

from msgspec import Struct

DEPTH_MAX: Final = 10
"""How deep parts may lie in parts; what lies deeper is not read."""
PARTS_MAX: Final = 100
"""Parts of one part that are read."""
HEAD_MAX: Final = 1 << 16
"""Bytes of headers that are read."""
VALUE_MAX: Final = 998
"""Bytes of a header that is understood; longer ones count as absent, and a longer subject is cut."""

_SLOW: Final = {"idna", "punycode"}
"""Character sets that Python decodes in the square of the time, and that no mail has."""

_has_head: Final = re.compile(rb"[!-9;-~]+[ \t]*:").match
_blank_line: Final = re.compile(rb"\r?\n\r?\n").search
_line_end: Final = re.compile(rb"\A\r?\n")
_fold: Final = re.compile(r"\r?\n")
_marks: Final = re.compile(r"<!--|-->|<(/?)(script|style)\b[^<>]*>", re.IGNORECASE).finditer
_BLOCKS: Final = "address|blockquote|br|dd|div|dl|dt|h[1-6]|hr|li|ol|p|pre|table|td|th|title|tr|ul"
_block: Final = re.compile(rf"</?(?:{_BLOCKS})\b[^<>]*>", re.IGNORECASE)
_tag: Final = re.compile(r"</?[a-z!?][^<>]*>", re.IGNORECASE)


class MailText(Struct, frozen=True):
    """The decoded `subject`, and the `body`: all parts that are text, HTML without its tags, a line between two."""

    subject: str
    body: str


def mail_text(raw: bytes) -> MailText:
    """The text of a whole message, or of as much of it as there is."""
    head, body = _parted(raw)
    return MailText(_subject(head), "\n".join(_texts(head, body, 0)))


def _parted(raw: bytes) -> tuple[Message, bytes]:
    """The headers of a message or part, and what comes after them; those that are too long are left out."""
    if not _has_head(raw):
        return Message(), _line_end.sub(b"", raw, count=1)
    end = _blank_line(raw)
    head, body = (raw, b"") if end is None else (raw[: end.start()], raw[end.end() :])
    message = BytesHeaderParser().parsebytes(head[:HEAD_MAX])
    for name in ("Content-Type", "Content-Transfer-Encoding", "Content-Disposition"):
        if len(str(message.get(name, ""))) > VALUE_MAX:
            del message[name]
    return message, body


def _subject(head: Message) -> str:
    value = next((value for name, value in head.raw_items() if name.lower() == "subject"), "")
    text = _fold.sub("", str(value)[:VALUE_MAX]).encode("ascii", "surrogateescape").decode("utf-8", "replace")
    try:
        words = decode_header(text)
    except HeaderParseError:
        return text
    return "".join(word if isinstance(word, str) else _decoded(word, charset or "utf-8") for word, charset in words)


def _texts(head: Message, body: bytes, depth: int) -> Iterator[str]:
    boundary = head.get_boundary() if head.get_content_maintype() == "multipart" else None
    if boundary:
        if depth < DEPTH_MAX:
            for part in _parts(body, boundary.encode("utf-8", "surrogateescape")):
                yield from _texts(*_parted(part), depth + 1)
        return
    kind = head.get_content_type()
    if kind not in ("text/plain", "text/html") or head.get_content_disposition() == "attachment":
        return
    head.set_payload(body.decode("ascii", "surrogateescape"))
    text = _decoded(bytes(head.get_payload(decode=True)), head.get_content_charset() or "utf-8")
    yield without_tags(text) if kind == "text/html" else text


def _parts(body: bytes, boundary: bytes) -> list[bytes]:
    """What stands between the lines of a boundary, but for what comes before the first and after the last."""
    line = re.compile(rb"(?:\A|\r?\n)--" + re.escape(boundary) + rb"(--)?[ \t]*(?:\r?\n|\Z)")
    begins, parts = -1, []
    for found in line.finditer(body):
        if begins >= 0:
            parts.append(body[begins : found.start()])
        begins = found.end()
        if found[1] or len(parts) == PARTS_MAX:
            return parts
    return parts if begins < 0 else [*parts, body[begins:]]


def without_tags(text: str) -> str:
    """What a browser shows of HTML, on one line."""
    shown, begins, hidden_by = [], 0, ""
    for mark in _marks(text):
        ends, by = mark[0] == "-->" or mark[1] == "/", (mark[2] or "--").lower()
        if not hidden_by and not ends:
            shown.append(text[begins : mark.start()])
            hidden_by = by
        elif hidden_by == by and ends:
            begins, hidden_by = mark.end(), ""
    if not hidden_by:
        shown.append(text[begins:])
    bare = _tag.sub("", _block.sub(" ", "".join(shown)))
    with suppress(ValueError):  # a reference with more digits than Python makes a number of
        bare = html.unescape(bare)
    return " ".join(bare.split())


def _decoded(text: bytes, charset: str) -> str:
    """Text in a character set that a stranger names; as UTF-8 if there is no such, and what does not fit is U+FFFD."""
    with suppress(LookupError, ValueError):
        if codecs.lookup(charset).name not in _SLOW:
            return text.decode(charset, "replace")
    return text.decode("utf-8", "replace")
