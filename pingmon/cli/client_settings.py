"""Which daemon a command talks to, and as whom: from the environment, and from a file in the user's own directory.

    PINGMON_URL  PINGMON_KEY  PINGMON_OPERATOR_KEY  PINGMON_PING_KEY
    url          key          operator_key          ping_key           in the file

What an option says wins over the environment, and that over the file. The file is TOML, `~/.config/pingmon/client.toml`
or what `PINGMON_CONFIG` names. `pingmon run` reads this before a job starts, so nothing here may take long.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

DEFAULT_URL: Final = "http://localhost:8000"
NAMES: Final = ("url", "key", "operator_key", "ping_key")


class BadSettings(Exception):
    """The file cannot be used; the message is one line that names it."""


class ClientSettings(NamedTuple):
    """Texts, empty if nothing is said. `key` is a project's API key, `operator_key` the operator's."""

    url: str = ""
    key: str = ""
    operator_key: str = ""
    ping_key: str = ""


def settings_file(environ: Mapping[str, str]) -> Path:
    """Where the file is, if there is one."""
    if named := environ.get("PINGMON_CONFIG"):
        return Path(named)
    home = environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return Path(home, "pingmon", "client.toml")


def client_settings(environ: Mapping[str, str]) -> ClientSettings:
    """What environment and file say. Raises `BadSettings`; that no file is there is no error, unless it was named."""
    found = {name: environ.get(f"PINGMON_{name.upper()}", "") for name in NAMES}
    if all(found.values()):
        return ClientSettings(**found)
    told = _from_file(settings_file(environ), must_exist="PINGMON_CONFIG" in environ)
    return ClientSettings(**{name: found[name] or told.get(name, "") for name in NAMES})


def _from_file(path: Path, *, must_exist: bool) -> dict[str, str]:
    try:
        raw = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        if must_exist:
            raise BadSettings(f"{path}: {error.strerror} (PINGMON_CONFIG names it)") from error
        return {}
    except OSError as error:
        raise BadSettings(f"{path}: {error.strerror}") from error
    import tomllib  # only for those who have such a file

    try:
        found = tomllib.loads(raw.decode())
    except ValueError as error:
        raise BadSettings(f"{path} is not TOML: {error}") from error
    for name, value in found.items():
        if name not in NAMES:
            raise BadSettings(f"{path}: there is no setting {name}; known are {', '.join(NAMES)}")
        if not isinstance(value, str):
            raise BadSettings(f"{path}: {name} must be text in quotation marks")
    return found
