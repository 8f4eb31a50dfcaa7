"""The tax that an organization is charged, by its proven country, and by whether it owes the tax itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from domain.billing.tax.rates import NO_TAX, AppliedTax, TaxCategory, TaxRate, find_rate

#: Member states of the European Union by ISO 3166-1.
EU = frozenset(
    [
        "AT",
        "BE",
        "BG",
        "CY",
        "CZ",
        "DE",
        "DK",
        "EE",
        "ES",
        "FI",
        "FR",
        "GR",
        "HR",
        "HU",
        "IE",
        "IT",
        "LT",
        "LU",
        "LV",
        "MT",
        "NL",
        "PL",
        "PT",
        "RO",
        "SE",
        "SI",
        "SK",
    ]
)
REVERSE_CHARGE = AppliedTax(code="reverse-charge", category=TaxCategory.REVERSE_CHARGE)
EXEMPT = AppliedTax(code="exempt", category=TaxCategory.EXEMPT)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxParty:
    """The facts about an organization that decide its taxes. Countries are ISO 3166-1.

    Attributes:
        billing_country: the country of its billing address; `card_country` is that of its card, and
            `confirmed_country` the one that an operator has confirmed. Two that agree prove its country.
        region: the region of its billing address.
        vat_country: the country of its VAT number, if the number was confirmed with a reference; None otherwise.
        is_exempt: whether an operator has declared it exempt.
    """

    billing_country: str | None = None
    card_country: str | None = None
    confirmed_country: str | None = None
    region: str | None = None
    vat_country: str | None = None
    is_exempt: bool = False

    @property
    def proven_country(self) -> str | None:
        """The country that two pieces of evidence agree on."""
        countries = [c for c in (self.confirmed_country, self.billing_country, self.card_country) if c is not None]
        return next((country for country in countries if countries.count(country) > 1), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Treatment:
    """The tax on each product; `is_proven` is false if an operator has to review the case."""

    taxes: tuple[AppliedTax, ...]
    is_proven: bool


def treat(
    party: TaxParty, seller_country: str | None, rates: Sequence[TaxRate], products: Sequence[str], at: datetime
) -> Treatment:
    """Decide the tax of products that a seller bills at a time.

    If the country is not proven, the highest tax of all possible countries is charged, including the seller's, so
    nobody pays less by hiding their country. The same holds for regions, if a country taxes by region and the region is
    unknown.

    Args:
        party: the organization that is billed.
        seller_country: the country of the seller; with None, no tax is charged.
        rates: all rates that may apply.
        products: the product code of each line.
        at: when the tax becomes due.
    """
    if seller_country is None:
        return Treatment(taxes=(NO_TAX,) * len(products), is_proven=True)
    if party.is_exempt:
        return Treatment(taxes=(EXEMPT,) * len(products), is_proven=True)
    country = party.proven_country
    if country is None:
        places = [c for c in (party.billing_country, party.card_country, party.confirmed_country, seller_country) if c]
        taxes = tuple(
            max((_rate(rates, place, party, product, at) for place in places), key=lambda tax: tax.rate_e6)
            for product in products
        )
        return Treatment(taxes=taxes, is_proven=False)
    abroad = country != seller_country and {country, seller_country} <= EU
    if abroad and party.vat_country == country:
        return Treatment(taxes=(REVERSE_CHARGE,) * len(products), is_proven=True)
    taxes = tuple(_rate(rates, country, party, product, at) for product in products)
    of_country = tuple(
        _applied(find_rate(rates, country=country, region=None, product=each, at=at)) for each in products
    )
    return Treatment(taxes=taxes, is_proven=_region(party, country) is not None or taxes == of_country)


def treat_dated(
    party: TaxParty, seller_country: str | None, rates: Sequence[TaxRate], lines: Sequence[tuple[str, datetime]]
) -> Treatment:
    """Decide the tax of products, each by the rate of the time at which its own tax becomes due; see `treat`."""
    found = [treat(party, seller_country, rates, [product], at) for product, at in lines]
    return Treatment(
        taxes=tuple(tax for each in found for tax in each.taxes), is_proven=all(e.is_proven for e in found)
    )


def _region(party: TaxParty, country: str) -> str | None:
    return party.region if country == party.billing_country else None


def _rate(rates: Sequence[TaxRate], country: str, party: TaxParty, product: str, at: datetime) -> AppliedTax:
    region = _region(party, country)
    # The country's own first: it stays where no region has more.
    regions = [None, *sorted({each.region for each in rates if each.region and each.country == country})]
    found = (
        _applied(find_rate(rates, country=country, region=each, product=product, at=at))
        for each in (regions if region is None else [region])
    )
    return max(found, key=lambda tax: tax.rate_e6)


def _applied(rate: TaxRate | None) -> AppliedTax:
    if rate is None:
        return NO_TAX
    category = TaxCategory.STANDARD if rate.rate_e6 else TaxCategory.ZERO
    return AppliedTax(code=rate.code, category=category, rate_e6=rate.rate_e6)
