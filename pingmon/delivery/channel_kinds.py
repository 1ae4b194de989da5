"""How a message gets to a channel of each kind. What the API knows of them: `api.channel_kinds`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pingmon.core.notify.allowed import Allowed
from pingmon.core.notify.trouble import Trouble
from pingmon.core.site.site import Site
from pingmon.core.world.outcome import Topic
from pingmon.core.world.world import World
from pingmon.delivery.apprise import Apprise
from pingmon.delivery.attempt import ChannelKind
from pingmon.delivery.command import Command
from pingmon.delivery.email import Email, MailRoute
from pingmon.delivery.group import Group
from pingmon.delivery.http_service import SERVICES, HttpService
from pingmon.delivery.last_body import LastBody
from pingmon.delivery.webhook import Webhook
from pingmon.journal import History
from pingmon.outgoing.passage import Egress
from pingmon.wire.api.checks import View, check_json
from pingmon.wire.api.sites import SiteView, site_json
from pingmon.wire.api.status import trouble_json


def channel_kinds(
    world: World,
    history: History,
    egress: Egress,
    base_url: Callable[[], str],
    ping_path: str,
    mail: MailRoute | None = None,
    *,
    reactor: Any,
    allowed: Allowed,
) -> dict[str, ChannelKind]:
    """All kinds. `base_url` is the daemon's own, `ping_path` comes between that and a check's id in its ping URL.

    `mail` is None where the operator has named no mail server.
    """

    def shown(subject: Topic, now: int) -> dict[str, object]:
        base = base_url()
        if isinstance(subject, Trouble):
            return trouble_json(subject)
        if isinstance(subject, Site):
            return site_json(subject, SiteView(f"{base}/api/v3/sites/{subject.id}", now, world.host_of(subject)))
        return check_json(subject, View(3, False, base, base + ping_path, now))

    services = {
        name: ChannelKind(HttpService(egress, each, base_url), each.parallel, each.digests)
        for name, each in SERVICES.items()
    }
    last_body = LastBody(history)
    email = Email(mail, base_url, last_body)
    kinds = {
        "webhook": ChannelKind(Webhook(egress, shown, last_body), parallel=4),
        "email": ChannelKind(email, ask=email.ask),
        "apprise": ChannelKind(Apprise(reactor, allowed.apprise or (), base_url)),
        "command": ChannelKind(Command(reactor, allowed.commands, shown, last_body)),
        **services,
    }
    kinds["group"] = ChannelKind(Group(world, kinds))
    return kinds
