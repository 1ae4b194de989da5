"""When and how often people are told of an outage: rules of a check or site, and of its project for those it lacks.

    notify_after    failures in a row before anybody is told (checks)
    remind_every    how often those who were told are told again, for as long as it lasts
    escalation      who else is told, step by step, unless somebody has acknowledged the outage
    parent          the check or site without which this one cannot work: while that is down, nobody is told of this one

They are kept in the log with the settings, so a field here is for ever, as in `core.world.events`.
"""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType

from pingmon.core.changes import applied
from pingmon.core.units import Id


class EscalationStep(Struct, frozen=True, gc=False):
    """`after`: seconds from when people were first told. `channels` are told then."""

    after: int
    channels: tuple[Id, ...]


class AlertRules(Struct, frozen=True, omit_defaults=True, gc=False, kw_only=True):
    """`remind_every` is in seconds, 0: never. None there and in `escalation`: as the project says."""

    notify_after: int = 1
    remind_every: int | None = None
    escalation: tuple[EscalationStep, ...] | None = None
    parent: Id = ""


class AlertRuleChanges(Struct, frozen=True, omit_defaults=True, gc=False, kw_only=True):
    """The rules that an update sets; the others stay as they are."""

    notify_after: int | UnsetType = UNSET
    remind_every: int | UnsetType | None = UNSET
    escalation: tuple[EscalationStep, ...] | UnsetType | None = UNSET
    parent: Id | UnsetType = UNSET

    def applied_to(self, rules: AlertRules) -> AlertRules:
        """`rules` with these changes; the same object if there are none."""
        return applied(self, rules)


class ProjectAlertRules(Struct, frozen=True, omit_defaults=True, gc=False, kw_only=True):
    """What holds for checks and sites that say nothing else."""

    remind_every: int = 0
    escalation: tuple[EscalationStep, ...] = ()

    def for_subject(self, rules: AlertRules) -> ProjectAlertRules:
        """What holds for a check or site with these `rules`."""
        remind_every = self.remind_every if rules.remind_every is None else rules.remind_every
        escalation = self.escalation if rules.escalation is None else rules.escalation
        return ProjectAlertRules(remind_every=remind_every, escalation=escalation)
