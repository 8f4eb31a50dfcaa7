"""Writes models, parameters and resources of the client from the OpenAPI document.

Operations are named by their ids, `tag.verb`: `client.escrows.fund(…)`. Members of a request's body are arguments of
the method. Operations that are marked deprecated are other paths of one that is there.
"""

import builtins
import keyword
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Schema = Mapping[str, Any]

#: What the providers and mail servers of a platform call, and no client of it.
CALLED_BY_OTHERS = re.compile(r"^/(api/v1/)?(billing/)?(webhooks/(?!events)|stripe/webhook)")
#: An answer without an end: its method is an iterator of topics.
STREAM = re.compile(r"/changes/stream$")
_TOPICS = """Follow the changes, for as long as you iterate: the topics of what has changed, within about a second.

First comes every topic once, so that what you read from then on is not outdated unnoticed; then what has changed.
A connection that ends is made again, and what changed meanwhile comes after it."""
#: Operations without a key that can be sent again, because what they carry has keys of its own or nothing changes.
REPEATABLE = re.compile(r"/(credits/use/batch|usage/events|usage/estimate|departments/\{department_id\}/close)$")
#: How the data of events writes an amount.
AMOUNT = r"^-?[0-9]+(\.[0-9]+)?$"
#: Of how many words a type lists each; longer lists, such as those of currencies, are text.
MOST_WORDS = 40
_HEAD = '"""{about} Written by `python -m dev.sdk` from the OpenAPI document: not edited by hand."""\n\n'
_TAKEN = set(dir(builtins)) & {"format"}
_MODEL_METHODS = {"copy", "dict", "json", "schema", "validate", "construct", "fields", "parse_obj", "parse_raw"}


@dataclass(frozen=True)
class Argument:
    """One argument of a method: its name, its type, where it goes and what it is called there."""

    name: str
    kind: str
    place: str
    sent_as: str
    required: bool
    free: bool = False


@dataclass(frozen=True)
class Operation:
    """One operation of the document."""

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
        """What it is called."""
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


def prefix_of(document: Schema) -> str:
    """Return what stands before the paths of the document, from its server."""
    servers = document.get("servers") or [{"url": ""}]
    path = re.sub(r"^[a-z]+://[^/]*", "", servers[0]["url"]).rstrip("/")
    return path if path.startswith("/") or not path else ""


def _operation(document: Schema, path: str, method: str, described: Schema) -> Operation:
    resource, _, verb = described["operationId"].partition(".")
    if not verb:
        resource, verb = described["tags"][0], described["operationId"]
    schemas = document["components"]["schemas"]
    arguments: list[Argument] = []
    parameters = [_resolved(document, each) for each in described.get("parameters", [])]
    names: set[str] = set()
    keyed = any(each["name"].lower() == "idempotency-key" for each in parameters)
    for each in parameters:
        if each["name"].lower() == "idempotency-key" or each["in"] == "cookie":
            continue
        name = python_name(each["name"])
        names.add(name)
        kind = "str" if each["in"] == "path" else Typing(schemas, "").of(each["schema"])
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
        prefix_of(document) + path,
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
    schema = content["application/json"]["schema"] if "application/json" in content else {}
    alternatives = [each for each in schema.get("anyOf", [schema]) if each.get("type") != "null"]
    schemas = document["components"]["schemas"]
    target = alternatives[0] if len(alternatives) == 1 else schema
    if "$ref" in target:
        target = schemas[target["$ref"].rpartition("/")[2]]
    if "properties" not in target or (schema is not body and "oneOf" in target):
        return [Argument("body", "Any", "body", "", True, free=True)], False
    typing = Typing(schemas, "params.")
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


def python_name(name: str) -> str:
    """Return a name as Python can have it."""
    text = re.sub(r"\W", "_", name).lower() if not name.isidentifier() else name
    return f"{text}_" if keyword.iskeyword(text) or text in _TAKEN else text


def class_name(name: str) -> str:
    """Return the name of a schema as a class has it."""
    return re.sub(r"\W", "_", name).strip("_")


def is_free(schema: Schema) -> bool:
    """Say whether a member is any JSON of the caller's own."""
    alternatives = [each for each in schema.get("anyOf", [schema]) if each.get("type") != "null"]
    return any(
        each.get("additionalProperties") is True
        or not {"type", "$ref", "anyOf", "enum", "const", "oneOf", "allOf"} & set(each)
        for each in alternatives
    )


