"""A channel: a place where people or programs are told, and whether it takes what is sent.

    delivered, tested well, changed     answers: all that waits for it goes
    an attempt failed                   fails: one attempt at a time, after growing waits, whatever is owed to it

So a dead receiver costs one attempt a round, and not one for each message. Every round takes another message, because
it may be the message that is refused and not the channel that is dead.

A group is a channel that stands for others: whoever has the group has its members. None of them is a group, so groups
make no circles, and nothing is ever owed to a group itself.

Some receivers have to say that they want messages (*consent*). Until then nothing is owed to the channel, and it is
sent nothing but the question:

    due            the question is to be sent: at once, or when `failing` says so
    asked          it was sent, or could not be; it is not sent again unless somebody wants it
    unsubscribed   the receiver wants no messages any more
    ""             it wants them, or is of a kind that is not asked
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from pingmon.core.notify.channel_settings import ChannelSettings
from pingmon.core.units import Id

Consent: TypeAlias = Literal["", "due", "asked", "unsubscribed"]

GROUP: Final = "group"
"""The kind of channel that stands for others. Its setting `channels` has their ids, with commas between them."""


class Failing(Struct, frozen=True, omit_defaults=True, gc=False):
    """That a channel has taken nothing of late: since when, failures in a row, the last one's time and error.

    `retry_at` is when the next one is due, `held` that the receiver itself asked to be left alone until then.
    """

    since: int
    attempts: int
    tried_at: int
    retry_at: int
    error: str
    held: bool = False


class Channel(Struct, frozen=True, omit_defaults=True, gc=False):
    """`value` holds the kind's own settings. `secret` signs messages, and until `old_until` `old_secret` does too.

    `given_up`: when a message about a check or site was last given up, if nothing was delivered since (0: none was).
    """

    id: Id
    project: Id
    kind: str
    name: str
    value: dict[str, object]
    secret: str
    born: int
    created: int
    last_delivered: int | None = None
    last_error: str = ""
    failing: Failing | None = None
    old_secret: str = ""
    old_until: int = 0
    settings: ChannelSettings = ChannelSettings()
    consent: Consent = ""
    given_up: int = 0

    def secrets(self, now: int) -> tuple[str, ...]:
        """The secrets that sign a message which is sent at `now`, the present one first."""
        secrets = (self.secret, self.old_secret) if now < self.old_until else (self.secret,)
        return tuple(filter(None, secrets))

    @property
    def members(self) -> tuple[Id, ...]:
        """The channels that a group stands for; none if it is no group."""
        return tuple(filter(None, str(self.value["channels"]).split(","))) if self.kind == GROUP else ()


def failed(
    channel: Channel, at: int, error: str, retry_at: int, *, held: bool = False, same_round: bool = False
) -> Channel:
    """The channel after an attempt that failed at `at`; the next one is due at `retry_at`.

    `same_round`: it was on its way already when another one failed, and does not count as one more.
    """
    before = channel.failing
    since, attempts = (at, 0) if before is None else (before.since, before.attempts)
    return replace(
        channel, last_error=error, failing=Failing(since, attempts + (not same_round), at, retry_at, error, held)
    )


def answers(channel: Channel) -> Channel:
    """The channel once there is a reason to think that it can be told again."""
    return replace(channel, last_error="", failing=None, given_up=0)


def without_member(group: Channel, gone: Id) -> Channel:
    """The group once it has one member less."""
    left = ",".join(id for id in group.members if id != gone)
    return replace(group, value={**group.value, "channels": left})


def asked(channel: Channel, at: int, error: str, retry_at: int) -> Channel:
    """The channel after its receiver was asked whether it wants messages, or could not be.

    The next attempt is due at `retry_at`; 0: there is none.
    """
    if error and retry_at:
        return failed(channel, at, error, retry_at)
    if channel.consent == "due" or (channel.consent and not error):
        channel = replace(channel, consent="asked")
    return replace(answers(channel), last_error=error)


def renewed(channel: Channel, secret: str, old_until: int) -> Channel:
    """The channel with a new secret; until `old_until` the one it had signs as well."""
    return replace(channel, secret=secret, old_secret=channel.secret if old_until else "", old_until=old_until)


def shifted(channel: Channel, by: int) -> Channel:
    """The channel after the wall clock was set by `by`: what was measured on the old clock moves along."""
    failing = channel.failing
    if failing is not None:
        moved = {name: getattr(failing, name) + by for name in ("since", "tried_at", "retry_at")}
        failing = replace(failing, **moved)
    return replace(
        channel,
        failing=failing,
        old_until=channel.old_until and channel.old_until + by,
        given_up=channel.given_up and channel.given_up + by,
    )
