"""Certificates from files: what is taken, what is refused in words, and that changed files are taken up."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from ssl import DER_cert_to_PEM_cert
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from twisted.logger import capturedLogs

from pingmon.daemon.certificates import BadCertificates, Certificates, identities, in_folder
from tests.authority import Certified
from tests.door.stage import errors

ROOT = Certified("root", authority=True)
MIDDLE = Certified("middle", by=ROOT, authority=True)
LEAF = Certified("leaf", "www.example.org", "*.Example.net", by=MIDDLE)


def folder(place: Path, **files: bytes) -> Path:
    """`place` with these files, each `.pem`."""
    for name, content in files.items():
        (place / f"{name}.pem").write_bytes(content)
    return place


def made(place: Path) -> Certificates:
    return Certificates(str(place), partial(in_folder, place))


def subjects(chain: Any) -> list[str]:
    return [each.subject.rfc4514_string().removeprefix("CN=") for each in chain]


def test_a_chain_is_put_in_order_and_has_no_root(tmp_path: Path) -> None:
    """However the files lie there: certbot's names, everything twice, the root in between."""
    place = folder(tmp_path, fullchain=ROOT.pem + LEAF.pem + MIDDLE.pem, chain=MIDDLE.pem, privkey=LEAF.key_pem)
    (found,) = identities(in_folder(place), "here")
    assert subjects([found.certificate, *found.chain]) == ["leaf", "middle"]
    assert found.names == ("www.example.org", "*.example.net")


def test_authorities_that_have_signed_each_other_are_no_endless_chain(tmp_path: Path) -> None:
    """Cross-signing makes circles."""
    one = Certified("one", authority=True)
    two = Certified("two", by=one, authority=True)
    back = Certified("one", by=two, authority=True, key=one.key)
    leaf = Certified("leaf", by=back)
    place = folder(tmp_path, all=leaf.pem + leaf.key_pem + two.pem + back.pem)
    (found,) = identities(in_folder(place), "here")
    assert subjects(found.chain) == ["one", "two"]


def test_an_authority_that_lies_there_with_its_key_is_no_server(tmp_path: Path) -> None:
    """Although its file comes first."""
    place = folder(tmp_path, a=ROOT.pem + ROOT.key_pem, b=LEAF.pem + LEAF.key_pem + MIDDLE.pem, c=MIDDLE.key_pem)
    assert subjects(each.certificate for each in identities(in_folder(place), "here")) == ["leaf"]


def test_authorities_that_have_signed_each_other_are_servers_if_there_is_nobody_else(tmp_path: Path) -> None:
    """Whoever has nothing else shows these."""
    one = Certified("one", authority=True)
    two = Certified("two", by=one, authority=True)
    back = Certified("one", by=two, authority=True, key=one.key)
    place = folder(tmp_path, all=two.pem + two.key_pem + back.pem + back.key_pem)
    assert subjects(each.certificate for each in identities(in_folder(place), "here")) == ["two", "one"]


def test_a_certificate_signed_by_itself_is_shown_as_it_is(tmp_path: Path) -> None:
    """It is its own root."""
    place = folder(tmp_path, own=ROOT.pem + ROOT.key_pem)
    (found,) = identities(in_folder(place), "here")
    assert (subjects([found.certificate]), found.chain) == (["root"], ())


def test_of_two_certificates_for_a_key_the_one_that_lasts_longest_counts(tmp_path: Path) -> None:
    """A renewal that keeps the key."""
    old = Certified("old", days=-1, key=LEAF.key)
    place = folder(tmp_path, a=LEAF.pem, b=old.pem, key=LEAF.key_pem)
    (found,) = identities(in_folder(place), "here")
    assert subjects([found.certificate]) == ["leaf"]


