"""Chargebacks through a payment's run: debts, and their reversal."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from domain.payments.payment.snapshot import DisputeStatus
from domain.payments.payment.state import PaymentStatus
from ledger.spending import Spending
from ledger.spends import NewSpend
from runtime.database import driver_connection
from tests.support.histories import replay
from tests.support.looking import again
from tests.workflows.conftest import Stage
from tests.workflows.payment_driver import PaymentDriver, paid, refused

pytestmark = [pytest.mark.timeskip, pytest.mark.db]
P = PaymentStatus


async def test_pitfall_29_a_chargeback_for_spent_credits_becomes_a_debt_that_the_next_payment_pays(stage: Stage):
    made = await paid(stage)
    await made.spend(60_000_000)
    ref = made.there.dispute()
    state = await made.refreshed()
    assert state.status is P.DISPUTED
    assert await made.money() == {"wallet": 0, "own": 100_000_000, "debt": -60_000_000}
    assert set(await made.alerts(open_only=True)) == {"payment.dispute_opened", "payment.debt"}
    made.there.close_dispute(ref, won=False)
    state = await made.refreshed()
    assert state.status is P.CHARGED_BACK
    assert await made.money() == {"wallet": 0, "own": 0, "debt": -60_000_000}
    assert set(await made.alerts(open_only=True)) == {"payment.dispute_lost", "payment.debt"}
    later = await paid(stage, org_id=made.terms.org_id)
    assert await made.alerts(open_only=True) == ["payment.dispute_lost"]
    assert await later.money() == {"wallet": 40_000_000, "own": 0, "debt": 0}


async def reserved(made: PaymentDriver, amount_minor: int) -> UUID:
    """Set credits of the payment's organization aside."""
    at = datetime.now(UTC)
    new = NewSpend(key="work", action="research", amount_minor=amount_minor)
    async with made.stage.database.platform() as session:
        spending = Spending(await driver_connection(session), made.terms.org_id)
        answer = await spending.authorize(new, expires_at=at + timedelta(days=20), at=at)
    assert answer.spend_id is not None
    return answer.spend_id


async def lots(made: PaymentDriver) -> list[tuple[str, int, int]]:
    """The payment, what is left and what is held of each lot that the organization can spend."""
    async with made.stage.database.platform() as session:
        rows = await (await driver_connection(session)).fetch(
            "SELECT payment_id, remaining, held FROM ledger.lots WHERE org_id = $1 AND is_open AND lapses",
            made.terms.org_id,
        )
    return [tuple(row) for row in rows]


async def test_reserved_credits_stay_reserved_in_a_chargeback_and_are_owed(stage: Stage):
    made = await paid(stage)
    spend_id = await reserved(made, 70_000_000)
    made.there.dispute()
    await made.refreshed()
    assert await made.money() == {"wallet": 70_000_000, "own": 100_000_000, "debt": -70_000_000}
    assert await lots(made) == [(made.terms.payment_id, 70_000_000, 70_000_000)]
    async with stage.database.platform() as session:
        spending = Spending(await driver_connection(session), made.terms.org_id)
        used = await spending.settle(key="done", spend_id=spend_id, amount_minor=50_000_000, at=datetime.now(UTC))
    assert (used.captured_minor, used.available_minor) == (50_000_000, 20_000_000)
    assert await made.money() == {"wallet": 20_000_000, "own": 100_000_000, "debt": -70_000_000}
    assert "payment.debt" in await made.alerts(open_only=True)


@pytest.mark.slow
async def test_purchase_that_a_reservation_has_pinned_is_refunded_once_it_is_released(stage: Stage):
    made = await paid(stage)
    spend_id = await reserved(made, 70_000_000)
    assert await refused(made.send("refund")) == "ledger.insufficient_funds"
    assert await lots(made) == [(made.terms.payment_id, 100_000_000, 70_000_000)]
    async with stage.database.platform() as session:
        spending = Spending(await driver_connection(session), made.terms.org_id)
        await spending.release(key="given up", spend_id=spend_id, at=datetime.now(UTC))
    assert (await made.send("refund")).status == "refunded"
    assert await made.money() == {"wallet": 0, "own": 0, "debt": 0}


