"""Every fact that the log can hold.

An event says what happened to one *stream* (a check, project, channel, or the daemon itself); the entry around it
says when and where in the order of the log. Events are written once and never change, so a field here is for ever:
add new ones with a default that means what older entries meant, never rename or reuse one.

Nothing in this module decides anything; that is the task of `fold`.
"""

from __future__ import annotations

import re
from typing import Final, Literal, TypeAlias, get_args

from msgspec import UNSET, Struct, UnsetType

from pingmon.core.check.settings import CheckChanges, CheckSpec
from pingmon.core.notify.alert_rules import EscalationStep
from pingmon.core.notify.channel import Consent
from pingmon.core.notify.channel_settings import ChannelSettings
from pingmon.core.notify.maintenance import WindowChanges, WindowSpec
from pingmon.core.partner.inquiry import PartnerAnswer
from pingmon.core.partner.partner import Attribution, Kind, PartnerChanges, PartnerSpec
from pingmon.core.site.probe_result import ProbeResult
from pingmon.core.site.settings import SiteChanges, SiteSpec
from pingmon.core.site.verdict import Place
from pingmon.core.units import Id

Signal: TypeAlias = Literal["success", "start", "fail", "log", "ign"]
Role: TypeAlias = Literal["rw", "ro", "operator"]


class Event(Struct, frozen=True, omit_defaults=True, gc=False):
    """Base of all events. Its subclasses say what kind of stream they are about; theirs hold only JSON-able values."""


class ProjectEvent(Event, frozen=True):
    """What happens to a project or a key: the stream is the project, or the daemon for the keys of operators."""


class ProjectCreated(ProjectEvent, frozen=True):
    name: str
    ping_key: str


class ProjectRenamed(ProjectEvent, frozen=True):
    name: str


class PingKeyRotated(ProjectEvent, frozen=True):
    """The project has a new ping key. The one before names nothing any more. Nothing happens if it is another's."""

    ping_key: str


class ProjectDefaultsChanged(ProjectEvent, frozen=True):
    """What a check has that a first ping makes, in place of what every new check has: all of it anew."""

    defaults: CheckChanges


class ProjectAlertRulesChanged(ProjectEvent, frozen=True):
    """Rules for those checks and sites of the project that have none of their own; see `ProjectAlertRules`."""

    remind_every: int | UnsetType = UNSET
    escalation: tuple[EscalationStep, ...] | UnsetType = UNSET


class ProjectDeleted(ProjectEvent, frozen=True):
    """The project is not wanted any more. It is deleted if nothing is left in it."""


class KeyCreated(ProjectEvent, frozen=True):
    """An API key came into being. Only its salted hash is kept; `prefix` (8 characters) finds it."""

    key: Id
    role: Role
    prefix: str
    salt: str
    digest: str
    name: str = ""


class KeyRevoked(ProjectEvent, frozen=True):
    """The key opens nothing any more."""

    key: Id


class KeyRetired(ProjectEvent, frozen=True):
    """The key opens nothing any more from `until` on (microseconds since the epoch): another one takes its place.

    If it has an end already, the earlier one counts.
    """

    key: Id
    until: int


class KeyUsed(ProjectEvent, frozen=True):
    """Somebody has shown the key. Written once in a while, not for each request."""

    key: Id


class CheckEvent(Event, frozen=True):
    """What happens to a check: the stream is the check."""


class CheckCreated(CheckEvent, frozen=True):
    """A check is wanted. With `unique` naming fields, only if no check of the project has equal values there.

    With `most`, here as elsewhere, only if the project has fewer than that (0: no limit).
    """

    project: Id
    spec: CheckSpec
    unique: tuple[str, ...] = ()
    most: int = 0


class CheckChanged(CheckEvent, frozen=True):
    changes: CheckChanges


class CheckDeleted(CheckEvent, frozen=True):
    pass


class CheckMoved(CheckEvent, frozen=True):
    """The check belongs to another project from now on, and has all channels of that. Its URL and history stay."""

    project: Id
    most: int = 0


class CheckPaused(CheckEvent, frozen=True):
    pass


