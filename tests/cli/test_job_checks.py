"""The checks that jobs would need: their names, and what the API would say of them."""

from __future__ import annotations

import tomllib

import pytest

from pingmon.cli.job_checks import JobCheck, Names, as_file, expected, judge
from pingmon.testing import START
from pingmon.wire.api.check_fields import SLUG_MAX, Invalid

DAILY = {"schedule": "0 0 * * *", "tz": "UTC"}


def test_each_job_gets_a_name_of_its_own() -> None:
    """With the machine's, because two machines may have a job that is called the same."""
    names = Names("web1", used=["web1-dump-2"])
    first, second = (names.fields("dump", expected(DAILY)) for _ in range(2))
    assert first == {"name": "dump on web1", "slug": "web1-dump", "tags": "web1"}
    assert second == {"name": "dump on web1 (3)", "slug": "web1-dump-3", "tags": "web1"}
    assert Names("").fields("Cron.Daily", ()) == {"name": "Cron.Daily", "slug": "cron-daily"}
    assert Names("").fields("日本", ())["slug"] == "job"
    long = Names("h" * 90)
    assert all(len(long.fields("x" * 90, ())["slug"]) <= SLUG_MAX for _ in range(11))


def test_a_check_that_is_there_is_only_that_of_a_job_that_runs_then() -> None:
    """Of two jobs with one check, neither would be missed."""
    there = {"dump": expected(DAILY)}
    assert Names("", there=there).fields("dump", expected(DAILY))["slug"] == "dump"
    assert Names("", there=there).fields("dump", expected({"timeout": 60}))["slug"] == "dump-2"


def test_what_the_api_would_refuse_is_refused() -> None:
    judge({"grace": 60, **DAILY}, START)
    with pytest.raises(Invalid, match="no occurrence in the future"):
        judge({"schedule": "2020-01-01", "tz": "UTC"}, START)
    with pytest.raises(Invalid, match="timeout is too large"):
        judge({"timeout": 10**9}, START)


def test_as_a_file_they_are_what_apply_reads() -> None:
    """Without channels: who is told is for those to say who read it."""
    text = as_file([JobCheck("line 1", {"slug": "a", "name": "A", "grace": 3600, **DAILY})])
    assert tomllib.loads(text) == {"checks": {"a": {"name": "A", "schedule": "0 0 * * *"}}}
