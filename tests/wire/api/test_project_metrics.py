"""A project in Prometheus' text format."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from pingmon.core.check.check import Check, Run
from pingmon.core.check.settings import CheckSpec
from pingmon.core.site.settings import SiteSpec
from pingmon.core.site.site import Site
from pingmon.core.units import SECOND
from pingmon.testing import START as NOW
from pingmon.wire.api.checks import unique_key
from pingmon.wire.api.project_metrics import TAGS, ProjectMetrics

ID = "11111111-1111-4111-8111-111111111111"


def check(name: str = "backup", tags: str = "", **changes: Any) -> Check:
    return replace(Check(ID, "p", CheckSpec(name=name, tags=tags), 1, NOW, NOW), **changes)


def site(**changes: Any) -> Site:
    return replace(Site(ID, "p", SiteSpec(url="https://x.example/", name="shop"), 1, NOW, NOW), **changes)


def text_of(found: ProjectMetrics) -> str:
    return "".join(found.text())


def measured(found: ProjectMetrics) -> dict[str, list[tuple[dict[str, str], float]]]:
    """What a scraper reads: labels and value by name."""
    samples = [sample for family in text_string_to_metric_families(text_of(found)) for sample in family.samples]
    by_name: dict[str, list[tuple[dict[str, str], float]]] = {}
    for sample in samples:
        by_name.setdefault(sample.name, []).append((sample.labels, sample.value))
    return by_name


def of_check(one: Check) -> dict[str, float]:
    found = ProjectMetrics(NOW)
    found.add_checks([one])
    return {name: samples[0][1] for name, samples in measured(found).items()}


def test_states_of_a_check() -> None:
    """Up unless it is down; late, running and paused beside that."""
    flags = ("hc_check_up", "hc_check_started", "hc_check_grace", "hc_check_paused", "hc_checks_down_total")
    for one, wanted in (
        (check(), [1, 0, 0, 0, 0]),
        (check(status="up", expected=NOW), [1, 0, 1, 0, 0]),
        (check(status="down", runs=(Run(None, NOW),)), [0, 1, 0, 0, 1]),
        (check(status="paused"), [1, 0, 0, 1, 0]),
    ):
        shown = of_check(one)
        assert [shown[flag] for flag in flags] == wanted


def test_times_of_a_check() -> None:
    """In seconds; what is not known is not told."""
    shown = of_check(check(n_pings=7, last_ping=NOW, last_success=NOW - SECOND, last_duration=1_500_000))
    assert shown["pingmon_check_pings_total"] == 7
    assert shown["pingmon_check_last_ping_timestamp_seconds"] == NOW / SECOND
    assert shown["pingmon_check_last_success_timestamp_seconds"] == NOW / SECOND - 1
    assert shown["pingmon_check_last_duration_seconds"] == 1.5
    assert "pingmon_check_last_ping_timestamp_seconds" not in of_check(check())


def test_tags_and_totals() -> None:
    """A tag is up if none of its checks is down; checks may be added a few at a time."""
    found = ProjectMetrics(NOW)
    found.add_checks([check(tags="a b"), check(tags="b", status="down")])
    found.add_checks([check(tags="b")])
    shown = measured(found)
    assert shown["hc_tag_up"] == [({"tag": "a"}, 1), ({"tag": "b"}, 0)]
    assert (shown["hc_checks_total"], shown["hc_checks_down_total"]) == ([({}, 3)], [({}, 1)])


def test_very_many_tags_are_told_in_parts() -> None:
    """Each once, and none of the parts is long."""
    found = ProjectMetrics(NOW)
    tags = [f"t{number:06}" for number in range(2 * TAGS + 1)]
    found.add_checks([check(tags=" ".join(tags)), check(tags=tags[0], status="down")])
    assert measured(found)["hc_tag_up"] == [({"tag": tag}, int(tag != tags[0])) for tag in tags]
    assert max(part.count("hc_tag_up{") for part in found.text()) == TAGS


def test_sites() -> None:
    """With their names, tags and URLs."""
    found = ProjectMetrics(NOW)
    found.add_sites([site(status="down"), site(status="unknown"), site(status="paused")])
    shown = measured(found)
    labels = {"name": "shop", "tags": "", "url": "https://x.example/"}
    assert shown["pingmon_site_up"] == [(labels, 0), (labels, 1), (labels, 1)]
    assert [value for _, value in shown["pingmon_site_unknown"]] == [0, 1, 0]
    assert [value for _, value in shown["pingmon_site_paused"]] == [0, 0, 1]


@given(name=st.text(), tags=st.text())
def test_labels_hold_any_text(name: str, tags: str) -> None:
    """Whatever a check is called, a scraper reads just that."""
    found = ProjectMetrics(NOW)
    found.add_checks([check(name, tags)])
    assert "\nhc_check_up{name=" in text_of(found)
    text = text_of(found).replace("\r", "␍")  # this parser takes it for the end of a line, which it is not
    wanted = {"name": name.replace("\r", "␍"), "tags": tags.replace("\r", "␍"), "unique_key": unique_key(ID)}
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    assert next(sample.labels for sample in samples if sample.name == "hc_check_up") == wanted
