"""Fields that an answer copies from a row are attributes of the row's type."""

import ast
import inspect
import textwrap
from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Any, get_args, get_type_hints

from api.fields import ResponseModel
from tests.support.routes import ROUTES

assert ROUTES  # all views are imported


def views(of: type[ResponseModel] = ResponseModel) -> Iterator[type[ResponseModel]]:
    for view in of.__subclasses__():
        yield view
        yield from views(view)


def copies() -> Iterator[tuple[type[ResponseModel], Any, ast.Call]]:
    """Yield each view, its method, and the call of `from_row` in it."""
    for view in views():
        for name, method in vars(view).items():
            if isinstance(method, classmethod) and name != "from_row" and view.__module__.startswith("api."):
                code = ast.parse(textwrap.dedent(inspect.getsource(method.__func__)))
                for call in ast.walk(code):
                    if isinstance(call, ast.Call) and ast.unparse(call.func) == "cls.from_row":
                        yield view, method.__func__, call


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
    absent = {
        f"{view.__name__}.{method.__name__}": names
        for view, method, call in found
        if (names := missing(view, get_type_hints(method)[ast.unparse(call.args[0])], call))
    }
    assert absent == {}


class Row:
    id: str


class View(ResponseModel):
    id: str
    name: str

    @classmethod
    def of(cls, row: Row) -> "View":
        return cls.from_row(row)


def test_a_field_that_the_row_has_not_is_found() -> None:
    call = ast.parse("cls.from_row(row)", mode="eval").body
    assert isinstance(call, ast.Call)
    assert missing(View, Row, call) == {"name"}
