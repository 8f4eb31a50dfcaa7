"""Encryption of Temporal payloads: AES-256-GCM with key ids, so that keys rotate without downtime.

A sealed payload has the metadata `encoding: binary/encrypted`, `encryption-cipher: AES-256-GCM` and
`encryption-key-id`, and as data a random 96-bit nonce followed by the ciphertext of the whole serialized payload. The
three metadata values are additional data of the cipher, so that none can be exchanged unnoticed. Unsealed payloads pass
through on decoding, with a mark: signals typed in the Temporal UI, and histories older than the keys.
Code that writes events decides on marked ones.

Clients and workers use `PassingCodec`: a payload that no key opens reaches the converter, which refuses it when it is
read. If the codec raised, the whole workflow task would fail, and one message could block a run forever.
"""

import base64
import binascii
import re
import secrets
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from google.protobuf.message import DecodeError
from pydantic import SecretStr
from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec

ENCODING = b"binary/encrypted"
CIPHER = b"AES-256-GCM"
CIPHER_FIELD = "encryption-cipher"
KEY_ID_FIELD = "encryption-key-id"
#: Metadata of an opened payload, for the converter: an operator's seal, and the mark of an unsealed payload.
SEAL = "bursar-seal"
UNSEALED = "bursar-unsealed"
#: Metadata of a payload that could not be opened: the reason.
UNOPENED = "bursar-unopened"
NONCE_BYTES = 12
KEY_BYTES = 32

_KEY_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class MalformedKeys(ValueError):
    """`BURSAR_ENCRYPTION_KEYS` cannot be parsed. The message contains no part of a key."""


class SealedPayloadError(Exception):
    """A sealed payload cannot be opened: its key is unknown, or it was damaged or tampered with."""


class EncryptionCodec(PayloadCodec):
    """Codec that seals with the first key and opens with any. Safe to share between tasks and threads."""

    def __init__(self, keys: Sequence[tuple[str, bytes]]) -> None:
        """Take pairs of a key id and 32 bytes; the first one seals."""
        if not keys:
            raise MalformedKeys("The setting contains no key.")
        self._sealing_id = keys[0][0]
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys}
        self._root = keys[0][1]

    def derive(self, purpose: str) -> bytes:
        """Derive a 32-byte key for another purpose from the sealing key (HKDF-SHA-256)."""
        return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=purpose.encode()).derive(self._root)

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [
            p if p.metadata.get("encoding") == ENCODING else self.seal_bytes(p.SerializeToString()) for p in payloads
        ]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Open sealed payloads, and pass on others with an unforgeable mark.

        Raises:
            SealedPayloadError: the key is unknown, or the payload was tampered with.
        """
        return [self.open(p) if p.metadata.get("encoding") == ENCODING else _marked_unsealed(p) for p in payloads]

    def seal_bytes(self, content: bytes) -> Payload:
        """Return a payload that holds a serialized payload, sealed with the first key."""
        key_id = self._sealing_id.encode()
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = self._ciphers[self._sealing_id].encrypt(nonce, content, _bound(CIPHER, key_id))
        return Payload(metadata={"encoding": ENCODING, CIPHER_FIELD: CIPHER, KEY_ID_FIELD: key_id}, data=nonce + sealed)

    def open(self, payload: Payload) -> Payload:
        """Return what a sealed payload holds.

        Raises:
            SealedPayloadError: the key is unknown, or the payload was tampered with.
        """
        key_id = payload.metadata.get(KEY_ID_FIELD, b"")
        cipher = self._ciphers.get(key_id.decode(errors="replace"))
        if cipher is None:
            raise SealedPayloadError(
                f"A payload is sealed with key {key_id.decode(errors='replace')[:64]!r}, which is not in "
                "BURSAR_ENCRYPTION_KEYS. Add the key at the end of the list."
            )
        nonce, sealed = payload.data[:NONCE_BYTES], payload.data[NONCE_BYTES:]
        try:
            opened = cipher.decrypt(nonce, sealed, _bound(payload.metadata.get(CIPHER_FIELD, b""), key_id))
            return Payload.FromString(opened)
        except (InvalidTag, ValueError, DecodeError):
            raise SealedPayloadError(
                f"A payload sealed with key {key_id.decode(errors='replace')!r} cannot be decrypted: it is damaged, or "
                "another key has this id."
            ) from None


class PassingCodec(EncryptionCodec):
    """Codec that passes on a payload that no key opens, with the reason, which the converter raises."""

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Open sealed payloads; mark unsealed and unopenable ones. Never raises."""
        return [await self._opened(payload) for payload in payloads]

    async def _opened(self, payload: Payload) -> Payload:
        try:
            [opened] = await super().decode([payload])
        except SealedPayloadError as error:
            opened = without_marks(payload)
            opened.metadata[UNOPENED] = str(error).encode()
        return opened


def _bound(cipher: bytes, key_id: bytes) -> bytes:
    """Return the additional data that binds the metadata to the ciphertext."""
    return b"\x00".join((ENCODING, cipher, key_id))


def with_seal(payload: Payload, seal: bytes) -> Payload:
    bound = without_marks(payload)
    bound.metadata[SEAL] = seal
    return bound


def without_marks(payload: Payload) -> Payload:
    bare = Payload()
    bare.CopyFrom(payload)
    for mark in (SEAL, UNSEALED, UNOPENED):
        bare.metadata.pop(mark, None)
    return bare


def _marked_unsealed(payload: Payload) -> Payload:
    marked = without_marks(payload)
    marked.metadata[UNSEALED] = b"true"
    return marked


def parse_keys(text: str) -> list[tuple[str, bytes]]:
    """Read `kid1:base64key,kid2:base64key`; the first key seals, all of them open.

    Raises:
        MalformedKeys: names the wrong entry and the reason, without any part of a key.
    """
    keys: dict[str, bytes] = {}
    for position, entry in enumerate((part.strip() for part in text.split(",")), start=1):
        where = f"entry {position}"
        key_id, separator, encoded = entry.partition(":")
        if not separator or not _KEY_ID.fullmatch(key_id):
            raise MalformedKeys(f"{where}: expected id:key, the id made of letters, digits, dot, dash and underscore.")
        try:
            key = base64.b64decode(encoded.strip().replace("-", "+").replace("_", "/"), validate=True)
        except (binascii.Error, ValueError):
            raise MalformedKeys(f"{where}: the key is not base64.") from None
        if len(key) != KEY_BYTES:
            raise MalformedKeys(f"{where}: the key has {len(key)} bytes; AES-256 requires {KEY_BYTES}.")
        if key_id in keys:
            raise MalformedKeys(f"{where}: the id of this entry is not unique.")
        keys[key_id] = key
    return list(keys.items())


def encryption_codec(keys: SecretStr | None, *, passing: bool = False) -> EncryptionCodec | None:
    """Return the codec for the setting `encryption_keys`, or None when encryption is off.

    With `passing` it is a `PassingCodec`, for clients and workers.

    Raises:
        MalformedKeys: the setting cannot be understood.
    """
    if keys is None or not keys.get_secret_value().strip():
        return None
    return (PassingCodec if passing else EncryptionCodec)(parse_keys(keys.get_secret_value()))
