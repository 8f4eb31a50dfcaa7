"""Puts together what an organization has, as of one moment."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from domain import summary as rules
from domain.errors import NotFound
from domain.payable import HoldBack
from domain.summary import AssetSummary, Earnings, Part, part_of
from repositories import organization as organizations
from repositories import payable
from repositories import summary as store
from repositories.summary import SummaryRow
from runtime.database import driver_connection, one_moment
from services.payable import windows


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What an organization has: by asset, by agent, and `row` with what stands behind it."""

    org_id: str
    at: datetime
    assets: Sequence[AssetSummary]
    earnings: Sequence[Earnings]
    row: SummaryRow


async def summary(session: AsyncSession, org_id: str, hold_back: HoldBack, *, now: datetime) -> Summary:
    """Read all of an organization's money in one snapshot. Needs a new session of the platform.

    Raises:
        NotFound: there is no such organization.
    """
    await one_moment(session)
    row = await store.read(await driver_connection(session), org_id, now)
    if row.status is None:
        raise NotFound(organizations.MISSING)
    earning = [each for each in row.standings if part_of(each.path) is Part.EARNINGS and each.agent_id]
    earners, shares = sorted({each.agent_id for each in earning if each.agent_id}), []
    if earners:
        held = dict.fromkeys(earners, hold_back.window(None, now))
        if row.has_levels:
            held = await windows(session, earners, hold_back, now=now)
        shares = await payable.shares(session, held, {each.asset for each in earning})
    earned = rules.earnings(row.standings, shares, now)
    return Summary(
        org_id=org_id,
        at=now,
        assets=rules.assets(row.standings, earned, row.expired_minor),
        earnings=earned,
        row=row,
    )
