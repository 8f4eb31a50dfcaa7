"""Summary of an organization's balances as of one moment."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.errors import NotFound
from domain.payouts import summary as rules
from domain.payouts.payable import HoldBack
from domain.payouts.summary import AssetSummary, Earnings, SummaryPart, part_of
from repositories.payouts import payable, summary as store
from repositories.payouts.summary import SummaryRow
from repositories.tenants import organization as organizations
from runtime.database import Database, driver_connection, make_repeatable_read
from services.payouts.payable import windows


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """An organization's balances by asset, earnings by agent, and `row`, the result of the query."""

    org_id: str
    at: datetime
    assets: Sequence[AssetSummary]
    earnings: Sequence[Earnings]
    row: SummaryRow


async def summary(database: Database, org_id: str, hold_back: HoldBack, *, now: datetime) -> Summary:
    """Read an organization's balances as of one moment.

    One query reads them, unless hold-backs depend on levels of reputation.

    Raises:
        NotFound: there is no such organization.
    """
    async with database.platform_statement() as connection:
        row = await store.read(connection, org_id, now, hold_back.window(None, now))
    if not row.has_levels:
        return _summarize(org_id, row, now)
    async with database.platform() as session:
        return await summary_within(session, org_id, hold_back, now=now)


async def summary_within(session: AsyncSession, org_id: str, hold_back: HoldBack, *, now: datetime) -> Summary:
    """Read the summary in a new session of the platform, from its snapshot."""
    await make_repeatable_read(session)
    row = await store.read(await driver_connection(session), org_id, now, hold_back.window(None, now))
    earning = [each for each in row.standings if each.agent_id and part_of(each.path) is SummaryPart.EARNINGS]
    if row.has_levels and earning:
        earners = sorted({each.agent_id for each in earning if each.agent_id})
        held = await windows(session, earners, hold_back, now=now)
        row = replace(row, shares=await payable.shares(session, held, {each.asset for each in earning}))
    return _summarize(org_id, row, now)


def _summarize(org_id: str, row: SummaryRow, now: datetime) -> Summary:
    if row.status is None:
        raise NotFound(organizations.MISSING)
    earned = rules.earnings_by_agent(row.standings, row.shares, now)
    return Summary(
        org_id=org_id,
        at=now,
        assets=rules.asset_summaries(row.standings, earned, row.expired_minor),
        earnings=earned,
        row=row,
    )