class Typing:
    """Writes a schema as a type: of an answer, or of an argument where `prefix` says where its classes are."""

    def __init__(self, schemas: Mapping[str, Schema], prefix: str, *, answer: bool = False) -> None:
        """Say whose side the types are of."""
        self._schemas = schemas
        self._prefix = prefix
        self._answer = answer

    def of(self, schema: Schema) -> str:
        """Return the type of a schema."""
        if "$ref" in schema:
            target = schema["$ref"].rpartition("/")[2]
            if not self._answer and not self._prefix:
                return self.of(self._schemas[target])
            return self._prefix + class_name(target)
        if is_amount(schema):
            return "Amount" if self._answer else "AmountLike"
        if "enum" in schema or "const" in schema:
            return _words(schema.get("enum") or [schema["const"]])
        for several in ("anyOf", "oneOf"):
            if several in schema:
                return " | ".join(dict.fromkeys(self.of(each) for each in schema[several]))
        if "allOf" in schema and len(schema["allOf"]) == 1:
            return self.of(schema["allOf"][0])
        return self._plain(schema)

    def _plain(self, schema: Schema) -> str:
        match schema.get("type"):
            case list() as kinds:
                each = (self._plain({**schema, "type": kind}) for kind in kinds)
                return " | ".join(dict.fromkeys(each))
            case "string":
                return self._text(schema)
            case "integer":
                return "int"
            case "number":
                return "Decimal" if self._answer else "AmountLike"
            case "boolean":
                return "bool"
            case "null":
                return "None"
            case "array":
                kind = self.of(schema["items"]) if "items" in schema else "Any"
                return f"list[{kind}]" if self._answer else f"Sequence[{kind}]"
            case "object":
                more = schema.get("additionalProperties")
                kind = self.of(more) if isinstance(more, Mapping) and more else "Any"
                return f"dict[str, {kind}]" if self._answer else f"Mapping[str, {kind}]"
        return "Any"

    def _text(self, schema: Schema) -> str:
        if schema.get("format") == "decimal" or schema.get("pattern") == AMOUNT:
            return "Amount" if self._answer else "AmountLike"
        known = {"date-time": "datetime", "date": "date"}.get(schema.get("format", ""))
        if known:
            return known if self._answer else f"{known} | str"
        if self._answer:
            return "str"
        return "timedelta | str" if schema.get("pattern", "").startswith("^P(") else "str"


def is_amount(schema: Schema) -> bool:
    """Say whether a member is given as an exact number: as a string of digits, or as a number."""
    alternatives = schema.get("anyOf", ())
    return {each.get("type") for each in alternatives} == {"string", "number"}


def _words(words: list[Any]) -> str:
    if None in words:
        return f"{_words([word for word in words if word is not None])} | None"
    if not all(isinstance(word, str) for word in words):
        return " | ".join(dict.fromkeys(type(word).__name__ for word in words))
    if len(words) > MOST_WORDS:
        return "str"
    return f"Literal[{', '.join(map(repr, words))}] | str"


def reached(schemas: Mapping[str, Schema], names: set[str]) -> list[str]:
    """List schemas and all that they refer to, in the order of the document."""
    found: set[str] = set()
    waiting = set(names)
    while waiting:
        name = waiting.pop()
        found.add(name)
        waiting |= set(_references(schemas[name])) - found
    return [name for name in schemas if name in found]


def _references(part: Any) -> Iterator[str]:
    if isinstance(part, Mapping):
        for key, value in part.items():
            if key == "$ref" and isinstance(value, str):
                yield value.rpartition("/")[2]
            else:
                yield from _references(value)
    elif isinstance(part, list):
        for value in part:
            yield from _references(value)


