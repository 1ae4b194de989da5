"""Pings over HTTP: what each is answered, what it records, and that no ping is lost."""

from __future__ import annotations

import pytest

from pingmon.core.check.settings import CheckChanges, CheckSpec
from pingmon.core.world.events import CheckChanged, CheckCreated, CheckDeleted, Entry, NewCheck
from pingmon.core.world.outcome import Outcome
from pingmon.pings.intake import PingSettings
from pingmon.testing import PING_KEY, PROJECT
from tests.door.stage import CALLER, CHECK, RID, TEXT, UNKNOWN, DoorStage

BY_ID = f"/ping/{CHECK}"
BY_SLUG = f"/ping/{PING_KEY}/backup"
HEADERS = {"Access-Control-Allow-Origin": "*", "Cache-Control": "no-store", "Server": "pingmon", "Content-Type": TEXT}


# --- what is answered ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("base", [BY_ID, BY_SLUG, BY_ID.removeprefix("/ping"), BY_SLUG.removeprefix("/ping")])
@pytest.mark.parametrize(
    ("ending", "signal", "exitstatus"),
    [
        ("", "success", None),
        ("/start", "start", None),
        ("/fail", "fail", None),
        ("/log", "log", None),
        ("/0", "success", 0),
        ("/000", "success", 0),
        ("/1", "fail", 1),
        ("/255", "fail", 255),
        ("%2Fstart", "start", None),
    ],
)
@pytest.mark.parametrize("slash", ["", "/"])
def test_forms(base: str, ending: str, signal: str, exitstatus: int | None, slash: str) -> None:
    """Every form of a ping URL is recorded with its signal and answered 200 OK."""
    with DoorStage() as house:
        reply = house.ask(base + ending + slash)
        assert (reply.status, reply.body) == (200, b"OK")
        assert (house.last.signal, house.last.exitstatus) == (signal, exitstatus)
        assert house.entries[-1].stream == CHECK


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_methods(method: str) -> None:
    """GET, HEAD and POST are pings; their answers have the same headers, and HEAD's has no body."""
    with DoorStage() as house:
        reply = house.ask(BY_ID, method)
        assert reply.status == 200
        assert reply.body == (b"" if method == "HEAD" else b"OK")
        expected = HEADERS | {"Content-Length": "2", "Ping-Body-Limit": "10000"}
        assert reply.headers == expected | {"Date": "Tue, 14 Nov 2023 22:13:20 GMT"}
        assert house.last.method == method


@pytest.mark.parametrize(
    ("target", "status", "text"),
    [
        (f"{BY_ID}/256", 400, "invalid url format"),
        (f"{BY_ID}/{'9' * 5000}", 400, "invalid url format"),
        (f"/ping/{PING_KEY}/Backup", 400, "invalid url format"),
        (f"/ping/{PING_KEY}/back.up", 400, "invalid url format"),
        (f"/ping/{PING_KEY}/b%C3%A4ckup", 400, "invalid url format"),
        (f"/ping/{PING_KEY}/%ff%fe", 400, "invalid url format"),
        (f"/ping/{PING_KEY}/{'a' * 101}?create=1", 400, "invalid url format"),
        (f"/ping/{PING_KEY}", 400, "invalid url format"),
        (f"{BY_ID}//", 400, "invalid url format"),
        (f"{BY_ID}/START", 400, "invalid url format"),
        ("/ping", 400, "invalid url format"),
        ("/ping/", 400, "invalid url format"),
        ("/ping/5bf66975", 400, "invalid url format"),
        (f"/ping/{CHECK.replace('-', '')}", 400, "invalid url format"),
        (f"{BY_ID}?rid=", 400, "invalid uuid format"),
        (f"{BY_ID}?rid=1", 400, "invalid uuid format"),
        (f"{BY_ID}?rid={{{RID}}}", 400, "invalid uuid format"),
        (f"{BY_ID}?rid={RID}%0A", 400, "invalid uuid format"),
        (f"{BY_ID}?rid={RID}&rid=x", 400, "invalid uuid format"),
        (f"{BY_ID}?rid=%ff%fe", 400, "invalid uuid format"),
        (f"/ping/{UNKNOWN}", 404, "not found"),
        (f"/ping/{UNKNOWN}?create=1", 404, "not found"),
        (f"{BY_ID}/success", 404, "not found"),
        (f"{BY_ID}/-1", 404, "not found"),
        (f"{BY_ID}/start/1", 404, "not found"),
        (f"/ping/{PING_KEY}/nothing", 404, "not found"),
        (f"/ping/{PING_KEY.lower()}/backup", 404, "not found"),
        ("/ping/nokey/new?create=1", 404, "not found"),
        # which check beats exit status beats run id
        (f"/ping/{UNKNOWN}/256", 404, "not found"),
        (f"/ping/{UNKNOWN}?rid=x", 404, "not found"),
        (f"{BY_ID}/256?rid=x", 400, "invalid url format"),
    ],
)
def test_refused_starts(target: str, status: int, text: str) -> None:
    """What is refused is answered with the reason, and nothing is recorded."""
    with DoorStage() as house:
        reply = house.ask(target)
        assert (reply.status, reply.body.decode()) == (status, text)
        assert reply.headers.items() >= (HEADERS | {"Content-Length": str(len(text))}).items()
        assert house.entries == []


