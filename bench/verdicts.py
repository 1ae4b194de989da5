"""False alerts, missed outages and time to detect of our rule and of others: `python bench/verdicts.py`.

Every rule is shown the same seeded world (`verdict_world`) at intervals of 60 and 300 s. `--sites 1000 --days 30`
is the full run; `--sweep` varies our own parameters instead. No real clock and no network: the same arguments give the
same table. What the model assumes, for each site unless it says otherwise:

* A real outage begins about every 7 days and lasts 2 min to 6 h, a blip of 5 to 90 s about every 2 days (log-uniform;
  15 min at least between two of a kind, and between an outage and a blip). An outage answers at once with a failure (1
  in 2), hangs (2 in 5), or fails 7 probes of 10 (1 in 10). A probe that hangs is answered if the fault ends in time.
* Packet loss: in one second of 1,000, per place, a probe is answered only after 7, 15, 31, 63 or 127 s, each half as
  likely as the one before. Congestion of a path: every 10 days, 2 to 20 min, this happens to 3 probes of 10.
* Slow answers: every 3 days, for 1 to 15 min, a probe takes about 7 s (log-normal, sigma 0.35: 15 % take over 10 s).
* Regional faults: every 15 days, 1 to 30 min, one place cannot reach the site.
* The daemon is sick every 5 days for 1 to 30 min: its own probes fail for all sites. In half of these times they fail
  at once, in the other half they hang, and then it reaches no verifier either.
* Verifier 1 is sick on 60 % of days: on a third of those it says "bad" of everything, on a third "void" (it could not
  look; a rule without that word receives no answer), and on a third any of bad, void and good at random.
* Places fail independently of each other. Verifiers have no delay of their own, but one that cannot be reached is
  waited for until 5 s after the timeout. All that is not listed is perfect.
* Where ours asks others about the daemon's own place: 5 sites like any other, or 3 canaries that are always well.

`--verifiers` has the verifiers fail: one of three gone for all the time, all of them from 12 to 13 o'clock each day,
all of them every fifth day, or all of them saying "bad" of everything. `--candidates` shows rules that were considered.

How rules are read: timeouts are 10 s, but 20 (local) and 30 s (verifliers) for Jetmon v1, and 0.8 intervals for Uptime
Kuma. Jetmon v2 has PEER_OFFLINE_LIMIT 3. Pingdom's second probe is from a random verifier, its first always from
the daemon's place. Kuma's retries wait a full interval. HEAD and GET are alike, notices are never lost.

An alert is true if a real outage overlaps the time from its first failing probe to its telling; else told of a blip;
else false. An outage is missed if no alert is true of it, nor an earlier one still stands. "Up late": more than two
intervals after the true end. "Up never": not told at all of an outage that was told.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace

from verdict_candidates import CANDIDATES
from verdict_ours import LOCAL, Manner
from verdict_rules import OTHERS, Rule
from verdict_tally import HEAD, Tally, row
from verdict_world import Absence, Odds, SiteWorld, World

INTERVALS = (60.0, 300.0)

RULES: dict[str, Rule] = {
    "**ours**, 3 verifiers, quorum 2": Manner(),
    "ours before: any quorum at once": Manner(before=True),
    "**ours**, no verifiers; other sites speak for the daemon": LOCAL,
    "**ours**, no verifiers; canaries do": replace(LOCAL, asks="canaries"),
    "**ours**, no verifiers, one site; nobody does": replace(LOCAL, asks="nobody"),
    "**ours**, 3 verifiers, patience 90 s": Manner(patience=90),
    "**ours**, no verifiers, patience 90 s": replace(LOCAL, patience=90),
    **OTHERS,
}
VERIFIED = [name for name in RULES if not any(word in name for word in ("no verifiers", "Kuma", "Gatus", "patience"))]
ABSENCES: dict[Absence, str] = {
    "": "all there",
    "one": "one of three gone",
    "hour": "all gone for an hour a day",
    "day": "all gone one day in five",
    "dark": "all say bad of everything",
}


def swept() -> dict[str, Rule]:
    """Our own rule with other parameters; the first of each group is the default."""
    rules: dict[str, Rule] = {}
    for quorum in (2, 1, 3):
        rules[f"3 verifiers, quorum {quorum}, 2 looks at once"] = Manner(quorum=quorum)
    rules["3 verifiers, quorum 2, no second local look"] = Manner(looks=1)
    rules["2 verifiers, quorum 2, 2 looks at once"] = Manner(verifiers=(1, 2))
    rules["4 verifiers, quorum 2, 2 looks at once"] = Manner(verifiers=(1, 2, 3, 4))
    for looks, pace in ((2, 30), (2, 60), (2, 90), (3, 30), (3, 45), (4, 30), (5, 30)):
        rules[f"3 verifiers, quorum 2, {looks} looks {pace} s apart"] = Manner(looks=looks, pace_s=pace)
    rules["3 verifiers, quorum 1, 2 looks 90 s apart"] = Manner(quorum=1, looks=2, pace_s=90)
    rules["4 verifiers, quorum 2, 2 looks 90 s apart"] = Manner((1, 2, 3, 4), looks=2, pace_s=90)
    for rounds in (2, 3):
        rules[f"3 verifiers, quorum 2, 3 looks 45 s apart, up after {rounds} good rounds"] = Manner(
            looks=3, pace_s=45, good_rounds=rounds
        )
    for looks, pace in ((3, 10), (3, 20), (4, 20), (3, 30), (4, 30), (3, 45), (5, 30)):
        rules[f"no verifiers, {looks} looks {pace} s apart"] = Manner((), 0, looks, pace)
    return rules


def measured(world: World, sites: int, rules: Mapping[str, Rule], intervals: tuple[float, ...]) -> list[Tally]:
    """A tally for each rule at each interval, in that order."""
    tallies = [Tally(interval) for interval in intervals for _ in rules]
    for number in range(sites):
        site = SiteWorld(world, number)
        rest = iter(tallies)
        for interval in intervals:
            for rule in rules.values():
                next(rest).add(site, rule(site, interval))
    return tallies


def table(world: World, sites: int, rules: Mapping[str, Rule], intervals: tuple[float, ...] = INTERVALS) -> str:
    """The figures as Markdown, with a line on what they were taken from."""
    tallies = measured(world, sites, rules, intervals)
    sick = sum(fault.end - fault.start for fault in world.daemon.faults) / 60
    lines = [
        "",
        f"{sites:,} sites, {world.days:g} days, seed {world.seed}. The daemon is sick "
        f"{len(world.daemon.faults)} times, {sick:.0f} min in all; verifier 1 on {world.sick_days()} days.",
    ]
    for number, interval in enumerate(intervals):
        chunk = tallies[number * len(rules) : (number + 1) * len(rules)]
        lines += [
            "",
            f"**Every {interval:.0f} s**: {chunk[0].outages:,} real outages, "
            f"{chunk[0].long_outages:,} of at least two intervals.",
            "",
            HEAD,
            *(row(name, tally) for name, tally in zip(rules, chunk, strict=True)),
        ]
    return "\n".join(lines[1:])


def absences(seed: int, days: float, sites: int) -> str:
    """What rules that ask verifiers do when these fail, every 60 s: false alerts, outages missed, and median delay."""
    cells: dict[str, list[str]] = {name: [] for name in VERIFIED}
    for absence in ABSENCES:
        # Before, what was down while all verifiers said so stayed down for ever, which takes as long to simulate.
        rules = {name: RULES[name] for name in VERIFIED if absence != "dark" or "before" not in name}
        for name, tally in zip(
            rules, measured(World.of(seed, days, Odds(), absence), sites, rules, INTERVALS[:1]), strict=True
        ):
            false = tally.sick_daemon + tally.noise
            cells[name].append(f"{false:,} / {tally.missed:,} / {tally.quantile(0.5):,.0f}")
        for name in cells.keys() - rules.keys():
            cells[name].append("down for ever")
    lines = [f"| rule | {' | '.join(ABSENCES.values())} |", "|---|" + "---:|" * len(ABSENCES)]
    return "\n".join([*lines, *(f"| {name} | {' | '.join(row)} |" for name, row in cells.items())])


def main() -> None:
    """Simulate and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sites", type=int, default=200)
    parser.add_argument("--days", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--sweep", action="store_true", help="vary our own parameters")
    what.add_argument("--candidates", action="store_true", help="show what else might be done when places disagree")
    what.add_argument("--verifiers", action="store_true", help="have the verifiers fail")
    wanted = parser.parse_args()
    if wanted.verifiers:
        print(absences(wanted.seed, wanted.days, wanted.sites))
        return
    world = World.of(wanted.seed, wanted.days, Odds())
    if wanted.candidates:
        print(table(world, wanted.sites, CANDIDATES, INTERVALS[:1]))
        return
    print(table(world, wanted.sites, swept() if wanted.sweep else RULES))


if __name__ == "__main__":
    main()
