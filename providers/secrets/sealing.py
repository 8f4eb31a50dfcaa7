"""Envelope encryption: a random key for each version, AES-256-GCM, and that key wrapped by a key wrapper."""

import secrets
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from providers.secrets.base import KeyWrapper, Stored, Unopened, ValueLocation, Wrapped

_NONCE_BYTES = 12


def _seal(key: bytes, content: bytes, bound: bytes) -> bytes:
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, content, bound)


def _open(key: bytes, sealed: bytes, bound: bytes) -> bytes:
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], bound)
    except (InvalidTag, ValueError):
        raise Unopened("What is kept is not what was sealed for this organization, path and version.") from None


class LocalKeyWrapper:
    """Wraps with keys from the settings: the first one wraps, each of them unwraps."""

    name = "local"

    def __init__(self, keys: Sequence[tuple[str, bytes]]) -> None:
        """Take at least one pair of an id and 32 bytes."""
        self._keys = dict(keys)
        self._current = keys[0][0]

    async def wrap(self, key: bytes, place: ValueLocation) -> Wrapped:
        """Wrap a key for a place under the first key."""
        return Wrapped(self._current, _seal(self._keys[self._current], key, self._bound(self._current, place)))

    async def unwrap(self, wrapped: Wrapped, place: ValueLocation) -> bytes:
        """Return a key that was wrapped for the place.

        Raises:
            Unopened: its key is not in the settings, or it was wrapped for another place.
        """
        key = self._keys.get(wrapped.key_id)
        if key is None:
            raise Unopened(f"The key {wrapped.key_id} is missing. Add it at the end of BURSAR_SECRET_KEYS.")
        return _open(key, wrapped.wrapped, self._bound(wrapped.key_id, place))

    @staticmethod
    def _bound(key_id: str, place: ValueLocation) -> bytes:
        return b"\x00".join((b"bursar/secret_key", key_id.encode(), place.bound()))


class PostgresBackend:
    """Keeps values sealed in the database; the key wrapper alone can have them opened."""

    name = "postgres"

    def __init__(self, wrapper: KeyWrapper) -> None:
        self.wrapper = wrapper

    async def store(self, place: ValueLocation, value: bytes) -> Stored:
        """Seal a value under a new key."""
        key = AESGCM.generate_key(256)
        wrapped = await self.wrapper.wrap(key, place)
        return Stored(sealed=_seal(key, value, place.bound()), wrapped_key=wrapped.wrapped, key_id=wrapped.key_id)

    async def read(self, place: ValueLocation, stored: Stored) -> bytes:
        """Return a sealed value.

        Raises:
            Unopened: it cannot be opened here.
        """
        if stored.sealed is None or stored.wrapped_key is None or stored.key_id is None:
            raise Unopened("The version has no sealed value.")
        key = await self.wrapper.unwrap(Wrapped(stored.key_id, stored.wrapped_key), place)
        return _open(key, stored.sealed, place.bound())

    async def destroy(self, place: ValueLocation) -> None:
        """Do nothing: what is sealed goes with its row's columns, and with it the only copy of its key."""