def test_ambiguous_slug() -> None:
    """Two checks with one slug: 409, whatever else is wrong with the ping, and nothing is created."""
    with DoorStage() as house:
        house.check(2, slug="backup")
        house.entries.clear()
        for ending in ("", "/256", "?rid=x", "?create=1"):
            reply = house.ask(BY_SLUG + ending)
            assert (reply.status, reply.body) == (409, b"ambiguous slug")
        assert house.entries == []


def test_options_is_no_ping() -> None:
    """OPTIONS is answered for browsers that ask before they call, and is not recorded."""
    with DoorStage() as house:
        for target in (BY_ID, f"/ping/{UNKNOWN}", "/ping/x"):
            reply = house.ask(target, "OPTIONS")
            assert reply.status == 204
            assert reply.headers["Access-Control-Allow-Origin"] == "*"
            assert reply.headers["Access-Control-Allow-Methods"] == "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
            assert reply.headers["Access-Control-Allow-Headers"] == "*"
            assert "Content-Length" not in reply.headers
        assert house.entries == []


@pytest.mark.parametrize("method", ["TRACE", "get", "PING", "PROPFIND"])
def test_other_methods_are_no_pings(method: str) -> None:
    """Any other method is refused with the list of those that are not, and is not recorded."""
    with DoorStage() as house:
        reply = house.ask(BY_ID, method)
        assert (reply.status, reply.headers["Allow"]) == (405, "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")
        assert house.entries == []


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_methods_that_are_pings(method: str) -> None:
    """Each is recorded as it was, with its body; `curl -T` is a PUT."""
    with DoorStage() as house:
        assert house.ask(BY_ID + "/fail", method, b"all is lost").status == 200
        assert (house.last.method, house.last.signal, house.entries[-1].payload) == (method, "fail", b"all is lost")
        house.submit(CHECK, CheckChanged(CheckChanges(methods="POST")))
        assert house.ask(BY_ID, method).status == 200
        assert house.last.signal == ("success" if method == "POST" else "ign")


@pytest.mark.parametrize(
    ("target", "stream"),
    [
        (f"{BY_ID}?status=up&msg=Größe", CHECK),
        (f"{BY_ID}?Größe=%C3&create=1&rid={RID}", CHECK),
        (f"{BY_SLUG}/start?msg=東京", CHECK),
    ],
)
def test_raw_utf8_in_the_target(target: str, stream: str) -> None:
    """Bytes that ought to have been percent-encoded cost no ping that can be understood."""
    with DoorStage() as house:
        assert house.ask(target).status == 200
        assert house.entries[-1].stream == stream
        assert house.last.rid == (RID if "rid" in target else None)
        for encoding in ("latin-1", "utf-16-be"):
            line = house.line()
            odd = "größe".encode(encoding).replace(b"\0", b"")
            line.send(b"GET " + BY_ID.encode() + b"?msg=" + odd + b" HTTP/1.1\r\n\r\n")
            assert line.reply().status == 200
            line.hang_up()
        assert house.ask(f"/ping/{PING_KEY}/größe").status == 400


def test_uuids_in_either_case() -> None:
    """The UUID of the check and the run id are read in either case and recorded in lower case."""
    with DoorStage() as house:
        assert house.ask(f"/ping/{CHECK.upper()}?rid={RID.upper()}").status == 200
        assert (house.entries[0].stream, house.last.rid) == (CHECK, RID)


