"""Tests of `pingmon.sites.as_numbers`: which AS announces an address."""

from __future__ import annotations

import gzip
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pingmon.sites.as_numbers import Table, announced, cymru_name, load
from pingmon.testing import result

ROWS = """\
1.0.0.0\t1.0.0.255\t13335\tUS\tCLOUDFLARENET
1.0.1.0\t1.0.3.255\t0\tNone\tNot routed
1.0.4.0\t1.0.5.255\t38803\tAU\tWPL-AS-AP Wirefreebroadband Pty Ltd
2001:200::\t2001:200:5ff:ffff:ffff:ffff:ffff:ffff\t2500\tJP\tWIDE-BB WIDE Project
223.255.254.0\t223.255.254.255\t4294967295\tSG\tlast
"""


def test_the_name_that_team_cymru_is_asked_for() -> None:
    assert cymru_name("1.2.3.4") == "4.3.2.1.origin.asn.cymru.com"
    assert cymru_name("2001:db8::1") == "1" + ".0" * 23 + ".8.b.d.0.1.0.0.2.origin6.asn.cymru.com"


@pytest.mark.parametrize(
    ("texts", "asns"),
    [
        ([], ()),
        (["23028 | 216.90.108.0/24 | US | arin | 1998-09-25"], (23028,)),
        (['"23028 | 216.90.108.0/24 | US | arin | 1998-09-25"'], (23028,)),
        (["1 | 192.0.0.0/16 | | |", "2 | 192.0.2.0/24 | | |", "3 | 192.0.0.0/20 | | |"], (2,)),
        (["64501 64500 | 192.0.2.0/24 | US | arin |"], (64500, 64501)),
        (["1 | 192.0.2.0/24 | |", "2 | 192.0.2.0/24 | |"], (1, 2)),
        (["1 | 2001:db8::/32 | XX | |", "2 | 2001:db8:1::/48 | XX | |"], (2,)),
        (["NA | 192.0.2.0/24 | |"], ()),
        (["", "|", "1", "1 | x | y", "1 |"], ()),
    ],
)
def test_the_longest_prefix_counts_and_all_who_announce_it(texts: list[str], asns: tuple[int, ...]) -> None:
    assert announced(texts) == asns


@given(st.lists(st.text(max_size=40)))
def test_no_text_whatever_raises(texts: list[str]) -> None:
    assert isinstance(announced(texts), tuple)


@pytest.mark.parametrize(
    ("address", "asns"),
    [
        ("1.0.0.0", (13335,)),
        ("1.0.0.255", (13335,)),
        ("1.0.1.0", ()),
        ("1.0.5.255", (38803,)),
        ("1.0.6.0", ()),
        ("0.255.255.255", ()),
        ("223.255.254.7", (4294967295,)),
        ("255.255.255.255", ()),
        ("2001:200::1", (2500,)),
        ("2001:200:600::", ()),
        ("2001:1ff:ffff::", ()),
        ("::ffff:1.0.0.7", (13335,)),
        ("::1", ()),
    ],
)
def test_a_table_finds_the_range_that_an_address_is_in(address: str, asns: tuple[int, ...]) -> None:
    assert result(Table(ROWS.splitlines()).asns(address)) == asns


def test_a_table_is_read_from_a_file_compressed_or_not(tmp_path: Path) -> None:
    plain, packed = tmp_path / "ip2asn-combined.tsv", tmp_path / "ip2asn-combined.tsv.gz"
    plain.write_text(ROWS)
    packed.write_bytes(gzip.compress(ROWS.encode()))
    for path in (plain, packed):
        assert result(load(path).asns("1.0.4.1")) == (38803,)


@pytest.mark.parametrize(
    "row",
    [
        "",
        "1.0.0.0\t1.0.0.255",
        "1.0.0.0\tx\t1",
        "1.0.0.0\t1.0.0.255\tx",
        "1.0.0.0\t::1\t1",
        "1.0.0.0\t1.0.0.1\t4294967296",
    ],
)
def test_a_table_that_cannot_be_read_names_the_line(row: str) -> None:
    with pytest.raises(ValueError, match="line 6 is not two addresses and an AS number"):
        Table([*ROWS.splitlines(), row])


@given(st.sets(st.integers(0, 2**32 - 1), min_size=2, max_size=40), st.data())
def test_a_table_agrees_with_a_search_of_all_its_rows(cuts: set[int], data: st.DataObject) -> None:
    bounds = sorted(cuts)
    rows = [(bounds[at], bounds[at + 1] - 1, at) for at in range(len(bounds) - 1)]
    lines = [f"{IPv4Address(first)}\t{IPv4Address(last)}\t{asn}\tXX\tx" for first, last, asn in rows]
    table = Table(data.draw(st.permutations(lines)))
    number = data.draw(st.sampled_from(bounds) | st.integers(0, 2**32 - 1))
    expected = tuple(asn for first, last, asn in rows if first <= number <= last and asn)
    assert result(table.asns(str(ip_address(number)))) == expected
    assert result(table.asns(str(IPv6Address(1 << 100 | number)))) == ()
