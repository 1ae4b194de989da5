"""The OpenAPI document: that it is one, and that it knows all that is served."""

from __future__ import annotations

from typing import Any

import pytest

from pingmon.api.channel_kinds import KINDS
from pingmon.api.openapi import TAKES, api_document
from pingmon.api.routes import ROUTES
from pingmon.wire.api.check_fields import FIELDS
from tests.api.stage import ApiStage

PATH = "/api/v3/"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    found: dict[str, Any] = ApiStage().ask("GET", PATH).json
    return found


def test_it_is_openapi(document: dict[str, Any]) -> None:
    """3.1, by its own schema."""
    validator = pytest.importorskip("openapi_spec_validator", reason="needs openapi-spec-validator")
    assert document["openapi"] == "3.1.0"
    validator.OpenAPIV31SpecValidator(document).validate()


def test_anybody_may_read_it() -> None:
    """With and without the last slash; its address is the one that was asked."""
    house = ApiStage()
    for path in ("/api/v3/", "/api/v3"):
        reply = house.ask("GET", path)
        assert (reply.status, reply.json["servers"]) == (200, [{"url": "http://pingmon.example/api/v3"}])
    assert house.ask("HEAD", PATH).status == 200
    assert house.ask("OPTIONS", PATH).status == 204
    assert house.ask("POST", PATH).error == "method not allowed"


def test_every_operation_is_told(document: dict[str, Any]) -> None:
    """And none that is not served."""
    served = [operation.run for route in ROUTES for operation in route.operations.values()]
    assert set(TAKES) == set(served)
    told = [each for path in document["paths"].values() for each in path.values()]
    by_another_name = sum("unique" in route.name for route in ROUTES)
    assert len(told) == len(served) - by_another_name + 2
    assert len({each["operationId"] for each in told}) == len(told)
    assert all(each["summary"].endswith(".") for each in told)


def test_fields_are_those_that_are_judged(document: dict[str, Any]) -> None:
    """By name and rule."""
    content = document["paths"]["/checks/"]["post"]["requestBody"]["content"]["application/json"]
    shown = content["schema"]["properties"]
    assert list(shown) == [*FIELDS, "uuid"]
    assert shown["grace"] == {"type": "integer", "minimum": 60, "maximum": 31536000}
    assert shown["slug"] == {"type": "string", "maxLength": 100, "pattern": "^[a-z0-9_-]*$"}


def test_the_settings_of_each_kind_of_channel_are_told(document: dict[str, Any]) -> None:
    """By name, with what each is for."""
    for path in ("/channels/", "/channels/{id}"):
        content = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
        told = content["schema"]["properties"]["value"]["anyOf"]
        objects = {each["title"]: each["properties"] for each in told if each["type"] == "object"}
        assert {kind: list(settings) for kind, settings in objects.items()} == {
            name: list(kind.settings) for name, kind in KINDS.items()
        }
        assert all(each["description"].endswith(".") for settings in objects.values() for each in settings.values())


def test_a_check_has_two_names(document: dict[str, Any]) -> None:
    """To read it, either will do; to change it, only its UUID."""
    operations = document["paths"]["/checks/{id}"]
    (reading,), (changing,) = (operations[method]["parameters"] for method in ("get", "post"))
    uuid = {"type": "string", "format": "uuid"}
    assert reading["schema"] == {"anyOf": [uuid, {"type": "string", "maxLength": 40, "minLength": 40}]}
    assert changing["schema"] == uuid


def test_what_is_made_leads_on(document: dict[str, Any]) -> None:
    """The answer to its creation names what can be done with it, and by which of its keys."""
    for path, name in (("/checks/", "uuid"), ("/channels/", "id")):
        links = document["paths"][path]["post"]["responses"]["201"]["links"]
        below = [
            each
            for place in document["paths"]
            if place.startswith(f"{path}{{")
            for each in document["paths"][place].values()
        ]
        assert list(links) == [each["operationId"] for each in below]
        assert {link["parameters"]["id"] for link in links.values()} == {f"$response.body#/{name}"}


def test_keys_are_told_by_role(document: dict[str, Any]) -> None:
    """A read-write key may read; an operator's is for what is in no project; `status/` needs none."""
    paths = document["paths"]
    told = [paths[path]["get"]["security"] for path in ("/checks/", "/channels/", "/projects/", "/status/")]
    assert told == [[{"ro": []}, {"rw": []}], [{"rw": []}], [{"operator": []}], []]
    assert paths["/metrics/"]["get"]["security"] == [{"operator_X-Metrics-Key": []}, {"operator": []}]
    assert document["components"]["securitySchemes"]["operator_X-Metrics-Key"]["name"] == "X-Metrics-Key"


def test_it_is_made_once() -> None:
    """Whoever asks for it in a loop costs next to nothing."""
    assert api_document() is api_document()
