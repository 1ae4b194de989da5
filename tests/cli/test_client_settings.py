"""Which daemon a command talks to, by environment and file."""

from __future__ import annotations

from pathlib import Path

import pytest

from pingmon.cli.client_settings import BadSettings, ClientSettings, client_settings, settings_file

FILE = 'url = "https://file.example"\nkey = "hcw_file"\n'


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    """Name by name."""
    (tmp_path / "pingmon").mkdir()
    (tmp_path / "pingmon" / "client.toml").write_text(FILE)
    environ = {"XDG_CONFIG_HOME": str(tmp_path), "PINGMON_URL": "https://env.example", "PINGMON_PING_KEY": "k"}
    assert client_settings(environ) == ClientSettings("https://env.example", "hcw_file", "", "k")


def test_nothing_said_is_nothing_wrong(tmp_path: Path) -> None:
    """Most people have no such file."""
    assert client_settings({"XDG_CONFIG_HOME": str(tmp_path)}) == ClientSettings()


def test_the_file_is_where_such_files_are() -> None:
    """Or where it is said to be."""
    assert settings_file({"HOME": "/home/ada"}).parts[-3:] == (".config", "pingmon", "client.toml")
    assert settings_file({"PINGMON_CONFIG": "/etc/p.toml"}) == Path("/etc/p.toml")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("url = ", "is not TOML"),
        ("\xff", "is not TOML"),
        ('kee = "x"', "there is no setting kee; known are url, key, operator_key, ping_key"),
        ("url = 8000", "url must be text in quotation marks"),
        (None, "No such file or directory (PINGMON_CONFIG names it)"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_clear_line(tmp_path: Path, text: str | None, said: str) -> None:
    """It names the file."""
    path = tmp_path / "client.toml"
    if text is not None:
        path.write_text(text, "latin-1")
    with pytest.raises(BadSettings) as refused:
        client_settings({"PINGMON_CONFIG": str(path)})
    assert str(refused.value).startswith(str(path))
    assert said in str(refused.value)


def test_a_file_that_may_not_be_read_is_said(tmp_path: Path) -> None:
    """A directory stands for one."""
    with pytest.raises(BadSettings, match="Is a directory"):
        client_settings({"PINGMON_CONFIG": str(tmp_path)})
