"""Signs what leaves and comes back by hands of others: links in messages, and the addresses that bounces go to.

A signature is HMAC-SHA-256 under a key that is derived for its purpose from the keys that seal secrets, so what was
signed for one purpose is nothing for another. The first key signs; any of them verifies.
"""

import base64
import hmac

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr

from runtime.codec import KEY_BYTES, parse_keys

#: 130 bits of the signature are kept, too many to guess over the network.
SIGNATURE_LENGTH = 26


class Signer:
    """Signs texts for one purpose, in letters and digits that survive a change of case."""

    def __init__(self, keys: SecretStr | None, *, purpose: str) -> None:
        """Take the keys, as `encryption_keys` has them, and the purpose; without keys nothing is signed.

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
        """Return the whole HMAC of bytes, 32 bytes, to compare them by without keeping them."""
        return hmac.digest(self._keys[0], content, "sha256")

    def verifies(self, text: str, signature: str) -> bool:
        given = signature.lower().encode(errors="replace")
        return any(hmac.compare_digest(_signature(key, text).encode(), given) for key in self._keys)


def _signature(key: bytes, text: str) -> str:
    digest = hmac.digest(key, text.encode(), "sha256")
    return base64.b32encode(digest).decode().lower()[:SIGNATURE_LENGTH]
