"""Amounts of usage: integers of 10⁻¹² of a unit of money (pico), exact until they are charged.

A token costs millionths of a dollar, so a call costs less than the minor unit of any currency. Unit prices are exact
decimals of up to 24 places (`MAX_DECIMALS`), held as integers of 10⁻²⁷ (`SCALE`), where a thousandth of such a price is
exact too: prices by the second are charged by the millisecond. A call is rated once, to pico, half to even, so that
rounding favours neither side; sums of calls are exact, and only what is charged is rounded up, to the minor unit.
`docs/reference/decisions/0033-pico-amounts.md` says why.
"""

from decimal import Context, Decimal, Inexact

from domain.common.credits import CreditPrice
from domain.common.errors import Invalid
from domain.common.money import plain_number, scale_of

#: A unit of money in pico.
PICO = 10**12
#: Unit prices are held as integers of 10⁻²⁷.
SCALE = 27
#: The most decimals that a unit price may have: a binary fraction printed as a decimal has up to 24.
MAX_DECIMALS = 24
#: The largest unit price, and the largest decimal quantity, in whole units.
MAX_WHOLE = 10**12
#: The most that one call may cost, in pico: what a 64-bit column holds. Meters and sums can cost more.
MAX_PICO = 2**63 - 1

_PICO_DECIMALS = 12
#: Sums of quantities have a few digits more than a single one. An operation that would round raises an error.
_EXACT = Context(prec=60, traps=[Inexact])


def parse_price(value: object, field: str = "price") -> Decimal:
    """Read a unit price exactly.

    Args:
        value: a plain decimal string, an integer or a `Decimal`; never a float.
        field: the field named in the error.

    Raises:
        Invalid: not such a number, negative, more than 24 decimals, or above 10¹².
    """
    return parse_decimal(value, field, decimals=MAX_DECIMALS)


def parse_decimal(value: object, field: str, *, decimals: int, bounded: bool = True) -> Decimal:
    """Read a number that is not negative, with at most so many decimals; `Invalid` names the field.

    It is at most 10¹², unless it is not `bounded`: a sum of quantities that are recorded already.
    """
    text = plain_number(value)
    if text is None or text.startswith("-"):
        raise Invalid(f"{field} must be a decimal number that is not negative.", extra={"field": field})
    number = Decimal(text)
    if bounded and number > MAX_WHOLE:
        raise Invalid(f"{field} must not be greater than 10^12.", extra={"field": field})
    plain = without_trailing_zeros(number)
    if -_exponent(plain) > decimals:
        raise Invalid(f"{field} must not have more than {decimals} decimals.", extra={"field": field})
    return plain


def without_trailing_zeros(number: Decimal) -> Decimal:
    """Return the number without trailing zeros, exactly: `Decimal.normalize` would round to the context's precision."""
    sign, digits, exponent = number.as_tuple()
    whole = int("".join(map(str, digits)) or "0")
    power = int(exponent)
    while whole and whole % 10 == 0 and power < 0:
        whole, power = whole // 10, power + 1
    if power > 0:
        whole, power = whole * _power(power), 0
    return Decimal((sign, tuple(map(int, str(whole))), power if whole else 0))


def add_exactly(one: Decimal, other: Decimal) -> Decimal:
    """Return the exact sum of two quantities; `+` rounds it to the 28 digits of the context."""
    return _EXACT.add(one, other)


def multiply_exactly(one: Decimal, other: Decimal) -> Decimal:
    """Return the exact product of a price and a factor."""
    return _EXACT.multiply(one, other)


def to_scaled(number: Decimal, scale: int = SCALE) -> int:
    """Return a decimal as an integer of 10⁻ˢᶜᵃˡᵉ; it must have no more decimals than that."""
    sign, digits, exponent = number.as_tuple()
    power = int(exponent) + scale
    whole = int("".join(map(str, digits)) or "0")
    if power >= 0:
        return (-1 if sign else 1) * whole * _power(power)
    if whole % _power(-power):
        raise ValueError(f"{number} has more than {scale} decimals")
    return (-1 if sign else 1) * whole // _power(-power)


def from_scaled(whole: int, scale: int = SCALE) -> Decimal:
    """Return an integer of 10⁻ˢᶜᵃˡᵉ as the decimal that it stands for, exactly."""
    return without_trailing_zeros(Decimal((int(whole < 0), tuple(map(int, str(abs(whole)))), -scale)))


def to_pico(whole: int, scale: int) -> int:
    """Round an integer of 10⁻ˢᶜᵃˡᵉ to pico, half to even."""
    unit = _power(scale - _PICO_DECIMALS)
    pico, rest = divmod(whole, unit)
    if 2 * rest > unit or (2 * rest == unit and pico % 2):
        pico += 1
    return pico


def format_pico(amount_pico: int) -> str:
    """Write pico as a plain decimal of whole units of money, without trailing zeros: 1234000 is `"0.000001234"`."""
    return f"{from_scaled(amount_pico, _PICO_DECIMALS):f}"


def minor_pico(asset: str) -> int:
    """Return how many pico a minor unit of the asset is."""
    return _power(_PICO_DECIMALS - scale_of(asset))


def to_minor(amount_pico: int, asset: str) -> int:
    """Return the charge for an amount, in minor units of its asset, rounded up once."""
    return -(-amount_pico // minor_pico(asset))


def to_exact_minor(amount_pico: int, asset: str) -> Decimal:
    """Return an amount in minor units of its asset, with decimals."""
    return from_scaled(amount_pico, _PICO_DECIMALS - scale_of(asset))


def to_credits(amount_pico: int, price: CreditPrice) -> int:
    """Return the credits that an amount in the price's currency costs, in minor units, rounded up once."""
    credits_minor, money_minor = price.rate()
    return -(-amount_pico * credits_minor // (money_minor * minor_pico(price.currency)))


def _exponent(number: Decimal) -> int:
    return int(number.as_tuple().exponent)


def _power(exponent: int) -> int:
    power: int = 10**exponent
    return power
