"""The blocks that a saved world lies in."""

from __future__ import annotations

from msgspec import Struct


class Block(Struct, frozen=True, gc=False):
    """Parts of one kind as they are saved together; what a block of a higher `number` says of a part counts instead.

    `parts` is a JSON array of them, `gone` one of the ids of parts that are no more. `round` and `upto`: see
    `snapshot`.
    """

    number: int
    kind: str
    parts: bytes
    gone: bytes = b"[]"
    round: int | None = None
    upto: int | None = None


class Outdated(Struct, frozen=True, gc=False):
    """The blocks of a kind with a number below `below` that a save replaces: with an `upto` below this one, or all."""

    kind: str
    below: int
    upto: int | None = None

    def holds(self, block: Block) -> bool:
        """Whether `block` is one of them."""
        past = self.upto is None or (block.upto is not None and block.upto < self.upto)
        return block.kind == self.kind and block.number < self.below and past
