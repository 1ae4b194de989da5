"""What belongs together when pingmon grows: the recipes of `CONTRIBUTING.md`, as far as a test can tell."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from msgspec import Struct

from pingmon.api.routes import ROUTES
from pingmon.core.check.check import Check
from pingmon.core.check.settings import CheckChanges, CheckSpec
from pingmon.core.partner.partner import PartnerChanges, PartnerSpec
from pingmon.core.site.settings import SiteChanges, SiteSpec
from pingmon.core.site.site import Site
from pingmon.daemon.config_reload import TAKEN
from pingmon.wire.api import check_fields, site_fields
from pingmon.wire.api.checks import View, check_json
from pingmon.wire.api.sites import SiteView, site_json

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
MANUAL = (DOCS / "http-api.md").read_text("utf-8")
ID = "11111111-0000-4000-8000-000000000001"


@pytest.mark.parametrize(
    ("settings", "changes", "fixed"),
    [(CheckSpec, CheckChanges, set()), (SiteSpec, SiteChanges, set()), (PartnerSpec, PartnerChanges, {"slug"})],
)
def test_every_setting_can_be_changed(settings: type[Struct], changes: type[Struct], fixed: set[str]) -> None:
    """But for what names a partner."""
    assert set(settings.__struct_fields__) - fixed == set(changes.__struct_fields__)


def test_every_field_of_a_check_is_shown() -> None:
    """Under the name by which it is set; a schedule and a period exclude each other."""
    view = View(3, False, "http://p", "http://p/ping/", 0)
    specs = [CheckSpec(), CheckSpec(kind="cron")]
    shown = {key for spec in specs for key in check_json(Check(ID, ID, spec, 1, 0, 0), view)}
    assert set(check_fields.FIELDS) - {"unique"} <= shown


def test_every_field_of_a_site_is_shown() -> None:
    """Under the name by which it is set."""
    site = Site(ID, ID, SiteSpec(url="http://example.org/"), 1, 0, 0)
    assert set(site_fields.FIELDS) <= set(site_json(site, SiteView("http://p", 0, None)))


@pytest.mark.parametrize("field", [*check_fields.FIELDS, *site_fields.FIELDS])
def test_the_manual_knows_every_field(field: str) -> None:
    """In its tables."""
    assert re.search(rf"^\| .*`{field}`", MANUAL, re.MULTILINE)


def test_the_manual_knows_every_route() -> None:
    """With its methods."""
    rows = re.findall(r"^\| (`.*/.*`) \| ([A-Z, ]+) \| ", MANUAL, re.MULTILINE)
    told = {
        (_plain(path), tuple(methods.split(", "))) for paths, methods in rows for path in paths.strip("`").split("`, `")
    }
    served = {(_plain(route.path), tuple(route.operations)) for route in ROUTES}
    assert served == told - {("/status", ("GET",))}


def _plain(path: str) -> str:
    """A path, however its parameters are called; but a check's unique key is not its id."""
    return "/" + re.sub(r"<(.*?)>", _parameter, path).strip("/")


def _parameter(found: re.Match[str]) -> str:
    return "<key>" if "key" in found[1] else "<>"


@pytest.mark.parametrize(
    "document",
    [str(path.relative_to(ROOT)) for path in sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])],
)
def test_what_a_document_points_to_is_there(document: str) -> None:
    """Files, modules and pages, by the path from the root, from `pingmon/`, or from the document."""
    text = (ROOT / document).read_text("utf-8")
    rooms = "|".join(sorted(path.stem for path in (ROOT / "pingmon").iterdir() if path.is_dir()))
    named = re.findall(rf"`((?:pingmon|tests|docs|{rooms})/[\w/.-]*)`", text)
    linked = [link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link]
    bases = [ROOT, ROOT / "pingmon", (ROOT / document).parent]
    for name in [*named, *linked]:
        assert any((base / f"{name}{end}").exists() for base in bases for end in ("", ".py")), name


@pytest.mark.parametrize("key", sorted(TAKEN))
def test_the_manual_knows_what_needs_no_restart(key: str) -> None:
    """In the section about SIGHUP."""
    section = (DOCS / "operations.md").read_text("utf-8").partition("## Reading again")[2].partition("\n## ")[0]
    assert re.search(rf"`[^`]*\b{key.rpartition('.')[2]}\b[^`]*`", section)
