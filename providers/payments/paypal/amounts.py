"""Amounts as PayPal writes them: a decimal string in a currency of its list, and for some currencies no decimals.

Source of both lists: PayPal's reference of currency codes, developer.paypal.com/api/rest/reference/currency-codes.
"""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from domain.common.money import SCALES
from providers.payments.base import ProviderRefused

_CODES = "AUD BRL CAD CHF CNY CZK DKK EUR GBP HKD HUF ILS JPY MXN MYR NOK NZD PHP PLN RUB SEK SGD THB TWD USD"
SUPPORTED = frozenset(_CODES.split())

#: PayPal takes whole units only, although ISO 4217 gives forint and new Taiwan dollar two decimals.
WITHOUT_DECIMALS = frozenset({"HUF", "JPY", "TWD"})


def to_paypal(amount_minor: int, currency: str) -> dict[str, str]:
    """Write an amount for PayPal exactly; `ProviderRefused` when PayPal cannot take it."""
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
    """Return the least amount that PayPal takes, in our minor unit; it takes multiples of it alone."""
    least: int = 10 ** SCALES[currency] if currency in WITHOUT_DECIMALS else 1
    return least


def from_paypal(money: Mapping[str, Any]) -> int:
    """Read an amount of PayPal as minor units, signed; `ProviderRefused` when it is none that the books can hold."""
    currency, value = money.get("currency_code"), money.get("value")
    try:
        minor = Decimal(str(value)).scaleb(SCALES[str(currency)])
        if minor == minor.to_integral_value():
            return int(minor)
    except (KeyError, InvalidOperation):
        pass
    raise ProviderRefused(f"PayPal sent an invalid amount: {value} {currency}.", code="paypal.amount")
