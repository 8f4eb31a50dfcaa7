"""Names and types of Python for the schemas of the OpenAPI document."""

import builtins
import keyword
import re
from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]

#: How the data of events writes an amount.
AMOUNT = r"^-?[0-9]+(\.[0-9]+)?$"
#: Of how many words a type lists each; longer lists, such as those of currencies, are text.
MOST_WORDS = 40
_TAKEN = set(dir(builtins)) & {"format"}


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

    def __init__(self, prefix: str = "", *, answer: bool = False) -> None:
        """Say whose side the types are of."""
        self._prefix = prefix
        self._answer = answer

    def of(self, schema: Schema) -> str:
        """Return the type of a schema."""
        if "$ref" in schema:
            return self._prefix + class_name(schema["$ref"].rpartition("/")[2])
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
        waiting |= set(references(schemas[name])) - found
    return [name for name in schemas if name in found]


def references(part: Any) -> Iterator[str]:
    """List the schemas that a part of the document refers to."""
    if isinstance(part, Mapping):
        for key, value in part.items():
            if key == "$ref" and isinstance(value, str):
                yield value.rpartition("/")[2]
            else:
                yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)
