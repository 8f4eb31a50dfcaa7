"""Encryption of stored secrets: of webhook endpoints, notification channels, and client secrets of payments.

A sealed secret is the text `sealed:{key id}:{base64 of nonce and ciphertext}`, with AES-256-GCM and the first of
`BURSAR_ENCRYPTION_KEYS`; any of them opens it. Without keys secrets are stored in plain text, which stays readable
after keys are set.
"""

import base64
import binascii
import json
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import SecretStr

from runtime.codec import NONCE_BYTES, parse_keys

#: Name of the secret member in our responses and in Stripe's objects.
SECRET = "client_secret"
_SEALED = "sealed:"
_BOUND = b"bursar/client_secret"
#: Purpose of secrets of webhook endpoints.
OF_WEBHOOKS = b"bursar/webhook_secret"
#: Purpose of session links in queued mails.
OF_LINKS = b"bursar/session_link"
#: Purpose of hooks and codes of notification channels.
OF_CHANNELS = b"bursar/notification_channel"


def each_secret(value: Any, change: Callable[[Mapping[str, Any], str], object]) -> Any:
    """Apply `change` to every client secret of a JSON value, with the containing object.

    Metadata is not changed, because users choose its names.
    """

    def changed(name: str, item: Any) -> Any:
        if name == "metadata":
            return item
        return change(value, item) if name == SECRET and isinstance(item, str) else each_secret(item, change)

    if isinstance(value, Mapping):
        return {name: changed(name, item) for name, item in value.items()}
    return [each_secret(item, change) for item in value] if isinstance(value, list | tuple) else value


class Sealer:
    """Seals and opens single secrets, or the client secrets of a document."""

    def __init__(self, keys: SecretStr | None = None, *, bound: bytes = _BOUND) -> None:
        """Take the setting `encryption_keys`, without which nothing is sealed, and the purpose.

        A secret `bound` to another purpose does not open.

        Raises:
            MalformedKeys: the setting cannot be understood.
        """
        text = keys.get_secret_value().strip() if keys is not None else ""
        self._ciphers = {key_id: AESGCM(key) for key_id, key in parse_keys(text)} if text else {}
        self._bound = bound

    @property
    def seals(self) -> bool:
        return bool(self._ciphers)

    def sealed(self, value: Any) -> Any:
        return each_secret(value, lambda _, secret: self.seal(secret)) if self._ciphers else value

    def opened(self, value: Any) -> Any:
        """Return a document with opened client secrets; one without its key becomes null.

        Only for our own sealed documents: a foreign document could contain another tenant's sealed secret.
        """
        return each_secret(value, lambda _, secret: self.open(secret))

    def loads(self, text: str | bytes) -> Any:
        """Parse a document and open its client secrets; most documents have none."""
        value = json.loads(text)
        marked = _SEALED if isinstance(text, str) else _SEALED.encode()
        return self.opened(value) if marked in text else value  # type: ignore[operator]

    def seal(self, secret: str) -> str:
        if not self._ciphers:
            return secret
        key_id, cipher = next(iter(self._ciphers.items()))
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = nonce + cipher.encrypt(nonce, secret.encode(), self._bound)
        return f"{_SEALED}{key_id}:{base64.b64encode(sealed).decode()}"

    def open(self, stored: str) -> str | None:
        """Return a stored secret, sealed or not; None if no key opens it."""
        if not stored.startswith(_SEALED):
            return stored
        key_id, _, text = stored.removeprefix(_SEALED).partition(":")
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            return None
        try:
            sealed = base64.b64decode(text, validate=True)
            return cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], self._bound).decode()
        except (InvalidTag, ValueError, binascii.Error):
            return None
