"""What the run of a subscription does: orders, what the provider says to them, and what becomes of both."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import AsyncMock

import pytest
from sqlalchemy import text
from temporalio.client import WorkflowUpdateFailedError

from contracts.billing.subscription import CancelSubscription, SubscriptionEventSignal, SubscriptionResult
from contracts.runs import Run, subscription_look, subscription_news, subscription_run
from domain.billing.subscription.commands import PRICE_CHANGED, order_creation
from domain.billing.subscription.snapshot import BillReason, BillState, ProviderState, SubscriptionSnapshot
from domain.billing.subscription.state import PaymentRequest, SubscriptionStatus, numbered
from domain.billing.subscription.suspension import STILL_CHARGED
from domain.common.access import Actor, Role
from domain.common.period import Anchor, Period
from providers.payments.base import CredentialsRefused, ProviderRefused
from providers.subscriptions.base import Item, SubscriptionDeclined
from repositories.billing import subscription as subscriptions, subscription_bill
from runtime import reach
from runtime.identity import new_id
from runtime.interceptors import domain_error_from
from services.billing.subscription import write
from services.tenants import organization
from tests.support.histories import replay, replay_and_keep
from tests.support.looking import again
from tests.support.subscriptions import bill_of
from tests.workflows.conftest import Stage
from tests.workflows.subscriptions import PLANS, Subscriber, subscriber, terms
from workflows.common.sweeps import SubscriptionSweepWorkflow

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip]

S = SubscriptionStatus


async def new_payment(one: Subscriber, kind: str, count: int = 1) -> None:
    """Wait until the timeline has so many events of a kind."""
    while (await one.kinds()).count(kind) < count:
        await again()


async def tier(one: Subscriber) -> str:
    async with one.stage.database.platform() as session:
        query = text("SELECT tier FROM organizations WHERE id = :id")
        return str(await session.scalar(query, {"id": one.start.subscription.org_id}))


async def test_subscribed_changed_and_cancelled(stage: Stage) -> None:
    one = await subscriber(stage)
    made = await one.subscribe()
    assert (made.status, await tier(one)) == ("active", "starter")
    await one.change("professional")
    assert await tier(one) == "professional"
    await one.cancel_at_end()
    await one.resume()
    ended = await one.send("cancel", CancelSubscription, at_period_end=False)
    assert (ended.status, await tier(one)) == ("ended", "free")
    assert await one.kinds() == [
        *("ordered", "activated", "upgrade_ordered", "upgraded"),
        *("cancellation_ordered", "confirmed", "resumed", "confirmed", "cancellation_ordered", "ended"),
    ]
    async with stage.database.platform() as session:
        sent = text("SELECT kind, data ->> 'plan' FROM mails WHERE org_id = :id ORDER BY id")
        told = [tuple(row) for row in await session.execute(sent, {"id": one.start.subscription.org_id})]
    assert told == [
        ("subscription_confirmed", "Starter"),
        ("subscription_changed", "Professional"),
        ("subscription_cancelled", "Professional"),
        ("subscription_resumed", "Professional"),
        ("subscription_cancelled", "Professional"),
    ]
    await one.handle.result()
    await replay_and_keep(await one.handle.fetch_history(), "subscription/cancelled")


async def test_seats_are_bought_added_and_given_up_at_the_provider(stage: Stage) -> None:
    one = await subscriber(stage, terms=terms("starter").with_seats(3))
    await one.subscribe()
    await one.seats(5)
    [there] = of_customer(one)
    assert (there.quantity, [each.paid_minor for each in there.bills]) == (5, [3 * 2_900, 5 * 2_900])
    with pytest.raises(WorkflowUpdateFailedError) as refusal:
        await one.seats(1)
    told = domain_error_from(refusal.value)
    assert told is not None
    assert (told.error_code, told.extra["limit"], told.extra["used"]) == ("subscription.seats_in_use", 1, 2)
    await one.seats(2)
    state, [there] = await one.state(), of_customer(one)
    assert (state.terms.seats, state.change and state.change.terms.seats, there.quantity) == (5, 2, 2)
    await one.resume()
    state, [there] = await one.state(), of_customer(one)
    assert (state.terms.seats, state.change, there.quantity) == (5, None, 5)
    async with stage.database.platform() as session:
        lines = text("SELECT lines FROM invoices WHERE org_id = :id ORDER BY id")
        found = [row[0] for row in await session.scalars(lines, {"id": one.start.subscription.org_id})]
    assert [(line["quantity"], line["unit_minor"]) for line in found] == [(3, 2_900), (5, 2_900)]
    await one.send("cancel", CancelSubscription, at_period_end=False)
    await one.handle.result()
    await replay(await one.handle.fetch_history())


async def test_second_of_two_that_begin_at_once_is_refused_and_its_run_ends(stage: Stage) -> None:
    one = await subscriber(stage)
    beginning = replace(one.start.subscription, subscription_id=new_id("sub"))
    start = one.start.model_copy(update={"subscription": beginning, "command_id": new_id("cmd")})
    both = (one, Subscriber(stage, start))
    answers = await asyncio.gather(*(each.subscribe() for each in both), return_exceptions=True)
    [refusal] = [each for each in answers if isinstance(each, WorkflowUpdateFailedError)]
    told = domain_error_from(refusal)
    assert told is not None
    assert (told.error_code, told.status, told.extra["plan"]) == ("subscription.exists", 409, "starter")
    loser, winner = both if answers[0] is refusal else reversed(both)
    assert ((await winner.state()).status, await loser.kinds()) == (S.ACTIVE, [])
    assert (await loser.handle.result())["status"] == "ended"
    assert [each.our_id for each in of_customer(one)] == [winner.start.subscription.subscription_id]
    await replay_and_keep(await loser.handle.fetch_history(), "subscription/not_begun")


@pytest.mark.slow
@pytest.mark.parametrize(("status", "http"), [("closed", 409), ("suspended", 403)])
async def test_an_organization_that_was_stopped_meanwhile_is_not_charged_and_the_run_ends(
    stage: Stage, status: str, http: int
) -> None:
    one = await subscriber(stage)
    async with stage.database.platform() as session:
        stop = text("UPDATE organizations SET status = :status, status_by = 't', status_at = now() WHERE id = :id")
        await session.execute(stop, {"status": status, "id": one.start.subscription.org_id})
    with pytest.raises(WorkflowUpdateFailedError) as refusal:
        await one.subscribe()
    told = domain_error_from(refusal.value)
    assert told is not None
    assert (told.error_code, told.status) == (f"organization.{status}", http)
    assert (await one.handle.result())["status"] == "ended"
    assert (of_customer(one), await one.kinds()) == ([], [])


async def cancelled_by(one: Subscriber, run: Run) -> SubscriptionResult:
    """End it now, by a run that is started with what the subscriber has."""
    command = CancelSubscription(command_id=new_id("cmd"), actor=one.actor, at_period_end=False)
    return await reach.update(
        one.stage.client, run, "cancel", command, update_id=command.command_id, result_type=SubscriptionResult
    )


@pytest.mark.slow
async def test_run_takes_its_state_from_the_books_whatever_it_was_started_with(stage: Stage) -> None:
    one = await subscriber(stage)
    await one.subscribe()
    forged = replace(await one.state(), org_id=new_id("org"), ref="another", status=S.ENDED)
    await one.handle.terminate()
    start = one.start.model_copy(update={"subscription": forged})
    ended = await cancelled_by(Subscriber(stage, start), subscription_run(start))
    assert (ended.status, ended.version) == ("ended", (await one.state()).version)
    assert (await one.state()).org_id == one.start.subscription.org_id
    assert [each.state for each in of_customer(one)] == [ProviderState.CANCELED]


@pytest.mark.slow
async def test_cancellation_after_a_run_that_was_lost_ends_what_the_provider_had_made(stage: Stage) -> None:
    one = await subscriber(stage)
    stage.subscriptions.slow[one.customer] = answers = asyncio.Event()
    ordering = asyncio.ensure_future(one.subscribe())
    while not of_customer(one):
        await one.stage.client.service_client.check_health()
    await one.handle.terminate()
    answers.set()
    ended = await one.send("cancel", CancelSubscription, at_period_end=False)
    await asyncio.gather(ordering, return_exceptions=True)
    assert (ended.status, await tier(one)) == ("ended", "free")
    assert [each.state for each in of_customer(one)] == [ProviderState.CANCELED]
    assert await one.kinds() == ["ordered", "cancellation_ordered", "activated", "ended"]
    await replay(await one.handle.fetch_history())


@pytest.mark.slow
async def test_cancellation_of_what_the_provider_never_made_looks_twice_and_then_ends(stage: Stage) -> None:
    one = await subscriber(stage)
    await ordered_without_a_run(one)
    cancelling = asyncio.ensure_future(one.send("cancel", CancelSubscription, at_period_end=False))
    await new_payment(one, "cancellation_ordered")
    await till_skipping(one, "ended")
    assert ((await cancelling).status, of_customer(one)) == ("ended", [])


async def ordered_without_a_run(one: Subscriber) -> None:
    """Write the order as its run does, which was lost before it asked the provider."""
    opened = numbered(order_creation(one.start.subscription, one.start.command_id, actor="kim"), one.start.command_id)
    async with one.stage.database.platform() as session:
        await write(
            session,
            None,
            opened,
            command_id=one.start.command_id,
            actor=None,
            at=datetime.now(UTC) - timedelta(hours=1),
            plans=PLANS,
        )


def of_customer(one: Subscriber) -> list[SubscriptionSnapshot]:
    """Return what the provider has of the organization."""
    return [each for each in one.stage.subscriptions.there.values() if each.customer == one.customer]


async def test_pitfall_21_page_gives_nothing_before_the_payer_has_paid_there(stage: Stage) -> None:
    one = await subscriber(stage, return_url="https://example.com/billing")
    made = await one.subscribe()
    page = (await one.state()).checkout
    assert page is not None
    assert (made.status, await tier(one), of_customer(one)) == ("incomplete", "free", [])
    await stage.subscriptions.paid_on_page(page.ref)
    await reach.signal(stage.client, *subscription_signal(one))
    await new_payment(one, "activated")
    state = await one.state()
    assert (state.status, state.checkout, await tier(one)) == (S.ACTIVE, None, "starter")


@pytest.mark.slow
async def test_page_that_nobody_pays_ends_with_its_time_and_a_cancellation_closes_it(stage: Stage) -> None:
    left, cancelled = [await subscriber(stage, return_url="https://example.com/billing") for _ in range(2)]
    for one in (left, cancelled):
        await one.subscribe()
    assert (await cancelled.send("cancel", CancelSubscription, at_period_end=False)).status == "ended"
    assert [each.subscription_id for each in stage.subscriptions.pages.values()] == [
        left.start.subscription.subscription_id
    ]
    await stage.env.fast_forward(left.handle, timedelta(days=1, minutes=6))
    await left.handle.result()
    state = await left.state()
    assert (state.status, state.ended_why) == (S.ENDED, "checkout_expired")


async def test_one_trial_for_each_organization_and_card_without_credits(stage: Stage) -> None:
    first = await subscriber(stage, trial_days=14, trial_card=new_id("card"))
    card = first.start.subscription.trial_card
    others = [await subscriber(stage, trial_days=14, trial_card=card) for _ in range(2)]
    answers = await asyncio.gather(*(one.subscribe() for one in (first, *others)), return_exceptions=True)
    begun = [answer.status for answer in answers if isinstance(answer, SubscriptionResult)]
    refused = [domain_error_from(each) for each in answers if isinstance(each, WorkflowUpdateFailedError)]
    assert (begun, [each and each.error_code for each in refused]) == (["trialing"], ["subscription.trial_used"] * 2)
    winner = next(
        one for one, answer in zip((first, *others), answers, strict=True) if not isinstance(answer, Exception)
    )
    assert await tier(winner) == "starter"
    async with stage.database.platform() as session:
        query = text("SELECT count(*) FROM credit_lots WHERE org_id = :id")
        assert await session.scalar(query, {"id": winner.start.subscription.org_id}) == 0
    assert (await winner.send("cancel", CancelSubscription, at_period_end=False)).status == "ended"
    again = Subscriber(
        stage,
        winner.start.model_copy(
            update={
                "command_id": new_id("cmd"),
                "subscription": replace(
                    winner.start.subscription, subscription_id=new_id("sub"), trial_card=new_id("card")
                ),
            }
        ),
    )
    with pytest.raises(WorkflowUpdateFailedError):
        await again.subscribe()


@pytest.mark.slow
async def test_trial_on_a_page_is_told_of_before_it_ends_and_its_card_has_no_other(stage: Stage) -> None:
    card, way_back = new_id("card"), "https://example.com/billing"
    first, second, unknown = [await subscriber(stage, trial_days=14, return_url=way_back) for _ in range(3)]
    for one, entered in ((first, card), (second, card), (unknown, None)):
        await one.subscribe()
        if entered is not None:
            stage.subscriptions.cards[one.customer] = entered
        page = (await one.state()).checkout
        assert page is not None
        await stage.subscriptions.paid_on_page(page.ref)
        await reach.signal(stage.client, *subscription_signal(one))
        await new_payment(one, "trial_began" if one is first else "ended")
    assert [(await one.state()).ended_why for one in (first, second, unknown)] == [
        *(None, "trial_used", "trial_card_unknown"),
    ]
    assert [await tier(one) for one in (first, second, unknown)] == ["starter", "free", "free"]
    assert [each.state for each in of_customer(second)] == [ProviderState.CANCELED]
    assert "trial_began" not in await second.kinds()
    # Whose card was refused may try with another one.
    async with stage.database.platform() as session:
        assert await subscriptions.trial_of(session, second.start.subscription) == []

    await stage.env.fast_forward(first.handle, timedelta(days=12))
    await new_payment(first, "trial_ends")
    async with stage.database.platform() as session:
        sent = text("SELECT data ->> 'amount' FROM mails WHERE org_id = :id AND kind = 'trial_ends'")
        told = (await session.scalars(sent, {"id": first.start.subscription.org_id})).all()
    assert (told, (await first.kinds()).count("trial_ends")) == (["29.00"], 1)
    await first.send("cancel", CancelSubscription, at_period_end=False)


async def test_declined_card_ends_a_subscription_before_it_begins_and_another_may_follow(stage: Stage) -> None:
    one = await subscriber(stage)
    stage.subscriptions.declining.add(one.customer)
    made = await one.subscribe()
    assert (made.status, made.declined, await tier(one)) == ("ended", "card_declined", "free")
    async with stage.database.platform() as session:
        assert await subscriptions.current_of(session, one.start.subscription.org_id) is None
    await one.handle.result()
    await replay_and_keep(await one.handle.fetch_history(), "subscription/declined")


@pytest.mark.slow
async def test_declined_change_leaves_what_was_agreed(stage: Stage) -> None:
    one = await subscriber(stage)
    await one.subscribe()
    stage.subscriptions.declining.add(one.customer)
    changed = await one.change("professional")
    state = await one.state()
    assert (changed.declined, state.terms.plan, state.change, await tier(one)) == (
        "card_declined",
        "starter",
        None,
        "starter",
    )


async def test_pitfall_10_order_whose_answer_was_lost_is_looked_up_and_has_its_effect_once(stage: Stage) -> None:
    one = await subscriber(stage)
    stage.subscriptions.away.add(one.customer)
    ordering = asyncio.ensure_future(one.subscribe())
    await new_payment(one, "ordered")
    await till_skipping(one, "answer_lost")
    stage.subscriptions.away.discard(one.customer)
    await one.handle.signal("look", {})
    made = await ordering
    assert made.status == "active"
    assert len(of_customer(one)) == 1
    await replay(await one.handle.fetch_history())


@pytest.mark.slow
async def test_order_that_is_lost_again_and_again_is_noted_once_and_sent_after_growing_pauses(stage: Stage) -> None:
    one = await subscriber(stage)
    stage.subscriptions.losing.add(one.customer)
    await reach.start_missing(stage.client, subscription_run(one.start))
    await new_payment(one, "answer_lost")
    await stage.env.fast_forward(one.handle, timedelta(minutes=10))
    sent = [key for key in stage.subscriptions.calls if one.start.subscription.subscription_id in key]
    assert 4 <= len(sent) < 10
    assert (await one.kinds()).count("answer_lost") == 1
    assert "looked_up" not in await one.kinds()
    await stage.env.fast_forward(one.handle, timedelta(hours=6))
    assert (await one.kinds())[-2:] == ["answer_lost", "order_overdue"]
    assert await not_answered(one) == ["firing"]
    stage.subscriptions.losing.discard(one.customer)
    await one.handle.signal("look", {})
    await stage.env.fast_forward(one.handle, timedelta(minutes=10))
    await new_payment(one, "activated")
    assert (len(of_customer(one)), await not_answered(one)) == (1, ["resolved"])


async def not_answered(one: Subscriber) -> list[str]:
    query = text("SELECT status FROM alerts WHERE subject = :id AND kind = 'subscription.not_answered'")
    async with one.stage.database.platform() as session:
        return list(await session.scalars(query, {"id": one.start.subscription.subscription_id}))


async def till_skipping(one: Subscriber, kind: str) -> None:
    """Let the time of the server pass until the timeline has an event of a kind."""
    while kind not in await one.kinds():
        await one.stage.env.fast_forward(one.handle, timedelta(seconds=20))


async def test_downgrade_acts_with_the_renewal_that_an_event_tells_of(stage: Stage) -> None:
    one = await subscriber(stage, "professional")
    await one.subscribe()
    await one.change("starter")
    state = await one.state()
    assert (state.terms.plan, state.change and state.change.terms.plan) == ("professional", "starter")
    renew(stage, one, "price_2900")
    news = subscription_signal(one)
    await reach.signal(stage.client, *news)
    await new_payment(one, "renewed")
    state = await one.state()
    assert (state.terms.plan, state.change, await tier(one)) == ("starter", None, "starter")


@pytest.mark.slow
async def test_downgrade_that_a_cancellation_drops_is_withdrawn_at_the_provider(stage: Stage) -> None:
    one = await subscriber(stage, "professional")
    await one.subscribe()
    await one.change("starter")
    await one.cancel_at_end()
    state, [there] = await one.state(), of_customer(one)
    assert (state.change, there.cancel_at_period_end, there.price_id) == (None, True, "price_9900")


@pytest.mark.slow
async def test_smaller_plan_that_follows_a_cancellation_is_what_a_resumed_subscription_is_billed_for(
    stage: Stage,
) -> None:
    one = await subscriber(stage, "professional")
    await one.subscribe()
    await one.cancel_at_end()
    await one.change("starter")
    await one.resume()
    state, [there] = await one.state(), of_customer(one)
    assert (state.change and state.change.terms.plan, state.cancel_at_period_end) == ("starter", False)
    assert (there.price_id, there.cancel_at_period_end) == ("price_2900", False)


async def stand(one: Subscriber, to: str) -> None:
    """Suspend or resume the organization, and have its subscription look, as the API does."""
    operator, org_id, at = Actor(principal="kim", role=Role.OPERATOR), one.start.subscription.org_id, datetime.now(UTC)
    async with one.stage.database.platform() as session:
        if to == "suspended":
            await organization.suspend(session, operator, org_id, reason="Investigated.", now=at)
        else:
            await organization.resume(session, operator, org_id, now=at)
    await reach.signal(one.stage.client, *subscription_look(await one.state(), actor=operator))


async def test_suspended_organization_pays_no_further_period_and_goes_on_when_it_is_resumed_before(
    stage: Stage,
) -> None:
    one = await subscriber(stage, "professional")
    await one.subscribe()
    await one.change("starter")
    await stand(one, "suspended")
    while not (state := await one.state()).cancel_at_period_end:
        await again()
    [there] = of_customer(one)
    assert (there.cancel_at_period_end, state.order) == (True, None)
    assert (state.change and state.change.terms.plan, there.price_id) == ("starter", "price_2900")
    await stand(one, "resumed")
    while (state := await one.state()).cancel_at_period_end:
        await again()
    [there] = of_customer(one)
    assert (there.cancel_at_period_end, state.order) == (False, None)
    assert (state.change and state.change.terms.plan, there.price_id) == ("starter", "price_2900")


async def test_operators_hear_of_a_suspended_organization_that_its_provider_goes_on_to_charge(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await subscriber(stage)
    await one.subscribe()
    refused = AsyncMock(side_effect=ProviderRefused("Not now.", code="subscription_locked"))
    with monkeypatch.context() as patch:
        patch.setattr(stage.subscriptions, "cancel", refused)
        await stand(one, "suspended")
        await new_payment(one, "order_declined")
    assert (await one.state()).cancel_at_period_end is False
    query = text("SELECT detail, resolved_at FROM alerts WHERE subject = :id AND kind = :kind")
    values = {"id": one.start.subscription.org_id, "kind": STILL_CHARGED}
    async with stage.database.platform() as session:
        [(detail, resolved)] = await session.execute(query, values)
    assert "stripe refuses to end its subscription" in detail
    assert "subscription_locked. It charges 29.00 USD on " in detail
    assert resolved is None
    await stand(one, "suspended")
    while not (await one.state()).cancel_at_period_end:
        await again()
    async with stage.database.platform() as session:
        [(_, resolved)] = await session.execute(query, values)
    assert resolved is not None


def debited(stage: Stage, one: Subscriber, **news: object) -> None:
    """Have the newest bill at the provider be one that a bank is to pay, or that it has not."""
    there = stage.subscriptions.there
    ref = next(ref for ref, each in there.items() if each.customer == one.customer)
    open_bill = replace(there[ref].bills[-1], state=BillState.OPEN, paid_minor=0)
    there[ref] = replace(there[ref], bills=(*there[ref].bills[:-1], open_bill), **news)


@pytest.mark.slow
async def test_upgrade_whose_bank_debit_fails_after_days_is_undone_at_the_provider(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await subscriber(stage)
    await one.subscribe()
    upgrade = stage.subscriptions.upgrade

    async def by_debit(*args: object, **named: object) -> SubscriptionSnapshot:
        await upgrade(*args, **named)
        debited(stage, one)
        return of_customer(one)[0]

    monkeypatch.setattr(stage.subscriptions, "upgrade", by_debit)
    assert (await one.change("professional")).declined is None
    await stage.env.fast_forward(one.handle, timedelta(days=3))
    state, [there] = await one.state(), of_customer(one)
    assert (state.terms.plan, state.change and state.change.bill_ref) == ("starter", there.bills[-1].ref)
    # Who cancels and goes on after all keeps the upgrade that is on its way.
    await one.cancel_at_end()
    await one.resume()
    [there] = of_customer(one)
    assert (there.cancel_at_period_end, there.price_id) == (False, "price_9900")
    debited(stage, one, state=ProviderState.PAST_DUE)
    await one.handle.signal("look", {})
    await new_payment(one, "upgrade_failed")
    await new_payment(one, "confirmed", 3)
    state, [there] = await one.state(), of_customer(one)
    assert (state.terms.plan, state.status, state.change, state.order) == ("starter", S.ACTIVE, None, None)
    assert (there.price_id, there.bills[-1].state) == ("price_2900", BillState.VOID)
    await one.send("cancel", CancelSubscription, at_period_end=False)
    await one.handle.result()
    await replay(await one.handle.fetch_history())


@pytest.mark.slow
async def test_upgrade_that_costs_more_than_was_ordered_is_declined(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await subscriber(stage)
    await one.subscribe()
    held = (await one.state()).terms
    upgrade = AsyncMock(side_effect=SubscriptionDeclined("It costs more.", code=PRICE_CHANGED))
    monkeypatch.setattr(stage.subscriptions, "upgrade", upgrade)
    assert (await one.change("professional", most_minor=10_000)).declined == PRICE_CHANGED
    asked = upgrade.await_args
    assert asked is not None
    assert (asked.kwargs["held"], asked.kwargs["most_minor"]) == (Item(price_id=held.price_id or ""), 10_000)
    assert (await one.state()).terms == held


@pytest.mark.slow
async def test_downgrade_stays_when_the_provider_refuses_to_resume(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await subscriber(stage, "professional")
    await one.subscribe()
    await one.change("starter")
    gone = AsyncMock(side_effect=ProviderRefused("The price is inactive.", code="resource_missing"))
    monkeypatch.setattr(stage.subscriptions, "resume", gone)
    assert (await one.resume()).declined == "resource_missing"
    state, [there] = await one.state(), of_customer(one)
    assert (state.change and state.change.terms.price_id, there.price_id) == ("price_2900", "price_2900")


@pytest.mark.slow
async def test_cancellation_waits_while_the_provider_rejects_our_key(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dropped as one that the provider declined, it would leave the organization charged for another period."""
    one = await subscriber(stage)
    await one.subscribe()
    cancel, rejects = stage.subscriptions.cancel, 2

    async def rejected_at_first(*asked: Any, **fields: Any) -> Any:
        nonlocal rejects
        if rejects:
            rejects -= 1
            raise CredentialsRefused("The key is rejected.", code="stripe.key_refused")
        return await cancel(*asked, **fields)

    monkeypatch.setattr(stage.subscriptions, "cancel", rejected_at_first)
    assert (await one.cancel_at_end()).declined is None
    [there] = of_customer(one)
    assert there.cancel_at_period_end


