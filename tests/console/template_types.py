"""Follows what a template prints through the annotations of its view model, as mypy does through Python.

`problems(path)` returns what is not there: an attribute that its class has not, a name that nobody gave, a macro that
does not exist or does not take what it is given. What has no annotation is not followed.
"""

import dataclasses
import enum
import importlib
import inspect
import re
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, nodes

ROOT = Path(__file__).resolve().parents[2]
CONSOLE = ROOT / "console"
#: Says of which class `page` is, in a template's first line: `page: console.home.view.Home`, or in a sentence.
DECLARATION = re.compile(r"\{#.*?(?:page: |`page` is an? )(?:console\.)?([\w.]+\w)")
#: What Jinja itself gives, and the console's own globals.
GIVEN = {"asset", "inlined", "caller", "loop", "super", "range"}
Scope = dict[str, Any]


@cache
def parsed(path: Path) -> nodes.Template:
    """Return the tree of a template, which nobody changes; parts are imported by most of them."""
    return Environment(trim_blocks=True, lstrip_blocks=True).parse(path.read_text(), filename=str(path))


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
    base = typing.get_origin(kind) or kind
    if base is Any or not isinstance(base, type):
        return True, Any
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
            return
        names = [argument.name for argument in macro.args if isinstance(argument, nodes.Name)]
        given = {*names[: len(node.args)], *(keyword.key for keyword in node.kwargs)}
        needed = set(names[: len(names) - len(macro.defaults)])
        if len(node.args) > len(names) or given - set(names):
            self.complain(node, f"{macro.name} does not take {sorted(given - set(names)) or 'so much'}")
        if needed - given:
            self.complain(node, f"{macro.name} needs {sorted(needed - given)}")

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
                self.namespaces[node.target] = dict(exported(imported(node)))
            elif isinstance(node, nodes.Block | nodes.Scope | nodes.With):
                self.follow(node.body, dict(scope))
            elif not isinstance(node, nodes.Macro | nodes.Extends):
                self.type_of(node, scope)

    def _take(self, node: nodes.FromImport) -> None:
        there = exported(imported(node))
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


@cache
def exported(path: Path) -> Mapping[str, nodes.Macro]:
    """Return the macros that a template offers: its own, and those that it sets again from others."""
    tree = parsed(path)
    spaces = {node.target: macros(imported(node)) for node in tree.find_all(nodes.Import)}
    again = {}
    for node in tree.find_all(nodes.Assign):
        target, source = node.target, node.node
        if isinstance(target, nodes.Name) and isinstance(source, nodes.Getattr) and isinstance(source.node, nodes.Name):
            again[target.name] = spaces[source.node.name][source.attr]
    return {**macros(path), **again}


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
