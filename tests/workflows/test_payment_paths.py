"""A payment's ways through its run: paid, declined, unknown, expired, captured, cancelled."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select

from domain.payments.payment.snapshot import ProviderStatus
from domain.payments.payment.state import PaymentStatus
from domain.payments.payment.terms import Purpose, PurposeKind
from models.payments.payment import PaymentBalanceTransaction
from repositories.books.clearing import clearing
from tests.support.histories import replay
from tests.support.looking import again
from tests.workflows.conftest import Stage
from tests.workflows.payment_driver import PaymentDriver, new_payment, paid, refused

pytestmark = [pytest.mark.timeskip, pytest.mark.db]
P = PaymentStatus
#: A test that skips weeks has few looks at the provider to wait for.
SELDOM = {"first_poll_seconds": 5 * 86_400, "longest_poll_seconds": 5 * 86_400}


async def test_a_webhook_books_the_charge_the_fee_and_the_credits(stage: Stage):
    made = await new_payment(stage)
    result = await made.create()
    assert result.status == "requires_action"
    assert (await made.state()).action.client_secret == f"{made.there.ref}_secret"
    made.there.pay()
    state = await made.refreshed()
    assert state.status is P.SUCCEEDED
    assert (state.received_minor, state.fee_minor, state.granted_minor) == (1000, 59, 100_000_000)
    assert await made.money() == {"wallet": 100_000_000, "own": 0, "debt": 0}
    assert await made.kinds() == ["created", "submitted", "received"]


async def test_pitfall_02_repeated_event_has_one_effect(stage: Stage):
    made = await new_payment(stage)
    await made.create()
    made.there.pay()
    await asyncio.gather(*(made.event("evt_same_" + made.terms.payment_id) for _ in range(8)))
    await made.handled("evt_same_" + made.terms.payment_id)
    await made.refreshed()
    assert (await made.kinds()).count("received") == 1
    assert (await made.money())["wallet"] == 100_000_000


async def test_provider_is_polled_without_webhooks(stage: Stage):
    made = await new_payment(stage)
    await made.create()
    made.there.pay()
    await made.pass_time(minutes=1)
    assert (await made.until("succeeded")).received_minor == 1000


async def test_fee_reported_later_is_booked_later(stage: Stage):
    made = await new_payment(stage)
    await made.create()
    made.there.pay(fee=None)
    state = await made.refreshed()
    assert (state.status, state.fee_minor) == (P.SUCCEEDED, 0)
    made.there.tell_fee(61)
    assert (await made.refreshed()).fee_minor == 61
    assert (await made.kinds())[-1] == "fee_booked"


async def booked_of(made: PaymentDriver) -> list[tuple[int, int | None, str]]:
    row = PaymentBalanceTransaction
    query = select(row.amount_minor, row.fee_minor, row.currency).where(row.payment_id == made.terms.payment_id)
    async with made.stage.database.platform() as session:
        return [(amount, fee, currency) for amount, fee, currency in await session.execute(query)]


@pytest.mark.slow
async def test_money_that_settles_later_in_another_currency_is_booked_in_it(stage: Stage):
    made = await new_payment(stage)
    await made.create()
    made.there.pay_unsettled()
    assert (await made.refreshed()).status is P.SUCCEEDED
    assert await made.money() == {"wallet": 100_000_000, "own": 0, "debt": 0}
    assert await booked_of(made) == []
    made.there.settle(amount=920, fee=52, currency="EUR")
    assert (await made.refreshed()).fee_minor == 52
    assert await made.kinds() == ["created", "submitted", "received", "settled"]
    assert await booked_of(made) == [(920, 52, "EUR")]
    async with stage.database.platform() as session:
        assert [each.unexplained_minor for each in await clearing(session, "fake") if each.unexplained_minor] == []


async def test_pitfall_10_an_unknown_outcome_is_looked_up_and_found(stage: Stage):
    made = await new_payment(stage)
    stage.fake.breaks.append("after")
    result = await made.create()
    assert result.status == "unknown"
    await made.pass_time(seconds=5)
    state = await made.until("requires_action")
    assert stage.fake.count(made.terms.payment_id) == 1
    assert state.ref == made.there.ref
    calls = [name for name, key in stage.fake.calls if made.terms.payment_id in key]
    assert calls == ["create", "find"]


async def test_an_unknown_outcome_that_never_was_is_made_with_the_same_key(stage: Stage):
    made = await new_payment(stage)
    stage.fake.breaks.append("before")
    assert (await made.create()).status == "unknown"
    await made.pass_time(seconds=5)
    await made.until("requires_action")
    calls = [call for call in stage.fake.calls if made.terms.payment_id in call[1]]
    assert [name for name, _ in calls] == ["create", "find", "create"]
    assert calls[0][1] == calls[2][1]


async def test_commands_on_an_unknown_outcome_are_refused(stage: Stage):
    made = await new_payment(stage)
    stage.fake.breaks.append("before")
    await made.create()
    assert await refused(made.send("confirm")) == "payment.unknown_outcome"


async def test_a_refused_payment_fails(stage: Stage):
    made = await new_payment(stage)
    stage.fake.breaks.append("refused")
    assert (await made.create()).status == "failed"
    assert (await made.state()).decline.code == "provider.refused"


async def test_a_declined_stored_method_is_a_result(stage: Stage):
    made = await new_payment(stage, method_ref="pm_declined", off_session=True)
    assert (await made.create()).status == "failed"
    assert (await made.state()).decline.code == "insufficient_funds"


async def test_stored_method_is_charged_immediately(stage: Stage):
    made = await new_payment(stage, method_ref="pm_ok", off_session=True)
    assert (await made.create()).status == "succeeded"
    assert (await made.money())["wallet"] == 100_000_000


async def test_unpaid_payment_expires_and_is_cancelled_at_the_provider(stage: Stage):
    made = await new_payment(stage)
    await made.create()
    await made.pass_time(hours=24)
    assert (await made.until("expired")).received_minor == 0
    assert made.there.status is ProviderStatus.CANCELLED


async def test_a_success_after_expiry_is_credited(stage: Stage):
    made = await new_payment(stage)
    await made.create()
    await made.pass_time(hours=24)
    await made.until("expired")
    made.there.pay()
    state = await made.refreshed()
    assert state.status is P.SUCCEEDED
    assert (await made.money())["wallet"] == 100_000_000


async def test_a_bank_debit_under_way_does_not_expire(stage: Stage):
    made = await new_payment(stage)
    await made.create()
    made.there.process()
    await made.refreshed()
    await made.pass_time(days=3)
    assert (await made.state()).status is P.PROCESSING
    made.there.pay()
    await made.refreshed()
    assert (await made.state()).status is P.SUCCEEDED


@pytest.mark.slow
async def test_a_bank_transfer_is_waited_for_longer_and_is_ended_there_when_it_never_comes(stage: Stage):
    made = await new_payment(stage, **SELDOM, open_seconds=60)
    await made.create()
    made.there.pays_until = made.terms.created_at + timedelta(days=14)
    assert (await made.refreshed()).ends_at == made.there.pays_until
    await made.pass_time(days=13)
    state = await made.state()
    assert (state.status, state.expiring) == (P.REQUIRES_ACTION, False)
    await made.pass_time(days=2)
    assert (await made.until("expired")).received_minor == 0
    assert made.there.status is ProviderStatus.CANCELLED
    assert (await made.kinds())[-3:] == ["progressed", "time_over", "progressed"]
    await replay(await made.handle.fetch_history())


@pytest.mark.slow
async def test_bank_transfer_before_its_own_deadline_is_booked(stage: Stage):
    made = await new_payment(stage, **SELDOM)
    await made.create()
    made.there.pays_until = made.terms.created_at + timedelta(days=14)
    await made.refreshed()
    await made.pass_time(days=5)
    made.there.pay()
    assert (await made.refreshed()).status is P.SUCCEEDED
    assert (await made.money())["wallet"] == 100_000_000


@pytest.mark.slow
async def test_a_bank_transfer_that_is_known_of_only_when_the_time_is_over_has_its_own_time(stage: Stage):
    made = await new_payment(stage, **SELDOM)
    await made.create()
    made.there.process()
    await made.refreshed()
    await made.pass_time(days=2)
    assert (await made.happened("time_over")).status is P.PROCESSING
    made.there.status, made.there.pays_until = ProviderStatus.REQUIRES_ACTION, made.terms.created_at + timedelta(days=9)
    assert (await made.refreshed()).status is P.REQUIRES_ACTION
    await made.pass_time(days=3)
    assert (await made.refreshed()).status is P.REQUIRES_ACTION
    await made.pass_time(days=8)
    await made.until("expired")
    assert made.there.status is ProviderStatus.CANCELLED


@pytest.mark.slow
async def test_endless_bank_debit_raises_one_alert_and_stays_awaited(stage: Stage):
    made = await new_payment(stage, **SELDOM)
    await made.create()
    made.there.process()
    await made.refreshed()
    await made.pass_time(days=30)
    assert await made.alerts() == []
    await made.pass_time(days=7)
    assert (await made.happened("overdue")).status is P.PROCESSING
    await made.pass_time(days=30)
    assert await made.alerts() == ["payment.overdue"]
    assert (await made.kinds()).count("overdue") == 1
    await replay(await made.handle.fetch_history())
    made.there.pay()
    assert (await made.refreshed()).status is P.SUCCEEDED


async def test_approved_payment_is_captured(stage: Stage):
    made = await new_payment(stage)
    await made.create()
    made.there.approved = True
    await made.refreshed()
    assert (await made.until("succeeded")).received_minor == 1000
    # The news books no money: it has the payment looked at, and what is approved there is confirmed, once.
    mine = [name for name, key in stage.fake.calls if made.there.ref in key or made.terms.payment_id in key]
    assert (mine.count("confirm"), mine[:2]) == (1, ["create", "retrieve"])
    assert await made.kinds() == ["created", "submitted", "received"]


@pytest.mark.slow
async def test_declined_approval_is_retried_only_after_a_new_approval(stage: Stage):
    made = await new_payment(stage, first_poll_seconds=60, longest_poll_seconds=60)
    await made.create()
    made.there.approved = made.there.refuses_what_was_approved = True
    await made.event()
    while (await made.state()).decline is None:
        await again()
    before, kinds = len(stage.fake.calls), await made.kinds()
    await made.pass_time(minutes=10)
    # Polls have looked, and nothing was tried or noted anew.
    mine = [name for name, key in stage.fake.calls[before:] if made.there.ref in key or made.terms.payment_id in key]
    assert set(mine) == {"retrieve"}
    assert await made.kinds() == kinds
    made.there.refuses_what_was_approved = False
    await made.event()
    assert (await made.until("succeeded")).decline is None


@pytest.mark.slow
async def test_payment_that_the_provider_no_longer_has_expires_after_its_deadline(stage: Stage):
    made = await new_payment(stage)
    await made.create()
    made.there.gone_for_good = True
    await made.event()
    await made.pass_time(hours=24)
    assert (await made.until("expired")).received_minor == 0


@pytest.mark.slow
async def test_events_of_a_payment_that_the_provider_no_longer_has_are_handled_after_its_end(stage: Stage):
    """As PayPal's CHECKOUT.PAYMENT-APPROVAL.REVERSED, after which the order is not found any more."""
    made = await new_payment(stage)
    await made.create()
    made.there.gone_for_good = True
    early = await made.event()
    await made.pass_time(minutes=10)
    assert not await made.is_handled(early)  # it can still be paid, and the inbox tells of the event again
    await made.pass_time(hours=24)
    await made.until("expired")
    await made.handled(await made.event(early))
    await made.handled(await made.event())
    assert (await made.kinds())[-1] == "expired"
    await replay(await made.handle.fetch_history())


