"""Where card numbers are refused: in the address and the body of every request, before anything else reads them.

What is refused is neither stored, nor logged, nor repeated in the answer. The rule is `domain.privacy.card_numbers`.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from domain.errors import CardNumber
from domain.privacy.card_numbers import found, found_in_address, found_in_number, may_hold, redacted

DETAIL = (
    "The request contains what looks like a payment card number, and nothing of it was stored. Send the provider's id "
    "of the payment method instead, and keep card numbers out of names, notes and references."
)
_MAX_NAME = 200


def refuse_in_address(path: str, query: bytes) -> None:
    """Refuse a request whose path or query holds a card number.

    Raises:
        CardNumber: it does.
    """
    if found_in_address(path, query):
        raise CardNumber(DETAIL)


def refuse_in_header(name: str, value: str) -> None:
    """Refuse a header that would be stored with a card number in it.

    Raises:
        CardNumber: it holds one.
    """
    if found(value):
        raise CardNumber(
            DETAIL, extra={"errors": [{"field": name, "message": "This looks like a payment card number."}]}
        )


def refuse_in_payload(data: bytes) -> None:
    """Refuse a payload on its way to Temporal that holds a card number; what is sealed already passes.

    Raises:
        CardNumber: it holds one.
    """
    if found(data.decode("utf-8", errors="ignore")):
        raise CardNumber(DETAIL)


def refuse_in_body(text: str, value: object) -> None:
    """Refuse a JSON document that holds a card number in a text, in a field's name or as a number.

    Args:
        text: the document as it came. One scan of it is all that most documents cost.
        value: what was read from it.

    Raises:
        CardNumber: it holds one; `errors` names the field.
    """
    # An escape may stand between digits, or for one.
    if "\\" not in text and not may_hold(text):
        return
    for path, item in _leaves(value):
        if found(item) if isinstance(item, str) else found_in_number(item):
            field = redacted(".".join(path))[:_MAX_NAME]
            raise CardNumber(
                DETAIL, extra={"errors": [{"field": field, "message": "This looks like a payment card number."}]}
            )


def _leaves(value: Any) -> Iterator[tuple[tuple[str, ...], str | int | Decimal]]:
    """Return the texts, names and numbers of a document, each with where it stands, without recursion."""
    waiting: list[tuple[tuple[str, ...], Any]] = [((), value)]
    while waiting:
        path, item = waiting.pop()
        if isinstance(item, dict):
            for name, member in item.items():
                yield (*path, name), name
                waiting.append(((*path, name), member))
        elif isinstance(item, list):
            waiting += [((*path, str(at)), member) for at, member in enumerate(item)]
        elif item is not None and not isinstance(item, bool):
            yield path or ("body",), item
