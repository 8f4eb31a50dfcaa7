"""Currencies and amounts that each provider accepts, without a request.

Adapters are imported on use, so that a process without a provider starts without its libraries.
"""

from domain.common.money import COINS, CREDIT, ISSUED, SCALES, format_amount
from providers.payments.base import ProviderRefused

MONEY = frozenset(SCALES) - COINS - ISSUED


def currencies(provider: str) -> frozenset[str]:
    """Return the currencies of payments by a configured provider."""
    if provider == "paypal":
        from providers.payments.paypal.amounts import SUPPORTED

        return SUPPORTED
    return {"stripe": MONEY, "crypto": COINS, "credits": frozenset({CREDIT})}.get(provider, frozenset())


def round_to_transferable(amount_minor: int, currency: str) -> int:
    """Round an amount down to the decimals in which it can be transferred to a creator."""
    from providers.payments.stripe.amounts import round_to_countable

    return round_to_countable(amount_minor, currency)


def round_to_chargeable(provider: str, amount_minor: int, currency: str) -> int:
    """Round an amount down to the decimals in which a provider charges."""
    return amount_minor - amount_minor % refund_unit(provider, currency)


def round_to_refundable(provider: str | None, amount_minor: int, most_minor: int, currency: str) -> int:
    """Round an amount up to the decimals in which a provider charges and refunds.

    It is rounded down if it would exceed `most_minor`. Without a provider the amount is unchanged.
    """
    unit = refund_unit(provider, currency)
    up: int = -(-amount_minor // unit) * unit
    return up if up <= most_minor else amount_minor - amount_minor % unit


def refund_unit(provider: str | None, currency: str) -> int:
    """Return the unit, in our minor units, of which a provider refunds only multiples."""
    match provider:
        case "stripe":
            from providers.payments.stripe.amounts import unit

            return unit(currency)
        case "paypal":
            from providers.payments.paypal.amounts import unit

            return unit(currency)
    return 1


def charge_unit(currency: str) -> int:
    """Return the unit of which amounts must be multiples, so that every provider of the currency can charge them."""
    of_paypal = refund_unit("paypal", currency) if currency in currencies("paypal") else 1
    return max(of_paypal, refund_unit("stripe", currency) if currency in MONEY else 1)


def check_recurring(amount_minor: int, currency: str) -> None:
    """Check that Stripe, which charges all subscriptions, can charge the price of a plan.

    Raises:
        ProviderRefused: Stripe does not support the currency, or the price has too many decimals.
    """
    from providers.payments.stripe.amounts import to_stripe

    to_stripe(amount_minor, currency)


def check_chargeable(provider: str, amount_minor: int, currency: str) -> None:
    """Check an amount by the provider's limits, before a payment is created.

    Raises:
        ProviderRefused: the provider does not support the currency, or the amount is too small, too large or has too
        many
            decimals.
    """
    if currency not in currencies(provider):
        raise ProviderRefused(
            f"Payments by {provider} cannot be made in {currency}.", code="payment.currency_unsupported"
        )
    match provider:
        case "stripe":
            from providers.payments.stripe.amounts import to_stripe_charge

            to_stripe_charge(amount_minor, currency)
        case "paypal":
            from providers.payments.paypal.amounts import to_paypal

            to_paypal(amount_minor, currency)
        case "crypto":
            from providers.payments.crypto import MIN_AMOUNT_MINOR

            least = MIN_AMOUNT_MINOR.get(currency, 1)
            if amount_minor < least:
                shown = format_amount(least, currency)
                raise ProviderRefused(
                    f"A payment in {currency} must be {shown} or more.", code="payment.amount_too_small"
                )
