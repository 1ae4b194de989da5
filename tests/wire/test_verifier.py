"""Tests of `pingmon.wire.verifier`: questions and answers as they go over the wire."""

from __future__ import annotations

import json
import re
from typing import Any, get_args

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pingmon.core.site.probe_result import Fault, Methods, ProbeResult
from pingmon.wire import verifier as verify
from pingmon.wire.verifier import (
    BODY_MAX,
    DETAIL_MAX,
    VERSION,
    BadVerifierMessage,
    Class,
    VerifierAnswer,
    VerifierQuestion,
    answer_id,
    answer_of,
    decode_answer,
    decode_question,
    encode,
    look_of,
    question_of,
)

ID = "0123456789abcdef" * 2
QUESTION: dict[str, Any] = {"id": ID, "url": "https://example.org/", "timeout": 10, "deadline": 15.5}
ANSWER: dict[str, Any] = {"id": ID, "code": 500, "class": "status", "ms": 12, "address": "192.0.2.1", "node": "fra"}

words = st.text(st.characters(categories=("L", "N")), max_size=20)
ids = st.text("0123456789abcdef", min_size=32, max_size=32)


def body(fields: dict[str, Any], **changes: Any) -> bytes:
    return json.dumps({**fields, **changes}).encode()


def test_a_question_has_the_fields_of_the_contract() -> None:
    question = VerifierQuestion(ID, "http://h/", 10.0, 15.0)
    assert encode(question) == b'{"id":"%s","url":"http://h/","timeout":10.0,"deadline":15.0}' % ID.encode()
    assert json.loads(encode(VerifierQuestion(ID, "http://h/", 10.0, 15.0, True)))["head_only"] is True


@pytest.mark.parametrize(
    ("methods", "more"),
    [(("HEAD", "GET"), {}), (("HEAD",), {"head_only": True}), (("GET",), {"method": "GET", "version": 2})],
)
def test_no_field_is_sent_that_need_not_be(methods: Methods, more: dict[str, Any]) -> None:
    """The first verifiers refused what they did not know; they are to answer on."""
    question = question_of(ID, "http://h/", 10, 15, methods)
    assert json.loads(encode(question)) == {"id": ID, "url": "http://h/", "timeout": 10, "deadline": 15} | more
    assert decode_question(encode(question)).methods == methods
    assert question.version <= VERSION


def test_an_answer_has_the_fields_of_the_contract() -> None:
    answer = answer_of(ProbeResult("", 5, 500, "status", 12, "192.0.2.1"), ID, "fra")
    assert encode(answer) == (
        b'{"id":"%s","code":500,"class":"status","ms":12,"address":"192.0.2.1","node":"fra","version":2}' % ID.encode()
    )


@given(ids, st.floats(0.1, 100), st.floats(0.1, 100), st.sampled_from([("HEAD", "GET"), ("HEAD",), ("GET",)]))
def test_questions_come_out_as_they_went_in(id: str, timeout: float, deadline: float, methods: Methods) -> None:
    question = question_of(id, "https://example.org:8443/path?q=1", timeout, deadline, methods)
    assert decode_question(encode(question)) == question


coded = st.one_of(
    st.tuples(st.just(""), st.integers(200, 299)),
    st.tuples(st.just("status"), st.sampled_from([304, 403, 503])),
    st.tuples(st.sampled_from(get_args(Fault)[1:]).filter(lambda fault: fault != "status"), st.sampled_from([0, 302])),
)
looks = st.builds(
    lambda coded, **rest: ProbeResult(fault=coded[0], code=coded[1], **rest),
    coded,
    ms=st.integers(0, 10**6),
    address=st.one_of(st.just(""), st.ip_addresses().map(str)),
    detail=words,
)


@given(ids, looks, words)
def test_what_was_seen_comes_out_as_it_went_in_under_the_name_that_we_gave(
    id: str, look: ProbeResult, node: str
) -> None:
    answer = decode_answer(encode(answer_of(look, id, node)))
    assert (answer.id, answer.node) == (id, node)
    seen = look_of(answer, "ours", 7)
    assert (seen.node, seen.at) == ("ours", 7)
    assert (seen.code, seen.fault, seen.ms, seen.address) == (look.code, look.fault, look.ms, look.address)
    assert seen.detail == look.detail
    assert (seen.good, seen.counts) == (look.good, look.counts)


def test_the_classes_are_the_faults_and_ok_and_stand_in_the_table() -> None:
    assert {"ok" if fault == "" else fault for fault in get_args(Fault)} == set(get_args(Class))
    (row,) = re.findall(r"class {6}(.*?):", verify.__doc__ or "", re.DOTALL)
    assert row.replace(" or", "").split(", ") == list(get_args(Class))


@given(st.one_of(st.binary(), st.text().map(str.encode)))
@example(b"[" * 8000)
@example(b'{"x":' + b"[" * 8000)
@example(b'{"id":"\xff"}')
@example(b'{"url":"\\ud800"}')
@example(b'{"timeout":1e999}')
def test_no_bytes_raise_anything_but_malformed(found: bytes) -> None:
    for decode in (decode_question, decode_answer):
        with pytest.raises(BadVerifierMessage):
            decode(found)


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=9)),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.text(max_size=3), inner, max_size=2)),
    max_leaves=3,
)


@given(
    st.sampled_from([*QUESTION, "head_only", "method", "version"]),
    st.sampled_from([*ANSWER, "detail", "version"]),
    json_values,
)
def test_no_value_of_a_field_raises_anything_but_malformed(asked: str, answered: str, value: Any) -> None:
    for decode, fields, name in ((decode_question, QUESTION, asked), (decode_answer, ANSWER, answered)):
        try:
            decode(body(fields, **{name: value}))
        except BadVerifierMessage as error:
            assert 0 < len(str(error)) <= DETAIL_MAX  # noqa: PT017


