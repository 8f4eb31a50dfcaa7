"""JSON Schemas of every operation and every object of Stripe's API, derived from the installed SDK's type hints.

The SDK is generated from Stripe's specification: its `*_service.py` modules name every operation with its method, path,
parameters and answer, its `TypedDict`s the parameters, its resource classes the fields of every object. Operations are
read from the source without importing it; types are imported and converted when an operation is first used.

The hints do not tell a field that may be absent from one that may be null, so neither is demanded of an optional field.
An expandable field or a nested object is checked for its name here and for its content by its own schema.
"""

from __future__ import annotations

import ast
import inspect
import re
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, cached_property
from importlib import import_module
from pathlib import Path
from typing import Any, ForwardRef, Literal, Union

import jsonschema_rs
import stripe
import typing_extensions
from stripe import StripeObject
from stripe._object_classes import OBJECT_CLASSES
from stripe._stripe_object import UntypedStripeObject

Schema = dict[str, Any]
ROOT = Path(stripe.__file__).parent
OPTIONS = frozenset(stripe.RequestOptions.__annotations__)
PLAIN: dict[Any, Schema] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    bool: {"type": "boolean"},
    float: {"type": "number"},
    Decimal: {"type": "string", "pattern": r"^-?\d+(\.\d+)?$"},
    type(None): {"type": "null"},
    Any: {},
}


class NotConforming(Exception):
    """A body that Stripe's specification does not allow; the message says where and why."""


@dataclass(frozen=True)
class Operation:
    """An operation of Stripe's API.

    Attributes:
        method: In small letters.
        path: With the SDK's own names of its parts: `/v1/customers/{customer}`.
        module: The SDK's module that names its types.
        parameters: The name of the type of its parameters, if it takes any.
        result: The annotation of its answer.
    """

    method: str
    path: str
    module: str
    parameters: str | None
    result: str

    @cached_property
    def hints(self) -> type | None:
        """The `TypedDict` of its parameters."""
        return None if self.parameters is None else typing.cast(type, names_of(self.module)[self.parameters])

    @cached_property
    def expands(self) -> bool:
        """Whether the operation accepts `expand`."""
        return self.hints is not None and "expand" in self.hints.__annotations__

    @cached_property
    def schema(self) -> Schema:
        """The JSON Schema of its parameters without `expand` and the SDK's own options."""
        if self.hints is None:
            return {"type": "object", "properties": {}, "additionalProperties": False}
        schema = converted_parameters(self.hints)
        schema["properties"].pop("expand", None)
        return schema

    @cached_property
    def validator(self) -> jsonschema_rs.Draft202012Validator:
        """The compiled schema."""
        return jsonschema_rs.Draft202012Validator(self.schema)


def shape(path: str) -> str:
    """Returns a path with its parts' names taken out, so that differently named ones compare equal."""
    return re.sub(r"{\w*}", "{}", path)


@cache
def operations() -> Mapping[tuple[str, str], Operation]:
    """Returns every operation of version 1 of the API by method and nameless path."""
    found: dict[tuple[str, str], Operation] = {}
    for file in sorted(ROOT.rglob("*_service.py")):
        parts = file.relative_to(ROOT.parent).with_suffix("").parts
        if "v2" not in parts:
            for each in read_operations(".".join(parts), file.read_text()):
                found.setdefault((each.method, shape(each.path)), each)
    return found


def read_operations(module: str, source: str) -> Iterator[Operation]:
    """Yields the operations of one service module: each is a method that calls `self._request`."""
    for function in (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)):
        for call in (node for node in ast.walk(function) if isinstance(node, ast.Call)):
            if isinstance(call.func, ast.Attribute) and call.func.attr == "_request":
                path = call.args[1]
                if isinstance(path, ast.Call) and isinstance(path.func, ast.Attribute):
                    path = path.func.value
                yield Operation(
                    ast.literal_eval(call.args[0]),
                    ast.literal_eval(path),
                    module,
                    parameters_of(function),
                    ast.literal_eval(function.returns) if isinstance(function.returns, ast.Constant) else "",
                )


def parameters_of(function: ast.FunctionDef) -> str | None:
    """Returns the name of the type of a service method's `params`."""
    for argument in (*function.args.posonlyargs, *function.args.args):
        if argument.arg == "params" and argument.annotation is not None:
            constants = (node.value for node in ast.walk(argument.annotation) if isinstance(node, ast.Constant))
            return next((name for name in constants if isinstance(name, str)), None)
    return None


