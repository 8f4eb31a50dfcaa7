"""The keys that webhooks of an endpoint are signed with: made, and opened where something is sent."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from domain.webhook.endpoint import SecretMissing
from models.webhook_endpoint import WebhookEndpointRow
from providers.notify.webhook import SigningKeys, new_private_key, new_secret, public_key_of
from runtime.sealing import Sealer


@dataclass(frozen=True, slots=True)
class NewKeys:
    """New keys of an endpoint, shown once, and as columns that hold them sealed."""

    keys: SigningKeys
    columns: Mapping[str, object]


def made(sealer: Sealer, *, asymmetric: bool) -> NewKeys:
    """Make the keys of an endpoint.

    Raises:
        SecretMissing: there is nothing to seal them with.
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


def of_endpoint(row: WebhookEndpointRow, sealer: Sealer, now: datetime) -> tuple[SigningKeys, ...]:
    """Open what an endpoint's webhooks are signed with: its keys, and for a day those from before.

    Raises:
        SecretMissing: the keys that it was sealed with are not there.
    """
    held = [(row.secret, row.private_key)]
    if row.previous_secret is not None and row.previous_until is not None and now < row.previous_until:
        held.append((row.previous_secret, row.previous_private_key))
    found = []
    for sealed, sealed_private in held:
        secret = None if sealed is None else sealer.open(sealed)
        private_key = None if sealed_private is None else sealer.open(sealed_private)
        if secret is None or (private_key is None) != (sealed_private is None):
            raise SecretMissing
        found.append(SigningKeys(secret=secret, private_key=private_key))
    return tuple(found)
