"""A check as clients see it: the JSON object of versions 1, 2 and 3 of the management API.

The keys, their order and their spelling are those of the reference server. A read-only key sees `unique_key` in place
of everything that names the check's id. After the known keys come pingmon's own, which clients ignore:
`schedule_means` (the five fields, where `schedule` is a name such as `@daily`), `last_start`, `last_success`, `told`
(somebody has heard that it is down, as it is), `warnings`; to a read-write key, `notify_after`, `remind_every`,
`escalation`, `parent` and `acknowledged`. A schedule is shown as it was sent, so that a tool that
compares what it sent with what it reads (Terraform, Ansible) sees no change.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from hashlib import sha1
from typing import Any, Final, TypeAlias
from uuid import UUID

from msgspec import UNSET, Struct

from pingmon.core.check.check import Check, next_ping, shown_status, watched_since
from pingmon.core.check.schedule import meaning
from pingmon.core.notify.alert_rules import AlertRuleChanges, EscalationStep
from pingmon.core.notify.owed_messages import told
from pingmon.core.units import SECOND, Id
from pingmon.core.world.outcome import Subject
from pingmon.wire.badges import check_badge_url
from pingmon.wire.time_texts import seconds_text

Json: TypeAlias = dict[str, Any]

STARTED_STATUS: Final = (1,)
"""Versions of the API in which `started` is a status."""


class View(Struct, frozen=True):
    """How checks are shown in one answer: to a key of which role, in which version, under which addresses.

    `base` is the daemon's own URL without a slash at its end, `ping_base` what a check's id follows in its ping URL.
    `now` is in microseconds since the epoch.
    """

    version: int
    readonly: bool
    base: str
    ping_base: str
    now: int

    def check_url(self, id: Id) -> str:
        """The address of the check in this version of the API."""
        return f"{self.base}/api/v{self.version}/checks/{id}"


def check_json(check: Check, view: View) -> Json:
    """The JSON object of one check."""
    spec = check.spec
    shown: Json = {
        "name": spec.name,
        "slug": spec.slug,
        "tags": spec.tags,
        "desc": spec.desc,
        "grace": spec.grace,
        "n_pings": check.n_pings,
        "status": status(check, view),
        "started": watched_since(check.runs) is not None,
        "last_ping": seconds_text(check.last_ping),
        "next_ping": seconds_text(next_ping(check)),
        "manual_resume": spec.manual_resume,
        "methods": spec.methods,
        "subject": spec.success_kw if spec.filter_subject else "",
        "subject_fail": spec.failure_kw if spec.filter_subject else "",
        "start_kw": spec.start_kw,
        "success_kw": spec.success_kw,
        "failure_kw": spec.failure_kw,
        "filter_subject": spec.filter_subject,
        "filter_body": spec.filter_body,
        "filter_http_body": spec.filter_http_body,
        "filter_default_fail": spec.filter_default_fail,
        "badge_url": check_badge_url(view.base, check.id),
    }
    if check.last_duration is not None:
        shown["last_duration"] = check.last_duration // SECOND
    if view.readonly:
        shown["unique_key"] = unique_key(check.id)
    else:
        shown |= _addresses(check, view)
    if spec.kind == "simple":
        shown["timeout"] = spec.timeout
    else:
        shown["schedule"] = spec.schedule
        shown["tz"] = spec.tz
        if (fields := meaning(spec.schedule)) != spec.schedule:
            shown["schedule_means"] = fields
    shown["last_start"] = seconds_text(check.last_start)
    shown["last_success"] = seconds_text(check.last_success)
    shown["told"] = told(check)
    shown["warnings"] = warnings(check)
    if not view.readonly:
        shown["notify_after"] = check.spec.alerts.notify_after
        shown |= alerts_json(check)
    return shown


def _addresses(check: Check, view: View) -> Json:
    url = view.check_url(check.id)
    return {
        "uuid": check.id,
        "ping_url": view.ping_base + check.id,
        "update_url": url,
        "pause_url": f"{url}/pause",
        "resume_url": f"{url}/resume",
        "channels": ",".join(check.spec.channels),
    }


def alerts_json(subject: Subject) -> Json:
    """When people are told of its outages, beside the first message, and who has acknowledged the present one."""
    rules, audience = subject.spec.alerts, subject.audience
    known = None if subject.status != "down" or audience is None else audience.acknowledged
    return {
        "remind_every": rules.remind_every,
        "escalation": None if rules.escalation is None else steps_json(rules.escalation),
        "parent": rules.parent,
        "acknowledged": None if known is None else {"at": seconds_text(known.at), "by": known.by},
    }


def alerts_changed_json(changes: AlertRuleChanges) -> Json:
    """Those of the rules that are set."""
    set_ = {name: value for name in changes.__struct_fields__ if (value := getattr(changes, name)) is not UNSET}
    return set_ | ({"escalation": steps_json(set_["escalation"])} if set_.get("escalation") else {})


def steps_json(steps: Iterable[EscalationStep]) -> list[Json]:
    """The steps of an escalation."""
    return [{"after": step.after, "channels": ",".join(step.channels)} for step in steps]


def status(check: Check, view: View) -> str:
    """The status as this version of the API calls it."""
    shown = shown_status(check, view.now)
    if view.version not in STARTED_STATUS:
        return shown
    start = watched_since(check.runs)
    if start is None or (shown == "down" and view.now >= start + check.spec.grace * SECOND):
        return shown
    return "started"


def warnings(subject: Subject) -> list[str]:
    """What is perhaps not as it was meant with a check or site, a sentence each."""
    if subject.spec.channels:
        return ["it went down when it had no channels: nobody was told"] if _down_unheard(subject) else []
    now = "it is down, and nobody is told" if subject.status == "down" else "nobody is told when it goes down"
    return [f"it has no channels: {now}"]


def _down_unheard(subject: Subject) -> bool:
    audience = subject.audience
    return subject.status == "down" and audience is not None and audience.new == "down" and not audience.owed


def tagged(subject: Subject, tags: frozenset[str]) -> bool:
    """Whether the check or site has all of `tags`; its own are separated by spaces only, and none is empty."""
    return tags <= {tag for tag in subject.spec.tags.split(" ") if tag}


@lru_cache(maxsize=65_536)
def unique_key(id: Id) -> str:
    """The name of a check for those who may not know its id: SHA-1 of the id's first 16 hex digits, in hex."""
    return sha1(UUID(id).hex[:16].encode(), usedforsecurity=False).hexdigest()
