"""The refund of a sale whose share was paid out, with a payout that no provider has sent: in databases of their own."""

from datetime import timedelta

import pytest
from sqlalchemy import insert, select

from domain.payments.payment import refunds
from domain.payouts.payable import HoldBack
from models.payouts.payout import PayoutRow
from models.payouts.recovery import TransferReversal
from runtime.database import Database
from runtime.identity import new_id
from tests.activities.recording import record
from tests.activities.test_purchase_books import Sold, seller
from tests.api.paying import NOW

pytestmark = pytest.mark.db


@pytest.fixture
async def sold(alone: Database) -> Sold:
    return await seller(alone)


@pytest.mark.parametrize("reverses", [True, False])
async def test_refund_of_a_sale_that_was_paid_out_takes_the_transfer_back_where_that_is_set(
    sold: Sold, alone: Database, reverses: bool
) -> None:
    made = await sold.bought()
    await sold.spend_earnings()
    payout = new_id("po")
    line = {"asset": "USD", "goods_minor": 900, "money_minor": 900}
    values = {"id": payout, "org_id": sold.studio, "provider": "fake", "status": "paid", "version": 2}
    async with alone.platform() as session:
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
    assert made.payment is not None
    outcome = refunds.refund(
        made.payment, refund_id="rfd_1", amount_minor=None, reason=None, requested_by="operator", at=NOW
    )
    hold_back = HoldBack(usual=timedelta(days=14), floor=timedelta(days=7), reverses_refunds=reverses)
    assert (await record(alone, outcome, hold_back=hold_back)).applied
    assert (await sold.owed(sold.studio), await sold.owed(sold.buyer)) == (900, 0)
    async with alone.platform() as session:
        query = select(TransferReversal).where(TransferReversal.payout_id == payout)
        asked = [(row.amount_minor, row.goods_minor, row.status) for row in await session.scalars(query)]
    assert asked == ([(900, 900, "requested")] if reverses else [])
