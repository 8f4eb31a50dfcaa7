"""Each message as it travels: one JSON of it, with every field set, in `golden/<module of contracts>.json`.

Until 0.1.0 is released a message changes with its golden JSON, and older shapes are not kept: edit the JSON of what you
add or change. `BURSAR_WRITE_GOLDEN=1` writes all of them as today's code writes them. From the release on messages only
grow: what is stored stays, and a message that gets a new field gets a second JSON behind the first (`EscrowInput.2`).
"""

import dataclasses
import importlib
import json
import os
import pkgutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

import contracts
from contracts.common.base import Message

GOLDEN = Path(__file__).parent / "golden"
WIDTH = 120


def every_message() -> dict[str, type[Message]]:
    """Find every message of the package by its name; a class that others inherit is not sent itself."""
    for module in pkgutil.walk_packages(contracts.__path__, "contracts."):
        importlib.import_module(module.name)

    def below(cls: type[Message]) -> list[type[Message]]:
        subclasses = cls.__subclasses__()
        return [each for sub in subclasses for each in below(sub)] if subclasses else [cls]

    found = [cls for cls in below(Message) if cls.__module__.startswith("contracts.")]
    named = {cls.__name__: cls for cls in found}
    assert len(named) == len(found), "Two messages have one name."
    return named


MESSAGES = every_message()


def golden() -> dict[str, Any]:
    """Return what is stored, by name; what is stored of one message is in the order in which it was written."""
    files = [json.loads(path.read_text()) for path in sorted(GOLDEN.glob("*.json"))]
    return {name: written for file in files for name, written in file.items()}


def message_of(name: str) -> str:
    return name.partition(".")[0]


def newest() -> dict[str, Any]:
    return {message_of(name): written for name, written in golden().items()}


def stored() -> list[tuple[type[Message], Any]]:
    return [(MESSAGES[message_of(name)], written) for name, written in golden().items()]


def read(cls: type[Message], written: object) -> Message:
    """Read a message that was written earlier, and fail if a part of it is lost."""
    message = cls.model_validate_json(json.dumps(written))
    assert contained(written, message.model_dump(mode="json"))
    return message


def contained(part: object, whole: object) -> bool:
    """Tell whether everything that was written is still there after reading and writing it again."""
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(key in whole and contained(value, whole[key]) for key, value in part.items())
    if isinstance(part, list) and isinstance(whole, list):
        return len(part) == len(whole) and all(contained(a, b) for a, b in zip(part, whole, strict=True))
    return part == whole


def fields(part: object) -> Iterator[tuple[str, bool, object]]:
    """Return the fields of a message or of a part: name, whether it differs from its default, and value."""
    if isinstance(part, BaseModel):
        for name, field in type(part).model_fields.items():
            value = getattr(part, name)
            yield name, field.is_required() or value != field.get_default(call_default_factory=True), value
    elif dataclasses.is_dataclass(part):
        for each in dataclasses.fields(part):
            value, factory = getattr(part, each.name), each.default_factory
            yield each.name, value != (each.default if factory is dataclasses.MISSING else factory()), value


def unset(messages: Iterable[object]) -> set[str]:
    """Return the fields of the messages and of their parts that none of them holds set."""
    found: dict[str, bool] = {}

    def walk(part: object) -> None:
        if isinstance(part, Mapping):
            part = list(part.values())
        if isinstance(part, list | tuple):
            for item in part:
                walk(item)
        for name, is_set, value in fields(part):
            # A seal never travels as a field: the converter writes it into a signal that the codec opened.
            if name != "seal":
                key = f"{type(part).__name__}.{name}"
                found[key] = found.get(key, False) or is_set
                walk(value)

    walk(list(messages))
    return {key for key, is_set in found.items() if not is_set}


def text(part: object, indent: int = 0, before: int = 0) -> str:
    """Return JSON in which what fits into a line is one."""
    flat = json.dumps(part)
    if not part or not isinstance(part, dict | list) or (indent and indent + before + len(flat) < WIDTH):
        return flat
    deeper, pad = indent + 1, "\n" + " " * (indent + 1)
    if isinstance(part, dict):
        items = [f'"{key}": {text(value, deeper, len(key) + 4)}' for key, value in part.items()]
        return "{" + pad + f",{pad}".join(items) + pad[:-1] + "}"
    return "[" + pad + f",{pad}".join(text(item, deeper) for item in part) + pad[:-1] + "]"


def write() -> None:
    """Write the newest JSON of each message as today's code writes it, into the file of its module."""
    files: dict[str, dict[str, object]] = {}
    last = {message_of(name): name for name in golden()}
    for name, written in sorted(golden().items(), key=lambda item: message_of(item[0])):
        if cls := MESSAGES.get(message_of(name)):
            is_last = name == last[message_of(name)]
            message = cls.model_validate(written).model_dump(mode="json") if is_last else written
            files.setdefault(cls.__module__.removeprefix("contracts."), {})[name] = message
    for path in GOLDEN.glob("*.json"):
        path.unlink()
    for module, messages in files.items():
        (GOLDEN / f"{module}.json").write_text(text(messages) + "\n")


def test_every_message_has_a_golden_one():
    if os.environ.get("BURSAR_WRITE_GOLDEN"):
        write()
    assert set(newest()) == set(MESSAGES)


def test_every_message_is_written_as_its_newest_golden_one():
    changed = {
        name for name, written in newest().items() if read(MESSAGES[name], written).model_dump(mode="json") != written
    }
    assert not changed, __doc__


def test_every_golden_message_is_read_and_every_field_is_set_in_one():
    assert unset(read(cls, written) for cls, written in stored()) == set(), __doc__


def test_what_a_newer_version_adds_is_ignored():
    for cls, written in stored():
        assert cls.model_validate({**written, "a_field_of_tomorrow": {"x": 1}}) == cls.model_validate(written)


def test_messages_cannot_be_changed():
    assert all(cls.model_config["frozen"] for cls in MESSAGES.values())


# The check, by an example ---------------------------------------------------------------------------------------------


class Sent(Message):
    """A message as it was when its golden JSON was written."""

    order: str
    note: str = ""


class Grown(Sent):
    reason: str = "none"


class WithoutNote(Message):
    order: str


class WithoutDefault(Sent):
    reason: str


WRITTEN = {"order": "o_1", "note": "n"}


def test_a_new_field_with_a_default_is_read_from_what_was_written_before():
    assert read(Grown, WRITTEN) == Grown(order="o_1", note="n")
    assert unset([read(Grown, WRITTEN)]) == {"Grown.reason"}


def test_a_field_that_was_taken_away_is_found():
    with pytest.raises(AssertionError):
        read(WithoutNote, WRITTEN)


def test_a_new_field_without_a_default_is_found():
    with pytest.raises(ValidationError, match="reason"):
        read(WithoutDefault, WRITTEN)
