"""What keeps secret values, and what wraps the keys that seal them.

Both are calls to the outside: none is made while a transaction is open.
"""

from dataclasses import dataclass, field
from typing import Protocol

from domain.common.errors import Unavailable


class BackendUnavailable(Unavailable):
    """A backend or a key wrapper does not answer."""

    code = "secret.unavailable"


@dataclass(frozen=True, slots=True)
class ValueLocation:
    """What a value is bound to: moved to another place, it does not open."""

    org_id: str
    path: str
    version: int

    def bound(self) -> bytes:
        """Return it as additional data of a cipher. No two places give the same bytes: an id and a path have no NUL."""
        return b"\x00".join((b"bursar/secret", self.org_id.encode(), self.path.encode(), str(self.version).encode()))


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A key that seals one version, wrapped by the key `key_id` of a wrapper."""

    key_id: str
    wrapped: bytes


@dataclass(frozen=True, slots=True)
class Stored:
    """What the database keeps of a value. All is None where the backend itself keeps it."""

    sealed: bytes | None = field(default=None, repr=False)
    wrapped_key: bytes | None = field(default=None, repr=False)
    key_id: str | None = None


class Unopened(Exception):
    """A value cannot be opened: its key is not there, or it is not what was sealed for this place."""


class KeyWrapper(Protocol):
    """Wraps the keys of versions under a key that never leaves it."""

    @property
    def name(self) -> str:
        """`local`, or the service that wraps."""

    async def wrap(self, key: bytes, place: ValueLocation) -> Wrapped:
        """Wrap 32 bytes for a place under the key that is current.

        Raises:
            BackendUnavailable: `secret.unavailable`.
        """

    async def unwrap(self, wrapped: Wrapped, place: ValueLocation) -> bytes:
        """Return the bytes that were wrapped for the place.

        Raises:
            Unopened: the key is not there, or it was wrapped for another place.
            BackendUnavailable: `secret.unavailable`.
        """


class SecretBackend(Protocol):
    """Keeps values."""

    @property
    def name(self) -> str:
        """`postgres` or `vault`."""

    async def store(self, place: ValueLocation, value: bytes) -> Stored:
        """Seal or keep a value. Repeating it for a place keeps the first value.

        Raises:
            BackendUnavailable: `secret.unavailable`.
        """

    async def read(self, place: ValueLocation, stored: Stored) -> bytes:
        """Return a value.

        Raises:
            Unopened: it cannot be opened here.
            BackendUnavailable: `secret.unavailable`.
        """

    async def destroy(self, place: ValueLocation) -> None:
        """Forget a value that the backend itself keeps, for good. Repeating it does no harm.

        Raises:
            BackendUnavailable: `secret.unavailable`.
        """
