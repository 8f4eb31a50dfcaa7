"""Hash of an entity's state, for optimistic concurrency: the books accept an event only if its hash is current."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any


def state_hash(state: object) -> str:
    """Return the hexadecimal hash of a state; equal hashes mean equal states.

    Members at their defaults are left out, so that a new member does not change hashes of older states. Times with
    different offsets are equal if they are the same instant.

    Raises:
        TypeError: a member is neither a dataclass, a time, nor a JSON value.
    """
    canonical = json.dumps(state, default=_plain, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        raise TypeError(f"{type(value).__name__} has no canonical form")
    members = ((field, getattr(value, field.name)) for field in dataclasses.fields(value))
    return {field.name: member for field, member in members if not _is_default(field, member)}


def _is_default(field: "dataclasses.Field[Any]", member: object) -> bool:
    if field.default_factory is not dataclasses.MISSING:
        return bool(member == field.default_factory())
    return field.default is not dataclasses.MISSING and bool(member == field.default)
