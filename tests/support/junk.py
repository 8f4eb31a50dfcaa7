"""JSON documents with something in them that nobody expects."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

_JUNK: tuple[Any, ...] = (None, True, -1, 10**30, Decimal("1.5"), 1.5, "", "x", [], {}, [[]], [{}], [None], {"x": []})


def spoiled(document: Any) -> Iterator[Any]:
    """Yield the document with each of its values in turn replaced by each kind of junk, itself last."""
    if isinstance(document, dict):
        for name, value in document.items():
            yield from ({**document, name: changed} for changed in spoiled(value))
    elif isinstance(document, list):
        for place, value in enumerate(document):
            yield from ([*document[:place], changed, *document[place + 1 :]] for changed in spoiled(value))
    yield from _JUNK
