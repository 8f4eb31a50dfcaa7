"""The agenda of an invoice: every due step is taken, one at a time, and only our own steps are counted."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, strategies as st

from domain.billing.invoice.agenda import Step, agenda
from domain.billing.invoice.collection import (
    FINAL,
    UNDER_WAY,
    Collection,
    CollectionMethod,
    CollectionStatus,
    InvoiceDue,
    Transition,
)
from domain.billing.invoice.state import InvoiceStatus, PausedFor
from domain.common.agenda import Wait
from domain.common.errors import DomainError, WrongInvoiceState
from domain.payments import dunning as rules
from domain.payments.dunning import ChargeOutcome, ChargeResult, check_days

T0 = datetime(2026, 1, 31, 12, tzinfo=UTC)
OPEN = InvoiceDue(status=InvoiceStatus.OPEN, due_minor=25_000)
PAID = InvoiceDue(status=InvoiceStatus.PAID, due_minor=0)
VOID = InvoiceDue(status=InvoiceStatus.VOID, due_minor=0)
REOPENED = replace(OPEN, paused_for=PausedFor.CHARGEBACK)
S = CollectionStatus
SEND = CollectionMethod.SEND_INVOICE


def begun(
    method: CollectionMethod = CollectionMethod.CHARGE_AUTOMATICALLY, days: tuple[int, ...] = (3, 7)
) -> Collection:
    held = Collection(
        invoice_id="inv_1",
        org_id="org_1",
        number="INV-000001",
        currency="USD",
        method=method,
        days=days,
        due_at=T0 + timedelta(days=30),
        next_at=T0,
    )
    return rules.with_receipt(rules.opened(held, actor="operator:kim"), "open").collection


def taken(held: Collection, standing: InvoiceDue, step: Step, verdict: ChargeResult, now: datetime) -> Transition:
    """Do what the run does for a step; `verdict` is what becomes of a payment."""
    match step:
        case Step.FOLLOW if verdict.became is ChargeOutcome.NEEDS_PAYER and held.status is S.CHARGING:
            why = {"code": "authentication_required", "detail": "Confirm it.", "link": "https://pay.test/1"}
            return rules.needs_payer(held, now, payment_id="pay_2", **why)
        case Step.FOLLOW if verdict == WAITS and held.status is S.CHARGING:
            return rules.postponed(held, now, payment_id="pay_own")
        case Step.FOLLOW:
            return rules.payment_ended(held, standing, verdict, now)
        case Step.END:
            return rules.ended(held, standing)
        case Step.PAUSE:
            return rules.paused(held, standing)
        case Step.RESUME:
            return rules.resumed(held, standing, now, actor="workflow")
        case Step.ANNOUNCE:
            return rules.announced(held)
        case Step.PUT_OFF:
            return rules.postponed(held, now, payment_id="pay_own")
        case Step.REMIND:
            return rules.reminded(held, now)
        case Step.GIVE_UP:
            return rules.given_up(held, standing, actor="workflow")
        case _:
            return rules.charging(held, now, payment_id=f"pay_{held.attempts + 1}")


#: A payment of the organization's own was found.
WAITS = ChargeResult(became=ChargeOutcome.OPEN)
ENDS = (ChargeOutcome.DECLINED, ChargeOutcome.UNANSWERED, ChargeOutcome.NEEDS_PAYER, ChargeOutcome.PAID)
VERDICTS = [WAITS, *(ChargeResult(became=each) for each in ENDS)]


@given(data=st.data())
def test_every_due_step_is_taken_and_the_plan_ends_whatever_happens_to_the_invoice(data):
    """From every state that can be reached each item is a step that changes it, or a wait that lies ahead."""
    method = data.draw(st.sampled_from(CollectionMethod))
    held, standing, now = begun(method, data.draw(st.sampled_from([(1,), (3, 7), (3, 7, 14, 21)]))), OPEN, T0
    seen = 0
    for _ in range(60):
        if data.draw(st.integers(0, 19)) == 0:
            standing = data.draw(st.sampled_from([OPEN, REOPENED, PAID, VOID]))
        processing = data.draw(st.booleans())
        item = agenda(held, standing, now, processing=processing)
        assert not processing or item not in {Step.REMIND, Step.GIVE_UP}
        assert processing or item is not Step.PUT_OFF
        if item is None:
            assert held.status in FINAL
            assert held.status.value == standing.status.value
            standing = data.draw(st.sampled_from([standing, OPEN, REOPENED]))
            continue
        if isinstance(item, Wait):
            assert item.until > now
            if held.status is S.PAUSED:
                # Nothing happens by itself: an operator decides.
                decide = data.draw(st.sampled_from([rules.resumed, rules.charge_requested]))
                held = rules.with_receipt(decide(held, standing, now, actor="operator:kim"), "kim").collection
                continue
            now = item.until
            continue
        assert held.status not in UNDER_WAY or item is Step.FOLLOW
        assert standing.paused_for is None or item in {Step.FOLLOW, Step.PAUSE}
        verdict = data.draw(st.sampled_from(VERDICTS))
        if verdict.became is ChargeOutcome.PAID and item is Step.FOLLOW:
            standing = PAID
        outcome = rules.with_receipt(taken(held, standing, item, verdict, now), f"step:{held.version}")
        assert replace(outcome.collection, version=0, receipts=()) != replace(held, version=0, receipts=())
        held = outcome.collection
        assert held.steps <= len(held.days) + 1
        if item is Step.GIVE_UP:
            standing = InvoiceDue(status=InvoiceStatus.UNCOLLECTIBLE, due_minor=0)
        seen += 1
    assert seen


def walked(held: Collection, verdicts: list[ChargeOutcome]) -> tuple[list[tuple[int, str]], Collection]:
    """Let time pass until the end, with these ends of payments; returns on which day which event came."""
    events, now, standing = [], T0, OPEN
    while (item := agenda(held, standing, now)) is not None:
        if isinstance(item, Wait):
            now = item.until
            continue
        verdict = ChargeResult(became=verdicts.pop(0) if item is Step.FOLLOW else ChargeOutcome.OPEN)
        if verdict.became is ChargeOutcome.PAID:
            standing = PAID
        outcome = rules.with_receipt(taken(held, standing, item, verdict, now), f"step:{held.version}")
        if item is Step.GIVE_UP:
            standing = InvoiceDue(status=InvoiceStatus.UNCOLLECTIBLE, due_minor=0)
        held = outcome.collection
        events.append(((now - T0).days, outcome.event))
    return [each for each in events if each[1] not in {"announced", "charging"}], held


def test_charges_come_on_the_days_of_dunning_and_the_last_decline_gives_up():
    events, _ = walked(begun(), [ChargeOutcome.DECLINED] * 3)
    assert events == [(0, "declined"), (3, "declined"), (7, "declined"), (7, "given_up")]


def test_reminders_come_after_the_due_date_and_the_last_day_gives_up():
    events, _ = walked(begun(SEND, (3, 7, 14)), [])
    assert events == [(33, "reminded"), (37, "reminded"), (44, "given_up")]


def test_pitfall_20_what_was_not_declined_is_not_counted():
    ends = [
        ChargeOutcome.UNANSWERED,
        ChargeOutcome.DECLINED,
        ChargeOutcome.NEEDS_PAYER,
        ChargeOutcome.DECLINED,
        ChargeOutcome.PAID,
    ]
    events, held = walked(begun(), ends)
    assert [event for _, event in events] == ["unanswered", "declined", "requires_action", "unanswered", "paid"]
    assert (held.steps, held.attempts) == (1, 4)


def test_charges_that_an_operator_asks_for_come_beside_the_plan_and_never_give_up():
    held = rules.declined(
        rules.charging(begun(), T0, payment_id="pay_1").collection, T0, code="c", detail="d"
    ).collection
    for _ in range(len(held.days) + 1):
        asked = rules.charge_requested(held, OPEN, T0, actor="operator:kim").collection
        assert agenda(asked, OPEN, T0) is Step.CHARGE
        charging = rules.charging(asked, T0, payment_id="pay_2").collection
        held = rules.declined(charging, T0, code="c", detail="d").collection
    assert agenda(held, OPEN, T0) == Wait(until=T0 + timedelta(days=3), why="charge the stored method")


def test_refused_charge_that_an_operator_asks_for_after_the_last_reminder_gives_nothing_up():
    held, now = begun(SEND, (3, 7, 14, 21)), T0
    while held.steps < len(held.days):
        item = agenda(held, OPEN, now)
        if isinstance(item, Wait):
            now = item.until
        else:
            held = taken(held, OPEN, item, WAITS, now).collection
    assert now == held.due_at + timedelta(days=14)
    asked = rules.charge_requested(held, OPEN, now, actor="operator:kim").collection
    charging = rules.charging(asked, now, payment_id="pay_1").collection
    refused = rules.not_charged(charging, now, code=WrongInvoiceState.code, detail="It is requested elsewhere.")
    last = held.due_at + timedelta(days=21)
    assert agenda(refused.collection, OPEN, now) == Wait(until=last, why="give it up")
    assert agenda(refused.collection, OPEN, last) is Step.GIVE_UP
    # What has ended meanwhile is noted at once.
    assert agenda(refused.collection, PAID, now) is Step.END


def test_charge_waits_for_what_the_organization_pays_by_itself_and_then_takes_its_turn():
    events, held = walked(
        begun(), [ChargeOutcome.DECLINED, *[ChargeOutcome.OPEN] * 4, ChargeOutcome.DECLINED, ChargeOutcome.PAID]
    )
    assert events[:6] == [(0, "declined"), (3, "waits"), (3, "waits"), (3, "waits"), (3, "waits"), (4, "declined")]
    assert (held.steps, held.waited, held.waits_for) == (2, 0, None)


def test_charge_that_waits_for_ever_is_left_to_an_operator():
    held, now = begun(), T0
    while held.status is not S.PAUSED:
        assert now < T0 + timedelta(days=15)
        charging = rules.charging(held, now, payment_id="pay_1").collection
        held = rules.postponed(charging, now, payment_id="pay_own").collection
        now = held.next_at
    assert (held.paused_for, held.steps) == ("unanswered", 0)
    assert now > T0 + timedelta(days=13)


def test_step_that_comes_late_moves_the_rest():
    late = T0 + timedelta(days=9)
    first = rules.declined(rules.charging(begun(), T0, payment_id="pay_1").collection, T0, code="c", detail="d")
    again = rules.charging(first.collection, late, payment_id="pay_2").collection
    assert rules.declined(again, late, code="c", detail="d").collection.next_at == late + timedelta(days=4)


@pytest.mark.parametrize("decide", [rules.charge_requested, rules.resumed])
def test_nothing_is_ordered_while_a_payment_is_under_way(decide):
    held = rules.charging(begun(), T0, payment_id="pay_1").collection
    with pytest.raises(DomainError) as refusal:
        decide(held, OPEN, T0, actor="operator:kim")
    assert refusal.value.error_code == "invoice.charge_under_way"


def test_what_is_paid_in_part_is_not_voided():
    with pytest.raises(DomainError) as refusal:
        rules.voided(begun(), replace(OPEN, touched=True), actor="operator:kim")
    assert refusal.value.error_code == "invoice.wrong_state"
    assert refusal.value.extra == {"state": "open", "due": "250.00"}


@pytest.mark.parametrize("decide", [rules.voided, rules.given_up])
def test_refusal_of_what_has_ended_says_that_nothing_is_due(decide):
    with pytest.raises(DomainError) as refusal:
        decide(begun(), replace(OPEN, status=InvoiceStatus.PAID, due_minor=0), actor="operator:kim")
    assert refusal.value.extra == {"state": "paid", "due": "0.00"}


@pytest.mark.parametrize("days", [(), (0,), (3, 3), (7, 3), (366,), tuple(range(1, 22))])
def test_days_that_do_not_rise_are_refused(days):
    with pytest.raises(ValueError, match="rise"):
        check_days(days)
