"""The demo tells its stories, proves the books, and fails when anything in it is off."""

import asyncio
import os
import re
import sys
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest

from dev.stack.demo import demo
from dev.stack.migrate import ROOT
from dev.stack.running import Running
from dev.stack.stories import STORIES
from tests.support.servers import ask

pytestmark = pytest.mark.e2e


@pytest.fixture
def running() -> Running:
    """A stack that nothing but the demo uses."""
    return Running.read(Path(ask("demo")["data_dir"]) / "dev.json")


async def run_story(data_dir: Path, *arguments: object) -> tuple[int, str]:
    lines: list[str] = []
    code = await demo(data_dir, lines.append, *arguments, with_payments=False)
    return code, "\n".join(lines)


async def test_demo_shows_every_step_and_tells_apart_what_somebody_did_at_the_sandbox_before(running: Running) -> None:
    charge = {
        "amount": "2000",
        "currency": "usd",
        "payment_method": "pm_card_visa",
        "confirm": "true",
        "automatic_payment_methods[enabled]": "true",
        "automatic_payment_methods[allow_redirects]": "never",
    }
    async with httpx2.AsyncClient(auth=(running.stripe_api_key or "", ""), trust_env=False, timeout=60) as stripe:
        made = await stripe.post(f"{running.stripe_api_base}/v1/payment_intents", data=charge)
    assert made.json()["status"] == "succeeded"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "dev.stack", "demo"),
        cwd=ROOT,
        env={**os.environ, "BURSAR_DATA_DIR": str(running.data_dir)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    printed = (await process.communicate())[0].decode()
    assert process.returncode == 0, printed[-3000:]
    for line in (
        "Using the stack that runs",
        *(f"{number}. {story.title}" for number, story in enumerate(STORIES, 1)),
        "funded 50.00 · released 47.50 · refunded 0.00 · commission 2.50",
        "funded 80.00 · released 76.00 · refunded 0.00 · commission 4.00",
        "funded 100.00 · released 57.00 · refunded 40.00 · commission 3.00",
        "a report of each week is kept as a file from now on",
        "funded 40.00 · released 28.50 · refunded 10.00 · commission 1.50",
        "review_period and evidence_period are outside of the agent's listing: a proposal, which gets no escrow",
        "funded 30.00 · released 28.50 · refunded 0.00 · commission 1.50",
        "/namespaces/default/workflows/escrow%2Fctr_",
        "uses of lots were booked.",
        f"{len(STORIES) + 1}. An agent runs into its limit, and a person raises it",
        f"{len(STORIES) + 2}. An agent asks before it buys, and a person approves",
        "it takes Codeium instead, which saves 100.00 USD",
        "the sixth is refused: 0.00 of 5.00 left, until",
        "procurement raises the limit to 8.00; what was spent stays counted",
        "two steps used 1.75, and the last one gives 1.25 back",
        f"{len(STORIES) + 3}. What agents cost and bring in, and to which model a call is given",
        "the Boaster reports 150.00 USD, and the store's statement has 3.00 USD",
        f"{len(STORIES) + 4}. Somebody enters the console by a link, without a key, and signs for a delivery",
        "the form is sent: 19.00 released to the agent",
        f"{len(STORIES) + 5}. Two agents do ten jobs: the scores, and the prices that follow",
        "Careful  five jobs   0.95 · 0.92 · 0.97 · 0.94 · 0.96",
        "Hasty    five jobs   0.90 · refunded · 0.85 · refunded · 0.88",
        f"{len(STORIES) + 6}. An agent is sold on the marketplace, given back, and sold by card",
        "12 pages for 3.00, and 28 of 40 that were reserved for 7.00",
        "the client has brought an organization: the reward waits",
        "for 25.00 USD by card: access with the money, 22.50 for the studio, 2.50 commission",
        "by mail and in the inbox: Warning: credits_below_a_million_",
        "the owner acknowledges it, and nobody else is called",
        "An agent calls a model and pays a coffee, without a key and without a card number",
        "it calls a model for 0.50 credits; Bursar adds the key, and the answer has none",
        "of 10.00 USD, 5.45 are left: 0.05 for the call and 4.50 for the coffee count in one budget",
        "of 5 attempts with one card after the other 3 pass; the others are blocked",
        "an operator releases the case, and the same request, repeated, is done",
        "balance after four top-ups: 700.00 credits",
        "the same request once more: the first answer, and no second charge",
        "escrow over 120.00 USD: released, the agent earned 114.00, commission 6.00",
        "a page to pay it is open in another window, so a card is refused",
        "the page is closed, and the card pays 60.00 USD",
        "a second project is refused: 1 of 1 allowed projects exist.",
        "a slot for 10.00 USD, and both projects are deployed",
        "while it is in use, its money does not go back",
        "balance after the refund: 660.00 credits",
        "balance after the chargeback: 0.00 credits, owes 90.00",
        "operators and the owner are alerted: payment.debt, payment.dispute_lost",
        "balance after it, which paid the debt first: 10.00 credits",
        # 25.00, 10.00, 120.00, 60.00, 10.00 and 10.00 by card less fees, less 3.83, 10.00 and the 15.00 of the dispute.
        f"stripe     USD                  8 {'197.55':>16} {'197.55':>16}",
        f"paypal     USD                  1 {'13.99':>16} {'13.99':>16}",
        f"crypto     USDC                 1 {'20.00':>16} {'20.00':>16}",
        "before the demo; `make reconcile` shows them",
        "The books balance.",
        "Every step went as it should",
    ):
        assert line in printed, line
    changes = dict(re.findall(r"^  ([a-z, ]+?) +[\d,.]+ +[\d,.]+ +([+-][\d.]+)$", printed, re.MULTILINE))
    assert changes == {
        "payer, credits": "-250.00",
        "agent, earnings": "+237.50",
        "platform, commission": "+12.50",
        "held in escrow": "+0.00",
    }


async def test_demo_says_what_is_off_and_fails(running: Running) -> None:
    story = STORIES[0]
    with_another_amount = replace(story, amounts={**story.amounts, "released": "47.51"})
    in_another_state = replace(story, acts=(*story.acts[:-1], replace(story.acts[-1], status="split")))
    in_wrong_order = replace(story, acts=(story.acts[1], *story.acts))
    code, printed = await run_story(running.data_dir, (with_another_amount, in_another_state, in_wrong_order))
    assert code == 1
    off = printed.partition("This is off:")[2]
    assert "released: 47.50, expected 47.51" in off
    assert "released, expected split" in off
    assert "escrow.wrong_state" in off
