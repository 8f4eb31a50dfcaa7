"""Credits that an organization bought at a price."""

from datetime import UTC, datetime

from domain.common.accounts import org_credits, platform
from domain.common.money import CREDIT, parse_amount
from domain.credits.lots import LotSource, LotTerms
from ledger.gateway import Ledger, Posting
from runtime.database import Database, driver_connection
from tests.support.books import fresh


async def buy(database: Database, org_id: str, credits: str, cents: int, *, at: datetime | None = None) -> None:
    """Sell credits to an organization for a number of USD cents."""
    terms = LotTerms(source=LotSource.PURCHASE, paid_minor=cents, paid_asset="USD")
    issued = Posting(platform("credit_issuance", CREDIT), org_credits(org_id), parse_amount(credits, CREDIT), terms)
    paid = Posting(platform("exchange", "USD"), platform("deferred_revenue", "USD"), cents)
    async with database.platform() as session:
        await Ledger(await driver_connection(session)).post_compound(
            key=f"test:{org_id}:{fresh('bought')}",
            kind="test.credits",
            postings=[issued, paid],
            effective_at=at or datetime.now(UTC),
        )
