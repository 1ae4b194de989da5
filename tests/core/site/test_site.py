"""The state machine of a site, held against the table at the top of its module, and the verdicts by name."""

from __future__ import annotations

import re
from collections import Counter
from random import Random
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pingmon.core.flip import Flip
from pingmon.core.site import probe_schedule as probe_times
from pingmon.core.site import site as machine
from pingmon.core.site.probe_result import Fault, ProbeResult
from pingmon.core.site.settings import SiteSpec
from pingmon.core.site.site import AGREEING, LOCAL_FAILURES, LONE_SUCCESSES, UNOPPOSED_S, Site, SiteStatus, looked
from pingmon.core.site.verdict import NOTHING_SEEN, Place, Round, verdict
from pingmon.core.units import SECOND
from pingmon.testing import START as T0

SITE = "5174e000-0000-4000-8000-000000000001"


def fresh(status: SiteStatus = "new") -> Site:
    incident = T0 if status in ("suspect", "unknown", "down") else None
    spec = SiteSpec(url="http://example.com/")
    return Site(SITE, "p", spec, born=1, created=T0, since=T0, status=status, incident=incident)


def good(node: str = "", at: int = T0 + 1, code: int = 200) -> ProbeResult:
    return ProbeResult(node, at, code)


def bad(node: str = "", at: int = T0 + 1, code: int = 503, fault: Fault = "status") -> ProbeResult:
    return ProbeResult(node, at, code, fault)


def void(node: str = "", at: int = T0 + 1) -> ProbeResult:
    return ProbeResult(node, at, fault="void")


def seen(*looks: ProbeResult, asked: int = 0, quorum: int = 2, place: Place = "unsure") -> Round:
    return Round(looks, asked, quorum if asked else 0, place if asked else "")


def after(site: Site, *rounds: Round) -> Site:
    for number, each in enumerate(rounds, 2):
        site = looked(site, number, each)[0]
    return site


def table() -> list[tuple[str, str, str]]:
    """The state table of the module's docstring as (status, input, what the cell says)."""
    assert machine.__doc__ is not None
    lines = [line.strip() for line in machine.__doc__.splitlines()]
    head = next(index for index, line in enumerate(lines) if line.startswith("status "))
    columns = re.split(r"\s{2,}", lines[head])[1:]
    rows = [re.split(r"\s{2,}|(?<=\)) (?=\()", line) for line in lines[head + 1 : head + 7]]
    return [(row[0], column, cell) for row in rows for column, cell in zip(columns, row[1:], strict=True)]


@pytest.mark.parametrize(("status", "given_input", "cell"), table())
def test_every_cell_of_the_state_table_is_what_the_code_does(status: SiteStatus, given_input: str, cell: str) -> None:
    """The table at the top of the module is true."""
    before = fresh(status)
    site = {
        "good look": lambda: looked(before, 2, seen(good(), asked=3))[0],
        "bad look": lambda: looked(before, 2, seen(bad(), good("a"), asked=2))[0],
        "nothing seen": lambda: looked(before, 2, seen(void(), void("a"), asked=3))[0],
        "pause": lambda: machine.paused(before, 2, T0 + 1)[0],
        "resume": lambda: machine.resumed(before, 2, T0 + 1)[0],
    }[given_input]()
    if cell.startswith("→"):
        assert site.status == cell.removeprefix("→ ")
    elif cell.startswith("(verdict"):
        assert site.status == {"good look": "up", "bad look": "unknown"}[given_input]
    elif cell == "counts for recovery":
        assert (site.status, site.successes) == ("down", 1)
    else:
        assert (site.status, site.successes) == (before.status, 0)


NEWS: dict[str, list[Round]] = {
    "up": [seen(good(), good("a"), asked=3)],
    "torn": [seen(good(), bad("a"), bad("b"), asked=3)],
    "down": [seen(bad(), bad("a"), bad("b"), asked=3)],
    "failing": [
        seen(bad(), bad("a"), bad("b"), good("c"), asked=3),
        seen(bad(), bad("a"), void("b"), asked=3),
        seen(bad(fault="timeout", code=0), bad("a"), bad("b"), asked=2),
    ],
    "alone": [seen(bad(fault="timeout", code=0), void("a"), asked=3)],
    "unknown": [seen(bad(), bad("a"), good("b"), asked=3)],
}
"""Rounds that say so."""


