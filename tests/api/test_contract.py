"""The contract with clients of Healthchecks, case by case: what is asked, with which key, and what comes back.

The tables are written from what the reference server does, not from our code. Where pingmon is meant to differ, a
comment at the row names the way:

    slashes   paths are served with and without their last slash, never redirected
    head      HEAD is answered where GET is
    json      every error has a JSON body
    404       what is another project's is not there: the reference server says 403, and so that it exists
    empty     a body of `null` is an empty one
    paging    pings and flips page through all history that is kept
    case      UUIDs are read in either case; the reference server knows no capital ones
    all       a new check has all channels if the request says nothing of them, so that an alert reaches somebody
    strict    true is no number, and text that cannot be stored is refused; there it is a 500, or taken
    forbidden a badge that is asked by POST is answered 405; the reference server answers 403, for want of a token

Every case begins with the same house:

    job       "Nightly backup", five pings: start, success after 90 s, log, exit status 3, success
    cron      has a schedule         paused  is paused         running  has started, and was never pinged
    theirs    another project's      missing exists nowhere    unique, unique_missing: names for read-only keys
    ops, pager, twin, twin           are channels

A path is below `/api/v3/` unless it begins with a slash. An answer that is an object tells those keys that matter;
`GONE` is a key that must not be there.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final, NamedTuple, TypeAlias

import pytest

from pingmon.core.check.settings import CheckSpec
from pingmon.core.world.events import ChannelCreated, CheckCreated, CheckPaused
from pingmon.daemon.resource_tree import voice
from pingmon.door.door import Door
from pingmon.door.http_dates import Dates
from pingmon.door.limits import DoorSettings
from pingmon.pings.intake import PingIntake, PingSettings
from pingmon.testing import PING_KEY, PROJECT, SECRET, uuid
from pingmon.web.badges import Badges
from pingmon.wire.api.checks import unique_key
from pingmon.wire.badges import ALL, badge_key, project_badge_urls
from tests.api.stage import OTHER_PROJECT, ApiStage
from tests.door.stage import RID, UNKNOWN, Line, Reply


class Gone:
    """Stands for the value of a key that is not there."""


GONE: Final = Gone()


class Keys(NamedTuple):
    """An object with these keys in this order."""

    names: str


Row: TypeAlias = tuple[Any, ...]
"""The request, the key, the body (JSON of anything but bytes; None: none), the status, the answer, and headers."""

MISSING: Final = {"error": "missing api key"}
WRONG: Final = {"error": "wrong api key"}
NOT_FOUND: Final = {"error": "not found"}
UNREADABLE: Final = {"error": "could not parse request body"}
NO_OBJECT: Final = {"error": "json validation error: value is not an object"}
METHOD: Final = {"error": "method not allowed"}


def wrong(text: str) -> dict[str, str]:
    return {"error": f"json validation error: {text}"}


# fmt: off
KEYS: list[Row] = [
    ("GET checks/", "", None, 401, MISSING),
    ("GET checks/", "foo", None, 401, MISSING),  # whatever is not 32 characters long is no key
    ("GET checks/", "hcw_" + "x" * 29, None, 401, MISSING),
    ("GET checks/", "hcw_" + "x" * 28, None, 401, WRONG),
    ("GET checks/", "x" * 32, None, 401, WRONG),
    ("GET checks/", "rw", None, 200, {"checks": ...}),
    ("GET checks/", "ro", None, 200, {"checks": ...}),
    ("GET checks/?api_key={rw}", "", None, 401, MISSING),
    ("GET checks/", "", {"api_key": "{rw}"}, 401, MISSING),
    ("DELETE checks/{job}", "", {"api_key": "{rw}"}, 401, MISSING),
    ("POST checks/", "", {"api_key": "{rw}"}, 201, {"status": "new"}),
    ("POST checks/", "", {"api_key": "{ro}"}, 401, WRONG),
    ("POST checks/", "", {"api_key": 5}, 401, MISSING),
    ("POST checks/", "", {"api_key": None}, 401, MISSING),
    ("POST checks/", "empty", {"api_key": "{rw}"}, 401, MISSING),
    ("POST checks/", "x" * 32, {"api_key": "{rw}"}, 401, WRONG),
    ("POST checks/{job}", "", {"api_key": "{rw}", "name": "x"}, 200, {"name": "x"}),
    ("POST checks/{job}/pause", "", {"api_key": "{rw}"}, 200, {"status": "paused"}),
    ("POST checks/", "ro", {}, 401, WRONG),
    ("POST checks/{job}", "ro", {}, 401, WRONG),
    ("DELETE checks/{job}", "ro", None, 401, WRONG),
    ("POST checks/{job}/pause", "ro", {}, 401, WRONG),
    ("POST checks/{paused}/resume", "ro", {}, 401, WRONG),
    ("GET checks/{job}/pings/", "ro", None, 401, WRONG),
    ("GET checks/{job}/pings/2/body", "ro", None, 401, WRONG),
    ("GET channels/", "ro", None, 401, WRONG),
    ("GET checks/{job}/flips/", "ro", None, 200, {"flips": ...}),
    ("GET badges/", "ro", None, 200, {"badges": ...}),
    ("GET channels/", "rw", None, 200, {"channels": ...}),
    ("GET status/", "", None, 200, b"OK"),
]

ORDER: list[Row] = [  # body, key, existence, fields
    ("POST checks/", "", b"{", 400, UNREADABLE),
    ("POST checks/{missing}", "x" * 32, b"[]", 400, NO_OBJECT),
    ("POST checks/{missing}", "x" * 32, {"name": 1}, 401, WRONG),
    ("POST checks/{missing}", "rw", {"name": 1}, 404, NOT_FOUND),
    ("POST checks/{theirs}", "rw", {"name": 1}, 404, NOT_FOUND),  # 404
    ("POST checks/{job}", "rw", {"name": 1}, 400, wrong("name is not a string")),
    ("POST checks/{missing}/pause", "ro", {}, 401, WRONG),
    ("POST checks/{missing}/pause", "rw", {}, 404, NOT_FOUND),
    ("GET checks/{theirs}", "rw", None, 404, NOT_FOUND),  # 404
    ("DELETE checks/{theirs}", "rw", None, 404, NOT_FOUND),  # 404
    ("GET checks/{theirs}/flips/", "rw", None, 404, NOT_FOUND),  # 404
    ("GET checks/{theirs}/flips/?start=x", "rw", None, 404, NOT_FOUND),
    ("GET checks/{unique_missing}", "ro", None, 404, NOT_FOUND),
    ("GET checks/{unique_missing}/flips/", "ro", None, 404, NOT_FOUND),
]

BODIES: list[Row] = [
    ("POST checks/", "rw", None, 201, {"name": "", "timeout": 86400, "grace": 3600}),
    ("POST checks/", "rw", {}, 201, {"name": "", "timeout": 86400, "grace": 3600}),
    ("POST checks/", "rw", b"null", 201, {"name": ""}),  # empty
    ("POST checks/", "rw", b"[]", 400, NO_OBJECT),
    ("POST checks/", "rw", b"123", 400, NO_OBJECT),
    ("POST checks/", "rw", b'"x"', 400, NO_OBJECT),
    ("POST checks/", "rw", b"{'name': 1}", 400, UNREADABLE),
    ("POST checks/", "rw", b"\xef\xbb\xbf{}", 400, UNREADABLE),
    ("POST checks/", "rw", b"\xff\xfe", 400, UNREADABLE),
    ("POST checks/", "rw", b'{"name": "a", "name": "b"}', 201, {"name": "b"}),
    ("POST checks/", "rw", {"nome": 1, "x": None}, 201, {"name": "", "x": GONE}),
]

PATHS: list[Row] = [
    ("GET checks", "rw", None, 200, {"checks": ...}),  # slashes, and below
    ("POST checks", "rw", {"name": "x"}, 201, {"name": "x"}),
    ("GET checks/{job}", "rw", None, 200, {"uuid": "{job}"}),
    ("GET checks/{job}/", "rw", None, 200, {"uuid": "{job}"}),
    ("POST checks/{job}/", "rw", {"name": "x"}, 200, {"name": "x"}),
    ("GET checks/{JOB}", "rw", None, 200, {"uuid": "{job}"}),  # case, and below
    ("POST checks/", "rw", {"channels": "{OPS}"}, 201, {"channels": "{ops}"}),
    ("POST checks/{job}/pause/", "rw", {}, 200, {"status": "paused"}),
    ("GET checks/{job}/pings", "rw", None, 200, {"pings": ...}),
    ("GET checks/{job}/flips", "rw", None, 200, {"flips": ...}),
    ("GET checks/{job}/pings/2/body/", "rw", None, 200, b"all is well"),
    ("GET channels", "rw", None, 200, {"channels": ...}),
    ("GET badges", "rw", None, 200, {"badges": ...}),
    ("GET status", "", None, 200, b"OK"),
    ("GET /api/v1/checks/", "rw", None, 200, {"checks": ...}),
    ("GET /api/v2/checks/", "rw", None, 200, {"checks": ...}),
    ("GET /api/v4/checks/", "rw", None, 404, NOT_FOUND),  # json, and below
    ("GET /api/checks/", "rw", None, 404, NOT_FOUND),
    ("GET checks/nonsense", "rw", None, 404, NOT_FOUND),
    ("GET checks/{job}/nonsense", "rw", None, 404, NOT_FOUND),
    ("GET checks/" + "x" * 41, "rw", None, 404, NOT_FOUND),
    ("GET nonsense/", "rw", None, 404, NOT_FOUND),
    ("POST notifications/{missing}/status", "", {}, 404, NOT_FOUND),  # callbacks of telephone and mail services,
    ("POST bounces/", "", b"", 404, NOT_FOUND),  # which pingmon does not use
]

JSON = {"Content-Type": "application/json"}
CORS = {
    "Access-Control-Allow-Origin": "*", "Access-Control-Max-Age": "600",
    "Access-Control-Allow-Headers": "*X-Api-Key*",
}
METHODS: list[Row] = [
    ("HEAD checks/", "rw", None, 200, b"", CORS),  # head, and below
    ("HEAD checks/{job}", "ro", None, 200, b"", CORS),
    ("HEAD checks/{job}/pings/", "rw", None, 200, b"", CORS),
    ("HEAD status/", "", None, 200, b""),
    ("HEAD checks/{job}/pause", "rw", None, 405, b""),
    ("DELETE checks/", "rw", None, 405, METHOD, CORS | JSON),
    ("PUT checks/{job}", "rw", {}, 405, METHOD, CORS | JSON),
    ("PATCH checks/{job}", "rw", {}, 405, METHOD, CORS | JSON),
    ("GET checks/{job}/pause", "rw", None, 405, METHOD, CORS | JSON),
    ("GET checks/{job}/resume", "rw", None, 405, METHOD, CORS | JSON),
    ("POST checks/{unique}", "rw", {}, 405, METHOD, CORS | JSON),
    ("DELETE checks/{unique}", "rw", None, 405, METHOD, CORS | JSON),
    ("POST checks/{job}/pings/", "rw", {}, 405, METHOD, CORS | JSON),
    ("POST checks/{job}/flips/", "rw", {}, 405, METHOD, CORS | JSON),
    ("POST badges/", "rw", {}, 405, METHOD, CORS | JSON),
    ("PUT channels/", "rw", {}, 405, METHOD, CORS | JSON),
    ("POST status/", "", {}, 405, METHOD, JSON),
    ("OPTIONS checks/", "", None, 204, b"", CORS | {"Access-Control-Allow-Methods": "GET, HEAD, POST, OPTIONS"}),
    ("OPTIONS checks/{missing}", "", None, 204, b"",
        CORS | {"Access-Control-Allow-Methods": "GET, HEAD, POST, DELETE, OPTIONS"}),
    ("OPTIONS checks/{unique}", "", None, 204, b"", CORS | {"Access-Control-Allow-Methods": "GET, HEAD, OPTIONS"}),
    ("OPTIONS checks/{job}/pause", "", None, 204, b"", CORS | {"Access-Control-Allow-Methods": "POST, OPTIONS"}),
    ("OPTIONS checks/{job}/pings/", "", None, 204, b"", CORS | {"Access-Control-Allow-Methods": "GET, HEAD, OPTIONS"}),
    ("OPTIONS badges/", "", None, 204, b"", CORS),
    ("OPTIONS checks/nonsense", "", None, 404, NOT_FOUND),
    ("GET checks/", "rw", None, 200, ..., CORS | JSON),
    ("GET checks/", "", None, 401, MISSING, CORS | JSON),
    ("POST checks/", "rw", b"{", 400, UNREADABLE, CORS | JSON),
    ("GET checks/{missing}", "rw", None, 404, NOT_FOUND, CORS | JSON),
]

LONG, LONGER = "n" * 100, "n" * 101
KEYWORDS, TOO_MANY = "k" * 200, "k" * 201
FIELDS: list[Row] = [
    ("POST checks/", "rw", {"name": LONG}, 201, {"name": LONG}),
    ("POST checks/", "rw", {"name": LONGER}, 400, wrong("name is too long")),
    ("POST checks/", "rw", {"name": 5}, 400, wrong("name is not a string")),
    ("POST checks/", "rw", {"name": None}, 400, wrong("name is not a string")),
    ("POST checks/", "rw", {"name": "a\0"}, 400, wrong("name contains characters that cannot be stored")),  # strict
    ("POST checks/", "rw", {"slug": LONG}, 201, {"slug": LONG}),
    ("POST checks/", "rw", {"slug": ""}, 201, {"slug": ""}),
    ("POST checks/", "rw", {"slug": "a-b_9"}, 201, {"slug": "a-b_9"}),
    ("POST checks/", "rw", {"slug": LONGER}, 400, wrong("slug is too long")),
    ("POST checks/", "rw", {"slug": "Backup"}, 400, wrong("slug does not match pattern")),
    ("POST checks/", "rw", {"slug": "a b"}, 400, wrong("slug does not match pattern")),
    ("POST checks/", "rw", {"slug": "a\n"}, 400, wrong("slug does not match pattern")),
    ("POST checks/", "rw", {"slug": "ä"}, 400, wrong("slug does not match pattern")),
    ("POST checks/", "rw", {"slug": None}, 400, wrong("slug is not a string")),
    ("POST checks/", "rw", {"tags": "a,b  c"}, 201, {"tags": "a,b  c"}),
    ("POST checks/", "rw", {"tags": "t" * 501}, 201, {"tags": "t" * 501}),
    ("POST checks/", "rw", {"tags": ["a"]}, 400, wrong("tags is not a string")),
    ("POST checks/", "rw", {"tags": None}, 400, wrong("tags is not a string")),
    ("POST checks/", "rw", {"desc": "d" * 9000}, 201, {"desc": "d" * 9000}),
    ("POST checks/", "rw", {"desc": None}, 400, wrong("desc is not a string")),
    ("POST checks/", "rw", {"timeout": 60}, 201, {"timeout": 60}),
    ("POST checks/", "rw", {"timeout": 31536000}, 201, {"timeout": 31536000}),
    ("POST checks/", "rw", {"timeout": 59}, 400, wrong("timeout is too small")),
    ("POST checks/", "rw", {"timeout": 31536001}, 400, wrong("timeout is too large")),
    ("POST checks/", "rw", {"timeout": "60"}, 400, wrong("timeout is not a number")),
    ("POST checks/", "rw", {"timeout": 60.0}, 400, wrong("timeout is not a number")),
    ("POST checks/", "rw", {"timeout": None}, 400, wrong("timeout is not a number")),
    ("POST checks/", "rw", {"timeout": True}, 400, wrong("timeout is not a number")),  # strict
    ("POST checks/", "rw", b'{"timeout": 1e30}', 400, wrong("timeout is not a number")),  # strict
    ("POST checks/", "rw", {"grace": 60}, 201, {"grace": 60}),
    ("POST checks/", "rw", {"grace": 0}, 400, wrong("grace is too small")),
    ("POST checks/", "rw", {"grace": 10**12}, 400, wrong("grace is too large")),
    ("POST checks/", "rw", {"grace": None}, 400, wrong("grace is not a number")),
    ("POST checks/", "rw", {"schedule": "5 4 * * *"}, 201, {"schedule": "5 4 * * *", "tz": "UTC", "timeout": GONE}),
    ("POST checks/", "rw", {"schedule": "Mon..Fri 10:00"}, 201, {"schedule": "Mon..Fri 10:00"}),
    ("POST checks/", "rw", {"schedule": "*" * 101}, 400, wrong("schedule is too long")),
    ("POST checks/", "rw", {"schedule": "bad"}, 400, wrong("schedule is not a valid cron or OnCalendar expression")),
    ("POST checks/", "rw", {"schedule": "0 0 31 2 *"}, 400,
        wrong("schedule is not a valid cron or OnCalendar expression")),
    ("POST checks/", "rw", {"schedule": None}, 400, wrong("schedule is not a string")),
    ("POST checks/", "rw", {"schedule": "5 4 * * *", "tz": "Europe/Riga"}, 201, {"tz": "Europe/Riga"}),
    ("POST checks/", "rw", {"schedule": "5 4 * * *", "tz": "US/Eastern"}, 201, {"tz": "America/New_York"}),
    ("POST checks/", "rw", {"schedule": "5 4 * * *", "tz": "Europe/Kiev"}, 201, {"tz": "Europe/Kyiv"}),
    ("POST checks/", "rw", {"tz": "Europe/Riga"}, 201, {"tz": GONE, "schedule": GONE, "timeout": 86400}),
    ("POST checks/", "rw", {"tz": "europe/riga"}, 400, wrong("tz is not a valid timezone")),
    ("POST checks/", "rw", {"tz": "Mars"}, 400, wrong("tz is not a valid timezone")),
    ("POST checks/", "rw", {"tz": ""}, 400, wrong("tz is not a valid timezone")),
    ("POST checks/", "rw", {"tz": None}, 400, wrong("tz is not a string")),
    ("POST checks/", "rw", {"manual_resume": True}, 201, {"manual_resume": True}),
    ("POST checks/", "rw", {"manual_resume": 1}, 400, wrong("manual_resume is not a boolean")),
    ("POST checks/", "rw", {"manual_resume": None}, 400, wrong("manual_resume is not a boolean")),
    ("POST checks/", "rw", {"filter_subject": "true"}, 400, wrong("filter_subject is not a boolean")),
    ("POST checks/", "rw", {"filter_body": 0}, 400, wrong("filter_body is not a boolean")),
    ("POST checks/", "rw", {"filter_http_body": None}, 400, wrong("filter_http_body is not a boolean")),
    ("POST checks/", "rw", {"filter_default_fail": []}, 400, wrong("filter_default_fail is not a boolean")),
    ("POST checks/", "rw", {"methods": "POST"}, 201, {"methods": "POST"}),
    ("POST checks/", "rw", {"methods": ""}, 201, {"methods": ""}),
    ("POST checks/", "rw", {"methods": "GET"}, 400, wrong("methods has unexpected value")),
    ("POST checks/", "rw", {"start_kw": KEYWORDS}, 201, {"start_kw": KEYWORDS}),
    ("POST checks/", "rw", {"start_kw": TOO_MANY}, 400, wrong("start_kw is too long")),
    ("POST checks/", "rw", {"success_kw": TOO_MANY}, 400, wrong("success_kw is too long")),
    ("POST checks/", "rw", {"failure_kw": TOO_MANY}, 400, wrong("failure_kw is too long")),
    ("POST checks/", "rw", {"failure_kw": 1}, 400, wrong("failure_kw is not a string")),
    ("POST checks/", "rw", {"subject": "ok"}, 201, {"success_kw": "ok", "filter_subject": True, "subject": "ok"}),
    ("POST checks/", "rw", {"subject_fail": "ko"}, 201,
        {"failure_kw": "ko", "filter_subject": True, "subject": "", "subject_fail": "ko"}),
    ("POST checks/", "rw", {"subject": ""}, 201, {"success_kw": "", "filter_subject": False}),
    ("POST checks/", "rw", {"subject": "a", "success_kw": "b"}, 201, {"success_kw": "b", "filter_subject": True}),
    ("POST checks/", "rw", {"subject": "a", "filter_subject": False}, 201,
        {"success_kw": "a", "filter_subject": False, "subject": ""}),
    ("POST checks/", "rw", {"success_kw": "a"}, 201, {"success_kw": "a", "subject": "", "filter_subject": False}),
    ("POST checks/", "rw", {"subject": TOO_MANY}, 400, wrong("subject is too long")),
    ("POST checks/", "rw", {"subject_fail": None}, 400, wrong("subject_fail is not a string")),
    ("POST checks/", "rw", {"channels": "*"}, 201, {"channels": "{all_channels}"}),
    ("POST checks/", "rw", {"channels": ""}, 201, {"channels": ""}),
    ("POST checks/", "rw", {}, 201, {"channels": "{all_channels}"}),  # all
    ("POST checks/", "rw", {"channels": "ops"}, 201, {"channels": "{ops}"}),
    ("POST checks/", "rw", {"channels": "{pager}"}, 201, {"channels": "{pager}"}),
    ("POST checks/", "rw", {"channels": "pager,{ops}"}, 201, {"channels": "{ops},{pager}"}),
    ("POST checks/", "rw", {"channels": "ops, pager"}, 400, {"error": "invalid channel identifier:  pager"}),
    ("POST checks/", "rw", {"channels": "nobody"}, 400, {"error": "invalid channel identifier: nobody"}),
    ("POST checks/", "rw", {"channels": "{missing}"}, 400, {"error": "invalid channel identifier: {missing}"}),
    ("POST checks/", "rw", {"channels": "twin"}, 400, {"error": "non-unique channel identifier: twin"}),
    ("POST checks/", "rw", {"channels": "ops,,pager"}, 400, {"error": "empty channel identifier"}),
    ("POST checks/", "rw", {"channels": None}, 400, wrong("channels is not a string")),
    ("POST checks/", "rw", {"channels": ["ops"]}, 400, wrong("channels is not a string")),
    ("POST checks/", "rw", {"unique": "name"}, 400, wrong("unique is not an array")),
    ("POST checks/", "rw", {"unique": None}, 400, wrong("unique is not an array")),
    ("POST checks/", "rw", {"unique": ["desc"]}, 400, wrong("an item in 'unique' has unexpected value")),
    ("POST checks/", "rw", {"unique": [1]}, 400, wrong("an item in 'unique' has unexpected value")),
    # the first error is told, in this order
    ("POST checks/", "rw", {"tz": 1, "timeout": 1, "name": 1, "grace": 1, "desc": 1, "channels": 1}, 400,
        wrong("channels is not a string")),
    ("POST checks/", "rw", {"tz": 1, "timeout": 1, "name": 1, "grace": 1, "desc": 1}, 400,
        wrong("desc is not a string")),
    ("POST checks/", "rw", {"tz": 1, "timeout": 1, "name": 1, "grace": 1}, 400, wrong("grace is too small")),
    ("POST checks/", "rw", {"tz": 1, "timeout": 1, "name": 1}, 400, wrong("name is not a string")),
    ("POST checks/", "rw", {"unique": 1, "tz": 1, "timeout": 1}, 400, wrong("timeout is too small")),
    ("POST checks/", "rw", {"unique": 1, "tz": "x"}, 400, wrong("tz is not a valid timezone")),
    ("POST checks/", "rw", {"name": 1, "channels": "nobody"}, 400, wrong("name is not a string")),
]

WRITING: list[Row] = [
    ("POST checks/", "rw", {"name": "Nightly backup", "unique": ["name"], "grace": 60}, 200,
        {"uuid": "{job}", "grace": 60, "slug": "backup", "n_pings": 5}),
    ("POST checks/", "rw", {"slug": "backup", "tags": "prod db", "unique": ["slug", "tags"]}, 200, {"uuid": "{job}"}),
    ("POST checks/", "rw", {"slug": "backup", "tags": "prod", "unique": ["slug", "tags"]}, 201, {"slug": "backup"}),
    ("POST checks/", "rw", {"slug": "backup", "unique": ["slug", "name"]}, 201, {"slug": "backup"}),
    ("POST checks/", "rw", {"slug": "backup", "unique": []}, 201, {"slug": "backup"}),
    ("POST checks/", "rw", {"timeout": 3600, "unique": ["timeout"]}, 200, {"uuid": "{job}"}),
    ("POST checks/", "rw", {"name": "paused", "unique": ["name"], "tags": "x"}, 200, {"status": "paused"}),
    ("POST checks/", "rw", {"name": "theirs", "unique": ["name"]}, 201, {"name": "theirs"}),
    ("POST checks/{job}", "rw", {}, 200, {"name": "Nightly backup", "timeout": 3600, "grace": 600}),
    ("POST checks/{job}", "rw", {"grace": 60}, 200, {"name": "Nightly backup", "timeout": 3600, "grace": 60}),
    ("POST checks/{job}", "rw", {"name": "x", "unique": ["name"]}, 200, {"uuid": "{job}", "name": "x"}),
    ("POST checks/{job}", "rw", {"schedule": "5 4 * * *", "timeout": 60}, 200,
        {"schedule": "5 4 * * *", "timeout": GONE}),
    ("POST checks/{job}", "rw", {"tz": "Europe/Riga", "grace": 60}, 200, {"timeout": 3600, "schedule": GONE}),
    ("POST checks/{cron}", "rw", {"timeout": 60}, 200, {"timeout": 60, "schedule": GONE, "tz": GONE}),
    ("POST checks/{cron}", "rw", {"tz": "UTC"}, 200, {"schedule": "5 4 * * *", "tz": "UTC"}),
    ("POST checks/{cron}", "rw", {"grace": 60}, 200, {"schedule": "5 4 * * *", "tz": "Europe/Riga", "grace": 60}),
    ("POST checks/{job}", "rw", {"channels": ""}, 200, {"channels": ""}),
    ("POST checks/{paused}", "rw", {"name": "x"}, 200, {"status": "paused"}),
    ("POST /api/v1/checks/", "rw", {"name": "Nightly Job"}, 201, {"slug": "nightly-job"}),
    ("POST /api/v2/checks/", "rw", {"name": "Großer Ünfug!"}, 201, {"slug": "groer-unfug"}),
    ("POST /api/v3/checks/", "rw", {"name": "Nightly Job"}, 201, {"slug": ""}),
    ("POST /api/v1/checks/", "rw", {"name": "Nightly Job", "slug": "nj"}, 201, {"slug": "nj"}),
    ("POST /api/v1/checks/", "rw", {"name": "Nightly Job", "slug": ""}, 201, {"slug": ""}),
    ("POST /api/v2/checks/{job}", "rw", {"name": "Weekly"}, 200, {"slug": "weekly"}),
    ("POST /api/v2/checks/{job}", "rw", {"tags": "x"}, 200, {"slug": "backup"}),
    ("POST /api/v3/checks/{job}", "rw", {"name": "Weekly"}, 200, {"slug": "backup"}),
    ("POST checks/{job}/pause", "rw", None, 200, {"status": "paused", "next_ping": None}),
    ("POST checks/{paused}/pause", "rw", {}, 200, {"status": "paused"}),
    ("POST checks/{running}/pause", "rw", {}, 200, {"status": "paused", "started": False}),
    ("POST checks/{paused}/resume", "rw", {}, 200, {"status": "new", "last_ping": None}),
    ("POST checks/{job}/resume", "rw", {}, 409, {"error": "check is not paused"}),
    ("DELETE checks/{job}", "rw", None, 200, {"uuid": "{job}", "n_pings": 5, "channels": ""}),
    ("DELETE checks/{missing}", "rw", None, 404, NOT_FOUND),
]

BASE = "http://pingmon.example"
RW_KEYS = (
    "name slug tags desc grace n_pings status started last_ping next_ping manual_resume methods subject subject_fail "
    "start_kw success_kw failure_kw filter_subject filter_body filter_http_body filter_default_fail badge_url {}"
    "uuid ping_url update_url pause_url resume_url channels {}"
)
RO_KEYS = RW_KEYS.replace("uuid ping_url update_url pause_url resume_url channels", "unique_key")
OURS = "last_start last_success told warnings"
ALERTS = "notify_after remind_every escalation parent acknowledged"
READING: list[Row] = [
    ("GET checks/{job}", "rw", None, 200, Keys(RW_KEYS.format("", f"timeout {OURS} {ALERTS}"))),
    ("GET checks/{cron}", "rw", None, 200, Keys(RW_KEYS.format("", f"schedule tz {OURS} {ALERTS}"))),
    ("GET checks/{timed}", "rw", None, 200, Keys(RW_KEYS.format("last_duration ", f"timeout {OURS} {ALERTS}"))),
    ("GET checks/{job}", "ro", None, 200, Keys(RO_KEYS.format("", f"timeout {OURS}"))),
    ("GET checks/{unique}", "ro", None, 200, Keys(RO_KEYS.format("", f"timeout {OURS}"))),
    ("GET checks/{unique}", "rw", None, 200, {"uuid": "{job}", "unique_key": GONE}),
    ("GET checks/{job}", "ro", None, 200,
        {"unique_key": "{unique}", "uuid": GONE, "ping_url": GONE, "channels": GONE, "name": "Nightly backup"}),
    ("GET checks/{job}", "rw", None, 200, {
        "name": "Nightly backup", "slug": "backup", "tags": "prod db", "desc": "", "grace": 600, "n_pings": 5,
        "status": "up", "started": False, "last_ping": "2023-11-14T22:18:20+00:00",
        "next_ping": "2023-11-14T23:18:20+00:00", "timeout": 3600, "channels": "{ops}", "last_duration": GONE,
        "ping_url": BASE + "/ping/{job}", "update_url": BASE + "/api/v3/checks/{job}",
        "pause_url": BASE + "/api/v3/checks/{job}/pause", "resume_url": BASE + "/api/v3/checks/{job}/resume",
        "badge_url": BASE + "/b/2/{job_badge}.svg",
    }),
    ("GET checks/{timed}", "rw", None, 200, {"last_duration": 90}),
    ("GET checks/{cron}", "rw", None, 200,
        {"status": "new", "last_ping": None, "next_ping": None, "tz": "Europe/Riga"}),
    ("GET /api/v1/checks/{job}", "rw", None, 200, {"update_url": BASE + "/api/v1/checks/{job}"}),
    ("GET /api/v2/checks/{job}", "rw", None, 200, {"pause_url": BASE + "/api/v2/checks/{job}/pause"}),
    ("GET /api/v1/checks/{running}", "rw", None, 200, {"status": "started", "started": True}),
    ("GET /api/v2/checks/{running}", "rw", None, 200, {"status": "new", "started": True}),
    ("GET /api/v3/checks/{running}", "rw", None, 200, {"status": "new", "started": True}),
    ("GET /api/v1/checks/{paused}", "rw", None, 200, {"status": "paused", "started": False}),
    ("GET checks/11111111-1111-4111-8111-111111111111", "ro", None, 200,
        {"unique_key": "a0fd04db8396895e5a64a823e6c390e2498168e1"}),
    ("GET checks/a0fd04db8396895e5a64a823e6c390e2498168e1", "rw", None, 200,
        {"uuid": "11111111-1111-4111-8111-111111111111"}),
    ("GET checks/", "rw", None, 200, {"checks": [
        {"uuid": "{job}"}, {"uuid": "{cron}"}, {"uuid": "{paused}"}, {"uuid": "{running}"}, {"uuid": "{timed}"}, ...]}),
    ("GET checks/?tag=prod", "rw", None, 200, {"checks": [{"uuid": "{job}"}, {"uuid": "{cron}"}]}),
    ("GET checks/?tag=prod&tag=db", "rw", None, 200, {"checks": [{"uuid": "{job}"}]}),
    ("GET checks/?tag=db&tag=nope", "rw", None, 200, {"checks": []}),
    ("GET checks/?tag=Prod", "rw", None, 200, {"checks": []}),
    ("GET checks/?tag=pro", "rw", None, 200, {"checks": []}),
    ("GET checks/?tag=", "rw", None, 200, {"checks": []}),
    ("GET checks/?tag=%00", "rw", None, 200, {"checks": []}),
    ("GET checks/?slug=backup", "rw", None, 200, {"checks": [{"uuid": "{job}"}]}),
    ("GET checks/?slug=cron&slug=backup", "rw", None, 200, {"checks": [{"uuid": "{job}"}]}),
    ("GET checks/?slug=nope", "rw", None, 200, {"checks": []}),
    ("GET checks/?slug=", "rw", None, 200, {"checks": [..., ..., ..., ..., ..., ...]}),
    ("GET checks/?slug=cron&tag=db", "rw", None, 200, {"checks": []}),
    ("GET checks/?status=paused", "rw", None, 200, {"checks": [{"uuid": "{paused}"}]}),
    ("GET checks/?status=paused,up", "ro", None, 200, {"checks": [..., ..., ...]}),
    ("GET checks/?status=up&status=paused&tag=prod", "rw", None, 200, {"checks": [{"uuid": "{job}"}]}),
    ("GET checks/?status=great", "rw", None, 400, {"error": "status must be one of new, up, grace, down, paused"}),
    ("GET checks/?name=nope", "rw", None, 200, {"checks": [..., ..., ..., ..., ..., ...]}),
    ("GET checks/?slug=backup", "ro", None, 200, {"checks": [{"unique_key": "{unique}", "uuid": GONE}]}),
]

HISTORY: list[Row] = [
    ("GET checks/{job}/pings/", "rw", None, 200, {"pings": [
        {"n": 5, "type": "success", "rid": None, "exitstatus": None, "duration": GONE, "body_url": None},
        {"n": 4, "type": "fail", "exitstatus": 3},
        {"n": 3, "type": "log", "duration": GONE},
        {"n": 2, "type": "success", "date": "2023-11-14T22:14:50.000000+00:00", "duration": 90.0, "rid": RID,
            "scheme": "https", "remote_addr": "192.0.2.9", "method": "POST", "ua": "curl/8",
            "body_url": BASE + "/api/v3/checks/{job}/pings/2/body"},
        {"n": 1, "type": "start", "rid": RID, "date": "2023-11-14T22:13:20.000000+00:00"},
    ]}),
    ("GET checks/{cron}/pings/", "rw", None, 200, {"pings": []}),
    ("GET /api/v1/checks/{job}/pings/?limit=1&before=3", "rw", None, 200,
        {"pings": [{"body_url": BASE + "/api/v1/checks/{job}/pings/2/body"}]}),
    ("GET checks/{job}/pings/?limit=2", "rw", None, 200, {"pings": [{"n": 5}, {"n": 4}]}),  # paging, and below
    ("GET checks/{job}/pings/?limit=2&before=4", "rw", None, 200, {"pings": [{"n": 3}, {"n": 2}]}),
    ("GET checks/{job}/pings/?before=2", "rw", None, 200, {"pings": [{"n": 1}], "next": None}),
    ("GET checks/{job}/pings/?before=1", "rw", None, 200, {"pings": [], "next": None}),
    ("GET checks/{job}/pings/?type=success", "rw", None, 200, {"pings": [{"n": 5}, {"n": 2}]}),
    ("GET checks/{job}/pings/?type=log&type=fail", "rw", None, 200, {"pings": [{"n": 4}, {"n": 3}]}),
    ("GET checks/{job}/pings/?type=ign", "rw", None, 200, {"pings": []}),
    ("GET checks/{job}/pings/?type=bang", "rw", None, 400,
        {"error": "type must be one of success, start, fail, log, ign"}),
    ("GET checks/{job}/pings/?limit=0", "rw", None, 400, {"error": "limit must be a number from 1 to 1000"}),
    ("GET checks/{job}/pings/?limit=1001", "rw", None, 400, {"error": "limit must be a number from 1 to 1000"}),
    ("GET checks/{job}/pings/2/body", "rw", None, 200, b"all is well", {"Content-Type": "text/plain"}),
    ("GET checks/{job}/pings/1/body", "rw", None, 404, NOT_FOUND),
    ("GET checks/{job}/pings/0/body", "rw", None, 404, NOT_FOUND),
    ("GET checks/{job}/pings/99/body", "rw", None, 404, NOT_FOUND),
    ("GET checks/{job}/pings/x/body", "rw", None, 404, NOT_FOUND),
    ("GET checks/{theirs}/pings/1/body", "rw", None, 404, NOT_FOUND),
    ("GET checks/{unique}/pings/", "rw", None, 404, NOT_FOUND),
    ("GET checks/{job}/flips/", "rw", None, 200, {"flips": [
        {"timestamp": "2023-11-14T22:18:20+00:00", "up": 1},
        {"timestamp": "2023-11-14T22:16:40+00:00", "up": 0, "silenced": None},
        {"timestamp": "2023-11-14T22:14:50+00:00", "up": 1},
    ]}),
    ("GET checks/{job}/flips/", "ro", None, 200, {"flips": [
        ..., {"reason": "signal", "silenced": GONE, "deliveries": GONE}, ...,
    ]}),
    ("GET checks/{unique}/flips/", "ro", None, 200, {"flips": [{"up": 1}, {"up": 0}, {"up": 1}]}),
    ("GET checks/{unique}/flips/", "rw", None, 200, {"flips": [{"up": 1}, {"up": 0}, {"up": 1}]}),
    ("GET checks/{paused}/flips/", "rw", None, 200, {"flips": [{"up": 0}]}),
    ("GET checks/{cron}/flips/", "rw", None, 200, {"flips": []}),
    ("GET checks/{job}/flips/?seconds=250", "rw", None, 200, {"flips": [{"up": 1}, {"up": 0}]}),
    ("GET checks/{job}/flips/?seconds=0", "rw", None, 200, {"flips": [..., ..., ...]}),
    ("GET checks/{job}/flips/?seconds=", "rw", None, 200, {"flips": [..., ..., ...]}),
    ("GET checks/{job}/flips/?seconds=31536000", "rw", None, 200, {"flips": [..., ..., ...]}),
    ("GET checks/{job}/flips/?seconds=31536001", "rw", None, 400, {"error": ...}),
    ("GET checks/{job}/flips/?seconds=x", "rw", None, 400, {"error": ...}),
    ("GET checks/{job}/flips/?start=1700000200", "rw", None, 200, {"flips": [{"up": 1}, {"up": 0}]}),
    ("GET checks/{job}/flips/?start=1700000201", "rw", None, 200, {"flips": [{"up": 1}]}),
    ("GET checks/{job}/flips/?end=1700000200", "rw", None, 200, {"flips": [{"up": 1}]}),
    ("GET checks/{job}/flips/?start=1700000200&end=1700000300", "rw", None, 200, {"flips": [{"up": 0}]}),
    ("GET checks/{job}/flips/?start=", "rw", None, 400, {"error": ...}),
    ("GET checks/{job}/flips/?start=-1", "rw", None, 400, {"error": ...}),
    ("GET checks/{job}/flips/?end=10000000000", "rw", None, 200, {"flips": [..., ..., ...]}),
    ("GET checks/{job}/flips/?end=10000000001", "rw", None, 400, {"error": ...}),
    ("GET checks/{unique}/flips/?end=x", "ro", None, 400, {"error": ...}),
]

SIX = Keys("svg svg3 json json3 shields shields3")
PICTURE = {"Content-Type": "image/svg+xml", "Access-Control-Allow-Origin": "*", "Cache-Control": "no-store"}
REST: list[Row] = [
    ("GET channels/", "rw", None, 200, {"channels": [
        Keys("id name kind"), {"id": "{pager}", "name": "pager", "kind": "webhook"}, ..., ...]}),
    ("GET /api/v1/channels/", "rw", None, 200, {"channels": [{"id": "{ops}", "name": "ops"}, ..., ..., ...]}),
    ("GET badges/", "ro", None, 200, {"badges": Keys("* db prod")}),
    ("GET badges/", "rw", None, 200, {"badges": {"*": SIX, "prod": SIX, "db": SIX}}),
    ("GET /b/2/{job_badge}.svg", "", None, 200, re.compile("<svg.*Nightly backup.*up.*#4c1", re.DOTALL), PICTURE),
    ("GET /b/3/{job_badge}.json", "", None, 200, {"status": "up", "total": 1, "grace": 0, "down": 0}),
    ("GET /b/2/{job_badge}.shields", "", None, 200,
        {"schemaVersion": 1, "label": "Nightly backup", "message": "up", "color": "success"}),
    ("GET /b/2/{job_badge}.png", "", None, 404, ...),
    ("GET /b/2/{missing}.svg", "", None, 404, ...),
    ("GET {all_badge}.svg", "", None, 200, re.compile("<svg.*up.*#4c1", re.DOTALL), PICTURE),
    ("GET {all_badge}.json", "", None, 200, {"status": "up", "total": 6, "grace": 0, "down": 0}),
    ("GET {all_badge}.shields", "", None, 200, {"message": "up"}),
    ("GET {prod_badge}.json", "", None, 200, {"total": 2}),
    ("GET {prod_badge}.shields", "", None, 200, {"label": "prod"}),
    ("GET {prod_badge}.gif", "", None, 404, ...),
    ("GET {forged_badge}.svg", "", None, 404, ...),
    ("HEAD /b/2/{job_badge}.svg", "", None, 200, b"", PICTURE),  # head
    ("POST /b/2/{job_badge}.svg", "", None, 405, ...),  # forbidden
    ("OPTIONS /b/2/{job_badge}.svg", "", None, 204, ..., {"Access-Control-Allow-Origin": "*"}),
    ("GET status/", "", None, 200, b"OK"),
    ("GET /api/v1/status/", "", None, 200, b"OK"),
    ("GET metrics/", "operator", None, 200, Keys("ts max_ping_id max_notification_id num_unprocessed_flips")),
    ("GET metrics/", "X-Metrics-Key: {operator}", None, 200, {"ts": 1700000400, "num_unprocessed_flips": 1}),
    ("GET /api/v1/metrics", "X-Metrics-Key: {operator}", None, 200, {"ts": 1700000400}),
    ("GET metrics/", "", None, 403, {"error": ...}),  # json, and below
    ("GET metrics/", "X-Metrics-Key: {rw}", None, 403, {"error": ...}),
    ("GET metrics/", "rw", None, 403, {"error": ...}),
    ("GET metrics/", "X-Metrics-Key: foo", None, 403, {"error": ...}),
    ("GET checks/", "X-Metrics-Key: {rw}", None, 401, MISSING),
    ("POST metrics/", "operator", {}, 405, METHOD),
    ("POST projects/{project}/rotate-ping-key", "operator", {"ping_key": "Ab-_5678901234567890xY"}, 200,
        {"ping_key": "Ab-_5678901234567890xY"}),  # older keys have more than small letters and digits
    ("POST projects/{project}/rotate-ping-key", "operator", {"ping_key": "short"}, 400,
        wrong("ping_key does not match pattern")),
    ("POST projects/{project}/rotate-ping-key", "rw", {}, 401, WRONG),
    ("GET /projects/{project}/metrics/{ro}", "", None, 200, re.compile("^hc_checks_total 6", re.MULTILINE)),
    ("GET /projects/{project}/checks/metrics/{ro}", "", None, 200, re.compile('hc_check_up{name="Nightly backup"')),
    ("GET /projects/{project}/metrics/", "Authorization: Bearer {ro}", None, 200,
        re.compile('hc_tag_up{tag="prod"} 1')),
    ("GET /projects/{project}/metrics", "Authorization: Bearer {ro}", None, 200, ...),  # slashes
    ("GET /projects/{project}/metrics/{ro}/", "", None, 200, re.compile("^hc_checks_total 6", re.MULTILINE)),  # slashes
    ("GET /projects/{project}/metrics/{rw}", "", None, 403, {"error": ...}),
    ("GET /projects/{project}/metrics/short", "", None, 400, {"error": ...}),
    ("GET /projects/{project}/metrics/", "", None, 401, {"error": ...}),
    ("GET /projects/{project}/metrics/", "Authorization: bearer {ro}", None, 401, {"error": ...}),
]

OK, LOST, BAD_URL = b"OK", b"not found", b"invalid url format"
TAKEN = {"Content-Type": "text/plain; charset=utf-8", "Access-Control-Allow-Origin": "*", "Ping-Body-Limit": "10000"}
OWN: list[Row] = [  # what the reference server does not have keeps the same rules
    ("GET checks/{job}", "rw", None, 200, {"notify_after": 1, "remind_every": None, "escalation": None, "parent": ""}),
    ("GET checks/{job}", "ro", None, 200, {"notify_after": GONE, "parent": GONE, "acknowledged": GONE}),
    ("POST checks/{job}/ack", "", {}, 401, MISSING),
    ("POST checks/{job}/ack", "ro", {}, 401, WRONG),
    ("POST checks/{missing}/ack", "rw", {"by": 1}, 404, NOT_FOUND),
    ("POST checks/{theirs}/ack", "rw", {}, 404, NOT_FOUND),
    ("POST checks/{job}/ack", "rw", {"by": 1}, 400, wrong("by is not a string")),
    ("POST checks/{JOB}/ack/", "rw", None, 409, {"error": "check is not down"}),
    ("GET checks/{job}/ack", "rw", None, 405, METHOD),
    ("GET maintenance/", "ro", None, 401, WRONG),
    ("GET maintenance", "rw", None, 200, {"maintenance": []}),
    ("POST maintenance/", "rw", {"start": "1700000000", "end": "1700003600"}, 201, {
        "subjects": "", "tags": "", "schedule": None, "open_until": "2023-11-14T23:13:20+00:00", "opens": None,
    }),
    ("POST maintenance/", "rw", {"schedule": "5 4 * * *", "subjects": "{JOB}"}, 201, {
        "subjects": "{job}", "tz": "UTC", "duration": 3600, "start": None, "opens": "2023-11-15T04:05:00+00:00",
    }),
    ("POST maintenance/", "rw", {}, 400, wrong("a window needs start and an end after it, or a schedule")),
    ("POST maintenance/", "rw", {"schedule": "@daily", "subjects": "{theirs}"}, 400, {"error": ...}),  # 404
    ("GET maintenance/{job}", "rw", None, 404, NOT_FOUND),
    ("DELETE maintenance/{missing}", "rw", None, 404, NOT_FOUND),
    ("GET checks/{job}/explain", "ro", None, 200, {"status": "up", "sentences": ...}),
]

PINGS: list[Row] = [
    ("GET /ping/{job}", "", None, 200, OK, TAKEN),
    ("GET /ping/{job}/", "", None, 200, OK, TAKEN),
    ("HEAD /ping/{job}", "", None, 200, b"", TAKEN | {"Content-Length": "2"}),
    ("POST /ping/{job}", "", b"output", 200, OK, TAKEN),
    ("PUT /ping/{job}/log", "", b"output", 200, OK, TAKEN),
    ("GET /ping/{job}/start", "", None, 200, OK, TAKEN),
    ("GET /ping/{job}/fail", "", None, 200, OK, TAKEN),
    ("GET /ping/{job}/log", "", None, 200, OK, TAKEN),
    ("GET /ping/{job}/0", "", None, 200, OK, TAKEN),
    ("GET /ping/{job}/007", "", None, 200, OK, TAKEN),
    ("GET /ping/{job}/255", "", None, 200, OK, TAKEN),
    ("GET /ping/{job}?rid=" + RID, "", None, 200, OK, TAKEN),
    ("GET /ping/{ping_key}/backup", "", None, 200, OK, TAKEN),
    ("GET /ping/{ping_key}/backup/fail", "", None, 200, OK, TAKEN),
    ("GET /ping/{ping_key}/backup/3", "", None, 200, OK, TAKEN),
    ("GET /ping/{ping_key}/fresh?create=1", "", None, 201, b"Created", TAKEN),
    ("GET /ping/{ping_key}/fresh?create=2", "", None, 404, LOST),
    ("GET /ping/{ping_key}/fresh", "", None, 404, LOST),
    ("GET /ping/{missing}", "", None, 404, LOST),
    ("GET /ping/{missing}?create=1", "", None, 404, LOST),
    ("GET /ping/nobody/backup", "", None, 404, LOST),
    ("GET /ping/nobody/fresh?create=1", "", None, 404, LOST),
    ("GET /ping/{job}/success", "", None, 404, LOST),
    ("GET /ping/{job}/START", "", None, 400, BAD_URL),
    ("GET /ping/{ping_key}/Backup", "", None, 400, BAD_URL),
    ("GET /ping/nobody/Backup", "", None, 400, BAD_URL),
    ("GET /ping/{job}/256", "", None, 400, BAD_URL),
    ("GET /ping/{missing}/256", "", None, 404, LOST),
    ("GET /ping/{ping_key}/backup/256", "", None, 400, BAD_URL),
    ("GET /ping/{ping_key}/same/256", "", None, 409, b"ambiguous slug"),
    ("GET /ping/{ping_key}/same", "", None, 409, b"ambiguous slug"),
    ("GET /ping/{ping_key}/same?create=1", "", None, 409, b"ambiguous slug"),
    ("GET /ping/{job}?rid=", "", None, 400, b"invalid uuid format"),
    ("GET /ping/{job}?rid=x", "", None, 400, b"invalid uuid format"),
    ("GET /ping/{job}/256?rid=x", "", None, 400, BAD_URL),
    ("GET /ping/{missing}?rid=x", "", None, 404, LOST),
    ("GET /ping/{job}?rid=x&rid=" + RID, "", None, 200, OK),
    ("GET /ping/{job}?RID=x", "", None, 200, OK),
]
# fmt: on

TABLES: Final[dict[str, list[Row]]] = {
    "keys": KEYS, "order": ORDER, "bodies": BODIES, "paths": PATHS, "methods": METHODS, "fields": FIELDS,
    "writing": WRITING, "reading": READING, "history": HISTORY, "rest": REST, "own": OWN,
    "pings": PINGS,
}  # fmt: skip


class ContractStage(ApiStage):
    """What every case begins with; `names` are what may stand in braces."""

    def __init__(self) -> None:
        super().__init__()
        Badges(self.monitor, self.clock).mount(self.root)
        ops, pager = self._new_channel(1, "ops"), self._new_channel(2, "pager")
        twins = [self._new_channel(number, "twin") for number in (3, 4)]
        self.new_project(OTHER_PROJECT)
        job = self.check(
            1, name="Nightly backup", slug="backup", tags="prod db", timeout=3600, grace=600, channels=(ops,)
        )
        self.submit(uuid(2), CheckCreated(OTHER_PROJECT, CheckSpec(name="theirs")))
        schedule = {"kind": "cron", "schedule": "5 4 * * *", "tz": "Europe/Riga"}
        ids = {
            "job": job,
            "cron": self.check(3, name="cron", slug="cron", tags="prod", **schedule),
            "paused": self.check(4, name="paused", slug="same"),
            "running": self.check(5, slug="same"),
            "timed": self.check(6),
            "theirs": uuid(2),
            "missing": UNKNOWN,
        }
        self.submit(
            "11111111-1111-4111-8111-111111111111", CheckCreated(PROJECT, CheckSpec(name="known to all", slug="known"))
        )
        urls = {f"{name}_badge": project_badge_urls("", PROJECT, tag)["svg"] for name, tag in NAMED}
        badges = {name: url.removesuffix(".svg") for name, url in urls.items()}
        self.names = ids | badges | {"JOB": job.upper(), "OPS": ops.upper()} | {
            "rw": self.rw, "ro": self.ro, "operator": self.operator, "ops": ops, "pager": pager,
            "all_channels": ",".join(sorted([ops, pager, *twins])), "unique": unique_key(job),
            "unique_missing": unique_key(UNKNOWN), "job_badge": badge_key(job), "project": PROJECT,
            "ping_key": PING_KEY, "forged_badge": re.sub("/[^/]+-2", "/xxxxxxxx-2", badges["all_badge"]),
        }  # fmt: skip
        self._past(ids)

    def _new_channel(self, number: int, name: str) -> str:
        id = uuid(number, "d")
        self.submit(id, ChannelCreated(PROJECT, "webhook", name, {"url_down": "http://localhost/"}, SECRET))
        return id

    def _past(self, ids: dict[str, str]) -> None:
        job = ids["job"]
        for id in (job, ids["timed"]):
            self.ping(id, "start", rid=RID)
        self.submit(ids["paused"], CheckPaused())
        self.advance(90)
        sent = {"scheme": "https", "addr": "192.0.2.9", "method": "POST", "ua": "curl/8"}
        for id in (job, ids["timed"]):
            self.ping(id, "success", b"all is well", rid=RID, **sent)
        self.advance(10)
        self.ping(job, "log")
        self.advance(100)
        self.ping(job, "fail", exitstatus=3)
        self.advance(100)
        self.ping(job, "success")
        self.ping(ids["running"], "start")
        self.advance(100)

    def asked(self, line: str, key: str, body: object) -> Reply:
        """What a request is answered, which comes through the door."""
        method, path = self.filled(line).split(" ")
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(self.filled(body)).encode()
        door = Door(
            self.root,
            DoorSettings(),
            self.clock,
            Dates(self.time.wall),
            intake=PingIntake(self.monitor, PingSettings(), new_id=lambda: uuid(99)),
            voice=voice,
        )
        client = Line(self.clock, door)
        target = path if path.startswith("/") else f"/api/v3/{path}"
        lines = [f"{method} {target} HTTP/1.1", "Host: pingmon.example", *self._shown(key)]
        client.send("\r\n".join([*lines, f"Content-Length: {len(raw)}", "", ""]).encode() + raw)
        while not client.replies(head=method == "HEAD") and self.clock.getDelayedCalls():
            self.clock.advance(0.01)
        reply = client.reply(head=method == "HEAD")
        client.hang_up()
        return reply

    def _shown(self, key: str) -> list[str]:
        """The header that shows a key: `rw`, one that is written out, `empty`, or a whole header."""
        if not key:
            return []
        return [self.filled(key) if ": " in key else f"X-Api-Key: {'' if key == 'empty' else self.names.get(key, key)}"]

    def filled(self, told: Any) -> Any:
        """`told` with names in place of what stands in braces."""
        match told:
            case str():
                return re.sub(r"\{(\w+)\}", lambda found: self.names[found[1]], told)
            case dict():
                return {name: self.filled(value) for name, value in told.items()}
            case list():
                return [self.filled(value) for value in told]
            case _:
                return told


NAMED: Final = (("all", ALL), ("prod", "prod"))


def differs(told: Any, found: Any, place: str = "answer") -> list[str]:
    """Where `found` is not as it was told."""
    match told:
        case e if e is ...:
            return []
        case Keys():
            same = list(found) == told.names.split()
            return [] if same else [f"{place} has the keys {' '.join(found)}"]
        case dict():
            gone = [f"{place}.{name} is there" for name, value in told.items() if value is GONE and name in found]
            there = {name: value for name, value in told.items() if value is not GONE}
            return gone + [
                each
                for name, value in there.items()
                for each in differs(
                    value, found.get(name, GONE) if isinstance(found, dict) else GONE, f"{place}.{name}"
                )
            ]
        case list():
            if len(told) != len(found):
                return [f"{place} has {len(found)} items"]
            pairs = enumerate(zip(told, found, strict=True))
            return [each for number, pair in pairs for each in differs(*pair, f"{place}[{number}]")]
        case _:
            return [] if told == found else [f"{place} is {found!r}"]


def _judge(told: Any, body: bytes) -> list[str]:
    if told is ...:
        return []
    if isinstance(told, bytes):
        return [] if body == told else [f"the body is {body!r}"]
    if isinstance(told, re.Pattern):
        return [] if told.search(body.decode()) else [f"the body is {body!r}"]
    return differs(told, json.loads(body))


def _header_fits(told: str, found: str | None) -> bool:
    return found is not None and (told.strip("*") in found if told.startswith("*X") else told == found)


@pytest.mark.parametrize(
    "row",
    [pytest.param(row, id=f"{name}-{number}") for name, rows in TABLES.items() for number, row in enumerate(rows)],
)
def test_case(row: Row) -> None:
    """A client gets what the table says."""
    line, key, body, status, told, *more = row
    house = ContractStage()
    reply = house.asked(line, key, body)
    assert reply.status == status, (line, reply.body)
    assert _judge(house.filled(told), reply.body) == [], (line, body)
    headers = more[0] if more else {}
    assert [name for name, value in headers.items() if not _header_fits(value, reply.headers.get(name))] == [], line
