"""Receivers and targets that hang hold slots of their own, and money never waits for them."""

import asyncio
import base64
from datetime import UTC, datetime
from typing import Any

import pytest
from temporalio.testing import WorkflowEnvironment

from contracts.runs import rotation_news
from domain.secrets.rotation import RotationStatus
from runtime import reach
from services.secrets import rotation
from tests.support.looking import again
from tests.support.receivers import receiving
from tests.support.rotations import Rotated, Target
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
        assert (await payment.refreshed()).granted_minor == 100_000_000
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


async def test_neither_money_nor_others_wait_for_rotations_at_a_target_that_hangs(
    idle_server: WorkflowEnvironment, database_urls: Any
):
    few = {"activity_slots": 2, "delivery_slots": 2, "delivery_slots_per_organization": 1}
    keys = {"secret_keys": f"k1:{base64.b64encode(b'k' * 32).decode()}", "allow_insecure_webhooks": True}
    hanging, healthy = Target(answering=asyncio.Event()), Target()
    async with (
        receiving(hanging.reply) as held,
        receiving(healthy.reply) as free,
        stage_on(idle_server, database_urls, **few, **keys) as stage,
    ):
        now = datetime.now(UTC)

        async def secret(target: Target, at: Any, of: Rotated | None = None, number: int = 0) -> Rotated:
            document, hosts = target.document(at), (at.url.split("/")[2],)
            if of is None:
                return await Rotated.of(stage.database, document, hosts=hosts, now=now)
            return await of.another(f"api_keys/n{number}", document, hosts=hosts, now=now)

        async def begin(one: Rotated) -> None:
            async with stage.database.platform() as session:
                await rotation.start_now(session, one.vaulted.owner, one.secret.id, grace=None, now=now)
            await reach.signal(stage.client, *rotation_news(one.secret.id, one.vaulted.org_id))

        first = await secret(hanging, held)
        for each in [first, *[await secret(hanging, held, first, number) for number in range(4)]]:
            await begin(each)
            while (await each.held()).status is not RotationStatus.CREATED:
                await again()
        while not held.received:
            await again()
        payment = await new_payment(stage)
        await payment.create()
        payment.there.pay()
        assert (await payment.refreshed()).granted_minor == 100_000_000
        other = await secret(healthy, free)
        await begin(other)
        while (await other.held()).status is not RotationStatus.PROMOTED:
            await again()
        assert len(held.received) == 1
        assert hanging.answering is not None
        hanging.answering.set()
