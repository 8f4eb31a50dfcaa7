"""Slots through a payment's run: bought, refunded while unused, charged back while used."""

from datetime import UTC, datetime

import pytest

from domain.billing.plan import DEFAULT_PLANS, plans_from
from domain.payments.payment.state import PaymentStatus
from domain.payments.payment.terms import Purpose, PurposeKind
from repositories.tenants import organization as organizations
from runtime.identity import new_id
from services.billing import project
from services.billing.project import ProjectCommand
from tests.workflows.conftest import Stage
from tests.workflows.payment_driver import PaymentDriver, paid, refused

pytestmark = [pytest.mark.timeskip, pytest.mark.db]
P = PaymentStatus

PLANS = plans_from(DEFAULT_PLANS)


async def bought(stage: Stage, number: int, **changes) -> PaymentDriver:
    """Buy slots for 5.00 USD each."""
    purpose = Purpose(kind=PurposeKind.SLOT, goods_asset="SLOT", goods_minor=number)
    return await paid(stage, purpose=purpose, amount_minor=500 * number, **changes)


async def create_and_deploy(made: PaymentDriver, number: int) -> None:
    for index in range(number):
        async with made.stage.database.platform() as session:
            await project.create(session, order(made), f"p{index}", "x")
        async with made.stage.database.platform() as session:
            await project.deploy(session, order(made), f"p{index}")


async def undeploy(made: PaymentDriver, slug: str) -> None:
    async with made.stage.database.platform() as session:
        await project.undeploy(session, order(made), slug)


def order(made: PaymentDriver) -> ProjectCommand:
    return ProjectCommand(
        actor=made.actor, org_id=made.terms.org_id, command_id=new_id("cmd"), at=datetime.now(UTC), plans=PLANS
    )


async def slots_of(made: PaymentDriver) -> tuple[int, int, int]:
    """Return the slots that are free, in use and owed."""
    async with made.stage.database.platform() as session:
        usage = await project.usage_of(session, await organizations.get(session, made.terms.org_id), PLANS)
    return usage.slots_free, usage.slots_in_use, usage.slots_owed


async def test_slots_are_there_as_soon_as_the_money_is(stage: Stage):
    made = await bought(stage, 3)
    state = await made.state()
    assert (state.status, state.received_minor, state.granted_minor) == (P.SUCCEEDED, 1500, 3)
    assert await slots_of(made) == (3, 0, 0)
    assert await made.kinds() == ["created", "submitted", "received"]


async def test_unused_slots_are_refunded_and_used_ones_are_not(stage: Stage):
    made = await bought(stage, 2)
    await create_and_deploy(made, 2)
    assert await slots_of(made) == (1, 1, 0)
    assert await refused(made.send("refund")) == "ledger.insufficient_funds"
    assert (await made.send("refund", amount_minor=500)).status == "partially_refunded"
    assert await slots_of(made) == (0, 1, 0)
    assert await refused(made.send("refund")) == "ledger.insufficient_funds"
    await undeploy(made, "p1")
    assert (await made.send("refund")).status == "refunded"
    assert await slots_of(made) == (0, 0, 0)
    assert made.there.gone == 1000


@pytest.mark.slow
async def test_refund_is_of_whole_slots_only(stage: Stage):
    made = await bought(stage, 3)
    for amount in (1, 499, 501, 1499):
        assert await refused(made.send("refund", amount_minor=amount)) == "payment.part_of_a_slot"
    assert await slots_of(made) == (3, 0, 0)
    assert made.there.gone == 0
    await made.send("refund", amount_minor=1000)
    assert await slots_of(made) == (1, 0, 0)
    assert (await made.send("refund", amount_minor=500)).status == "refunded"
    assert await slots_of(made) == (0, 0, 0)


@pytest.mark.slow
async def test_remainder_after_a_partial_refund_at_the_provider_is_refundable(stage: Stage):
    made = await bought(stage, 2)
    made.there.refund(200)
    await made.refreshed()
    assert await slots_of(made) == (1, 0, 0)
    assert await refused(made.send("refund", amount_minor=500)) == "payment.part_of_a_slot"
    await made.send("refund", amount_minor=300)
    assert await slots_of(made) == (1, 0, 0)
    await made.send("refund")
    assert await slots_of(made) == (0, 0, 0)


@pytest.mark.slow
async def test_late_failure_of_a_refund_restores_the_slot(stage: Stage):
    made = await bought(stage, 1)
    await made.send("refund", reason="pending")
    assert await slots_of(made) == (0, 0, 0)
    (ref,) = made.there.refunds
    made.there.fail_refund(ref)
    await made.refreshed()
    assert await slots_of(made) == (1, 0, 0)


async def test_pitfall_29_slots_charged_back_while_in_use_are_owed_and_the_next_ones_repay_them(stage: Stage):
    made = await bought(stage, 2)
    await create_and_deploy(made, 2)
    made.there.close_dispute(made.there.dispute(), won=False)
    assert (await made.refreshed()).status is P.CHARGED_BACK
    assert await slots_of(made) == (0, 1, 1)
    assert "payment.debt" in await made.alerts()
    later = await bought(stage, 3, org_id=made.terms.org_id)
    assert await slots_of(later) == (2, 1, 0)
    await undeploy(later, "p0")
    assert await slots_of(later) == (3, 0, 0)
