"""What an operator gives up of a subscription because its provider never answered."""

import asyncio
from dataclasses import replace

import pytest

from contracts.runs import subscription_news
from contracts.subscription import SubscriptionSignal
from domain.subscription.state import SubscriptionStatus
from runtime import reach
from runtime.identity import new_id
from tests.support.histories import replay_and_keep
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


async def test_change_that_was_never_answered_is_given_up_and_what_was_agreed_before_goes_on(stage: Stage) -> None:
    one = await subscriber(stage)
    await one.subscribe()
    with stage.env.with_time_skipping_disabled():
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
    await replay_and_keep(await one.handle.fetch_history(), "subscription_order_given_up")


async def test_subscription_that_was_never_answered_is_given_up_and_another_one_begins(stage: Stage) -> None:
    one = await subscriber(stage)
    stage.subscriptions.silent.add(one.customer)
    with stage.env.with_time_skipping_disabled():
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
    with stage.env.with_time_skipping_disabled():
        await reach.signal(stage.client, *news)
        await one.handle.result()
    assert (await one.state()).version == held.version
    wanted = replace(one.start.subscription, subscription_id=new_id("sub"))
    start = one.start.model_copy(update={"subscription": wanted, "command_id": new_id("cmd")})
    assert (await Subscriber(stage, start).subscribe()).status == "active"
