"""A payout's run: sent once, looked up without a response, returned to the earnings if it cannot be sent."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text
from temporalio.client import WorkflowUpdateFailedError

from activities.payments.inbox import InboxActivities
from contracts.payments.payment import DispatchProviderEvent
from contracts.payouts.payout import GiveUpPayout, PayoutResult, PayoutSignal
from contracts.runs import payout_news
from domain.common import accounts
from domain.common.access import Actor, Role
from domain.common.errors import DomainError
from domain.common.money import CREDIT
from domain.payments.payment.event_types import handling_of
from domain.payments.payment.snapshot import ProviderEvent
from domain.payouts.payout.schedule import PayoutInterval, PayoutSchedule
from domain.risk.case import HoldKind, NewHold
from ledger.gateway import Ledger
from models.messages.alert import Alert
from providers.payments.base import OutcomeUnknown
from providers.payouts.base import NewTransfer
from repositories.common.listing import ListFilter
from repositories.payments import provider_event
from repositories.payouts import payout as payouts, payout_schedule
from repositories.risk import case as cases
from runtime import reach
from runtime.database import driver_connection
from runtime.identity import new_id
from runtime.interceptors import domain_error_from
from services.tenants import organization
from tests.support.histories import replay, replay_and_keep
from tests.support.looking import again
from tests.workflows.conftest import stage_on
from tests.workflows.payment_driver import paid
from tests.workflows.payout_driver import taken_out
from workflows.common.handling import EarningsRecoveryWorkflow, ScheduledPayoutsWorkflow
from workflows.common.sweeps import PayoutSweepWorkflow

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip]

ALL = {"CREDIT": 1_000_000_000}


async def test_sent_payout_settles_the_payable(stage):
    made = await taken_out(stage)
    clearing = accounts.provider_clearing("fake", "USD")

    async def held():
        async with stage.database.platform() as session:
            return (await Ledger(await driver_connection(session)).balance(clearing)).posted_minor

    before = await held()
    await made.begin()
    assert (await made.handle.result()).status == "paid"
    state = await made.state()
    assert (state.transfer_ref, state.amount_minor) == (f"tr_{made.payout.payout_id}", 2990)
    assert await made.kinds() == ["requested", "paid"]
    assert await held() - before == 2990
    async with stage.database.platform() as session:
        own = accounts.payout(made.payout.payout_id, CREDIT, made.payout.org_id)
        assert (await Ledger(await driver_connection(session)).balance(own)).posted_minor == 0
        mails = text("SELECT kind, data ->> 'amount' FROM mails WHERE org_id = :org_id")
        sent = await session.execute(mails, {"org_id": made.payout.org_id})
        assert [tuple(row) for row in sent] == [("payout_sent", "29.90")]
    assert stage.payouts.keys.count(f"payout:{made.payout.payout_id}:transfer:1") == 1
    await replay_and_keep(await made.handle.fetch_history(), "payout/paid")


async def test_refused_payout_returns_to_the_earnings_with_a_notification(stage):
    made = await taken_out(stage, "refused")
    assert await made.earnings() == {"CREDIT": 0}
    await made.begin()
    assert (await made.handle.result()).status == "failed"
    assert await made.earnings() == ALL
    assert (await made.state()).failure_code == "account_invalid"
    async with stage.database.platform() as session:
        mails = "SELECT kind FROM mails WHERE org_id = :org_id"
        assert list(await session.scalars(text(mails), {"org_id": made.payout.org_id})) == ["payout_failed"]
    await replay_and_keep(await made.handle.fetch_history(), "payout/failed")


async def test_changed_destination_stops_earlier_requests(stage):
    made = await taken_out(stage)
    stage.payouts.banks[made.payout.account_ref] = "another bank"
    await made.begin()
    assert (await made.handle.result()).status == "failed"
    assert (await made.state()).failure_code == "payout.destination_held"
    assert await made.earnings() == ALL
    assert made.payout.payout_id not in stage.payouts.sent


async def test_payout_waits_for_funds_without_failing(stage):
    made = await taken_out(stage, "short")
    await made.reaches("waiting_for_funds")
    stage.payouts.modes[made.payout.account_ref] = "ok"
    await stage.env.fast_forward(made.handle, timedelta(hours=1))
    assert (await made.handle.result()).status == "paid"
    assert (await made.kinds())[-1] == "paid"
    # The provider would repeat its refusal under the first key.
    assert f"payout:{made.payout.payout_id}:transfer:1" not in stage.payouts.keys
    await replay(await made.handle.fetch_history())


async def test_payout_waits_while_a_case_holds_the_earnings_and_is_sent_afterwards(stage):
    made = await taken_out(stage)
    case_id, now = new_id(cases.PREFIX), datetime.now(UTC)
    hold = NewHold(kind=HoldKind.EARNINGS, subject=made.payout.org_id, org_id=made.payout.org_id)
    async with stage.database.platform() as session:
        await cases.hold(session, case_id, [hold], now)
    await made.begin()
    while "held" not in await made.kinds():
        await again()
    [event] = [each for each in await made.timeline() if each.kind == "held"][:1]
    assert event.details["case_id"] == case_id
    assert (await made.state()).status == "requested"
    assert made.payout.payout_id not in stage.payouts.sent
    async with stage.database.platform() as session:
        await cases.end_holds(session, case_id, now)
    await stage.env.fast_forward(made.handle, timedelta(hours=1))
    assert (await made.handle.result()).status == "paid"
    await replay(await made.handle.fetch_history())


@pytest.mark.slow
async def test_payout_of_a_new_debtor_is_returned_and_pays_the_debt(stage):
    made = await taken_out(stage, "short")
    await made.reaches("waiting_for_funds")
    await made.owes(250_000_000)
    stage.payouts.modes[made.payout.account_ref] = "ok"
    await stage.env.fast_forward(made.handle, timedelta(hours=1))
    assert (await made.handle.result()).status == "failed"
    assert (await made.state()).failure_code == "payout.debt_open"
    assert await made.earnings() == {"CREDIT": 750_000_000}
    assert made.payout.payout_id not in stage.payouts.sent


@pytest.mark.slow
async def test_payout_requested_before_a_suspension_is_not_sent(stage):
    made = await taken_out(stage, "short")
    await made.reaches("waiting_for_funds")
    operator = Actor(principal="kim", role=Role.OPERATOR)
    async with stage.database.platform() as session:
        await organization.suspend(session, operator, made.payout.org_id, reason="Fraud.", now=datetime.now(UTC))
    stage.payouts.modes[made.payout.account_ref] = "ok"
    await stage.env.fast_forward(made.handle, timedelta(hours=1))
    assert (await made.handle.result()).status == "failed"
    state = await made.state()
    assert (state.failure_code, state.failure) == (
        "organization.suspended",
        "The organization was suspended before the payout was sent. Request it again once the organization is resumed.",
    )
    assert await made.earnings() == ALL
    assert made.payout.payout_id not in stage.payouts.sent


@pytest.mark.slow
async def test_payout_is_not_sent_where_its_organization_was_suspended_during_the_checks(stage, monkeypatch):
    made = await taken_out(stage)
    operator = Actor(principal="kim", role=Role.OPERATOR)

    async def judged(_ledger, org_id):
        async with stage.database.platform() as session:
            await organization.suspend(session, operator, org_id, reason="Fraud.", now=datetime.now(UTC))

    monkeypatch.setattr("services.payouts.payout.refuse_debtor", judged)
    await made.begin()
    assert (await made.handle.result()).status == "failed"
    assert (await made.state()).failure_code == "organization.suspended"
    assert made.payout.payout_id not in stage.payouts.sent


@pytest.mark.slow
async def test_operators_are_called_where_an_organization_was_suspended_while_its_payout_was_sent(stage, monkeypatch):
    made, other = await taken_out(stage), await taken_out(stage)
    operator, transfer = Actor(principal="kim", role=Role.OPERATOR), stage.payouts.transfer

    async def suspended_meanwhile(asked, *, idempotency_key):
        if asked.payout_id == made.payout.payout_id:
            async with stage.database.platform() as session:
                await organization.suspend(
                    session, operator, made.payout.org_id, reason="Fraud.", now=datetime.now(UTC)
                )
        return await transfer(asked, idempotency_key=idempotency_key)

    monkeypatch.setattr(stage.payouts, "transfer", suspended_meanwhile)
    for each, alerts in ((made, 1), (other, 0)):
        await each.begin()
        assert (await each.handle.result()).status == "paid"
        async with stage.database.platform() as session:
            raised = list(await session.scalars(select(Alert).where(Alert.subject == each.payout.payout_id)))
        assert [alert.kind for alert in raised] == ["payout.sent_while_suspended"] * alerts
        assert all(each.payout.account_ref in alert.detail and not alert.shared for alert in raised)


@pytest.fixture
async def alone(idle_server, fresh_database_urls):
    """A stage whose database has no payouts but those of one test."""
    async with stage_on(idle_server, fresh_database_urls) as made:
        yield made


@pytest.mark.slow
async def test_funds_wake_the_oldest_payouts_of_their_currency_once(alone, monkeypatch):
    stage = alone
    monkeypatch.setattr("activities.payments.inbox.MAX_WOKEN_PAYOUTS", 2)
    monkeypatch.setattr(
        "activities.payments.inbox.handling_of", lambda _, event_type: handling_of("stripe", event_type)
    )
    made = [await taken_out(stage, "short") for _ in range(3)]
    inbox = InboxActivities(stage.database, stage.client)

    async def happens(*refs, **amounts):
        event_id = new_id("evt")
        available = [{"currency": currency, "amount": amount} for currency, amount in amounts.items()]
        event = ProviderEvent(
            event_id=event_id,
            type="balance.available",
            occurred_at=datetime.now(UTC),
            payment_id=None,
            refs=refs,
            livemode=False,
            payload={"data": {"object": {"object": "balance", "available": available}}},
        )
        async with stage.database.platform() as session:
            await provider_event.store(await driver_connection(session), "fake", event, "received", handled=False)
        asked = DispatchProviderEvent(provider="fake", event_id=event_id, last_try=False)
        return asked, (await inbox.dispatch(asked)).outcome

    for each in made:
        await each.reaches("waiting_for_funds")
    assert (await happens("acct_of_a_creator", usd=2000))[1] == "ignored"
    assert (await happens(eur=2000, usd=0))[1] == "ignored"
    asked, outcome = await happens(usd=2000, eur=-1)
    assert outcome == "forwarded"
    for each in made[:2]:
        while "funds_available" not in await each.kinds():
            await again()
    assert (await inbox.dispatch(asked)).outcome == "forwarded"
    waits = [(await each.state()).next_at - (await each.timeline())[-1].at for each in made]
    # What is answered after the signals is answered after what they did.
    await reach.signal(stage.client, *payout_news(made[0].payout, event_id="evt_late", place=0))
    assert await made[0].handle.query("version") == (await made[0].state()).version
    assert [wait.total_seconds() for wait in waits] == [60, 61, 900]
    assert [(await each.kinds()).count("funds_available") for each in made] == [1, 1, 0]
    for each in made:
        stage.payouts.modes[each.payout.account_ref] = "ok"
    for each in made[:2]:
        await stage.env.fast_forward(each.handle, timedelta(minutes=2))
    assert [(await each.handle.result()).status for each in made[:2]] == ["paid"] * 2
    assert (await made[2].state()).status == "waiting_for_funds"
    await stage.env.fast_forward(made[2].handle, timedelta(hours=1))
    assert (await made[2].handle.result()).status == "paid"
    await replay(await made[0].handle.fetch_history())


async def test_pitfall_10_unknown_payout_is_looked_up_and_never_sent_twice(stage):
    made = await taken_out(stage, "lost")
    await made.reaches("unknown")
    stage.payouts.modes[made.payout.account_ref] = "ok"
    await reach.signal(stage.client, made.run, "look", PayoutSignal(operator="kim"))
    assert (await made.handle.result()).status == "paid"
    assert stage.payouts.keys.count(f"payout:{made.payout.payout_id}:transfer:1") <= 1
    await replay(await made.handle.fetch_history())


@pytest.mark.slow
async def test_payout_in_progress_is_not_returned_after_a_refused_retry(stage, monkeypatch):
    """The provider works on a request that we gave up waiting for, and shows it later than the bank was changed."""
    made = await taken_out(stage)
    transfer, late = stage.payouts.transfer, []

    async def slow(asked, *, idempotency_key):
        if asked.payout_id != made.payout.payout_id:
            return await transfer(asked, idempotency_key=idempotency_key)
        late.append((asked, idempotency_key))
        raise OutcomeUnknown("timed out")

    monkeypatch.setattr(stage.payouts, "transfer", slow)
    await made.reaches("unknown")
    stage.payouts.banks[made.payout.account_ref] = "another bank"
    await stage.env.fast_forward(made.handle, timedelta(minutes=5))
    assert ((await made.state()).status, len(late)) == ("unknown", 1)
    assert (await made.timeline())[-1].details["code"] == "payout.destination_held"
    asked, key = late[0]
    await transfer(asked, idempotency_key=key)
    await stage.env.fast_forward(made.handle, timedelta(days=1))
    assert (await made.handle.result()).status == "paid"
    await replay(await made.handle.fetch_history())


async def test_unsent_payout_is_returned_an_hour_after_the_last_attempt(stage):
    made = await taken_out(stage)
    stage.payouts.modes[made.payout.account_ref] = "lost"
    await made.reaches("unknown")
    stage.payouts.modes[made.payout.account_ref] = "ok"
    stage.payouts.banks[made.payout.account_ref] = "another bank"
    await stage.env.fast_forward(made.handle, timedelta(days=1))
    assert (await made.handle.result()).status == "failed"
    state, timeline = await made.state(), await made.timeline()
    assert state.failure_code == "payout.destination_held"
    assert state.unanswered_at is not None
    assert timeline[-1].at - state.unanswered_at >= timedelta(hours=1)
    assert await made.earnings() == ALL


@pytest.mark.slow
async def test_operator_gives_up_an_unsent_payout(stage):
    made = await taken_out(stage, "lost")
    await made.reaches("unknown")
    command = GiveUpPayout(command_id=new_id("cmd"), actor=made.actor, reason="Not at the provider.")
    with pytest.raises(WorkflowUpdateFailedError) as alone:
        await reach.update(
            stage.client, made.run, "give_up", command, update_id=new_id("upd"), result_type=PayoutResult
        )
    refusal = domain_error_from(alone.value)
    assert refusal is not None
    assert refusal.error_code == "approval.required"
    await made.approved()
    result = await reach.update(
        stage.client, made.run, "give_up", command, update_id=new_id("upd"), result_type=PayoutResult
    )
    assert result.status == "failed"
    assert await made.earnings() == ALL
    assert (await made.state()).failure == "Not at the provider."
    await replay_and_keep(await made.handle.fetch_history(), "payout/given_up")


@pytest.mark.slow
async def test_resumed_run_looks_up_and_finds_a_sent_payout(stage):
    made = await taken_out(stage, "lost")
    await made.reaches("unknown")
    await made.handle.terminate("by hand")
    stage.payouts.modes[made.payout.account_ref] = "ok"
    sent = NewTransfer(
        payout_id=made.payout.payout_id,
        account_ref=made.payout.account_ref,
        amount_minor=made.payout.amount_minor,
        currency="USD",
    )
    await stage.payouts.transfer(sent, idempotency_key="the lost run")
    async with stage.database.platform() as session:
        await session.execute(
            text("UPDATE payouts SET wake_at = now() - interval '1 hour' WHERE id = :id"),
            {"id": made.payout.payout_id},
        )
    sweep = await stage.client.start_workflow(PayoutSweepWorkflow.run, id=new_id("sweep"), task_queue="bursar")
    assert (await sweep.result()).started >= 1
    await replay_and_keep(await sweep.fetch_history(), "payout-sweep/completed")
    while (await made.state()).status != "paid":
        await again()
    assert not [key for key in stage.payouts.keys if made.payout.payout_id in key]


@pytest.mark.slow
async def test_payout_whose_transfer_has_another_amount_waits_for_operators(stage):
    """It was requested again after the books were restored, with other earnings."""
    made = await taken_out(stage)
    other = NewTransfer(
        payout_id=made.payout.payout_id, account_ref=made.payout.account_ref, amount_minor=1000, currency="USD"
    )
    await stage.payouts.transfer(other, idempotency_key="before the restore")
    await made.reaches("unknown")
    detail = f"The provider has tr_{made.payout.payout_id} of 10.00 USD for it, which is not the amount of the payout."
    assert (await made.timeline())[-1].details == {"tries": 1, "code": "payout.other_amount", "detail": detail}
    async with stage.database.platform() as session:
        query = select(Alert.kind, Alert.detail).where(Alert.subject == made.payout.payout_id)
        [(kind, said)] = (await session.execute(query)).all()
    assert kind == "payout.unknown"
    assert said.endswith(f" {detail}")
    await made.approved()
    command = GiveUpPayout(command_id=new_id("cmd"), actor=made.actor, reason="Sent before the restore.")
    result = await reach.update(
        stage.client, made.run, "give_up", command, update_id=new_id("upd"), result_type=PayoutResult
    )
    assert result.status == "failed"
    assert await made.earnings() == ALL


@pytest.mark.slow
async def test_payout_whose_transfer_went_to_another_account_waits_for_operators(stage):
    """The creator of the payout has not got the transfer with its id."""
    made = await taken_out(stage)
    payout_id, amount = made.payout.payout_id, made.payout.amount_minor
    other = NewTransfer(payout_id=payout_id, account_ref="acct_ok_other", amount_minor=amount, currency="USD")
    await stage.payouts.transfer(other, idempotency_key="another account")
    await made.reaches("unknown")
    detail = f"The provider has tr_{payout_id} to acct_ok_other for it, which is not the account of the payout."
    assert (await made.timeline())[-1].details == {"tries": 1, "code": "payout.other_account", "detail": detail}
    async with stage.database.platform() as session:
        query = select(Alert.kind, Alert.detail).where(Alert.subject == payout_id)
        [(kind, said)] = (await session.execute(query)).all()
    assert kind == "payout.unknown"
    assert said.endswith(f" {detail}")
    assert not [key for key in stage.payouts.keys if payout_id in key]


@pytest.mark.slow
async def test_payout_that_restored_books_hold_again_is_sent_although_a_run_of_it_had_ended(stage):
    """Its command was repeated after the restore, and names the same payout."""
    made = await taken_out(stage)
    ended = await stage.client.start_workflow(PayoutSweepWorkflow.run, id=made.run.workflow_id, task_queue="bursar")
    await ended.result()
    await made.begin()
    assert (await made.handle.result()).status == "paid"
    assert await made.kinds() == ["requested", "paid"]


@pytest.mark.slow
async def test_paid_payout_cannot_be_given_up(stage):
    made = await taken_out(stage)
    await made.begin()
    await made.handle.result()
    from domain.payouts.payout.commands import given_up

    with pytest.raises(DomainError) as refusal:
        given_up(await made.state(), actor="kim", reason="")
    assert refusal.value.error_code == "payout.wrong_state"


async def test_pitfall_9_payout_of_charged_back_earnings_is_reversed_once(stage):
    card = await paid(stage)
    made = await taken_out(stage, by_card=card)
    await made.begin()
    assert (await made.handle.result()).status == "paid"
    ref = card.there.dispute()
    await card.refreshed()
    card.there.close_dispute(ref, won=False)
    await card.refreshed()
    batch = await stage.client.start_workflow(EarningsRecoveryWorkflow.run, id=new_id("sweep"), task_queue="bursar")
    done = await batch.result()
    assert (done.recovered, done.reversed) >= (1, 1)
    await replay_and_keep(await batch.fetch_history(), "earnings-recovery/completed")
    again = await stage.client.start_workflow(EarningsRecoveryWorkflow.run, id=new_id("sweep"), task_queue="bursar")
    await again.result()
    back = [each for each in stage.payouts.back.values() if each.transfer_ref == f"tr_{made.payout.payout_id}"]
    assert [each.amount_minor for each in back] == [1000]
    assert (await card.money())["debt"] == 0


async def test_schedule_pays_out_once_a_day_and_tries_a_held_day_again(stage):
    made = await taken_out(stage, "refused")
    org = made.payout.org_id
    await made.begin()
    await made.handle.result()  # back in the earnings
    stage.payouts.modes[made.payout.account_ref] = "ok"

    async def due(day_before=1):
        async with stage.database.platform() as session:
            await payout_schedule.put(
                session,
                org,
                PayoutSchedule(interval=PayoutInterval.DAILY),
                next_on=datetime.now(UTC).date() - timedelta(days=day_before),
                by="test",
                at=datetime.now(UTC),
            )

    async def batch():
        run = await stage.client.start_workflow(ScheduledPayoutsWorkflow.run, id=new_id("sweep"), task_queue="bursar")
        await run.result()
        async with stage.database.platform() as session:
            return run, await payout_schedule.find(session, org)

    await due()
    stage.payouts.banks[made.payout.account_ref] = "another bank"
    _, row = await batch()
    assert (row.last_refusal, row.last_payout_id) == ("payout.destination_held", None)
    assert row.next_on == datetime.now(UTC).date() - timedelta(days=1)
    async with stage.database.platform() as session:
        await session.execute(
            text("UPDATE creator_accounts SET destination_changed_at = NULL WHERE org_id = :org"), {"org": org}
        )
    run, row = await batch()
    await replay_and_keep(await run.fetch_history(), "scheduled-payouts/completed")
    assert (row.last_refusal, row.next_on > datetime.now(UTC).date()) == (None, True)
    first = row.last_payout_id
    # The same day once more, as when a batch was killed before its schedule moved on.
    await due()
    _, row = await batch()
    assert row.last_payout_id == first
    async with stage.database.platform() as session:
        assert len((await payouts.page(session, ListFilter(org_id=org, limit=10))).rows) == 2