def rounds_until_decided(site: Site, each: Round) -> tuple[SiteStatus, int]:
    """What the site becomes by rounds like `each`, all at one time, and by how many; `suspect` if by no number."""
    for number in range(1, 10):
        site = after(site, each)
        if site.status != "suspect":
            return site.status, number
    return site.status, 0


def test_every_row_of_the_table_of_rounds_is_what_the_code_does() -> None:
    """What a round says leads to what the second table at the top of the module says, after so many of them."""
    suspect = after(fresh("up"), seen(bad()))
    became = {says: {rounds_until_decided(suspect, each) for each in rounds} for says, rounds in NEWS.items()}
    assert all(verdict(each) == says for says, rounds in NEWS.items() for each in rounds)
    assert became == {
        "up": {("up", 1)},
        "torn": {("up", AGREEING)},
        "down": {("down", 1)},
        "failing": {("down", AGREEING)},
        "alone": {("unknown", 1)},
        "unknown": {("unknown", 1)},
    }
    for trusted in (seen(bad(fault="timeout", code=0), void("a"), asked=1, place="well"), seen(bad(), asked=1)):
        assert rounds_until_decided(suspect, trusted) == ("down", LOCAL_FAILURES)
    assert rounds_until_decided(suspect, seen(bad(fault="timeout"))) == ("down", LOCAL_FAILURES - 1)


def test_an_incident_began_with_the_first_failure() -> None:
    """However long it takes to confirm it."""
    site = after(fresh("up"), seen(bad(at=T0 + 5)))
    down, flip = looked(site, 3, seen(bad(at=T0 + 9, code=500), bad("a", code=503), bad("b", code=0), asked=3))
    assert flip is not None
    assert flip == Flip(3, SITE, T0 + 5, "suspect", "down", "verdict", T0 + 5, code=503, looks=flip.looks)
    assert (down.status, down.since) == ("down", T0 + 5)


def test_a_false_alarm_is_recorded_and_forgotten() -> None:
    """Back to up, and the next failure begins an incident of its own."""
    site = after(fresh("up"), seen(bad()), seen(good(), bad("a"), asked=3))
    assert (site.status, site.incident, site.failures) == ("up", None, 0)


def test_without_verifiers_three_failures_in_a_row_are_a_verdict() -> None:
    """And a good look in between ends it."""
    site = fresh("up")
    for _ in range(LOCAL_FAILURES - 1):
        site = after(site, seen(bad()))
        assert site.status == "suspect"
    assert after(site, seen(bad())).status == "down"
    assert after(site, seen(good())).status == "up"


def test_recovery_needs_two_successes_one_of_them_a_verifiers() -> None:
    """The daemon alone cannot call off what others confirmed."""
    down = fresh("down")
    unconfirmed = seen(good(), bad("a"), void("b"), asked=2)
    assert after(down, *[unconfirmed] * (LONE_SUCCESSES - 1)).status == "down"
    assert after(down, seen(good(), good("a"), asked=3)).status == "up"
    assert after(down, unconfirmed, seen(good(), good("a"), asked=3)).status == "up"
    assert after(down, seen(good())).status == "down"
    assert after(down, seen(good()), seen(good())).status == "up"
    assert after(down, seen(good()), seen(bad()), seen(good())).status == "down"


def test_a_site_that_is_down_recovers_although_no_verifier_can_look_or_all_lie() -> None:
    """Whoever is absent keeps no outage from ending, and neither do all that can look for more than five minutes."""
    down = fresh("down")
    assert after(down, seen(good(), void("a"), void("b"), asked=2)).status == "down"
    assert after(down, *[seen(good(), void("a"), void("b"), asked=2)] * 2).status == "up"
    assert after(down, *[seen(good(), bad("a"), bad("b"), asked=2)] * LONE_SUCCESSES).status == "up"
    assert LONE_SUCCESSES * probe_times.DOWN_PACE_S <= 300


