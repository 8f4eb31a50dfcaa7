"""Traits that organizations may share, stored as a kind and a keyed digest."""

import hmac
from enum import StrEnum

#: Separates the kind of a payment method from the provider's id of it: `card:…`.
_SEPARATOR = ":"


class TraitKind(StrEnum):
    """Traits that relate organizations; `probe` marks the platform's own traffic.

    A referrer has this trait, too, and so shares it with every organization that it referred.
    """

    CARD = "card"
    BANK = "bank"
    PAYPAL = "paypal"
    PAYOUT_ACCOUNT = "payout_account"
    TAX_ID = "tax_id"
    REFERRER = "referrer"
    CLUSTER = "cluster"  # several of the others, and devices, in a chain: see `activities.risk.night`
    PROBE = "probe"


def method(kind: TraitKind, known_by: str) -> str:
    """Format a payment method as in a snapshot."""
    return f"{kind.value}{_SEPARATOR}{known_by}"


def trait_of(method: str) -> tuple[TraitKind, str]:
    """Parse a payment method of a snapshot."""
    kind, _, known_by = method.partition(_SEPARATOR)
    return TraitKind(kind), known_by


def digest(key: bytes, kind: TraitKind, value: str) -> str:
    """Return the stored form of a trait: HMAC-SHA-256 of kind and value, ignoring spaces and case.

    Args:
        key: the deployment's key, without which a digest does not reveal the card or tax id.
        kind: of the trait.
        value: the id by the provider, the authority or this deployment.
    """
    plain = "".join(value.split()).casefold()
    return hmac.digest(key, f"{kind.value}\n{plain}".encode(), "sha256").hex()
