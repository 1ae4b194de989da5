"""Which measurements (pings, probes) may be trimmed. The rule is the same for every engine."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from pingmon.core.units import DAY
from pingmon.core.world.events import CheckDeleted, Event, PingReceived, SiteDeleted, SiteProbed

MEASUREMENTS: Final[dict[type[Event], type[Event]]] = {PingReceived: CheckDeleted, SiteProbed: SiteDeleted}
"""The events that may be trimmed, each with the one after which nobody needs those of the same stream."""


class Retention(Struct, frozen=True):
    """A ping may go if at least `pings_per_check` pings of its check are newer, or if it and all before it are older
    than `max_age_days` and it is not the newest of its check, or if its check was deleted. The same holds for a probe,
    its site and `probes_per_site`. All other entries stay for ever.
    """

    pings_per_check: int = 1000
    max_age_days: int | None = None
    probes_per_site: int = 2000

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1")

    def newest(self, kind: type[Event]) -> int:
        """How many of the newest measurements of this kind stay in each stream, unless they are too old."""
        return self.pings_per_check if kind is PingReceived else self.probes_per_site

    def too_old(self, at: int, now: int) -> bool:
        """Whether age alone lets go what was measured at `at`."""
        return self.max_age_days is not None and at < now - self.max_age_days * DAY


DEFAULT_RETENTION: Final = Retention()
