"""Writes `docs/reference/python-client.md`: each method of the client with a sentence and a call.

A call has the arguments that the operation requires, with the values that tests sent for them, here or to another
operation (`api/examples.json`). `dev.sdk.examples` has better ones, and the arguments that the API asks for though the
schema of the request has them as optional.
"""

import re
from functools import cache
from typing import Any

from api.openapi_examples import recorded
from dev.sdk.examples import ARGUMENTS, VALUES
from dev.sdk.operations import Operation

_HEAD = """# Methods of the Python client

Every method of `Bursar`, with the arguments that it requires. `AsyncBursar` has the same methods: `await` them, and
iterate over lists by `async for`. The signatures have the optional arguments and the members of answers; `/docs` on a
running stack says who may call a method. The [client's page](../../sdk/README.md) explains keys, retries and amounts.

```python
from bursar import Bursar

client = Bursar()
```
"""
_FOOT = "\nWritten by `python -m dev.sdk` from the OpenAPI document: not edited by hand.\n"
_WIDTH = 118


def page(listed: list[Operation]) -> str:
    """Write the page: resources by name, the methods of each as the API lists them."""
    by_resource: dict[str, str] = {}
    for operation in listed:
        by_resource[operation.resource] = by_resource.get(operation.resource, "") + _call(operation)
    sections = (f"\n## {resource}\n\n```python\n{calls}```\n" for resource, calls in sorted(by_resource.items()))
    return "".join((_HEAD, *sections, _FOOT))


def _call(operation: Operation) -> str:
    given = arguments(operation)
    in_path = [each.name for each in operation.arguments if each.place == "path"]
    written = [*(_literal(given[name]) for name in in_path)]
    written += [f"{name}={_literal(value)}" for name, value in given.items() if name not in in_path]
    return f"# {_sentence(operation)}\nclient.{operation.id}({', '.join(written)})\n"


def arguments(operation: Operation) -> dict[str, Any]:
    """Return the arguments of an operation's example, by the names of the method's parameters."""
    of_all, own = _sent()
    values = of_all | own.get(operation.id, {}) | VALUES
    required = {each.name: values[each.sent_as] for each in operation.arguments if each.required}
    return required | ARGUMENTS.get(operation.id, {})


@cache
def _sent() -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Return what tests sent, by the name of the argument, and by operation and name."""
    of_all: dict[str, Any] = {}
    own: dict[str, dict[str, Any]] = {}
    for key, example in recorded().items():
        body = example.get("body")
        sent = {**example.get("path", {}), **example.get("query", {}), **(body if isinstance(body, dict) else {})}
        own[key.partition(" ")[0]] = sent | ({} if body is None else {"": body})
        of_all = sent | of_all
    return of_all, own


def _literal(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_literal(key)}: {_literal(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(_literal(each) for each in value)}]"
    return repr(value) if not isinstance(value, str) or '"' in value else f'"{value}"'


def _sentence(operation: Operation) -> str:
    text = re.split(r"(?<=\.)\s", " ".join(operation.about.split()), maxsplit=1)[0]
    return text if len(text) <= _WIDTH else text[:_WIDTH].rpartition(" ")[0].rstrip(",;:") + " …"
