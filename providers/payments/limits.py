"""What each provider takes at all, known without asking it."""

from domain.money import CREDIT, SCALES, format_amount
from providers.payments.base import ProviderRefused
from providers.payments.crypto import LEAST_MINOR
from providers.payments.paypal.amounts import SUPPORTED, to_paypal
from providers.payments.stripe.amounts import chargeable

#: Assets that no bank knows.
COINS = frozenset({"BTC", "ETH", "USDC", "TON"})
MONEY = frozenset(SCALES) - COINS - {CREDIT}

_CURRENCIES = {"stripe": MONEY, "paypal": SUPPORTED, "crypto": COINS, "credits": frozenset({CREDIT})}


def currencies(provider: str) -> frozenset[str]:
    """Return what payments by a provider can be in."""
    return _CURRENCIES.get(provider, frozenset())


def check_chargeable(provider: str, amount_minor: int, currency: str) -> None:
    """Refuse an amount that the provider would refuse, before a payment is made of it.

    Raises:
        ProviderRefused: the currency is none of the provider's, or the amount too small, too large or too precise.
    """
    if currency not in currencies(provider):
        raise ProviderRefused(f"Payments by {provider} are not in {currency}.", code="payment.currency_unsupported")
    if provider == "stripe":
        chargeable(amount_minor, currency)
    elif provider == "paypal":
        to_paypal(amount_minor, currency)
    elif amount_minor < (least := LEAST_MINOR.get(currency, 1)):
        raise ProviderRefused(
            f"A payment in {currency} is of {format_amount(least, currency)} or more.", code="payment.amount_too_small"
        )
