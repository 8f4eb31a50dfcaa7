"""VAT numbers: their form by country, and the protocol of a register that confirms them."""

from dataclasses import dataclass
from typing import Protocol

from stdnum import get_cc_module
from stdnum.exceptions import ValidationError

from domain.common.errors import Invalid

#: Prefixes of VAT numbers that are no ISO 3166-1 code of their country.
_PREFIXES = {"GR": "EL"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """What a register says of a number: whether it is in force, the reference of this answer, where it gave one.

    `name` is whose number it is, where the register says so: not every country does.
    """

    is_valid: bool
    reference: str | None
    name: str | None = None


class VatNumbers(Protocol):
    """Confirms VAT numbers of the EU.

    Errors:
        ProviderUnavailable: the register does not answer now, or not in a way that can be believed.
    """

    async def confirm(self, country: str, number: str) -> Confirmation:
        """Ask for a number, written with its prefix as `canonical_number` returns it."""


def canonical_number(number: str, country: str | None) -> str:
    """Return a VAT number in its plain form, with the prefix of its country: `DE136695976`.

    Args:
        number: as people write it, with or without prefix, spaces and points.
        country: ISO 3166-1, of the billing address.

    Raises:
        Invalid: it is a number of another country, or none of this one by its form and check digits; `vat_id`.
    """
    module = get_cc_module(country.lower(), "vat") if country else None
    if country is None or module is None:
        raise Invalid("A VAT number needs a billing address in a country that has them.", extra={"field": "vat_id"})
    prefix = _PREFIXES.get(country, country)
    plain = "".join(letter for letter in number.upper() if letter.isalnum())
    if plain[:2].isalpha() and not plain.startswith(prefix):
        raise Invalid(f"This is not a VAT number of {country}.", extra={"field": "vat_id"})
    try:
        digits = str(module.validate(plain))
    except ValidationError:
        raise Invalid(f"This is not a VAT number of {country}.", extra={"field": "vat_id"}) from None
    return digits if digits.startswith(prefix) else prefix + digits
