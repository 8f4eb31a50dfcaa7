"""Protocols of backends of secret values, and of wrappers of their keys.

Both may be external calls: none is made while a transaction is open.
"""

from dataclasses import dataclass, field
from typing import Protocol

from domain.common.errors import Unavailable


class BackendUnavailable(Unavailable):
    """A backend or a key wrapper does not respond."""

    code = "secret.unavailable"


@dataclass(frozen=True, slots=True)
class ValueLocation:
    """Location that a value is bound to: at another location it does not open."""

    org_id: str
    path: str
    version: int

    def bound(self) -> bytes:
        """Return the additional data for a cipher, unique for each location: ids and paths contain no NUL."""
        return b"\x00".join((b"bursar/secret", self.org_id.encode(), self.path.encode(), str(self.version).encode()))


@dataclass(frozen=True, slots=True)
class Wrapped:
    """Key of a version, wrapped with the key `key_id` of a wrapper."""

    key_id: str
    wrapped: bytes


@dataclass(frozen=True, slots=True)
class Stored:
    """Data of a value in the database. All fields are None if the backend stores the value."""

    sealed: bytes | None = field(default=None, repr=False)
    wrapped_key: bytes | None = field(default=None, repr=False)
    key_id: str | None = None


class Unopened(Exception):
    """A value cannot be opened: its key is missing, or it was sealed for another location."""


class KeyWrapper(Protocol):
    """Wraps the keys of versions with a key that never leaves it."""

    @property
    def name(self) -> str:
        """Return `local`, or the name of the service."""

    async def wrap(self, key: bytes, place: ValueLocation) -> Wrapped:
        """Wrap 32 bytes for a location with the present key.

        Raises:
            BackendUnavailable: `secret.unavailable`.
        """

    async def unwrap(self, wrapped: Wrapped, place: ValueLocation) -> bytes:
        """Return the bytes wrapped for a location.

        Raises:
            Unopened: the key is missing, or it was wrapped for another location.
            BackendUnavailable: `secret.unavailable`.
        """


class SecretBackend(Protocol):
    """Stores values."""

    @property
    def name(self) -> str:
        """Return `postgres` or `vault`."""

    async def store(self, place: ValueLocation, value: bytes) -> Stored:
        """Seal or store a value. A repetition for a location keeps the first value.

        Raises:
            BackendUnavailable: `secret.unavailable`.
        """

    async def read(self, place: ValueLocation, stored: Stored) -> bytes:
        """Return a value.

        Raises:
            Unopened: it cannot be opened.
            BackendUnavailable: `secret.unavailable`.
        """

    async def destroy(self, place: ValueLocation) -> None:
        """Permanently delete a value that the backend stores. Idempotent.

        Raises:
            BackendUnavailable: `secret.unavailable`.
        """
