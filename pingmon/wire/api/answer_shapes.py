"""The shapes of answers: which keys an object has, and of which type their values are.

They make the OpenAPI document, and tests hold every answer against them. The objects themselves are made by the modules
beside this one. A key that is not in every object is `NotRequired`; instants are ISO 8601 in UTC.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypeAlias, TypedDict

from pingmon.core.check.check import ShownStatus
from pingmon.core.facts import Topic
from pingmon.core.flip import Cause, FlipStatus
from pingmon.core.partner.partner import Scope
from pingmon.core.site.site import SiteStatus
from pingmon.core.world.events import Role, Signal

Instant: TypeAlias = str


class ShownError(TypedDict):
    """What is wrong; of a field, `why` may say more."""

    error: str
    why: NotRequired[str]


# --- checks ------------------------------------------------------------------------------------------------------


class ShownStep(TypedDict):
    """A step of an escalation."""

    after: int
    channels: str


class ShownAck(TypedDict):
    """That somebody sees to an outage."""

    at: Instant
    by: str


class ShownCheck(TypedDict):
    """A check. A read-only key sees `unique_key` in place of `uuid`, `channels` and all that could change it."""

    name: str
    slug: str
    tags: str
    desc: str
    grace: int
    n_pings: int
    status: ShownStatus
    started: bool
    last_ping: Instant | None
    next_ping: Instant | None
    manual_resume: bool
    methods: Literal["", "POST"]
    subject: str
    subject_fail: str
    start_kw: str
    success_kw: str
    failure_kw: str
    filter_subject: bool
    filter_body: bool
    filter_http_body: bool
    filter_default_fail: bool
    badge_url: str
    last_duration: NotRequired[int]
    uuid: NotRequired[str]
    ping_url: NotRequired[str]
    update_url: NotRequired[str]
    pause_url: NotRequired[str]
    resume_url: NotRequired[str]
    channels: NotRequired[str]
    unique_key: NotRequired[str]
    timeout: NotRequired[int]
    schedule: NotRequired[str]
    tz: NotRequired[str]
    schedule_means: NotRequired[str]
    last_start: Instant | None
    last_success: Instant | None
    told: bool
    warnings: list[str]
    notify_after: NotRequired[int]
    remind_every: NotRequired[int | None]
    escalation: NotRequired[list[ShownStep] | None]
    parent: NotRequired[str]
    acknowledged: NotRequired[ShownAck | None]


class ListedChecks(TypedDict):
    """The project's checks, oldest first."""

    checks: list[ShownCheck]


class ShownPing(TypedDict):
    """A ping."""

    type: Signal
    date: Instant
    n: int
    scheme: str
    remote_addr: str | None
    method: str
    ua: str
    rid: str | None
    body_url: str | None
    exitstatus: int | None
    duration: NotRequired[float]


class ListedPings(TypedDict):
    """A page of pings, newest first; `next` is the `before` of the page after it."""

    pings: list[ShownPing]
    next: str | None


class ShownSilenced(TypedDict):
    """Why nobody was told at once: of what is not the project's, neither `id` nor `name`."""

    by: Literal["maintenance", "parent"]
    id: str
    name: str


class ShownFlip(TypedDict):
    """A change of status. A read-only key does not see `silenced` and `deliveries`."""

    timestamp: Instant
    up: Literal[0, 1]
    reason: Cause
    why: str
    seq: int
    told: bool | None
    silenced: NotRequired[ShownSilenced | None]
    deliveries: NotRequired[list[ShownDelivery]]


class ListedFlips(TypedDict):
    """Flips, newest first."""

    flips: list[ShownFlip]


# --- why ---------------------------------------------------------------------------------------------------------


class ShownSentence(TypedDict):
    """A sentence, the entries of the log that it rests on, and what it says as data."""

    topic: Topic
    kind: str
    text: str
    entries: list[int]
    at: NotRequired[Instant]
    until: NotRequired[Instant]
    seconds: NotRequired[int]
    count: NotRequired[int]
    of: NotRequired[int]
    who: NotRequired[str]
    why: NotRequired[str]
    look: NotRequired[ShownLook]


class ShownZones(TypedDict):
    """What the time zone doctor has found."""

    schedule: str
    fits: list[str]
    pings: int
    least_seconds: int
    most_seconds: int


class ShownExplanation(TypedDict):
    """Why a check or site is as it is."""

    name: str
    at: Instant
    status: ShownStatus | SiteStatus
    since: Instant
    uuid: NotRequired[str]
    unique_key: NotRequired[str]
    sentences: list[ShownSentence]
    zone: ShownZones | None


