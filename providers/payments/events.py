"""Shared by the webhooks of all providers, after their signature was verified."""

import re
from collections.abc import Mapping
from typing import Any

#: What reading a signed document raises that has not the form of an event.
NO_EVENT = (ArithmeticError, AttributeError, LookupError, OSError, RecursionError, TypeError, ValueError)
_NAME = re.compile(r"[!-~]{1,255}")


def event_name(event: Mapping[str, Any], field: str) -> str:
    """Return the id or the type of an event; ValueError when it is none that the inbox could keep it by."""
    name = event[field]
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"{field} is not a name")
    return name
