"""Subscriptions that an operator gives up because their provider never answered."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from unittest.mock import AsyncMock

import pytest
from sqlalchemy import insert, select

from contracts.billing.subscription import SubscriptionSignal
from contracts.runs import subscription_news
from domain.billing.subscription.snapshot import ProviderState
from domain.billing.subscription.state import Subscription, SubscriptionStatus
from models.messages.alert import Alert
from models.payments.provider_event import ProviderEventRow
from providers.payments.base import ProviderRefused
from providers.subscriptions.base import NewSubscription
from repositories.billing import subscription as subscriptions
from repositories.payments import provider_event
from runtime import reach
from runtime.identity import new_id
from tests.support.histories import replay, replay_and_keep
from tests.support.locks import somebody_waits
from tests.support.looking import again
from tests.workflows.conftest import Stage
from tests.workflows.subscriptions import Subscriber, subscriber

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip]


async def until(one: Subscriber, kind: str) -> None:
    while kind not in await one.kinds():
        await again()


async def given_up(one: Subscriber, **fields: object) -> None:
    signal = SubscriptionSignal(**{"operator": "kim", "reason": "It is not there.", **fields})
    await reach.signal(one.stage.client, one.run, "give_up", signal)


async def news_that_come_while_others_are_marked(one: Subscriber, held: Subscription) -> None:
    """Both are marked, so the inbox does not bring the second one again."""
    database, ids = one.stage.database, [new_id("evt"), new_id("evt")]
    row = {"provider": "stripe", "type": "invoice.paid", "status": "forwarded", "refs": [], "livemode": False}
    async with database.platform() as session:
        rows = [{**row, "event_id": each, "payload": {}, "occurred_at": datetime.now(UTC)} for each in ids]
        await session.execute(insert(ProviderEventRow), rows)
    async with database.platform() as session:
        await subscriptions.lock(session, held.subscription_id)
        await reach.signal(one.stage.client, *subscription_news(held, principal="test", event_id=ids[0]))
        await somebody_waits(database)
        await reach.signal(one.stage.client, *subscription_news(held, principal="test", event_id=ids[1]))
    await one.handle.result()
    async with database.platform() as session:
        marked = [await provider_event.get(session, "stripe", each) for each in ids]
    assert [each is not None and each.handled_at is not None for each in marked] == [True, True]


async def test_subscription_created_after_all_ends_at_the_provider_with_an_alert(stage: Stage) -> None:
    one, fake = await subscriber(stage), stage.subscriptions
    fake.silent.add(one.customer)
    ordering = asyncio.ensure_future(one.subscribe())
    await until(one, "answer_lost")
    await given_up(one)
    await ordering
    await one.handle.result()
    await replay_and_keep(await one.handle.fetch_history(), "subscription/given_up")
    fake.silent.clear()
    held, order = await one.state(), one.start.subscription
    assert order.terms.price_id is not None
    new = NewSubscription(
        subscription_id=order.subscription_id,
        org_id=order.org_id,
        customer=one.customer,
        price_id=order.terms.price_id,
    )
    made = await fake.create(new, idempotency_key="late")
    for number in (1, 2):
        await reach.signal(stage.client, *subscription_news(held, principal="test", event_id=f"evt_{number}"))
        await one.handle.result()
    assert fake.there[made.ref].state is ProviderState.CANCELED
    async with stage.database.platform() as session:
        [told] = await session.scalars(select(Alert).where(Alert.subject == held.subscription_id))
    assert told.kind == "subscription.made_after_all"
    assert made.bills[0].ref in told.detail
    await replay_and_keep(await one.handle.fetch_history(), "subscription/resumed")


async def test_refused_end_at_the_provider_raises_an_alert_and_the_run_ends(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, fake = await subscriber(stage), stage.subscriptions
    fake.silent.add(one.customer)
    ordering = asyncio.ensure_future(one.subscribe())
    await until(one, "answer_lost")
    await given_up(one)
    await ordering
    await one.handle.result()
    held = await one.state()
    gone = AsyncMock(side_effect=ProviderRefused("No such customer.", code="resource_missing"))
    monkeypatch.setattr(fake, "find", gone)
    await reach.signal(stage.client, *subscription_news(held, principal="test", event_id="evt_gone"))
    await one.handle.result()
    async with stage.database.platform() as session:
        [told] = await session.scalars(select(Alert).where(Alert.subject == held.subscription_id))
    assert told.kind == "subscription.made_after_all"
    assert "No such customer." in told.detail


async def test_unanswered_change_is_given_up_and_the_earlier_terms_continue(stage: Stage) -> None:
    one = await subscriber(stage)
    await one.subscribe()
    await given_up(one)
    await until(one, "command_refused")
    stage.subscriptions.silent.add(one.customer)
    changing = asyncio.ensure_future(one.change("professional"))
    await until(one, "answer_lost")
    await given_up(one)
    await until(one, "order_given_up")
    assert (await changing).declined == "given_up"
    stage.subscriptions.silent.clear()
    asked = len(stage.subscriptions.calls)
    held = await one.state()
    assert (held.terms.plan, held.change, held.order) == ("starter", None, None)
    # It looks at what the provider has, and orders nothing again; the next order is taken.
    await one.cancel_at_end()
    assert (await one.state()).cancel_at_period_end
    assert len(stage.subscriptions.calls) == asked + 1
    [refused, dropped] = [each for each in await one.timeline() if each.kind in {"command_refused", "order_given_up"}]
    assert refused.details["code"] == "subscription.wrong_state"
    assert (dropped.actor, dropped.details) == (
        "temporal-ui:kim",
        {"order": "upgrade", "why": "given_up", "reason": "It is not there."},
    )
    await replay(await one.handle.fetch_history())


async def test_unanswered_subscription_is_given_up_and_another_one_begins(stage: Stage) -> None:
    one = await subscriber(stage)
    stage.subscriptions.silent.add(one.customer)
    ordering = asyncio.ensure_future(one.subscribe())
    await until(one, "answer_lost")
    await given_up(one, operator=None)
    await until(one, "command_refused")
    await given_up(one, give_up="sub_other")
    while (await one.kinds()).count("command_refused") < 2:
        await again()
    await given_up(one)
    assert (await ordering).declined == "given_up"
    assert (await one.handle.result())["status"] == "ended"
    stage.subscriptions.silent.clear()
    held = await one.state()
    assert (held.status, held.ended_why) == (SubscriptionStatus.ENDED, "given_up")
    # What the provider says of it later is marked, and changes nothing.
    news = subscription_news(held, principal="test", event_id="evt_late")
    await reach.signal(stage.client, *news)
    await one.handle.result()
    assert (await one.state()).version == held.version
    await news_that_come_while_others_are_marked(one, held)
    wanted = replace(one.start.subscription, subscription_id=new_id("sub"))
    start = one.start.model_copy(update={"subscription": wanted, "command_id": new_id("cmd")})
    assert (await Subscriber(stage, start).subscribe()).status == "active"
