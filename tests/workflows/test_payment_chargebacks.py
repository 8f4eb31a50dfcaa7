"""Chargebacks through a payment's run: what a bank takes is owed, and what it gives back is there again."""

import pytest

from domain.payment.snapshot import DisputeStatus
from domain.payment.state import PaymentStatus
from tests.workflows.conftest import Stage
from tests.workflows.payment_driver import paid, refused

pytestmark = [pytest.mark.timeskip, pytest.mark.db]
P = PaymentStatus


async def test_pitfall_29_a_chargeback_for_spent_credits_becomes_a_debt_that_the_next_payment_pays(stage: Stage):
    made = await paid(stage)
    await made.spend(60_000_000)
    ref = made.there.dispute()
    state = await made.told()
    assert state.status is P.DISPUTED
    assert await made.money() == {"wallet": 0, "own": 100_000_000, "debt": -60_000_000}
    assert set(await made.alerts(open_only=True)) == {"payment.dispute_opened", "payment.debt"}
    made.there.close_dispute(ref, won=False)
    state = await made.told()
    assert state.status is P.CHARGED_BACK
    assert await made.money() == {"wallet": 0, "own": 0, "debt": -60_000_000}
    assert set(await made.alerts(open_only=True)) == {"payment.dispute_lost", "payment.debt"}
    later = await paid(stage, org_id=made.terms.org_id)
    assert await made.alerts(open_only=True) == ["payment.dispute_lost"]
    assert await later.money() == {"wallet": 40_000_000, "own": 0, "debt": 0}


async def test_a_dispute_that_is_won_gives_everything_back(stage: Stage):
    made = await paid(stage)
    ref = made.there.dispute()
    await made.told()
    await made.send("submit_evidence", dispute_ref=ref, text="It was delivered.")
    state = await made.told()
    assert state.disputes[0].status is DisputeStatus.UNDER_REVIEW
    assert state.disputes[0].evidence_submitted_at is not None
    assert await refused(made.send("submit_evidence", dispute_ref=ref, text="Again.")) == "payment.evidence_closed"
    assert await made.alerts(open_only=True) == ["payment.dispute_opened"]
    made.there.close_dispute(ref, won=True)
    assert (await made.told()).status is P.SUCCEEDED
    assert await made.money() == {"wallet": 100_000_000, "own": 0, "debt": 0}
    assert await made.alerts(open_only=True) == []
