"""Traits that organizations share, written directly to their rows."""

from tests.conftest import DatabaseUrls
from tests.support.connections import as_owner


async def share(urls: DatabaseUrls, what: str, *org_ids: str | None) -> None:
    """Write a shared card, tax id or payout account of organizations."""
    statement = {
        "card": "INSERT INTO organization_traits (org_id, kind, digest) VALUES ($1, 'card', $2)",
        "tax id": "INSERT INTO billing_profiles (org_id, vat_id, updated_by) VALUES ($1, $2, 'test')",
        "payout account": "INSERT INTO creator_accounts (org_id, provider, ref, country, details_submitted,"
        " transfers_enabled, payouts_enabled, tax_profile, requirements_due, destination, seen_at, created_by)"
        " VALUES ($1, 'stripe', $1, 'DE', true, true, true, true, '{}', $2, now(), 'test')",
    }[what]
    for org_id in org_ids:
        await as_owner(urls, statement, org_id, f"{what} of {org_ids}")