def test_query() -> None:
    """The last run id counts; names are case-sensitive; anything else in the query is ignored."""
    with DoorStage() as house:
        for query in (f"rid=x&rid={RID}", f"RID=x&rid={RID}", f"%ff=%fe&&=&rid={RID}&x", f"r%69d={RID}"):
            assert house.ask(f"{BY_ID}?{query}").status == 200
            assert house.last.rid == RID
        assert house.ask(f"{BY_ID}?Rid=x&create").status == 200
        assert house.last.rid is None


def test_deleted_while_on_its_way() -> None:
    """A check that is deleted between the ping's arrival and its place in the log: 404."""
    with DoorStage(at_once=False) as house:
        line = house.line()
        house.monitor.submit(CHECK, CheckDeleted())
        line.send(f"GET {BY_ID} HTTP/1.1\r\n\r\n".encode())
        house.journal.flush()
        assert line.reply().status == 404


# --- what is recorded ---------------------------------------------------------------------------------------------


def test_who_called() -> None:
    """The caller's address, scheme and the first 200 characters of the user agent are recorded."""
    with DoorStage() as house:
        house.ask(BY_ID, "GET", b"", "User-Agent: " + "ä" * 300)
        assert (house.last.addr, house.last.scheme, house.last.ua) == (CALLER, "http", "ä" * 200)
        line = house.line("::ffff:198.51.100.1")
        line.send(f"GET {BY_ID} HTTP/1.0\r\nUser-Agent: \xff\r\n\r\n".encode("latin-1"))
        assert (house.last.addr, house.last.ua) == ("198.51.100.1", "\ufffd")


def test_meaning() -> None:
    """Methods and keyword filters decide what a ping means before it is recorded; ignored ones are answered 200."""
    with DoorStage() as house:
        house.submit(CHECK, CheckChanged(CheckChanges(methods="POST")))
        assert house.ask(BY_ID).status == 200
        assert house.last.signal == "ign"
        filters = CheckChanges(methods="", filter_http_body=True, failure_kw="ERROR", filter_default_fail=False)
        house.submit(CHECK, CheckChanged(filters))
        house.ask(BY_ID, "POST", b"\xff an ERROR occurred")
        assert (house.last.signal, house.last.left_out) == ("fail", 19)


# --- bodies -------------------------------------------------------------------------------------------------------


