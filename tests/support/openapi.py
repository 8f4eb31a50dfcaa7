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
