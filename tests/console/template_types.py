"""Follows the names of a template through the OpenAPI document and the annotations of classes, as mypy does in Python.

The first comment of a template declares its names: `{# page: console.noun_page.ListPage; rows: GET /cards #}`. A type
is

- an operation of the API: its answer, or the rows of its answer where that is a page of a list; a field of it behind
  `#`, such as `GET /cards/{card_id}#requests` (one of them, where it is a list);
- `Answer` and an operation: a `console.gateway.Answer` to it, which may be a refusal;
- a class by its dotted name, or `str`, `int`, `bool` or `any`;
- any of these with `[]`: a sequence;
- several of them, with ` or ` between them: what one of them answers.

A macro of a noun declares its parameters in the comment above it: `{# number(card: GET /cards/{card_id}): … #}`.

`problems(path)` returns what is not there: a field that the API does not answer, an attribute that a class does not
have, an undeclared name, a macro that does not exist or does not take its arguments.
"""

import dataclasses
import enum
import importlib
import inspect
import json
import re
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, nodes

from console.assets import Assets
from console.format import Amount, Ident, Moment
from console.gateway import Answer
from console.inline import elements
from console.status import Status

ROOT = Path(__file__).resolve().parents[2]
CONSOLE = ROOT / "console"
#: Says of which class `page` is, in a template's first line: `page: console.home.view.Home`, or in a sentence.
DECLARATION = re.compile(r"\{#.*?(?:page: |`page` is an? )(?:console\.)?([\w.]+\w)")
#: What Jinja itself gives, and the console's own globals.
ELEMENTS = elements(Assets())
GIVEN = {"asset", "inlined", "caller", "loop", "super", "range", "self", "gettext", "ngettext"}
GIVEN |= {"may", "language", "currencies", *ELEMENTS}
#: The classes of what filters return, where a template reads an attribute of it.
FILTERED: dict[str, Any] = {"status": Status, "amount": Amount | None, "moment": Moment | None, "ident": Ident}
Scope = dict[str, Any]


@cache
def parsed(path: Path) -> nodes.Template:
    """Return the tree of a template, which nobody changes; parts are imported by most of them."""
    environment = Environment(trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.i18n"])
    return environment.parse(path.read_text(), filename=str(path))


@cache
def document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / "docs/openapi.json").read_text("utf-8"))
    return found


class Schema:
    """A schema of the OpenAPI document, as the class of a value."""

    def __init__(self, *nodes: dict[str, Any]) -> None:
        self.nodes = [each for node in nodes for each in self._resolved(node)]
        self.__name__ = " or ".join(str(each.get("title", each.get("type", "value"))) for each in self.nodes)

    @classmethod
    def _resolved(cls, node: dict[str, Any]) -> list[dict[str, Any]]:
        if "$ref" in node:
            return cls._resolved(document()["components"]["schemas"][node["$ref"].rpartition("/")[2]])
        parts = [*node.get("anyOf", ()), *node.get("oneOf", ()), *node.get("allOf", ())]
        found = [each for part in parts for each in cls._resolved(part)]
        return found or ([] if node.get("type") == "null" else [node])

    def field(self, name: str) -> tuple[bool, Any]:
        """Tell whether there is a field, and of which class."""
        found = [node["properties"][name] for node in self.nodes if name in node.get("properties", {})]
        if found:
            return True, Schema(*found).kind
        mapped = [node["additionalProperties"] for node in self.nodes if "additionalProperties" in node]
        if mapped and isinstance(mapped[0], dict):
            return True, Schema(mapped[0]).kind
        is_free = any(not node.keys() & {"properties", "type", "enum", "const"} for node in self.nodes)
        return is_free or mapped[:1] == [True], Any

    @property
    def item(self) -> Any:
        """The class of an element of a list."""
        found = [node["items"] for node in self.nodes if "items" in node]
        return Schema(*found).kind if found else Any

    @property
    def rows(self) -> Any:
        """The class of the rows of a list, if this is one of its pages; itself otherwise."""
        names = {name for node in self.nodes for name in node.get("properties", {})}
        return Many(self.field("data")[1].item) if {"data", "next_cursor"} <= names else self

    @property
    def kind(self) -> Any:
        """A plain class where the schema is one, else the schema."""
        kinds = {str(node.get("type")) for node in self.nodes}
        plain: dict[str, type] = {"string": str, "integer": int, "boolean": bool, "number": float}
        return plain.get(kinds.pop(), self) if len(kinds) == 1 else self


