"""What folding an entry tells: who hears of it listens for this."""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

from pingmon.core.check.check import Check
from pingmon.core.flip import Flip
from pingmon.core.notify.notification import Delivery
from pingmon.core.notify.trouble import Trouble
from pingmon.core.partner.partner import Partner
from pingmon.core.site.site import Site
from pingmon.core.units import DAEMON, Id
from pingmon.core.world.project import Key, Project

Subject: TypeAlias = Check | Site
"""What has a status, flips, and channels that are told."""
Topic: TypeAlias = Subject | Trouble
"""What a message can be about."""
Result: TypeAlias = Literal["done", "created", "exists", "ambiguous", "full", "unknown"]


class Outcome(Struct, frozen=True, gc=False):
    """What folding an entry did.

    `exists`: nothing, because the check wanted is `id`; `ambiguous`: nothing, several checks have the slug;
    `full`: nothing, the project has as many as it may; `unknown`: nothing, what the entry is about is not there.
    `check`, `site`, `partner`, `project` and `key` are what the entry was about, afterwards; `channels` those that are
    owed something new; `ended` says of messages that are owed no more what became of them; `everything` tells that
    deadlines of all checks have moved.
    """

    result: Result = "done"
    id: Id = DAEMON
    check: Check | None = None
    site: Site | None = None
    partner: Partner | None = None
    flip: Flip | None = None
    channels: tuple[Id, ...] = ()
    ended: tuple[Delivery, ...] = ()
    everything: bool = False
    project: Project | None = None
    key: Key | None = None
