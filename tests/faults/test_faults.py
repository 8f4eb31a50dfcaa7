"""A short run of the faults, and proof that plans are right and violations are reported."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from functools import partial
from typing import Any, cast

import pytest

from dev.stack.supervisor import PARTS, Stack
from tests.faults.audit import Findings
from tests.faults.cards import CardSetup, run_cards
from tests.faults.clients import Journal
from tests.faults.collecting import CollectingSetup, run_collecting
from tests.faults.invoices import InvoiceSetup, run_invoices
from tests.faults.killer import Killer, draw_kills
from tests.faults.payment_plans import SEQUELS, STORIES as PAID_STORIES, draw_payments
from tests.faults.payments import PaymentSetup, run_payments
from tests.faults.payouts import PayoutSetup, run_payouts
from tests.faults.plans import STORIES, amount, draw
from tests.faults.purchase_order_plans import STORIES as ORDER_STORIES, draw_orders
from tests.faults.purchase_orders import PurchaseOrderSetup, run_purchase_orders
from tests.faults.purchases import PurchaseSetup, run_purchases
from tests.faults.rotations import RotationSetup, run_rotations
from tests.faults.run import PRODUCT, Setup, report, run, running
from tests.faults.spends import SpendSetup, run_spends
from tests.faults.subscriptions import SubscriptionSetup, run_subscriptions
from tests.faults.sync import SyncSetup, run_sync
from tests.faults.webhooks import WebhookSetup, run_webhooks
from tests.support.seeds import FAULTS_SEED
from tests.support.servers import reachable_directory

#: Four for each strike.
PAYMENTS = 28


@pytest.fixture(scope="module")
async def stack() -> AsyncIterator[Stack]:
    with reachable_directory("faults") as home:
        async with running(home / "data", print) as started:
            yield started


#: How many things each run proves. Escrows and payments count all that is on the stack, so they come first, and under
#: them every part dies. The others lose the parts that their own steps stand in; `make faults` kills every one of them.
RUNS: list[tuple[str, Any, int]] = [
    ("escrows", partial(run, Setup(FAULTS_SEED, escrows=20, kills=1, clients=6)), 9),
    ("payments", partial(run_payments, PaymentSetup(FAULTS_SEED, payments=PAYMENTS, kills=1, clients=6)), 16),
    ("spends", partial(run_spends, SpendSetup(FAULTS_SEED, 96, 1, clients=6, parts=("postgres", "server"))), 11),
    ("payouts", partial(run_payouts, PayoutSetup(FAULTS_SEED, 12, 1, ("postgres", "worker", "stripe"))), 5),
    ("collecting", partial(run_collecting, CollectingSetup(FAULTS_SEED, 8, 1, ("postgres", "worker", "stripe"))), 7),
    ("purchases", partial(run_purchases, PurchaseSetup(FAULTS_SEED, 24, 1, ("postgres", "server"))), 6),
    (
        "purchase_orders",
        partial(run_purchase_orders, PurchaseOrderSetup(FAULTS_SEED, 2 * len(ORDER_STORIES), 1)),
        10,
    ),
    ("cards", partial(run_cards, CardSetup(FAULTS_SEED, 40, 1, ("postgres", "server"))), 5),
    ("rotations", partial(run_rotations, RotationSetup(FAULTS_SEED, 12, 1, ("postgres", "worker"))), 6),
    (
        "sync",
        partial(run_sync, SyncSetup(FAULTS_SEED, 40, 1, batch=8, charging_kills=1, parts=("postgres", "litellm"))),
        7,
    ),
    # What hangs takes a quarter of a minute: by hand only.
    (
        "webhooks",
        partial(
            run_webhooks,
            WebhookSetup(
                FAULTS_SEED,
                60,
                4,
                1,
                ("worker", "server"),
                clients=4,
                mischief=("500", "301", "429", "drop", "410", "1 GB"),
                one_in=30,
                late=1,
            ),
        ),
        10,
    ),
    # A worker that died is missed after half a minute, and what it had in hand is sent after one: both by hand only.
    ("invoices", partial(run_invoices, InvoiceSetup(FAULTS_SEED, 90, kills=1, parts=("postgres",))), 7),
    # The clock of Stripe is a month ahead after it, so it comes last.
    (
        "subscriptions",
        partial(run_subscriptions, SubscriptionSetup(FAULTS_SEED, 8, 1, ("postgres", "server", "stripe"))),
        6,
    ),
]


@pytest.mark.e2e
@pytest.mark.parametrize(("run_on", "proven"), [each[1:] for each in RUNS], ids=[each[0] for each in RUNS])
async def test_work_survives_the_death_of_every_part(stack: Stack, run_on: Any, proven: int) -> None:
    findings = await run_on(print, stack)
    assert findings.wrong == [], report(findings)
    assert len(findings.checked) == proven


@pytest.mark.parametrize("seed", range(20))
def test_planned_payments_add_up_and_every_story_is_planned(seed: int) -> None:
    plans = draw_payments(seed, 300)
    assert {plan.story.partition(", ")[0] for plan in plans} >= {story.partition(", ")[0] for story in PAID_STORIES}
    assert {sequel for plan in plans for sequel in SEQUELS if plan.story.endswith(f", {sequel}")} == set(SEQUELS)
    assert len({plan.name for plan in plans}) == 300
    for plan in plans:
        gone = plan.refunded_minor + plan.lost_minor
        assert 0 <= gone <= (plan.amount_minor or 0), plan
        assert plan.goods_kept_minor == -gone if plan.invoiced else plan.goods_kept_minor >= 0, plan
        assert (gone == 0) == (plan.status not in {"partially_refunded", "refunded", "charged_back"}), plan
        assert plan.paid or plan.goods_kept_minor == gone == 0, plan


@pytest.mark.parametrize("seed", range(20))
def test_planned_amounts_add_up_and_every_story_is_planned(seed: int) -> None:
    plans = draw(seed, 200)
    assert {plan.story for plan in plans} == set(STORIES)
    assert len({plan.name for plan in plans}) == 200
    for plan in plans:
        assert plan.released + plan.refunded + plan.commission == plan.funded, plan
        assert plan.funded in {0, plan.price_minor}
        assert min(plan.released, plan.refunded, plan.commission) >= 0
        assert plan.contract["price"] == amount(plan.price_minor)


@pytest.mark.parametrize("seed", range(20))
def test_planned_purchase_orders_add_up_and_every_story_is_planned(seed: int) -> None:
    plans = draw_orders(seed, 50, 3)
    assert {plan.told for plan in plans} == set(ORDER_STORIES)
    assert len({plan.name for plan in plans}) == 50
    assert draw_orders(seed, 50, 3) == plans != draw_orders(seed + 1, 50, 3)
    for plan in plans:
        assert 0 <= plan.refunded <= plan.paid, plan
        # An agent that gives up what it has attempted frees nothing.
        is_held = plan.status == "approved" or plan.told == "attempted, then abandoned"
        assert (plan.counts()["held"] > 0) == is_held, plan
        assert (plan.paid > 0) == (("attempt", "succeeded") in plan.entries()), plan


def test_same_seed_draws_the_same_plans_and_kills() -> None:
    assert draw(7, 50) == draw(7, 50)
    assert draw_kills(7, 4) == draw_kills(7, 4)
    assert draw(7, 50) != draw(8, 50)
    assert draw_payments(7, 50) == draw_payments(7, 50)
    assert draw_payments(7, 50) != draw_payments(8, 50)


@pytest.mark.parametrize("parts", [PRODUCT, PARTS])
@pytest.mark.parametrize("each", [1, 4])
def test_every_part_is_killed_as_often_as_asked(each: int, parts: tuple[str, ...]) -> None:
    for seed in range(20):
        killed = Counter(part for strike in draw_kills(seed, each, parts) for part in strike)
        assert killed == Counter(dict.fromkeys(parts, each))


class StackInTest:
    """Parts that are dead for as long as it takes the clients to settle all that they have begun."""

    async def kill(self, part: str) -> None:
        assert part in PARTS

    async def wait_ready(self, part: str) -> None:
        assert part in PARTS
        for _ in range(200):
            await asyncio.sleep(0)


@pytest.mark.parametrize("work", [28, PAYMENTS, 50, 300])
async def test_something_is_in_progress_at_every_blow_although_one_answer_settles_a_piece(work: int) -> None:
    journal, stack = Journal(), StackInTest()
    killer = Killer(cast("Stack", stack), journal, FAULTS_SEED, 1, work, parts=PARTS)
    waiting = iter(range(work))
    answered = cast("list[object]", journal.answered)

    async def client() -> None:
        for number in waiting:
            await killer.may_begin()
            for _ in range(5 + number % 7):
                await asyncio.sleep(0)
            answered.append(number)
            await journal.note()
            journal.finished += 1
            journal.active -= 1
            await journal.note()

    await asyncio.gather(killer.run(print), *(client() for _ in range(6)))
    assert sum(len(kill.parts) for kill in killer.done) == len(PARTS)
    assert all(kill.active > 0 for kill in killer.done), [kill.active for kill in killer.done]


def test_report_names_what_is_off() -> None:
    findings = Findings()
    findings.check("all there", [])
    findings.check("nothing twice", ["e1 esc_1: transfers Counter({'escrow.funded': 2})"])
    shown = report(findings)
    assert "ok     all there" in shown
    assert "WRONG  nothing twice" in shown
    assert "- e1 esc_1: transfers Counter({'escrow.funded': 2})" in shown
