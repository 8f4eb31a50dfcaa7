"""Money as integers in minor units, and the only conversions to and from them.

An amount is an `int` together with the code of its asset; the asset's scale says how many decimals the minor unit has.
ISO 4217 exponents are those of the standard's list one (SIX, amendment 176); crypto assets use the unit that wallets
settle in (BTC satoshi, ETH gwei, TON nanoton, USDC micro).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import floor

from domain.common.errors import Invalid

CREDIT = "CREDIT"
#: A slot: the right to have one more project deployed.
SLOT = "SLOT"
#: Assets that the platform issues. Credits are spent like money; slots are only bought and used.
ISSUED = frozenset({CREDIT, SLOT})
#: Crypto assets.
COINS = frozenset({"BTC", "ETH", "USDC", "TON"})

#: The largest single amount, in minor units. It leaves a factor of 9,000 to the 64-bit limit of a balance.
MAX_AMOUNT_MINOR = 10**15

_BY_SCALE: dict[int, str] = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF SLOT",
    2: (
        "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC "
        "CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR "
        "JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD "
        "NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN "
        "SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VES WST XCD XCG YER ZAR ZMW ZWG"
    ),
    3: "BHD IQD JOD KWD LYD OMR TND",
    6: "CREDIT USDC",
    8: "BTC",
    9: "ETH TON",
}

#: Scale of every asset that the books know: decimals of its minor unit.
SCALES: dict[str, int] = {code: scale for scale, codes in _BY_SCALE.items() for code in codes.split()}

_PLAIN_NUMBER = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?")
#: The largest power of ten of a number: `Decimal("1e999999999")` takes a gigabyte to write out.
_MAX_DIGITS = 60


def scale_of(asset: str) -> int:
    """Return the number of decimals of the asset's minor unit; `Invalid` when the asset is unknown."""
    try:
        return SCALES[asset]
    except KeyError:
        raise Invalid(f"Unknown currency {asset[:16]!r}.", extra={"field": "currency"}) from None


def cent_of(asset: str) -> int:
    """Return a hundredth of the asset in minor units, or one minor unit where that is larger."""
    return int(10 ** max(0, scale_of(asset) - 2))


def plain_number(value: object) -> str | None:
    """Return the plain decimal form of a number, the input of all parsers of amounts, shares and quantities.

    A text must consist of ASCII digits with an optional minus sign and decimal point: no plus, space, underscore,
    exponent, or digit of another script.

    Args:
        value: what a caller wrote: a text, an integer or a `Decimal`; never a float.

    Returns:
        The digits; None if the value is not a plain number.
    """
    if isinstance(value, Decimal):
        if not value.is_finite() or abs(value.adjusted()) > _MAX_DIGITS:
            return None
        value = f"{value:f}"
    elif isinstance(value, int) and not isinstance(value, bool):
        value = str(value) if value.bit_length() < 4 * _MAX_DIGITS else ""
    return value if isinstance(value, str) and _PLAIN_NUMBER.fullmatch(value) else None


def parse_amount(value: str | int | Decimal, asset: str, *, zero: bool = False) -> int:
    """Convert an amount to minor units, exactly or not at all.

    Args:
        value: a plain decimal string (`"12.50"`), an integer or a `Decimal`; never a float.
        asset: the asset's code; its scale bounds the decimals.
        zero: whether it may be zero.

    Raises:
        Invalid: not a plain number, zero or negative, more decimals than the scale, above `MAX_AMOUNT_MINOR`.
    """
    scale = scale_of(asset)
    text = plain_number(value)
    if text is None:
        raise Invalid("The amount must be a plain decimal number such as 12.50.", extra={"field": "amount"})
    whole, _, decimals = text.partition(".")
    if len(decimals.rstrip("0")) > scale:
        raise Invalid(f"{text} has too many decimals: {asset} has {scale}.", extra={"field": "amount"})
    minor = int(whole + decimals.rstrip("0").ljust(scale, "0"))
    if minor < 0 or (minor == 0 and not zero):
        least = "zero or more" if zero else "greater than zero"
        raise Invalid(f"The amount must be {least}.", extra={"field": "amount"})
    if minor > MAX_AMOUNT_MINOR:
        limit = format_amount(MAX_AMOUNT_MINOR, asset)
        raise Invalid(f"The amount must not be greater than {limit} {asset}.", extra={"field": "amount"})
    return minor


