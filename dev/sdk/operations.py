"""Reads the operations of the OpenAPI document: what becomes a method of the client, and its arguments.

Operations are named by their ids, `tag.verb`: `client.escrows.fund(…)`. Members of a request's body are arguments of
the method. Operations that are marked deprecated are other paths of one that is there.
"""

import re
from dataclasses import dataclass
from typing import Any

from dev.sdk.types import Schema, Typing, is_free, python_name

#: What the providers and mail servers of a platform call, and no client of it.
CALLED_BY_OTHERS = re.compile(r"^/(api/v1/)?(billing/)?(webhooks/(?!events)|stripe/webhook)")


@dataclass(frozen=True)
class Argument:
    """An argument of a method: name, type, place in the request and name on the wire."""

    name: str
    kind: str
    place: str
    sent_as: str
    required: bool
    free: bool = False


@dataclass(frozen=True)
class Operation:
    """An operation of the document."""

    resource: str
    verb: str
    method: str
    path: str
    about: str
    arguments: tuple[Argument, ...]
    keyed: bool
    attributed: bool
    answer: Schema | None
    media: str

    @property
    def id(self) -> str:
        """Name of the method."""
        return f"{self.resource}.{self.verb}"


def operations(document: Schema) -> list[Operation]:
    """List what has a method, in the order of the document."""
    found = []
    for path, methods in document["paths"].items():
        for method, described in methods.items():
            if method not in {"get", "post", "put", "patch", "delete"} or not has_method(path, described):
                continue
            found.append(_operation(document, path, method, described))
    names = [operation.id for operation in found]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(f"Operations share an id: {sorted(twice)}")
    return found


def has_method(path: str, described: Schema) -> bool:
    """Say whether an operation has a method of its own."""
    other_path = described.get("deprecated") or "_api_v1_" in described.get("operationId", "")
    return not other_path and not CALLED_BY_OTHERS.match(path)


def _operation(document: Schema, path: str, method: str, described: Schema) -> Operation:
    resource, _, verb = described["operationId"].partition(".")
    if not verb:
        resource, verb = described["tags"][0], described["operationId"]
    arguments: list[Argument] = []
    parameters = [_resolved(document, each) for each in described.get("parameters", [])]
    names: set[str] = set()
    keyed = any(each["name"].lower() == "idempotency-key" for each in parameters)
    for each in parameters:
        if each["name"].lower() == "idempotency-key" or each["in"] == "cookie":
            continue
        name = python_name(each["name"])
        names.add(name)
        kind = "str" if each["in"] == "path" else Typing("params.").of(each["schema"])
        required = bool(each.get("required")) and "null" not in str(each["schema"].get("anyOf", ""))
        arguments.append(Argument(name, kind, each["in"], each["name"], each["in"] == "path" or required))
    members, attributed = _members(document, described, names)
    good = next(code for code in described["responses"] if code.startswith("2"))
    content = _resolved(document, described["responses"][good]).get("content", {})
    media = "application/json" if "application/json" in content else next(iter(content), "")
    answer = content["application/json"]["schema"] if media == "application/json" else None
    about = described.get("description") or described.get("summary") or f"Call {described['operationId']}."
    return Operation(
        python_name(resource.lower().replace(" ", "_")),
        python_name(verb),
        method.upper(),
        path,
        about,
        (*arguments, *members),
        keyed,
        attributed,
        answer,
        media,
    )


def _members(document: Schema, described: Schema, taken: set[str]) -> tuple[list[Argument], bool]:
    body = _resolved(document, described.get("requestBody") or {})
    if not body:
        return [], False
    content = body["content"]
    if "application/json" not in content:
        return [Argument("body", "bytes", "body", "body", True)], False
    schema = content["application/json"]["schema"]
    alternatives = [each for each in schema.get("anyOf", [schema]) if each.get("type") != "null"]
    schemas = document["components"]["schemas"]
    target = alternatives[0] if len(alternatives) == 1 else schema
    if "$ref" in target:
        target = schemas[target["$ref"].rpartition("/")[2]]
    if "properties" not in target or (schema is not body and "oneOf" in target):
        return [Argument("body", "Any", "body", "", True, free=True)], False
    typing = Typing("params.")
    arguments = []
    for name, member in target["properties"].items():
        called = python_name(name)
        called = f"{called}_" if called in taken or called == "idempotency_key" else called
        required = name in target.get("required", ())
        arguments.append(Argument(called, typing.of(member), "body", name, required, free=is_free(member)))
    wanted = {"agent_id", "department_id", "project_id", "run_id"}
    return arguments, wanted <= target["properties"].keys() and not wanted & set(target.get("required", ()))


def _resolved(document: Schema, part: Schema) -> Schema:
    if "$ref" not in part:
        return part
    found: Any = document
    for step in part["$ref"].removeprefix("#/").split("/"):
        found = found[step.replace("~1", "/").replace("~0", "~")]
    resolved: Schema = found
    return resolved