ShownCover = TypedDict("ShownCover", {"from": Instant, "to": Instant, "days": float, "pings": int, "whole": bool})


class ShownAlert(TypedDict):
    """An alert that a check would have had."""

    at: Instant
    until: Instant | None
    seconds: int
    reason: Cause
    why: str
    exit_status: int | None
    entry: int


class ShownTrial(TypedDict):
    """What settings would have made of a check's history."""

    settings: dict[str, Any]
    count: int
    down_seconds: int
    alerts: list[ShownAlert]


class ShownRehearsal(TypedDict):
    """The alerts that other settings would have given, beside those of today's."""

    text: str
    covers: ShownCover
    changed: ShownTrial
    today: ShownTrial
    notes: list[str]
    warnings: list[str]


# --- channels ----------------------------------------------------------------------------------------------------


class ListedChannel(TypedDict):
    """A channel in a list."""

    id: str
    name: str
    kind: str


class ListedChannels(TypedDict):
    """The project's channels, oldest first."""

    channels: list[ListedChannel]


class ShownTrouble(TypedDict):
    """Why a channel cannot be told, and when that is tried next."""

    since: Instant
    attempts: int
    error: str
    next_try: Instant


class ShownChannel(ListedChannel):
    """A channel. The secret is whole in the answer that makes it, and masked in all others."""

    value: dict[str, Any]
    secret: str
    old_secret_until: Instant | None
    last_delivered: Instant | None
    last_error: str
    failing: ShownTrouble | None
    confirmed: bool
    waiting: int
    up: bool
    down: bool
    quiet: str
    tz: str
    urgent: str
    digest_over: int
    quiet_until: Instant | None
    warnings: list[str]


class ShownAttempt(TypedDict):
    """An attempt to tell somebody; it has a `status` or an `error`."""

    at: Instant
    ms: int
    status: NotRequired[int | None]
    error: NotRequired[str]


class ShownTest(ShownAttempt):
    """What became of a test message."""

    delivered: bool


class ShownDelivery(TypedDict):
    """A message, and what became of it: about a `check`, a `site`, `pingmon`, or what was deleted (`about`)."""

    id: str
    channel: str
    seq: int
    check: NotRequired[str]
    site: NotRequired[str]
    pingmon: NotRequired[str]
    about: NotRequired[str]
    name: NotRequired[str]
    event: str
    due: Instant
    tried: list[ShownAttempt]
    down_from: NotRequired[Instant]
    instead_of: NotRequired[str]
    result: Literal["waiting", "delivered", "nothing_to_send", "given_up", "replaced", "void"]
    ended: Instant | None
    next_try: NotRequired[Instant | None]
    replaced_by: NotRequired[str]
    digest: NotRequired[str]
    why: NotRequired[str]


class ListedDeliveries(TypedDict):
    """A channel's messages, newest first."""

    deliveries: list[ShownDelivery]


class BadgeUrls(TypedDict):
    """The addresses of a badge; `3`: what is late is told, too."""

    svg: str
    svg3: str
    json: str
    json3: str
    shields: str
    shields3: str


class ListedBadges(TypedDict):
    """The project's badges by tag; `*` is for all checks."""

    badges: dict[str, BadgeUrls]


# --- sites -------------------------------------------------------------------------------------------------------


class ShownPhases(TypedDict):
    """Milliseconds of each part of a probe."""

    dns: int
    connect: int
    tls: int
    answer: int


ShownLook = TypedDict(
    "ShownLook",
    {
        "node": str,
        "at": Instant,
        "class": str,
        "code": int,
        "ms": int,
        "address": str,
        "detail": str,
        "phases": ShownPhases,
    },
)


class FoundHost(TypedDict):
    """Who hosts a site, and why pingmon thinks so."""

    slug: str | None
    kind: str
    value: str
    evidence: str
    since: Instant | None


class ShownWord(TypedDict):
    """The last that a partner said about a site."""

    slug: str | None
    at: Instant
    kind: str
    until: Instant | None
    oddities: list[str]
    detail: str


class ShownSite(TypedDict):
    """A site. A read-only key does not see `channels` and the addresses that could change it."""

    name: str
    url: str
    interval: int
    timeout: int
    host: str
    tags: str
    method: Literal["HEAD", "GET"]
    head_only: bool
    patience: int
    local_only: bool
    status: SiteStatus
    since: Instant
    incident: Instant | None
    last_probe: Instant | None
    last_code: int | None
    last_class: str | None
    last_detail: str | None
    last_ms: int | None
    host_found: FoundHost | None
    partner_answer: ShownWord | None
    suppressed_until: Instant | None
    told: bool
    warnings: list[str]
    uuid: str
    channels: NotRequired[str]
    remind_every: NotRequired[int | None]
    escalation: NotRequired[list[ShownStep] | None]
    parent: NotRequired[str]
    acknowledged: NotRequired[ShownAck | None]
    update_url: NotRequired[str]
    pause_url: NotRequired[str]
    resume_url: NotRequired[str]
    probe_url: NotRequired[str]


