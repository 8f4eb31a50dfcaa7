"""Texts about escrows for operators."""

import json
import re
from dataclasses import replace
from datetime import timedelta

import pytest

from domain.common.access import Actor, Role
from domain.escrow import commands
from domain.escrow.deadlines import next_deadline
from domain.escrow.pause import extended
from domain.escrow.presentation import MAX_SUMMARY_BYTES, details, summary
from tests.support.escrows import FINANCE, PROCUREMENT, T0, WORKER, terms

NAMED = {"names_shown": True, "payer_name": "Acme [x](http://evil)", "agent_name": "Bot"}
PAYMENT = "pay_01kar6h2d8e4wvq3r5s7t9x1zy"


def opened(**changes):
    return commands.opened(terms(**changes), actor=PROCUREMENT, now=T0).escrow


def funded(**changes):
    return commands.fund(opened(**changes), actor=PROCUREMENT, source="credits", now=T0).escrow


def delivered(**changes):
    return commands.deliver(funded(**changes), actor=WORKER, artifacts=(), note=None, milestone=None, now=T0).escrow


def disputed(actor=FINANCE, **changes):
    return commands.dispute(delivered(**changes), actor=actor, reason="a *bad* job", now=T0).escrow


@pytest.mark.parametrize("state", [opened, funded, delivered, disputed])
def test_deadline_describes_its_future_event(state):
    deadline = next_deadline(state())
    assert deadline.what.startswith("if ")
    assert f"{deadline.at:%Y-%m-%d %H:%M:%S} UTC; {deadline.what}." in details(state())


def test_the_second_deadline_of_a_dispute_names_the_split():
    overdue = disputed()
    overdue = replace(overdue, dispute=replace(overdue.dispute, overdue_alerted=True))
    assert (
        next_deadline(overdue).what
        == "if not decided by then, it is split by the contract's default, 0.50 to the payee"
    )


@pytest.mark.parametrize("state", [opened, funded, delivered, disputed])
def test_signals_are_shown_with_the_escrow_and_a_placeholder_for_the_name(state):
    shown = re.findall(r"- `(\w+)` `(\{.*\})`", details(state()))
    assert shown
    for name, pasted in shown:
        message = json.loads(pasted)
        assert (message[name], message["operator"]) == ("esc_1", "…")


def test_approve_is_not_offered_where_the_contract_excludes_it():
    assert '"approve"' in details(delivered())
    assert '"approve"' not in details(delivered(operator_approvals=False))


def test_names_and_reasons_are_shown_only_if_allowed():
    plain, named = details(disputed()), details(disputed(**NAMED))
    assert "bad" not in plain
    assert "finance" not in plain
    assert "Dispute: opened by the payer at 2026-01-05 12:00 UTC, undecided" in plain
    assert "opened by the payer (finance)" in named
    assert r"Why: a \*bad\* job" in named
    assert r"Acme \[x\]\(http\://evil\) (`org_payer`) pays Bot (`agt_1`)" in named
    assert "Evidence: 0 pieces; taken until 2026-01-08 12:00 UTC" in plain


def test_missing_signatories_are_named_if_names_are_allowed():
    once = commands.approve(delivered(**NAMED), signatory="finance", actor=FINANCE, now=T0).escrow
    assert "- Signatures: 1 of 2 required; procurement, org\\_third/auditor can sign" in details(once)
    assert "procurement" not in details(delivered())
    assert "can sign" not in details(funded(**NAMED))


def test_review_that_waits_for_a_suspended_payee_says_so():
    waits = extended(delivered(), T0 + timedelta(days=9)).escrow
    assert f"- Review extended: it was to end at {delivered().review_by:%Y-%m-%d %H:%M} UTC" in details(waits)
    assert "Review extended" not in details(delivered())


def test_a_freeze_names_the_payment_behind_it():
    by_payment = Actor(principal=f"payment:{PAYMENT}", role=Role.OPERATOR)
    assert f"opened by the chargeback of `{PAYMENT}`" in details(disputed(by_payment))


def test_a_payment_that_funded_it_is_named():
    escrow = commands.fund(opened(), actor=PROCUREMENT, source=f"payment:{PAYMENT}", now=T0).escrow
    assert f"funded by `{PAYMENT}`" in details(escrow)


def test_summary_has_names_and_ids_within_the_limit():
    org, agent = "org_01kar6h2d8e4wvq3r5s7t9x1zy", "agt_01kar6h2d8e4wvq3r5s7t9x1zy"
    agreed = terms(payer_org_id=org, agent_id=agent, payer_name="A" * 200, agent_name="B" * 200)
    assert f"({org}) pays {'B' * 23}… ({agent}) 50.00 CREDIT under ctr_1" in summary(agreed)
    assert len(summary(agreed).encode()) <= MAX_SUMMARY_BYTES
    assert summary(terms(**NAMED)).startswith(r"Acme \[x\]\(http\://evil\) (org_payer) pays Bot (agt_1) ")
    assert summary(terms()) == "org_payer pays agt_1 50.00 CREDIT under ctr_1"


def test_an_ended_escrow_takes_no_signals():
    final = commands.cancel(opened(), actor=PROCUREMENT, reason=None).escrow
    assert "Signals" not in details(final)
    assert "Closed: it was cancelled." in details(replace(final, updated_at=T0 + timedelta(days=1)))
