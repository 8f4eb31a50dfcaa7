"""Computes the tax of an organization by its stored profile and the stored rates."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from domain.billing.invoice.lines import InvoiceLine
from domain.billing.invoice.rules import InvoiceRules
from domain.billing.tax.rates import TaxRate
from domain.billing.tax.treatment import TaxParty, Treatment, treat_dated
from models.billing.billing_profile import BillingProfile
from repositories.billing import billing_profile, tax_rate

#: The fields of a profile that a finalised invoice stores.
STORED_FIELDS = (
    *("legal_name", "line1", "line2", "city", "postal_code", "region", "country", "email", "language"),
    *("vat_id", "vat_reference", "exempt_reason"),
)


@dataclass(frozen=True, slots=True)
class Assessor:
    """Computes the tax of a page of organizations, whose profiles and rates were read together.

    Attributes:
        rules: how the deployment invoices; where its legal entities are.
        profiles: by organization; those without a profile are left out.
        rates: of every country that may apply, by country.
    """

    rules: InvoiceRules
    profiles: Mapping[str, BillingProfile]
    rates: Mapping[str, Sequence[TaxRate]]

    def rules_of(self, org_id: str) -> InvoiceRules:
        """Return the rules of the legal entity that sells to an organization."""
        return rules_of(self.profiles.get(org_id), self.rules)

    def assess(
        self, org_id: str, lines: Sequence[tuple[str, datetime]], *, rules: InvoiceRules | None = None
    ) -> tuple[Treatment, dict[str, str] | None]:
        """Return the tax of each line, and the buyer; None for a buyer without a profile.

        Lines are product codes with the time at which their tax becomes due, as `tax_points` returns them. `rules` are
        those of the legal entity that issues it, if that is known already: a draft keeps its entity.
        """
        seller_country = (rules or self.rules_of(org_id)).seller_country
        profile = self.profiles.get(org_id)
        party = party_of(profile)
        rates = [rate for country in _countries(party, seller_country) for rate in self.rates.get(country, ())]
        return treat_dated(party, seller_country, rates, lines), stored_buyer(profile)


async def assessor(session: AsyncSession, org_ids: Collection[str], *, rules: InvoiceRules) -> Assessor:
    """Read the profiles and rates that the tax of organizations depends on."""
    profiles = await billing_profile.of(session, org_ids)
    rates: dict[str, list[TaxRate]] = {}
    sellers = {country for country in (rules.seller_country, *rules.others.values()) if country}
    if sellers:
        known = {c for profile in profiles.values() for c in _countries(party_of(profile), None)}
        for rate in await tax_rate.of(session, known | sellers):
            rates.setdefault(rate.country, []).append(rate)
    return Assessor(rules, profiles, rates)


def tax_points(lines: Sequence[InvoiceLine], now: datetime) -> list[tuple[str, datetime]]:
    """Return the product of each line, and when its tax becomes due.

    That is the end of its period: services of a month are taxed at the rate of that month, whenever they are invoiced.
    A line without a period, or with one that has not ended, is taxed now.
    """
    return [
        (line.tax_code, now if line.period_end is None else min(now, line.period_end - timedelta.resolution))
        for line in lines
    ]


def rules_of(profile: BillingProfile | None, rules: InvoiceRules) -> InvoiceRules:
    """Return the rules of the legal entity that sells to an organization of this profile."""
    return rules.of(None if profile is None else profile.legal_entity)


async def entity_selling_to(session: AsyncSession, org_id: str) -> str | None:
    """Return the code of the legal entity that sells to an organization; None for the usual one."""
    profile = await billing_profile.find(session, org_id)
    return None if profile is None else profile.legal_entity


def _countries(party: TaxParty, seller_country: str | None) -> set[str]:
    known = (party.billing_country, party.card_country, party.confirmed_country, seller_country)
    return {country for country in known if country}


def party_of(profile: BillingProfile | None) -> TaxParty:
    """Read what a profile says for taxes."""
    if profile is None:
        return TaxParty()
    return TaxParty(
        billing_country=profile.country,
        card_country=profile.card_country,
        confirmed_country=profile.confirmed_country,
        region=profile.region,
        vat_country=profile.country if profile.vat_id and profile.vat_reference else None,
        is_exempt=profile.is_exempt,
    )


def stored_buyer(profile: BillingProfile | None) -> dict[str, str] | None:
    """Return the buyer as an invoice stores it; None without a profile."""
    found = {name: value for name in STORED_FIELDS if (value := getattr(profile, name, None))}
    return found or None
