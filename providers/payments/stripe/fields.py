"""Reading the SDK's objects: they are no dicts, leave out fields that do not apply, and hold an id or an object."""

from datetime import UTC, datetime
from typing import Any


def field(thing: object, name: str) -> Any:
    """Read a field that Stripe leaves out of some objects; None when it is not there."""
    return getattr(thing, name, None)


def id_of(thing: object) -> str | None:
    """Read the id in a field that holds an id, or the object when that was asked for."""
    return thing if isinstance(thing, str) else field(thing, "id")


def metadata_of(thing: object, key: str) -> str | None:
    """Read one word of an object's metadata."""
    metadata = field(thing, "metadata")
    return str(metadata[key]) if metadata and key in metadata else None


def at(seconds: int) -> datetime:
    """Read Stripe's time."""
    return datetime.fromtimestamp(seconds, UTC)
