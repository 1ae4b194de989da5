"""Crontabs: what is read is written again as it was, jobs get checks, and their lines do what they did."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pingmon.cli.crontab import CronJob, job_name, needs_shell, parsed, printed, with_curl, with_run

PARTS = [
    "* * * * *",
    "@daily",
    "#",
    "=",
    "%",
    "\\%",
    "MAILTO",
    '"',
    "'",
    " ",
    "\t",
    "\n",
    "a",
    "&&",
    "\r",
    "-",
    "@x",
    "7",
]
TEXTS = st.lists(st.sampled_from(PARTS) | st.text(max_size=3), max_size=20).map("".join)


def jobs(text: str, *, system: bool = False) -> list[CronJob]:
    return [line for line in parsed(text, system=system) if isinstance(line, CronJob)]


def job(line: str) -> CronJob:
    (found,) = jobs(line)
    return found


@given(TEXTS, st.booleans())
def test_what_is_read_is_written_byte_for_byte(text: str, system: bool) -> None:
    """Whatever it is."""
    assert printed(parsed(text, system=system)) == text


@given(TEXTS, st.booleans())
def test_a_line_with_pings_is_the_same_job(text: str, system: bool) -> None:
    """It runs when it did, with the input that it had, and is known to have pings."""
    for before in jobs(text, system=system):
        if before.pings:
            continue
        for changed in (with_run(before, "slug", "pingmon"), with_curl(before, "http://a/ping/b")):
            (after,) = jobs(changed.text, system=system)
            assert (after.schedule, after.before, after.after) == (before.schedule, before.before, before.after)
            assert after.command == changed.command
            assert after.pings


def test_settings_count_for_the_lines_below_them() -> None:
    """Zones, shells and paths; quotes are not part of them."""
    text = "0 1 * * * a\nCRON_TZ = Europe/Riga\nSHELL='/bin/bash'\nPATH=/opt/bin\n0 2 * * * b\nCRON_TZ=UTC\n@daily c\n"
    first, second, third = jobs(text)
    assert (first.zone, first.shell, first.path) == ("", "", "")
    assert (second.zone, second.shell, second.path) == ("Europe/Riga", "/bin/bash", "/opt/bin")
    assert (third.number, third.zone, third.expression) == (7, "UTC", "0 0 * * *")


def test_what_stands_right_above_a_job_explains_it() -> None:
    """But not the names of the columns, a job that is switched off, or a comment further away."""
    text = "# m h dom mon dow command\n# Dump of\n#   all tables\n#0 1 * * * off\n0 1 * * * a\n# far\n\n0 2 * * * b\n"
    assert [each.comment for each in jobs(text)] == ["Dump of all tables", ""]


def test_a_system_crontab_has_users() -> None:
    """They stay where they are."""
    (found,) = jobs("17 *\t* * *   root    run-parts /etc/cron.hourly\n1 1 * * * nobody\n", system=True)
    assert found.schedule == "17 * * * *"
    assert found.command == "run-parts /etc/cron.hourly"
    assert with_run(found, "x", "pingmon").text == "17 *\t* * *   root    pingmon run x run-parts /etc/cron.hourly"


@pytest.mark.parametrize(
    ("schedule", "expression"),
    [
        ("@hourly", "0 * * * *"),
        ("@Daily", "0 0 * * *"),
        ("@midnight", "0 0 * * *"),
        ("@weekly", "0 0 * * 0"),
        ("@monthly", "0 0 1 * *"),
        ("@yearly", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"),
        ("@reboot", None),
        ("*/5  1\t2 jan  mon", "*/5 1 2 jan mon"),
        ("-* * * * *", "* * * * *"),
    ],
)
def test_when_a_job_runs(schedule: str, expression: str | None) -> None:
    """In five fields, if a clock says it. A minus, by which cronie logs nothing, stays."""
    found = job(f"{schedule} a")
    assert found.expression == expression
    assert found.text == f"{schedule} a"


@pytest.mark.parametrize(
    "line", ["", "# 0 1 * * * a", "A=b", "'A b' = c", "* * * * *", "* * * * * ", "* * * * * %x", "0 1 a"]
)
def test_lines_that_are_no_jobs(line: str) -> None:
    assert jobs(line) == []


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("/usr/local/bin/backup.sh --full", "backup"),
        ("cd /srv && ./rotate.py x", "rotate"),
        ("test -x /usr/sbin/anacron || { cd / && run-parts --report /etc/cron.daily; }", "cron.daily"),
        ("nice -n 19 flock -n /run/x python3 -u /opt/poll.py", "poll"),
        ("sudo -u www-data A=b php /srv/app/artisan.php schedule:run", "artisan"),
        ("A='b c' timeout -k 5 10m restic backup", "restic"),
        ("/bin/sh -c 'cd /x; dump | gzip > y'", "dump"),
        ("> /tmp/x rsync a b", "rsync"),
        ("chronic", "chronic"),
        ("bash", "bash"),
        ("cd /x", "job"),
        ("it's broken", "it's"),
        ("date +\\%F", "date"),
    ],
)
def test_a_job_is_called_by_its_program(command: str, name: str) -> None:
    """By what it is about, not by what prepares for it or starts it."""
    assert job_name(command) == name


@pytest.mark.parametrize(
    ("command", "shell"),
    [
        ("/bin/a 'b c' >/dev/null 2>&1", False),
        ("a < b >> c", False),
        ("a $HOME *.x", False),
        ("a && b", True),
        ("a | b", True),
        ("a; b", True),
        ("(a)", True),
        ("a >x;b", True),
        ("a `b`", True),
        ("a $(b)", True),
        ("A=b a", True),
        ("cd x", True),
        ("a # b", True),
        (">x a", True),
        ("2>x a", True),
        ("a 'b", True),
    ],
)
def test_only_what_a_shell_must_do_gets_a_shell(command: str, shell: bool) -> None:
    """One program with its arguments is started by `pingmon run` itself."""
    assert needs_shell(command) is shell


WORDS = [
    "true",
    "false",
    "echo a",
    "echo 'b  c'",
    'echo "$X"',
    "cat",
    "X=1",
    "&&",
    "||",
    "|",
    ";",
    ">&2",
    "2>&1",
    "\\%",
    "$X",
    "(",
    ")",
]


@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=6).map(" ".join))
def test_under_pingmon_run_a_command_does_what_it_did(command: str) -> None:
    """As the shell of cron does it: the same output, and the same exit status."""
    found = job(f"* * * * * {command}")
    program = 'pingmon() { shift 2; "$@"; }; '

    def ran(line: str) -> tuple[bytes, int]:
        script = line.replace("\\%", "%")
        done = subprocess.run(["sh", "-c", script], capture_output=True, input=b"in", timeout=10, check=False)
        return done.stdout, min(done.returncode, 2)

    assert ran(program + with_run(found, "x", "pingmon").command) == ran(command)


def test_a_ping_by_curl_has_the_exit_status(tmp_path: Path) -> None:
    """Whatever the command is made of."""
    curl = tmp_path / "curl"
    curl.write_text(f"#!/bin/sh\nfor last; do :; done\necho $last >> {tmp_path}/pings\n")
    curl.chmod(0o755)
    for command in ("sh -c 'exit 3'", "true && false", "true # of course", "(exit 4)"):
        line = with_curl(job(f"* * * * * {command}"), "http://a/ping/b").command
        subprocess.run(["sh", "-c", line], env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, timeout=10, check=False)
    assert (tmp_path / "pings").read_text().split() == [f"http://a/ping/b/{status}" for status in (3, 1, 0, 4)]
