"""How things are found that a command names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from pingmon.cli.api_client import ApiClient
from pingmon.cli.checks import CHECKS
from pingmon.cli.subjects import listed


class Api:
    """Answers each request with `found`, and keeps what was asked."""

    def __init__(self, found: Any) -> None:
        self.found = found
        self.asked: list[tuple[str, Mapping[str, object] | None]] = []

    def ask(self, method: str, path: str, body: object = None, *, query: Mapping[str, object] | None = None) -> Any:
        """As `ApiClient.ask`."""
        self.asked.append((path, query))
        return self.found


def test_the_daemon_is_asked_for_a_status_and_not_trusted_to_know_it() -> None:
    """A server that lists all checks has not all of them deleted."""
    api = Api({"checks": [{"uuid": "a", "status": "up"}, {"uuid": "b", "status": "down"}]})
    assert listed(cast(ApiClient, api), CHECKS, ["prod"], ["down"]) == [{"uuid": "b", "status": "down"}]
    assert api.asked == [("checks/", {"tag": ["prod"], "status": ["down"]})]
