"""The tax on a creator's statement: the amount, who owes it, or that none is stated. A rate is never guessed.

VAT that the platform states on a document in the creator's name is owed by the creator (Article 203 of Directive
2006/112/EC). So an amount is stated only if the creator has declared that it charges VAT and its number is confirmed.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.billing.invoice.arithmetic import half_up
from domain.billing.tax.rates import WHOLE, TaxRate, find_rate
from domain.billing.tax.treatment import EU, TaxParty


class StatedTax(StrEnum):
    """What is stated; only `charged` comes with an amount.

    `charged`: the creator charges VAT of its country, which is the platform's. `reverse_charge`: the platform owes the
    tax. `outside_scope`: the creator is in another country, outside of the European Union. `no_profile`: the creator's
    country is not known. `not_registered`: it has no VAT number, as private persons have none. `not_stated`: which tax
    it charges is not known.
    """

    CHARGED = "charged"
    REVERSE_CHARGE = "reverse_charge"
    OUTSIDE_SCOPE = "outside_scope"
    NO_PROFILE = "no_profile"
    NOT_REGISTERED = "not_registered"
    NOT_STATED = "not_stated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Supplier:
    """The facts about a creator as a supplier that decide the tax on its statement.

    Attributes:
        party: the same facts as for its purchases.
        has_number: whether it gave a VAT number, confirmed or not.
        charges_vat: whether it has declared that its earnings include VAT.
    """

    party: TaxParty
    has_number: bool
    charges_vat: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxStatement:
    """The tax statement; the rate, in millionths, is 0 unless tax is `charged`."""

    code: StatedTax
    rate_e6: int = 0


def stated_tax(
    creator: Supplier, platform_country: str | None, rates: Iterable[TaxRate], product: str, at: datetime
) -> TaxStatement:
    """Return what to state of a creator's tax.

    Args:
        creator: the seller; a country confirmed by an operator takes precedence over its billing address.
        platform_country: the country of the platform, the buyer; None if not configured.
        rates: the rates of the platform's country.
        product: the product code of what creators sell.
        at: when it was sold.
    """
    party = creator.party
    country = party.confirmed_country or party.billing_country
    if country is None:
        return TaxStatement(code=StatedTax.NO_PROFILE)
    if platform_country is None:
        return TaxStatement(code=StatedTax.NOT_STATED)
    if country != platform_country and country not in EU:
        return TaxStatement(code=StatedTax.OUTSIDE_SCOPE)
    if not creator.has_number:
        return TaxStatement(code=StatedTax.NOT_REGISTERED)
    if party.vat_country != country:
        return TaxStatement(code=StatedTax.NOT_STATED)
    if country != platform_country:
        return TaxStatement(code=StatedTax.REVERSE_CHARGE if platform_country in EU else StatedTax.NOT_STATED)
    region = party.region if country == party.billing_country else None
    rate = find_rate(rates, country=country, region=region, product=product, at=at) if creator.charges_vat else None
    if rate is None or not rate.rate_e6:
        return TaxStatement(code=StatedTax.NOT_STATED)
    return TaxStatement(code=StatedTax.CHARGED, rate_e6=rate.rate_e6)


def included_tax(total_minor: int, rate_e6: int) -> int:
    """Return the tax in an amount that includes it, rounded half up; zero unless the amount is positive."""
    return half_up(max(total_minor, 0) * rate_e6, WHOLE + rate_e6)


def amounts_without_tax(tax_minor: int, amounts: list[int]) -> list[int]:
    """Return each amount without its share of the tax that all of them include; an amount may be negative."""
    total, done, nets = sum(amounts), 0, list[int]()
    for amount in amounts:
        before, done = done, done + amount
        shares = (tax_minor * each // total if total > 0 else 0 for each in (before, done))
        nets.append(amount + next(shares) - next(shares))
    return nets
