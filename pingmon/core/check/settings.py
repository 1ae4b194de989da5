"""The settings of a check, and changes to them.

Both are kept in the log, in the events that create and change a check. So a field here is for ever, as in
`core.world.events`: a new one has a default that means what older entries meant.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from pingmon.core.changes import applied
from pingmon.core.notify.alert_rules import AlertRuleChanges, AlertRules
from pingmon.core.units import Id

Schedule: TypeAlias = Literal["simple", "cron", "oncalendar"]


class CheckSpec(Struct, frozen=True, omit_defaults=True, gc=False, kw_only=True):
    """What a user chose for a check; names and limits are those of the management API.

    `timeout` and `grace` are seconds. `channels` are channel ids, sorted.
    """

    name: str = ""
    slug: str = ""
    tags: str = ""
    desc: str = ""
    kind: Schedule = "simple"
    timeout: int = 86400
    grace: int = 3600
    schedule: str = "* * * * *"
    tz: str = "UTC"
    manual_resume: bool = False
    methods: str = ""
    filter_subject: bool = False
    filter_body: bool = False
    filter_http_body: bool = False
    filter_default_fail: bool = False
    start_kw: str = ""
    success_kw: str = ""
    failure_kw: str = ""
    channels: tuple[Id, ...] = ()
    alerts: AlertRules = AlertRules()


class CheckChanges(Struct, frozen=True, omit_defaults=True, gc=False, kw_only=True):
    """The fields of a `CheckSpec` that an update sets; the others stay as they are."""

    name: str | UnsetType = UNSET
    slug: str | UnsetType = UNSET
    tags: str | UnsetType = UNSET
    desc: str | UnsetType = UNSET
    kind: Schedule | UnsetType = UNSET
    timeout: int | UnsetType = UNSET
    grace: int | UnsetType = UNSET
    schedule: str | UnsetType = UNSET
    tz: str | UnsetType = UNSET
    manual_resume: bool | UnsetType = UNSET
    methods: str | UnsetType = UNSET
    filter_subject: bool | UnsetType = UNSET
    filter_body: bool | UnsetType = UNSET
    filter_http_body: bool | UnsetType = UNSET
    filter_default_fail: bool | UnsetType = UNSET
    start_kw: str | UnsetType = UNSET
    success_kw: str | UnsetType = UNSET
    failure_kw: str | UnsetType = UNSET
    channels: tuple[Id, ...] | UnsetType = UNSET
    alerts: AlertRuleChanges | UnsetType = UNSET

    def applied_to(self, spec: CheckSpec) -> CheckSpec:
        """`spec` with these changes; the same object if there are none."""
        if self.alerts is UNSET:
            return applied(self, spec)
        rules = self.alerts.applied_to(spec.alerts)
        return applied(replace(self, alerts=UNSET), replace(spec, alerts=rules) if rules != spec.alerts else spec)
