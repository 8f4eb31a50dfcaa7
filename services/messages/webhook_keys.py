"""The keys that an endpoint's webhooks are signed with: generated, and decrypted for sending."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from domain.messages.webhook.endpoint import SecretMissing
from models.messages.webhook_endpoint import WebhookEndpointRow
from providers.notify.webhook import SigningKeys, new_private_key, new_secret, public_key_of
from runtime.sealing import Sealer

#: The maximum number of earlier keys that webhooks are signed with; each adds a signature to the header.
OLDER = 5


@dataclass(frozen=True, slots=True)
class NewKeys:
    """New keys of an endpoint, shown once, and as columns that hold them sealed."""

    keys: SigningKeys
    columns: Mapping[str, object]


def make_keys(sealer: Sealer, *, asymmetric: bool) -> NewKeys:
    """Generate the keys of an endpoint.

    Raises:
        SecretMissing: no encryption key is set to seal them with.
    """
    if not sealer.seals:
        raise SecretMissing
    private_key = new_private_key() if asymmetric else None
    keys = SigningKeys(secret=new_secret(), private_key=private_key)
    columns = {
        "secret": sealer.seal(keys.secret),
        "private_key": None if private_key is None else sealer.seal(private_key),
        "public_key": None if private_key is None else public_key_of(private_key),
    }
    return NewKeys(keys, columns)


def keys_to_keep(row: WebhookEndpointRow, now: datetime) -> list[dict[str, Any]]:
    """Return the sealed earlier keys that keep signing after another rotation.

    There may be several: a client that lost the response to a rotation rotates again, and its receiver still has an
    older key.
    """
    held = [dict(each) for each in row.older_keys]
    if row.previous_secret is not None and row.previous_until is not None:
        until = row.previous_until.isoformat()
        held.insert(0, {"secret": row.previous_secret, "private_key": row.previous_private_key, "until": until})
    return [each for each in held if now < datetime.fromisoformat(each["until"])][:OLDER]


def signing_keys(row: WebhookEndpointRow, sealer: Sealer, now: datetime) -> tuple[SigningKeys, ...]:
    """Decrypt the keys that sign an endpoint's webhooks: its own, and for a day the earlier ones that can be decrypted.

    Raises:
        SecretMissing: the keys that it was sealed with are not there.
    """
    current = _opened(row.secret, row.private_key, sealer)
    if current is None:
        raise SecretMissing
    before = (_opened(each["secret"], each["private_key"], sealer) for each in keys_to_keep(row, now))
    return (current, *(keys for keys in before if keys is not None))


def can_decrypt(row: WebhookEndpointRow, sealer: Sealer) -> bool:
    """Return whether an endpoint's own keys can be decrypted."""
    return _opened(row.secret, row.private_key, sealer) is not None


def _opened(sealed: str | None, sealed_private: str | None, sealer: Sealer) -> SigningKeys | None:
    secret = None if sealed is None else sealer.open(sealed)
    private_key = None if sealed_private is None else sealer.open(sealed_private)
    if secret is None or (private_key is None) != (sealed_private is None):
        return None
    return SigningKeys(secret=secret, private_key=private_key)
