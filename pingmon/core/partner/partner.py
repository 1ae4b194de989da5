"""Partners, and which of them hosts a site.

What is looked at, strongest first; the first kind that a rule matches decides:

    kind      the signal                                       a rule matches
    explicit  the site's own `host` setting                    (no rule: it is the partner's slug)
    cname     the site's name and the names it leads to        the domain and all below it
    prefix    its addresses                                    addresses in the network
    asn       the AS that announces them                       this AS number
    ptr       their names, forward-confirmed                   the domain and all below it
    ns        the name servers of the site's zone              the domain and all below it

For one name or address the most specific rule wins (most labels, longest prefix); of equal rules of several partners
that of the partner made first, then by id. If the names or addresses of one kind lead to different partners, nobody
is named, and weaker kinds are not asked: telling a stranger of an outage is worse than telling nobody. Behind a CDN
(`cdn`), `prefix`, `asn` and `ptr` are skipped.

Nothing here looks anything up; `sites.host_lookup` gathers the signals, and `rules` holds the rules against them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import ip_network
from typing import Final, Literal, TypeAlias, get_args

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from pingmon.core.domain_names import domain
from pingmon.core.units import SECOND, Id

Kind: TypeAlias = Literal["cname", "prefix", "asn", "ptr", "ns"]
Scope: TypeAlias = Literal["site", "partner"]

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
"""Strongest first."""
VOID_BEHIND_CDN: Final[frozenset[Kind]] = frozenset({"prefix", "asn", "ptr"})
"""Kinds that tell of the CDN, and not of the host, when a site is behind one."""
AUTO: Final = "auto"
"""The `host` setting that asks for the signals."""
MAX_SUPPRESSION_S: Final = 604_800
"""The longest time that a partner may ever be allowed to silence a site for."""
LOOK_EVERY_S: Final = 86_400
"""Seconds between two looks at a site's host, as long as it stays."""
AGAIN_S: Final = 600
"""Seconds that two sightings of a new host must lie apart to be two."""
WIDEST: Final = {4: 8, 6: 16}
"""Shortest prefix that a rule may have, by IP version."""

_WEIGHTS: Final = {kind: weight for weight, kind in enumerate(("explicit", *KINDS))}
_AS_NUMBER: Final = re.compile(r"(?:AS)?([1-9][0-9]{0,9})", re.IGNORECASE | re.ASCII)


class BadRule(ValueError):
    """The rule cannot be used; the message says what its value should be."""


class HostRule(Struct, frozen=True, gc=False):
    """One way to know a partner's sites. `value` is in its written form (see `rule`)."""

    kind: Kind
    value: str


class PartnerSpec(Struct, frozen=True, omit_defaults=True, gc=False, kw_only=True):
    """What an operator chose for a partner: somebody who hosts sites and wants to know when one is down.

    `slug` is the payload's `host`; an empty `webhook` is never asked. `scope`: what an answer's instant silences.
    `max_suppression`: for how many seconds at most. `secret` (`whsec_…`, or none) signs what is asked.
    """

    slug: str
    name: str = ""
    webhook: str = ""
    rules: tuple[HostRule, ...] = ()
    scope: Scope = "site"
    suppress_users: bool = True
    max_suppression: int = 86_400
    secret: str = ""


class PartnerChanges(Struct, frozen=True, omit_defaults=True, gc=False, kw_only=True):
    """The fields of a `PartnerSpec` that an update sets. Sites know a partner by its slug, so that stays."""

    name: str | UnsetType = UNSET
    webhook: str | UnsetType = UNSET
    rules: tuple[HostRule, ...] | UnsetType = UNSET
    scope: Scope | UnsetType = UNSET
    suppress_users: bool | UnsetType = UNSET
    max_suppression: int | UnsetType = UNSET
    secret: str | UnsetType = UNSET


class Partner(Struct, frozen=True, omit_defaults=True, gc=False):
    """A partner as the log has made it. `born` is the entry that created it, `created` its time.

    `answers` counts what its answers were (see `inquiry.COUNTED`). `silent_until`: until when all its sites are
    silent by its word (microseconds since the epoch); None if it never said so.
    `malformed`: what was wrong with its newest answer, if it was none.
    """

    id: Id
    spec: PartnerSpec
    born: int
    created: int
    answers: dict[str, int] = {}
    silent_until: int | None = None
    malformed: str = ""


class Signals(Struct, frozen=True, omit_defaults=True, gc=False):
    """What DNS says of a site's name. `cnames`: the name itself and all that it leads to, in order.

    `ptrs` are forward-confirmed. `failed`: kinds that could not be looked up, so that their absence says nothing.
    """

    cnames: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    asns: tuple[int, ...] = ()
    ptrs: tuple[str, ...] = ()
    nameservers: tuple[str, ...] = ()
    failed: tuple[Kind, ...] = ()


