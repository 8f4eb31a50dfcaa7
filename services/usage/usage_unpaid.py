"""Limit on unpaid usage and invoices of an organization in arrears."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from domain.billing.billing_run.period import month_at
from domain.billing.billing_terms import BillingTerms, UsageMode
from domain.common import accounts
from domain.common.errors import Invalid
from domain.risk.case import HoldKind
from domain.usage.amounts import to_minor
from domain.usage.arrears import ArrearsRules, UnpaidUsage
from ledger.gateway import Ledger
from repositories.billing import billing_terms
from repositories.messages import alert
from repositories.risk import hold
from runtime.database import driver_connection
from services.usage.usage_unbilled import unbilled_usage


async def refusal(session: AsyncSession, org_id: str, usual: ArrearsRules, *, at: datetime) -> Invalid | None:
    """Return why authorizing usage in advance is refused, or None.

    Args:
        session: of the platform.
        org_id: the organization.
        usual: the platform's settings, with the default limit.
        at: the time.
    """
    version = await billing_terms.version_at(session, org_id, at)
    if version is None or version.terms.mode is not UsageMode.ARREARS:
        return None
    unbilled = await unbilled_usage(session, org_id, version.terms.currency, markup_e6=usual.markup_e6)
    return (await _standing(session, org_id, version.terms, usual, unbilled.pico, at)).refusal()


async def alert_near_limit(
    session: AsyncSession, org_id: str, terms: BillingTerms, usual: ArrearsRules, *, unbilled_pico: int, at: datetime
) -> None:
    """Raise an alert if the limit is near or reached, each once a month; past usage is not refused."""
    found = await _standing(session, org_id, terms, usual, unbilled_pico, at)
    if not found.is_near_limit:
        return
    kind = "usage.unpaid_reached" if found.is_limit_reached else "usage.unpaid_near"
    await alert.raise_alert(
        session,
        kind=kind,
        subject=org_id,
        org_id=org_id,
        shared=True,
        key=f"{kind}:{org_id}:{month_at(at, terms.time_zone):%Y-%m}",
        detail=found.sentence,
    )


async def _standing(
    session: AsyncSession, org_id: str, terms: BillingTerms, usual: ArrearsRules, unbilled_pico: int, at: datetime
) -> UnpaidUsage:
    books = Ledger(await driver_connection(session))
    # A limit counts at once, unlike everything else that is agreed: the terms in force may still be older ones.
    newest = [billing_terms.version_of(row).terms for row in await billing_terms.versions(session, org_id, limit=1)]
    agreed = next((each for each in newest if each.mode is terms.mode and each.currency == terms.currency), terms)
    # An organization that a case lets pay in advance only has to pay everything first.
    is_prepaying = await hold.find(session, HoldKind.PREPAY, org_id, at) is not None
    owed = await books.balance(accounts.org_receivable(org_id, terms.currency))
    return UnpaidUsage(
        currency=terms.currency,
        unbilled_minor=to_minor(unbilled_pico, terms.currency),
        invoiced_minor=-owed.posted_minor,
        limit_minor=0 if is_prepaying else agreed.unpaid_limit(usual.unpaid_limit),
    )
