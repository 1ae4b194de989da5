"""A refused schedule is told with the part that is wrong, and why."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pingmon.core.check.schedule import BadSchedule, validated
from pingmon.core.check.schedule_faults import NAMES, SHOWN_MAX

FIVE = "cron has five: minute, hour, day of month, month, day of week"
NEVER = "it never comes true, or not any more since the year 2000"
ORDER = "the order is weekday, date, time, time zone, each at most once"


def judged(expression: str) -> str | None:
    try:
        validated(expression)
    except BadSchedule as error:
        return str(error)
    return None


@pytest.mark.parametrize(
    ("expression", "fault"),
    [
        ("*", f"one field: {FIVE}"),
        ("*/5 0", f"two fields: {FIVE}"),
        ("0 0 1 1", f"four fields: {FIVE}"),
        ("59 59 9 * * *", "six fields: cron has five; for seconds use OnCalendar, `09:59:59`"),
        ("0 30 9 ? * MON-FRI", "six fields: cron has five; for seconds use OnCalendar, `09:59:59`"),
        ("*/70 * * * * *", "six fields: cron has five; for seconds use OnCalendar, `09:59:59`"),
        ("0 0 0 L * ? 2027", "7 fields: cron has five; for seconds and years use OnCalendar, `2027-01-31 09:59:59`"),
        ("0 5 * * * /bin/backup -a", "/bin/backup -a: cron's five fields are all there is, without a command"),
        ("0 5 * * * Europe/Riga", "cron takes no time zone: send Europe/Riga as `tz`"),
        ("@daily Europe/Riga", "cron takes no time zone: send Europe/Riga as `tz`"),
        ("12:00\n0 5 * * *", "line 2: cron stands alone, on one line"),
        ("12:00\n@daily", "line 2: @daily stands alone, on one line"),
        ("@Daily", f"@Daily is none of the names: {', '.join(NAMES)}"),
        ("@reboot", f"@reboot is none of the names: {', '.join(NAMES)}"),
        ("61 * * * *", "minute: 61 is not within 0 to 59"),
        ("0 1,24,99 * * *", "hour: 24 is not within 0 to 23"),
        ("0 0 15W * *", "day of month: 15W is not within 1 to 31"),
        ("0 0 1 feb,foo *", "month: foo is not within 1 to 12 or JAN to DEC"),
        ("0 0 * * 5#6", "day of week: 5#6 is not within 0 to 7 or SUN to SAT"),
        ("0 0 * * MON-SUN", "day of week: MON-SUN ends before it begins"),
        ("0 0 *-5 * *", "day of month: * is not within 1 to 31"),
        ("0,,5 * * * *", "minute: a value is missing"),
        ("-1 * * * *", "minute: a value is missing"),
        ("*/0 * * * *", "minute: the step 0 is not a whole number above 0"),
        ("*/x * * * *", "minute: the step x is not a whole number above 0"),
        ("1/\u00b2 * * * *", "minute: the step \u00b2 is not a whole number above 0"),
        ("\u0661 * * * *", "minute: \u0661 is not within 0 to 59"),
        ("0 12 * * ?", "day of week: `?` is not cron's, write `*`"),
        ("H 5 * * *", "minute: `H` is Jenkins's, write a number"),
        ("0 0 30 2 *", "day of month: no month that is meant has such a day"),
        (f"{'1' * 50} * * * *", f"minute: {'1' * (SHOWN_MAX - 1)}\u2026 is not within 0 to 59"),
    ],
)
def test_cron(expression: str, fault: str) -> None:
    """The field by its name, the value, and what it may be; or what does not belong to cron at all."""
    assert judged(expression) == fault


@pytest.mark.parametrize(
    ("expression", "fault"),
    [
        ("", "it is empty"),
        ("12:00\n\n13:00", "line 2: it is empty"),
        ("300", "300 is a number: for a period in seconds send `timeout`"),
        ("every day", "every is no weekday, date, time or time zone"),
        ("5 minutes", "5 is no weekday, date, time or time zone"),
        ("12:00 Europe", "Europe is no weekday, date, time or time zone"),
        ("Mon,Foo 12:00", "Foo is no weekday, date, time or time zone"),
        ("Fri-Mon 12:00", "Fri..Mon ends before it begins"),
        ("Mon/2 12:00", "Mon/2 cannot be read"),
        ("12:00 Mon", ORDER),
        ("Mon Tue", ORDER),
        ("25:00", "hour: 25 is not within 0 to 23"),
        ("12:60 Europe/Riga", "minute: 60 is not within 0 to 59"),
        ("12:00:00.5", "second: 00.5 is not a whole number"),
        ("23:59:60", "second: 60 is not within 0 to 59"),
        ("12:00:xx", "second: xx is not within 0 to 59"),
        ("*:*/5", "minute: `*` stands alone, write 0/5"),
        ("1:2:3:4", "time: 1:2:3:4 is not hours:minutes or hours:minutes:seconds"),
        ("2026-01-01T12:00", "2026-01-01T12:00: a space stands between date and time"),
        ("13-01", "month: 13 is not within 1 to 12"),
        ("2300-01-01", "year: 2300 is not within 1970 to 2199"),
        ("Mon *-*-32 12:00", "day: 32 is not within 1 to 31"),
        ("*-*~29", "day before the end of the month: 29 is not within 1 to 28"),
        ("1-2-3-4", "date: 1-2-3-4 is not month-day or year-month-day"),
        ("*:0/90", "0/90 is a step that leads nowhere"),
        ("12:00 localtime", "localtime is no time zone"),
        ("Mon 12:00 Europe/Rigaa", "Europe/Rigaa is no time zone"),
        ("Europe/Riga 12:00", ORDER),
        ("Europe/Riga", "Europe/Riga: a weekday, date or time is missing"),
        ("*-02-30", NEVER),
        ("Mon 2024-02-29", NEVER),
        ("1999-01-01", NEVER),
    ],
)
def test_oncalendar(expression: str, fault: str) -> None:
    """The line, if there are several, and in it the part by its name, the value, and what it may be."""
    assert judged(expression) == fault


WORD = st.sampled_from(["*", "0", "5", "@daily", "MON", "Mon", "12:00", "2026-01-01", "*/5", "UTC", "L", "~", "\n"])


@given(
    st.one_of(
        st.lists(WORD | st.text("0159*/,-~:.LW#?Mon ", max_size=8), max_size=8).map(" ".join), st.text(max_size=99)
    )
)
def test_every_text_is_a_schedule_or_is_told_what_is_wrong_with_it(expression: str) -> None:
    """In one sentence, of a length that a terminal can show."""
    fault = judged(expression)
    assert fault is None or (0 < len(fault) < 200 and len(fault.splitlines()) == 1)
