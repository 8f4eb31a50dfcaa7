"""Only the JSON and query notations of booleans and whole numbers are accepted, and no similar values."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from tests.api.conftest import Caller, Tenant, good, new_key, refused
from tests.support.openapi import operations, resolved, served

pytestmark = pytest.mark.db

WORDS = {"boolean": "This must be true or false.", "integer": "This must be a whole number."}
IN_QUERIES = {
    "boolean": ["1", "0", "yes", "on", "True", "FALSE", "t", ""],
    "integer": ["1_0", "+5", " 5", "5 ", "1.0", "1e1", "\u0665", ""],
}
IN_BODIES: dict[str, list[Any]] = {
    "boolean": [1, 0, "yes", "on", "true", "false"],
    "integer": [True, "5", "1_0", "+5", " 5", 1.5],
}

Schema = dict[str, Any]
Path = tuple[str, ...]


class Place(NamedTuple):
    """The place of a value in a body: the names of the members on its path, `0` for an item, and required values."""

    path: Path
    kind: str
    tags: dict[Path, str]

    def body(self, value: Any, at: int = 0) -> Any:
        """Return a body with only a value here and the discriminators of the objects around it."""
        if at == len(self.path):
            return value
        name, inner = self.path[at], self.body(value, at + 1)
        own = {tag[-1]: said for tag, said in self.tags.items() if tag[:-1] == self.path[:at]}
        return [inner] if name == "0" else {**own, name: inner}


def kinds_of(schema: Schema) -> set[str]:
    """Return the JSON types that a value may have, without null."""
    schema = resolved(served(), schema)
    found = {kind for part in schema.get("anyOf", ()) for kind in kinds_of(part)}
    return (found | {schema["type"]} if "type" in schema else found) - {"null"}


def places(
    schema: Schema, path: tuple[str, ...] = (), tags: dict[tuple[str, ...], str] | None = None
) -> Iterator[Place]:
    """List where a body has a boolean or a whole number."""
    schema, tags = resolved(served(), schema), tags or {}
    kinds = kinds_of(schema)
    if len(kinds) == 1 and kinds <= WORDS.keys():
        yield Place(path, kinds.pop(), tags)
    for part in (*schema.get("anyOf", ()), *schema.get("allOf", ())):
        if kinds_of(part) & {"object", "array"}:
            yield from places(part, path, tags)
    tag = schema.get("discriminator", {}).get("propertyName")
    for part in schema.get("oneOf", ()):
        said = resolved(served(), part)["properties"][tag]["const"]
        yield from places(part, path, {**tags, (*path, tag): said})
    if "items" in schema:
        yield from places(schema["items"], (*path, "0"), tags)
    for name, part in schema.get("properties", {}).items():
        yield from places(part, (*path, name), tags)


async def refusals(callers: tuple[Caller, ...], method: str, path: str, **options: Any) -> dict[str, str]:
    """Send the request as each caller until one may, and return the message of each field."""
    for caller in callers:
        answer = await caller.ask(method, path.replace("{", "x").replace("}", ""), key=new_key(), **options)
        if answer.status_code != 403:
            break
    document = answer.json()
    if path.endswith("/batch"):
        # Each item has its own answer.
        (item,) = document["data"]
        field, _, message = item["error"]["detail"].partition(": ")
        return {f"items.0.{field}": message}
    return {each["field"]: each["message"] for each in document.get("errors", ())}


async def test_queries_take_true_and_false_and_plain_digits_alone(operator: Caller) -> None:
    taken, asked = [], 0
    for path, method, operation in operations(served()):
        for parameter in operation.get("parameters", ()):
            kinds, name = kinds_of(parameter["schema"]), parameter["name"]
            if parameter["in"] == "query" and len(kinds) == 1 and kinds <= WORDS.keys():
                (kind,) = kinds
                for text in IN_QUERIES[kind]:
                    asked += 1
                    said = await refusals((operator,), method.upper(), path, params={name: text})
                    if said.get(name) != WORDS[kind]:
                        taken.append((method, path, name, text))
    assert taken == []
    assert asked > 500


async def test_bodies_take_json_booleans_and_whole_numbers_alone(operator: Caller, tenant: Tenant) -> None:
    taken, asked, callers = [], 0, (operator, tenant.owner)
    for path, method, operation in operations(served()):
        media = operation.get("requestBody", {}).get("content", {}).get("application/json")
        for place in places(media["schema"]) if media else ():
            field = ".".join(place.path)
            for value in IN_BODIES[place.kind]:
                asked, body = asked + 1, place.body(value)
                said = await refusals(callers, method.upper(), path, json=body)
                if said.get(field) != WORDS[place.kind]:
                    taken.append((method, path, body))
    assert taken == []
    assert asked > 500


async def test_every_whole_number_of_a_body_has_a_maximum(operator: Caller, tenant: Tenant) -> None:
    taken = []
    for path, method, operation in operations(served()):
        media = operation.get("requestBody", {}).get("content", {}).get("application/json")
        for place in places(media["schema"]) if media else ():
            if place.kind == "integer":
                said = await refusals((operator, tenant.owner), method.upper(), path, json=place.body(2**63))
                if not re.fullmatch(r"This must be at most [0-9]+\.", said.get(".".join(place.path), "")):
                    taken.append((method, path, place.path))
    assert taken == []


async def test_true_false_and_digits_are_taken(tenant: Tenant) -> None:
    for query in ("active=true&limit=5", "active=false&limit=05"):
        good(await tenant.owner.get(f"/agents?{query}"))
    refused(await tenant.owner.get("/agents?limit=-5"), 422, "request.invalid")
