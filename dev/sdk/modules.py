"""Writes the modules of the client: models, events, parameters and resources."""

import re
from collections.abc import Iterable, Mapping

from dev.sdk.operations import Argument, Operation
from dev.sdk.types import Schema, Typing, class_name, python_name, reached, references

#: An answer without an end: its method is an iterator of topics.
STREAM = re.compile(r"/changes/stream$")
_TOPICS = """Follow the changes, for as long as you iterate: the topics of what has changed, within about a second.

First comes every topic once, so that what you read from then on is not outdated unnoticed; then what has changed.
A connection that ends is made again, and what changed meanwhile comes after it."""
#: Operations without a key that can be sent again, because what they carry has keys of its own or nothing changes.
REPEATABLE = re.compile(r"/(credits/use/batch|usage/events|usage/estimate|departments/\{department_id\}/close)$")
#: Of the paths, as `bursar._calls` has it.
_PREFIX = "/api/v1"
_HEAD = '"""{about} Written by `python -m dev.sdk` from the OpenAPI document: not edited by hand."""\n\n'
#: A model that begins with all the fields of another one is its subclass, if that one has more fields than this.
_FEW = 9
_MODEL_METHODS = {"copy", "dict", "json", "schema", "validate", "construct", "fields", "parse_obj", "parse_raw"}


def models(document: Schema, listed: list[Operation]) -> str:
    """Write what the API answers."""
    schemas = document["components"]["schemas"]
    names = _answered(schemas, listed)
    out = [_HEAD.format(about="Objects in responses of the API.")]
    out.append(
        "from __future__ import annotations\n\nfrom datetime import date, datetime\nfrom decimal import Decimal\n"
        "from typing import Any, Literal, TypeAlias\n\nfrom pydantic import Field\n\n"
        "from bursar._wire import NOT_SENT, Amount, Model\n\n"
    )
    typing = Typing(answer=True)
    words = [name for name in names if "properties" not in schemas[name]]
    for name in words:
        out.append(f"{class_name(name)}: TypeAlias = {typing.of(schemas[name])}\n")
    fields = {name: _fields(schemas[name], typing) for name in names if name not in words}
    bases = {name: _base(own, fields.values()) for name, own in fields.items()}
    written = {"": "Model"}
    # A class comes after its base, which has fewer fields.
    for name in sorted(fields, key=lambda name: len(fields[name]) if bases[name] else 0):
        called, base = class_name(name), bases[name]
        about = _docstring(schemas[name].get("description") or f"{name}.", 4)
        out.append(f"\n\nclass {called}({written[base]}):\n{about}\n{fields[name].removeprefix(base)}")
        written.setdefault(fields[name], called)
    return "".join(out)


def _answered(schemas: Mapping[str, Schema], listed: list[Operation]) -> list[str]:
    """List the schemas that methods return, with what is in them. A page is read as a list of its items."""
    found: set[str] = set()
    for each in listed:
        item = _item_of_page(schemas, each)
        found |= {item} if item else set(references(each.answer))
    return reached(schemas, found)


def _base(fields: str, others: Iterable[str]) -> str:
    """Return the most fields, of at least ten, that another model has and these begin with."""
    return max(
        (other for other in others if other != fields and fields.startswith(other) and other.count("\n") > _FEW),
        key=len,
        default="",
    )


def _fields(schema: Schema, typing: Typing) -> str:
    lines = []
    required = set(schema.get("required", ()))
    for member, described in schema["properties"].items():
        kind = typing.of(described)
        called = f"{member}_" if member in _MODEL_METHODS or member.startswith("model_") else python_name(member)
        optional = member not in required
        if optional and "None" not in kind.split(" | "):
            kind += " | None"
        # What has no id is not what was asked for; any other member may be younger than the server. A member that is
        # called like its type cannot have a default.
        always = member == "id" or called in kind.split(" | ")
        default = "None" if optional else "..." if always else "NOT_SENT"
        if called != member:
            lines.append(f"    {called}: {kind} = Field({default}, alias={member!r})\n")
        else:
            lines.append(f"    {called}: {kind}{'' if default == '...' else f' = {default}'}\n")
    return "".join(lines)


