"""Agrees billing terms with organizations: each change is a version for the future, with an audit entry."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from domain.billing.billing_terms import BillingTerms, TermsVersion, check_terms, next_version
from domain.common.access import Actor
from domain.common.text import rfc3339
from models.billing.billing_terms import BillingTermsRow
from providers.payments.limits import check_recurring
from repositories.billing import billing_terms
from repositories.common.command import other_request, row_of_command
from repositories.tenants import audit, organization
from services.common.provider_errors import provider_errors


async def agree(
    session: AsyncSession,
    actor: Actor,
    org_id: str,
    terms: BillingTerms,
    *,
    reason: str | None,
    command_id: str,
    now: datetime,
) -> TermsVersion:
    """Write new terms and return their version; the same terms as the newest change nothing."""
    check_terms(terms)
    with provider_errors():
        for each in terms.plan_prices:
            check_recurring(each.price.amount_minor, each.price.currency)
    await organization.lock(session, org_id)
    done = await row_of_command(session, BillingTermsRow, command_id)
    if done is not None:
        if done.org_id != org_id or billing_terms.version_of(done).terms != terms:
            raise other_request()
        return billing_terms.version_of(done)
    known = await billing_terms.versions(session, org_id, limit=1)
    newest = None if not known else billing_terms.version_of(known[0])
    if newest is not None and newest.terms == terms:
        return newest
    holding = await billing_terms.version_at(session, org_id, now)
    version = next_version(holding, 0 if newest is None else newest.number, terms, now)
    row = billing_terms.as_row(org_id, version, reason=reason, created_by=actor.qualified(), command_id=command_id)
    await billing_terms.add(session, row)
    details = {"version": version.number, "from": rfc3339(version.starts_at), "reason": reason, "now": _plain(terms)}
    before = {} if newest is None else {"before": _plain(newest.terms)}
    await audit.record(session, actor, "billing_terms.change", org_id, details | before, org_id)
    return version


def _plain(terms: BillingTerms) -> dict[str, Any]:
    from_day = terms.commitment_from
    return asdict(terms) | {"commitment_from": None if from_day is None else from_day.isoformat()}
