"""Examples of successful responses in the OpenAPI document, recorded by tests in `examples.json`.

`tests/support/recorded.py` records it. A test fails where an example is missing or does not fit its schema.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("examples.json")


@cache
def recorded() -> dict[str, dict[str, Any]]:
    """Return `path`, `query`, `body` and `answer` by operation and status, such as `escrows.fund 200`."""
    found: dict[str, dict[str, Any]] = json.loads(FILE.read_text("utf-8"))
    return found


def add(document: dict[str, Any]) -> None:
    """Add examples to successful JSON responses without one."""
    for methods in document["paths"].values():
        for operation in methods.values():
            for status, response in operation["responses"].items():
                media = response.get("content", {}).get("application/json")
                found = recorded().get(f"{operation['operationId']} {status}")
                if found is not None and media is not None and not media.keys() & {"example", "examples"}:
                    media["example"] = found["answer"]
