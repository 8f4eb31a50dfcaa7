"""Signatures of data that returns through third parties: links in messages, and bounce addresses.

A signature is HMAC-SHA-256 with a key derived for its purpose from the encryption keys, so that it is invalid for other
purposes. The first key signs; any of them verifies.
"""

import base64
import hmac

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr

from runtime.codec import KEY_BYTES, parse_keys

#: Length for 130 bits, too many to guess over the network.
SIGNATURE_LENGTH = 26


class Signer:
    """Signs texts for one purpose, with case-insensitive letters and digits."""

    def __init__(self, keys: SecretStr | None, *, purpose: str) -> None:
        """Take the setting `encryption_keys`, without which nothing is signed, and the purpose.

        Raises:
            MalformedKeys: the setting cannot be understood.
        """
        text = keys.get_secret_value().strip() if keys is not None else ""
        self._keys = [
            HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=f"bursar {purpose}".encode()).derive(key)
            for _, key in (parse_keys(text) if text else ())
        ]

    @property
    def signs(self) -> bool:
        return bool(self._keys)

    def sign(self, text: str) -> str:
        """Return the signature of a text, 26 lower-case letters and digits."""
        return _signature(self._keys[0], text)

    def digest(self, content: bytes) -> bytes:
        """Return the whole HMAC, 32 bytes, for comparing content without storing it."""
        return hmac.digest(self._keys[0], content, "sha256")

    def verifies(self, text: str, signature: str) -> bool:
        given = signature.lower().encode(errors="replace")
        return any(hmac.compare_digest(_signature(key, text).encode(), given) for key in self._keys)


def _signature(key: bytes, text: str) -> str:
    digest = hmac.digest(key, text.encode(), "sha256")
    return base64.b32encode(digest).decode().lower()[:SIGNATURE_LENGTH]
