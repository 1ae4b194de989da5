"""What the URL of a ping names."""

from __future__ import annotations

from urllib.parse import quote
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pingmon.core.world.events import Signal
from pingmon.wire.ping_url import PingQuery, PingUrl, canonical_uuid, first_segment, ping_mailbox, ping_query, ping_url

ENDINGS: dict[str, tuple[Signal, int | None]] = {
    "": ("success", None),
    "/start": ("start", None),
    "/fail": ("fail", None),
    "/log": ("log", None),
}
KEYS = st.from_regex(r"[-A-Za-z0-9_]{1,40}", fullmatch=True).filter(lambda key: canonical_uuid(key) is None)
SLUGS = st.from_regex(r"[-a-z0-9_]{1,100}", fullmatch=True)
BASES = st.one_of(
    st.uuids().map(lambda id: (str(id), PingUrl(check=str(id)))),
    st.uuids().map(lambda id: (str(id).upper(), PingUrl(check=str(id)))),
    st.tuples(KEYS, SLUGS).map(lambda pair: (f"{pair[0]}/{pair[1]}", PingUrl(key=pair[0], slug=pair[1]))),
)
STATUSES = st.integers(0, 255).flatmap(
    lambda status: st.sampled_from([f"/{status}", f"/{status:03d}", f"/{status:0300d}"]).map(
        lambda text: (text, ("success", status))
    )
)
TAILS = st.one_of(st.sampled_from(sorted(ENDINGS.items())), STATUSES)


@given(BASES, TAILS, st.sampled_from(["", "/ping"]), st.sampled_from(["", "/"]), st.booleans())
def test_every_form_comes_back(
    base: tuple[str, PingUrl], tail: tuple[str, tuple[Signal, int | None]], prefix: str, slash: str, encoded: bool
) -> None:
    """A URL put together from its parts is taken apart into the same, percent-encoded or not."""
    (text, named), (ending, (action, exitstatus)) = base, tail
    if not prefix and text.startswith("ping/"):
        return
    path = f"{prefix}/{text}{ending}{slash}"
    sent = "".join(f"%{ord(character):02X}" for character in path) if encoded else quote(path)
    expected = PingUrl(named.check, named.key, named.slug, action, exitstatus)
    assert ping_url(sent.encode()) == expected


@given(st.one_of(st.binary(), st.text().map(str.encode), st.from_regex(r"/(ping/)?[-/%a-f0-9]*").map(str.encode)))
def test_never_raises(sent: bytes) -> None:
    """Anything at all can be asked for."""
    ping_url(sent)
    ping_url(b"/ping/" + sent * 40)
    ping_query(sent)
    first_segment(sent)


@pytest.mark.parametrize("digits", ["256", "999", "0256", "1" * 5000])
def test_exit_status_out_of_range(digits: str) -> None:
    """A number that no job can exit with is told apart from a path that fits no form, however long it is."""
    assert ping_url(f"/ping/k/s/{digits}".encode()) == PingUrl(key="k", slug="s", exitstatus=256)


@pytest.mark.parametrize(
    "path",
    [
        b"",
        b"/",
        b"/ping",
        b"/ping/",
        b"/ping//",
        b"/ping/k",
        b"/ping/k/",
        b"/ping/k/S",
        b"/ping/k/s/x",
        b"/ping/k/s//",
        b"/ping//s",
        b"/ping/k/s/+1",
        b"/ping/k/s/\xd9\xa1",
        b"/ping/k.k/s",
        b"/ping/k/s\n",
        b"/ping/k/s%0A",
        b"/ping/ping/k/s/s",
        b"/ping/k/" + b"s" * 101,
        b"ping/k/s",
        b"/ping/{00000000-0000-0000-0000-000000000000}",
        b"/ping/00000000-0000-0000-0000-000000000000/START",
    ],
)
def test_paths_that_fit_no_form(path: bytes) -> None:
    """What fits no form names nothing."""
    assert ping_url(path) is None


def test_uuid_with_another_word_is_read_by_key() -> None:
    """A UUID followed by none of the endings is read as ping key and slug, as the reference server does."""
    id = str(UUID(int=7))
    assert ping_url(f"/ping/{id}/success".encode()) == PingUrl(key=id, slug="success")
    assert ping_url(f"/ping/{id}/-1".encode()) == PingUrl(key=id, slug="-1")
    assert ping_url(f"/ping/{id}/start/1".encode()) == PingUrl(key=id, slug="start", exitstatus=1)


def test_slugs_that_look_like_endings() -> None:
    """A slug may be a word or number that is also an ending."""
    for slug in ("start", "fail", "log", "0", "255"):
        assert ping_url(f"/ping/k/{slug}".encode()) == PingUrl(key="k", slug=slug)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (b"", PingQuery()),
        (b"create=1", PingQuery(create=True)),
        (b"create=%31", PingQuery(create=True)),
        (b"create=1&create=2", PingQuery()),
        (b"create=+1", PingQuery()),
        (b"create", PingQuery()),
        (b"CREATE=1", PingQuery()),
        (b"rid", PingQuery(bad_rid=True)),
        (b"rid=", PingQuery(bad_rid=True)),
        (b"rid=00000000-0000-0000-0000-00000000000A", PingQuery("00000000-0000-0000-0000-00000000000a")),
        (b"rid=0&rid=00000000-0000-0000-0000-00000000000a", PingQuery("00000000-0000-0000-0000-00000000000a")),
        (b"rid=00000000-0000-0000-0000-00000000000a%0A", PingQuery(bad_rid=True)),
        (b"rid=+00000000-0000-0000-0000-00000000000a", PingQuery(bad_rid=True)),
        (b"rid=00000000-0000-0000-0000-00000000000a;create=1", PingQuery(bad_rid=True)),
        (b"%72id=0", PingQuery(bad_rid=True)),
        (b"%ff=%fe&=&&rid%00=1", PingQuery()),
    ],
)
def test_queries(query: bytes, expected: PingQuery) -> None:
    """The last value of a name counts, names are exact, and nothing else matters."""
    assert ping_query(query) == expected


@pytest.mark.parametrize(
    ("mailbox", "named"),
    [
        (str(UUID(int=7)), PingUrl(str(UUID(int=7)))),
        (str(UUID(int=0xABC)).upper(), PingUrl(str(UUID(int=0xABC)))),
        ("aB_-9+my-slug_1", PingUrl(key="aB_-9", slug="my-slug_1")),
        (f"k+{'a' * 100}", PingUrl(key="k", slug="a" * 100)),
        (f"k+{'a' * 101}", None),
        (f"{UUID(int=7)}\n", None),
        (UUID(int=7).hex, None),
        ("k+Slug", None),
        ("k+", None),
        ("+s", None),
        ("k+s+t", None),
        ("postmaster", None),
        ("", None),
    ],
)
def test_mailboxes(mailbox: str, named: PingUrl | None) -> None:
    """A UUID in either case, or a ping key and a slug, which are as they are."""
    assert ping_mailbox(mailbox) == named
