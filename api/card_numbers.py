"""Refusal of card numbers in the URL and the body of every request, before any other processing.

A refused number is neither stored, nor logged, nor repeated in the response. See `domain.privacy.card_numbers`.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from domain.common.errors import CardNumber
from domain.privacy.card_numbers import (
    address_contains_card_number,
    contains_card_number,
    may_contain_card_number,
    number_contains_card_number,
    redacted,
)

DETAIL = (
    "The request contains what looks like a payment card number, and nothing of it was stored. Send the provider's id "
    "of the payment method instead, and keep card numbers out of names, notes and references."
)
_MAX_NAME = 200
#: Minimum length of a text with a card number.
_FEWEST = 13
_Place = tuple["_Place | None", str | int]


def refuse_in_address(path: str, query: bytes) -> None:
    """Refuse a request with a card number in its path or query.

    Raises:
        CardNumber: there is one.
    """
    if address_contains_card_number(path, query):
        raise CardNumber(DETAIL)


def refuse_in_header(name: str, value: str) -> None:
    """Refuse a stored header with a card number.

    Raises:
        CardNumber: there is one.
    """
    if contains_card_number(value):
        raise CardNumber(
            DETAIL, extra={"errors": [{"field": name, "message": "This looks like a payment card number."}]}
        )


def refuse_in_payload(data: bytes, metadata: Mapping[str, bytes]) -> None:
    """Refuse a Temporal payload with a card number, unless it is sealed already.

    Raises:
        CardNumber: there is one.
    """
    text = data.decode("utf-8", errors="ignore")
    beside = (each for name, value in metadata.items() for each in (name, value.decode("utf-8", errors="ignore")))
    if any(map(contains_card_number, (text, *beside))):
        raise CardNumber(DETAIL)
    try:
        value = json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError):
        return
    refuse_in_body(text, value)


def refuse_in_body(text: str, value: object) -> None:
    """Refuse a JSON document with a card number in a text, a name or a number.

    Args:
        text: the raw document; one scan is enough for most documents.
        value: the parsed document.

    Raises:
        CardNumber: there is one; `errors` names the field.
    """
    # An escape may be between digits, or represent one.
    if "\\" not in text and not may_contain_card_number(text):
        return
    for place, item in _leaves(value):
        if _holds_one(item):
            field = redacted(_written(place))[:_MAX_NAME]
            raise CardNumber(
                DETAIL, extra={"errors": [{"field": field, "message": "This looks like a payment card number."}]}
            )


def _holds_one(item: str | int | Decimal) -> bool:
    # Short texts need no scan: a body can contain half a million numbers.
    if isinstance(item, str):
        return len(item) >= _FEWEST and contains_card_number(item)
    return (isinstance(item, Decimal) or abs(item) >= 10 ** (_FEWEST - 1)) and number_contains_card_number(item)


def _leaves(value: Any) -> Iterator[tuple[_Place | None, str | int | Decimal]]:
    """Yield the texts, names and numbers of a document with their positions, without recursion.

    A position is its parent's position and a name or index, and members are read one by one: whole paths would need
    memory for half a million numbers.
    """
    inside: list[Iterator[tuple[_Place | None, Any]]] = [iter([(None, value)])]
    while inside:
        for place, item in inside[-1]:
            if isinstance(item, dict):
                for name in item:
                    yield (place, name), name
            if isinstance(item, dict | list):
                inside.append(_members(place, item))
                break
            if item is not None and not isinstance(item, bool):
                yield place, item
        else:
            inside.pop()


def _members(place: _Place | None, item: dict[str, Any] | list[Any]) -> Iterator[tuple[_Place, Any]]:
    """Yield the members of an object or a list from the last to the first, with their positions."""
    named: Iterable[tuple[str | int, Any]]
    if isinstance(item, dict):
        named = reversed(item.items())
    else:
        named = zip(range(len(item) - 1, -1, -1), reversed(item), strict=True)
    return (((place, name), member) for name, member in named)


def _written(place: _Place | None) -> str:
    names: list[str] = []
    while place is not None:
        place, name = place
        names.append(str(name))
    return ".".join(reversed(names)) or "body"
