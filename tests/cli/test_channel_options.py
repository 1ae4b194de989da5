"""Options of `pingmon channel add` and `edit`, made of what the API says of each kind."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from pingmon.api.channel_kinds import KINDS
from pingmon.cli.channel_options import TAKEN, called, check_complete, setting_options, shown_value, value_of
from pingmon.cli.channels import channel


def given(kind: str, *arguments: str, stdin: str | None = None) -> tuple[Result, dict[str, object]]:
    """What a command for this kind takes from its arguments."""
    found: dict[str, object] = {}

    @click.command()
    @setting_options([kind])
    def command(settings: dict[str, object]) -> None:
        found.update(value_of(kind, settings))

    return CliRunner().invoke(command, arguments, input=stdin), found


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_its_command_and_an_option_for_each_setting(kind: str) -> None:
    """A name that means something else on the command line comes with the kind's."""
    shown = CliRunner().invoke(channel, ["add", kind, "--help"], terminal_width=200).stdout
    edited = CliRunner().invoke(channel, ["edit", "--help"], terminal_width=200).stdout
    for name, setting in KINDS[kind].settings.items():
        option = called(kind, name)
        assert option[2:] not in TAKEN
        for text in (shown, edited):
            lines = [line for line in text.splitlines() if line.startswith((f"  {option} ", f"  {option}/"))]
            assert len(lines) == 1, option
        assert setting.help.split(".")[0].split(";")[0] in " ".join(shown.split())


def test_what_is_given_is_what_the_api_is_sent(tmp_path: Path) -> None:
    """By the names of the API; text, numbers, choices and headers."""
    arguments = ["--topic", "alerts", "--ntfy-url", "https://ntfy.example", "--priority", "5"]
    assert given("ntfy", *arguments)[1] == {"topic": "alerts", "url": "https://ntfy.example", "priority": 5}
    headers = ["--header-down", "X-A: 1", "--header-down", "X-B:2", "--method-down", "PUT", "--url-up", ""]
    assert given("webhook", *headers)[1] == {
        "url_up": "",
        "method_down": "PUT",
        "headers_down": {"X-A": "1", "X-B": "2"},
    }
    assert given("webhook", "--header-down", "oops")[0].exit_code == 2
    assert given("pagerduty", "--severity", "dreadful")[0].exit_code == 2


def test_a_secret_may_come_from_standard_input_or_a_file(tmp_path: Path) -> None:
    """So that no list of processes shows it."""
    assert given("apprise", "--apprise-url", "-", stdin="ntfys://a\nmore\n")[1] == {"url": "ntfys://a"}
    file = tmp_path / "url"
    file.write_text("ntfys://b\n")
    assert given("apprise", "--apprise-url", f"@{file}")[1] == {"url": "ntfys://b"}
    assert given("apprise", "--apprise-url", "ntfys://c")[1] == {"url": "ntfys://c"}
    assert given("apprise", "--apprise-url", f"@{file}x")[0].exit_code == 2
    assert given("ntfy", "--topic", "-", stdin="x\n")[1] == {"topic": "-"}


def test_an_option_of_another_kind_is_a_usage_error() -> None:
    """Also if its setting has the same name."""
    assert value_of("ntfy", {"--ntfy-url": "x"}) == {"url": "x"}
    with pytest.raises(click.UsageError, match="a channel of kind slack has no --ntfy-url"):
        value_of("slack", {"--ntfy-url": "x"})
    with pytest.raises(click.UsageError, match="a channel of kind pigeon has no --topic"):
        value_of("pigeon", {"--topic": "x"})


def test_what_a_kind_needs_must_be_given() -> None:
    """As an option or in --value; what else is wrong is the daemon's to judge."""
    check_complete("ntfy", {"topic": "x"})
    with pytest.raises(click.UsageError, match="a channel of kind ntfy needs --topic"):
        check_complete("ntfy", {"priority": 3})


def test_secrets_are_not_shown() -> None:
    """Nor anything of a kind that is not known here."""
    assert shown_value("apprise", {"url": "ntfys://secret"}) == {"url": "ntfys://…"}
    assert shown_value("telegram", {"token": "secret", "chat_id": "1"}) == {"token": "…", "chat_id": "1"}
    assert shown_value("pigeon", {"coop": "secret", "ring": ""}) == {"coop": "…"}
