"""Tests of `pingmon.daemon.health_warnings`: what operators are warned of."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pingmon.core.site.probe_result import ProbeResult
from pingmon.core.units import DAY, Id
from pingmon.core.world.events import ChannelTested, NotificationAbandoned
from pingmon.daemon.health_warnings import warnings
from pingmon.testing import Rig, bad, good
from tests.daemon.parts import parts

MIB = 1 << 20


def test_a_daemon_that_is_well_has_nothing_to_warn_of() -> None:
    assert warnings(parts(Rig())) == []


@pytest.mark.parametrize(
    ("free", "size", "full"),
    [(51 * MIB, 1024 * MIB, True), (52 * MIB, 1024 * MIB, False), (2048 * MIB, 1 << 50, False), (0, 1, True)],
)
def test_a_disk_is_nearly_full_when_little_is_left_by_share_and_in_all(free: int, size: int, full: bool) -> None:
    found = warnings(parts(Rig(), disk_space=lambda: (free, size)))
    assert [each.kind for each in found] == ["disk"] * full
    assert all(f"{free >> 20} MiB of {size >> 20} MiB are free" in each.detail for each in found)


def test_a_disk_that_hangs_is_not_asked() -> None:
    """The loop would hang with it."""
    rig = Rig()
    rig.journal.hangs_s = 7
    assert warnings(parts(rig, disk_space=lambda: 1 // 0)) == []


@pytest.mark.parametrize(
    ("days", "kinds"),
    [(15, []), (14, ["certificate"]), (3, ["certificate", "certificate at last"])],
)
def test_a_certificate_that_is_about_to_end_is_told_of_twice(days: int, kinds: list[str]) -> None:
    """Each is a trouble of its own, so that the second one is told, too."""
    rig = Rig()
    found = warnings(parts(rig, certificates=lambda: [("/etc/x", rig.now + days * DAY)]))
    assert [each.kind for each in found] == [f"{kind} /etc/x" for kind in kinds]


def test_a_partner_is_named_as_long_as_its_newest_answer_means_nothing() -> None:
    rig = Rig()
    channel = rig.channel()
    partner = rig.partner(slug="a", webhook="http://x/")
    site = rig.site(host="a", channels=(channel,))
    rig.probe(site, good(at=rig.now))
    _round(rig, site, bad)
    rig.answer(site, "malformed")
    (found,) = warnings(parts(rig))
    assert (found.text, found.kind) == ("partner a answers what cannot be understood", f"partner {partner}")
    _round(rig, site, good)
    rig.answer(site, "ok")
    assert warnings(parts(rig)) == []


def _round(rig: Rig, site: Id, look: Callable[..., ProbeResult]) -> None:
    """All see the same, twice."""
    for _ in range(2):
        looks = [look(node, at=rig.now) for node in ("", "berlin", "tokyo")]
        rig.probe(site, looks[0])
        rig.probe(site, *looks, asked=2, quorum=2)


def test_a_channel_is_named_from_a_message_that_was_given_up_to_one_that_was_delivered() -> None:
    rig = Rig()
    channel = rig.channel()
    check = rig.check(channels=(channel,))
    rig.ping(check, "fail")
    (owed,) = rig.world.owed.values()
    rig.submit(channel, NotificationAbandoned(owed.id, 5, "refused"))
    (found,) = warnings(parts(rig))
    assert found.kind == f"channel {channel}"
    assert found.detail.startswith("refused; ")
    rig.submit(channel, ChannelTested(5, 200))
    assert warnings(parts(rig)) == []
