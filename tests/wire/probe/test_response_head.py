"""Tests of `pingmon.wire.probe.response_head`: what is taken from an answer, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pingmon.wire.probe.response_head import HEAD_MAX, HeadReader, NotHttp, ResponseHead


def read(*chunks: bytes) -> ResponseHead | None:
    """What has been read after the last of `chunks`."""
    reader, head = HeadReader(), None
    for chunk in chunks:
        assert head is None
        head = reader.feed(chunk)
    return head


@pytest.mark.parametrize(
    ("answer", "head"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", ResponseHead(200)),
        (b"HTTP/1.0 404\r\n\r\n", ResponseHead(404)),
        (b"HTTP/1.1 204 \r\nDate: x\r\n\r\n", ResponseHead(204)),
        (b"HTTP/1.1 999 Request denied\nServer: x\n\n", ResponseHead(999)),
        (b"HTTP/1.1 301 Gone\r\nLocation: /a b\r\n\r\n", ResponseHead(301, "/a b")),
        (
            b"HTTP/1.1 302 F\r\nX: location: /no\r\nLOCATION :\t/yes \t\r\nLocation: /second\r\n\r\n",
            ResponseHead(302, "/yes"),
        ),
        (b"HTTP/1.1 302 F\r\nLocation:\r\n\r\n", ResponseHead(302)),
        (b"HTTP/1.1 302 F\r\nLocation: /\xc3\xa4\r\n\r\n", ResponseHead(302, "/ä")),
        (b"HTTP/1.1 302 F\r\nLocation: /\xe4\r\n\r\n", ResponseHead(302, "/ä")),
        (b"HTTP/2 200\r\nDate: x\r\n\r\n", ResponseHead(200)),
        (b"HTTP/2.0 200 OK\r\n\r\n", ResponseHead(200)),
        (b"http/1.1  \t 200 OK\r\n\r\n", ResponseHead(200)),
        (b"HTTP/1.1 200OK\r\n\r\n", ResponseHead(200)),
        (b"HTTP/1.1 200 OK\r\r\nDate: x\r\r\n\r\r\n", ResponseHead(200)),
        (
            b"HTTP/1.1 302 F\r\nSet-Cookie: a=1; Path=/\r\nLocation: /\r\nset-cookie : b=2\r\n\r\n",
            ResponseHead(302, "/", ("a=1; Path=/", "b=2")),
        ),
        (b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\n\r\n", ResponseHead(200)),
        (b"HTTP/1.1 200 OK\r\nno header at all\r\n folded\r\n\r\n", ResponseHead(200)),
        (b"HTTP/1.1 200 OK\r\n\r\n<html>Location: /in-the-body\r\n", ResponseHead(200)),
        (
            b"HTTP/1.1 100 Continue\r\nLocation: /no\r\n\r\nHTTP/1.1 103 E\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
            ResponseHead(200),
        ),
    ],
)
def test_status_and_location_are_read_however_the_answer_arrives(answer: bytes, head: ResponseHead) -> None:
    assert read(answer) == head
    end = len(answer.partition(b"<html>")[0])
    assert read(*(answer[at : at + 1] for at in range(end))) == head


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"220 mail.example ESMTP\r\n", "the answer is not HTTP"),
        (b"\x16\x03\x01", "the answer is not HTTP"),
        (b"\r\nHTTP/1.1 200 OK\r\n\r\n", "the answer is not HTTP"),
        (b"ICY 200 OK\r\n", "the answer is not HTTP"),
        (b" HTTP/1.1 200 OK\r\n\r\n", "the answer is not HTTP"),
        (b"HTTP/3 200\r\n", "the answer has no valid status line"),
        (b"HTTP/1 200\r\n", "the answer has no valid status line"),
        (b"HTTP/1.1 OK\r\n", "the answer has no valid status line"),
        (b"HTTP/1.1 20 OK\r\n", "the answer has no valid status line"),
        (b"HTTP/1.1 2000 OK\r\n", "the answer has no valid status line"),
        (b"HTTP/1.1 099 OK\r\n", "the answer has no valid status line"),
        (b"HTTP/1.1200 OK\r\n", "the answer has no valid status line"),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "the server changed the protocol, unasked"),
    ],
)
def test_what_is_not_http_is_refused_without_waiting_for_an_end(answer: bytes, reason: str) -> None:
    with pytest.raises(NotHttp, match=reason):
        read(answer)


@pytest.mark.parametrize(
    ("answer", "head"),
    [
        (b"HTTP/1.1 200 OK\r\nServer: x\r\n", ResponseHead(200)),
        (b"HTTP/1.1 200 OK\r\nServ", ResponseHead(200)),
        (b"HTTP/1.1 302 F\r\nLocation: /whole\r\nX: y", ResponseHead(302, "/whole")),
        (b"HTTP/1.1 302 F\r\nLocation: /ha", ResponseHead(302)),
        (b"HTTP/1.1 200 OK", None),
        (b"HTTP/1.1 100 Continue\r\n\r\n", None),
        (b"HTTP/1.1 103 Early\r\nX: y\r\n", None),
        (b"", None),
    ],
)
def test_a_connection_that_is_closed_ends_a_header_too(answer: bytes, head: ResponseHead | None) -> None:
    """But not a line: half a Location leads anywhere."""
    reader = HeadReader()
    assert reader.feed(answer) is None
    assert reader.ended() == head


def test_a_header_is_taken_up_to_its_limit_and_refused_beyond_it() -> None:
    start = b"HTTP/1.1 200 OK\r\nX: "
    fill = b"x" * (HEAD_MAX - len(start) - 4)
    assert read(start, fill, b"\r\n\r\n") == ResponseHead(200)
    assert read(start + fill + b"\r\n\r\n" + b"body" * 10_000) == ResponseHead(200)
    for chunks in [(start + fill + b"x\r\n\r\n",), (start, fill, b"xxxxx")]:
        with pytest.raises(NotHttp, match="longer than 64 KiB"):
            read(*chunks)


def test_interim_answers_without_end_use_up_the_same_limit() -> None:
    reader, interim = HeadReader(), b"HTTP/1.1 102 Processing\r\n\r\n"
    for _ in range(HEAD_MAX // len(interim)):
        assert reader.feed(interim) is None
    with pytest.raises(NotHttp, match="longer than 64 KiB"):
        reader.feed(interim)


@given(st.lists(st.binary(max_size=80), max_size=8))
@example([b"HTTP/1.1 200 OK\r\n", b"Location: \xff\n\n"])
def test_no_bytes_make_it_fail_in_any_other_way(chunks: list[bytes]) -> None:
    reader = HeadReader()
    try:
        for chunk in chunks:
            if reader.feed(chunk) is not None:
                break
    except NotHttp:
        pass


PIECES = st.sampled_from(
    [b"HTTP/1.1 200 OK", b"HTTP/1.1 100 C", b"\r\n", b"\n", b"\r", b"Location: /x", b"x", b" ", b"HTTP/1."]
)


@given(st.lists(PIECES, max_size=12), st.integers(1, 7))
def test_how_an_answer_is_cut_up_makes_no_difference(pieces: list[bytes], step: int) -> None:
    def outcome(*chunks: bytes) -> ResponseHead | str | None:
        reader = HeadReader()
        try:
            for chunk in chunks:
                head = reader.feed(chunk)
                if head is not None:
                    return head
        except NotHttp as error:
            return str(error)
        return None

    answer = b"HTTP/1.1 302 Found" + b"".join(pieces)
    assert outcome(answer) == outcome(*(answer[at : at + step] for at in range(0, len(answer), step)))