def models(document: Schema, listed: list[Operation]) -> str:
    """Write what the API answers."""
    schemas = document["components"]["schemas"]
    names = reached(schemas, {name for each in listed for name in _references(each.answer)})
    out = [_HEAD.format(about="What the API answers.")]
    out.append(
        "from __future__ import annotations\n\nfrom datetime import date, datetime\nfrom decimal import Decimal\n"
        "from typing import Any, Literal, TypeAlias\n\nfrom pydantic import Field\n\n"
        "from bursar._wire import NOT_SENT, Amount, Model\n\n"
    )
    typing = Typing(schemas, "", answer=True)
    words = [name for name in names if "properties" not in schemas[name]]
    for name in words:
        out.append(f"{class_name(name)}: TypeAlias = {typing.of(schemas[name])}\n")
    for name in names:
        if name not in words:
            out.append(_model(class_name(name), schemas[name], typing))
    return "".join(out)


def _model(name: str, schema: Schema, typing: Typing) -> str:
    lines = [f"\n\nclass {name}(Model):\n", _docstring(schema.get("description") or f"{name}.", 4)]
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
    out = [_HEAD.format(about="What the data of events hold.")]
    out.append(
        "from __future__ import annotations\n\nfrom datetime import datetime\nfrom typing import Literal\n\n"
        "from bursar._wire import NOT_SENT, Amount, Model\n\n\n"
        'class Unknown(Model):\n    """Data of a type that this version does not know; see its `model_extra`."""\n'
    )
    typing = Typing({}, "", answer=True)
    names = {kind: "".join(part.capitalize() for part in re.split(r"[._]", kind)) for kind in types}
    for kind, (sentence, schema) in types.items():
        # Events that were recorded before a field was added do not have it.
        always = [name for name, each in schema["properties"].items() if "None" not in typing.of(each).split(" | ")]
        out.append(_model(names[kind], {**schema, "description": sentence, "required": always}, typing))
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
    out = [_HEAD.format(about="What requests are made of.")]
    out.append(
        "from __future__ import annotations\n\nfrom collections.abc import Mapping, Sequence\n"
        "from datetime import date, datetime, timedelta\n"
        "from typing import Any, Literal, Required, TypeAlias, TypedDict\n\n"
        "from bursar._wire import AmountLike\n\n"
    )
    typing = _Params(schemas, "params.")
    words = [name for name in names if "properties" not in schemas[name]]
    for name in words:
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


class _Params(Typing):
    """Types within the module of parameters, where their classes have no prefix."""

    def of(self, schema: Schema) -> str:
        if "$ref" in schema:
            return class_name(schema["$ref"].rpartition("/")[2])
        return super().of(schema)


def resources(document: Schema, listed: list[Operation]) -> str:
    """Write the asynchronous resources."""
    schemas = document["components"]["schemas"]
    out = [_HEAD.format(about="The resources of the API.")]
    out.append(
        "from collections.abc import AsyncIterator, Mapping, Sequence\nfrom datetime import date, datetime, timedelta\n"
        "from typing import Any, Literal\n\nfrom bursar import models, params\n"
        "from bursar._async._base import AsyncCaller, AsyncList, read_models\nfrom bursar._context import attributed\n"
        "from bursar._wire import OMITTED, AmountLike, Free, Omitted, segment\n\n"
    )
    by_resource: dict[str, list[Operation]] = {}
    for operation in listed:
        by_resource.setdefault(operation.resource, []).append(operation)
    for resource, group in by_resource.items():
        out.append(f"\nclass Async{_class_of(resource)}:\n")
        out.append(f'    """Operations on {resource.replace("_", " ")}."""\n\n')
        out.append("    def __init__(self, caller: AsyncCaller) -> None:\n        self._caller = caller\n")
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
    quoted = f'f"{path}"' if in_path else f'"{path}"'
    query = _members_sent(operation, "query")
    if item is not None:
        body = f'        return AsyncList(self._caller, models.{item}, "{operation.id}", {quoted}, {query or "{}"})\n'
        head = f"\n    def {operation.verb}({', '.join(signature)}) -> AsyncList[models.{item}]:\n"
        return head + _docstring(operation.about, 8) + body
    if STREAM.search(operation.path):
        body = f'        return self._caller.topics("{operation.id}", {quoted}, {query or "{}"})\n'
        head = f"\n    def {operation.verb}({', '.join(signature)}) -> AsyncIterator[str]:\n"
        return head + _docstring(_TOPICS, 8) + body
    options = [f'"{operation.id}"', f'"{operation.method}"', quoted]
    if operation.keyed:
        options += ["keyed=True", "key=idempotency_key"]
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
    return class_name(members["data"]["items"]["$ref"].rpartition("/")[2])


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
