"""A daemon that looks after sites, as tests use it: through its API, and by what partners and users receive."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.process.daemons import PATIENCE_S, Answer, Received, Receiver, Running, Starter, Verifying, until
from tests.process.site_servers import ACCEPTOR, FakeVerifier


def config(*verifiers: Verifying | FakeVerifier, sites: str = "") -> str:
    """A configuration for sites, webhooks and verifiers on loopback; `sites` are more lines of that table."""
    text = '[outgoing]\nallow = ["127.0.0.0/8"]\n[limits]\napi_requests = 0\n'
    return f"{text}[sites]\nper_address = 200\n{sites}" + "".join(verifier.config for verifier in verifiers)


@dataclass
class SiteStage:
    """A daemon with a channel that tells `users`, and with sites and partners that the test makes.

    A partner is asked at its own path of `partners`: its slug.
    """

    daemon: Running
    users: Receiver
    partners: Receiver
    channel: str = ""
    secret: str = ""

    def __post_init__(self) -> None:
        value = {"url_down": self.users.url, "method_down": "POST", "url_up": self.users.url, "method_up": "POST"}
        wanted = {"kind": "webhook", "name": "users", "value": value, "digest_over": 0}  # many sites go down here
        made = self.done(self.daemon.api("POST", "channels/", wanted))
        self.channel, self.secret = made["id"], made["secret"]

    @staticmethod
    def done(answer: Answer) -> Any:
        """What the API answered to a request that was done."""
        assert answer.status in (200, 201), answer
        return answer.json

    def site(self, url: str, **fields: Any) -> str:
        """A site whose users are told; its id."""
        wanted = {"url": url, "interval": 60, "timeout": 2, "channels": self.channel, "host": ""} | fields
        made: str = self.done(self.daemon.api("POST", "sites/", wanted))["uuid"]
        return made

    def partner(self, slug: str, **fields: Any) -> dict[str, Any]:
        """A partner as the API shows it at its creation."""
        wanted = {"slug": slug, "webhook": f"{self.partners.url}/{slug}"} | fields
        made: dict[str, Any] = self.done(self.daemon.api("POST", "partners/", wanted, "operator_key"))
        return made

    def shown(self, site: str) -> dict[str, Any]:
        """The site as the API shows it."""
        found: dict[str, Any] = self.done(self.daemon.api("GET", f"sites/{site}"))
        return found

    def counts(self, partner: dict[str, Any]) -> dict[str, int]:
        """What the partner's answers were, without what never came."""
        found = self.done(self.daemon.api("GET", f"partners/{partner['uuid']}", key="operator_key"))
        return {kind: count for kind, count in found["answers"].items() if count}

    def probe(self, site: str) -> dict[str, Any]:
        """Have the site looked at now, or as soon as that may be asked for again; the site after that."""
        found: dict[str, Any] = self.look(site)["site"]
        return found

    def look(self, site: str) -> dict[str, Any]:
        """The same; what the daemon saw, and the site after that."""

        def answer() -> Answer | None:
            answered = self.daemon.api("POST", f"sites/{site}/probe")
            return None if answered.status == 429 else answered

        found: dict[str, Any] = self.done(until(answer, "the site to be looked at"))
        return found

    def becomes(self, site: str, status: str) -> dict[str, Any]:
        """The site, once it has that status."""

        def there() -> dict[str, Any] | None:
            found = self.shown(site)
            return found if found["status"] == status else None

        found: dict[str, Any] = until(there, f"the site to be {status}")
        return found

    def rounds(self, site: str) -> list[dict[str, Any]]:
        """Who saw what of the site, newest first."""
        found: list[dict[str, Any]] = self.done(self.daemon.api("GET", f"sites/{site}/probes/"))["probes"]
        return found

    def flips(self, site: str) -> list[str]:
        """Which statuses the site had, from the first."""
        found = self.done(self.daemon.api("GET", f"sites/{site}/flips/"))["flips"]
        return [found[-1]["old"], *[flip["new"] for flip in reversed(found)]] if found else []

    def told(self, site: str) -> list[Received]:
        """The messages about the site that users have."""
        return [message for message in tuple(self.users.got) if json.loads(message.body)["site"]["uuid"] == site]

    def asked(self, partner: str) -> list[Received]:
        """The questions that the partner with this slug was asked."""
        return [question for question in tuple(self.partners.arrived) if question.path == f"/{partner}"]

    # --- waiting --------------------------------------------------------------------------------------------------

    def users_hear(self, site: str, count: int = 1) -> list[Received]:
        """The messages about the site that users have, once there are so many."""

        def there() -> list[Received] | None:
            found = self.told(site)
            return found if len(found) >= count else None

        found: list[Received] = until(there, f"{count} messages to users about site {site}")
        return found

    def partner_hears(self, partner: str, count: int = 1, patience_s: float = PATIENCE_S) -> list[Received]:
        """The questions that the partner with this slug was asked, once there are so many."""

        def there() -> list[Received] | None:
            found = self.asked(partner)
            return found if len(found) >= count else None

        found: list[Received] = until(there, f"{count} questions to {partner}", patience_s)
        return found

    def falls_silent(self, site: str) -> str:
        """Until when the site is silent by its partner's word, once it is."""
        found: str = until(lambda: self.shown(site)["suppressed_until"], f"silence about site {site}")
        return found


@contextmanager
def started(place: Path) -> Iterator[Starter]:
    """Starts processes in `place`, which end here. None of them may have logged a traceback."""
    start = Starter(place)
    yield start
    start.end_all()
    ACCEPTOR.clear()
    for process in (*start.running, *start.verifying):
        assert "Traceback" not in process.log.read_text()


def housed(start: Starter, folder: str, *verifiers: FakeVerifier | Verifying, sites: str = "") -> SiteStage:
    """A daemon of its own, with these verifiers."""
    daemon = start(start.tmp_path / folder, config=config(*verifiers, sites=sites))
    house = SiteStage(daemon, start.receiver(), start.receiver())
    house.partners.answer = lambda question: (200, b"ok")
    return house
