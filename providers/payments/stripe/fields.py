"""Access to fields of the SDK's objects, which may be missing, or hold an id or an expanded object."""

from datetime import UTC, datetime
from typing import Any


def field(thing: object, name: str) -> Any:
    """Return an optional field; None if missing."""
    return getattr(thing, name, None)


def id_of(thing: object) -> str | None:
    """Return the id of a field that holds an id or an expanded object."""
    return thing if isinstance(thing, str) else field(thing, "id")


def metadata_of(thing: object, key: str) -> str | None:
    """Return a value of an object's metadata."""
    metadata = field(thing, "metadata")
    return str(metadata[key]) if metadata and key in metadata else None


def at(seconds: int) -> datetime:
    """Convert a Stripe timestamp."""
    return datetime.fromtimestamp(seconds, UTC)
