"""Other sites that are looked at in place of canaries when one fails and nobody elsewhere can look at it.

If they are well, it is not pingmon that is cut off. They are chosen at random, each from another network than the one
that fails and than the others, so that one dead server speaks for itself alone; those first that were well of late.
What is seen of them is logged nowhere: each has its own turn.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from random import Random
from typing import Final
from urllib.parse import urlsplit

from twisted.internet.defer import Deferred

from pingmon.core.site.probe_result import ProbeResult
from pingmon.core.site.site import Site
from pingmon.core.units import Id
from pingmon.sites.own_health import CANARY_S, Prober

STAND_INS: Final = 5
"""How many are looked at."""
DRAWN: Final = 200
"""From how many they are chosen, so that ten thousand sites cost no more than these."""
WIDTHS: Final = {4: 24, 6: 48}
"""Prefix lengths of what counts as one network, by IP version."""


class StandIns:
    """Knows where sites were last seen well."""

    def __init__(self, prober: Prober, random: Random) -> None:
        self._prober = prober
        self._random = random
        self._networks: dict[Id, str] = {}

    def well(self, site: Id, address: str) -> None:
        """The site was well at `address`."""
        if address:
            self._networks[site] = network_of(address)

    def forget(self, site: Id) -> None:
        """It is watched no more."""
        self._networks.pop(site, None)

    def look(
        self, failing: Id, sites: Mapping[Id, Site], latest: Mapping[Id, ProbeResult]
    ) -> list[Deferred[ProbeResult]]:
        """Begin to look at some of `sites` instead of the one that is `failing`; none if all are in its network."""
        drawn = self._random.sample(list(sites.values()), min(len(sites), DRAWN))
        drawn.sort(key=lambda site: site.id not in latest or not latest[site.id].good)
        chosen: dict[str, Site] = {}
        for site in drawn:
            if site.status not in ("down", "paused"):
                chosen.setdefault(self._network(site), site)
        if failing in sites:
            chosen.pop(self._network(sites[failing]), None)
        specs = [site.spec for site in list(chosen.values())[:STAND_INS]]
        return [self._prober.look(spec.url, CANARY_S, methods=spec.methods) for spec in specs]

    def _network(self, site: Site) -> str:
        return self._networks.get(site.id) or network_of(str(urlsplit(site.spec.url).hostname))


def network_of(host: str) -> str:
    """The network that an address counts to; the name of a host for itself."""
    try:
        width = WIDTHS[ip_address(host).version]
    except ValueError:
        return host
    return str(ip_network((host, width), strict=False))
