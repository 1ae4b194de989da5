"""The API's OpenAPI 3.1 document, made of the tables that requests are judged by and of the shapes of answers.

Where two routes differ only in what a parameter of the path may be (a check's id, or its unique key), OpenAPI knows one
path; its parameter may be either.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

import msgspec
from msgspec import Struct

from pingmon.wire.api.answer_shapes import ShownError
from pingmon.wire.api.check_fields import FieldRule
from pingmon.wire.api.query_parameters import NumberParameter, QueryParameter

Schema: TypeAlias = dict[str, Any]
Shape: TypeAlias = type[object]

TEXT: Final = "text/plain"
JSON: Final = "application/json"
REF: Final = "#/components/schemas/{name}"

REFUSALS: Final[dict[int, str]] = {
    400: "The request cannot be understood, or a field or parameter breaks its rule.",
    401: "The key is missing or wrong.",
    403: "There are as many as may be; of `metrics/`, the key is missing or wrong.",
    404: "What is asked for is not there, or is another project's.",
    409: "What is asked for is not possible now.",
    413: "The body is too long.",
    414: "The target is too long.",
    429: "The key, or the check, site or channel, has been asked for too often.",
    431: "The headers are too long.",
    503: "The daemon cannot do it now.",
}
ALWAYS: Final = (400, 414, 431, 503)
"""What any request may be answered, and what besides, if it needs a key, has a body, or names something."""
WITH_KEY: Final = (429,)
WITH_BODY: Final = (413,)
WITH_NAME: Final = (404,)
WAIT: Final = (429, 503)
"""Refusals that say when to ask again."""

_PARAMETER: Final = re.compile(r"<(?P<kind>\w+)(?:\((?P<limit>\w+)=(?P<size>\d+)\))?:(?P<name>\w+)>")


class Described(Struct, frozen=True, kw_only=True):
    """One operation. `path` as routes have it, `security`: any of these schemes will do; none: no key is needed.

    `answers`: the shape of each good answer, or the type of its content if it is no JSON; `body`: fields by name.
    """

    id: str
    method: str
    path: str
    summary: str
    security: tuple[str, ...] = ()
    query: tuple[QueryParameter, ...] = ()
    body: Mapping[str, Schema] | None = None
    required: tuple[str, ...] = ()
    answers: Mapping[int, tuple[Shape | str, ...]]
    refusals: tuple[int, ...] = ()


def document(
    operations: Iterable[Described], schemes: Mapping[str, Schema], *, title: str, version: str, about: str
) -> Schema:
    """The document, without `servers`. `schemes` are the ways to show a key, by name."""
    paths: dict[str, Schema] = {}
    names: dict[str, str] = {}
    found = list(operations)
    for each in found:
        path = names.setdefault(_PARAMETER.sub("{}", each.path), _PARAMETER.sub(r"{\g<name>}", each.path))
        known = paths.setdefault(path, {})
        parameters = _path_parameters(each.path, path)
        method = each.method.lower()
        if method in known:
            _either(known[method]["parameters"][: len(parameters)], parameters)
        else:
            known[method] = _operation(each, parameters)
    for each in found:
        _link(each, paths)
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version, "description": about},
        "paths": paths,
        "components": {
            "schemas": _components(found),
            "responses": {str(status): _refusal(status) for status in REFUSALS},
            "securitySchemes": dict(schemes),
        },
    }


def fields(rules: Mapping[str, FieldRule]) -> dict[str, Schema]:
    """The schemas of fields that are judged by `rules`, as far as a schema can tell."""
    return {name: rule_schema(rule) for name, rule in rules.items()}


def _type(rule: FieldRule) -> str | list[str]:
    return [rule.type, "null"] if rule.nullable else rule.type


def rule_schema(rule: FieldRule) -> Schema:
    """The schema of what `rule` allows; a last judgement (`wrong`) may refuse more."""
    if rule.type == "array":
        if rule.items is not None:
            each = {"type": "object", "properties": fields(rule.items), "required": list(rule.items)}
            return {"type": _type(rule), "items": each | {"additionalProperties": False}}
        return {"type": "array", "items": {"enum": list(rule.values or ())}}
    limits = {
        "maxLength": rule.max_length,
        "minimum": rule.minimum,
        "maximum": rule.maximum,
        "pattern": None if rule.pattern is None else f"^{rule.pattern}$",
        "enum": None if rule.values is None else list(rule.values),
    }
    return {"type": _type(rule)} | {name: limit for name, limit in limits.items() if limit is not None}


# --- operations ----------------------------------------------------------------------------------------------------


def _operation(told: Described, parameters: list[Schema]) -> Schema:
    refusals = {*ALWAYS, *told.refusals}
    refusals.update(WITH_KEY if told.security else ())
    refusals.update(WITH_BODY if told.body is not None else ())
    refusals.update(WITH_NAME if parameters else ())
    good = {str(status): _answer(kinds) for status, kinds in told.answers.items()}
    bad = {str(status): {"$ref": f"#/components/responses/{status}"} for status in sorted(refusals - {*told.answers})}
    operation: Schema = {
        "operationId": told.id,
        "summary": told.summary,
        "tags": [told.path.split("/")[1] or "document"],
        "parameters": parameters + [_query_parameter(each) for each in told.query],
        "responses": good | bad,
        "security": [{name: []} for name in told.security],
    }
    if told.body is not None:
        schema: Schema = {"type": ["object", "null"], "properties": dict(told.body)}
        schema |= {"type": "object", "required": list(told.required)} if told.required else {}
        operation["requestBody"] = {"required": bool(told.required), "content": {JSON: {"schema": schema}}}
    return operation


def _link(told: Described, paths: Mapping[str, Schema]) -> None:
    """Where something is made, say what can be done with it: all below its own path."""
    own = told.path + "{id}"
    if told.method == "POST" and own in paths:
        for status, (shape, *_) in told.answers.items():
            name = "uuid" if "uuid" in shape.__annotations__ else "id"
            paths[told.path]["post"]["responses"][str(status)]["links"] = {
                operation["operationId"]: {
                    "operationId": operation["operationId"],
                    "parameters": {"id": f"$response.body#/{name}"},
                }
                for path, operations in paths.items()
                if path.startswith(own)
                for operation in operations.values()
            }


def _answer(kinds: tuple[Shape | str, ...]) -> Schema:
    return {"description": "Done.", "content": dict(map(_content, kinds))}


def _content(kind: Shape | str) -> tuple[str, Schema]:
    if isinstance(kind, str):
        return kind, {"schema": {"type": "string"}}
    return JSON, {"schema": _schema(kind)}


def _refusal(status: int) -> Schema:
    told: Schema = {"description": REFUSALS[status], "content": {JSON: {"schema": _schema(ShownError)}}}
    if status in WAIT:
        told["headers"] = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}
    return told


def _schema(shape: Shape) -> Schema:
    (schema,), _ = msgspec.json.schema_components([shape], ref_template=REF)
    return schema


def _components(operations: Iterable[Described]) -> Schema:
    shapes = [kind for each in operations for kinds in each.answers.values() for kind in kinds]
    _, components = msgspec.json.schema_components(
        [ShownError, *(shape for shape in shapes if not isinstance(shape, str))], ref_template=REF
    )
    return components


# --- parameters ----------------------------------------------------------------------------------------------------


def _path_parameters(route: str, path: str) -> list[Schema]:
    """The parameters of `route`, under the names that they have in `path`."""
    names = re.findall(r"\{(\w+)\}", path)
    found = zip(names, _PARAMETER.finditer(route), strict=True)
    return [{"name": name, "in": "path", "required": True, "schema": _converter(each)} for name, each in found]


def _converter(found: re.Match[str]) -> Schema:
    if found["kind"] == "uuid":
        return {"type": "string", "format": "uuid"}
    size = int(found["size"])
    return {"type": "string", "maxLength": size} | ({"minLength": size} if found["limit"] == "length" else {})


def _either(known: list[Schema], others: list[Schema]) -> None:
    """Let parameters of a path be what they are on another route, too."""
    for one, other in zip(known, others, strict=True):
        one["schema"] = {"anyOf": [one["schema"], other["schema"]]}


def _query_parameter(told: QueryParameter) -> Schema:
    if isinstance(told, NumberParameter):
        schema: Schema = {"type": "integer", "minimum": told.least, "maximum": told.most}
        schema = {"anyOf": [schema, {"type": "string", "pattern": f"^{told.mark}$"}]} if told.mark else schema
    else:
        schema = {"type": "string"} | ({"enum": list(told.values)} if told.values else {})
        schema = {"type": "array", "items": schema} if told.repeated else schema
    return {"name": told.name, "in": "query", "description": told.about, "schema": schema}
