"""The probe: a customer of the platform's own, whose one credit comes back however a run ends."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select
from temporalio import activity
from temporalio.client import WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError, is_cancelled_exception
from temporalio.worker import Worker

from activities.escrow.payment_escrows import PaymentEscrows
from activities.operations.probe import ProbeActivities
from contracts.operations.probe import ProbeStep, ProbeStepResult
from domain.common import accounts
from domain.common.access import Role
from domain.common.errors import Conflict
from domain.common.money import CREDIT, parse_amount
from ledger.gateway import Ledger
from models.escrow.escrow import EscrowRow
from models.messages.alert import Alert
from models.payments.payment import PaymentRow
from models.reputation.reputation import ReputationEventRow
from providers.front_door import FrontDoor
from providers.payments.registry import Providers
from runtime.database import driver_connection
from runtime.identity import new_id
from runtime.jobs import probing_every
from runtime.settings import Settings
from services.operations import probe
from services.operations.probe import ONE_CREDIT, ProbeParty
from services.payments.payment_terms import TermsMaker
from tests.support.histories import replay_and_keep
from tests.support.payments import FakeProvider
from tests.workflows.conftest import Stage
from workflows.operations.probe import ProbeWorkflow

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip]
STEPS = ["prepare", "award", "open", "fund", "deliver", "release", "pay", "refund", "tidy"]


class Hindered(ProbeActivities):
    """The steps, one of which is refused, or hangs once after it had its effect."""

    refused: str | None = None
    hangs: str | None = None

    @activity.defn(name="command_probe")
    async def command(self, message: ProbeStep) -> ProbeStepResult:
        return await self._hindered(message, super().command)

    @activity.defn(name="pay_probe")
    async def pay(self, message: ProbeStep) -> ProbeStepResult:
        return await self._hindered(message, super().pay)

    async def _hindered(self, message: ProbeStep, do: Any) -> ProbeStepResult:
        if message.step == self.refused:
            raise Conflict("Nobody may do that.")
        done: ProbeStepResult = await do(message)
        if message.step == self.hangs:
            self.hangs = None
            activity.heartbeat()
            HANGS.set()
            await asyncio.Event().wait()
        return done


HANGS = asyncio.Event()


@dataclass
class Prober:
    """Runs of the probe on a separate worker, and the balances of its organizations."""

    stage: Stage
    steps: Hindered
    queue: str

    @asynccontextmanager
    async def worker(self) -> AsyncIterator[None]:
        steps = self.steps
        made = [
            steps.prepare,
            steps.check_public_address,
            steps.award,
            steps.command,
            steps.pay,
            steps.refund,
            steps.tidy,
            steps.report,
        ]
        async with Worker(self.stage.client, task_queue=self.queue, workflows=[ProbeWorkflow], activities=made):
            yield

    async def begin(self) -> WorkflowHandle[Any, Any]:
        return await self.stage.client.start_workflow(ProbeWorkflow.run, id=new_id("probe"), task_queue=self.queue)

    async def run(self) -> tuple[Any, WorkflowHandle[Any, Any]]:
        async with self.worker():
            handle = await self.begin()
            result = await handle.result()
            assert "- prepare: " in str(await handle.query("__temporal_workflow_metadata"))
            return result, handle

    async def parties(self) -> tuple[ProbeParty, ProbeParty]:
        async with self.stage.database.platform() as session:
            return await probe.ensure(session, now=datetime.now(UTC))

    async def credits(self) -> list[int]:
        """Return what each of the two can spend, after checking that nothing is anywhere else."""
        parties = await self.parties()
        org_ids = [party.org_id for party in parties]
        async with self.stage.database.platform() as session:
            ledger = Ledger(await driver_connection(session))
            earned = [
                account
                for party in parties
                for account in (
                    accounts.agent_granted_earnings(party.agent_id, party.org_id),
                    accounts.agent_earnings(party.agent_id, CREDIT, party.org_id),
                )
            ]
            assert sum(balance.posted_minor for balance in await ledger.balances(earned)) == 0
            wallets = await ledger.balances([accounts.org_credits(org_id) for org_id in org_ids])
            ended = await session.scalars(select(EscrowRow.status).where(EscrowRow.org_id.in_(org_ids)))
            assert set(ended) <= {"released", "refunded", "cancelled"}
            paid = await session.scalars(select(PaymentRow.status).where(PaymentRow.org_id.in_(org_ids)))
            assert set(paid) <= {"refunded", "failed"}
        return [wallet.posted_minor for wallet in wallets]

    async def alerts(self) -> list[Alert]:
        async with self.stage.database.platform() as session:
            query = select(Alert).where(Alert.kind == "probe_failed").order_by(Alert.id)
            return list(await session.scalars(query))


@pytest.fixture
async def prober(stage: Stage) -> AsyncIterator[Prober]:
    fake, database, client = FakeProvider(), stage.database, stage.client
    terms = TermsMaker(Settings().payment_rules, Providers({"stripe": fake}))
    credits_minor = parse_amount("10", CREDIT)
    steps = Hindered(database, client, PaymentEscrows(database, client), terms, credits_minor=credits_minor)
    stage.fake.pays_at_once = True
    # The clocks of escrows and payments would skip to their deadlines.
    yield Prober(stage, steps, new_id("queue"))
    stage.fake.pays_at_once = False


async def test_one_credit_is_paid_and_refunded_and_nothing_else_is_left(prober: Prober) -> None:
    held = [await prober.credits()]
    for _ in range(3):
        result, handle = await prober.run()
        assert [each.step for each in result.steps] == STEPS
        assert (result.failed, result.why) == (None, None)
        held.append(await prober.credits())
    assert [sum(each) for each in held] == [ONE_CREDIT] * 4
    assert held[0] == held[2] != held[1] == held[3]
    await replay_and_keep(await handle.fetch_history(), "probe/passed")


class Shut(FrontDoor):
    """An address check that waits until it is opened."""

    def __init__(self) -> None:
        self.is_shut = False

    async def check(self) -> None:
        if self.is_shut:
            raise ApplicationError("The certificate has expired.", non_retryable=True)


async def test_the_public_address_is_checked_before_anything_is_awarded(prober: Prober) -> None:
    prober.steps._door = door = Shut()
    result, _ = await prober.run()
    assert [each.step for each in result.steps] == ["prepare", "knock", *STEPS[1:]]
    door.is_shut = True
    result, _ = await prober.run()
    assert [each.step for each in result.steps] == ["prepare", "knock", "tidy"]
    assert (result.failed, result.why) == ("knock", "The certificate has expired.")
    door.is_shut = False
    await prober.run()


async def test_actions_of_the_probe_do_not_count_for_reputation(prober: Prober) -> None:
    await prober.run()
    agent_ids = [party.agent_id for party in await prober.parties()]
    async with prober.stage.database.platform() as session:
        query = select(ReputationEventRow.excluded).where(ReputationEventRow.agent_id.in_(agent_ids)).distinct()
        assert list(await session.scalars(query)) == ["probe"]


@pytest.mark.parametrize("step", ["fund", "release", "pay"])
async def test_a_failed_step_is_named_and_its_money_is_returned(prober: Prober, step: str) -> None:
    before = await prober.alerts()
    prober.steps.refused = step
    for _ in range(2):
        result, handle = await prober.run()
        assert (result.failed, result.why) == (step, "conflict: Nobody may do that.")
        assert [each.step for each in result.steps] == [*STEPS[: STEPS.index(step) + 1], "tidy"]
        assert sum(await prober.credits()) == ONE_CREDIT
    (raised,) = (await prober.alerts())[len(before) :]
    assert raised.detail == f"The probe failed at the step {step}: conflict: Nobody may do that."
    assert (raised.status, raised.severity, raised.org_id) == ("firing", "critical", None)
    prober.steps.refused = None
    await prober.run()
    assert [one for one in await prober.alerts() if one.resolved_at is None] == []
    await replay_and_keep(await handle.fetch_history(), "probe/failed")


async def test_a_declined_card_fails_the_step_and_is_an_answer(prober: Prober) -> None:
    prober.stage.fake.pays_at_once = False
    prober.stage.fake.refuses.add("create")
    result, _ = await prober.run()
    prober.stage.fake.refuses.clear()
    assert result.failed == "pay"
    assert "was not made" in result.why
    assert sum(await prober.credits()) == ONE_CREDIT
    prober.stage.fake.pays_at_once = True
    assert (await prober.run())[0].failed is None


@pytest.mark.parametrize("step", ["open", "release", "pay"])
async def test_a_worker_that_dies_after_a_step_had_its_effect_does_it_once(prober: Prober, step: str) -> None:
    parties = await prober.parties()

    async def made() -> tuple[int, int]:
        org_ids = [party.org_id for party in parties]
        async with prober.stage.database.platform() as session:
            escrows = select(func.count()).where(EscrowRow.org_id.in_(org_ids))
            paid = select(func.count()).where(PaymentRow.org_id.in_(org_ids))
            return await session.scalar(escrows) or 0, await session.scalar(paid) or 0

    before = await made()
    prober.steps.hangs = step
    HANGS.clear()
    async with prober.worker():
        handle = await prober.begin()
        await HANGS.wait()
    async with prober.worker():
        result = await handle.result()
    assert [each.step for each in result.steps] == STEPS
    assert result.failed is None
    assert await made() == (before[0] + 1, before[1] + 1)
    assert sum(await prober.credits()) == ONE_CREDIT


async def test_money_of_a_terminated_probe_is_returned_by_the_next_one(prober: Prober) -> None:
    prober.steps.hangs = "fund"
    HANGS.clear()
    async with prober.worker():
        handle = await prober.begin()
        await HANGS.wait()
        await handle.terminate("ended by hand")
    result, _ = await prober.run()
    assert result.failed is None
    assert sum(await prober.credits()) == ONE_CREDIT


async def test_a_cancelled_probe_returns_its_money(prober: Prober) -> None:
    prober.steps.hangs = "fund"
    HANGS.clear()
    async with prober.worker():
        handle = await prober.begin()
        await HANGS.wait()
        await handle.cancel()
        with pytest.raises(WorkflowFailureError) as failure:
            await handle.result()
    assert is_cancelled_exception(failure.value.cause)
    assert sum(await prober.credits()) == ONE_CREDIT


def test_the_probe_has_one_run_for_each_time_of_its_schedule() -> None:
    job = probing_every(timedelta(minutes=5))
    assert [interval.every for interval in job.spec.intervals] == [timedelta(minutes=5)]
    assert job.catch_up_within < timedelta(minutes=5)


def test_the_parties_act_for_their_own_organizations_only() -> None:
    party = ProbeParty("org_1", "agt_1")
    assert (party.owner.org_id, party.agent.org_id, party.agent.agent_id) == ("org_1", "org_1", "agt_1")
    assert (party.owner.role, party.agent.role) == (Role.OWNER, Role.AGENT)
