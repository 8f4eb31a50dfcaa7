"""What organizations may have in common, as it is kept: a kind and a digest that only this deployment can make."""

import hmac
from enum import StrEnum

#: A method of payment is written as its kind and what the provider knows it by: `card:…`.
_SEPARATOR = ":"


class TraitKind(StrEnum):
    """The traits that relate organizations; `probe` marks traffic of the platform itself.

    A referrer is kept with itself as well as with those whom it referred, so that all of them share it.
    """

    CARD = "card"
    BANK = "bank"
    PAYPAL = "paypal"
    PAYOUT_ACCOUNT = "payout_account"
    TAX_ID = "tax_id"
    REFERRER = "referrer"
    PROBE = "probe"


def method(kind: TraitKind, known_by: str) -> str:
    """Write a method of payment as a snapshot names it."""
    return f"{kind.value}{_SEPARATOR}{known_by}"


def trait_of(method: str) -> tuple[TraitKind, str]:
    """Read a method of payment as a snapshot names it."""
    kind, _, known_by = method.partition(_SEPARATOR)
    return TraitKind(kind), known_by


def digest(key: bytes, kind: TraitKind, value: str) -> str:
    """Return the stored form of a trait: HMAC-SHA-256 of its kind and its value, without spaces and case.

    Args:
        key: the deployment's; without it a digest does not reveal the card or tax id.
        kind: what it is.
        value: what the provider, the authority or this deployment knows it by.
    """
    plain = "".join(value.split()).casefold()
    return hmac.digest(key, f"{kind.value}\n{plain}".encode(), "sha256").hex()
