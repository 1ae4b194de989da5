"""The examples of `docs/webhooks.md` are what is sent."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from pingmon.core.check.check import Check
from pingmon.core.check.settings import CheckSpec
from pingmon.core.flip import Flip
from pingmon.core.notify.channel import Channel
from pingmon.core.notify.notification import Notification
from pingmon.core.site.settings import SiteSpec
from pingmon.core.site.site import Site
from pingmon.core.units import SECOND
from pingmon.testing import PROJECT, bad, good, uuid
from pingmon.testing import START as NOW
from pingmon.wire.message.digest import digest, digest_object
from pingmon.wire.message.message import Letter, object_of, trial_letter
from pingmon.wire.message.webhook import _PLACEHOLDER

DOCS = (Path(__file__).parents[3] / "docs" / "webhooks.md").read_text("utf-8")
OPS = Channel(uuid(1, "d"), PROJECT, "webhook", "ops", {}, "", 1, NOW)
CHECK = Check(uuid(1), PROJECT, CheckSpec(name='back"up'), 3, NOW, NOW, "down")
SITE = Site(uuid(1, "5"), PROJECT, SiteSpec(name="shop", url="https://shop.example/"), 3, NOW, NOW, "down")


def letter(subject: Check | Site, flip: Flip) -> Letter:
    return Letter(Notification(f"{OPS.id}.{flip.seq}", OPS.id, flip, NOW), subject, OPS, NOW)


DOWN = letter(CHECK, Flip(7, CHECK.id, NOW, "up", "down", "signal", NOW - 3600 * SECOND, 3))
UP = letter(CHECK, Flip(9, CHECK.id, NOW + 90 * SECOND, "down", "up", "", NOW))
SITE_DOWN = Flip(11, SITE.id, NOW, "suspect", "down", "verdict", NOW, code=503, looks=(bad(), bad("berlin")))
SITE_UP = Flip(13, SITE.id, NOW + 90 * SECOND, "down", "up", "verdict", NOW, code=200, looks=(good(), good("berlin")))


def examples() -> str:
    """The examples as they belong into the document."""
    shown: list[dict[str, Any]] = [
        object_of(DOWN, {}, b"rsync: write failed: disk is full"),
        object_of(UP, {}),
        object_of(letter(CHECK, Flip(15, CHECK.id, NOW, "up", "up", "ended", NOW)), {}),
        object_of(letter(SITE, SITE_DOWN), {}),
        object_of(letter(SITE, SITE_UP), {}),
        object_of(trial_letter(OPS, NOW, up=False), {}),
        digest_object(digest(OPS, NOW, 11, (DOWN, letter(SITE, SITE_DOWN)))),
    ]
    return "".join(f"```json\n{json.dumps(each, indent=2, ensure_ascii=False)}\n```\n\n" for each in shown).rstrip("\n")


def test_the_examples_of_the_document_are_what_is_sent() -> None:
    """One of each event; when this fails, what `examples` gives belongs between the two marks."""
    found = DOCS.partition("<!-- examples -->")[2].partition("<!-- end -->")[0].strip("\n")
    assert found == examples()


def test_the_document_names_every_placeholder() -> None:
    """No more and no fewer; tags are counted."""
    names = _PLACEHOLDER.pattern.partition("(")[2].rpartition(")")[0]
    known = {f"${name}" for name in names.split("|")}
    table = DOCS.partition("## Placeholders")[2].partition("In a URL")[0]
    named = set(re.findall(r"`(\$[A-Z_0-9]+)`", table)) - {"$TAG2"}
    assert named == {name.replace("$TAG[1-9][0-9]*", "$TAG1") for name in known}
