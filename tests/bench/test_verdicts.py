"""The simulation of verdicts: it can be repeated, it invents nothing, and every rule in it can see an outage."""

from __future__ import annotations

import pytest
from verdict_candidates import CANDIDATES
from verdict_ours import LOCAL, Manner
from verdict_rules import OTHERS, Rule
from verdict_tally import Tally
from verdict_world import CALM, DAEMON, DAY, Absence, Fault, Odds, SiteWorld, World
from verdicts import ABSENCES, RULES, VERIFIED, absences, table

EVERY: dict[str, Rule] = {
    "ours": Manner(),
    "ours, with canaries": Manner(asks="canaries"),
    "ours, alone": LOCAL,
    **OTHERS,
    **CANDIDATES,
}


def calm(*outages: Fault) -> SiteWorld:
    """A site in a world where nothing goes wrong but `outages`."""
    return SiteWorld(World.of(1, 2, CALM), 0, outages)


def test_the_same_seed_gives_the_same_table() -> None:
    """And another seed another one."""
    first, same, other = (table(World.of(seed, 5, Odds()), 4, RULES) for seed in (1, 1, 2))
    assert first == same
    assert first != other


@pytest.mark.parametrize("interval", [60.0, 300.0])
@pytest.mark.parametrize("rule", EVERY.values(), ids=EVERY)
def test_a_world_without_disturbances_gives_no_alerts(rule: Rule, interval: float) -> None:
    """No rule tells anything of a site that is always well."""
    assert rule(calm(), interval) == []


@pytest.mark.parametrize("interval", [60.0, 300.0])
@pytest.mark.parametrize("rule", EVERY.values(), ids=EVERY)
@pytest.mark.parametrize("kind", ["refuse", "hang"])
def test_one_clean_long_outage_is_told_once_and_called_off(kind: str, rule: Rule, interval: float) -> None:
    """By every rule, within its own time, and with the true start and end."""
    outage = Fault(DAY, DAY + 14_400, "refuse" if kind == "refuse" else "hang")
    site = calm(outage)
    notices = rule(site, interval)
    assert [notice.kind for notice in notices] == ["down", "up"]
    down, up = notices
    assert abs(down.since - outage.start) <= interval
    assert down.since < down.at <= outage.start + 5 * interval
    assert outage.end <= up.at <= outage.end + 2 * interval + 60
    tally = Tally(interval)
    tally.add(site, notices)
    assert (tally.outages, tally.missed, tally.noise, tally.never, len(tally.delays)) == (1, 0, 0, 0, 1)


@pytest.mark.parametrize("absence", ["one", "hour", "day"])
@pytest.mark.parametrize("kind", ["status", "hang"])
def test_an_outage_is_told_by_ours_although_verifiers_are_gone(kind: str, absence: Absence) -> None:
    """Whichever and for how long, within five minutes of the first failure."""
    noon = 2 * DAY + 12 * 3_600
    outage = Fault(noon, noon + 1_800, "status" if kind == "status" else "hang")
    site = SiteWorld(World.of(1, 4, CALM, absence), 0, [outage])
    down, up = Manner()(site, 60.0)
    assert down.at - down.since <= 300
    assert outage.end <= up.at <= outage.end + 180


def test_the_table_of_verifiers_that_fail_has_a_cell_for_each_rule_and_absence() -> None:
    """Also for the rule that is not simulated in one of them."""
    rows = absences(1, 1, 2).splitlines()[2:]
    assert [row.count("|") for row in rows] == [len(ABSENCES) + 2] * len(VERIFIED)


def test_what_a_probe_sees_depends_on_nothing_but_place_and_instant() -> None:
    """Two rules that probe at one instant from one place see the same, in whatever order they ask."""
    world = World.of(3, 5, Odds())
    instants = [float(at) for at in range(0, int(5 * DAY), 977)]
    once = [SiteWorld(world, 7).probe(place, at, 10) for at in instants[:50] for place in range(5)]
    site = SiteWorld(world, 7)
    backwards = [site.probe(place, at, 10) for at in reversed(instants[:50]) for place in reversed(range(5))]
    assert once == backwards[::-1]


def test_no_probe_that_a_rule_skips_would_have_been_bad() -> None:
    """Jumping to the next trouble leaves out good probes only."""
    site = SiteWorld(World.of(5, 5, Odds()), 1)
    now, step, bad = 17.0, 60.0, 0
    while now < 5 * DAY:
        trouble = site.next_trouble(now, step)
        while now < min(trouble, 5 * DAY):
            assert site.probe(DAEMON, now, 10).good
            now += step
        bad += now < 5 * DAY and not site.probe(DAEMON, now, 10).good
        now += step
    assert bad > 0


def test_an_alert_of_a_blip_is_counted_as_such() -> None:
    """And one of nothing at all as noise; neither detects the outage of the next day."""
    blip, nothing = Fault(1_000.0, 1_060.0, "refuse"), Fault(5_000.0, 5_060.0, "refuse")
    told = Manner()(calm(blip, nothing), 60.0)
    site = calm(Fault(DAY, DAY + 600, "refuse"))
    site.blips.append(blip)
    tally = Tally(60.0)
    tally.add(site, told)
    assert (tally.blips, tally.noise, tally.missed, tally.delays) == (1, 1, 1, [])
