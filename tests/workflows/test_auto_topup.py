"""Automatic top-ups: each fall of a balance makes one payment, despite crashes."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.client import ScheduleOverlapPolicy, WorkflowHandle
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.payments.auto_topup import AutoTopUpActivities
from contracts.common.queues import TASK_QUEUE
from contracts.payments.auto_topup import AutoTopUpInput, AutoTopUpSweep
from contracts.runs import auto_topup_run
from domain.common.ids import auto_topup_workflow_id
from domain.payments.auto_topup import TopUpOutcome
from domain.payments.payment.snapshot import ProviderStatus
from providers.payments.registry import Providers
from repositories.payments import auto_topup as auto_topups
from runtime import reach
from runtime.database import Database
from runtime.identity import new_id
from runtime.jobs import SCHEDULES
from runtime.settings import Settings
from services.payments import auto_topup
from services.payments.payment_terms import TermsMaker
from tests.api.conftest import good, new_key
from tests.support.histories import replay, replay_and_keep
from tests.support.looking import again, pass_to_the_end
from tests.workflows.conftest import Stage, with_plugin
from tests.workflows.shop import Shop
from workflows.payments.auto_topup_sweep import AutoTopUpSweepWorkflow

pytestmark = [pytest.mark.timeskip, pytest.mark.db]


async def set_auto_topup(shop: Shop, method: str = "pm_ok", **changes: Any) -> dict[str, Any]:
    body = {"below": "20", "credits": "100", "monthly_cap": "250", "payment_method": method, **changes}
    shown: dict[str, Any] = good(await shop.payer.ask("PUT", "/billing/auto-topup", json=body))
    return shown


async def use(shop: Shop, amount: str) -> None:
    good(await shop.payer.post("/credits/use", {"amount": amount}, key=new_key()), 201)


async def sweep(stage: Stage) -> WorkflowHandle[Any, Any]:
    """Look once, as a run does every five seconds."""
    once = AutoTopUpSweep(most=1, limit=3)
    handle = await stage.client.start_workflow(
        AutoTopUpSweepWorkflow.run, once, id=new_id("sweep"), task_queue=TASK_QUEUE
    )
    await handle.result()
    return handle


def run_of(shop: Shop, number: int = 1) -> WorkflowHandle[Any, Any]:
    assert shop.payer.org_id is not None
    return shop.stage.client.get_workflow_handle(auto_topup_workflow_id(shop.payer.org_id, number))


async def outcome_of(shop: Shop, number: int = 1) -> str:
    return str((await run_of(shop, number).result())["outcome"])


async def note_fall(shop: Shop, now: datetime | None = None) -> auto_topup.BalanceCheck:
    """Do what a sweep does first, and die."""
    async with shop.stage.database.platform() as session:
        return await auto_topup.record_falls(
            session, now=now or datetime.now(UTC), after="", limit=1_000, most_minor=10**12
        )


async def start(shop: Shop, number: int = 1) -> None:
    assert shop.payer.org_id is not None
    message = AutoTopUpInput(org_id=shop.payer.org_id, number=number, credits_minor=100_000_000)
    await reach.start_missing(shop.stage.client, auto_topup_run(message))


async def lose_run(shop: Shop) -> None:
    """Kill the run of a fall, unless it was quicker; the next sweep starts another one."""
    with suppress(RPCError):
        await run_of(shop).terminate("killed")


async def written(shop: Shop, number: int = 1) -> str:
    """Return a fall's outcome once it is in the books: a run that is killed just after that is not started again."""
    assert shop.payer.org_id is not None
    while True:
        async with shop.stage.database.platform() as session:
            outcome = (await auto_topups.find_fall(session, shop.payer.org_id, number)).outcome
        if outcome != TopUpOutcome.OPEN:
            return outcome
        await again()


async def payments_of(shop: Shop) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = good(await shop.payer.get("/payments"))["data"]
    return made


async def alerts_of(shop: Shop) -> list[str]:
    return [one["kind"] for one in good(await shop.payer.get("/alerts"))["data"]]


