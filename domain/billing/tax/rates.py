"""Tax rates: by country, region and product code, each valid from a time on.

A rate is found from the most special place to the most general: region and product, region, product, country. At each
the newest one that has begun counts, so a change is a row more, and nothing that was charged changes.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from domain.common.errors import Invalid
from domain.common.money import plain_number

#: A rate of 1, in the unit of `rate_e6`.
WHOLE = 1_000_000
_COUNTRY = re.compile("[A-Z]{2}")
_REGION = re.compile("[A-Z0-9]{1,3}")
_CODE = re.compile("[a-z0-9][a-z0-9_-]{0,39}")


class TaxCategory(StrEnum):
    """Why a rate is what it is: the codes of EN 16931 (UNCL5305)."""

    STANDARD = "S"
    ZERO = "Z"
    EXEMPT = "E"
    REVERSE_CHARGE = "AE"
    OUTSIDE = "O"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxRate:
    """The rate of a tax on a product in a place.

    Attributes:
        code: names the tax; what is charged is booked to `platform/tax/{code}`.
        country: ISO 3166-1, two letters.
        region: the part behind the dash in ISO 3166-2; None for the whole country.
        product: a product code; None for every product.
        rate_e6: the share in millionths: 190,000 is 19 %.
        valid_from, valid_until: [from, until); None for no end.
    """

    code: str
    country: str
    region: str | None = None
    product: str | None = None
    rate_e6: int
    valid_from: datetime
    valid_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedTax:
    """What is charged on a line: a code, a category and a rate in millionths."""

    code: str
    category: TaxCategory
    rate_e6: int = 0


#: Where no tax is due.
NO_TAX = AppliedTax(code="none", category=TaxCategory.OUTSIDE)


def check_place(country: str | None, region: str | None) -> None:
    """Refuse a country or a region of the wrong form; `Invalid` names the field."""
    if country is not None and not _COUNTRY.fullmatch(country):
        raise Invalid("country must be two capital letters, such as DE.", extra={"field": "country"})
    if region is not None and not _REGION.fullmatch(region):
        raise Invalid("region must be up to three capital letters or digits.", extra={"field": "region"})


def is_code(text: str) -> bool:
    """Return whether a text can be the code of a tax: it names an account of the books."""
    return _CODE.fullmatch(text) is not None


def check_rate(rate: TaxRate) -> None:
    """Refuse a rate that is not valid; `Invalid` names the field."""
    check_place(rate.country, rate.region)
    for field, ok, wanted in (
        ("product", rate.product is None or _CODE.fullmatch(rate.product), "lower case letters, digits, - and _"),
        ("code", _CODE.fullmatch(rate.code) and rate.code != NO_TAX.code, "lower case letters, digits, - and _"),
        ("rate", 0 <= rate.rate_e6 <= WHOLE, "from 0 to 1"),
        ("valid_until", rate.valid_until is None or rate.valid_until > rate.valid_from, "later than valid_from"),
    ):
        if not ok:
            raise Invalid(f"{field} must be {wanted}.", extra={"field": field})


def parse_rate(value: str | int | Decimal) -> int:
    """Turn a rate such as `"0.19"` or `"0.08875"` into millionths; `Invalid` with the field `rate`."""
    text = plain_number(value)
    whole, _, decimals = (text or "").partition(".")
    decimals = decimals.rstrip("0")
    if text is None or len(decimals) > 6:
        raise Invalid("rate must be a plain decimal number with up to 6 decimals.", extra={"field": "rate"})
    return int(whole + decimals.ljust(6, "0"))


def format_rate(rate_e6: int) -> str:
    """Write millionths as a decimal string with two decimals at least: 190,000 is `"0.19"`."""
    whole, decimals = divmod(rate_e6, WHOLE)
    return f"{whole}.{f'{decimals:06d}'.rstrip('0').ljust(2, '0')}"


def find_rate(
    rates: Iterable[TaxRate], *, country: str, region: str | None, product: str, at: datetime
) -> TaxRate | None:
    """Return the rate of a product in a place at a time; None where there is none."""
    best: tuple[bool, bool, datetime] | None = None
    found = None
    for rate in rates:
        if rate.country != country or rate.region not in {None, region} or rate.product not in {None, product}:
            continue
        if rate.valid_from > at or (rate.valid_until is not None and rate.valid_until <= at):
            continue
        rank = (rate.region is not None, rate.product is not None, rate.valid_from)
        if best is None or rank > best:
            best, found = rank, rate
    return found
