"""Content delivery networks and proxies that stand before other people's servers.

The address of a site behind one says nothing about who runs the site, and a customer's outage must not be told to the
CDN by accident. So what an address tells is void when any of these signs is seen (see `partner.attribute`).

Sources: the lists that Cloudflare (cloudflare.com/ips) and Fastly (api.fastly.com/public-ip-list) publish; the others
by AS number and by the names that they hand out. Networks in which people also rent servers are left out on purpose
(Amazon, Google, Microsoft, Linode's AS63949 of Akamai): there only the CDN's names give it away.
"""

from __future__ import annotations

from ipaddress import ip_network
from typing import Final

from msgspec import Struct

from pingmon.core.address_policy import Network


class CdnSigns(Struct, frozen=True):
    """The signs of a CDN: AS numbers, networks, and domains under which its names lie."""

    asns: frozenset[int] = frozenset()
    networks: tuple[Network, ...] = ()
    names: tuple[str, ...] = ()


_CLOUDFLARE: Final = """
    103.21.244.0/22 103.22.200.0/22 103.31.4.0/22 104.16.0.0/13 104.24.0.0/14 108.162.192.0/18 131.0.72.0/22
    141.101.64.0/18 162.158.0.0/15 172.64.0.0/13 173.245.48.0/20 188.114.96.0/20 190.93.240.0/20 197.234.240.0/22
    198.41.128.0/17 2400:cb00::/32 2405:8100::/32 2405:b500::/32 2606:4700::/32 2803:f800::/32 2a06:98c0::/29
    2c0f:f248::/32
"""
_FASTLY: Final = """
    23.235.32.0/20 43.249.72.0/22 103.244.50.0/24 103.245.222.0/23 103.245.224.0/24 104.156.80.0/20 140.248.64.0/18
    140.248.128.0/17 146.75.0.0/17 151.101.0.0/16 157.52.64.0/18 167.82.0.0/17 167.82.128.0/20 167.82.160.0/20
    167.82.224.0/20 172.111.64.0/18 185.31.16.0/22 199.27.72.0/21 199.232.0.0/16 2a04:4e40::/32 2a04:4e42::/32
"""

CDN_SIGNS: Final = CdnSigns(
    asns=frozenset(
        (
            *(13335, 209242),  # Cloudflare
            54113,  # Fastly
            *(12222, 16625, 16702, 20189, 20940, 21342, 21357, 33905, 34164, 35994, 36183),  # Akamai
            *(15133, 22822),  # Edgecast and Limelight
            19551,  # Imperva
            30148,  # Sucuri
            60068,  # CDN77
            200325,  # Bunny
            57724,  # DDoS-Guard
            200449,  # Qrator
        )
    ),
    networks=tuple(ip_network(text) for text in (_CLOUDFLARE + _FASTLY).split()),
    names=(
        *("cloudflare.net", "cloudflare.com"),
        *("fastly.net", "fastlylb.net"),
        *("akamai.net", "akamaiedge.net", "akamaized.net", "akamaihd.net", "akamaitechnologies.com"),
        *("edgekey.net", "edgesuite.net", "akadns.net"),
        "cloudfront.net",  # Amazon
        *("azureedge.net", "azurefd.net", "t-msedge.net"),  # Microsoft
        *("edgecastcdn.net", "llnwd.net"),
        *("incapdns.net", "impervadns.net"),
        "sucuri.net",
        "cdn77.org",
        "b-cdn.net",  # Bunny
        "kxcdn.com",  # KeyCDN
    ),
)
"""The built-in table."""