def format_amount(amount_minor: int, asset: str) -> str:
    """Write minor units as a decimal string: two decimals at least where the asset has them, no further zeros."""
    scale = scale_of(asset)
    sign, digits = ("-" if amount_minor < 0 else ""), str(abs(amount_minor)).rjust(scale + 1, "0")
    if scale == 0:
        return sign + digits
    whole, decimals = digits[:-scale], digits[-scale:]
    return f"{sign}{whole}.{decimals.rstrip('0').ljust(min(2, scale), '0')}"


@dataclass(frozen=True, slots=True)
class Amounts:
    """An amount of the settings, in each currency.

    Attributes:
        usual_minor: in minor units of every currency that is not named. A unit of a currency without cents is worth
            about a cent of the others, so equal minor units are closer in value than equal whole units.
        named: in minor units, by currency.
    """

    usual_minor: int
    named: Mapping[str, int]

    def minor(self, currency: str) -> int:
        """Return the amount in minor units of a currency."""
        return self.named.get(currency, self.usual_minor)

    def written(self, currency: str) -> str:
        """Return the amount as a decimal string of a currency."""
        return format_amount(self.minor(currency), currency)


def amounts_from(text: str) -> Amounts:
    """Read an amount of the settings, such as `10000.00, 1500000 JPY, 3000 KWD`.

    Args:
        text: an amount with two decimals at most, for all other currencies; then amounts with their currency.

    Raises:
        Invalid: the format is wrong, or a currency is repeated, unknown or not money.
    """
    named: dict[str, int] = {}
    for each in text.split(","):
        amount, _, currency = each.strip().partition(" ")
        if currency in named or (currency == "") == bool(named) or currency not in SCALES.keys() - ISSUED | {""}:
            raise Invalid(
                f"{each.strip()[:40]!r} does not belong here. Write an amount for all currencies, and after it those "
                "of the currencies that it does not suit, each once: 10000.00, 1500000 JPY, 3000 KWD."
            )
        named[currency] = parse_amount(amount, currency or "USD", zero=True)
    return Amounts(named.pop(""), named)


def allocate(total_minor: int, weights: Sequence[int]) -> list[int]:
    """Split a total by weights so that the parts add up to it exactly (largest remainder, Hamilton's method).

    Args:
        total_minor: the total, zero or more.
        weights: one non-negative weight a part, at least one of them positive; ties go to the earlier part.
    """
    whole = sum(weights)
    if total_minor < 0 or whole <= 0 or min(weights) < 0:
        raise ValueError("allocate takes a non-negative total and non-negative weights that are not all zero")
    parts = [total_minor * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda i: -(total_minor * weights[i] % whole))
    for i in by_remainder[: total_minor - sum(parts)]:
        parts[i] += 1
    return parts


def parse_ratio(value: str | int | Decimal, field: str) -> int:
    """Turn a share or score between 0 and 1 into ten-thousandths (`"0.92"` is 9200); `Invalid` names the field."""
    text = plain_number(value)
    if text is None:
        raise Invalid(f"{field} must be a plain decimal number between 0 and 1, such as 0.80.", extra={"field": field})
    whole, _, decimals = text.partition(".")
    decimals = decimals.rstrip("0")
    if len(decimals) > 4:
        raise Invalid(f"{field} must not have more than 4 decimals.", extra={"field": field})
    ratio_e4 = int(whole + decimals.ljust(4, "0"))
    check_ratio(-1 if text.startswith("-") else ratio_e4, field)
    return ratio_e4


def check_ratio(ratio_e4: int, field: str) -> None:
    """Refuse ten-thousandths outside of 0 to 1; `Invalid` names the field."""
    if not 0 <= ratio_e4 <= 10_000:
        raise Invalid(f"{field} must be between 0 and 1.", extra={"field": field})


def format_ratio(ratio_e4: int) -> str:
    """Write ten-thousandths as a decimal string with two decimals at least: 9200 is `"0.92"`."""
    whole, decimals = divmod(ratio_e4, 10_000)
    return f"{whole}.{f'{decimals:04d}'.rstrip('0').ljust(2, '0')}"


def round_to_sum(parts: Sequence[Fraction]) -> list[int]:
    """Round amounts, also below zero, so that they add up to their rounded sum (largest remainder).

    Of equal remainders, that of the earlier part is rounded up.
    """
    whole = [floor(part) for part in parts]
    left = round(sum(parts, Fraction())) - sum(whole)
    for at in sorted(range(len(parts)), key=lambda at: whole[at] - parts[at])[:left]:
        whole[at] += 1
    return whole