class CheckResumed(CheckEvent, frozen=True):
    pass


class NewCheck(Struct, frozen=True, omit_defaults=True, gc=False):
    """What `create=1` asks for: the check with this slug in this project, made now if there is none."""

    project: Id
    slug: str
    most: int = 0


class PingReceived(CheckEvent, frozen=True):
    """A job called. `signal` is what the ping means after filters; the raw body, if kept, is the entry's payload.

    `rid` is the run's id, lower-case. `left_out` counts the bytes of a body that was not kept because it is not
    UTF-8. `create` is set when the ping may make its check; the stream is then the id the new check would get.
    """

    signal: Signal = "success"
    method: str = "GET"
    scheme: str = "http"
    addr: str = ""
    ua: str = ""
    exitstatus: int | None = None
    rid: str | None = None
    left_out: int = 0
    create: NewCheck | None = None


class CheckExpired(CheckEvent, frozen=True):
    """A deadline passed in silence. It stands only if the check's deadline is still the one set by entry `armed_by`.

    `deadline` (microseconds since the epoch) is the instant of the flip, however late the daemon woke up.
    """

    deadline: int
    armed_by: int


class ScheduleEnded(CheckEvent, frozen=True):
    """The check is up and its schedule has no occurrence any more, so it cannot alarm. People are told, once."""


class SiteEvent(Event, frozen=True):
    """What happens to a site: the stream is the site."""


class SiteCreated(SiteEvent, frozen=True):
    """A site is to be watched; `most` as in `CheckCreated`."""

    project: Id
    spec: SiteSpec
    most: int = 0


class SiteChanged(SiteEvent, frozen=True):
    changes: SiteChanges


class SiteDeleted(SiteEvent, frozen=True):
    pass


class SitePaused(SiteEvent, frozen=True):
    pass


class SiteResumed(SiteEvent, frozen=True):
    pass


class Hour(Struct, frozen=True, omit_defaults=True, gc=False):
    """What the daemon's own probes of a site measured from `start` on (microseconds since the epoch) in that hour.

    `probes` is how many saw anything, `bad` how many of them did not see what they should, `void` how many saw
    nothing. The others are milliseconds that the good ones took; 0 if there was none.
    """

    start: int
    probes: int = 0
    bad: int = 0
    void: int = 0
    fastest: int = 0
    median: int = 0
    p95: int = 0
    slowest: int = 0


class SiteProbed(SiteEvent, frozen=True):
    """Probes of a site: what was seen at one time, or, with `hour`, the sum of an hour that has ended.

    `looks` are the daemon's own (`node` is "") and the verifiers'; `asked` counts the verifiers that were asked and
    `quorum` how many of them must agree on a failure. `place` is what was known of the daemon's own
    (`core.site.verdict`).
    """

    looks: tuple[ProbeResult, ...] = ()
    asked: int = 0
    quorum: int = 0
    hour: Hour | None = None
    place: Place = ""


class SiteHostSeen(SiteEvent, frozen=True):
    """Who hosts the site by what DNS said (None: nobody known), and the kinds of signals that could not be had."""

    host: Attribution | None = None
    failed: tuple[Kind, ...] = ()


class PartnerAnswered(SiteEvent, frozen=True):
    """What `partner` said to the question `id` about the site."""

    id: str
    partner: Id
    answer: PartnerAnswer
    took_ms: int


class OutageEvent(Event, frozen=True):
    """What happens to the outage of a check or site, which is the stream."""


class OutageReviewed(OutageEvent, frozen=True):
    """Something fell due, so it was looked again who is to be told of the outage; see `core.notify.outage`."""


class OutageAcknowledged(OutageEvent, frozen=True):
    """Somebody knows of the outage and sees to it. `flip`: of the one that began with this entry, 0: of the present."""

    by: str = ""
    flip: int = 0


class WindowEvent(Event, frozen=True):
    """What happens to a maintenance window: the stream is the window."""


class WindowCreated(WindowEvent, frozen=True):
    project: Id
    spec: WindowSpec
    most: int = 0


class WindowChanged(WindowEvent, frozen=True):
    changes: WindowChanges


