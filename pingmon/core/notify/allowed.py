"""What the operator lets channels do, whoever makes them."""

from __future__ import annotations

from msgspec import Struct

from pingmon.core.address_policy import AddressPolicy


class Allowed(Struct, frozen=True):
    """`addresses` says where requests may go. `commands` are the programs that may be run, by their absolute paths.

    `apprise` names the schemes that apprise may be used with, or `*`; it is None where apprise is not installed.
    """

    addresses: AddressPolicy = AddressPolicy()
    apprise: tuple[str, ...] | None = ()
    commands: tuple[str, ...] = ()
