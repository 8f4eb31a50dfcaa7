"""The OpenAPI document, made without any server."""

from collections.abc import Iterator
from functools import cache
from typing import Any

from api.app import create_app
from runtime.settings import Settings

NOWHERE = "postgresql://nobody:none@127.0.0.1:1/none"


@cache
def served() -> dict[str, Any]:
    """Return the document of an API that serves everything on one port. Whoever changes it copies it first."""
    settings = Settings(database_url=NOWHERE, platform_database_url=NOWHERE, temporal_address="127.0.0.1:1")
    return create_app(settings.model_copy(update={"private_port": 0})).openapi()


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