async def test_pitfall_01_one_fall_of_the_balance_makes_one_payment(shop: Shop) -> None:
    await set_auto_topup(shop)
    await asyncio.gather(*(sweep(shop.stage) for _ in range(4)))
    assert await outcome_of(shop) == "succeeded"
    assert await shop.available() == "100.00"
    await sweep(shop.stage)
    await use(shop, "85")
    await asyncio.gather(*(sweep(shop.stage) for _ in range(4)))
    assert await outcome_of(shop, 2) == "succeeded"
    await sweep(shop.stage)
    assert await shop.available() == "115.00"
    made = await payments_of(shop)
    assert [(one["status"], one["goods"]["amount"]) for one in made] == [("succeeded", "100.00")] * 2
    assert good(await shop.payer.get("/billing/auto-topup"))["bought_this_month"] == "200.00"
    await replay_and_keep(await run_of(shop).fetch_history(), "auto-topup/completed")


@pytest.mark.slow
async def test_fall_is_recorded_and_paid_once_despite_crashes(shop: Shop) -> None:
    """The sweep dies after its transaction, and the run after it has noted the terms, twice."""
    await set_auto_topup(shop)
    assert (await note_fall(shop)).noted == 1
    assert (await note_fall(shop)).noted == 0
    shop.stage.fake.away = {"create", "find"}
    try:
        await start(shop)
        while not await payments_of(shop):
            await again()
        await run_of(shop).terminate("killed")
        await start(shop)
        await run_of(shop).terminate("killed")
    finally:
        shop.stage.fake.away = set()
    history = await sweep(shop.stage)
    assert await outcome_of(shop) == "succeeded"
    (made,) = await payments_of(shop)
    assert shop.stage.fake.count(made["id"]) == 1
    assert await shop.available() == "100.00"
    await replay_and_keep(await history.fetch_history(), "auto-topup-sweep/completed")


@pytest.mark.slow
async def test_payment_with_a_lost_response_is_found_for_its_fall(shop: Shop) -> None:
    await set_auto_topup(shop)
    shop.stage.fake.breaks = ["after"]
    await sweep(shop.stage)
    while not (made := await payments_of(shop)):
        await again()
    await shop.until(made[0], "succeeded")
    await lose_run(shop)
    await sweep(shop.stage)
    assert await written(shop) == "succeeded"
    assert shop.stage.fake.count(made[0]["id"]) == 1


async def under_way(shop: Shop) -> Any:
    """Request a top-up for a fall, and return its payment, which is processing."""
    await set_auto_topup(shop, "pm_bank", monthly_cap="150")
    await sweep(shop.stage)
    while not await payments_of(shop):
        await again()
    (made,) = await payments_of(shop)
    await shop.until(made, "requires_action")
    return made


@pytest.mark.slow
async def test_fall_while_a_top_up_is_under_way_makes_no_second_one_and_its_cap_counts(shop: Shop) -> None:
    made = await under_way(shop)
    shop.there(made).status = ProviderStatus.PROCESSING
    await set_auto_topup(shop, "pm_bank", below="30", monthly_cap="150")
    await sweep(shop.stage)
    assert len(await payments_of(shop)) == 1
    assert good(await shop.payer.get("/billing/auto-topup"))["bought_this_month"] == "100.00"
    shop.there(made).pay()
    await shop.refreshed(made)
    await lose_run(shop)
    await sweep(shop.stage)
    assert await written(shop) == "succeeded"


async def test_automatic_top_up_stops_at_the_monthly_cap_with_an_alert(shop: Shop) -> None:
    await set_auto_topup(shop, monthly_cap="150")
    await sweep(shop.stage)
    assert await outcome_of(shop) == "succeeded"
    await use(shop, "95")
    for _ in range(2):
        await sweep(shop.stage)
    assert await shop.available() == "5.00"
    assert await alerts_of(shop) == ["credits.auto_topup_cap"]
    assert (await note_fall(shop, datetime.now(UTC) + timedelta(days=32))).noted == 1
    await start(shop, 2)
    assert await outcome_of(shop, 2) == "succeeded"
    assert await shop.available() == "105.00"


