"""Which tax an organization is charged, by what is kept of it."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from domain.tax.treatment import TaxParty, Treatment, treat
from models.billing_profile import BillingProfile
from repositories import billing_profile, tax_rate

#: What of a profile an invoice keeps, as it was when it was finalised.
FROZEN = (
    *("legal_name", "line1", "line2", "city", "postal_code", "region", "country", "email", "language"),
    *("vat_id", "vat_reference", "exempt_reason"),
)


async def assess(
    session: AsyncSession, org_id: str, *, seller_country: str | None, products: Sequence[str], at: datetime
) -> tuple[Treatment, dict[str, str] | None]:
    """Return the tax of each product, and whom the invoice is made out to; None where nothing is known of them."""
    profile = await billing_profile.find(session, org_id)
    party = party_of(profile)
    known = (party.billing_country, party.card_country, party.confirmed_country, seller_country)
    countries = {country for country in known if country}
    rates = await tax_rate.of(session, countries) if seller_country else []
    return treat(party, seller_country, rates, products, at), frozen(profile)


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


def frozen(profile: BillingProfile | None) -> dict[str, str] | None:
    """Write whom an invoice is made out to; None where nothing is known."""
    found = {name: value for name in FROZEN if (value := getattr(profile, name, None))}
    return found or None
