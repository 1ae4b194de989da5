"""Tests of `pingmon.delivery.apprise`: real plug-ins of apprise, against real servers on loopback."""

from __future__ import annotations

import json
import logging
from typing import Any, cast

import pytest
import pytest_twisted
from apprise import NotifyBase
from apprise.manager_plugins import NotificationManager
from msgspec.structs import replace
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs, formatEvent

from pingmon.delivery.apprise import Apprise
from pingmon.delivery.apprise_plugins import _why, send
from pingmon.delivery.attempt import Delivered, NotDelivered, Result, attempt
from pingmon.wire.api.apprise_channel import LOCAL
from pingmon.wire.message.apprise import AppriseMessage
from pingmon.wire.message.digest import digest_lines
from tests.delivery.letters import letter, many
from tests.delivery.receiver import Server, seconds, until

pytestmark = pytest.mark.usefixtures("nothing_left")

ALL = Apprise(cast(Any, reactor), ("*",), str)


def told(url: str, kind: Apprise = ALL, *, timeout_s: float = 20.0) -> Deferred[Result]:
    """The result of telling `url` that a check went down."""
    return attempt(kind, letter({"url": url}, name="backup"), cast(Any, reactor), timeout_s)


@pytest.mark.parametrize(
    ("url", "first_line", "said"),
    [
        ("json://{}/hook", b"POST /hook", ["DOWN | backup", "failure"]),
        ("form://{}/hook", b"POST /hook", ["DOWN+%7C+backup", "failure"]),
        ("xml://{}/hook", b"POST /hook", ["<Subject>DOWN | backup</Subject>", "failure"]),
        ("ntfy://{}/topic", b"POST /", ["DOWN | backup", '"topic"']),
        ("gotify://{}/atoken", b"POST /message", ["DOWN | backup"]),
        ("mmost://{}/abcdefgh12345678", b"POST /hooks/abcdefgh12345678", ["DOWN | backup"]),
        ("rocket://user:pass@{}/#ops", b"POST /api/v1/login", ["user"]),
        ("apprise://{}/akey", b"POST /notify", ["DOWN+%7C+backup", "failure"]),
    ],
)
@pytest_twisted.ensureDeferred
async def test_plug_ins_carry_the_message(server: Server, url: str, first_line: bytes, said: list[str]) -> None:
    """Its title, its text and whether it is bad news."""
    result = await told(url.format(f"127.0.0.1:{await server.listen()}"))
    request = server.requests[0]
    assert request.startswith(first_line)
    assert all(each in request.decode() for each in said)
    if not url.startswith("rocket"):
        assert result == Delivered()
        assert "the job reported no success in time" in request.decode().replace("+", " ")


@pytest_twisted.ensureDeferred
async def test_a_digest_is_one_message(server: Server) -> None:
    url, found = f"json://127.0.0.1:{await server.listen()}/", many({}, 2, 1)
    channel = replace(found.channel, value={"url": url})
    assert await attempt(ALL, replace(found, channel=channel), cast(Any, reactor)) == Delivered()
    (request,) = server.requests
    sent = json.loads(request.partition(b"\r\n\r\n")[2])
    assert (sent["title"], sent["message"].splitlines()) == ("DOWN | 3 checks", digest_lines(found))


# --- what goes wrong ----------------------------------------------------------------------------------------------