async def test_declined_top_up_is_tried_again_later_or_once_it_is_set_anew(shop: Shop) -> None:
    await set_auto_topup(shop, "pm_declined")
    await sweep(shop.stage)
    assert await outcome_of(shop) == "declined"
    assert "days of dunning" in str(await run_of(shop).query("__temporal_workflow_metadata"))
    await sweep(shop.stage)
    shown = good(await shop.payer.get("/billing/auto-topup"))
    assert (shown["enabled"], shown["bought_this_month"], shown["failed_attempts"]) == (True, "0.00", 1)
    assert datetime.fromisoformat(shown["next_attempt_at"]) > datetime.now(UTC) + timedelta(days=2)
    assert len(await payments_of(shop)) == 1
    assert await alerts_of(shop) == ["credits.auto_topup_failed"]
    assert (await set_auto_topup(shop))["enabled"] is True
    assert {alert["resolved_by"] for alert in good(await shop.payer.get("/alerts"))["data"]} == {"books"}
    await sweep(shop.stage)
    assert await outcome_of(shop, 2) == "succeeded"


@pytest.mark.slow
async def test_top_up_without_a_method_to_charge_is_declined(shop: Shop) -> None:
    """The default method was there when it was set, and has been taken away since."""
    await set_auto_topup(shop)
    async with shop.stage.database.platform() as session:
        assert shop.payer.org_id is not None
        (await auto_topups.lock(session, shop.payer.org_id)).payment_method = None
    await sweep(shop.stage)
    assert await outcome_of(shop) == "declined"
    assert await payments_of(shop) == []
    assert "default payment method" in (await run_of(shop).result())["why"]
    assert good(await shop.payer.get("/billing/auto-topup"))["failed_attempts"] == 1


async def test_switching_off_between_the_fall_and_the_payment_buys_nothing(shop: Shop) -> None:
    await set_auto_topup(shop)
    await note_fall(shop)
    await set_auto_topup(shop, enabled=False)
    await start(shop)
    assert await outcome_of(shop) == "cancelled"
    assert await payments_of(shop) == []


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{"credits": "50"}, {"method": "pm_declined"}], ids=["credits", "method"])
async def test_settings_that_change_before_the_payment_make_another_fall(shop: Shop, changes: dict[str, Any]) -> None:
    await set_auto_topup(shop)
    await note_fall(shop)
    await set_auto_topup(shop, **changes)
    await start(shop)
    assert await outcome_of(shop) == "cancelled"
    assert await payments_of(shop) == []
    assert (await note_fall(shop)).noted == 1


@pytest.mark.slow
async def test_cap_that_is_lowered_between_the_fall_and_the_payment_is_kept(shop: Shop) -> None:
    await set_auto_topup(shop)
    await sweep(shop.stage)
    assert await outcome_of(shop) == "succeeded"
    await use(shop, "95")
    await note_fall(shop)
    await set_auto_topup(shop, monthly_cap="150")
    await start(shop, 2)
    assert await outcome_of(shop, 2) == "cancelled"
    assert len(await payments_of(shop)) == 1
    assert (await note_fall(shop)).capped == 1


@pytest.mark.slow
async def test_unchanged_settings_cause_no_fall(shop: Shop) -> None:
    await set_auto_topup(shop, below="150")
    await sweep(shop.stage)
    assert await outcome_of(shop) == "succeeded"
    await set_auto_topup(shop, below="150")
    assert (await note_fall(shop)).noted == 0
    await set_auto_topup(shop, below="250", monthly_cap="1000")
    assert (await note_fall(shop)).noted == 1


@pytest.mark.slow
async def test_provider_outage_does_not_switch_top_ups_off(shop: Shop) -> None:
    await set_auto_topup(shop)
    shop.stage.fake.away = {"create", "find"}
    try:
        await sweep(shop.stage)
        while not any(name == "create" for name, _ in shop.stage.fake.calls):
            await sweep(shop.stage)
        shown = good(await shop.payer.get("/billing/auto-topup"))
    finally:
        shop.stage.fake.away = set()
    assert shown["enabled"] is True
    assert await outcome_of(shop) == "succeeded"
    assert len(await payments_of(shop)) == 1


async def test_sweep_checks_every_five_seconds_for_a_minute(
    database: Database, timeskip_env: WorkflowEnvironment
) -> None:
    queue = new_id("queue")
    client = with_plugin(timeskip_env.client)
    work = AutoTopUpActivities(database, client, TermsMaker(Settings().payment_rules, Providers({})))
    async with Worker(client, task_queue=queue, workflows=[AutoTopUpSweepWorkflow], activities=[work.look]):
        handle = await client.start_workflow(AutoTopUpSweepWorkflow.run, id=new_id("sweep"), task_queue=queue)
        assert (await pass_to_the_end(timeskip_env, handle)).looks == 12
        assert "Checked 12 times" in str(await handle.query("__temporal_workflow_metadata"))
        await replay(await handle.fetch_history())