class Many:
    """A sequence of values of a class."""

    def __init__(self, item: Any) -> None:
        self.item = item
        self.__name__ = "list"


class Answered:
    """A `console.gateway.Answer` whose body is of a class."""

    __name__ = "Answer"

    def __init__(self, body: Any) -> None:
        self.body = body


@cache
def type_named(text: str) -> Any:
    """Return the class that a declaration names; see the module."""
    if text.startswith("Answer "):
        found = type_named(text.removeprefix("Answer "))
        return Answered(found.page if isinstance(found, Many) and hasattr(found, "page") else found)
    if " or " in text:
        kinds = [type_named(each) for each in text.split(" or ")]
        many = any(isinstance(kind, Many) for kind in kinds)
        whole = Schema(*(node for kind in kinds for node in (kind.item if many else kind).nodes))
        return Many(whole) if many else whole
    if text.endswith("[]"):
        return Many(type_named(text[:-2]))
    plain = {"any": Any, "str": str, "int": int, "bool": bool}
    if text in plain:
        return plain[text]
    method, space, path = text.partition(" ")
    if not space:
        return class_named(
            text if text.startswith(("tests.", "domain.")) else f"console.{text.removeprefix('console.')}"
        )
    path, _, names = path.partition("#")
    operation = document()["paths"][f"/api/v1{path}"][method.lower()]
    good = next(answer for status, answer in operation["responses"].items() if status.startswith("2"))
    whole = Schema(good["content"]["application/json"]["schema"])
    rows = whole.rows
    kind = rows
    for name in names.split("."):
        if name:
            there, kind = (kind.item if isinstance(kind, Many) else kind).field(name)
            assert there, f"{text}: no {name}"
            kind = kind.item if isinstance(kind, Schema) and kind.item is not Any else kind
    if isinstance(kind, Many):
        kind.page = whole  # type: ignore[attr-defined]
    return kind


def declarations(path: Path) -> dict[str, Any]:
    """Return the names that the first comment of a template declares, with their classes."""
    comment = re.match(r"\{#(.*?)#\}", path.read_text(), re.DOTALL)
    found = re.search(r"\bpage: .*", comment[1], re.DOTALL) if comment else None
    pairs = [each.partition(":") for each in " ".join(found[0].split()).split(";")] if found else []
    return {name.strip(): type_named(kind.strip().rstrip(".")) for name, _, kind in pairs}


def parameters(path: Path) -> dict[str, dict[str, Any]]:
    """Return the declared classes of the parameters of macros, by their names."""
    found: dict[str, dict[str, Any]] = {}
    for name, listed in re.findall(r"\{# (\w+)\(([^)]*)\):", path.read_text()):
        pairs = [each.partition(":") for each in listed.split(",")]
        found[name] = {each.strip(): type_named(kind.strip()) for each, mark, kind in pairs if mark}
    return found


def class_named(dotted: str) -> type:
    module, _, name = dotted.rpartition(".")
    found = getattr(importlib.import_module(module), name)
    assert isinstance(found, type)
    return found


def declared(path: Path) -> type | None:
    """Return the class of a template's view model; None where its first line names none."""
    found = DECLARATION.match(path.read_text())
    if found is None:
        return None
    return class_named(found[1] if found[1].startswith("tests.") else f"console.{found[1]}")


@cache
def macros(path: Path) -> dict[str, nodes.Macro]:
    return {macro.name: macro for macro in parsed(path).find_all(nodes.Macro)}


def members(kind: Any) -> list[Any]:
    """Return the classes of a union, without None."""
    if typing.get_origin(kind) in {typing.Union, types.UnionType}:
        return [member for member in typing.get_args(kind) if member is not type(None)]
    return [kind]


