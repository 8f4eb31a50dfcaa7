"""Payments for an escrow: it takes the money, is gone when it comes, or is frozen when a bank takes it back."""

import pytest

from tests.workflows.conftest import Stage
from tests.workflows.tills import for_escrow, paid, till

pytestmark = [pytest.mark.timeskip, pytest.mark.db]


async def test_an_escrow_takes_its_payment(stage: Stage, award):
    job = await award(balance=1)
    await job.open()
    amount = job.terms.amount_minor
    made = await paid(stage, org_id=job.terms.payer_org_id, purpose=for_escrow(job.terms))
    while "escrow_funded" not in await made.kinds():
        pass
    assert (await job.state()).status == "funded"
    assert await job.money() == {"payer": 1, "escrow": amount, "payee": 0}
    assert (await made.money())["own"] == 0


async def test_a_payment_whose_escrow_is_gone_is_refunded(stage: Stage, award):
    job = await award(balance=1)
    await job.open()
    made = await till(stage, org_id=job.terms.payer_org_id, purpose=for_escrow(job.terms))
    await made.create()
    await job.send("cancel", job.procurement)
    made.there.pay()
    await made.event()
    state = await made.until("refunded")
    while not state.refunds[0].moved_minor:
        state = await made.state()
    assert made.there.gone == 1000
    assert (await made.money())["own"] == 0
    assert (await job.money())["payer"] == 1


async def test_a_chargeback_freezes_the_escrow_that_has_the_money(stage: Stage, award):
    job = await award(balance=1)
    await job.open()
    made = await paid(stage, org_id=job.terms.payer_org_id, purpose=for_escrow(job.terms))
    while "escrow_funded" not in await made.kinds():
        pass
    ref = made.there.dispute()
    await made.told()
    while (await job.state()).status != "disputed":
        pass
    await job.told("disputed")
    made.there.close_dispute(ref, won=False)
    await made.told()
    assert (await made.money())["debt"] == 1 - job.terms.amount_minor
    await job.send("resolve", job.arbiter, payee_share_e4=0)
    # What comes back from the escrow pays what is owed.
    assert (await made.money())["debt"] == 0
    assert await job.money() == {"payer": 1, "escrow": 0, "payee": 0}
