"""What came of an import, for people and for programs: what is here now, what is not, and what has to be done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

import click

from pingmon.cli.imports.carry_over import Came, Result
from pingmon.cli.imports.plan import KINDS, Json, Plan
from pingmon.cli.tables import printable, show_json, show_table

SAID: Final[dict[Came, tuple[str, str]]] = {
    "made": ("made", "would be made"),
    "changed": ("changed", "would be changed"),
    "there": ("there already", "there already"),
    "differs": ("there already, and left as they are though they differ (--update changes them)",) * 2,
    "missing": ("to be made by hand", "to be made by hand"),
    "refused": ("refused", "would be refused"),
}
"""What became of items, and what a dry run says."""


def show(plan: Plan, results: Sequence[Result], notes: Sequence[str], *, dry: bool, as_json: bool) -> None:
    """Write the report to standard output."""
    losses = _losses(plan, results)
    if as_json:
        show_json(_data(plan, results, losses, notes, dry=dry))
        return
    found = Counter(result.wanted.kind for result in results)
    counted = ", ".join(f"{found[kind]} {_noun(kind, found[kind])}" for kind in KINDS if found[kind])
    click.echo(f"{plan.source}: {counted or 'nothing that could be here'}")
    for came, words in SAID.items():
        some = Counter(result.wanted.kind for result in results if result.came == came)
        if some:
            told = ", ".join(f"{some[kind]} {_noun(kind, some[kind])}" for kind in KINDS if some[kind])
            click.echo(f"  {words[dry]}: {told}")
    if results and all(result.came == "there" for result in results):
        click.echo("Nothing had to be done.")
    _details(results)
    for what, names in losses.items():
        click.echo(f"\nNot carried over: {what}\n  {printable(', '.join(names))}")
    moved = [result for result in results if result.wanted.old_url and result.new_url]
    if moved:
        click.echo("\nURLs that change:")
        show_table(("NAME", "OLD", "NEW"), [(it.wanted.name, it.wanted.old_url, it.new_url) for it in moved])
    for note in notes:
        click.echo(f"\n{printable(note)}")


def _details(results: Iterable[Result]) -> None:
    """Those of which more is to be said."""
    rows = [
        (it.wanted.kind, it.wanted.name, it.came, it.why or ", ".join(it.differs))
        for it in results
        if it.why or it.differs
    ]
    if rows:
        click.echo()
        show_table(("KIND", "NAME", "CAME", "WHY, OR WHERE IT DIFFERS"), rows)


def _losses(plan: Plan, results: Iterable[Result]) -> dict[str, list[str]]:
    """What is not carried over, each with the names of those of which it is not."""
    losses: dict[str, list[str]] = {}
    for name, why in plan.left:
        losses.setdefault(why, []).append(name)
    for result in results:
        for what in result.lost:
            losses.setdefault(what, []).append(result.wanted.name)
    return losses


def _data(
    plan: Plan, results: Iterable[Result], losses: dict[str, list[str]], notes: Sequence[str], *, dry: bool
) -> Json:
    return {
        "source": plan.source,
        "dry_run": dry,
        "items": [
            {
                "kind": it.wanted.kind,
                "name": it.wanted.name,
                "came": it.came,
                "id": it.id or None,
                "differs": list(it.differs),
                "why": it.why,
                "old_url": it.wanted.old_url or None,
                "new_url": it.new_url or None,
            }
            for it in results
        ],
        "not_carried_over": [{"what": what, "of": names} for what, names in losses.items()],
        "notes": list(notes),
    }


def _noun(kind: str, count: int) -> str:
    return kind if count == 1 else f"{kind}s"
