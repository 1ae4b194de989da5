"""Which AS announces an address: asked of Team Cymru's DNS, or read from a table of iptoasn.com on this machine.

Both name the AS only. An AS by itself says little (many hosts rent their addresses from others); what it means is the
rules' affair (`core.partner`). Team Cymru's servers learn the address of every site that is asked for; they ask heavy
users to tell them first. Not for `.mmdb` files: the table does the same without a licence key or a dependency.
"""

from __future__ import annotations

import gzip
import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from ipaddress import IPv6Address, ip_address, ip_network
from pathlib import Path
from socket import AF_INET, AF_INET6, inet_pton
from typing import Final, Protocol, TypeAlias

from twisted.internet.defer import Deferred, succeed

from pingmon.dns.results import RecordKind

CYMRU: Final = {4: "origin.asn.cymru.com", 6: "origin6.asn.cymru.com"}
"""Zones by IP version."""

Row: TypeAlias = tuple[bytes, bytes, bytes]
"""First address, last address and AS number, packed."""

_NUMBER: Final = re.compile(r"[0-9]{1,10}")


class TxtRecords(Protocol):
    """Of a resolver, what is needed to ask Team Cymru."""

    def records(self, name: str, kind: RecordKind, /) -> Deferred[tuple[str, ...]]: ...


class Cymru:
    """Asks Team Cymru's DNS through `resolver`, whose errors are passed on."""

    def __init__(self, resolver: TxtRecords) -> None:
        self._resolver = resolver

    def asns(self, address: str) -> Deferred[tuple[int, ...]]:
        """The AS numbers that announce the longest prefix with `address` in it."""
        return self._resolver.records(cymru_name(address), "TXT").addCallback(announced)


def cymru_name(address: str) -> str:
    """The name that is asked about `address`."""
    ip = ip_address(address)
    return f"{ip.reverse_pointer.rsplit('.', 2)[0]}.{CYMRU[ip.version]}"


def announced(texts: Iterable[str]) -> tuple[int, ...]:
    """The AS numbers in answers like `23028 | 216.90.108.0/24 | US | arin | 1998-09-25`, of the longest prefix.

    Networks inside each other come as several texts; several AS that announce the same come in one field.
    """
    found: dict[int, set[int]] = {}
    for text in texts:
        numbers, _, rest = text.strip().strip('"').partition("|")
        try:
            length = ip_network(rest.partition("|")[0].strip()).prefixlen
        except ValueError:
            continue
        found.setdefault(length, set()).update(int(word) for word in numbers.split() if _NUMBER.fullmatch(word))
    return tuple(sorted(found[max(found)])) if found else ()


class Table:
    """Who announces what, from the lines of a TSV file: first address, last address, AS number, and more.

    AS 0 means "not routed". Held as packed bytes, 12 for a range of IPv4 and 36 for one of IPv6. ValueError, naming the
    line, for what cannot be read. Building it takes some seconds for the whole Internet, so do that in a thread.
    """

    def __init__(self, lines: Iterable[str]) -> None:
        rows: dict[int, list[Row]] = {AF_INET: [], AF_INET6: []}
        for number, line in enumerate(lines, 1):
            try:
                first, last, asn = line.split("\t", 3)[:3]
                family = AF_INET6 if ":" in first else AF_INET
                row = (inet_pton(family, first), inet_pton(family, last.strip()), int(asn).to_bytes(4, "big"))
            except (ValueError, OSError, OverflowError) as error:
                raise ValueError(f"line {number} is not two addresses and an AS number") from error
            if any(row[2]):
                rows[family].append(row)
        self._ranges = {4: _Ranges(4, sorted(rows[AF_INET])), 16: _Ranges(16, sorted(rows[AF_INET6]))}

    def asns(self, address: str) -> Deferred[tuple[int, ...]]:
        """The AS number of the range that `address` is in, if there is one."""
        ip = ip_address(address)
        ip = (ip.ipv4_mapped or ip) if isinstance(ip, IPv6Address) else ip
        found = self._ranges[len(ip.packed)].find(ip.packed)
        return succeed(() if found is None else (found,))


def load(path: Path) -> Table:
    """The table in the file at `path`, which may be compressed (`.gz`). OSError, or ValueError as `Table` has it."""
    if path.suffix == ".gz":
        with gzip.open(path, "rt", encoding="utf-8", errors="replace") as lines:
            return Table(lines)
    with path.open(encoding="utf-8", errors="replace") as lines:
        return Table(lines)


class _Ranges:
    """Sorted ranges of addresses of `width` bytes, which do not overlap."""

    def __init__(self, width: int, rows: Sequence[Row]) -> None:
        self._firsts = _Packed(width, b"".join(first for first, _, _ in rows))
        self._lasts = _Packed(width, b"".join(last for _, last, _ in rows))
        self._asns = _Packed(4, b"".join(asn for _, _, asn in rows))

    def find(self, packed: bytes) -> int | None:
        place = bisect_right(self._firsts, packed) - 1
        if place < 0 or self._lasts[place] < packed:
            return None
        return int.from_bytes(self._asns[place], "big")


class _Packed:
    """Big-endian numbers of `width` bytes each, laid end to end; as bytes they sort as the numbers do."""

    def __init__(self, width: int, packed: bytes) -> None:
        self._width = width
        self._packed = packed

    def __len__(self) -> int:
        return len(self._packed) // self._width

    def __getitem__(self, place: int) -> bytes:
        return self._packed[place * self._width : (place + 1) * self._width]
