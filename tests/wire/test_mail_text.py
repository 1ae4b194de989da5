"""What a mail says to its reader."""

from __future__ import annotations

from email.message import EmailMessage
from email.policy import SMTP
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pingmon.wire.mail_text import DEPTH_MAX, MailText, mail_text, without_tags

MANY = 1 << 18


def mail(subject: str = "", text: str = "", html: str = "", charset: str = "utf-8", cte: str = "base64") -> bytes:
    """A message as the standard library writes it."""
    message = EmailMessage(policy=SMTP)
    message["Subject"] = subject
    message.set_content(text, charset=charset, cte=cte)
    if html:
        message.add_alternative(html, subtype="html", charset=charset)
    return message.as_bytes()


@pytest.mark.parametrize("cte", ["base64", "quoted-printable", "8bit"])
@pytest.mark.parametrize("charset", ["utf-8", "iso-8859-1", "cp1252"])
def test_text_and_subject_are_decoded(charset: str, cte: str) -> None:
    """Whatever they were encoded in."""
    raw = mail("Sicherung: größer", "Völlig in Ordnung", charset=charset, cte=cte)
    assert mail_text(raw) == MailText("Sicherung: größer", "Völlig in Ordnung\r\n")


def test_plain_text_and_html_are_both_read() -> None:
    """Of all parts, in their order; a file that is attached is not what the mail says."""
    message = EmailMessage()
    message["Subject"] = "report"
    message.set_content("plain")
    message.add_alternative("<p>rich</p>", subtype="html")
    message.add_attachment("attached")
    message.add_attachment(b"\0", maintype="application", subtype="octet-stream")
    assert mail_text(message.as_bytes()) == MailText("report", "plain\n\nrich")


@pytest.mark.parametrize(
    ("html", "shown"),
    [
        ("<p>Backup <b>O</b>K</p>", "Backup OK"),
        ("one<br>two<BR/>three<td>four", "one two three four"),
        ("<style>p { color: red }</style>a<script>if (a < b) fail()</script>b", "ab"),
        ("a<!-- error --> b <!-- > error", "a b"),
        ("<STYLE type='x'>error</STYLE >a</style>", "a"),
        ("a &amp; b&nbsp;&lt;c&gt; &#228; &nosuch;", "a & b <c> ä &nosuch;"),
        ("1 < 2 > 0", "1 < 2 > 0"),
        ("a\r\n  b", "a b"),
        ("<!DOCTYPE html><html><?xml?>x", "x"),
        (f"&#{'1' * 5000};", f"&#{'1' * 5000};"),
        ("cut off <a href='", "cut off <a href='"),
    ],
)
def test_html_is_what_a_browser_shows(html: str, shown: str) -> None:
    """On one line, so that a keyword of two words is found wherever lines end."""
    assert without_tags(html) == shown