@pytest.mark.slow
async def test_organizations_evidence_does_not_use_the_only_submission(stage: Stage):
    made = await paid(stage)
    ref = made.there.dispute()
    await made.refreshed()
    await made.send("submit_evidence", actor=made.actor, dispute_ref=ref, text="The cardholder is right.")
    (dispute,) = (await made.refreshed()).disputes
    assert (dispute.status, dispute.evidence_submitted_at) == (DisputeStatus.NEEDS_RESPONSE, None)
    assert dispute.offered_evidence == "The cardholder is right."
    assert ref not in stage.fake.evidence
    assert set(await made.alerts(open_only=True)) == {"payment.dispute_opened", "payment.evidence_offered"}
    await made.send("submit_evidence", key="again", actor=made.actor, dispute_ref=ref, text="They are wrong.")
    await made.send("submit_evidence", key="again", actor=made.actor, dispute_ref=ref, text="They are wrong.")
    assert (await made.state()).disputes[0].offered_evidence == "They are wrong."
    # The operators are called once, and see what stands when they look.
    assert (await made.alerts()).count("payment.evidence_offered") == 1
    await made.send("submit_evidence", dispute_ref=ref, text="The account used it the same day.")
    (dispute,) = (await made.refreshed()).disputes
    assert (dispute.status, dispute.offered_evidence) == (DisputeStatus.UNDER_REVIEW, "They are wrong.")
    assert dispute.evidence_submitted_at is not None
    assert stage.fake.evidence[ref] == "The account used it the same day."
    assert await made.alerts(open_only=True) == ["payment.dispute_opened"]
    late = made.send("submit_evidence", actor=made.actor, dispute_ref=ref, text="Still wrong.")
    assert await refused(late) == "payment.evidence_closed"
    kinds = [kind for kind in await made.kinds() if kind.startswith("evidence")]
    assert kinds == ["evidence_offered", "evidence_replaced", "evidence_submitted"]
    await replay(await made.handle.fetch_history())


async def moved_date(stage: Stage) -> tuple[PaymentDriver, datetime]:
    """Change the due date for evidence at the bank, and refresh the payment."""
    made = await paid(stage)
    ref = made.there.dispute()
    await made.refreshed()
    later = datetime.now(UTC) + timedelta(days=20)
    made.there.disputes[ref] = replace(made.there.disputes[ref], evidence_due_at=later)
    looks = len(stage.fake.calls)
    await made.handle.signal("look", {"operator": "kim"})
    while len(stage.fake.calls) == looks:
        await again()
    await made.refreshed()
    return made, later


@pytest.mark.slow
async def test_another_date_for_evidence_is_booked_while_the_dispute_stays_as_it_is(stage: Stage):
    made, later = await moved_date(stage)
    (dispute,) = (await made.state()).disputes
    assert (dispute.status, dispute.evidence_due_at) == (DisputeStatus.NEEDS_RESPONSE, later)
    assert (await made.kinds()).count("dispute_date_changed") == 1
    await replay(await made.handle.fetch_history())


async def test_won_dispute_restores_everything(stage: Stage):
    made = await paid(stage)
    ref = made.there.dispute()
    await made.refreshed()
    await made.send("submit_evidence", dispute_ref=ref, text="It was delivered.")
    state = await made.refreshed()
    assert state.disputes[0].status is DisputeStatus.UNDER_REVIEW
    assert state.disputes[0].evidence_submitted_at is not None
    assert await refused(made.send("submit_evidence", dispute_ref=ref, text="Again.")) == "payment.evidence_closed"
    assert await made.alerts(open_only=True) == ["payment.dispute_opened"]
    made.there.close_dispute(ref, won=True)
    assert (await made.refreshed()).status is P.SUCCEEDED
    assert await made.money() == {"wallet": 100_000_000, "own": 0, "debt": 0}
    assert await made.alerts(open_only=True) == []