SECRET = LEAF.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))
EC_KEY = bytes.fromhex("06072a8648ce3d0201")
STRANGE = DER_cert_to_PEM_cert(
    MIDDLE.certificate.public_bytes(Encoding.DER).replace(EC_KEY, EC_KEY[:-1] + b"W")
).encode()
"""Its key is of a kind that nobody knows."""
WEAK = Certified("weak", key=rsa.generate_private_key(65537, 1024))


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, "holds no certificate; .pem files with a certificate and its private key are needed"),
        ({"x": LEAF.pem}, "holds no private key; "),
        ({"x": LEAF.key_pem}, "holds no certificate; "),
        ({"x": LEAF.pem + ROOT.key_pem}, "holds no key of its certificates; "),
        ({"x": LEAF.pem + SECRET}, "x.pem: the private key has a passphrase; store it without one"),
        ({"x": LEAF.pem.replace(b"MII", b"AAA")}, "x.pem: holds a certificate that cannot be read: "),
        ({"x": LEAF.key_pem + LEAF.pem + MIDDLE.pem[:-9]}, "x.pem: a certificate or key in it is cut off"),
        ({"x": LEAF.key_pem + LEAF.pem, "y": STRANGE}, "y.pem: holds a certificate that cannot be read: "),
        ({"x": WEAK.pem + WEAK.key_pem}, "OpenSSL does not take its certificate or key: ee key too small"),
    ],
)
def test_what_cannot_be_used_is_refused_in_words(tmp_path: Path, files: dict[str, bytes], words: str) -> None:
    """With the path."""
    with pytest.raises(BadCertificates, match=r"^/") as caught:
        made(folder(tmp_path, **files))
    assert words in str(caught.value)


def test_a_folder_that_is_not_there_or_endless_is_refused(tmp_path: Path) -> None:
    """A start looks at so many files and no more."""
    with pytest.raises(BadCertificates, match="/nowhere: No such file or directory"):
        made(Path("/nowhere"))
    for number in range(2_001):
        (tmp_path / f"{number}.pem").touch()
    with pytest.raises(BadCertificates, match=r"holds more than 2000 \.pem files; name a smaller folder"):
        made(tmp_path)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"www.example.org", "leaf"),
        (b"WWW.EXAMPLE.ORG", "leaf"),
        (b"a.example.net", "leaf"),
        (b"a.b.example.net", None),
        (b"example.net", None),
        (b"other.test", "other"),
        (b"bad19.example", None),
        (b"\xff\x00", None),
        (b"", None),
        (None, None),
    ],
)
def test_a_name_chooses_the_certificate_and_a_stranger_leaves_no_line(
    tmp_path: Path, name: bytes | None, shown: str | None
) -> None:
    """A wildcard stands for one label; who asks for what is not there gets the first."""
    other = Certified("other", "other.test")
    place = folder(tmp_path, a=LEAF.pem + LEAF.key_pem, b=other.pem + other.key_pem)
    certificates = made(place)
    with capturedLogs() as logged:
        context = certificates._for_name(name)
    assert context is (
        None if shown is None else certificates._contexts[{"leaf": "www.example.org"}.get(shown, "other.test")]
    )
    assert logged == []


def test_the_first_end_of_what_is_shown_is_known(tmp_path: Path) -> None:
    """For a name that two certificates have, the one that lasts longer is shown; the older one may lie there."""
    short, long = Certified("short", "a.test", days=5), Certified("long", "a.test", days=50)
    other = Certified("other", "b.test", days=20)
    place = folder(tmp_path, a=short.pem + short.key_pem, b=long.pem + long.key_pem, c=other.pem + other.key_pem)
    certificates = made(place)
    assert certificates.ends == round(other.certificate.not_valid_after_utc.timestamp()) * 1_000_000
    assert certificates.where == str(place)


def test_changed_files_are_read_again_when_they_have_come_to_rest(tmp_path: Path) -> None:
    """Half a renewal is not looked at; what is unchanged is not read."""
    place = folder(tmp_path, a=LEAF.pem + LEAF.key_pem)
    certificates = made(place)
    first = certificates._default
    certificates.look()
    assert certificates._default is first
    new = Certified("new", "new.test")
    folder(place, a=new.pem + new.key_pem)
    certificates.look()
    assert certificates._default is first
    with capturedLogs() as logged:
        certificates.look()
        certificates.look()
    assert certificates._default is not first
    assert [event["names"] for event in logged] == ["new.test"]


def test_files_that_cannot_be_used_leave_all_as_it_was_and_one_line(tmp_path: Path) -> None:
    """Also when the folder is gone; and when it is back, it is read."""
    place = folder(tmp_path, a=LEAF.pem + LEAF.key_pem)
    certificates = made(place)
    first = certificates._default
    os.rename(place / "a.pem", place / "a.gone")
    with capturedLogs() as logged:
        for _ in range(5):
            certificates.look()
    assert [event["why"].partition(": ")[2] for event in errors(logged)] == [
        "holds no certificate; .pem files with a certificate and its private key are needed"
    ]
    assert certificates._default is first
    os.rename(place / "a.gone", place / "a.pem")
    for _ in range(2):
        certificates.look()
    assert certificates._default is not first