class Attribution(Struct, frozen=True, gc=False):
    """Who hosts a site: the partner with `slug`. `kind` and `value` are the rule that decided, `evidence` its match."""

    slug: str
    kind: Kind | Literal["explicit"]
    value: str
    evidence: str


class Hosting(Struct, frozen=True, omit_defaults=True, gc=False):
    """What is known of a site's host. `since`: when `found` became so; `looked`: when a look last said anything.

    `candidate` is another answer that was seen once, at `candidate_at` (0: there is none). None is an answer too:
    nobody. All times are microseconds since the epoch.
    """

    found: Attribution | None = None
    since: int = 0
    looked: int = 0
    candidate: Attribution | None = None
    candidate_at: int = 0


# --- rules --------------------------------------------------------------------------------------------------------


def rule(kind: str, value: object) -> HostRule:
    """A rule as people write it, in its written form. Raises `BadRule`.

    Names become lower-case ASCII without a dot at the end or `*.` before; networks are CIDR; an AS number may have
    its `AS` and may be an integer.
    """
    if kind not in KINDS:
        raise BadRule(f"kind is none of {', '.join(KINDS)}")
    if kind == "asn":
        return HostRule(kind, _as_number(value))
    if not isinstance(value, str):
        raise BadRule("value is not a string")
    if kind == "prefix":
        return HostRule(kind, _prefix(value))
    try:
        return HostRule(kind, domain(value))
    except ValueError as error:
        raise BadRule("value is not a domain name such as hosts.example.com") from error


def _as_number(value: object) -> str:
    text = "" if isinstance(value, bool) else str(value) if isinstance(value, int) else value
    found = _AS_NUMBER.fullmatch(text.strip()) if isinstance(text, str) else None
    if found is None or int(found[1]) >= 2**32:
        raise BadRule("value is not an AS number such as 64500")
    return found[1]


def _prefix(text: str) -> str:
    try:
        network = ip_network(text.strip())
    except ValueError as error:
        raise BadRule("value is not a network such as 192.0.2.0/24, without host bits") from error
    if network.prefixlen < WIDEST[network.version]:
        raise BadRule(f"value is a network wider than /{WIDEST[network.version]}")
    return str(network)


# --- over time ----------------------------------------------------------------------------------------------------


def seen(hosting: Hosting, attribution: Attribution | None, now: int, failed: Iterable[Kind] = ()) -> Hosting:
    """What is known of the host after another look at a healthy site; `failed` as in `Signals`.

    The first answer counts at once, and so does an explicit one; a different slug only when it was seen twice,
    `AGAIN_S` apart. An answer that a failed, stronger kind might have overruled says nothing: then the same `hosting`
    is returned.
    """
    weight = _WEIGHTS["ns"] + 1 if attribution is None else _WEIGHTS[attribution.kind]
    if any(_WEIGHTS[kind] < weight for kind in failed):
        return hosting
    if hosting.looked and _slug(attribution) == _slug(hosting.found):
        return Hosting(attribution, hosting.since, now)
    if hosting.looked == 0 or weight == _WEIGHTS["explicit"]:
        return Hosting(attribution, now, now)
    if hosting.candidate_at == 0 or _slug(attribution) != _slug(hosting.candidate):
        return replace(hosting, looked=now, candidate=attribution, candidate_at=now)
    if now - hosting.candidate_at < AGAIN_S * SECOND:
        return replace(hosting, looked=now, candidate=attribution)
    return Hosting(attribution, now, now)


def next_look(hosting: Hosting) -> int:
    """When to look again, in microseconds since the epoch; sooner if the site's addresses change.

    A look that failed does not move this: whoever looks leaves `AGAIN_S` between two.
    """
    if hosting.candidate_at:
        return hosting.candidate_at + AGAIN_S * SECOND
    return hosting.looked + LOOK_EVERY_S * SECOND if hosting.looked else 0


def host_of(host: str, hosting: Hosting, partners: Iterable[Partner]) -> Partner | None:
    """Whom to tell of a site with this `host` setting: the partner that it names, or the one that was found.

    What was found is void as soon as the partner has lost the rule that decided: a wrong rule can be taken back.
    """
    found = hosting.found
    for partner in partners:
        if partner.spec.slug == host != AUTO:
            return partner
        if host == AUTO and found is not None and partner.spec.slug == found.slug:
            holds = any((rule.kind, rule.value) == (found.kind, found.value) for rule in partner.spec.rules)
            return partner if holds else None
    return None


def _slug(attribution: Attribution | None) -> str:
    return "" if attribution is None else attribution.slug
