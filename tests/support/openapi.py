"""The OpenAPI document, made without any server."""

from collections.abc import Iterator
from functools import cache
from typing import Any

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