def events(types: Mapping[str, tuple[str, Schema]]) -> str:
    """Write what the data of events hold: by type, a sentence and the JSON Schema."""
    out = [_HEAD.format(about="Data of events.")]
    out.append(
        "from __future__ import annotations\n\nfrom datetime import datetime\nfrom typing import Literal\n\n"
        "from bursar._wire import NOT_SENT, Amount, Model\n\n\n"
        'class Unknown(Model):\n    """Data of a type that this version does not know; see its `model_extra`."""\n'
    )
    typing = Typing(answer=True)
    names = {kind: "".join(part.capitalize() for part in re.split(r"[._]", kind)) for kind in types}
    fields: dict[str, str] = {}
    for kind, (_, schema) in types.items():
        # Events that were recorded before a field was added do not have it.
        always = [name for name, each in schema["properties"].items() if "None" not in typing.of(each).split(" | ")]
        fields[kind] = _fields({**schema, "required": always}, typing)
    shared: dict[str, str] = {}
    for kind, (sentence, _) in types.items():
        base, own = "Model", fields[kind]
        if sum(other == own for other in fields.values()) > 2:
            if own not in shared:
                noun = "".join(part.capitalize() for part in kind.partition(".")[0].split("_"))
                shared[own] = f"_{noun}"
                out.append(f'\n\nclass _{noun}(Model):\n    """Data that several event types share."""\n\n{own}')
            base, own = shared[own], ""
        out.append(f"\n\nclass {names[kind]}({base}):\n{_docstring(sentence, 4)}\n{own}")
    if len(set(shared.values())) < len(shared):
        raise ValueError(f"Bases of events share a name: {sorted(shared.values())}")
    pairs = "".join(f"    {kind!r}: {name},\n" for kind, name in names.items())
    out.append(f"\n\n#: The class of each type.\nBY_TYPE: dict[str, type[Model]] = {{\n{pairs}}}\n")
    return "".join(out)


def params(document: Schema, listed: list[Operation]) -> str:
    """Write what requests are made of, below their arguments."""
    schemas = document["components"]["schemas"]
    used = set()
    for operation in listed:
        for argument in operation.arguments:
            used |= {
                name for name in schemas if re.search(rf"\bparams\.{re.escape(class_name(name))}\b", argument.kind)
            }
    names = reached(schemas, used)
    words = [name for name in names if "properties" not in schemas[name]]
    answered = set(_answered(schemas, listed))
    shared = (f"{class_name(name)} as {class_name(name)}" for name in words if name in answered)
    out = [_HEAD.format(about="Bodies and parameters of requests.")]
    out.append(
        "from __future__ import annotations\n\nfrom collections.abc import Mapping, Sequence\n"
        "from datetime import date, datetime, timedelta\n"
        "from typing import Any, Literal, Required, TypeAlias, TypedDict\n\n"
        f"from bursar._wire import AmountLike\nfrom bursar.models import {', '.join(shared)}\n\n"
    )
    typing = Typing()
    for name in words:
        if name not in answered:
            out.append(f"{class_name(name)}: TypeAlias = {typing.of(schemas[name])}\n")
    for name in names:
        if name not in words:
            required = schemas[name].get("required", ())
            kinds = {member: typing.of(described) for member, described in schemas[name]["properties"].items()}
            kinds |= {member: f"Required[{kind}]" for member, kind in kinds.items() if member in required}
            out.append(_typed_dict(class_name(name), schemas[name].get("description") or f"{name}.", kinds))
    return "".join(out)


def _typed_dict(name: str, about: str, kinds: Mapping[str, str]) -> str:
    if all(python_name(member) == member for member in kinds):
        members = "".join(f"    {member}: {kind}\n" for member, kind in kinds.items())
        return f"\n\nclass {name}(TypedDict, total=False):\n{_docstring(about, 4)}\n{members}"
    # A member has a name that Python keeps for itself.
    members = "".join(f"        {member!r}: {kind!r},\n" for member, kind in kinds.items())
    return f"\n\n{name} = TypedDict(\n    {name!r},\n    {{\n{members}    }},\n    total=False,\n)\n"


def resources(document: Schema, listed: list[Operation]) -> str:
    """Write the asynchronous resources."""
    schemas = document["components"]["schemas"]
    out = [_HEAD.format(about="The resources of the API.")]
    out.append(
        "from collections.abc import AsyncIterator, Mapping, Sequence\nfrom datetime import date, datetime, timedelta\n"
        "from typing import Any, Literal\n\nfrom bursar import models, params\n"
        "from bursar._async._base import AsyncCaller, AsyncList, AsyncResource, read_models\n"
        "from bursar._context import attributed\n"
        "from bursar._wire import OMITTED, AmountLike, Free, Omitted, segment\n\n"
    )
    by_resource: dict[str, list[Operation]] = {}
    for operation in listed:
        by_resource.setdefault(operation.resource, []).append(operation)
    for resource, group in by_resource.items():
        out.append(f"\nclass Async{_class_of(resource)}(AsyncResource):\n")
        out.append(f'    """Operations on {resource.replace("_", " ")}."""\n')
        out.extend(_method(schemas, operation) for operation in group)
    out.append("\n\nclass AsyncResources(AsyncCaller):\n")
    out.append('    """Everything that the API can do, by resource."""\n\n    def _connect(self) -> None:\n')
    out.extend(f"        self.{resource} = Async{_class_of(resource)}(self)\n" for resource in by_resource)
    return "".join(out)


def _class_of(resource: str) -> str:
    return "".join(part.capitalize() for part in resource.split("_"))


