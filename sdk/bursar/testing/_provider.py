"""The provider of payments that `FakeBursar` has: it knows some of Stripe's test cards, and keeps nothing.

No page of a provider is shown, no card number is read, no bank is asked and no webhook comes. What a card does is in
`CARDS`: it pays, or it is declined for a reason. Refunds succeed at once.
"""

from decimal import Decimal
from typing import NamedTuple

from bursar.testing._answers import Refused, text_of


class Decline(NamedTuple):
    """Why a card was declined."""

    code: str
    detail: str


_DECLINED = {
    "": Decline("generic_decline", "The bank declined this card."),
    "InsufficientFunds": Decline("insufficient_funds", "There is not enough money on this card's account."),
    "LostCard": Decline("lost_card", "The bank declined this card."),
    "StolenCard": Decline("stolen_card", "The bank declined this card."),
    "ExpiredCard": Decline("expired_card", "This card has expired."),
}
#: The test cards, by the names that Stripe gives them: why each is declined, or None if it pays.
CARDS: dict[str, Decline | None] = {
    **dict.fromkeys(("pm_card_visa", "pm_card_mastercard", "pm_card_amex")),
    "pm_card_chargeCustomerFail": _DECLINED[""],
    **{f"pm_card_chargeDeclined{name}": decline for name, decline in _DECLINED.items()},
    **{f"pm_card_visa_chargeDeclined{name}": decline for name, decline in _DECLINED.items()},
}
#: The least that is charged, by currency.
_LEAST = {"USD": Decimal("0.50"), "EUR": Decimal("0.50"), "GBP": Decimal("0.30")}
MISSING = "There is no such payment method."


def is_known(method: str) -> bool:
    """Return whether there is such a payment method; a test card of Stripe that is not in `CARDS` is refused."""
    if method.startswith("pm_card_") and method not in CARDS:
        raise Refused(501, "fake.not_played", f"FakeBursar knows the cards {', '.join(CARDS)}, and no {method}.")
    return method in CARDS


def require_chargeable(amount: Decimal, currency: str) -> None:
    """Refuse an amount that is too small to be charged."""
    least = _LEAST[currency]
    if amount < least:
        detail = f"The amount must be at least {text_of(least)} {currency} for Stripe."
        raise Refused(422, "provider.refused", detail, reason="payment.amount_too_small")