def test_a_sweep_begins_every_minute_and_waits_for_the_one_before() -> None:
    (job,) = [job for job in SCHEDULES if job.id == "auto-topup-sweep"]
    assert [interval.every for interval in job.spec.intervals] == [timedelta(minutes=1)]
    assert job.overlap is ScheduleOverlapPolicy.BUFFER_ONE


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes", [{"below": "0"}, {"credits": "-1"}, {"monthly_cap": "99"}, {"credits": "1"}, {"unknown": 1}], ids=str
)
async def test_unpayable_automatic_top_up_is_refused(shop: Shop, changes: dict[str, Any]) -> None:
    body = {"below": "20", "credits": "100", "monthly_cap": "250", "payment_method": "pm_ok", **changes}
    answer = await shop.payer.ask("PUT", "/billing/auto-topup", json=body)
    assert answer.status_code == 422, answer.text
    assert good(await shop.payer.get("/billing/auto-topup"))["enabled"] is False


async def bought_once(shop: Shop) -> Any:
    """Make one top-up, and let its credits arrive."""
    await set_auto_topup(shop)
    await sweep(shop.stage)
    assert await outcome_of(shop) == "succeeded"
    await sweep(shop.stage)
    (bought,) = await payments_of(shop)
    return bought


async def off_for(shop: Shop, payment_id: str) -> None:
    """Check that it is off because of a payment, until its settings are written again."""
    await sweep(shop.stage)
    shown = good(await shop.payer.get("/billing/auto-topup"))
    assert (shown["enabled"], shown["bought_this_month"]) == (False, "100.00")
    assert payment_id in shown["off_reason"]
    fired = [each for each in good(await shop.payer.get("/alerts"))["data"] if each["status"] == "firing"]
    assert "credits.auto_topup_off" in {each["kind"] for each in fired}
    await set_auto_topup(shop)
    await sweep(shop.stage)
    assert await outcome_of(shop, 2) == "succeeded"


@pytest.mark.slow
@pytest.mark.parametrize("used", ["0", "75"])
async def test_card_is_not_charged_automatically_after_a_dispute(shop: Shop, used: str) -> None:
    bought = await bought_once(shop)
    if used != "0":
        # What is used is owed once the bank takes it back.
        await use(shop, used)
    shop.there(bought).dispute()
    assert (await shop.refreshed(bought))["status"] == "disputed"
    await off_for(shop, bought["id"])


@pytest.mark.slow
async def test_refunded_top_up_is_not_repeated_automatically(shop: Shop) -> None:
    bought = await bought_once(shop)
    body = {"reason": "the customer did not want it"}
    good(await shop.operator.post(f"/payments/{bought['id']}/refunds", body, key=new_key()), 201)
    await shop.until(bought, "refunded")
    await off_for(shop, bought["id"])


async def bought_late(shop: Shop) -> Any:
    """Cancel a top-up, and let its money arrive anyway."""
    made = await under_way(shop)
    good(await shop.payer.post(f"/payments/{made['id']}/cancel", {}, key=new_key()))
    await lose_run(shop)
    await sweep(shop.stage)
    assert await written(shop) == "cancelled"
    shop.there(made).pay()
    assert (await shop.refreshed(made))["status"] == "succeeded"
    await sweep(shop.stage)
    return made


@pytest.mark.slow
async def test_late_money_of_a_cancelled_top_up_counts_towards_the_monthly_cap(shop: Shop) -> None:
    await bought_late(shop)
    assert good(await shop.payer.get("/billing/auto-topup"))["bought_this_month"] == "100.00"
    await use(shop, "95")
    await sweep(shop.stage)
    assert len(await payments_of(shop)) == 1
    assert await alerts_of(shop) == ["credits.auto_topup_cap"]


@pytest.mark.slow
async def test_late_and_refunded_top_up_is_not_repeated_automatically(shop: Shop) -> None:
    bought = await bought_late(shop)
    body = {"reason": "the customer had cancelled it"}
    good(await shop.operator.post(f"/payments/{bought['id']}/refunds", body, key=new_key()), 201)
    await shop.until(bought, "refunded")
    await off_for(shop, bought["id"])