@pytest.mark.slow
async def test_news_of_a_paid_payment_that_the_provider_does_not_find_stay_unhandled(stage: Stage):
    made = await paid(stage)
    made.there.gone_for_good = True
    event_id = await made.event()
    await made.pass_time(minutes=10)
    assert not await made.is_handled(event_id)


async def test_an_authorized_payment_is_captured_in_part(stage: Stage):
    made = await new_payment(stage, manual_capture=True)
    await made.create()
    assert (await made.send("confirm", method_ref="pm_ok")).status == "requires_capture"
    assert await refused(made.send("capture", amount_minor=1001)) == "request.invalid"
    assert (await made.send("capture", amount_minor=600)).status == "succeeded"
    state = await made.state()
    assert (state.received_minor, state.granted_minor) == (600, 60_000_000)


async def test_cancelled_payment_accepts_no_command(stage: Stage):
    made = await new_payment(stage)
    await made.create()
    assert (await made.send("cancel")).status == "cancelled"
    assert await refused(made.send("confirm")) == "payment.wrong_state"
    assert await refused(made.send("refund")) == "payment.wrong_state"


async def test_money_for_the_balance_is_cash(stage: Stage):
    purpose = Purpose(kind=PurposeKind.BALANCE, goods_asset="USD", goods_minor=1000)
    made = await paid(stage, purpose=purpose)
    assert await made.money() == {"wallet": 1000, "own": 0, "debt": 0}
    await made.send("refund", amount_minor=250)
    assert await made.money() == {"wallet": 750, "own": 0, "debt": 0}


