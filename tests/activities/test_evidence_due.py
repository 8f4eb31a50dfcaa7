"""An alert calls operators two days before the evidence for a dispute is due, and closes when evidence is submitted."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from activities.messages.alert_rules import AlertRuleActivities
from contracts.messages.alert_rules import EvaluateAlertRules
from domain.common.access import Actor, Role
from domain.payments.payment.commands import evidence_submitted
from models.messages.alert import Alert
from runtime.database import Database
from services.payments.evidence_due import KIND
from tests.api.paying import NOW, Written
from tests.domain.subscription.building import PLANS
from tests.support.spend_world import World

pytestmark = pytest.mark.db

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


@pytest.fixture
async def disputed(database: Database) -> Written:
    """A payment with two chargebacks, on which the bank takes evidence for seven days."""
    world = World(database)
    await world.begin(credits=1)
    paid = await Written(database, world.org).begin()
    paid.there.pay()
    await paid.look()
    for _ in range(2):
        paid.there.dispute(1)
    return await paid.look()


async def look(paid: Written, now: datetime) -> list[tuple[str, bool, bool, bool]]:
    """Look at what is due; return whose alerts there are, who reads them, and which are resolved."""
    await AlertRuleActivities(paid.database, PLANS).look_at_alert_rules(
        EvaluateAlertRules(now=now, limit=10, built_in=True)
    )
    found = select(Alert).where(Alert.kind == KIND, Alert.subject == paid.terms.payment_id).order_by(Alert.id)
    async with paid.database.platform() as session:
        rows = list(await session.scalars(found))
    return [(str(row.org_id), row.shared, row.for_operators, row.resolved_at is not None) for row in rows]


async def test_each_chargeback_near_its_date_is_alerted_of_once(disputed: Written) -> None:
    assert disputed.payment is not None
    due_at = disputed.payment.disputes[0].evidence_due_at
    assert due_at is not None
    assert await look(disputed, due_at - 2 * DAY - MINUTE) == []
    open_alert = (disputed.terms.org_id, True, True, False)
    assert await look(disputed, due_at - 2 * DAY + MINUTE) == [open_alert] * 2
    assert await look(disputed, due_at - DAY) == [open_alert] * 2


async def test_answer_to_the_bank_closes_its_alert_and_raises_none(disputed: Written) -> None:
    assert disputed.payment is not None
    first, second = disputed.payment.disputes
    assert first.evidence_due_at is not None
    near = first.evidence_due_at - DAY
    operator = Actor(principal="kim", role=Role.OPERATOR)
    await disputed._write(evidence_submitted(disputed.payment, first.ref, actor=operator, at=NOW))
    assert [resolved for *_, resolved in await look(disputed, near)] == [False]
    # Decided: nobody has to answer any more.
    disputed.there.close_dispute(second.ref, won=False)
    await disputed.look()
    assert [resolved for *_, resolved in await look(disputed, near)] == [True]


async def test_bank_that_sets_another_date_is_alerted_of_before_that_one(disputed: Written) -> None:
    assert disputed.payment is not None
    first, _ = disputed.payment.disputes
    assert first.evidence_due_at is not None
    assert [resolved for *_, resolved in await look(disputed, first.evidence_due_at - DAY)] == [False] * 2
    later = first.evidence_due_at + 10 * DAY
    disputed.there.disputes[first.ref] = replace(disputed.there.disputes[first.ref], evidence_due_at=later)
    await disputed.look()
    # The other chargeback keeps its alert.
    assert sorted(resolved for *_, resolved in await look(disputed, first.evidence_due_at - DAY)) == [False, True]
    assert sorted(resolved for *_, resolved in await look(disputed, later - DAY)) == [False, False, True]


async def test_bank_whose_date_is_over_is_not_alerted_of(disputed: Written) -> None:
    assert disputed.payment is not None
    due_at = disputed.payment.disputes[0].evidence_due_at
    assert due_at is not None
    assert await look(disputed, due_at + MINUTE) == []


async def test_answered_inquiry_that_becomes_a_chargeback_is_alerted_of(database: Database) -> None:
    world = World(database)
    await world.begin(credits=1)
    paid = await Written(database, world.org).begin()
    paid.there.pay()
    ref = paid.there.dispute(1, inquiry=True)
    await paid.look()
    assert paid.payment is not None
    answered = evidence_submitted(paid.payment, ref, actor=Actor(principal="kim", role=Role.OPERATOR), at=NOW)
    await paid._write(answered)
    due_at = answered.payment.disputes[0].evidence_due_at
    assert due_at is not None
    assert await look(paid, due_at - DAY) == []
    paid.there.escalate(ref)
    await paid.look()
    assert [resolved for *_, resolved in await look(paid, due_at - DAY)] == [False]