class Names(dict[str, Any]):
    """The names that a module of the SDK knows, those included which it imports for type checkers only."""

    def __init__(self, module: str) -> None:
        super().__init__()
        source = ROOT.parent.joinpath(*module.split("."))
        source = source / "__init__.py" if source.is_dir() else source.with_suffix(".py")
        self.module = module
        self.origins = {
            alias.asname or alias.name: (str(node.module), alias.name)
            for node in ast.walk(ast.parse(source.read_text()))
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }

    def __missing__(self, name: str) -> Any:
        if name in self.origins:
            module, original = self.origins[name]
            self[name] = getattr(import_module(module), original)
        elif hasattr(import_module(self.module), name):
            self[name] = getattr(import_module(self.module), name)
        else:
            raise KeyError(name)
        return self[name]


@cache
def names_of(module: str) -> Names:
    """Returns the names that a module knows."""
    return Names(module)


def resolved(hint: Any, module: str) -> Any:
    """Returns a hint with what is written in quotes evaluated where it was written."""
    if isinstance(hint, ForwardRef):
        hint = hint.__forward_arg__
    if isinstance(hint, str):
        return resolved(eval(hint, {}, names_of(module)), module)
    return hint


def origin_of(hint: Any) -> Any:
    """Returns `typing.get_origin(hint)` as `Any`: its own annotation knows neither `NotRequired` nor `ClassVar`."""
    return typing.get_origin(hint)


def converted_parameters(hints: type) -> Schema:
    """Returns the schema of a `TypedDict`, closed against unknown names."""
    module = hints.__module__
    schema: Schema = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
    for name, hint in hints.__annotations__.items():
        if name in OPTIONS:
            continue
        hint = resolved(hint, module)
        if origin_of(hint) is typing_extensions.NotRequired:
            hint = typing.get_args(hint)[0]
        else:
            schema["required"].append(name)
        schema["properties"][name] = converted(hint, module)
    return schema


def converted_object(kind: type) -> Schema:
    """Returns the schema of a class of the SDK that is an object or a part of one."""
    schema: Schema = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
    for name, hint in inspect.get_annotations(kind).items():
        hint = resolved(hint, kind.__module__)
        if name.startswith("_") or origin_of(hint) is typing.ClassVar:
            continue
        schema["properties"][name] = converted(hint, kind.__module__)
        if type(None) not in typing.get_args(hint):
            schema["required"].append(name)
    return schema


def converted(hint: Any, module: str) -> Schema:
    """Returns the schema of any hint that the SDK uses.

    Raises:
        TypeError: It is of a form that this conversion does not know.
    """
    hint = resolved(hint, module)
    if hint in PLAIN:
        return dict(PLAIN[hint])
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        return converted_union([resolved(arg, module) for arg in args], module)
    if origin is Literal:
        return {"enum": list(args)}
    if origin is list:
        return {"type": "array", "items": converted(args[0], module)}
    if origin is dict or (origin or hint) is UntypedStripeObject:
        return {"type": "object", "additionalProperties": converted(args[-1], module) if args else {}}
    if isinstance(origin or hint, type) and issubclass(origin or hint, StripeObject):
        name = getattr(origin or hint, "OBJECT_NAME", None)
        if name is not None:
            return {"type": "object", "properties": {"object": {"const": name}}, "required": ["object"]}
        return converted_object(hint)
    if typing_extensions.is_typeddict(hint):
        return converted_parameters(hint)
    if hint is object or isinstance(hint, typing.TypeVar):
        return {}
    raise TypeError(f"no JSON Schema for {hint!r} in {module}")


def converted_union(args: list[Any], module: str) -> Schema:
    """Return the schema of a union; an enum with `str` allows only its known values."""
    literals = [value for arg in args if typing.get_origin(arg) is Literal for value in typing.get_args(arg)]
    others = [arg for arg in args if typing.get_origin(arg) is not Literal]
    if str in others:
        # An empty string unsets a field, and is a string: no more has to be said of it.
        if literals in ([], [""]):
            literals = []
        else:
            others.remove(str)
    choices = ([{"enum": literals}] if literals else []) + [converted(arg, module) for arg in others]
    choices = [each for at, each in enumerate(choices) if each not in choices[:at]]
    return choices[0] if len(choices) == 1 else {"anyOf": choices}