async def test_a_run_that_ended_is_started_again_by_news(stage: Stage):
    made = await paid(stage)
    assert await made.end() == "succeeded"
    made.there.dispute()
    assert (await made.refreshed()).status is P.DISPUTED


async def test_terminated_run_resumes_from_the_books(stage: Stage):
    made = await new_payment(stage)
    await made.create()
    await made.handle.terminate("test")
    made.there.pay()
    assert (await made.refreshed()).status is P.SUCCEEDED
    assert stage.fake.count(made.terms.payment_id) == 1


async def test_the_payer_has_until_the_deadline_only(stage: Stage):
    made = await new_payment(stage, first_poll_seconds=600)
    await made.create()
    await made.pass_time(hours=22)
    assert (await made.state()).status is P.REQUIRES_ACTION
    made.there.at += timedelta(hours=22)
    made.there.fail()
    assert (await made.refreshed()).status is P.FAILED


@pytest.mark.slow
async def test_command_during_a_refresh_is_decided_on_the_new_state(stage: Stage, monkeypatch):
    made = await new_payment(stage)
    await made.create()
    made.there.pay()
    asked, answered, read = asyncio.Event(), asyncio.Event(), stage.fake.retrieve

    async def slowly(ref: str):
        asked.set()
        await answered.wait()
        return await read(ref)

    monkeypatch.setattr(stage.fake, "retrieve", slowly)
    await made.event()
    await asked.wait()
    refund = asyncio.create_task(made.send("refund", amount_minor=400))
    accepted = "workflow_execution_update_accepted_event_attributes"
    while not refund.done():
        history = await made.handle.fetch_history()
        names = [
            getattr(event, accepted).accepted_request.input.name for event in history.events if event.HasField(accepted)
        ]
        if "refund" in names:
            break
        await again()
    answered.set()
    assert (await refund).status == "partially_refunded"
