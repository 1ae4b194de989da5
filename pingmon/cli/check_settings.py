"""The settings of a check as options: what `--help` says of each. Their rules are the API's."""

from __future__ import annotations

from typing import Final

ALERTS: Final = {
    "remind_every": "How often those who were told are told again while it is down, from 1m; 0: never.",
    "escalation": "Who is told later unless somebody acknowledges it: 10m=boss,30m=phone+pager; '' nobody.",
    "parent": "The check or site (its id) without which it cannot work: nobody is told while that is down.",
}
"""What checks and sites have in common."""

SETTINGS: Final = {
    "name": "What people call it.",
    "slug": "What ping URLs call it: a-z, 0-9, - and _.",
    "tags": "Tags, separated by spaces.",
    "desc": "What it is, for whoever is woken by it.",
    "schedule": "When pings are expected: cron (30 3 * * *, @daily) or OnCalendar (Mon..Fri 10:00).",
    "tz": "The time zone of the schedule: Europe/Riga.",
    "timeout": "Instead of a schedule: the time between two pings, 1m to 365d.",
    "grace": "How late a ping may come, and how long a run may take, 1m to 365d.",
    "channels": "Who is told: ids or exact names, separated by commas; * is all channels, '' none.",
    "manual_resume": "When it is paused, whether pings leave it so.",
    "methods": "POST: only POST requests count; '': all do.",
    "start_kw": "Keywords of a start, separated by commas, for the filters.",
    "success_kw": "Keywords of a success.",
    "failure_kw": "Keywords of a failure.",
    "filter_subject": "Whether keywords are looked for in an e-mail's subject.",
    "filter_body": "Whether keywords are looked for in an e-mail's body.",
    "filter_http_body": "Whether keywords are looked for in a request's body.",
    "filter_default_fail": "Whether a ping without any keyword is a failure; else it is ignored.",
    "notify_after": "After how many failures in a row people are told.",
} | ALERTS
"""The options that set a field of the API, each with what `--help` says of it."""

UNIQUE: Final = {"unique": "Change the check that has the same, if there is one: of name,slug,tags,timeout,grace."}
