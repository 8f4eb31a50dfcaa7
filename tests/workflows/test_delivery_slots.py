"""Receivers that hang hold slots of their own, and money never waits for them."""

from typing import Any

import pytest
from temporalio.testing import WorkflowEnvironment

from tests.support.looking import again
from tests.workflows.conftest import stage_on
from tests.workflows.payment_driver import new_payment
from tests.workflows.webhook_driver import endpoint

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip]


async def test_money_moves_while_receivers_hold_every_slot(idle_server: WorkflowEnvironment, database_urls: Any):
    async with stage_on(idle_server, database_urls, activity_slots=2, delivery_slots=2) as stage:
        hanging = await endpoint(stage)
        answers = hanging.hangs()
        endpoints = [hanging, *[await endpoint(stage, of=hanging) for _ in range(2)]]
        await hanging.happens("a")
        for each in endpoints:
            await each.begin()
        while len(hanging.received) < 2:
            await again()
        payment = await new_payment(stage)
        await payment.create()
        payment.there.pay()
        assert (await payment.told()).granted_minor == 100_000_000
        job = await (await stage.award()).delivered()
        await job.send("validate", job.validator, score_e4=9000)
        assert await job.end() == "released"
        assert len(hanging.received) == 2
        answers.set()
        for each in endpoints:
            await each.settled(1)


async def test_the_webhooks_of_one_organization_do_not_wait_for_the_receivers_of_another(
    idle_server: WorkflowEnvironment, database_urls: Any
):
    few = {"delivery_slots": 2, "delivery_slots_per_organization": 1}
    async with stage_on(idle_server, database_urls, **few) as stage:
        hanging, other = await endpoint(stage), await endpoint(stage)
        answers = hanging.hangs()
        endpoints = [hanging, *[await endpoint(stage, of=hanging) for _ in range(2)]]
        await hanging.happens("a")
        await other.happens("a")
        for each in endpoints:
            await each.begin()
        while sum([await each.drains() for each in endpoints]) < 2:
            await again()
        await other.begin()
        await other.settled(1)
        assert len(hanging.received) == 1
        answers.set()
        for each in endpoints:
            await each.settled(1)
    assert len(hanging.received) == 3
