"""A sale that goes back after its share was paid out, with a payout that no provider has sent: in own databases."""

from datetime import timedelta

import pytest
from sqlalchemy import insert, select

from domain.common import accounts
from domain.payments.payment import refunds
from domain.payouts.payable import HoldBack
from ledger.gateway import Ledger
from models.payouts.payout import PayoutRow
from models.payouts.recovery import TransferReversal
from runtime.database import Database, driver_connection
from runtime.identity import new_id
from tests.activities.recording import record
from tests.activities.test_purchase_books import Sold, seller
from tests.api.paying import NOW

pytestmark = pytest.mark.db


@pytest.fixture
async def sold(fresh_database: Database) -> Sold:
    return await seller(fresh_database)


async def paid_out(sold: Sold) -> str:
    """Pay out the share of the sale."""
    await sold.spend_earnings()
    payout = new_id("po")
    line = {"asset": "USD", "goods_minor": 900, "money_minor": 900}
    values = {"id": payout, "org_id": sold.studio, "provider": "fake", "status": "paid", "version": 2}
    async with sold.database.platform() as session:
        await session.execute(
            insert(PayoutRow).values(
                **values,
                currency="USD",
                amount_minor=900,
                state={"lines": [line]},
                created_at=NOW,
                updated_at=NOW,
            )
        )
    return payout


async def asked(sold: Sold, payout: str) -> list[tuple[int, int, str]]:
    async with sold.database.platform() as session:
        query = select(TransferReversal).where(TransferReversal.payout_id == payout).order_by(TransferReversal.id)
        return [(row.amount_minor, row.goods_minor, row.status) for row in await session.scalars(query)]


@pytest.mark.parametrize("reverses", [True, False])
async def test_refund_of_a_paid_out_sale_reverses_the_transfer_if_configured(
    sold: Sold, fresh_database: Database, reverses: bool
) -> None:
    made = await sold.bought()
    payout = await paid_out(sold)
    assert made.payment is not None
    outcome = refunds.refund(
        made.payment, refund_id="rfd_1", amount_minor=None, reason=None, requested_by="operator", at=NOW
    )
    hold_back = HoldBack(usual=timedelta(days=14), floor=timedelta(days=7), reverses_refunds=reverses)
    assert (await record(fresh_database, outcome, hold_back=hold_back)).applied
    assert (await sold.owed(sold.studio), await sold.owed(sold.buyer)) == (900, 0)
    assert await asked(sold, payout) == ([(900, 900, "requested")] if reverses else [])


async def test_lost_chargeback_of_a_sale_reverses_the_transfer(
    sold: Sold,
) -> None:
    made = await sold.bought()
    payout = await paid_out(sold)
    ref = made.there.dispute()
    await made.look()
    assert (await sold.owed(sold.studio), await asked(sold, payout)) == (900, [])
    made.there.close_dispute(ref, won=True)
    await made.look()
    assert (await sold.owed(sold.studio), await asked(sold, payout)) == (0, [])
    made.there.dispute_again(ref)
    await made.look()
    made.there.close_dispute(ref, won=False)
    await made.look()
    # Of the debt of the first time nothing is left: what came back has paid it.
    assert (await sold.owed(sold.studio), await asked(sold, payout)) == (900, [(900, 900, "requested")])


async def test_lost_chargeback_reverses_nothing_that_earnings_have_paid(sold: Sold) -> None:
    made = await sold.bought()
    payout = await paid_out(sold)
    ref = made.there.dispute(400)
    await made.look()
    owed = await sold.owed(sold.studio)
    async with sold.database.platform() as session:
        await Ledger(await driver_connection(session)).post(
            key=new_id("key"),
            kind="test",
            source=accounts.org_cash(sold.studio, "USD"),
            destination=accounts.org_debt(sold.studio, "USD"),
            amount_minor=300,
            effective_at=NOW,
        )
    made.there.close_dispute(ref, won=False)
    await made.look()
    assert (owed, await asked(sold, payout)) == (360, [(60, 60, "requested")])
