"""Writes `docs/python-client.md`: each method of the client with a sentence and a call.

A call has the arguments that the operation requires, with the values that examples of the OpenAPI document have for
such names. `dev.sdk.examples` has the others, and the arguments that the API asks for though the schema of the
request has them as optional.
"""

import re
from typing import Any

from api import openapi_examples
from dev.sdk.examples import ARGUMENTS, VALUES
from dev.sdk.operations import Operation
from dev.sdk.types import Schema

_HEAD = """# Methods of the Python client

Every method of `Bursar`, with the arguments that it requires. `AsyncBursar` has the same methods: `await` them, and
iterate over lists by `async for`. The signatures have the optional arguments and the members of answers; `/docs` on a
running stack says who may call a method. Keys, retries and amounts are explained [with the client](../sdk/README.md).

```python
from bursar import Bursar

client = Bursar()
```
"""
_FOOT = "\nWritten by `python -m dev.sdk` from the OpenAPI document: not edited by hand.\n"
_WIDTH = 118


def page(document: Schema, listed: list[Operation]) -> str:
    """Write the page: resources by name, the methods of each as the API lists them."""
    by_resource: dict[str, str] = {}
    for operation in listed:
        by_resource[operation.resource] = by_resource.get(operation.resource, "") + _call(document, operation)
    sections = (f"\n## {resource}\n\n```python\n{calls}```\n" for resource, calls in sorted(by_resource.items()))
    return "".join((_HEAD, *sections, _FOOT))


def _call(document: Schema, operation: Operation) -> str:
    given = arguments(document, operation)
    in_path = [each.name for each in operation.arguments if each.place == "path"]
    written = [*(_literal(given[name]) for name in in_path)]
    written += [f"{name}={_literal(value)}" for name, value in given.items() if name not in in_path]
    return f"# {_sentence(operation)}\nclient.{operation.id}({', '.join(written)})\n"


def arguments(document: Schema, operation: Operation) -> dict[str, Any]:
    """Return the arguments of an operation's example, by the names of the method's parameters."""
    schemas = document["components"]["schemas"]
    described = document["paths"][operation.path][operation.method.lower()]
    sent = {each["name"]: each["schema"] for each in described.get("parameters", ())}
    body, owner = _body(schemas, described)
    found = {}
    for argument in operation.arguments:
        if argument.required:
            schema = body[argument.sent_as] if argument.place == "body" else sent[argument.sent_as]
            given = VALUES.get(argument.sent_as)
            found[argument.name] = given or openapi_examples.sent(schema, schemas, argument.sent_as, owner)
    return found | ARGUMENTS.get(operation.id, {})


def _body(schemas: dict[str, Any], described: Schema) -> tuple[dict[str, Any], str]:
    content = described.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        return {}, ""
    parts = [part for part in content["schema"].get("anyOf", [content["schema"]]) if part.get("type") != "null"]
    owner = parts[0].get("$ref", "").rpartition("/")[2]
    schema = schemas.get(owner, parts[0])
    return {"": schema, **schema.get("properties", {})}, owner


def _literal(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_literal(key)}: {_literal(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(_literal(each) for each in value)}]"
    return repr(value) if not isinstance(value, str) or '"' in value else f'"{value}"'


def _sentence(operation: Operation) -> str:
    text = re.split(r"(?<=\.)\s", " ".join(operation.about.split()), maxsplit=1)[0]
    return text if len(text) <= _WIDTH else text[:_WIDTH].rpartition(" ")[0].rstrip(",;:") + " …"