def test_rounds_without_a_verdict_are_counted_for_the_back_off() -> None:
    """Each is repeated later than the one before, up to a limit."""
    site = after(fresh("up"), seen(bad()))
    paces = []
    for _ in range(7):
        paces.append((probe_times.next_probe(site, T0) - T0) // SECOND)
        site = after(site, seen(bad(), good("a"), bad("b"), asked=3))
    assert paces == [10, 10, 30, 60, 120, 300, 300]


@pytest.mark.parametrize(("status", "seconds"), [("up", 300), ("new", 300), ("down", 30), ("suspect", 10)])
def test_the_pace_of_probes(status: SiteStatus, seconds: int) -> None:
    """On the site's own grid, and faster while it is not well."""
    assert probe_times.next_probe(fresh(status), T0) == T0 + seconds * SECOND


@pytest.mark.parametrize(("planned", "due"), [(T0, 30), (T0 + 50 * SECOND, 60), (T0 + 60 * SECOND, 90)])
def test_a_site_that_is_down_in_silence_is_looked_at_the_instant_it_ends(planned: int, due: int) -> None:
    """Not up to half a minute later, whoever was asked about; unless its users know of the outage already."""
    down, ends = fresh("down"), T0 + 60 * SECOND
    assert probe_times.next_probe(down, planned, ends) == T0 + due * SECOND
    assert probe_times.next_probe(replace(down, told=True), planned, ends) == planned + 30 * SECOND


@pytest.mark.parametrize("status", ["new", "up", "down"])
def test_what_only_others_saw_says_nothing_of_a_site_that_is_not_in_doubt(status: SiteStatus) -> None:
    """Such a round was meant for a site as it was before a pause; and it interrupts no recovery."""
    before = replace(fresh(status), successes=1)
    site, flip = looked(before, 2, seen(void(), bad("a"), bad("b"), asked=2))
    assert (replace(site, last=None), flip) == (before, None)


def test_looks_that_saw_nothing_are_neither_logged_nor_asked_about() -> None:
    """The daemon's own trouble is never a site's; what several of them in a row say is for the daemon to judge."""
    for status in ("new", "up", "suspect", "unknown", "down", "paused"):
        assert not machine.remarkable(fresh(status), void())
        assert not machine.wants_round(fresh(status), void())


# --- a blind pingmon ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["new", "up"])
def test_of_a_site_that_nobody_could_see_nobody_knows_how_it_is(status: SiteStatus) -> None:
    """From that round on, and no failure of it is known."""
    nothing = seen(void(at=T0 + 9), void("a", T0 + 7), asked=3)
    site, flip = looked(fresh(status), 2, nothing)
    assert flip == Flip(2, SITE, T0 + 9, status, "unknown", "verdict", T0, looks=nothing.looks)
    assert (site.status, site.since, site.incident, site.last) == ("unknown", T0 + 9, None, nothing)
    assert looked(site, 3, nothing) == (site, None)


def test_a_site_that_is_seen_again_is_up_at_its_first_good_look() -> None:
    """Nobody else needs to be asked; thousands may come at once."""
    blind = after(fresh("up"), seen(void()))
    assert not machine.wants_round(blind, good())
    assert machine.remarkable(blind, good())
    site, flip = looked(blind, 3, seen(good(at=T0 + 60)))
    assert (site.status, site.since, flip and flip.old) == ("up", T0 + 60, "unknown")


def test_a_site_that_is_seen_to_fail_after_blindness_fails_since_then() -> None:
    """By the verdict of a round, or by three looks where nobody else looks."""
    blind = after(fresh("up"), seen(void()))
    assert machine.wants_round(blind, bad())
    site = after(blind, seen(bad(at=T0 + 60), bad("a", T0 + 61), bad("b", T0 + 62), asked=2))
    assert (site.status, site.since, site.incident) == ("down", T0 + 60, T0 + 60)
    site = after(blind, seen(bad(at=T0 + 60, fault="timeout"), void("a"), void("b"), asked=2))
    assert (site.status, site.incident) == ("unknown", T0 + 60)
    site = after(blind, seen(bad(at=T0 + 60)), seen(bad(at=T0 + 70)))
    assert (site.status, site.incident) == ("unknown", T0 + 60)
    site = after(site, seen(bad(at=T0 + 80)))
    assert (site.status, site.since) == ("down", T0 + 60)


def test_what_others_alone_saw_of_a_site_after_blindness_is_no_incident() -> None:
    """They decide nothing without the daemon's own look."""
    blind = after(fresh("up"), seen(void()))
    site = after(blind, seen(void(), bad("a"), bad("b"), asked=2))
    assert (site.status, site.incident) == ("unknown", None)


def test_blindness_does_not_move_the_beginning_of_an_incident() -> None:
    """What had failed before has failed since then."""
    blind = after(fresh("up"), seen(bad(at=T0 + 5)), seen(void(at=T0 + 9)))
    assert (blind.status, blind.since, blind.incident) == ("unknown", T0 + 9, T0 + 5)
    site = after(blind, seen(bad(at=T0 + 60), bad("a"), bad("b"), asked=2))
    assert (site.status, site.since) == ("down", T0 + 5)


@pytest.mark.parametrize("status", ["down", "paused"])
def test_a_site_that_is_down_or_paused_stays_so_while_nobody_sees_it(status: SiteStatus) -> None:
    """Its users were told, or it is nobody's concern."""
    before = fresh(status)
    assert looked(before, 2, seen(void(), void("a"), asked=1)) == (before, None)


@pytest.mark.parametrize("status", ["new", "up", "suspect"])
def test_the_sum_of_an_hour_is_not_a_round_in_which_nobody_saw_anything(status: SiteStatus) -> None:
    """It has no looks at all."""
    assert looked(fresh(status), 2, NOTHING_SEEN) == (fresh(status), None)


@pytest.mark.parametrize(("interval", "seconds"), [(60, 60), (300, 300), (86_400, 300)])
def test_a_site_that_nobody_could_see_is_looked_at_at_its_own_pace(interval: int, seconds: int) -> None:
    """Nothing is known against it; but not for a day."""
    site = Site(SITE, "p", SiteSpec(url="http://e/", interval=interval), 1, T0, T0, "up")
    assert probe_times.next_probe(after(site, seen(void())), T0) == T0 + seconds * SECOND


# --- what is logged -----------------------------------------------------------------------------------------------


def test_only_what_changes_something_is_logged_and_asked_about() -> None:
    """A site that is well costs no entries, one that stays down neither."""
    remarkable = {
        (status, look.good): (machine.remarkable(fresh(status), look), machine.wants_round(fresh(status), look))
        for status in ("new", "up", "suspect", "unknown", "down", "paused")
        for look in (good(), bad())
    }
    assert remarkable == {
        ("new", True): (True, False),
        ("new", False): (True, True),
        ("up", True): (False, False),
        ("up", False): (True, True),
        ("suspect", True): (True, True),
        ("suspect", False): (True, True),
        ("unknown", True): (True, True),
        ("unknown", False): (True, True),
        ("down", True): (True, True),
        ("down", False): (False, False),
        ("paused", True): (False, False),
        ("paused", False): (False, False),
    }


def test_a_bad_look_that_interrupts_a_recovery_is_logged() -> None:
    """Good, bad, good is no recovery."""
    recovering = after(fresh("down"), seen(good()))
    assert machine.remarkable(recovering, bad())
    assert after(recovering, seen(bad()), seen(good())).status == "down"


def test_a_site_that_is_down_while_its_users_do_not_know_is_looked_at_with_others() -> None:
    """Each bad look counts then, and the verifiers are asked, so that it is told as soon as it may be."""
    assert machine.remarkable(fresh("down"), bad(), overdue=True)
    assert machine.wants_round(fresh("down"), bad(), overdue=True)
    assert not machine.wants_round(fresh("down"), void(), overdue=True)


def test_a_site_is_paused_and_resumed_once() -> None:
    """A second time changes nothing; what had begun before is forgotten."""
    down = after(fresh("up"), seen(bad()), seen(bad(), bad("a"), bad("b"), asked=2))
    paused, flip = machine.paused(replace(down, told=True, partner_told="a"), 4, T0 + 9)
    assert flip == Flip(4, SITE, T0 + 9, "down", "paused", since=down.since)
    assert (paused.told, paused.partner_told, paused.incident) == (False, None, None)
    assert machine.paused(paused, 5, T0 + 10) == (paused, None)
    resumed, flip = machine.resumed(paused, 6, T0 + 11)
    assert flip == Flip(6, SITE, T0 + 11, "paused", "new", since=T0 + 9)
    assert machine.resumed(resumed, 7, T0 + 12) == (resumed, None)


def test_a_set_clock_moves_all_that_was_measured() -> None:
    """And of a site of which nothing is known yet, its age."""
    assert machine.shifted(fresh(), -5) == replace(fresh(), since=T0 - 5)
    suspect = after(fresh("up"), seen(bad()))
    moved = machine.shifted(suspect, 7)
    assert (moved.since, moved.incident) == (suspect.since + 7, T0 + 8)
    assert moved.last == seen(bad(at=T0 + 8))


def test_the_code_of_a_flip_is_the_highest_that_agrees_with_it() -> None:
    """A success elsewhere never stands in a notice of failure, and nothing received is 0."""
    looks = (bad(code=0, fault="timeout"), bad("a", code=500), good("b", code=200), void("c"))
    assert machine.code_of(looks, good=False) == 500
    assert machine.code_of(looks, good=True) == 200
    assert machine.code_of((void(),), good=False) == 0


@pytest.mark.parametrize("interval", [60, 300, 3600])
def test_sites_are_spread_over_their_interval(interval: int) -> None:
    """Each tenth of it has a tenth of them, give or take a tenth of that."""
    draw = Random(interval)
    sites = [str(UUID(int=draw.getrandbits(128), version=4)) for _ in range(10_000)]
    tenths = Counter(probe_times.phase(site, interval) * 10 // interval for site in sites)
    assert sorted(tenths) == list(range(10))
    assert 900 < min(tenths.values()) <= max(tenths.values()) < 1100


LOOKS = st.builds(
    lambda node, kind: {"good": good, "bad": bad, "void": void}[kind](node),
    st.sampled_from(["", "a", "b", "c"]),
    st.sampled_from(["good", "bad", "void"]),
)


@given(rounds=st.lists(st.tuples(st.lists(LOOKS, max_size=5), st.integers(0, 3)), max_size=25))
def test_whatever_is_seen_a_site_stays_sane(rounds: list[tuple[list[ProbeResult], int]]) -> None:
    """Down only by a quorum or by failures in a row; an incident exactly while something is wrong."""
    site, flips = fresh(), 0
    for number, (looks, asked) in enumerate(rounds, 2):
        before = site
        each = seen(*looks, asked=max(asked, len({look.node for look in looks} - {""})))
        site, flip = looked(site, number, each)
        assert (flip is None) == (site.status == before.status)
        if flip is not None:
            flips += 1
            assert (flip.old, flip.new) == (before.status, site.status)
        if site.status == "down" and before.status != "down":
            failing = sum(not look.good for look in each.others)
            enough = failing >= min(2, len(each.others)) if each.others else site.failures >= LOCAL_FAILURES
            assert enough
        assert site.incident is None or site.status in ("suspect", "unknown", "down")
        assert site.incident is not None or site.status not in ("suspect", "down")


# --- unknown ends -------------------------------------------------------------------------------------------------


@st.composite
def stories(draw: st.DrawFn) -> tuple[int, list[tuple[str, ...]], list[float]]:
    """An interval, what each of three verifiers says in each round, and for how many seconds each look lasts."""
    votes = st.tuples(*[st.sampled_from(["bad", "void"])] * 3)
    lasts = st.lists(st.floats(0, 30), min_size=1, max_size=9)
    return draw(st.integers(60, 3600)), draw(st.lists(votes, min_size=1, max_size=9)), draw(lasts)


@given(stories(), st.sampled_from(["well", "unsure"]), st.sampled_from(["status", "timeout"]))
def test_unknown_ends_within_five_minutes_while_a_site_fails_here_and_nobody_sees_it_up(
    story: tuple[int, list[tuple[str, ...]], list[float]], place: Place, fault: Fault
) -> None:
    """Whoever of the others fails to look, whenever; verifiers answer within five seconds more than a look may take."""
    interval, votes, lasts = story
    site = Site(SITE, "p", SiteSpec(url="http://e/", interval=interval), 1, T0, T0, "up")
    planned, number = T0, 0
    now = T0 + round(lasts[0] * SECOND)
    site = after(site, seen(bad(at=now, fault=fault)))
    began = now
    while site.status != "down":
        took = lasts[number % len(lasts)]
        own = bad(at=now + round(took * SECOND), fault=fault)
        others = [
            bad(f"v{at}") if vote == "bad" else void(f"v{at}") for at, vote in enumerate(votes[number % len(votes)])
        ]
        now = own.at + 5 * SECOND
        site = after(site, seen(own, *others, asked=3, place=place))
        if site.status != "down":
            planned = now = max(now, probe_times.next_probe(site, planned))
        number += 1
    assert now - began <= 300 * SECOND
    assert number >= 2 or votes[0].count("bad") >= 2, "down by a single round without a quorum"


def test_a_site_that_somebody_elsewhere_sees_up_is_told_to_nobody_until_five_minutes_after_that() -> None:
    """Nobody knows what it is while places disagree; when the one that saw it well is gone, the time begins anew."""
    site, at = after(fresh("up"), seen(bad(at=T0, fault="timeout"))), T0
    for _ in range(20):
        at += 60 * SECOND
        site = after(site, seen(bad(at=at, fault="timeout"), good("a"), bad("b"), asked=2))
    assert site.status == "unknown"
    alone, ends = at + 10 * SECOND, at + (10 + UNOPPOSED_S) * SECOND
    for at, status in ((alone, "unknown"), (alone + 60 * SECOND, "unknown"), (ends - 1, "unknown"), (ends, "down")):
        site, flip = looked(site, 9, seen(bad(at=at, fault="timeout"), void("a"), void("b"), asked=2))
        assert site.status == status
    assert flip is not None
    assert (flip.at, flip.place) == (T0, "unsure")


def test_what_is_told_alone_says_so_and_what_others_have_seen_does_not() -> None:
    """And how sure the daemon is of its own place."""
    suspect = after(fresh("up"), seen(bad(at=T0)), seen(bad(at=T0), void("a"), asked=1, place="well"))
    _, flip = looked(suspect, 4, seen(bad(at=T0), void("a"), asked=1, place="well"))
    assert flip is None
    site, flip = looked(after(suspect, seen(bad(), asked=1)), 4, seen(bad(at=T0), void("a"), asked=1, place="well"))
    assert flip is not None
    assert (site.status, flip.place) == ("down", "well")
    _, flip = looked(suspect, 4, seen(bad(at=T0), bad("a"), asked=1, quorum=1, place="well"))
    assert flip is not None
    assert (flip.new, flip.place) == ("down", "")


@given(
    st.lists(st.tuples(st.sampled_from(["good", "bad", "void"]), st.sampled_from(["good", "bad", "void"])), max_size=30)
)
def test_one_verifier_that_lies_alone_never_makes_a_site_down(rounds: list[tuple[str, str]]) -> None:
    """Whatever it says and whatever is seen here, if two others see the site well."""
    kinds = {"good": good, "bad": bad, "void": void}
    site = fresh("up")
    for own, lie in rounds:
        if site.status == "up":
            site = after(site, seen(kinds[own]()))
        site = after(site, seen(kinds[own](), kinds[lie]("liar"), good("b"), good("c"), asked=3))
        assert site.status != "down"


@given(st.lists(st.sampled_from(["good", "bad", "void"]), min_size=1, max_size=12))
def test_looks_without_verifiers_lead_to_the_same_whatever_is_known_of_the_place(kinds: list[str]) -> None:
    """Three failures in a row, as ever."""
    makes = {"good": good, "bad": bad, "void": void}
    one, other = fresh("up"), fresh("up")
    for kind in kinds:
        one, other = after(one, Round((makes[kind](),), place="well")), after(other, Round((makes[kind](),), place=""))
    assert one.status == other.status


# --- patience -----------------------------------------------------------------------------------------------------


def patient(patience: int) -> Site:
    return Site(SITE, "p", SiteSpec(url="http://e/", patience=patience), 1, T0, T0, "up")


def test_a_site_with_patience_is_down_when_it_has_failed_for_so_long_and_not_before() -> None:
    site = after(patient(90), seen(bad(at=T0)))
    for seconds in (1, 45, 89):
        site, flip = looked(site, 3, seen(bad(at=T0 + seconds * SECOND), bad("a"), bad("b"), asked=3))
        assert (site.status, flip) == ("suspect", None)
    site, flip = looked(site, 4, seen(bad(at=T0 + 90 * SECOND), bad("a"), bad("b"), asked=3))
    assert (site.status, site.since) == ("down", T0)


def test_one_good_look_ends_the_patience() -> None:
    site = after(patient(90), seen(bad(at=T0)), seen(bad(at=T0 + SECOND), bad("a"), bad("b"), asked=2))
    assert after(site, seen(good(at=T0 + 45 * SECOND), bad("a"), asked=2)).status == "up"


def test_without_verifiers_patience_comes_on_top_of_three_looks() -> None:
    site = after(patient(90), *(seen(bad(at=T0 + seconds * SECOND)) for seconds in (0, 10, 20, 89)))
    assert site.status == "suspect"
    assert after(site, seen(bad(at=T0 + 90 * SECOND))).status == "down"


def test_rounds_are_repeated_every_half_of_the_patience() -> None:
    """But no faster than looks without verifiers, and no slower than the site is probed anyway."""
    for patience, pace in ((0, 10), (25, 12), (90, 45), (3600, 300)):
        site = after(patient(patience), seen(bad(at=T0)))
        assert probe_times.next_probe(site, T0) == T0 + pace * SECOND


@pytest.mark.parametrize(
    ("planned", "due"),
    [(0, 45), (45, 95), (50, 95), (84, 95), (90, 100), (94, 104), (95, 140)],
)
def test_a_look_begins_the_instant_at_which_patience_ends(planned: int, due: int) -> None:
    """Not ten seconds before, in vain, nor within ten seconds of another; after it the pace is as before."""
    site = after(patient(90), seen(bad(at=T0 + 5 * SECOND)))
    assert probe_times.next_probe(site, T0 + planned * SECOND) == T0 + due * SECOND


def test_a_look_that_waits_longer_after_rounds_without_a_verdict_is_made_when_patience_ends() -> None:
    """However often the round has been repeated."""
    site = after(patient(400), seen(bad(at=T0)), *[seen(bad(at=T0 + 1), good("a"), bad("b"), asked=3)] * 6)
    assert probe_times.next_probe(site, T0 + 220 * SECOND) == T0 + 400 * SECOND
    assert probe_times.next_probe(site, T0 + 400 * SECOND) == T0 + 700 * SECOND


def test_patience_is_measured_by_the_daemons_own_clock() -> None:
    """A verifier whose clock is ahead, or that takes long, makes nobody impatient."""
    site = after(patient(90), seen(bad(at=T0)))
    ahead = T0 + 600 * SECOND
    assert after(site, seen(bad(at=T0 + 89 * SECOND), bad("a", ahead), bad("b", ahead), asked=2)).status == "suspect"
    assert after(site, seen(bad(at=T0 + 90 * SECOND), bad("a", T0), bad("b", T0), asked=2)).status == "down"


@given(
    patience=st.integers(0, 3600),
    interval=st.integers(60, 3600),
    verified=st.booleans(),
    tooks=st.lists(st.floats(0, 30), min_size=1, max_size=60),
    lags=st.lists(st.floats(0, 0.5), min_size=1, max_size=7),
)
def test_a_site_that_fails_is_down_soon_after_its_patience_and_never_before(
    patience: int, interval: int, verified: bool, tooks: list[float], lags: list[float]
) -> None:
    """At most ten seconds and a look later; without verifiers two looks, and three must follow one another first."""
    site = Site(SITE, "p", SiteSpec(url="http://e/", patience=patience, interval=interval), 1, T0, T0, "up")
    now, looks = T0, 0

    def look() -> ProbeResult:
        nonlocal now, looks
        now += round((tooks[looks % len(tooks)] + lags[looks % len(lags)]) * SECOND)
        looks += 1
        return bad(at=now)

    planned = incident = now
    while site.status != "down":
        first = site.status == "up"
        if not verified or first:
            own = look()
            site = after(site, seen(own))
            incident = own.at if first else incident
        if verified:
            own = look()
            site = after(site, seen(own, bad("a", own.at), bad("b", own.at), asked=2))
        if site.status != "down":
            planned = now = max(now, probe_times.next_probe(site, planned))
    late_s = (now - incident) / SECOND - patience
    longest = max(tooks) + max(lags)
    assert late_s >= 0
    if verified:
        assert late_s <= 10 + longest
    else:
        assert late_s <= 10 + 2 * longest or late_s + patience <= 2 * max(10 + max(lags), longest) + longest


def test_a_round_of_an_older_log_brings_no_site_back_that_no_verifier_saw_well() -> None:
    """Such rounds do not say how well the daemon's place was; they are judged by the rule of their time."""
    site = after(fresh("down"), *(Round((good(),), 2, 1) for _ in range(LONE_SUCCESSES + 1)))
    assert (site.status, site.successes) == ("down", 1)
    assert after(site, Round((good(), good("a")), 2, 1)).status == "up"
