"""A verifier as the daemon's configuration has it, and which of several are asked about one site."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from msgspec import Struct

from pingmon.wire.message.signatures import Secret
from pingmon.wire.verifier import question_url
from pingmon.wire.web_url import BadUrl

_Item = TypeVar("_Item")


class Peer(Struct, frozen=True):
    """A verifier as the configuration has it. `url`: where it is, with or without `/verify` at the end.

    Questions are signed with the first of `secrets`; an answer may be signed with any of them. Verifiers of one
    `region` ("": unlike all others) see much the same, so they are not asked together if it can be helped.
    ValueError if it cannot be one.
    """

    name: str
    url: str
    secrets: tuple[Secret, ...]
    region: str = ""

    def __post_init__(self) -> None:
        problem = _problem(self)
        if problem:
            raise ValueError(f"verifier {self.name or self.url}: {problem}")

    @property
    def target(self) -> str:
        """The URL that is asked."""
        return question_url(self.url)


def _problem(peer: Peer) -> str:
    if not peer.name:
        return "has no name"
    try:
        question_url(peer.url)
    except BadUrl as error:
        return f"its url {error}"
    return "" if peer.secrets else "has no secret"


def chosen(peers: Sequence[Peer], count: int, turn: int) -> tuple[Peer, ...]:
    """`count` of `peers`, from as many regions as there are; with each `turn` others, and after a while all of them.

    Regions take turns, and within a region its verifiers do; only when each has given one is a second one taken.
    """
    regions: dict[str, list[Peer]] = {}
    for peer in peers:
        regions.setdefault(peer.region or f"\0{peer.name}", []).append(peer)
    lap, first = divmod(turn, max(1, len(regions)))
    groups = [_rotated(group, lap) for group in _rotated(list(regions.values()), first)]
    deepest = max(map(len, groups), default=0)
    layers = [group[depth] for depth in range(deepest) for group in groups if depth < len(group)]
    taken = {peer.name for peer in layers[:count]}
    return tuple(peer for peer in peers if peer.name in taken)


def _rotated(items: list[_Item], by: int) -> list[_Item]:
    by %= len(items) or 1
    return items[by:] + items[:by]