@pytest.mark.slow
async def test_downgrade_that_is_resumed_after_its_renewal_is_what_the_provider_has(stage: Stage) -> None:
    one = await subscriber(stage, "professional")
    await one.subscribe()
    await one.change("starter")
    renew(stage, one, "price_2900")
    await one.resume()
    state, [there] = await one.state(), of_customer(one)
    assert (state.terms.plan, state.change, state.order, there.price_id) == ("starter", None, None, "price_2900")


def renew(stage: Stage, one: Subscriber, price_id: str) -> None:
    """Have the provider begin the next period, paid."""
    there = stage.subscriptions.there
    ref = next(ref for ref, each in there.items() if each.customer == one.customer)
    period = Period(start=there[ref].period.end, end=Anchor(at=there[ref].period.start).after(2))
    paid = bill_of(price_id, BillReason.CYCLE, period, period.start)
    there[ref] = replace(there[ref], period=period, bills=(*there[ref].bills, paid))


def subscription_signal(one: Subscriber) -> tuple[Run, str, SubscriptionEventSignal]:
    return subscription_news(one.start.subscription, principal="stripe", event_id="evt_1")


@pytest.mark.slow
async def test_money_for_an_invoice_that_was_given_up_does_not_keep_the_plan_and_it_ends_once(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await subscriber(stage, terms=replace(terms("starter"), net_days=30))
    await one.subscribe()
    state = await one.state()
    assert (state.status, state.requests) == (S.ACTIVE, ())
    # Invoices are given up weeks after they were due, for which a run looks too often to wait here.
    overdue = PaymentRequest(bill_ref=state.settled[-1], credits_minor=0, due_at=datetime.now(UTC) - timedelta(days=31))
    monkeypatch.setattr(subscription_bill, "given_up", AsyncMock(return_value=[overdue]))
    await one.handle.signal("look", {})
    await one.handle.result()
    ended = await one.state()
    assert (ended.status, ended.ended_why, await tier(one)) == (S.ENDED, "not_paid", "free")
    await replay_and_keep(await one.handle.fetch_history(), "subscription/unpaid")
    await reach.signal(stage.client, *subscription_signal(one))
    await one.handle.result()
    assert (await one.kinds()).count("ended") == 1
    async with stage.database.platform() as session:
        told = text("SELECT count(*) FROM mails WHERE org_id = :id AND kind = 'subscription_cancelled'")
        assert await session.scalar(told, {"id": state.org_id}) == 1
    await replay(await one.handle.fetch_history())


async def test_sweep_gives_a_run_to_a_subscription_that_has_something_due_and_none(stage: Stage) -> None:
    one = await subscriber(stage)
    await ordered_without_a_run(one)
    sweep = await stage.client.start_workflow(SubscriptionSweepWorkflow.run, id=new_id("sweep"), task_queue="bursar")
    assert (await sweep.result()).started >= 1
    await replay_and_keep(await sweep.fetch_history(), "subscription-sweep/completed")
    await new_payment(one, "activated")


@pytest.mark.slow
async def test_change_while_one_is_pending_is_refused(stage: Stage) -> None:
    one = await subscriber(stage, "professional")
    await one.subscribe()
    await one.change("starter")
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await one.change("enterprise")
    assert getattr(refused.value.cause, "type", None) == "subscription.change_pending"


async def test_end_at_the_provider_ends_the_run_and_what_comes_later_starts_one_that_looks(stage: Stage) -> None:
    one = await subscriber(stage)
    await one.subscribe()
    there = stage.subscriptions.there
    ref = next(ref for ref, each in there.items() if each.customer == one.customer)
    there[ref] = replace(there[ref], state=ProviderState.CANCELED, ended_at=datetime.now(UTC))
    await one.handle.signal("look", {})
    await one.handle.result()
    assert ((await one.state()).status, await tier(one)) == (S.ENDED, "free")
    await reach.signal(stage.client, *subscription_signal(one))
    await one.handle.result()
    await replay(await one.handle.fetch_history())
