"""The tour and the recipes work as they stand: their blocks are run unchanged, in one bash each, on a running stack."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator

import pytest

from dev.stack.demo import some_stack
from dev.stack.running import Running
from tests.docs.pages import ROOT, lines_of
from tests.support.bonus import NO_BONUS

pytestmark = [pytest.mark.e2e, pytest.mark.db, pytest.mark.temporal]

RECIPES = {
    "hire-an-agent": ["funded", "funded 28.50", "delivered", "released 76.00 4.00"],
    "agree-on-terms": [
        "Proofreader {'price'",
        "proposed ['review_period', 'dispute_default_payee_share']",
        "409 contract.not_accepted proposed",
        "accepted org_",
        "funded",
    ],
    "where-is-the-money": [
        "funded",
        "organization Acme",
        "CREDIT available",
        "payer 300.00 funded until",
        "escrow Sort the attic funded 300.00 CREDIT",
        "http",
        "escrow.funded -300.00 Sort the attic",
        "closing",
        "pending as payee 300.00",
    ],
    "resolve-a-dispute": ["disputed", "1 open", "split 28.50 1.50 20.00"],
    "charge-an-agent": [
        "api_call costs 1.00",
        "workflow_execution costs 10.00",
        "charged 4.00",
        "402 spend.limit_exceeded day 5.00 1.00",
        "active 2",
        "charged 2.00",
        "reserved 2.50 4.50",
        "captured 3.50 3.50 0.00",
        "item charged False",
        "item refused False",
        "item charged True",
        "research captured used 3.50 of 7.00",
        "by agent ['10.50']",
    ],
    "give-a-team-of-agents-a-weekly-budget": [
        "CAD 1.25",
        "active day",
        "left 30.00 50.00 20.00",
        # The last digit depends on how much of the granted lots was used before.
        "x-budget-remaining: 18.5",
        "Daily Budget: $25 CAD (remaining: $18.5",
        "Project Budget: $23.5",
        "Reserve: $50 CAD ($10 CAD can be drawn without approval)",
        "charged 900.00",
        "402 spend.limit_exceeded week operating 30.00 1.",
        "charged 320.00",
        "402 spend.limit_exceeded allowance 2.0",
        "left 13.",
        "409 budget.pool_closed",
        "open",
        "charged 40.00",
        "frozen",
        "402 spend.limit_exceeded frozen",
        "refused frozen limit limit",
    ],
    "sell-an-agent": [
        "listed 40.00 CREDIT 0.90",
        "picture?v=",
        "[{'title': 'A lease', 'url': 'https://studio.example/lease.pdf', 'note': None}]",
        "found Clause finder",
        "active True",
        "403 marketplace.own_agent",
        "refunded False",
        "listed 25.00 USD",
        "409 marketplace.offer_changed",
        "active True 25.00 USD",
        "USD earned 22.50 pending 22.50",
        "409 marketplace.refunded_before",
        "listed monthly 10.00",
        "monthly True",
        "active True False",
        "listed usage {'page': '0.25'}",
        "True None",
        "charged page 12 3.00",
        "captured 7.00 3.00",
        "1 0",
        "retired",
    ],
    "start-with-the-python-client": [
        "funded esc_",
        "used 3.25 released 6.75 in minutes-1",
        "released 47.50 2.50",
        "steps opened funded delivered validated",
        "409 escrow.wrong_state released",
    ],
    "grant-credits": ['"kind": "credit.grant",', '"action": "credits.grant",'],
    "give-an-auditor-access": ["api_key.create", "200", "401 auth.invalid"],
    "add-a-risk-rule": [
        "shadow 1",
        "422 risk.rule_invalid",
        "large_and_new challenge",
        "large_and_new",
        "403 approval.required",
        "off 2",
    ],
    "close-a-month": ["CREDIT ", "balance Liabilities:Customers:Credits", '"*JournalNo","*JournalDate","*AccountName"'],
    "take-a-card-payment": ["requires_action", "declined   requires_action  generic_decline", "received   succeeded"],
    "top-up-credits": [
        "succeeded",
        "50.00 credits for 0.0",
        "50.00 credits for 5.00 USD",
        "100.00 credits for 10.00 USD",
    ],
    "subscribe-an-organization": [
        "incomplete starter",
        "active",
        "upgrade professional",
        "professional active",
        "1 prepaid",
        "upgrade {'amount': '250.00', 'currency': 'USD'} True",
        "True",
        "False",
    ],
    "fund-an-escrow-by-card": ["open", "funded", "succeeded done"],
    "refund-a-payment": [
        "succeeded 3.76 0.24 {'amount': '40.00'",
        "partially_refunded 3.76 6.00",
        "once: 6.00",
        "refunded",
        "409 payment.already_refunded",
    ],
    "handle-a-chargeback": [
        "disputed",
        "needs_response fraudulent 10.00",
        "payment.dispute_opened",
        "under_review",
        "succeeded",
        "won",
    ],
    "dun-a-declined-card": ["scheduled 1 1 generic_decline", "paid 1 2", "paid 40.00 0.00"],
    "pay-out-a-creator": [
        "ready",
        "payout.below_minimum 10.00",
        "409 payout.below_minimum",
        "funded",
        "delivered",
        "released 47.50 2.50",
        "paid 47.50 USD None",
        "weekly friday None",
        "2026",
    ],
    "see-what-an-agent-earns-and-costs": [
        "charged 20.00",
        "credits used 20.00",
        "reported 60.00 confirmed 0.00 used",
        "403 auth.forbidden",
        "confirmed 12.00",
        "reported 0.00 confirmed 12.00 used",
        "manual 1",
        "reported 0.00 confirmed 9.00 used",
        "reported 0.00 confirmed 3.00 used",
        "confirmed 4.00",
        "reported 0.00 confirmed 6.00 used",
    ],
    "let-an-agent-pay-and-call-without-keys": [
        "api_key 1",
        "['use'] 0.50 0",
        "200 0.50 False",
        "403 secret.not_granted",
        "403 secret.host",
        "US",
        "active Visa USD",
        "closed",
        "False",
        "0.00 0.00 spend_limit",
        "4.50 4.50 approved",
        "day 4.51 5.49",
    ],
    "watch-a-figure": [
        "low_credit_balance failed_payment budget_80_percent cost_spike",
        "credits.available credits.used",
        "below_a_million critical True",
        "credits.available is below 1000000.00 CREDIT",
        "422 alert_rule.never_fires condition.threshold",
        "cost_spike False",
        "204",
        "resolved",
    ],
    "write-a-pricing-rule": [
        "10 False",
        "10.00 10.00",
        "1 1",
        "100.00 98.00 0.98",
        '"reason": "Bulk pricing from a quantity of 10"',
        "98.00 306",
        "409 pricing.quote_used",
        "ten or more 1",
        "100.00 1.0",
    ],
    "read-events": [
        "True The payer's money is in the escrow; the agent can begin.",
        "2 escrow.funded payer 5.00",
        "2 escrow.funded payee 5.00",
        "422 request.invalid There is no such type of event.",
        "422 There is no such event.",
    ],
    "search-index": ["funded", "2 10000000"],
    "warehouse": ["in balance: True", "rows tie out: True", "sums tie out: True"],
    "find-things-by-your-own-ids": [
        "opened for order",
        "409 external_id.taken True",
        "1",
        "contracts found-order",
        "None {}",
        "nothing",
        "stage live",
        "412 precondition.failed",
        "428 precondition.missing",
        "event contract.created True",
        "event contract.updated True",
    ],
    "be-notified-by-mail": [
        "409 notification.code_refused wrong",
        "verified",
        "instant instant",
        "422 request.invalid quiet_hours",
        "Payment of 10.00 USD",
        "unread: Payment of 10.00 USD",
        "[]",
    ],
    # What they do in TypeScript is looked at by tests/clients, which brings Node.
    "front-end": ["50.00", "7.00", "40.00", "active"],
    "receive-webhooks": [
        "webhook_endpoint.test",
        "python got webhook_endpoint.test",
        "python forged: 401",
        "delivered",
    ],
    "verify-webhooks-behind-a-proxy": [
        '{"received":true,"duplicate":false}',
        '{"received":true,"duplicate":true}',
        "400 webhook.bad_signature",
    ],
}

GUIDES = {
    "coming-from-other-platforms": [
        "400 idempotency.missing",
        "3.00",
        "idempotent-replayed: true",
    ],
    "integrating": [
        "registered customer author translator",
        "endpoint enabled",
        "endpoint enabled",
        "funded 50.00 available 250.00",
        "funded 50.00 available 250.00",
        "released 47.50 2.50",
        "too late: escrow.wrong_state",
        "paid order-",
        "escrow.opened escrow.funded escrow.delivered escrow.released",
        "forged 401 401 404",
        "missed 0 too many 0",
        "customer credit available 250.00 in escrow 0.00 total 250.00",
        "author credit available 100.00 in escrow 0.00 total 147.50",
    ],
}


@pytest.fixture(scope="module")
async def fresh_stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """A stack that nobody used yet: the one that the demo starts where none runs, and stops at its end."""
    nothing, said = tmp_path_factory.mktemp("documented"), list[str]()
    # What readers start grants the signup bonus.
    with pytest.MonkeyPatch.context() as environment:
        for name in NO_BONUS:
            environment.delenv(name)
        # As the recipe of payouts says: what is earned can be paid out while somebody reads.
        environment.setenv("BURSAR_PAYOUT_HOLD_BACK", "PT5S")
        environment.setenv("BURSAR_PAYOUT_HOLD_BACK_FLOOR", "PT0S")
        environment.setenv("BURSAR_PAYOUT_DESTINATION_HOLD", "PT0S")
        async with some_stack(nothing, said.append) as running:
            environment.undo()
            assert said[0] == f"No stack runs on {nothing}; starting a fresh one for this demo."
            yield running
    assert not running.data_dir.exists()


async def test_tour_ends_with_the_money_where_it_says(fresh_stack: Running) -> None:
    lines = await lines_of(ROOT / "README.md", fresh_stack.data_dir)
    assert '"available": "10000.00",' in lines
    assert "funded 50.00" in lines
    assert "idempotent-replayed: true" in [line.lower() for line in lines]
    assert lines.count("9950.00") == 2
    assert "delivered" in lines
    assert "released 47.50 2.50" in lines
    assert any(line.startswith("409 escrow.wrong_state") for line in lines)
    steps = [line.split() for line in lines if re.match(r"\d{4}-\d\d-\d\dT", line)]
    assert [step[1] for step in steps] == ["opened", "funded", "delivered", "validated"]
    assert [step[1] for step in steps if step[-1].startswith("tr_")] == ["funded", "validated"]
    assert '"amount": "47.50",' in lines
    assert lines[-2:] == ["succeeded", "10050.00"]
    ui = f"{fresh_stack.temporal_ui_url}/namespaces/default/workflows/escrow%2Fctr_"
    assert [line.startswith(ui) for line in lines].count(True) == 1


async def test_books_of_the_tour_agree_with_the_providers(fresh_stack: Running) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "dev.stack", "reconcile"),
        cwd=ROOT,
        env={**os.environ, "BURSAR_DATA_DIR": str(fresh_stack.data_dir)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    printed, _ = await process.communicate()
    assert (process.returncode, "stripe: " in printed.decode()) == (0, True), printed.decode()


@pytest.mark.parametrize("recipe", RECIPES)
async def test_recipe_comes_out_as_it_says(fresh_stack: Running, recipe: str) -> None:
    lines = await lines_of(ROOT / "docs" / "guides" / "recipes" / f"{recipe}.md", fresh_stack.data_dir)
    missing = [expected for expected in RECIPES[recipe] if not any(line.startswith(expected) for line in lines)]
    assert missing == [], "\n".join(lines)


@pytest.mark.parametrize("guide", GUIDES)
async def test_guide_comes_out_as_it_says(fresh_stack: Running, guide: str) -> None:
    lines = [line.lower() for line in await lines_of(ROOT / "docs" / "start" / f"{guide}.md", fresh_stack.data_dir)]
    assert [line for line, start in zip(lines, GUIDES[guide], strict=True) if not line.startswith(start)] == []


async def test_page_on_testing_payments_comes_out_as_it_says(fresh_stack: Running) -> None:
    lines = await lines_of(ROOT / "docs" / "start" / "testing-payments.md", fresh_stack.data_dir)
    assert lines == [
        "free",
        "402 payment.declined generic_decline",
        "active starter",
        "600.00",
        "upgrade",
        "succeeded",
        "failed",
        "listed 40.00",
        "True",
        "first",
        "409 deployment.limit_reached",
        "done",
        "second",
        "arrears",
        "1",
        "5.50",
        "ready",
        "409 payout.below_minimum",
        "succeeded",
        "670.00",
    ]


async def test_control_of_the_sandboxes_can_be_pasted(fresh_stack: Running) -> None:
    lines = await lines_of(ROOT / "docs" / "operate" / "sandboxes.md", fresh_stack.data_dir)
    assert '{"faults":0}' in lines
    assert any(line.startswith('{"orders":') for line in lines)
    # Objects have fields such as `last_finalization_error`.
    assert [line for line in lines if re.search(r"(?<![a-z_])error", line)] == []


def test_every_recipe_is_tried() -> None:
    # What is for whoever changes the code, and the SQL of charts, have tests of their own beside this one.
    written = {path.stem for path in (ROOT / "docs" / "guides" / "recipes").glob("*.md")}
    assert written == {
        *RECIPES,
        "superset",
        "add-a-page",
        "add-a-process",
        "add-a-purpose",
        "replace-the-document-template",
    }