@cache
def object_schema(name: str) -> Schema:
    """Returns the schema of an object by its `object` field."""
    module, kind = object_classes()[name]
    schema = converted_object(getattr(import_module(module), kind))
    # The envelopes of lists are written by hand in the SDK and leave some of their own fields out.
    schema["properties"].setdefault("object", {"const": name})
    if name == "search_result":
        schema["properties"] |= {"url": {"type": "string"}, "total_count": {"type": "integer"}}
        schema["properties"]["next_page"] = {"type": ["string", "null"]}
    return schema


@cache
def object_classes() -> dict[str, tuple[str, str]]:
    """Returns the SDK's module and class of every object by its `object` field."""
    return {name: (entry[0], entry[1]) for name, entry in OBJECT_CLASSES.items()}


@cache
def object_validator(name: str) -> jsonschema_rs.Draft202012Validator:
    """Returns the compiled schema of an object."""
    return jsonschema_rs.Draft202012Validator(object_schema(name))


@cache
def expandable(kind: str, path: tuple[str, ...]) -> bool:
    """Returns whether a field of an object holds an id that expands, or an object or list that is put in on demand."""
    return kind in object_classes() and any(holds_object(each) for each in parts(object_schema(kind), path))


def parts(schema: Schema, path: tuple[str, ...]) -> Iterator[Schema]:
    """Yields the schemas that a path of fields leads to, through unions and arrays."""
    if not path:
        yield schema
    for each in schema.get("anyOf", ()):
        yield from parts(each, path)
    if "items" in schema:
        yield from parts(schema["items"], path)
    if path and path[0] in schema.get("properties", {}):
        yield from parts(schema["properties"][path[0]], path[1:])


def holds_object(schema: Schema) -> bool:
    """Returns whether a schema allows an object of Stripe's with a name of its own."""
    if "anyOf" in schema:
        return any(holds_object(each) for each in schema["anyOf"])
    if schema.get("type") == "array":
        return holds_object(schema["items"])
    return "const" in schema.get("properties", {}).get("object", {})


def validate_answer(method: str, path: str, body: Any) -> None:
    """Checks an answer against the operation's result and every object inside it against its own schema.

    Raises:
        NotConforming: Stripe could not have answered this.
    """
    operation = operations()[method.lower(), shape(path)]
    wanted = (
        names_of(operation.module)[re.split(r"\W", operation.result)[0]] if operation.result[:1].isupper() else None
    )
    name = getattr(wanted, "OBJECT_NAME", None)
    if name is not None and body.get("object") != name:
        raise NotConforming(f"{method} {path} answers {name}, not {body.get('object')}")
    validate_objects(body, "")


@cache
def event_types() -> tuple[str, ...]:
    """Returns every type of event, as an endpoint can subscribe to them."""
    schema = operations()["post", "/v1/webhook_endpoints"].schema["properties"]["enabled_events"]
    return tuple(name for name in schema["items"]["enum"] if name != "*")


def validate_event(event: dict[str, Any]) -> None:
    """Checks an event and the object in it; the event's type must be one that an endpoint can subscribe to.

    Raises:
        NotConforming: Stripe could not have sent this.
    """
    if event.get("type") not in event_types():
        raise NotConforming(f"there is no event {event.get('type')}")
    validate_objects(event, "")


def validate_objects(value: Any, where: str) -> None:
    """Checks every object inside a value that has a name of its own."""
    if isinstance(value, list):
        for index, each in enumerate(value):
            validate_objects(each, f"{where}[{index}]")
    elif isinstance(value, dict):
        name = value.get("object")
        if isinstance(name, str) and value.get("deleted") is True:
            if set(value) != {"id", "object", "deleted"}:
                raise NotConforming(f"{where or name}: a deleted object has an id and nothing else")
        elif isinstance(name, str) and name in object_classes():
            validate_object(name, value, where)
        for key, each in value.items():
            if key not in ("metadata", "previous_attributes"):
                validate_objects(each, f"{where}.{key}" if where else key)


def validate_object(name: str, value: dict[str, Any], where: str) -> None:
    """Checks one object against the schema of its name."""
    validator = object_validator(name)
    if not validator.is_valid(value):
        error = next(iter(validator.iter_errors(value)))
        spot = ".".join(str(step) for step in error.instance_path)
        raise NotConforming(f"{name}{' at ' + where if where else ''}: {spot}: {error.message}")
