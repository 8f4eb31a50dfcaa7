"""Text that people write: bounded, and storable by PostgreSQL."""

import json
import re
from collections.abc import Mapping

from domain.errors import Invalid

#: The longest note, reason or statement, in characters.
MAX_TEXT = 4000
_UNHOLDABLE = re.compile("[\x00\ud800-\udfff]")
_UNSTORABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def is_storable(text: str) -> bool:
    """Tell whether a text has no control characters but line breaks and tabs, and no half of a surrogate pair."""
    return _UNSTORABLE.search(text) is None


def is_holdable(text: str) -> bool:
    """Tell whether PostgreSQL can hold a text: it has no NUL and no half of a surrogate pair."""
    return _UNHOLDABLE.search(text) is None


def plain_text(value: object, field: str, *, limit: int = MAX_TEXT) -> str:
    """Return the text when it is one that can be kept.

    Raises:
        Invalid: not a text, empty, longer than `limit`, or with characters that PostgreSQL or JSON cannot hold.
    """
    if not isinstance(value, str) or not value.strip():
        raise Invalid(f"{field} is a text that is not empty.", extra={"field": field})
    if len(value) > limit:
        raise Invalid(f"{field} has at most {limit} characters.", extra={"field": field})
    if not is_storable(value):
        raise Invalid(f"{field} holds a control character or half of a surrogate pair.", extra={"field": field})
    return value


def storable(value: object) -> object:
    """Return a JSON value with what PostgreSQL cannot hold (NUL, half of a surrogate pair) replaced in its texts."""
    if isinstance(value, str):
        return _UNHOLDABLE.sub("\ufffd", value)
    if isinstance(value, Mapping):
        return {storable(name): storable(item) for name, item in value.items()}
    return [storable(item) for item in value] if isinstance(value, list) else value


def wire_bytes(*texts: str | None) -> int:
    """Return how many bytes texts take in a JSON document."""
    return sum(len(json.dumps(text, ensure_ascii=False).encode()) for text in texts if text is not None)
