"""The OpenAPI document, made without any server."""

from collections.abc import Iterator
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

import dev.openapi

served = cache(dev.openapi.served)
"""The document of this code, made once. Whoever changes it copies it first."""


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def resolved(document: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    """Return what a node refers to, or the node."""
    found: Any = document
    for part in node["$ref"].removeprefix("#/").split("/") if "$ref" in node else ():
        found = found[part]
    return found if "$ref" in node else node


def problem_of(document: dict[str, Any], response: dict[str, Any]) -> dict[str, Any]:
    """Return what a refusal has as its media type `application/problem+json`; empty when it has none."""
    media: dict[str, Any] = resolved(document, response).get("content", {}).get("application/problem+json", {})
    return media


def answers(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield `operation status` and the media type of each good answer in JSON."""
    for _, _, operation in operations(document):
        for status, response in operation["responses"].items():
            media = response.get("content", {}).get("application/json")
            if status.startswith("2") and media is not None:
                yield f"{operation['operationId']} {status}", media


def misfits(schema: dict[str, Any], answer: Any) -> list[str]:
    """Say where an answer does not fit its schema, or has members that this does not name."""
    return [fault.message for fault in Draft202012Validator({**schema, **_closed()}).iter_errors(answer)]


#: Schemas that leave members out which their answers have.
_OPEN = {"ItemAnswer"}


@cache
def _closed() -> dict[str, Any]:
    schemas = {
        name: {"additionalProperties": False, **schema} if "properties" in schema and name not in _OPEN else schema
        for name, schema in served()["components"]["schemas"].items()
    }
    return {"components": {"schemas": schemas}}