def attribute(kind: Any, name: str) -> tuple[bool, Any]:
    """Tell whether a class has an attribute, and of what class that is."""
    if isinstance(kind, Schema):
        return kind.field(name)
    if isinstance(kind, Answered):
        return (True, kind.body) if name == "body" else attribute(Answer, name)
    base = typing.get_origin(kind) or kind
    if base is Any or not isinstance(base, type):
        return True, Any
    if issubclass(base, Mapping) and typing.get_args(kind):
        return True, typing.get_args(kind)[1]
    if dataclasses.is_dataclass(base):
        hints = typing.get_type_hints(base)
        if name in hints:
            return True, hints[name]
    found = inspect.getattr_static(base, name, None)
    if isinstance(found, property) and found.fget:
        return True, typing.get_type_hints(found.fget).get("return", Any)
    if isinstance(found, types.FunctionType):
        return True, Callable[..., typing.get_type_hints(found).get("return", Any)]
    if issubclass(base, enum.Enum) and name in {"value", "name"}:
        return True, str
    return found is not None, Any


def item(kind: Any) -> Any:
    """Return what a loop over a class gives."""
    if isinstance(kind, Schema | Many):
        return kind.item
    kind = members(kind)[0]
    base, arguments = typing.get_origin(kind), typing.get_args(kind)
    if base is tuple:
        return arguments[0] if len(arguments) == 2 and arguments[1] is Ellipsis else Any
    if isinstance(base, type) and issubclass(base, Iterable) and arguments:
        return arguments[0]
    return Any


class Follower:
    """Walks one template, or one macro, with what is known of its names."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.found: list[str] = []
        self.macros: dict[str, nodes.Macro] = dict(macros(path))
        self.namespaces: dict[str, dict[str, nodes.Macro]] = {}

    def complain(self, node: nodes.Node, text: str) -> None:
        self.found.append(f"{self.path.name}:{node.lineno} {text}")

    def type_of(self, node: nodes.Node | None, scope: Scope) -> Any:
        """Return the class of an expression, and complain of what is not there within it."""
        if isinstance(node, nodes.Name):
            if node.name not in scope and node.name not in GIVEN | set(self.macros) | set(self.namespaces):
                self.complain(node, f"nobody gives {node.name}")
            return scope.get(node.name, Any)
        if isinstance(node, nodes.Getattr):
            return self._attribute(node, scope)
        if isinstance(node, nodes.Call):
            self._call(node, scope)
            result = typing.get_args(self.type_of(node.node, scope))
            return result[-1] if result else Any
        if isinstance(node, nodes.Const):
            return type(node.value)
        if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, int):
            return item(self.type_of(node.node, scope))
        if isinstance(node, nodes.Filter) and node.name in FILTERED:
            for child in node.iter_child_nodes():
                self.type_of(child, scope)
            return FILTERED[node.name]
        for child in node.iter_child_nodes() if node else ():
            self.type_of(child, scope)
        return Any

    def _attribute(self, node: nodes.Getattr, scope: Scope) -> Any:
        if isinstance(node.node, nodes.Name) and node.node.name in self.namespaces:
            if node.attr not in self.namespaces[node.node.name]:
                self.complain(node, f"{node.node.name} has no {node.attr}")
            return Any
        found: Any = Any
        for kind in members(self.type_of(node.node, scope)):
            there, found = attribute(kind, node.attr)
            if not there:
                self.complain(node, f"{getattr(kind, '__name__', kind)} has no {node.attr}")
        return found

    def _call(self, node: nodes.Call, scope: Scope) -> None:
        for child in [*node.args, *(keyword.value for keyword in node.kwargs)]:
            self.type_of(child, scope)
        macro = self._macro(node.node)
        if macro is None:
            self._element(node)
            return
        names = [argument.name for argument in macro.args if isinstance(argument, nodes.Name)]
        given = {*names[: len(node.args)], *(keyword.key for keyword in node.kwargs)}
        needed = set(names[: len(names) - len(macro.defaults)])
        if len(node.args) > len(names) or given - set(names):
            self.complain(node, f"{macro.name} does not take {sorted(given - set(names)) or 'so much'}")
        if needed - given:
            self.complain(node, f"{macro.name} needs {sorted(needed - given)}")

    def _element(self, node: nodes.Call) -> None:
        name = node.node.name if isinstance(node.node, nodes.Name) else ""
        try:
            if name in ELEMENTS:
                inspect.signature(ELEMENTS[name]).bind(*node.args, **{each.key: each for each in node.kwargs})
        except TypeError as error:
            self.complain(node, f"{name}: {error}")

    def _macro(self, node: nodes.Node) -> nodes.Macro | None:
        if isinstance(node, nodes.Name):
            return self.macros.get(node.name)
        if isinstance(node, nodes.Getattr) and isinstance(node.node, nodes.Name):
            return self.namespaces.get(node.node.name, {}).get(node.attr)
        return None

    def bind(self, target: nodes.Node, kind: Any, scope: Scope) -> None:
        if isinstance(target, nodes.Name):
            scope[target.name] = kind
        elif isinstance(target, nodes.Tuple):
            kinds = typing.get_args(kind) if typing.get_origin(kind) is tuple else ()
            fits = len(kinds) == len(target.items) and Ellipsis not in kinds
            for index, part in enumerate(target.items):
                self.bind(part, kinds[index] if fits else Any, scope)

    def follow(self, body: Iterable[nodes.Node], scope: Scope) -> None:
        """Walk statements in their order."""
        for node in body:
            if isinstance(node, nodes.For):
                within = {**scope, "loop": Any}
                self.bind(node.target, item(self.type_of(node.iter, scope)), within)
                if node.test:
                    self.type_of(node.test, within)
                self.follow([*node.body, *node.else_], within)
            elif isinstance(node, nodes.If):
                self.type_of(node.test, scope)
                self.follow([*node.body, *node.elif_, *node.else_], scope)
            elif isinstance(node, nodes.Assign):
                self.bind(node.target, self.type_of(node.node, scope), scope)
            elif isinstance(node, nodes.CallBlock):
                self.type_of(node.call, scope)
                self.follow(node.body, dict(scope))
            elif isinstance(node, nodes.FromImport):
                self._take(node)
            elif isinstance(node, nodes.Import):
                self.namespaces[node.target] = dict(macros(imported(node)))
            elif isinstance(node, nodes.Block | nodes.Scope | nodes.With):
                self.follow(node.body, dict(scope))
            elif not isinstance(node, nodes.Macro | nodes.Extends):
                self.type_of(node, scope)

    def _take(self, node: nodes.FromImport) -> None:
        there = macros(imported(node))
        for name in node.names:
            name, alias = name if isinstance(name, tuple) else (name, name)
            if name in there:
                self.macros[alias] = there[name]
            else:
                self.complain(node, f"{imported(node).name} has no {name}")


def imported(node: nodes.Import | nodes.FromImport) -> Path:
    """Return the template that is imported; its name is a plain word."""
    assert isinstance(node.template, nodes.Const)
    return CONSOLE / str(node.template.value)


def problems(path: Path, scope: Scope | None = None) -> list[str]:
    """Return what a template asks for that is not there; `scope` has the classes of `page` and `frame`."""
    follower = Follower(path)
    follower.follow(parsed(path).body, dict(scope or {}))
    return follower.found


def macro_problems(path: Path, parameters: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the same of the macros of a part; `parameters` has the classes of what each of them takes."""
    follower = Follower(path)
    follower.follow([node for node in parsed(path).body if isinstance(node, nodes.FromImport | nodes.Import)], {})
    for name, macro in macros(path).items():
        taken = {argument.name: Any for argument in macro.args if isinstance(argument, nodes.Name)}
        follower.follow(macro.body, {**taken, **parameters.get(name, {})})
    return follower.found


