"""What organizations may have in common, as it is kept: a kind and a digest that only this deployment can make."""

import hmac
from enum import StrEnum

#: A method of payment is written as its kind and what the provider knows it by: `card:…`.
_SEPARATOR = ":"


class TraitKind(StrEnum):
    """What two organizations may share, and what relates one to nobody: `probe`, traffic of the platform's own.

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
    """Return what a trait is kept as: HMAC-SHA-256 of its kind and its value, the latter without spaces and case.

    Args:
        key: the deployment's own; without it nobody can find out which card or tax id a digest is of.
        kind: what it is.
        value: what the provider, the authority or this deployment knows it by.
    """
    plain = "".join(value.split()).casefold()
    return hmac.digest(key, f"{kind.value}\n{plain}".encode(), "sha256").hex()