def payload(house: DoorStage) -> bytes | None:
    return house.entries[-1].payload


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_body_is_kept(method: str) -> None:
    """The body of any method is kept as it came, whatever its type says."""
    with DoorStage() as house:
        kinds = ("application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "multipart/form-data", "?")
        for kind in kinds:
            body = b"rid=x&a=b\r\n\0" + "é".encode()
            assert house.ask(BY_ID, method, body, f"Content-Type: {kind}").status == 200
            assert payload(house) == body
        assert house.ask(BY_ID, method).status == 200
        assert payload(house) is None


def test_long_body_is_cut() -> None:
    """The first bytes up to the limit are kept; a character cut in two is no reason to leave the body out."""
    with DoorStage(PingSettings(body_limit=10)) as house:
        reply = house.ask(BY_ID, "POST", "123456789ü and more".encode())
        assert (reply.status, reply.headers["Ping-Body-Limit"]) == (200, "10")
        assert payload(house) == "123456789ü".encode()[:10]


def test_severed_character_in_a_whole_body_is_binary() -> None:
    """A body that is not cut by us must be UTF-8 to its end."""
    with DoorStage() as house:
        house.ask(BY_ID, "POST", b"1234\xc3")
        assert (payload(house), house.last.left_out) == (None, 5)


def test_binary_body() -> None:
    """A body that is not text is left out, and its length recorded; `any` keeps it."""
    with DoorStage(PingSettings(body_limit=10)) as house:
        assert house.ask(BY_ID, "POST", b"\xff" * 4000).status == 200
        assert (payload(house), house.last.left_out) == (None, 4000)
    with DoorStage(PingSettings(body_limit=10, store_bodies="any")) as house:
        house.ask(BY_ID, "POST", b"\xff" * 4000)
        assert (payload(house), house.last.left_out) == (b"\xff" * 10, 0)


def test_no_body_wanted() -> None:
    """With a limit of 0 nothing of a body is kept."""
    with DoorStage(PingSettings(body_limit=0)) as house:
        reply = house.ask(BY_ID, "POST", b"x" * 5000)
        assert (reply.status, reply.headers["Ping-Body-Limit"]) == (200, "0")
        assert (payload(house), house.last.left_out) == (None, 0)


def test_chunked_body() -> None:
    """A chunked body is kept like any other."""
    with DoorStage() as house:
        line = house.line()
        line.send(f"POST {BY_ID} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        line.send(b"5;x=y\r\nhello\r\n6")
        line.send(b"\r\n world\r\n0\r\nTrailer: x\r\n\r\n")
        assert line.reply().status == 200
        assert payload(house) == b"hello world"


def test_expect_continue() -> None:
    """A client that asks first whether it may send its body is told to go on."""
    with DoorStage() as house:
        line = house.line()
        head = f"POST {BY_ID} HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
        assert line.send(head.encode()) == b"HTTP/1.1 100 Continue\r\n\r\n"
        line.send(b"hi")
        assert [reply.status for reply in line.replies()] == [100, 200]
        assert payload(house) == b"hi"


# --- checks made by a ping ----------------------------------------------------------------------------------------


def test_create() -> None:
    """`create=1` makes the check that the slug names, with the project's defaults, and counts as its first ping."""
    with DoorStage() as house:
        for ending in ("", "/start", "/fail", "/log", "/3"):
            slug = f"new-{len(house.entries)}"
            reply = house.ask(f"/ping/{PING_KEY}/{slug}{ending}?create=0&create=1", "HEAD")
            assert (reply.status, reply.headers["Content-Length"]) == (201, "7")
            assert reply.headers["Ping-Body-Limit"] == "10000"
            check = house.world.checks[house.entries[-1].stream]
            assert (check.spec.slug, check.spec.name, check.n_pings) == (slug, slug, 1)
        assert house.ask(f"/ping/{PING_KEY}/new-0?create=1").body == b"OK"


@pytest.mark.parametrize(
    "tail", ["?create=1&rid=bad", "/256?create=1", "?create=1&create=0", "?create=true", "?Create=1"]
)
def test_nothing_is_created(tail: str) -> None:
    """A ping that is refused, or does not ask for it exactly, makes no check."""
    with DoorStage() as house:
        assert house.ask(f"/ping/{PING_KEY}/new{tail}").status in (400, 404)
        assert house.entries == []


def test_create_up_to_the_limit() -> None:
    """A project with as many checks as it may have gets no more by pings."""
    with DoorStage(PingSettings(max_checks=2)) as house:
        assert house.ask(f"/ping/{PING_KEY}/one?create=1").status == 201
        assert house.ask(f"/ping/{PING_KEY}/two?create=1").status == 404
        assert house.ask(f"/ping/{PING_KEY}/one?create=1").status == 200


def test_two_first_pings_race() -> None:
    """Two first pings of one slug at once: the first in the log creates, the second pings the same check."""
    with DoorStage(at_once=False) as house:
        first, second = house.line(), house.line()
        first.send(f"GET /ping/{PING_KEY}/new?create=1 HTTP/1.1\r\n\r\n".encode())
        second.send(f"POST /ping/{PING_KEY}/new/1?create=1 HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi".encode())
        house.journal.flush()
        assert (first.reply().body, second.reply().body) == (b"Created", b"OK")
        (id,) = (check.id for check in house.world.checks.values() if check.spec.slug == "new")
        assert house.entries[-1].payload == b"hi"
        assert (house.world.checks[id].n_pings, house.world.checks[id].exitstatus, house.last.create) == (2, 1, None)


def test_create_meets_changes() -> None:
    """What was true on arrival may not be in the log's order: the slug may have become ambiguous meanwhile."""
    with DoorStage(at_once=False) as house:
        line = house.line()
        for id in (UNKNOWN, RID):
            house.monitor.submit(id, CheckCreated(PROJECT, CheckSpec(slug="new")))
        line.send(f"GET /ping/{PING_KEY}/new?create=1 HTTP/1.1\r\n\r\n".encode())
        house.journal.flush()
        assert line.reply().status == 409


def test_what_create_asks_for() -> None:
    """The log says what the ping asked for: the check with this slug in the key's project."""
    with DoorStage() as house:
        house.ask(f"/ping/{PING_KEY}/new?create=1")
        assert house.last.create == NewCheck(PROJECT, "new", most=10_000)


# --- a ping that was answered 200 is on disk ----------------------------------------------------------------------


def test_answer_waits_for_the_disk() -> None:
    """Nothing is answered before the record is durable."""
    with DoorStage(at_once=False) as house:
        line = house.line()
        assert line.send(f"GET {BY_ID} HTTP/1.1\r\n\r\n".encode()) == b""
        house.journal.flush()
        assert line.reply().status == 200


def test_disk_trouble() -> None:
    """While the log cannot take it, a ping is answered 503 and asked to come again; later it is taken."""
    with DoorStage() as house:
        for target in (BY_ID, f"/ping/{PING_KEY}/new?create=1"):
            house.journal.fail_next()
            reply = house.ask(target)
            assert (reply.status, reply.body, reply.headers["Retry-After"]) == (503, b"try again", "10")
        assert house.entries == []
        assert house.ask(BY_ID).status == 200
        assert house.troubles()


def test_buffer_full() -> None:
    """A log whose buffer is full refuses the ping at once."""
    with DoorStage(at_once=False) as house:
        house.journal.bound_buffer(1)
        first, second = house.line(), house.line()
        first.send(f"GET {BY_ID} HTTP/1.1\r\n\r\n".encode())
        second.send(f"GET {BY_ID} HTTP/1.1\r\n\r\n".encode())
        assert second.reply().status == 503
        house.journal.flush()
        assert first.reply().status == 200
        assert len(house.troubles()) == 1


def test_client_hangs_up_before_the_answer() -> None:
    """A client that does not wait changes nothing: the ping counts, and nobody is troubled."""
    with DoorStage(at_once=False) as house:
        for target in (BY_ID, f"/ping/{PING_KEY}/new?create=1"):
            line = house.line()
            line.send(f"GET {target} HTTP/1.1\r\n\r\n".encode())
            line.hang_up()
        house.journal.flush()
        assert len(house.entries) == 2


def test_client_hangs_up_within_the_body() -> None:
    """A ping whose body never comes whole counts, with what came of it; one whose head does not come is none."""
    with DoorStage() as house:
        line = house.line()
        line.send(f"POST {BY_ID}/fail HTTP/1.1\r\nContent-Length: 100\r\n\r\nhalf".encode())
        line.hang_up()
        assert (house.last.signal, payload(house)) == ("fail", b"half")
        line = house.line()
        line.send(f"POST {BY_ID} HTTP/1.1\r\nContent-Length: 100\r\n".encode())
        line.hang_up()
        assert len(house.entries) == 1


def test_our_own_fault() -> None:
    """An error of ours is answered 500 without detail, logged with it, and the daemon goes on."""
    with DoorStage() as house:

        def fault() -> str:
            raise ZeroDivisionError

        house.intake._new_id = fault
        reply = house.ask(f"/ping/{PING_KEY}/new?create=1")
        assert (reply.status, reply.body) == (500, b"internal error")
        assert [event["log_failure"].type for event in house.troubles()] == [ZeroDivisionError]
        assert house.ask(BY_ID).status == 200

        line = house.line()
        line.send(f"POST /ping/{PING_KEY}/new?create=1 HTTP/1.1\r\nContent-Length: 9\r\n\r\n".encode())
        line.hang_up()
        assert [event["log_failure"].type for event in house.troubles()] == [ZeroDivisionError]


def test_our_own_fault_once_the_log_has_the_ping() -> None:
    """Whether it is folded wrongly or cannot be answered: 500, logged with its traceback, and the next goes well."""
    with DoorStage() as house:

        def fault(entry: Entry) -> Outcome:
            raise ZeroDivisionError

        house.journal.start(fault)
        reply = house.ask(BY_ID)
        assert (reply.status, reply.body) == (500, b"internal error")
        assert {event["log_failure"].type for event in house.troubles()} == {ZeroDivisionError}
        house.journal.start(house.monitor._deliver)
        well, house.intake._answers["done"] = house.intake._answers["done"], None  # type: ignore[assignment]
        assert house.ask(BY_ID).status == 500
        assert [event["log_failure"].type for event in house.troubles()] == [AttributeError]
        house.intake._answers["done"] = well
        assert house.ask(BY_ID).status == 200


# --- rate ---------------------------------------------------------------------------------------------------------


def test_rate() -> None:
    """With a limit set, a check's pings over it are answered 429 until there is room again; others go on."""
    with DoorStage(PingSettings(per_minute=2)) as house:
        assert [house.ask(BY_ID).status for _ in range(3)] == [200, 200, 429]
        reply = house.ask(BY_ID)
        assert (reply.body, reply.headers["Retry-After"]) == (b"rate limited", "30")
        assert house.ask(f"/ping/{PING_KEY}/new?create=1").status == 201
        house.advance(30)
        assert [house.ask(BY_ID).status for _ in range(2)] == [200, 429]
        assert len(house.entries) == 4
