"""The `external_id` and metadata that clients set on objects: their rules, and how they are changed.

The rules of metadata are Stripe's (docs.stripe.com/api/metadata): up to 50 keys of up to 40 characters without square
brackets, values of up to 500 characters, and an empty value removes a key. Invisible characters are refused in keys and
ids, and control characters everywhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from domain.common.errors import DomainError, Invalid
from domain.common.text import deceptive_in_text, escape_invisible, fits_postgres, invisible_in_name

MAX_KEYS = 50
MAX_KEY = 40
MAX_VALUE = 500
MAX_EXTERNAL_ID = 200

#: The maximum length of a refused key in the message.
_SHOWN = 100
_CONTROLS = frozenset(map(chr, (*range(0x20), *range(0x7F, 0xA0))))


class PreconditionMissing(DomainError):
    """A change was sent without If-Match, the version that it was made for."""

    code = "precondition.missing"
    status = 428


class PreconditionFailed(DomainError):
    """The object has changed since it was read; `etag` is the present one."""

    code = "precondition.failed"
    status = 412


@dataclass(frozen=True, slots=True)
class OwnMetadata:
    """The external id and metadata of an object, or of a filter."""

    external_id: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return self.external_id is not None or bool(self.metadata)


#: Neither.
NO_METADATA = OwnMetadata()


@dataclass(frozen=True, slots=True)
class Precondition:
    """The versions of an object that a change was made for; None for any."""

    versions: frozenset[int] | None = None

    def judge(self, version: int | None) -> None:
        """Check the version of an object before a change; None for an object that does not exist.

        Raises:
            PreconditionFailed: the change was made for another version; it names the present one, if there is one.
        """
        if version is None:
            raise PreconditionFailed("The object does not exist yet. Leave If-Match out to create it.")
        if self.versions is not None and version not in self.versions:
            raise PreconditionFailed(
                "The object has changed since you read it. Read it again, and send its ETag as If-Match.",
                extra={"etag": f'"{version}"'},
            )


def checked_external_id(text: str) -> str:
    """Return an external id if it is valid.

    Raises:
        Invalid: it is empty or too long, begins or ends with a space, or contains invisible characters.
    """
    fault = None
    if not 1 <= len(text) <= MAX_EXTERNAL_ID:
        fault = f"must have 1 to {MAX_EXTERNAL_ID} characters"
    elif text != text.strip():
        fault = "must not begin or end with a space"
    elif _unkept(text) or invisible_in_name(text) is not None:
        fault = "must not contain control characters, or others that cannot be seen"
    if fault is not None:
        raise Invalid(f"external_id {fault}.", extra={"field": "external_id"})
    return text


def checked_metadata(pairs: Mapping[str, object]) -> dict[str, str]:
    """Return metadata if it is valid; keys without a value are left out.

    Raises:
        Invalid: there are too many keys, or a key or its value is not valid; `key` names it.
    """
    kept = {name: value for name, given in pairs.items() if (value := _checked_pair(name, given))}
    if len(kept) > MAX_KEYS:
        raise refused(list(kept)[MAX_KEYS], f"There must not be more than {MAX_KEYS} keys.")
    return kept


def merged(current: Mapping[str, str], change: Mapping[str, object] | None) -> dict[str, str]:
    """Return metadata after a change: given keys are set, or removed by an empty value; None removes all.

    Raises:
        Invalid: there would be too many keys, or a key or its value is not valid; `key` names it.
    """
    if change is None:
        return {}
    named = {name: _checked_pair(name, given) for name, given in change.items()}
    return checked_metadata({**current, **named})


def refused(key: str, why: str) -> Invalid:
    """Return the error about a key of metadata; the reason is a sentence."""
    shown = escape_invisible(key[:_SHOWN])
    return Invalid(f"metadata[{shown}]: {why}", extra={"field": "metadata", "key": shown})


def _checked_pair(key: str, value: object) -> str:
    if not 1 <= len(key) <= MAX_KEY:
        raise refused(key, f"A key must have 1 to {MAX_KEY} characters.")
    if "[" in key or "]" in key:
        raise refused(key, "A key must not contain square brackets.")
    if _unkept(key) or invisible_in_name(key) is not None:
        raise refused(key, "A key must not contain control characters, or others that cannot be seen.")
    if value is None:
        return ""
    if not isinstance(value, str):
        raise refused(key, "The value must be a string.")
    if len(value) > MAX_VALUE:
        raise refused(key, f"The value must not have more than {MAX_VALUE} characters.")
    if _unkept(value) or deceptive_in_text(value) is not None:
        raise refused(key, "The value must not contain control characters.")
    return value


def _unkept(text: str) -> bool:
    return not fits_postgres(text) or not _CONTROLS.isdisjoint(text)
