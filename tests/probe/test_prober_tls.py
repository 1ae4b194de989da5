"""Tests of probes over TLS: whom they believe, and what they say when they do not."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_twisted
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL.SSL import Error as OpenSslError
from twisted.internet.ssl import Certificate, TLSVersion

from pingmon.core.site.failures import NO_INTERMEDIATE
from pingmon.core.site.probe_result import Phases
from pingmon.probe.network_faults import tls_failed
from tests.authority import Authority
from tests.probe.sites import Site, Timers, Visitor, advanced_until, answer, gist, prober, to, until

pytestmark = pytest.mark.usefixtures("nothing_left")

HOSTS = {"h.example": ["127.0.0.1"], "other.example": ["127.0.0.1"]}


@pytest_twisted.ensureDeferred
async def test_a_trusted_certificate_for_the_name_or_the_address_is_believed(site: Site, authority: Authority) -> None:
    port = site.listen_tls(authority.issue("h.example", "127.0.0.1"))
    looker = prober(hosts=HOSTS, roots=authority.roots)
    for host in ("h.example", "127.0.0.1", "h.example."):
        look = await looker.look(f"https://{host}:{port}/", 5.0)
        assert gist(look) == (200, "", "")
    await until(lambda: not site.open)


@pytest.mark.parametrize(
    ("names", "more", "detail"),
    [
        (("other.example",), {}, "certificate is not for h.example"),
        (("127.0.0.1",), {}, "certificate is not for h.example"),
        (("h.example",), {"days": -1}, "certificate has expired"),
        (("h.example",), {"self_signed": True}, "certificate is self-signed"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_certificate_that_does_not_prove_the_name_is_a_tls_failure_and_nothing_is_sent(
    site: Site, authority: Authority, names: tuple[str, ...], more: dict[str, Any], detail: str
) -> None:
    port = site.listen_tls(authority.issue(*names, **more))
    look = await prober(hosts=HOSTS, roots=authority.roots).look(f"https://h.example:{port}/", 5.0)
    assert gist(look) == (0, "tls", detail)
    assert look.address == "127.0.0.1"
    assert site.requests == []
    await until(lambda: not site.open)


@pytest_twisted.ensureDeferred
async def test_an_authority_that_the_platform_does_not_know_is_not_trusted(site: Site, authority: Authority) -> None:
    port = site.listen_tls(authority.issue("h.example"))
    look = await prober(hosts=HOSTS).look(f"https://h.example:{port}/", 5.0)
    assert gist(look) == (0, "tls", NO_INTERMEDIATE())


@pytest_twisted.ensureDeferred
async def test_sites_that_are_probed_together_are_not_mistaken_for_each_other(site: Site, authority: Authority) -> None:
    port = site.listen_tls(authority.issue("h.example"))
    looker = prober(hosts=HOSTS, roots=authority.roots)
    looking = [looker.look(f"https://{host}.example:{port}/", 5.0) for host in ("h", "other", "h")]
    assert [(await each).fault for each in looking] == ["", "tls", ""]


@pytest_twisted.ensureDeferred
async def test_a_server_with_only_old_tls_is_told_apart(site: Site, authority: Authority) -> None:
    port = site.listen_tls(
        authority.issue("h.example"),
        insecurelyLowerMinimumTo=TLSVersion.TLSv1_0,
        lowerMaximumSecurityTo=TLSVersion.TLSv1_1,
    )
    look = await prober(hosts=HOSTS, roots=authority.roots).look(f"https://h.example:{port}/", 5.0)
    assert gist(look) == (0, "tls", "the server and pingmon have no version of TLS in common")


@pytest_twisted.ensureDeferred
async def test_a_server_that_wants_a_client_certificate_is_told_apart(site: Site, authority: Authority) -> None:
    root = Certificate.loadPEM(authority.certificate.public_bytes(Encoding.PEM)).original
    port = site.listen_tls(authority.issue("h.example"), verify=True, caCerts=[root])
    look = await prober(hosts=HOSTS, roots=authority.roots).look(f"https://h.example:{port}/", 5.0)
    assert gist(look) == (0, "tls", "the server wants a client certificate")


@pytest_twisted.ensureDeferred
async def test_a_server_that_does_not_speak_tls_is_told_apart(site: Site) -> None:
    site.greet = lambda visitor: visitor.write(b"220 mail.example ESMTP\r\n")
    look = await prober().look(f"https://127.0.0.1:{await site.listen()}/", 5.0)
    assert gist(look) == (0, "tls", "the server does not speak TLS")


@pytest.mark.parametrize("end", [Visitor.close, Visitor.reset])
@pytest_twisted.ensureDeferred
async def test_a_connection_that_ends_during_the_handshake_is_a_tls_failure(site: Site, end: Any) -> None:
    site.greet = end
    look = await prober().look(f"https://127.0.0.1:{await site.listen()}/", 5.0)
    assert gist(look) == (0, "tls", "connection closed during the handshake")


@pytest_twisted.ensureDeferred
async def test_a_handshake_without_end_is_ended_by_the_deadline(site: Site) -> None:
    running = Timers()
    looking = prober(running=running).look(f"https://127.0.0.1:{await site.listen()}/", 2.0)
    await advanced_until(running, lambda: any(visitor.received for visitor in site.open))
    running.clock.advance(2.0)
    look = await looking
    assert gist(look) == (0, "timeout", "timed out after 2 s while shaking hands over TLS")
    assert look.phases == Phases(tls=2000)
    await until(lambda: not site.open)


@pytest_twisted.ensureDeferred
async def test_over_tls_too_everything_is_cut_off_as_soon_as_it_is_known(site: Site, authority: Authority) -> None:
    port = site.listen_tls(authority.issue("h.example"))
    looker = prober(hosts=HOSTS, roots=authority.roots)
    site.reply = b"HTTP/1.1 200 OK\r\n" + b"X-Flood: 1\r\n" * 50_000
    assert (await looker.look(f"https://h.example:{port}/", 5.0)).fault == "protocol"
    site.reply = Visitor.close
    assert (await looker.look(f"https://h.example:{port}/", 5.0)).fault == "connect"
    await until(lambda: not site.open)


@pytest_twisted.ensureDeferred
async def test_a_redirect_to_plain_http_is_followed_and_mentioned(site: Site, authority: Authority) -> None:
    port, plain = site.listen_tls(authority.issue("h.example")), await site.listen()
    site.pages["/"] = to(f"http://h.example:{plain}/plain")
    looker = prober(hosts=HOSTS, roots=authority.roots)
    assert gist(await looker.look(f"https://h.example:{port}/", 5.0)) == (200, "", "redirected from https to http")
    site.pages["/plain"] = answer(403)
    assert gist(await looker.look(f"https://h.example:{port}/", 5.0)) == (
        403,
        "status",
        f"403 Forbidden to HEAD and GET, at http://h.example:{plain}/plain after a redirect",
    )


@pytest_twisted.ensureDeferred
async def test_a_name_for_which_there_can_be_no_certificate(site: Site) -> None:
    port = await site.listen()
    look = await prober(hosts={"12345": ["127.0.0.1"]}).look(f"https://12345:{port}/", 5.0)
    assert gist(look) == (0, "tls", "no certificate can be for this name")


@pytest.mark.parametrize(
    ("error", "detail"),
    [
        (OpenSslError([("SSL routines", "", "unsupported protocol")]), "the server speaks no TLS newer than 1.1"),
        (OpenSslError([("SSL routines", "", "Bad Extension")]), "handshake failed (bad extension)"),
        (OpenSslError([]), "handshake failed (no reason given)"),
        (OpenSslError(), "handshake failed (no reason given)"),
    ],
)
def test_openssls_reasons_are_put_in_words_where_there_are_any(error: OpenSslError, detail: str) -> None:
    failed = tls_failed(error)
    assert (failed.fault, failed.detail) == ("tls", detail)
