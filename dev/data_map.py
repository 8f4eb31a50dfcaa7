"""The data map (`domain.privacy`) of all that is stored: `python -m dev.data_map` prints it, a line for each name."""

import ast
import dataclasses
import importlib
import pkgutil
import sys
import typing
from collections.abc import Iterator
from pathlib import Path
from types import NoneType
from typing import Any

from sqlalchemy import ARRAY

from domain.privacy.data_map import ERASED, LOG_KEYS, LOGS, MESSAGES, Category, DataPolicy, category
from domain.privacy.tables import TABLES

ROOT = Path(__file__).resolve().parents[1]
PRODUCT = ["activities", "api", "commands", "console", "contracts", "domain", "ledger", "models", "providers"]
PRODUCT += ["repositories", "runtime", "services", "workflows"]
ROOTS = ["composition.py", "manage.py", "server.py", "worker.py"]

LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}
BINDERS = {"bind", "bind_contextvars", "bound_contextvars", "_bound"}
#: What every line has, or gets from the exception that it is about.
OF_EVERY_LINE = {"time", "level", "event", "logger", "part", "exception", "stack"}


@dataclasses.dataclass(frozen=True, slots=True)
class Kept:
    """A column, a field of a message or a log key: `where` it is, and what it declares of itself."""

    where: str
    name: str
    kind: type
    place: DataPolicy
    declared: Category | None

    @property
    def category(self) -> Category | None:
        """The category, none where neither name nor type says it."""
        return self.declared or category(self.name, self.kind)

    @property
    def erased(self) -> str:
        """The erasure that the entry declares."""
        return self.place.erased.get(self.category, ERASED[self.category]) if self.category else ""


def columns() -> Iterator[Kept]:
    """Yield every column of every table that the register has."""
    import models
    from models.common.base import Base

    assert models
    for table in Base.metadata.tables.values():
        for column in table.columns if table.fullname in TABLES else ():
            stored = column.type.item_type if isinstance(column.type, ARRAY) else column.type
            yield Kept(
                f"{table.fullname}.{column.name}",
                column.name,
                stored.python_type,
                TABLES[table.fullname],
                Category(column.info["holds"]) if "holds" in column.info else None,
            )


def fields() -> Iterator[Kept]:
    """Yield every field of every message, and of every class of the domain that one holds.

    A field that holds a message is not one: the fields of that message say what they are.
    """
    import contracts
    from contracts.common.base import Message

    modules = [importlib.import_module(found.name) for found in pkgutil.walk_packages(contracts.__path__, "contracts.")]
    waiting: list[Any] = [
        item
        for module in modules
        for item in vars(module).values()
        if isinstance(item, type) and issubclass(item, Message) and item is not Message
    ]
    seen: set[type] = {Message}
    while waiting:
        holder = waiting.pop()
        if holder in seen:
            continue
        seen.add(holder)
        known = holder.__dataclass_fields__ if dataclasses.is_dataclass(holder) else holder.model_fields
        for name, hint in typing.get_type_hints(holder, include_extras=True).items():
            parts = list(_parts(hint)) if name in known else []
            kinds = [part for part in parts if isinstance(part, type) and part is not NoneType]
            held = [kind for kind in kinds if dataclasses.is_dataclass(kind) or issubclass(kind, Message)]
            waiting += held
            declared = next((part for part in parts if isinstance(part, Category)), None)
            # The type that says least of a value counts: a text, where one of several may be one.
            said = [kind for kind in kinds if kind not in held]
            kind = next((kind for kind in said if category("", kind) is None), said[0] if said else object)
            # A hint without a class, such as an alias or a `NewType`, may be of a text.
            if parts and (said or not held):
                yield Kept(f"{holder.__module__}.{holder.__name__}.{name}", name, kind, MESSAGES, declared)


def _parts(hint: Any) -> Iterator[Any]:
    yield hint
    for part in (*typing.get_args(hint), *getattr(hint, "__metadata__", ())):
        yield from _parts(part)


def log_keys() -> Iterator[Kept]:
    """Yield every key that product code gives to a log line, from its source: nothing may be given unnamed."""
    from runtime.interceptors import CONTEXT_FIELDS
    from runtime.logs import _TEMPORAL_FIELDS

    names = {*OF_EVERY_LINE, *CONTEXT_FIELDS, *_TEMPORAL_FIELDS.values()}
    for path in [*(ROOT / name for name in ROOTS), *(p for folder in PRODUCT for p in (ROOT / folder).rglob("*.py"))]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and _speaks_to_a_logger(node):
                names |= set(_named_in(node, f"{path.relative_to(ROOT)}:{node.lineno}"))
    said = {name: of for of, listed in LOG_KEYS.items() for name in listed.split()}
    for name in sorted(names):
        yield Kept(f"log key {name}", name, str, LOGS, said.get(name))


def _speaks_to_a_logger(call: ast.Call) -> bool:
    holder, _, method = ast.unparse(call.func).rpartition(".")
    is_logger = holder.rpartition(".")[2].lstrip("_") in {"log", "logger"} or "get_logger" in holder.lower()
    return method in BINDERS or (method in LEVELS and (is_logger or "getLogger" in holder))


def _named_in(call: ast.Call, where: str) -> Iterator[str]:
    for keyword in call.keywords:
        if keyword.arg == "extra":
            assert isinstance(keyword.value, ast.Dict), f"{where}: name what is logged"
            yield from (ast.literal_eval(key) for key in keyword.value.keys if key is not None)
        elif keyword.arg is not None and keyword.arg != "exc_info":
            yield keyword.arg
        # What the interceptor binds is named by its callers and by CONTEXT_FIELDS.
        elif keyword.arg is None:
            assert where.startswith("runtime/interceptors.py"), f"{where}: name what is logged"


if __name__ == "__main__":
    sys.stdout.writelines(
        f"{kept.where} | {kept.category} | {kept.erased} | {kept.place.retention} | {kept.place.purpose}\n"
        for kept in (*columns(), *fields(), *log_keys())
    )
