"""The settings of a site, and changes to them.

Both are kept in the log, in the events that create and change a site. So a field here is for ever, as in
`core.world.events`: a new one has a default that means what older entries meant.
"""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from pingmon.core.changes import applied
from pingmon.core.notify.alert_rules import AlertRuleChanges, AlertRules
from pingmon.core.site.probe_result import Method, Methods, methods
from pingmon.core.units import Id


class SiteSpec(Struct, frozen=True, omit_defaults=True, gc=False, kw_only=True):
    """What a user chose for a site. `interval` and `timeout` are seconds; `host` is a partner's slug, `auto` or "".

    `patience`: for how many seconds it must fail before it is down. `local_only`: verifiers are not asked, because they
    cannot reach it. `method` is what it is asked; `head_only`: no GET where HEAD came to nothing.
    """

    name: str = ""
    url: str
    interval: int = 300
    timeout: int = 10
    host: str = "auto"
    tags: str = ""
    channels: tuple[Id, ...] = ()
    head_only: bool = False
    patience: int = 0
    local_only: bool = False
    method: Method = "HEAD"
    alerts: AlertRules = AlertRules()

    @property
    def methods(self) -> Methods:
        """What it is asked."""
        return methods(self.method, self.head_only)


class SiteChanges(Struct, frozen=True, omit_defaults=True, gc=False, kw_only=True):
    """The fields of a `SiteSpec` that an update sets; the others stay as they are."""

    name: str | UnsetType = UNSET
    url: str | UnsetType = UNSET
    interval: int | UnsetType = UNSET
    timeout: int | UnsetType = UNSET
    host: str | UnsetType = UNSET
    tags: str | UnsetType = UNSET
    channels: tuple[Id, ...] | UnsetType = UNSET
    head_only: bool | UnsetType = UNSET
    patience: int | UnsetType = UNSET
    local_only: bool | UnsetType = UNSET
    method: Method | UnsetType = UNSET
    alerts: AlertRuleChanges | UnsetType = UNSET

    def applied_to(self, spec: SiteSpec) -> SiteSpec:
        """`spec` with these changes; the same object if there are none."""
        if self.alerts is UNSET:
            return applied(self, spec)
        rules = self.alerts.applied_to(spec.alerts)
        return applied(replace(self, alerts=UNSET), replace(spec, alerts=rules) if rules != spec.alerts else spec)