@pytest.mark.parametrize(
    ("raw", "subject", "body"),
    [
        (b"", "", ""),
        (b"no headers\r\n\r\nat all", "", "no headers\r\n\r\nat all"),
        (b"\r\nno headers", "", "no headers"),
        (b"Subject: only", "only", ""),
        (b"SUBJECT: a\r\n b\r\nSubject: c\r\n\r\nx", "a b", "x"),
        (b"Subject: r\xc3\xa4w \xff\n\nx", "räw \ufffd", "x"),
        (b"Subject: =?utf-8?b?4?=\r\n\r\nx", "=?utf-8?b?4?=", "x"),
        (b"Subject: =?nosuch?q?a=C3=A4?=\r\n\r\nx", "aä", "x"),
        (b"Subject: =?punycode?q?a?=\r\n\r\nx", "a", "x"),
        (b"Subject: " + b"a" * 2000 + b"\r\n\r\nx", "a" * 998, "x"),
        (b"Content-Type: text/plain; charset=nosuch\r\n\r\n\xc3\xa4", "", "ä"),
        (b"Content-Type: text/plain; charset=rot13\r\n\r\na", "", "a"),
        (b"Content-Type: image/png\r\n\r\nx", "", ""),
        (b"Content-Type: text/html; x=" + b"y" * 1000 + b"\r\n\r\n<p>", "", "<p>"),
        (b"Content-Type: multipart/mixed\r\n\r\nx", "", ""),
        (b"Content-Type: multipart/mixed; boundary=b\r\n\r\nno part", "", ""),
        (b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nnever ended", "", "never ended"),
        (b"Content-Type: multipart/mixed; boundary=b\n\npre\n--b\n\none\n--b \n\ntwo\n--bb\n--b--\n--b\n\npost", "",
            "one\ntwo\n--bb"),
        (b"Content-Type: multipart/mixed; boundary*=nosuch'x'%ff\r\n\r\nx", "", ""),
        (b"Content-Transfer-Encoding: base64\r\n\r\nb2s", "", "ok"),
        (b"Content-Transfer-Encoding: base64\r\n\r\nb2s=*\xff", "", "ok"),
    ],
)  # fmt: skip
def test_what_is_odd_is_read_as_well_as_can_be(raw: bytes, subject: str, body: str) -> None:
    """Headers and parts that no program should send."""
    assert mail_text(raw) == MailText(subject, body)


def test_parts_in_parts_are_read_to_a_depth() -> None:
    """As far as real mail goes."""
    raw = b"Content-Type: text/plain\r\n\r\nbottom"
    for level in range(DEPTH_MAX):
        raw = b"Content-Type: multipart/mixed; boundary=%d\r\n\r\n--%d\r\n%b\r\n--%d--" % (level, level, raw, level)
    assert mail_text(raw).body == "bottom"
    assert mail_text(b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n" + raw).body == ""


def test_a_hundred_parts_are_read() -> None:
    """Of thousands."""
    raw = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\na\r\n" * 200
    assert mail_text(raw).body == "\n".join(["a"] * 100)


WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp", "Zs"]), min_size=1, max_size=30)


@given(subject=WORDS, text=WORDS, html=WORDS)
def test_what_was_written_is_read(subject: str, text: str, html: str) -> None:
    """A keyword is found in whatever a mail program makes of it."""
    found = mail_text(mail(subject, text, html.replace("<", "&lt;").replace("&", "&amp;")))
    assert found.subject == subject
    assert found.body.startswith(text)
    assert html.replace("<", "&lt;") in found.body


PIECES = st.sampled_from([
    *(b"Content-Type: ", b"multipart/mixed; boundary=b", b"text/html; charset=", b"utf-7", b"punycode", b"idna", b"hz"),
    *(b"Content-Transfer-Encoding: ", b"base64", b"x-uuencode", b"quoted-printable", b"begin 644 x\n", b"end"),
    *(b"\r\n", b"\n", b"\r\n\r\n", b"--b", b"--b--", b"Subject: ", b"=?utf-8?q?", b"=?x?b?", b"?=", b"=", b";", b'"'),
    *(b"<", b">", b"<style", b"</style>", b"<!--", b"-->", b"&#1", b"&amp;", b"\0", b"\xff", b"\xc3", b" "),
    *(b"Content-Disposition: ", b"charset*0=", b"boundary*=a'b'%00", b"=80", b"a"),
])  # fmt: skip


@given(raw=st.lists(PIECES | st.binary(max_size=20), max_size=40).map(b"".join))
def test_no_bytes_are_an_error(raw: bytes) -> None:
    """Whatever strangers send."""
    found = mail_text(raw)
    found.subject.encode("utf-8", "surrogatepass")
    found.body.encode("utf-8", "surrogatepass")


@pytest.mark.parametrize("kind", [b"text/html", b"text/plain; charset=punycode", b"text/html; charset=utf-7"])
@pytest.mark.parametrize("unit", [b"<", b"<style>", b"<!--", b"</p", b"&#1", b"&", b"\n", b"=?", b"=?a?q?", b';"'])
def test_nothing_takes_the_square_of_the_time(kind: bytes, unit: bytes) -> None:
    """A second is far more than what is in proportion, and far less than its square."""
    began = process_time()
    mail_text(b"Content-Type: " + kind + b"\r\n\r\n" + unit * (MANY // len(unit)))
    mail_text(b"Subject: " + unit * (MANY // len(unit)))
    mail_text(b"Content-Type: x; " + unit * (MANY // len(unit)))
    assert process_time() - began < 3
