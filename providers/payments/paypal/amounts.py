"""Amounts in PayPal's format: decimal strings in supported currencies, some without decimals.

Source of both lists: PayPal's reference of currency codes, developer.paypal.com/api/rest/reference/currency-codes.
"""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from domain.common.money import SCALES
from providers.payments.base import ProviderRefused

_CODES = "AUD BRL CAD CHF CNY CZK DKK EUR GBP HKD HUF ILS JPY MXN MYR NOK NZD PHP PLN RUB SEK SGD THB TWD USD"
SUPPORTED = frozenset(_CODES.split())

#: PayPal accepts only whole units of these, although ISO 4217 has two decimals for forint and new Taiwan dollar.
WITHOUT_DECIMALS = frozenset({"HUF", "JPY", "TWD"})


def to_paypal(amount_minor: int, currency: str) -> dict[str, str]:
    """Convert an amount exactly; `ProviderRefused` if PayPal does not support it."""
    if currency not in SUPPORTED:
        raise ProviderRefused(f"PayPal does not support {currency}.", code="INVALID_CURRENCY_CODE")
    if amount_minor <= 0:
        raise ProviderRefused("The amount must be greater than zero for PayPal.", code="CANNOT_BE_ZERO_OR_NEGATIVE")
    scale = SCALES[currency]
    whole, rest = divmod(amount_minor, 10**scale)
    if currency in WITHOUT_DECIMALS:
        if rest:
            raise ProviderRefused(f"PayPal supports {currency} in whole units only.", code="DECIMALS_NOT_SUPPORTED")
        return {"currency_code": currency, "value": str(whole)}
    return {"currency_code": currency, "value": f"{whole}.{rest:0{scale}d}"}


def unit(currency: str) -> int:
    """Return the unit, in our minor units, of which PayPal accepts only multiples."""
    least: int = 10 ** SCALES[currency] if currency in WITHOUT_DECIMALS else 1
    return least


def from_paypal(money: Mapping[str, Any]) -> int:
    """Parse an amount to signed minor units; `ProviderRefused` if it is invalid or out of range."""
    currency, value = money.get("currency_code"), money.get("value")
    try:
        minor = Decimal(str(value)).scaleb(SCALES[str(currency)])
        if minor == minor.to_integral_value():
            return int(minor)
    except (KeyError, InvalidOperation):
        pass
    raise ProviderRefused(f"PayPal sent an invalid amount: {value} {currency}.", code="paypal.amount")
