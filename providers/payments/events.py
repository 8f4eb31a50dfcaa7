"""Parsing shared by the verified webhooks of all providers."""

import re
from collections.abc import Mapping
from typing import Any

#: Errors from parsing a signed document that is not an event.
NO_EVENT = (ArithmeticError, AttributeError, LookupError, OSError, RecursionError, TypeError, ValueError)
_NAME = re.compile(r"[!-~]{1,255}")


def event_name(event: Mapping[str, Any], field: str) -> str:
    """Return the id or the type of an event; ValueError if it is not a valid name for the inbox."""
    name = event[field]
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"{field} is not a name")
    return name
