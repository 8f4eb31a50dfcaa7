"""Fields that an answer copies from a row are attributes of the row's type."""

import ast
import inspect
import sys
from collections.abc import Iterator
from types import FunctionType, ModuleType, NoneType, UnionType
from typing import Any, get_args, get_type_hints

from api.fields import ResponseModel
from tests.support.routes import ROUTES

assert ROUTES  # all views are imported


def functions(module: ModuleType) -> Iterator[tuple[type | None, Any, ast.AST]]:
    """Yield each function of a module with its code, and each method with its class."""
    for node in ast.parse(inspect.getsource(module)).body:
        found = getattr(module, getattr(node, "name", ""), None)
        if isinstance(found, FunctionType):
            yield None, found, node
        for each in node.body if isinstance(node, ast.ClassDef) else ():
            if isinstance(each, ast.FunctionDef):
                method = vars(found)[each.name]
                yield found, getattr(method, "__func__", method), each


def copies() -> Iterator[tuple[type[ResponseModel], str, Any, ast.Call]]:
    """Yield each call of `from_row` on a parameter, with its view, the function's name and the parameter's type."""
    for name, module in list(sys.modules.items()):
        for owner, function, code in functions(module) if name.startswith("api.v1.") else ():
            for call in ast.walk(code):
                if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "from_row":
                    row, view = ast.unparse(call.args[0]), ast.unparse(call.func.value)
                    if row in get_type_hints(function):
                        of: Any = owner if view == "cls" else getattr(module, view)
                        yield of, f"{name}.{function.__name__}", get_type_hints(function)[row], call


def attributes(row: Any) -> set[str]:
    """Return what each type of a union has, None aside."""
    kinds = [kind for kind in (get_args(row) if isinstance(row, UnionType) else (row,)) if kind is not NoneType]
    return set.intersection(
        *({*dir(kind), *(name for base in kind.__mro__ for name in inspect.get_annotations(base))} for kind in kinds)
    )


def missing(view: type[ResponseModel], row: Any, call: ast.Call) -> set[str]:
    """Return the fields that are neither given nor attributes; those in an unpacked table are not known here."""
    given = {keyword.arg for keyword in call.keywords}
    copied = {
        "org_id" if name == "organization_id" else name
        for name, field in view.model_fields.items()
        if field.is_required() and not given & {name, field.alias}
    }
    return set() if None in given else copied - attributes(row)


def test_every_copied_field_is_an_attribute_of_the_row() -> None:
    found = list(copies())
    assert len(found) > 100
    absent = {name: names for view, name, row, call in found if (names := missing(view, row, call))}
    assert absent == {}


class StoredObject:
    id: str


class View(ResponseModel):
    id: str
    name: str

    @classmethod
    def of(cls, row: StoredObject) -> "View":
        return cls.from_row(row)


def test_a_field_missing_in_the_row_is_found() -> None:
    call = ast.parse("cls.from_row(row)", mode="eval").body
    assert isinstance(call, ast.Call)
    assert missing(View, StoredObject, call) == {"name"}
