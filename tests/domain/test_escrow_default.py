"""Undecided disputes: the contract's default applies to delivered work."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, strategies as st

from domain.common.access import Actor, Role
from domain.common.money import allocate
from domain.escrow import commands
from domain.escrow.deadlines import LATE_AFTER, timed_exit
from domain.escrow.presentation import story
from domain.escrow.state import WHOLE_E4, Escrow, EscrowStatus, Milestone, Outcome
from tests.support import escrows as e
from tests.support.cases import for_each

PAYEE = (e.WORKER, e.STUDIO)
OTHERS = (e.PROCUREMENT, e.FINANCE, e.OPERATOR)
CHARGEBACK = Actor(principal=commands.payment_source("pay_01kar6h2d8e4wvq3r5s7t9x1zy"), role=Role.OPERATOR)
#: Whose dispute ends by default with a share of what was delivered, and no more.
FOR_DELIVERED = (*PAYEE, CHARGEBACK)
S = EscrowStatus


def numbered(outcome: Outcome) -> Escrow:
    return commands.with_receipt(outcome, command_id="c", now=e.T0).escrow


def funded(*prices: int, share_e4: int = 5_000, amount_minor: int = 100) -> Escrow:
    """Return a funded escrow with milestones at the prices, or without."""
    terms = e.terms(
        amount_minor=sum(prices) or amount_minor,
        milestones=tuple(Milestone(name=f"m{n}", amount_minor=price) for n, price in enumerate(prices)),
        dispute_default_share_e4=share_e4,
        commission_bps=0,
    )
    opened = numbered(commands.opened(terms, actor=e.PROCUREMENT, now=e.T0))
    return numbered(commands.fund(opened, actor=e.PROCUREMENT, source="credits", now=e.T0))


def delivered(escrow: Escrow) -> Escrow:
    return numbered(commands.deliver(escrow, actor=e.WORKER, artifacts=(), note=".", milestone=None, now=e.T0))


def accepted(escrow: Escrow) -> Escrow:
    number = escrow.delivery.number if escrow.delivery else None
    return numbered(
        commands.validate(escrow, actor=e.VALIDATOR, score_e4=WHOLE_E4, note=None, now=e.T0, delivery=number)
    )


def disputed(escrow: Escrow, actor: Actor) -> Escrow:
    return numbered(commands.dispute(escrow, actor=actor, reason="r", now=e.T0))


def undecided(escrow: Escrow) -> Escrow:
    """Return the end of an undecided dispute."""
    while not escrow.is_final:
        assert escrow.dispute is not None
        outcome = timed_exit(escrow, escrow.dispute.default_at)
        assert outcome is not None
        escrow = numbered(outcome)
    return escrow


@for_each("actor", FOR_DELIVERED)
@for_each("share_e4", [1_000, 5_000, 10_000])
def test_payee_that_has_delivered_nothing_gets_nothing_by_default(actor, share_e4):
    frozen = disputed(funded(share_e4=share_e4), actor)
    assert frozen.default_share_e4 == 0
    assert "if not decided by then, " in story(numbered(timed_exit(frozen, frozen.dispute.decide_by)))
    end = undecided(frozen)
    assert (end.status, end.released_minor, end.refunded_minor) == (S.REFUNDED, 0, 100)


@pytest.mark.parametrize("actor", OTHERS)
def test_default_of_the_contract_applies_to_a_dispute_that_others_open_before_a_delivery(actor):
    frozen = disputed(funded(), actor)
    assert frozen.dispute.default_share_e4 is None
    end = undecided(frozen)
    assert (end.status, end.released_minor, end.refunded_minor) == (S.SPLIT, 50, 50)


@pytest.mark.parametrize("actor", [e.STUDIO, CHARGEBACK, *OTHERS])
def test_default_of_the_contract_applies_to_all_that_was_delivered(actor):
    frozen = disputed(delivered(funded()), actor)
    assert frozen.dispute.default_share_e4 is None
    assert undecided(frozen).released_minor == 50


def test_payee_that_disputes_a_small_milestone_gets_nothing_of_the_large_one_by_default():
    end = undecided(disputed(delivered(funded(2, 98)), e.STUDIO))
    assert (end.status, end.released_minor, end.refunded_minor) == (S.SPLIT, 1, 99)


def test_payee_that_disputes_between_milestones_gets_nothing_more_by_default():
    end = undecided(disputed(accepted(delivered(funded(2, 98))), e.STUDIO))
    assert (end.status, end.released_minor, end.refunded_minor) == (S.SPLIT, 2, 98)


@pytest.mark.parametrize(
    ("late", "grace_begins"),
    [
        (timedelta(0), timedelta(0)),
        (LATE_AFTER, timedelta(0)),
        (2 * LATE_AFTER, 2 * LATE_AFTER),
        (timedelta(days=40),) * 2,
    ],
)
def test_grace_period_begins_with_the_alert_even_if_late(late, grace_begins):
    frozen = disputed(delivered(funded()), e.FINANCE)
    alerted = timed_exit(frozen, frozen.dispute.decide_by + late)
    assert alerted.event == "decision_overdue"
    assert alerted.escrow.dispute.default_at == frozen.dispute.default_at + grace_begins


def test_arbiter_decides_without_regard_to_the_default():
    frozen = disputed(funded(), e.WORKER)
    end = numbered(commands.resolve(frozen, actor=e.ARBITER, payee_share_e4=6_000, note=None, now=e.T0))
    assert end.released_minor == 60


def test_organization_that_hires_its_own_agent_disputes_as_the_payer():
    escrow = funded()
    own = replace(escrow, terms=replace(escrow.terms, payee_org_id=e.PAYER_ORG))
    assert disputed(own, e.PROCUREMENT).dispute.default_share_e4 is None


@pytest.mark.parametrize(("back", "gained"), [(0, 5), (50, 5), (90, 5), (94, 3)])
def test_payee_that_refunds_undelivered_work_keeps_its_share_of_delivered_work(back, gained):
    frozen = disputed(delivered(funded(10, 90)), e.STUDIO)
    if back:
        frozen = numbered(commands.refund(frozen, actor=e.STUDIO, amount_minor=back))
    end = undecided(frozen)
    assert (end.released_minor, end.refunded_minor) == (gained, 100 - gained)


def test_payee_that_has_delivered_nothing_gains_nothing_by_a_refund():
    frozen = numbered(commands.refund(disputed(funded(10, 90), e.STUDIO), actor=e.STUDIO, amount_minor=90))
    assert undecided(frozen).released_minor == 0


@given(
    prices=st.lists(st.integers(1, 10**9), max_size=4),
    paid=st.integers(0, 3),
    is_delivered=st.booleans(),
    back=st.integers(0, 10**9),
    share_e4=st.integers(0, WHOLE_E4),
    actor=st.sampled_from((e.STUDIO, CHARGEBACK, *OTHERS)),
)
def test_default_never_exceeds_the_share_of_delivered_work(prices, paid, is_delivered, back, share_e4, actor):
    escrow = funded(*prices, share_e4=share_e4, amount_minor=10**6 + 1)
    for _ in range(min(paid, len(prices) - 1)):
        escrow = accepted(delivered(escrow))
    back = min(back, escrow.held_minor - 1)
    if back:
        escrow = numbered(commands.refund(escrow, actor=e.STUDIO, amount_minor=back))
    if is_delivered:
        escrow = delivered(escrow)
    end = undecided(disputed(escrow, actor))
    gained = end.released_minor - escrow.released_minor
    assert end.released_minor + end.refunded_minor == end.funded_minor
    if actor in OTHERS:
        assert gained == allocate(escrow.held_minor, [share_e4, WHOLE_E4 - share_e4])[0]
        return
    price = prices[len(escrow.milestones_released)] if prices else escrow.held_minor
    claim = min(price, escrow.held_minor) if is_delivered else 0
    # Rounded to the nearest unit; the half unit is the payee's.
    assert gained * WHOLE_E4 <= claim * share_e4 + WHOLE_E4 // 2
    if claim == escrow.held_minor:
        assert gained == allocate(claim, [share_e4, WHOLE_E4 - share_e4])[0]
