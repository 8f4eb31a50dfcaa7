"""Exact conversion between our amounts and Stripe's.

Source: https://docs.stripe.com/currencies, sections on zero-decimal currencies, special cases, three-decimal
currencies and minimum charge amounts. For most currencies Stripe's minor unit is that of ISO 4217.
Exceptions: MGA is in whole ariary; ISK and UGX have no decimals but are sent with two, which must be zeros. HUF and TWD
have two decimals for charges, and none for payouts. The last of three decimals must be zero.
"""

from domain.common.money import format_amount, scale_of
from providers.payments.base import ProviderRefused

#: Decimals of Stripe's minor unit where they differ from ISO 4217.
_STRIPE_SCALES = {"ISK": 2, "MGA": 0, "UGX": 2}

#: The minimum charge in a currency, in Stripe's minor unit. Stripe checks unlisted currencies, whose limit is that of
#: the account's settlement currency.
_MINIMUM = {
    "AED": 200,
    "AUD": 50,
    "BRL": 50,
    "CAD": 50,
    "CHF": 50,
    "CZK": 1500,
    "DKK": 250,
    "EUR": 50,
    "GBP": 30,
    "HKD": 400,
    "HUF": 17500,
    "INR": 50,
    "JPY": 50,
    "MXN": 1000,
    "MYR": 200,
    "NOK": 300,
    "NZD": 50,
    "PLN": 200,
    "RON": 200,
    "SEK": 300,
    "SGD": 50,
    "THB": 1000,
    "USD": 50,
}

#: Stripe accepts at most eight digits.
_MAXIMUM = 99_999_999


def to_stripe(amount_minor: int, currency: str) -> int:
    """Convert an amount to Stripe's minor unit; `ProviderRefused` if Stripe does not support it."""
    if len(currency) != 3 or currency in ("BTC", "ETH", "TON"):
        raise ProviderRefused(f"Stripe does not support {currency}.", code="payment.currency_unsupported")
    ours, stripe_scale = scale_of(currency), _stripe_scale(currency)
    amount, rest = _rescale(amount_minor, ours, stripe_scale)
    if rest or (stripe_scale == 3 and amount % 10):
        raise ProviderRefused(
            f"{format_amount(amount_minor, currency)} {currency} has too many decimals for Stripe.",
            code="payment.amount_too_precise",
        )
    return amount


def round_to_countable(amount_minor: int, currency: str) -> int:
    """Round an amount down to the decimals that Stripe supports."""
    return amount_minor - amount_minor % unit(currency)


def unit(currency: str) -> int:
    """Return the unit, in our minor units, of which Stripe accepts only multiples."""
    ours, stripe_scale = scale_of(currency), _stripe_scale(currency)
    least: int = 10 ** max(0, ours - stripe_scale) * (10 if stripe_scale == 3 else 1)
    return least


def to_stripe_charge(amount_minor: int, currency: str) -> int:
    """Convert a charge to Stripe's minor unit; `ProviderRefused` below its minimum or above its maximum."""
    amount = to_stripe(amount_minor, currency)
    minimum = _MINIMUM.get(currency, 1)
    if amount < minimum:
        least = format_amount(from_stripe(minimum, currency), currency)
        raise ProviderRefused(
            f"The amount must be at least {least} {currency} for Stripe.", code="payment.amount_too_small"
        )
    if amount > _MAXIMUM:
        raise ProviderRefused("The amount exceeds Stripe's maximum.", code="payment.amount_too_large")
    return amount


def from_stripe(amount: int, currency: str) -> int:
    """Convert an amount in Stripe's minor unit; the currency may be in lower case."""
    currency = currency.upper()
    ours, stripe_scale = scale_of(currency), _stripe_scale(currency)
    amount_minor, rest = _rescale(amount, stripe_scale, ours)
    if rest:
        raise ProviderRefused(f"Stripe sent a fraction of {currency}.", code="payment.amount_too_precise")
    return amount_minor


def from_stripe_balance(amount: int, currency: str) -> int:
    """Convert an amount of Stripe's balance, rounded, because a fee may be a fraction of an ISK or UGX."""
    currency = currency.upper()
    finer = _stripe_scale(currency) - scale_of(currency)
    if finer <= 0:
        return from_stripe(amount, currency)
    unit: int = 10**finer
    return (2 * amount + unit) // (2 * unit)


def _stripe_scale(currency: str) -> int:
    return _STRIPE_SCALES.get(currency, scale_of(currency))


def _rescale(amount: int, of: int, to: int) -> tuple[int, int]:
    shift: int = 10 ** abs(to - of)
    return (amount * shift, 0) if to >= of else divmod(amount, shift)
