"""Amounts as exact decimals, and the sandbox's fee."""

from decimal import ROUND_HALF_UP, Decimal

from dev.sandbox.paypal.errors import PayPalError

Money = dict[str, str]

_CODES = "AUD BRL CAD CHF CNY CZK DKK EUR GBP HKD HUF ILS JPY MXN MYR NOK NZD PHP PLN RUB SEK SGD THB TWD USD"
CURRENCIES = frozenset(_CODES.split())
WITHOUT_DECIMALS = frozenset({"HUF", "JPY", "TWD"})
FEE_SHARE, FEE_FIXED = Decimal("0.0349"), Decimal("0.49")


def checked(money: Money, *, whole_only: str = "DECIMALS_NOT_SUPPORTED") -> Decimal:
    """Return an amount that PayPal would take, or its refusal; `whole_only` is the issue of decimals where none are."""
    currency, value = money["currency_code"], Decimal(money["value"])
    if currency not in CURRENCIES:
        raise PayPalError(422, "INVALID_CURRENCY_CODE")
    if value <= 0:
        raise PayPalError(422, "CANNOT_BE_ZERO_OR_NEGATIVE")
    if value != value.quantize(Decimal("0.01")):
        raise PayPalError(422, "DECIMAL_PRECISION")
    if currency in WITHOUT_DECIMALS and value != value.to_integral_value():
        raise PayPalError(422, whole_only)
    return value


def money(value: Decimal, currency: str) -> Money:
    """Write an amount in the decimals of its currency."""
    unit = Decimal(1) if currency in WITHOUT_DECIMALS else Decimal("0.01")
    return {"currency_code": currency, "value": str(value.quantize(unit))}


def value_of(amount: Money) -> Decimal:
    """Read an amount that was written here."""
    return Decimal(amount["value"])


def fee_of(value: Decimal, currency: str) -> Decimal:
    """Return the fee on a capture: a share and a fixed part, never more than the capture."""
    unit = Decimal(1) if currency in WITHOUT_DECIMALS else Decimal("0.01")
    return min(value, (value * FEE_SHARE + FEE_FIXED).quantize(unit, ROUND_HALF_UP))
