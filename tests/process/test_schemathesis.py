"""A real daemon is asked what schemathesis makes of its OpenAPI document: requests that fit it, and such that do not.

It checks that every answer has a status, a type of content and a shape that the document tells, that none is a 500,
that what does not fit is refused, that nobody gets in without a key, and that what was deleted is gone.
"""

from __future__ import annotations

import subprocess

import pytest

from tests.process.daemons import Running, Starter
from tests.process.forked import BIN
from tests.process.site_stage import config

COMMAND = BIN / "schemathesis"

pytestmark = [
    pytest.mark.process,
    pytest.mark.slow,
    pytest.mark.skipif(not COMMAND.exists(), reason="needs schemathesis"),
]

OPERATORS = ("projects", "keys", "partners", "metrics")
PROJECTS = ("checks", "channels", "badges", "sites")
EXAMPLES = 10
"""Requests for each operation beside those that go to the limits of each field."""
TIMEOUT_S = 55


def judged(daemon: Running, tags: tuple[str, ...], key: str, *options: str, ids: str = "") -> None:
    """Let schemathesis ask, and fail with what it says if it finds anything. `ids`: its configuration.

    What a schema allows and a rule refuses (a time zone that there is not) is no fault, so that is not checked.
    """
    place = daemon.data.parent
    (place / "schemathesis.toml").write_text(ids)
    command = [str(COMMAND), "run", f"{daemon.url}/api/v3/", "--header", f"X-Api-Key: {daemon.keys[key]}", *options]
    command += [part for tag in tags for part in ("--include-tag", tag)]
    command += ["--checks", "all", "--exclude-checks", "positive_data_acceptance", "--warnings", "off"]
    command += ["--seed", "1", "--max-examples", str(EXAMPLES), "--no-shrink", "--no-color"]
    told = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, cwd=place, check=False)
    assert told.returncode == 0, told.stdout + told.stderr
    assert "an error while" not in daemon.log.read_text()


def ids(daemon: Running, receiver: str) -> str:
    """Makes one of everything; what schemathesis is told of their ids."""
    channel = {"kind": "webhook", "name": "ops", "value": {"url_down": receiver}}
    made = {
        "checks": daemon.api("POST", "checks/", {"name": "backup", "slug": "backup"}).json["uuid"],
        "channels": daemon.api("POST", "channels/", channel).json["id"],
        "sites": daemon.api("POST", "sites/", {"url": receiver}).json["uuid"],
        "projects": daemon.keys["project"],
        "partners": daemon.api("POST", "partners/", {"slug": "hosty"}, "operator_key").json["uuid"],
    }
    assert daemon.ping("backup", method="POST", body=b"all is well").status == 200
    return "".join(
        f'[[operations]]\ninclude-path-regex = "^/{path}/."\nparameters = {{ id = "{id}", n = "1" }}\n'
        for path, id in made.items()
    )


@pytest.mark.parametrize(("tags", "key"), [(PROJECTS, "api_key"), (OPERATORS, "operator_key")])
def test_operations_on_what_there_is(start: Starter, tags: tuple[str, ...], key: str) -> None:
    """All but deletion, one by one."""
    daemon = start(config=config())
    there = ids(daemon, f"{start.receiver().url}/")
    judged(daemon, tags, key, "--exclude-method", "DELETE", "--phases", "coverage,fuzzing", ids=there)


@pytest.mark.parametrize(("tags", "key"), [(PROJECTS, "api_key"), (OPERATORS, "operator_key")])
def test_operations_one_after_another(start: Starter, tags: tuple[str, ...], key: str) -> None:
    """What is made is read, changed and deleted by the links in the document.

    Whoever moves a check names it in the body: a 404 there says nothing of the project, as schemathesis thinks.
    """
    judged(start(config=config()), tags, key, "--exclude-operation-id", "post_take_check", "--phases", "stateful")


def test_what_needs_no_key(start: Starter) -> None:
    """Whether the daemon is well, and the document itself."""
    judged(start(config=config()), ("status", "document"), "api_key", "--phases", "coverage,fuzzing")