BAD_QUESTIONS: list[tuple[dict[str, Any], str]] = [
    ({"id": ID[:-1]}, "matching regex"),
    ({"id": ID.upper()}, "matching regex"),
    ({"id": ID + "\n"}, "matching regex"),
    ({"url": 5}, "Expected `str`, got `int` - at `$.url`"),
    ({"url": "ftp://example.org/"}, "url: neither http nor https"),
    ({"url": "example.org"}, "url: has no valid host and port"),
    ({"url": "http:///path"}, "url: has no valid host and port"),
    ({"url": "http://example.org:0/"}, "url: has no valid host and port"),
    ({"url": "http://example.org:99999/"}, "url: has no valid host and port"),
    ({"url": "http://[::1/"}, "url: has no valid host and port"),
    ({"url": "http://example.org/\r\nX: y"}, "url: has spaces or control characters in it"),
    ({"url": "http://example.org/a b"}, "url: has spaces or control characters in it"),
    ({"url": "http://example.org/" + "x" * 5000}, "length <= 4096"),
    ({"timeout": "10"}, "Expected `float`, got `str` - at `$.timeout`"),
    ({"timeout": None}, "Expected `float`, got `null` - at `$.timeout`"),
    ({"deadline": 0}, "> 0"),
    ({"deadline": 1_700_000_000}, "<= 300"),
    ({"method": "POST"}, "Invalid enum value"),
    ({"version": 0}, ">= 1"),
]


@pytest.mark.parametrize(("change", "why"), BAD_QUESTIONS)
def test_a_question_that_is_not_of_the_contract_is_refused_with_a_reason(change: dict[str, Any], why: str) -> None:
    with pytest.raises(BadVerifierMessage, match=re.escape(why)):
        decode_question(body(QUESTION, **change))


@pytest.mark.parametrize("name", QUESTION)
def test_no_field_of_a_question_may_be_missing(name: str) -> None:
    rest = {key: value for key, value in QUESTION.items() if key != name}
    with pytest.raises(BadVerifierMessage, match=f"missing required field `{name}`"):
        decode_question(body(rest))


BAD_ANSWERS: list[tuple[dict[str, Any], str]] = [
    ({"class": "up"}, "Invalid enum value"),
    ({"class": ""}, "Invalid enum value"),
    ({"class": "ok"}, "class: ok, but the code is 500"),
    ({"class": "ok", "code": 0}, "class: ok, but the code is 0"),
    *(({"class": kind, "code": 200}, f"class: {kind}, but the code is 200") for kind in get_args(Class)[1:]),
    ({"code": 0}, "class: status, but the code is 0"),
    ({"code": -1}, ">= 0"),
    ({"code": 1000}, "<= 999"),
    ({"code": "200"}, "Expected `int`"),
    ({"ms": -1}, ">= 0"),
    ({"address": "example.org"}, "address: neither IPv4 nor IPv6"),
    ({"address": None}, "Expected `str`"),
    ({"node": "x" * 256}, "length <= 255"),
]


@pytest.mark.parametrize(("change", "why"), BAD_ANSWERS)
def test_an_answer_that_makes_no_sense_is_refused_with_a_reason(change: dict[str, Any], why: str) -> None:
    with pytest.raises(BadVerifierMessage, match=re.escape(why)):
        decode_answer(body(ANSWER, **change))


@pytest.mark.parametrize("name", ANSWER)
def test_no_field_of_an_answer_may_be_missing(name: str) -> None:
    rest = {key: value for key, value in ANSWER.items() if key != name}
    with pytest.raises(BadVerifierMessage, match=f"missing required field `{name}`"):
        decode_answer(body(rest))


def test_a_newer_daemon_may_ask_for_more() -> None:
    assert decode_question(body(QUESTION, colour="red")) == decode_question(body(QUESTION))


def test_a_newer_verifier_may_say_more() -> None:
    assert decode_answer(body(ANSWER, colour="red", version=9, detail="x")).version == 9
    assert decode_answer(body(ANSWER, colour="red")) == VerifierAnswer(ID, 500, "status", 12, "192.0.2.1", "fra")


def test_a_message_is_no_longer_than_it_may_be() -> None:
    padded = body(QUESTION) + b" " * BODY_MAX
    assert decode_question(padded[:BODY_MAX]).id == ID
    with pytest.raises(BadVerifierMessage, match="more than 8192 bytes"):
        decode_question(padded[: BODY_MAX + 1])


def test_details_are_short_and_on_one_line() -> None:
    told = "a\r\n\x1b[31m b" + "x" * 500
    for detail in (
        answer_of(ProbeResult(detail=told), ID, "n").detail,
        look_of(VerifierAnswer(ID, 0, "void", 0, "", "n", told), "n", 0).detail,
    ):
        assert detail.startswith("a [31m bxxx")
        assert len(detail) == DETAIL_MAX


@pytest.mark.parametrize(
    ("timeout", "deadline", "full", "limit"),
    [(10, 15, 10, 10), (0, 15, 1, 1), (-5, 15, 1, 1), (99, 104, 30, 30), (10, 4, 10, 4), (10, 0.5, 10, 0.5)],
)
def test_a_site_gets_from_1_to_30_seconds_and_none_after_the_deadline(
    timeout: float, deadline: float, full: float, limit: float
) -> None:
    question = VerifierQuestion(ID, "http://h/", timeout, deadline)
    assert (question.full_s, question.limit_s) == (full, limit)


def test_an_answers_id_is_never_that_of_a_question() -> None:
    """Both are signed with one secret: neither must pass for the other."""
    with pytest.raises(BadVerifierMessage):
        decode_question(body(QUESTION, id=answer_id(ID)))
