"""Channels of kind `apprise`: any service that apprise has a plug-in for, through the extra `pingmon[apprise]`.

Its plug-ins block, so they run on threads of their own (`plugin_threads`). What they connect to is not held to the
address policy; the operator allows them by scheme.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from typing import Final

from pingmon.delivery.apprise_plugins import send
from pingmon.delivery.attempt import NotDelivered, Result
from pingmon.delivery.plugin_threads import CalledFromThreads, Hanging, PluginThreads
from pingmon.wire.api.apprise_channel import refusal
from pingmon.wire.message.apprise import apprise_message
from pingmon.wire.message.digest import AnyMessage

THREADS: Final = 8


class Apprise:
    """The kind. `schemes` are those that the operator allows, `base_url` is the daemon's own, for links in messages."""

    def __init__(
        self,
        reactor: CalledFromThreads,
        schemes: Collection[str],
        base_url: Callable[[], str],
        threads: int = THREADS,
    ) -> None:
        self._base_url = base_url
        self._schemes = schemes
        self._threads = PluginThreads(reactor, threads)

    async def __call__(self, message: AnyMessage) -> Result:
        """As `Deliver`."""
        url = str(message.channel.value.get("url", ""))
        if (refused := refusal(url, self._schemes)) is not None:
            return NotDelivered(refused)  # not for good: the operator may allow it
        try:
            return await self._threads.run(
                message.channel.id, partial(send, url, apprise_message(message, self._base_url()))
            )
        except Hanging as error:
            return NotDelivered(str(error))
