"""Amounts as Stripe counts them, and back, exactly.

Figures: https://docs.stripe.com/currencies, sections on zero-decimal currencies, special cases, three-decimal
currencies and minimum charge amounts. For most currencies Stripe's minor unit is the one of ISO 4217. Where it is
not: MGA counts whole ariary; ISK and UGX have no decimals but are sent with two, which must be zeros. HUF and TWD keep
two decimals for charges; only their payouts must be whole. The last of three decimals must be zero.
"""

from domain.common.money import format_amount, scale_of
from providers.payments.base import ProviderRefused

#: Decimals of Stripe's minor unit where they are not those of ISO 4217.
_STRIPE_SCALES = {"ISK": 2, "MGA": 0, "UGX": 2}

#: The least that can be charged in a currency, in Stripe's minor unit; what is not listed is left to Stripe to judge,
#: because the limit that counts is that of the currency which the account settles in.
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

#: Stripe takes at most eight digits.
_MAXIMUM = 99_999_999


def to_stripe(amount_minor: int, currency: str) -> int:
    """Write an amount in Stripe's minor unit; `ProviderRefused` when Stripe cannot count it."""
    if len(currency) != 3 or currency in ("BTC", "ETH", "TON"):
        raise ProviderRefused(f"Stripe does not support {currency}.", code="payment.currency_unsupported")
    ours, theirs = scale_of(currency), _stripe_scale(currency)
    amount, rest = _rescale(amount_minor, ours, theirs)
    if rest or (theirs == 3 and amount % 10):
        raise ProviderRefused(
            f"{format_amount(amount_minor, currency)} {currency} has too many decimals for Stripe.",
            code="payment.amount_too_precise",
        )
    return amount


def round_to_countable(amount_minor: int, currency: str) -> int:
    """Return the most of an amount that Stripe can count: all of it but the decimals that it does not take."""
    return amount_minor - amount_minor % unit(currency)


def unit(currency: str) -> int:
    """Return the least amount that Stripe can count, in our minor unit; it counts multiples of it alone."""
    ours, theirs = scale_of(currency), _stripe_scale(currency)
    least: int = 10 ** max(0, ours - theirs) * (10 if theirs == 3 else 1)
    return least


def to_stripe_charge(amount_minor: int, currency: str) -> int:
    """Write what is to be charged in Stripe's minor unit; `ProviderRefused` below its minimum or above its maximum."""
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
    """Read an amount in Stripe's minor unit; the currency may be in small letters, as Stripe writes it."""
    currency = currency.upper()
    ours, theirs = scale_of(currency), _stripe_scale(currency)
    amount_minor, rest = _rescale(amount, theirs, ours)
    if rest:
        raise ProviderRefused(f"Stripe sent a fraction of {currency}.", code="payment.amount_too_precise")
    return amount_minor


def from_stripe_balance(amount: int, currency: str) -> int:
    """Read an amount of Stripe's balance: to the nearest unit, because a fee may be a fraction of an ISK or UGX."""
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