def _method(schemas: Mapping[str, Schema], operation: Operation) -> str:
    in_path = [each for each in operation.arguments if each.place == "path"]
    named = [each for each in operation.arguments if each.place != "path"]
    named.sort(key=lambda each: not each.required)
    signature = ["self", *(f"{each.name}: str" for each in in_path)]
    if named or operation.keyed:
        signature.append("*")
    signature += [f"{each.name}: {each.kind}" if each.required else _optional(each) for each in named]
    if operation.keyed:
        signature.append("idempotency_key: str | None = None")
    item = _item_of_page(schemas, operation)
    path = re.sub(r"\{(\w+)\}", lambda match: "{segment(" + python_name(match[1]) + ")}", operation.path)
    if not path.startswith(f"{_PREFIX}/"):
        raise ValueError(f"{operation.id} has a path outside of {_PREFIX}: {path}")
    path = path.removeprefix(_PREFIX)
    quoted = f'f"{path}"' if in_path else f'"{path}"'
    query = _members_sent(operation, "query")
    if item is not None:
        item = class_name(item)
        body = f'        return AsyncList(self._caller, models.{item}, "{operation.id}", {quoted}, {query or "{}"})\n'
        head = f"\n    def {operation.verb}({', '.join(signature)}) -> AsyncList[models.{item}]:\n"
        return head + _docstring(operation.about, 8) + body
    if STREAM.search(operation.path):
        body = f'        return self._caller.topics("{operation.id}", {quoted}, {query or "{}"})\n'
        head = f"\n    def {operation.verb}({', '.join(signature)}) -> AsyncIterator[str]:\n"
        return head + _docstring(_TOPICS, 8) + body
    options = [f'"{operation.id}"', quoted.replace('"', f'"{operation.method} ', 1)]
    if operation.keyed:
        options.append("key=idempotency_key")
    elif operation.method == "POST" and not REPEATABLE.search(operation.path):
        options.append("repeatable=False")
    options += [f"{place}={sent}" for place in ("query", "header") if (sent := _members_sent(operation, place))]
    options = [each.replace("header=", "headers=", 1) if each.startswith("header=") else each for each in options]
    options += [f"body={sent}"] if (sent := _body_sent(operation)) else []
    kind, body = _answer(operation, ", ".join(options))
    head = f"\n    async def {operation.verb}({', '.join(signature)}) -> {kind}:\n"
    return head + _docstring(operation.about, 8) + body


def _optional(argument: Argument) -> str:
    return f"{argument.name}: {argument.kind} | Omitted = OMITTED"


def _members_sent(operation: Operation, place: str) -> str:
    members = [f"{each.sent_as!r}: {each.name}" for each in operation.arguments if each.place == place]
    return "{" + ", ".join(members) + "}" if members else ""


def _body_sent(operation: Operation) -> str:
    members = [each for each in operation.arguments if each.place == "body"]
    if not members:
        return ""
    if members[0].kind == "bytes":
        return members[0].name
    if not members[0].sent_as:
        return f"Free({members[0].name})"
    sent = [f"{each.sent_as!r}: {f'Free.unless_omitted({each.name})' if each.free else each.name}" for each in members]
    text = "{" + ", ".join(sent) + "}"
    return f"attributed({text})" if operation.attributed else text


def _item_of_page(schemas: Mapping[str, Schema], operation: Operation) -> str | None:
    if operation.answer is None or "$ref" not in operation.answer or operation.method != "GET":
        return None
    schema = schemas[operation.answer["$ref"].rpartition("/")[2]]
    members = schema.get("properties", {})
    if set(members) != {"data", "next_cursor"} or "$ref" not in members["data"].get("items", {}):
        return None
    if not any(each.sent_as == "cursor" for each in operation.arguments):
        return None
    name: str = members["data"]["items"]["$ref"].rpartition("/")[2]
    return name


def _answer(operation: Operation, options: str) -> tuple[str, str]:
    schema = operation.answer
    if schema is None:
        if not operation.media:
            return "None", f"        await self._caller.send({options})\n"
        return "bytes", f"        response, _ = await self._caller.send({options})\n        return response.content\n"
    if "$ref" in schema:
        name = class_name(schema["$ref"].rpartition("/")[2])
        return f"models.{name}", f"        return await self._caller.ask(models.{name}, {options})\n"
    if "$ref" in schema.get("items", {}):
        name = class_name(schema["items"]["$ref"].rpartition("/")[2])
        sent = f"        response, _ = await self._caller.send({options})\n"
        return f"Sequence[models.{name}]", sent + f"        return read_models(models.{name}, response)\n"
    raise ValueError(f"{operation.id} answers what has no model: {schema}")


def _docstring(text: str, indent: int) -> str:
    space = " " * indent
    paragraphs = [" ".join(part.split()) for part in text.split("\n\n")]
    quoted = f"\n\n{space}".join(paragraphs).replace("\\", "\\\\").replace('"""', "'''")
    ending = f"\n{space}" if len(paragraphs) > 1 else ""
    return f'{space}"""{quoted}{ending}"""\n'
