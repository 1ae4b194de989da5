"""Addresses of mail, as people type them: what can stand in an envelope and in a header without forging either.

Local parts are in ASCII and without quotes: few servers take others (RFC 6531), and who has one has another as well.
"""

from __future__ import annotations

import re
from email.headerregistry import Address
from email.utils import parseaddr
from typing import Final

import idna

from pingmon.core.domain_names import NAME_MAX, is_name

LOCAL_MAX: Final = 64
"""Characters of what stands before the `@` (RFC 5321)."""

_ATOM: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_is_local: Final = re.compile(rf"{_ATOM}(\.{_ATOM})*").fullmatch


def mail_address(text: str) -> str:
    """The written form of an address: its domain in ASCII (IDNA) and lower-case. ValueError if it is none.

    A domain may be a single label, as in `root@localhost`.
    """
    local, _, host = text.strip().rpartition("@")
    if not _is_local(local) or len(local) > LOCAL_MAX:
        raise ValueError("not a mail address")
    domain = host.lower() if host.isascii() else idna.encode(host, uts46=True).decode("ascii")
    if not is_name(domain) or len(domain) > NAME_MAX:
        raise ValueError("not a mail address")
    return f"{local}@{domain}"


def mailbox(text: str) -> str:
    """The written form of an address that a name may stand before: `pingmon <alerts@example.org>`.

    ValueError if it is none.
    """
    if not text.isprintable():
        raise ValueError("not a mail address")
    name, address = parseaddr(text)
    return str(Address(name, addr_spec=mail_address(address)))
