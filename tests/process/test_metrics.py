"""What Prometheus gets from a real daemon."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.process.daemons import Answer, Starter

pytestmark = pytest.mark.process


def samples(answer: Answer) -> dict[str, float]:
    families = text_string_to_metric_families(answer.body.decode())
    return {" ".join((s.name, *s.labels.values())): s.value for family in families for s in family.samples}


def test_scrapes(start: Starter) -> None:
    """On its own machine the daemon is measured without a key; a project with its read-only key."""
    daemon = start()
    assert daemon.ping("backup", "?create=1").status == 201
    assert daemon.ping("nothing").status == 404
    own = samples(daemon.ask("GET", "/metrics"))
    assert (own["pingmon_pings_total Created"], own["pingmon_pings_total not found"]) == (1, 1)
    assert own["pingmon_commit_seconds_count"] >= 1
    assert own["pingmon_journal_bytes"] > 0
    assert own["process_resident_memory_bytes"] > 0
    bearer = {"Authorization": f"Bearer {daemon.keys['api_key_readonly']}"}
    of_project = samples(daemon.ask("GET", f"/projects/{daemon.keys['project']}/metrics/", None, bearer))
    assert (of_project["hc_checks_total"], of_project["hc_checks_down_total"]) == (1, 0)