class WindowDeleted(WindowEvent, frozen=True):
    pass


class PartnerEvent(Event, frozen=True):
    """What happens to a partner: the stream is the partner."""


class PartnerCreated(PartnerEvent, frozen=True):
    spec: PartnerSpec


class PartnerChanged(PartnerEvent, frozen=True):
    changes: PartnerChanges


class PartnerDeleted(PartnerEvent, frozen=True):
    pass


class ChannelEvent(Event, frozen=True):
    """What happens to a channel and to messages on their way: the stream is the channel."""


class ChannelCreated(ChannelEvent, frozen=True):
    """`value` is the JSON object of the kind's own settings; `secret` signs what is sent (`whsec_…`).

    `consent`: what is missing before it may be told anything.
    """

    project: Id
    kind: str
    name: str
    value: dict[str, object]
    secret: str
    most: int = 0
    settings: ChannelSettings = ChannelSettings()
    consent: Consent = ""


class ChannelChanged(ChannelEvent, frozen=True):
    """The settings that are given are set; the others stay as they are. A `secret` ends all older ones."""

    name: str | UnsetType = UNSET
    value: dict[str, object] | UnsetType = UNSET
    settings: ChannelSettings | UnsetType = UNSET
    consent: Consent | UnsetType = UNSET
    secret: str | UnsetType = UNSET


class ChannelSecretRenewed(ChannelEvent, frozen=True):
    """From now on `secret` signs; until `old_until` (microseconds since the epoch) the one before does as well."""

    secret: str
    old_until: int = 0


class ChannelDeleted(ChannelEvent, frozen=True):
    pass


class ChannelTested(ChannelEvent, frozen=True):
    """Somebody had a test message sent. Without an `error` the receiver took it."""

    took_ms: int
    status: int | None = None
    error: str = ""


class NotificationDelivered(ChannelEvent, frozen=True):
    """The receiver took it. `took_ms`: duration of the last attempt. `status`: the answer's, where there is one.

    `nothing`: the channel wants no message of this kind, and none was sent. `receipt`: what the receiver calls the
    message, if later ones about the same outage are to change that one. `through`: it was a digest, of all messages to
    the channel that became owed by that entry at the latest and had not been delivered before.
    """

    id: str
    took_ms: int
    status: int | None = None
    nothing: bool = False
    receipt: str = ""
    through: int = 0


class NotificationFailed(ChannelEvent, frozen=True):
    """An attempt at a message or digest failed; the channel's next is due at `retry_at` (microseconds since the epoch).

    `held`: the receiver itself has asked to be left alone until then. `same_round`: the attempt was on its way when
    another one failed, and the channel's next attempt comes no later for it. All messages to the channel that fell due
    at or before `given_up` will not be tried again.
    """

    id: str
    took_ms: int
    error: str
    retry_at: int
    held: bool = False
    given_up: int = 0
    same_round: bool = False


class NotificationAbandoned(ChannelEvent, frozen=True):
    """No further attempt will be made: the fault is with the message, and not with who receives it."""

    id: str
    took_ms: int
    error: str


class ConsentEvent(Event, frozen=True):
    """Whether the receiver of a channel wants messages: the stream is the channel."""


class ConsentAsked(ConsentEvent, frozen=True):
    """The receiver was asked whether it wants messages. With an `error` it could not be.

    The next attempt is then due at `retry_at` (microseconds since the epoch); 0: there is none.
    """

    took_ms: int
    status: int | None = None
    error: str = ""
    retry_at: int = 0


class ChannelConfirmed(ConsentEvent, frozen=True):
    """The receiver wants messages."""


class ChannelUnsubscribed(ConsentEvent, frozen=True):
    """The receiver wants no messages any more."""


class TroubleEvent(Event, frozen=True):
    """What becomes of trouble of pingmon itself, of which the operator is told: the stream is the trouble."""


class TroubleBegan(TroubleEvent, frozen=True):
    """It has lasted long enough to be told; it began at `since` (microseconds since the epoch).

    `kind` is the same each time. `text` says what is wrong, `detail` why, and what can be done.
    """

    kind: str
    text: str
    detail: str
    channels: tuple[Id, ...]
    since: int