class ListedSites(TypedDict):
    """The project's sites, oldest first."""

    sites: list[ShownSite]


class ProbedSite(TypedDict):
    """What was seen, and the site then."""

    look: ShownLook
    site: ShownSite


class ShownSiteFlip(ShownFlip):
    """A change of a site's status, and who saw what."""

    old: FlipStatus
    new: FlipStatus
    code: int
    looks: list[ShownLook]


class ListedSiteFlips(TypedDict):
    """A site's flips, newest first."""

    flips: list[ShownSiteFlip]


class ShownRound(TypedDict):
    """What was seen at one time."""

    seq: int
    at: Instant
    asked: int
    quorum: int
    summary: str
    looks: list[ShownLook]


class ListedRounds(TypedDict):
    """A page of rounds of probes, newest first; `next` is the `before` of the page after it."""

    probes: list[ShownRound]
    next: int | None


class ShownHour(TypedDict):
    """An hour of probes; times are milliseconds of the good ones."""

    seq: int
    start: Instant
    probes: int
    bad: int
    void: int
    fastest: int | None
    median: int | None
    p95: int | None
    slowest: int | None


class ListedHours(TypedDict):
    """A page of hours, newest first; `next` is the `before` of the page after it."""

    hours: list[ShownHour]
    next: int | None


class ShownUptime(TypedDict):
    """How many seconds a site was what; `uptime` is up / (up + down)."""

    uptime: float | None
    up: int
    down: int
    suppressed: int
    unknown: int
    unwatched: int


class ShownDay(ShownUptime):
    """A day in UTC."""

    date: str


class ShownMonth(ShownUptime):
    """A month in UTC."""

    month: str


class ListedUptime(TypedDict):
    """Days and months, newest first."""

    days: list[ShownDay]
    months: list[ShownMonth]


# --- what is the operator's ----------------------------------------------------------------------------------------


class ShownWindow(TypedDict):
    """A maintenance window; `open_until` and `opens` say how it is now."""

    uuid: str
    name: str
    subjects: str
    tags: str
    start: Instant | None
    end: Instant | None
    schedule: str | None
    tz: str | None
    duration: int | None
    open_until: Instant | None
    opens: Instant | None


class ListedWindows(TypedDict):
    """The project's maintenance windows, oldest first."""

    maintenance: list[ShownWindow]


class ShownProject(TypedDict):
    """A project; `checks`, `sites` and `channels` are how many it has."""

    uuid: str
    name: str
    ping_key: str
    created: Instant
    checks: int
    sites: int
    channels: int
    defaults: dict[str, Any]
    remind_every: int
    escalation: list[ShownStep]


class ListedProjects(TypedDict):
    """All projects."""

    projects: list[ShownProject]


class ShownKey(TypedDict):
    """A key. `key` itself is in the answer that makes it only."""

    uuid: str
    project: str | None
    role: Role
    name: str
    prefix: str
    created: Instant
    last_used: Instant | None
    expires: Instant | None
    key: NotRequired[str]


class ListedKeys(TypedDict):
    """Keys."""

    keys: list[ShownKey]


class ShownRule(TypedDict):
    """How it is known that a partner hosts a site."""

    kind: str
    value: str


class ShownPartner(TypedDict):
    """A partner. The `secret` is in the answer that makes it only."""

    slug: str
    name: str
    webhook: str
    rules: list[ShownRule]
    scope: Scope
    suppress_users: bool
    max_suppression: int
    answers: dict[str, int]
    silent_until: Instant | None
    uuid: str
    secret: NotRequired[str]


class ListedPartners(TypedDict):
    """All partners."""

    partners: list[ShownPartner]


class ShownMetrics(TypedDict):
    """How far the log is."""

    ts: int
    max_ping_id: int | None
    max_notification_id: int | None
    num_unprocessed_flips: int


class ShownProblem(TypedDict):
    """Something that keeps the daemon from its work, or somebody from hearing."""

    text: str
    detail: str


class ShownHealth(TypedDict):
    """How the daemon does; without a key, problems alone, in words. Operators see who is `told` of them."""

    version: NotRequired[str]
    problems: list[ShownProblem | str]
    warnings: NotRequired[list[ShownProblem]]
    told: NotRequired[list[ListedChannel]]
