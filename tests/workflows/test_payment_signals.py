"""Operators' signals to a payment's run are executed, or refused and recorded in the timeline."""

from datetime import timedelta

import pytest

from domain.payments.payment.snapshot import ProviderStatus
from repositories.common.listing import ListFilter
from repositories.tenants import audit
from tests.support.histories import replay
from tests.workflows.conftest import Stage, beside_timer
from tests.workflows.payment_driver import new_payment

pytestmark = [pytest.mark.timeskip, pytest.mark.db]


@pytest.mark.parametrize("given", [{}, {"operator": None}, {"operator": "…"}], ids=["none", "null", "unreadable"])
@pytest.mark.parametrize("name", ["refund", "give_up", "cancel"])
async def test_signal_without_an_operator_moves_nothing(stage: Stage, name: str, given: dict[str, object]):
    made = await new_payment(stage)
    await made.create()
    await made.handle.signal(name, given)
    state = await made.happened("command_refused")
    (refused,) = [event for event in await made.timeline() if event.kind == "command_refused"]
    assert (refused.actor, refused.details["code"]) == ("temporal-ui:operator", "payment.operator_unnamed")
    assert state.status == "requires_action"


async def test_cancellation_without_an_operator_is_refused(stage: Stage):
    made = await new_payment(stage)
    await made.create()
    await made.handle.cancel()
    state = await made.happened("command_refused")
    (refused,) = [event for event in await made.timeline() if event.kind == "command_refused"]
    assert (refused.actor, refused.details["code"]) == ("temporal-ui:cancellation", "payment.operator_unnamed")
    assert state.status == "requires_action"


@pytest.mark.parametrize("there", [ProviderStatus.CANCELLED, ProviderStatus.EXPIRED])
async def test_a_payment_cancelled_by_a_person_names_the_person(stage: Stage, there: ProviderStatus):
    made = await new_payment(stage)
    await made.create()
    # A hosted page is expired at its provider where other payments are cancelled.
    made.there.ends_as = there
    assert (await made.send("cancel", key="cancel-once")).status == "cancelled"
    assert (await made.send("cancel", key="cancel-once")).status == "cancelled"
    told = (await made.timeline())[-1]
    assert (told.kind, told.actor, told.status) == ("cancelled", made.actor.qualified(), "cancelled")
    async with stage.database.platform() as session:
        entries = await audit.page(
            session,
            ListFilter(equal={"action": "payment.cancelled", "target": made.terms.payment_id}, limit=10),
        )
    assert [entry.principal for entry in entries.rows] == [made.actor.principal]


async def test_payment_paid_before_its_cancellation_names_no_actor(stage: Stage):
    made = await new_payment(stage)
    await made.create()
    made.there.pay()
    assert (await made.send("cancel")).status == "succeeded"
    assert "cancelled" not in await made.kinds()


async def test_an_operator_who_cancels_is_named(stage: Stage):
    made = await new_payment(stage)
    await made.create()
    await made.handle.signal("cancel", {"operator": "kim"})
    await made.until("cancelled")
    assert (await made.timeline())[-1].actor == "temporal-ui:kim"


async def test_signal_to_cancel_a_paid_payment_is_recorded(stage: Stage):
    made = await new_payment(stage)
    await made.create()
    made.there.pay()
    await made.handle.signal("cancel", {"operator": "kim"})
    await made.happened("command_refused")
    assert [(each.actor, each.details["code"]) for each in await made.timeline() if each.kind == "command_refused"] == [
        ("temporal-ui:kim", "payment.wrong_state")
    ]
    assert (await made.state()).status == "succeeded"
    await replay(await made.handle.fetch_history())


async def test_timer_describes_what_the_payment_waits_for(stage: Stage):
    made = await new_payment(stage)
    await made.create()
    words = await beside_timer(made.handle, within=timedelta(seconds=made.terms.first_poll_seconds))
    assert words == "requires_action: ask the provider"