class TroubleEnded(TroubleEvent, frozen=True):
    """It has been gone for long enough, since `until` (microseconds since the epoch)."""

    until: int


class DaemonEvent(Event, frozen=True):
    """What happens to the daemon itself, which is the stream."""


class ListeningEnded(DaemonEvent, frozen=True):
    """The daemon was stopped and takes no further connections: it is deaf from `since` on, or from this entry on.

    `since` (microseconds since the epoch) is the last sign of life of a daemon that had no time to say so itself.
    """

    since: int | None = None


class ListeningResumed(DaemonEvent, frozen=True):
    """pingmon was deaf from `since` until this entry's time (microseconds since the epoch).

    Deadlines that passed meanwhile raise nothing before `hold_until`, and an alert for one of them says so.
    """

    since: int
    hold_until: int
    cause: Literal["stopped", "suspended", "disk"] = "stopped"


class ClockStepped(DaemonEvent, frozen=True):
    """The wall clock was set by `by` microseconds; instants before this entry are shifted to the new clock."""

    by: int


def _kind_of(event: type[Event]) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", event.__name__).lower()


AnyProjectEvent: TypeAlias = (
    ProjectCreated
    | ProjectRenamed
    | PingKeyRotated
    | ProjectDefaultsChanged
    | ProjectAlertRulesChanged
    | ProjectDeleted
    | KeyCreated
    | KeyRevoked
    | KeyRetired
    | KeyUsed
)
AnyCheckEvent: TypeAlias = (
    CheckCreated | CheckChanged | CheckDeleted | CheckMoved | CheckPaused | CheckResumed | CheckExpired | ScheduleEnded
)
AnySiteEvent: TypeAlias = (
    SiteCreated | SiteChanged | SiteDeleted | SitePaused | SiteResumed | SiteProbed | SiteHostSeen | PartnerAnswered
)
AnyOutageEvent: TypeAlias = OutageReviewed | OutageAcknowledged
AnyWindowEvent: TypeAlias = WindowCreated | WindowChanged | WindowDeleted
AnyPartnerEvent: TypeAlias = PartnerCreated | PartnerChanged | PartnerDeleted
AnyConsentEvent: TypeAlias = ConsentAsked | ChannelConfirmed | ChannelUnsubscribed
AnyChannelEvent: TypeAlias = (
    ChannelCreated
    | ChannelChanged
    | ChannelSecretRenewed
    | ChannelDeleted
    | ChannelTested
    | NotificationDelivered
    | NotificationFailed
    | NotificationAbandoned
)
AnyTroubleEvent: TypeAlias = TroubleBegan | TroubleEnded
AnyDaemonEvent: TypeAlias = ListeningEnded | ListeningResumed | ClockStepped
AnyRareEvent: TypeAlias = (
    AnyProjectEvent
    | AnyCheckEvent
    | AnySiteEvent
    | AnyOutageEvent
    | AnyWindowEvent
    | AnyPartnerEvent
    | AnyChannelEvent
    | AnyConsentEvent
    | AnyTroubleEvent
    | AnyDaemonEvent
)
"""All but pings."""
AnyEvent: TypeAlias = PingReceived | AnyRareEvent
"""All of them, so that the type checker sees it when the fold forgets one."""

ALL: Final[tuple[type[Event], ...]] = get_args(AnyEvent)
KINDS: Final[dict[type[Event], str]] = {event: _kind_of(event) for event in ALL}
"""The name that each event has on disk: `PingReceived` is `ping_received`."""


class Draft(Struct, frozen=True, gc=False):
    """An event on its way into the log. `at`: microseconds since the epoch, UTC. `payload`: a ping's raw body."""

    at: int
    stream: Id
    event: AnyEvent
    payload: bytes | None = None


class Entry(Struct, frozen=True, gc=False):
    """An event in the log, at its place `seq` (1, 2, 3 …) in the one order there is."""

    seq: int
    at: int
    stream: Id
    event: AnyEvent
    payload: bytes | None = None