@pytest_twisted.ensureDeferred
async def test_of_a_failure_the_status_is_told_and_no_secret(
    server: Server, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Nor anything that the receiver said; also not in a log, whatever plug-ins write there."""
    server.answers(b"HTTP/1.1 403 No\r\nContent-Length: 6\r\n\r\nsesame")
    host = f"127.0.0.1:{await server.listen()}"
    handed_on = logging.StreamHandler()
    with capturedLogs() as logged, caplog.at_level(logging.DEBUG):
        logging.getLogger().addHandler(handed_on)
        for url in (f"ntfy://ur-ser:pass-word@{host}/to-pic", f"json://ur-ser:pass-word@{host}/to-pic"):
            assert await told(url) == NotDelivered("status 403")
        await server.close()
        server.ports.clear()
        assert await told(url) == NotDelivered("could not connect, or the connection broke off")
        logging.getLogger().removeHandler(handed_on)
    printed = "".join([*map(formatEvent, logged), *capfd.readouterr()])
    assert not any(secret in printed for secret in ("ur-ser", "pass-word", "to-pic", "sesame"))


def test_words_of_plug_ins_are_not_repeated() -> None:
    """They may hold what is secret or a stranger's."""
    assert (
        _why("x", ["sending to secret failed"])
        == "apprise could not deliver it by x://: `apprise -vv -b test URL` says why"
    )
    assert _why("x", ["Failed to send secret: Unavailable, error=503."]) == "status 503"


@pytest_twisted.ensureDeferred
async def test_only_what_the_operator_allows_is_sent(server: Server) -> None:
    """An address in the URL is not held to the address policy; so nothing is allowed unless its scheme is."""
    url = f"json://127.0.0.1:{await server.listen()}/"
    for schemes, scheme in (((), "json"), (("ntfy",), "json"), (("*",), "syslog")):
        result = await told(url.replace("json", scheme), Apprise(cast(Any, reactor), schemes, str))
        assert result == NotDelivered(f'{scheme}:// is not allowed; allow it with [apprise] schemes = ["{scheme}"]')
    assert not server.requests
    assert await told(url, Apprise(cast(Any, reactor), ("json",), str)) == Delivered()


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("nosuch://x", "knows no nosuch://"),
        ("https://example.org/x", "knows no service with such an https:// URL"),
        ("tgram://x", "cannot use this tgram:// URL"),
        ("mqtt://localhost/topic", "lacks what it needs for mqtt://: paho-mqtt"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_url_that_apprise_cannot_use_fails_for_good(url: str, why: str) -> None:
    result = await told(url)
    assert isinstance(result, NotDelivered)
    assert result.permanent
    assert why in result.error


@pytest.mark.parametrize(
    "url",
    [
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/%23general?template=/etc/passwd",
        "discord://a123456789012345678/abcdefabcdefabcdefabcdef?template=/etc/passwd",
        "fcm://project/device?keyfile=/etc/passwd",
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_url_cannot_name_files_of_this_machine(url: str) -> None:
    result = await told(url)
    assert isinstance(result, NotDelivered)
    assert "cannot use this" in result.error


def test_a_plug_in_that_raises_fails_alone() -> None:
    """With the name of its error and nothing else."""

    class Broken(NotifyBase):
        def send(self, *args: Any, **more: Any) -> bool:
            raise OverflowError("secret")

    plugins: Any = NotificationManager()
    plugins.add(Broken, schemas="broken")
    try:
        result = send("broken://host", AppriseMessage("t", "b", "failure"))
    finally:
        plugins.remove("broken", unload=False)
    assert result == NotDelivered("apprise's plug-in for broken:// failed: OverflowError")


def test_plug_ins_without_a_host_act_on_this_machine() -> None:
    """All of them are known here, so that no `*` allows one."""
    plugins: Any = NotificationManager()
    plugins.load_modules()
    local = {
        scheme for plugin in plugins.plugins() if "{schema}://" in plugin.templates for scheme in plugin.schemas(plugin)
    }
    assert local == LOCAL


# --- a receiver that hangs ----------------------------------------------------------------------------------------


@pytest_twisted.ensureDeferred
async def test_a_receiver_that_hangs_holds_up_only_its_own_channel(server: Server) -> None:
    """Until all threads hang; then the error says so, and when one is free again messages are delivered again."""
    kind, port = Apprise(cast(Any, reactor), ("json",), str, threads=2), await server.listen()
    answer, server.reply = server.reply, lambda receiver: None

    async def to(channel: str, timeout_s: float = 0.3) -> Result:
        message = letter({"url": f"json://127.0.0.1:{port}/"}, name="backup")
        message = replace(message, channel=replace(message.channel, id=channel))
        result = await attempt(kind, message, cast(Any, reactor), timeout_s)
        await seconds(0)
        return result

    assert await to("a") == NotDelivered("timed out after 0.3 s")
    assert await to("a") == NotDelivered("an earlier message to this channel hangs still")
    assert await to("b") == NotDelivered("timed out after 0.3 s")
    assert await to("c") == NotDelivered("all 2 threads for plug-ins hang")
    assert len(server.requests) == 2
    server.reply = answer
    for receiver in list(server.open):
        answer(receiver)
    await until(lambda: not server.open)
    assert await to("a", 10.0) == Delivered()
