"""Where card numbers are refused: in the address and the body of every request, before anything else reads them.

What is refused is neither stored, nor logged, nor repeated in the answer. The rule is `domain.privacy.card_numbers`.
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
#: Fewer signs hold no card number.
_FEWEST = 13
_Place = tuple["_Place | None", str | int]


def refuse_in_address(path: str, query: bytes) -> None:
    """Refuse a request whose path or query holds a card number.

    Raises:
        CardNumber: it does.
    """
    if address_contains_card_number(path, query):
        raise CardNumber(DETAIL)


def refuse_in_header(name: str, value: str) -> None:
    """Refuse a header that would be stored with a card number in it.

    Raises:
        CardNumber: it holds one.
    """
    if contains_card_number(value):
        raise CardNumber(
            DETAIL, extra={"errors": [{"field": name, "message": "This looks like a payment card number."}]}
        )


def refuse_in_payload(data: bytes, metadata: Mapping[str, bytes]) -> None:
    """Refuse a payload on its way to Temporal that holds a card number; what is sealed already passes.

    Raises:
        CardNumber: it holds one.
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
    """Refuse a JSON document that holds a card number in a text, in a field's name or as a number.

    Args:
        text: the document as it came. One scan of it is all that most documents cost.
        value: what was read from it.

    Raises:
        CardNumber: it holds one; `errors` names the field.
    """
    # An escape may stand between digits, or for one.
    if "\\" not in text and not may_contain_card_number(text):
        return
    for place, item in _leaves(value):
        if _holds_one(item):
            field = redacted(_written(place))[:_MAX_NAME]
            raise CardNumber(
                DETAIL, extra={"errors": [{"field": field, "message": "This looks like a payment card number."}]}
            )


def _holds_one(item: str | int | Decimal) -> bool:
    # What is short is passed on without a scan: a body holds half a million numbers.
    if isinstance(item, str):
        return len(item) >= _FEWEST and contains_card_number(item)
    return (isinstance(item, Decimal) or abs(item) >= 10 ** (_FEWEST - 1)) and number_contains_card_number(item)


def _leaves(value: Any) -> Iterator[tuple[_Place | None, str | int | Decimal]]:
    """Return the texts, names and numbers of a document, each with where it stands, without recursion.

    A place is the one round it and a name or number in that, and members are taken one by one: whole paths, or all
    members at once, would be kept for half a million numbers.
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
    """Return the members of an object or a list, from the last to the first, and where each stands."""
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