def reached(kind: Any, seen: set[type] | None = None) -> Iterator[type]:
    """List every class that a view model leads to."""
    seen = set() if seen is None else seen
    base = typing.get_origin(kind) or kind
    if isinstance(base, type) and dataclasses.is_dataclass(base) and base not in seen:
        seen.add(base)
        yield base
        for hint in typing.get_type_hints(base).values():
            yield from reached(hint, seen)
    for argument in typing.get_args(kind):
        yield from reached(argument, seen)


def misfits(path: Path, values: Mapping[str, Any]) -> list[str]:
    """Return where the values that a template was given are not as its first comment declares them."""
    names = declarations(path)
    found = [f"{name} is not declared" for name in values.keys() - names.keys() - {"frame"}]
    found += [f"{name} is not given" for name in names.keys() - values.keys() if names[name] is not Any]
    for name in names.keys() & values.keys():
        kind, value = names[name], values[name]
        if isinstance(kind, Answered):
            kind, value = kind.body, value.body if value is not None and value.ok else None
        if isinstance(kind, Many):
            kind, value = kind.item, next(iter(value), None)
        if isinstance(kind, Schema) and isinstance(value, dict):
            found += [
                f"{name} has {field}, which its declaration does not" for field in value if not kind.field(field)[0]
            ]
    return found
