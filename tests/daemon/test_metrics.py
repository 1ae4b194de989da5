"""What the daemon measures of itself."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from twisted.internet.defer import Deferred

from pingmon.core.world.events import (
    ChannelDeleted,
    NotificationAbandoned,
    NotificationDelivered,
    NotificationFailed,
)
from pingmon.daemon.metrics import PAUSE_S, SLICE, DaemonMetrics
from pingmon.verify.verifier_health import PeerHealth
from tests.daemon.parts import parts
from tests.door.stage import CHECK, DoorStage

DOCS = Path(__file__).resolve().parents[2] / "docs"


def metrics_of(house: DoorStage, data: Path = Path("nowhere"), **changes: Any) -> DaemonMetrics:
    return DaemonMetrics(parts(house, **changes), house.intake, data, house.clock)


def measured(house: DoorStage, metrics: DaemonMetrics) -> dict[str, float]:
    """Each sample, with its labels in its name."""
    texts: list[str] = []
    Deferred.fromCoroutine(metrics.text()).addCallback(texts.append)
    house.clock.advance(PAUSE_S)
    samples = [sample for family in text_string_to_metric_families(texts[0]) for sample in family.samples]
    return {" ".join((sample.name, *sample.labels.values())): sample.value for sample in samples}


def test_pings_by_answer() -> None:
    """Those that were refused, too."""
    with DoorStage() as house:
        metrics = metrics_of(house)
        for path in (f"/ping/{CHECK}/start", f"/ping/{CHECK}/log", "/ping/nobody/nothing", f"/ping/{CHECK}/999"):
            house.ask(path)
        house.journal.fail_next()
        house.ask(f"/ping/{CHECK}")
        shown = measured(house, metrics)
        found = {name: value for name, value in shown.items() if name.startswith("pingmon_pings_total")}
        assert found == {
            "pingmon_pings_total OK": 2,
            "pingmon_pings_total not found": 1,
            "pingmon_pings_total invalid url format": 1,
            "pingmon_pings_total try again": 1,
        }
        assert (shown["pingmon_checks new"], shown["pingmon_open_runs"]) == (1, 1)
        assert shown["pingmon_journal_failing"] == 1
        assert {event["log_namespace"] for event in house.troubles()} == {
            "pingmon.journal.health",
            "pingmon.monitor.deafness",
        }


def test_many_checks_are_counted_in_slices() -> None:
    """Between two of them others have their turn."""
    with DoorStage() as house:
        for number in range(SLICE):
            house.check(100 + number)
        assert measured(house, metrics_of(house))["pingmon_checks new"] == SLICE + 1


def test_the_journal(tmp_path: Path) -> None:
    """How long commits took, as a histogram; how large its files are."""
    file = tmp_path / "journal.sqlite3"
    file.write_bytes(b"x" * 100)
    file.with_name("journal.sqlite3-wal").write_bytes(b"x" * 11)
    with DoorStage() as house:
        house.ask(f"/ping/{CHECK}")
        shown = measured(house, metrics_of(house, file))
        assert shown["pingmon_journal_bytes"] == 111
        assert shown["pingmon_commit_seconds_bucket +Inf"] == shown["pingmon_commit_seconds_count"]
        assert shown["pingmon_commit_seconds_count"] == house.journal.health().commits
        assert measured(house, metrics_of(house))["pingmon_journal_bytes"] == 0


def test_attempts_by_kind_and_outcome() -> None:
    """Those to channels that are gone by now are counted, too."""
    with DoorStage() as house:
        metrics, channel = metrics_of(house), house.channel()
        house.submit(channel, NotificationFailed("m", 5, "refused", 0))
        house.submit(channel, NotificationDelivered("m", 5, 200))
        house.submit(channel, ChannelDeleted())
        house.submit(channel, NotificationAbandoned("m", 5, "no such thing"))
        shown = measured(house, metrics)
        found = {name: value for name, value in shown.items() if "attempts" in name}
        assert found == {
            "pingmon_notification_attempts_total webhook failed": 1,
            "pingmon_notification_attempts_total webhook delivered": 1,
            "pingmon_notification_attempts_total deleted given up": 1,
        }


def test_probes_and_verifiers() -> None:
    """A verifier that was never asked is neither up nor down."""
    peers = (
        PeerHealth("a", "", 3, 2, last_ok=2, last_error_at=1),
        PeerHealth("b", "", 1, 0, 0, 5),
        PeerHealth("c", ""),
    )
    with DoorStage() as house:
        seen = {"": 5, "dns": 2}
        shown = measured(house, metrics_of(house, prober__seen=seen, verifier_health=lambda: peers))
        assert (shown["pingmon_probes_total ok"], shown["pingmon_probes_total dns"]) == (5, 2)
        assert (shown["pingmon_verifier_questions_total a"], shown["pingmon_verifier_answers_total a"]) == (3, 2)
        assert (shown["pingmon_verifier_up a"], shown["pingmon_verifier_up b"]) == (1, 0)
        assert "pingmon_verifier_up c" not in shown


def test_what_is_late_and_what_is_wrong() -> None:
    """The same figures as `status/` goes by."""
    with DoorStage() as house:
        metrics = metrics_of(house, outbox__overdue=lambda now: 130_000_000)
        shown = measured(house, metrics)
        assert (shown["pingmon_problems"], shown["pingmon_overdue_seconds notification"]) == (1, 130)
        assert shown["pingmon_loop_lag_seconds"] == 0
        assert shown["pingmon_deaf"] == 0


def queried(texts: Iterable[str]) -> set[str]:
    return {name for text in texts for name in re.findall(r"\b(?:pingmon|process)_[a-z_]+", text)}


def told() -> set[str]:
    with DoorStage() as house:
        texts: list[str] = []
        Deferred.fromCoroutine(metrics_of(house).text()).addCallback(texts.append)
        return {line.split(" ")[2] for line in texts[0].splitlines() if line.startswith("# TYPE")}


def test_the_manual_knows_every_metric() -> None:
    """In the table of the section about metrics; those of the process are Prometheus' own."""
    section = (DOCS / "operations.md").read_text("utf-8").partition("## Metrics")[2].partition("\n## ")[0]
    rows = "".join(line.split("|")[1] for line in section.splitlines() if line.startswith("| `"))
    assert set(re.findall(r"`(\w+)`", rows)) == {name for name in told() if name.startswith("pingmon_")}


def test_alerts_and_dashboard_ask_for_what_is_there() -> None:
    """Every name in the rules and in the dashboard is one that the daemon tells."""
    dashboard = json.loads((DOCS / "grafana-dashboard.json").read_text("utf-8"))
    rules = re.findall(r"expr: (.*)", (DOCS / "alerts.rules.yml").read_text("utf-8"))
    asked = queried([*rules, *(target["expr"] for panel in dashboard["panels"] for target in panel["targets"])])
    assert len(rules) == 9
    assert asked <= told() | {"pingmon_commit_seconds_bucket"}
