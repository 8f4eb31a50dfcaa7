"""Evidence from the steps and the end of an escrow: parts add up to the whole, and good evidence needs payment."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, strategies as st

from domain.common.access import Actor
from domain.common.credits import credit_price
from domain.common.money import parse_ratio
from domain.escrow import commands
from domain.escrow.deadlines import next_deadline, timed_exit
from domain.escrow.settlement import settle_dispute
from domain.escrow.state import WHOLE_E4, Delivery, Dispute, Escrow, EscrowStatus, Milestone, Outcome
from domain.reputation.conduct import of_cancellation
from domain.reputation.escrow_evidence import EventEvidence, evidence_of_event, stakes_of, value_at_stake
from domain.reputation.evidence import ONE_E6, Dimension
from domain.reputation.facts import DimensionShare
from domain.reputation.weights import Stakes, weight_e6
from tests.support.cases import for_each
from tests.support.escrows import ARBITER, PROCUREMENT, STUDIO, T0, VALIDATOR, terms

FUNDED = 50_000_000
S = EscrowStatus
DELIVERY = Delivery(artifacts=(), note=None, milestone=None, delivered_at=T0, number=1)
DISPUTE = Dispute(opened_by="x", reason="x", opened_at=T0, evidence_until=T0, decide_by=T0, default_at=T0)
ESCROW = Escrow(
    terms=terms(), status=S.DELIVERED, version=5, opened_at=T0, updated_at=T0, funded_minor=FUNDED, delivery=DELIVERY
)
Step = Callable[[Escrow, datetime], Outcome | None]


def ended(status: EscrowStatus, paid: int, **changes: object) -> Escrow:
    commission = paid // 20
    amounts = {"released_minor": paid - commission, "commission_minor": commission, "refunded_minor": FUNDED - paid}
    return replace(ESCROW, status=status, **amounts, **changes)


def decided(share_e4: int) -> Dispute:
    return replace(DISPUTE, payee_share_e4=share_e4, resolved_by="arbiter")


def kinds(found: EventEvidence | None) -> list[str] | None:
    return None if found is None else [fact.kind.value for fact in found.facts]


UNDELIVERED = replace(ESCROW, status=S.FUNDED, delivery=None)


@for_each(
    "before, escrow, event, score, told",
    [
        (ESCROW, ended(S.RELEASED, FUNDED), "approved", None, ["released", "in_time"]),
        (ESCROW, ended(S.RELEASED, FUNDED), "validated", 9_000, ["released", "in_time", "validated"]),
        (ESCROW, ended(S.REFUNDED, 0), "refunded", None, ["refunded"]),
        (UNDELIVERED, ended(S.REFUNDED, 0, delivery=None), "refunded", None, None),
        (ESCROW, ended(S.REFUNDED, 0, dispute=decided(0)), "resolved", None, ["refunded", "dispute_lost"]),
        (ESCROW, ended(S.SPLIT, FUNDED // 2, dispute=decided(5_000)), "resolved", None, ["split"]),
        (UNDELIVERED, ended(S.REFUNDED, 0, delivery=None), "delivery_expired", None, ["undelivered"]),
        (UNDELIVERED, ended(S.CANCELLED, 0), "cancelled", None, None),
        (ESCROW, ESCROW, "validated", 10_000, None),
        (ESCROW, replace(ESCROW, status=S.CANCELLED, funded_minor=0), "funding_expired", None, None),
    ],
)
def test_events_give_the_evidence_of_each_end(
    before: Escrow, escrow: Escrow, event: str, score: int | None, told: list[str] | None
) -> None:
    assert kinds(evidence_of_event(before, escrow, event, score)) == told


DUE = T0 + timedelta(days=9)
TAKEN = replace(UNDELIVERED, deliver_by=DUE)
BY_PAYEE, BY_OPERATOR = STUDIO.qualified(), "operator"


@for_each("status", [S.CANCELLED, S.REFUNDED])
@for_each(
    "left, before, actor, told",
    [
        (timedelta(minutes=1), TAKEN, BY_PAYEE, ["undelivered"]),
        (timedelta(days=4), TAKEN, BY_PAYEE, None),
        (timedelta(minutes=1), replace(TAKEN, cancel_requested_by="acme/owner"), BY_PAYEE, ["undelivered"]),
        (timedelta(days=4), replace(TAKEN, cancel_requested_by="acme/owner"), BY_PAYEE, None),
        (timedelta(minutes=1), replace(TAKEN, cancel_requested_by="acme/owner"), BY_OPERATOR, None),
        (timedelta(minutes=1), TAKEN, BY_OPERATOR, None),
    ],
)
def test_payee_who_gives_up_shortly_before_its_deadline_has_missed_it(
    status: EscrowStatus, left: timedelta, before: Escrow, actor: str, told: list[str] | None
) -> None:
    after = ended(status, 0, delivery=None, updated_at=DUE - left)
    event = "cancelled" if status is S.CANCELLED else "refunded"
    assert kinds(evidence_of_event(before, after, event, actor=actor)) == told


def test_late_refunds_in_parts_by_the_payee_weigh_as_much_as_one() -> None:
    late, early = DUE - timedelta(minutes=1), DUE - timedelta(days=6)
    for at, told in ((late, ["undelivered"]), (early, None)):
        part = replace(TAKEN, refunded_minor=FUNDED - 1, updated_at=at)
        found = evidence_of_event(TAKEN, part, "partially_refunded", actor=BY_PAYEE)
        assert kinds(found) == told
        if found is not None:
            assert (found.value_minor, found.whole_minor) == (FUNDED - 1, FUNDED)
            assert not any(fact.is_end for fact in found.facts)
        # Then only the rest is missed: delivering it does not make up for the part that was refunded.
        end = ended(S.REFUNDED, 0, delivery=None, updated_at=DUE)
        missed = evidence_of_event(part, end, "delivery_expired")
        assert missed is not None
        assert (missed.value_minor, [fact.is_end for fact in missed.facts]) == (1, [True])
    asked = replace(TAKEN, cancel_requested_by="acme/owner")
    given = evidence_of_event(
        asked, replace(asked, refunded_minor=1, updated_at=late), "partially_refunded", actor=BY_PAYEE
    )
    assert given is not None
    assert (kinds(given), given.value_minor) == (["undelivered"], 1)


@pytest.mark.parametrize("status", [S.CANCELLED, S.REFUNDED])
def test_payee_that_stalls_until_its_client_cancels_is_less_reliable_without_a_failure(
    status: EscrowStatus,
) -> None:
    asked = replace(TAKEN, cancel_requested_by="acme/owner")
    event = "cancelled" if status is S.CANCELLED else "refunded"
    after = ended(status, 0, delivery=None, updated_at=DUE - timedelta(minutes=1))
    found = evidence_of_event(asked, after, event, actor=BY_PAYEE)
    assert found is not None
    [fact] = found.facts
    assert (fact.says, fact.is_rated) == ((DimensionShare(Dimension.RELIABILITY, 10_000, 0),), True)
    # The two agreed to end it: it is not in the success rate.
    assert not fact.is_end
    assert found.value_minor == FUNDED


def test_good_evidence_is_bounded_by_the_commission_paid_and_bad_by_the_commission_due() -> None:
    # All but a hundredth was refunded before the release, so the work is worth a hundredth.
    small = evidence_of_event(ESCROW, ended(S.RELEASED, FUNDED // 100), "approved")
    assert small is not None
    assert (small.value_minor, small.commission_minor) == (FUNDED // 100, FUNDED // 2_000)
    # Feedback on it can be bad news about all of it; good news counts by the part.
    stakes = (value_at_stake(ended(status, paid)) for status, paid in ((S.REFUNDED, 0), (S.RELEASED, FUNDED // 100)))
    for back in (evidence_of_event(ESCROW, ended(S.REFUNDED, 0), "refunded"), *stakes):
        assert back is not None
        assert (back.value_minor, back.commission_minor) == (FUNDED, FUNDED // 20)


DISCOUNTED = replace(ESCROW, terms=terms(commission_bps=0, undiscounted_commission_bps=500))


def free(status: EscrowStatus, paid: int, **changes: object) -> Escrow:
    amounts = {"released_minor": paid, "commission_minor": 0, "refunded_minor": FUNDED - paid}
    return replace(DISCOUNTED, status=status, **amounts, **changes)


def test_discount_that_takes_the_commission_takes_the_weight_of_good_evidence_alone() -> None:
    for found in (
        evidence_of_event(DISCOUNTED, free(S.RELEASED, FUNDED), "approved"),
        evidence_of_event(DISCOUNTED, free(S.REFUNDED, 0), "refunded"),
        evidence_of_event(DISCOUNTED, free(S.SPLIT, FUNDED // 2, dispute=decided(4_000)), "resolved"),
        evidence_of_event(replace(DISCOUNTED, status=S.FUNDED), free(S.EXPIRED, 0, delivery=None), "delivery_expired"),
        evidence_of_event(DISCOUNTED, replace(DISCOUNTED, validation_score_e4=1_000), "validated", 1_000),
        value_at_stake(free(S.RELEASED, FUNDED)),
        value_at_stake(free(S.REFUNDED, 0)),
    ):
        assert found is not None
        assert found.commission_minor == 0
        assert found.bad_commission_minor == found.value_minor // 20


def test_without_a_discount_good_and_bad_evidence_are_bounded_by_one_commission() -> None:
    for found in (
        evidence_of_event(ESCROW, ended(S.RELEASED, FUNDED // 100), "approved"),
        evidence_of_event(ESCROW, ended(S.REFUNDED, 0), "refunded"),
        value_at_stake(ended(S.RELEASED, FUNDED)),
        value_at_stake(ended(S.REFUNDED, 0)),
    ):
        assert found is not None
        assert found.bad_commission_minor == found.commission_minor


def test_client_that_cancels_discounted_work_is_judged_by_the_commission_before_the_discount() -> None:
    asked = replace(DISCOUNTED, status=S.FUNDED, delivery=None, cancel_requested_by="procurement")
    told = of_cancellation(asked, replace(asked, status=S.CANCELLED, refunded_minor=FUNDED))
    assert told is not None
    assert told.commission_minor == FUNDED // 20


def test_decisions_of_a_client_count_by_the_trust_in_it() -> None:
    for event, is_rated in (("approved", True), ("review_expired", True), ("validated", False), ("resolved", False)):
        found = evidence_of_event(ESCROW, ended(S.RELEASED, FUNDED), event)
        assert found is not None
        assert {fact.is_rated for fact in found.facts} == {is_rated}
    # It costs nothing to order what cannot be delivered in time.
    missed = evidence_of_event(UNDELIVERED, ended(S.REFUNDED, 0, delivery=None), "delivery_expired")
    assert missed is not None
    assert missed.facts[0].is_rated
    lost = evidence_of_event(ESCROW, ended(S.RELEASED, FUNDED, dispute=decided(10_000)), "resolved")
    assert lost is not None
    assert (lost.facts[0].client_good_e4, lost.facts[0].client_bad_e4) == (0, 10_000)


def test_approvals_of_a_validator_count_with_payment_and_faults_at_once() -> None:
    scored = replace(ESCROW, validation_score_e4=7_000)

    def said(found: EventEvidence | None) -> list[tuple[int, int]]:
        assert found is not None
        return [(each.share_e4, each.good_e4) for fact in found.facts if fact.kind == "validated" for each in fact.says]

    faults = evidence_of_event(ESCROW, scored, "validated", 7_000)
    assert said(faults) == [(3_000, 0)]
    assert faults is not None
    assert faults.value_minor == FUNDED
    end = {"validation_score_e4": 7_000}
    assert said(evidence_of_event(scored, ended(S.RELEASED, FUNDED, **end), "approved")) == [(7_000, 10_000)]
    assert said(evidence_of_event(scored, ended(S.SPLIT, FUNDED // 2, **end), "default_applied")) == [(3_500, 10_000)]
    assert said(evidence_of_event(scored, ended(S.REFUNDED, 0, **end), "refunded")) == []


@pytest.mark.parametrize(
    ("days", "number", "released", "kind"),
    [
        (11, 2, (), "late"),
        # Until then it may have been funded late.
        (10, 2, (), "in_time"),
        # A first delivery is in time: funding can have waited for the books.
        (11, 1, (), "in_time"),
        # Each milestone has its own date, which the state does not store.
        (11, 2, ("draft",), "in_time"),
    ],
)
def test_replacement_of_a_delivery_is_late_only_after_its_last_possible_due_date(
    days: int, number: int, released: tuple[str, ...], kind: str
) -> None:
    at = T0 + timedelta(days=days)
    delivery = replace(DELIVERY, number=number, delivered_at=at)
    before = replace(ESCROW, delivery=delivery, milestones_released=released)
    found = evidence_of_event(before, ended(S.RELEASED, FUNDED, delivery=delivery), "approved")
    assert kinds(found) == ["released", kind]


def approve(escrow: Escrow, now: datetime) -> Outcome:
    number = escrow.delivery.number if escrow.delivery else None
    return commands.approve(escrow, signatory="procurement", actor=PROCUREMENT, now=now, delivery=number)


def expire(escrow: Escrow, now: datetime) -> Outcome | None:
    deadline = next_deadline(escrow)
    return None if deadline is None else timed_exit(escrow, deadline.at)


def validate(escrow: Escrow, now: datetime) -> Outcome:
    number = escrow.delivery.number if escrow.delivery else None
    return commands.validate(escrow, actor=VALIDATOR, score_e4=9_000, note=None, now=now, delivery=number)


def give_back(escrow: Escrow, now: datetime) -> Outcome:
    return commands.refund(escrow, actor=STUDIO, amount_minor=None)


def keep_less(escrow: Escrow, now: datetime) -> Outcome | None:
    return commands.refund(escrow, actor=STUDIO, amount_minor=escrow.held_minor // 3) if escrow.held_minor > 2 else None


def cut(escrow: Escrow, now: datetime) -> Outcome:
    return commands.resolve(disputed(escrow, now), actor=ARBITER, payee_share_e4=6_000, note=None, now=now)


def disputed(escrow: Escrow, now: datetime) -> Escrow:
    return commands.dispute(escrow, actor=PROCUREMENT, reason="x", now=now).escrow


def play(prices: list[int], steps: list[Step]) -> tuple[Escrow, list[EventEvidence]]:
    """Deliver each milestone and do its steps one after the other; return the evidence."""
    agreed = terms(
        amount_minor=sum(prices),
        milestones=tuple(Milestone(name=str(at), amount_minor=price) for at, price in enumerate(prices)),
        signatories=("procurement",),
        required_signatures=1,
    )
    said: list[EventEvidence] = []

    def take(before: Escrow, outcome: Outcome) -> Escrow:
        score = outcome.details.get("score")
        found = evidence_of_event(
            before, outcome.escrow, outcome.event, None if score is None else parse_ratio(str(score), "score")
        )
        said.extend([found] if found else [])
        return outcome.escrow

    def deliver(held: Escrow, actor: Actor = STUDIO) -> Outcome:
        return commands.deliver(held, actor=actor, artifacts=(), note="x", milestone=None, now=T0)

    escrow = commands.opened(agreed, actor=PROCUREMENT, now=T0).escrow
    escrow = take(escrow, commands.fund(escrow, actor=PROCUREMENT, source=commands.CREDITS, now=T0))
    for step in steps:
        if escrow.is_final:
            break
        if escrow.status is S.FUNDED:
            escrow = take(escrow, deliver(escrow))
        outcome = step(escrow, T0)
        escrow = escrow if outcome is None else take(escrow, outcome)
    return escrow, said


def weight(part: EventEvidence) -> int:
    scale = part.stakes("CREDIT")
    assert scale is not None
    return weight_e6(part.value_minor, part.commission_minor, ONE_E6, scale)


PRICES = st.lists(st.integers(1, 500_000_000), min_size=1, max_size=8)
ACCEPTED = st.sampled_from([approve, expire, validate])


@given(prices=PRICES, steps=st.lists(ACCEPTED, min_size=8, max_size=8))
def test_milestones_together_weigh_as_much_as_the_whole(prices: list[int], steps: list[Step]) -> None:
    escrow, parts = play(prices, steps)
    whole, scale = value_at_stake(escrow), stakes_of("CREDIT")
    assert whole is not None
    assert scale is not None
    most = weight_e6(whole.value_minor, whole.commission_minor, ONE_E6, scale)
    # Rounding takes away only: each part is rounded down, and its commission to a unit that weighs less than that.
    assert most - 2 * len(parts) <= sum(weight(part) for part in parts) <= most + 1
    assert sum(part.value_minor for part in parts) == sum(prices)
    assert sum(part.commission_minor for part in parts) == escrow.commission_minor
    assert [[fact.is_end for fact in part.facts].count(True) for part in parts] == [0] * (len(prices) - 1) + [1]
    # Accepting another milestone never lowers the evidence so far.
    for count in range(len(prices)):
        assert play(prices, steps[:count])[1] == parts[:count]


@given(
    prices=PRICES,
    steps=st.lists(st.sampled_from([approve, expire, validate, keep_less, give_back, cut]), min_size=1, max_size=8),
)
def test_nothing_counts_twice_however_an_escrow_ends(prices: list[int], steps: list[Step]) -> None:
    escrow, parts = play(prices, steps)
    assert sum(part.value_minor for part in parts) <= escrow.funded_minor
    scale = stakes_of("CREDIT")
    assert scale is not None
    staked = weight_e6(escrow.funded_minor, 10**18, ONE_E6, scale)
    assert sum(weight(part) for part in parts) <= staked
    assert sum(fact.is_end for part in parts for fact in part.facts) <= 1


def test_refunding_nearly_everything_before_the_release_does_not_avoid_bad_evidence() -> None:
    def give_most_back(escrow: Escrow, now: datetime) -> Outcome:
        return commands.refund(escrow, actor=STUDIO, amount_minor=escrow.held_minor - 1)

    _, [back, rest] = play([FUNDED], [give_most_back, expire])
    assert (kinds(back), back.value_minor, back.commission_minor) == (["refunded"], FUNDED - 1, FUNDED // 20)
    assert (kinds(rest), rest.value_minor) == (["released", "in_time"], 1)
    # Before a delivery a refund only changes the price, and is no evidence.
    held = replace(ESCROW, status=S.FUNDED, delivery=None)
    assert evidence_of_event(held, give_most_back(held, T0).escrow, "partially_refunded") is None


def test_end_gives_the_evidence_of_the_rest() -> None:
    prices = [30_000_000, 20_000_000]
    _, [draft, missed] = play(prices, [approve, give_back])
    assert (kinds(draft), draft.value_minor, draft.commission_minor) == (["released", "in_time"], 30_000_000, 1_500_000)
    assert (kinds(missed), missed.value_minor, missed.commission_minor) == (["refunded"], 20_000_000, 1_000_000)
    _, [_, parted] = play(prices, [approve, cut])
    assert [each.good_e4 for each in parted.facts[0].says] == [6_000]
    # Refunding the part that was not delivered yet is no evidence.
    escrow, _ = play(prices, [approve])
    assert escrow.status is S.FUNDED
    assert evidence_of_event(escrow, give_back(escrow, T0).escrow, "refunded") is None
    gone = expire(escrow, T0)
    assert gone is not None
    assert kinds(evidence_of_event(escrow, gone.escrow, gone.event)) == ["undelivered"]


@pytest.mark.parametrize("event", ["resolved", "default_applied"])
def test_dispute_over_undelivered_work_is_no_evidence_of_the_delivery_before(event: str) -> None:
    escrow, _ = play([30_000_000, 20_000_000], [approve])
    won = settle_dispute(
        disputed(escrow, T0), event=event, actor="arbiter", payee_share_e4=WHOLE_E4, note=None, now=T0
    ).escrow
    assert kinds(evidence_of_event(disputed(escrow, T0), won, event)) == ["released"]
    # Work under review was delivered.
    delivered = commands.deliver(escrow, actor=STUDIO, artifacts=(), note="x", milestone=None, now=T0).escrow
    won = settle_dispute(
        disputed(delivered, T0), event=event, actor="arbiter", payee_share_e4=WHOLE_E4, note=None, now=T0
    ).escrow
    assert kinds(evidence_of_event(disputed(delivered, T0), won, event)) == ["released", "in_time"]


def test_currencies_of_unknown_worth_have_no_scale() -> None:
    credit, coin = stakes_of("CREDIT"), stakes_of("BTC")
    assert credit is not None
    assert (credit.typical_minor, credit.unit_commission_minor) == (50_000_000, 2_500_000)
    assert coin is not None
    assert coin.typical_minor == 50_000
    assert stakes_of("IRR") is None


@pytest.mark.parametrize(
    ("price", "currency", "typical_minor"),
    [
        ("0.10", "USD", 500_000_000),
        ("0.03", "EUR", 1_666_666_666),
        ("1", "USD", 50_000_000),
        ("0.00001", "BTC", 50_000_000),
        ("10", "JPY", 50_000_000),
        ("999999999", "USD", 1),
    ],
)
def test_credits_weigh_as_much_as_the_money_paid_for_them(price: str, currency: str, typical_minor: int) -> None:
    found = stakes_of("CREDIT", credit_price(price, currency))
    assert found == Stakes(typical_minor=typical_minor, unit_commission_minor=max(1, typical_minor // 20))
    assert stakes_of("USD", credit_price(price, currency)) == stakes_of("USD")


@given(cents=st.integers(1, 1_000_00), commission=st.integers(0, 100_00), price=st.integers(1, 100))
def test_work_in_credits_weighs_as_work_in_money(cents: int, commission: int, price: int) -> None:
    credit, dollars = credit_price(f"{price / 100:.2f}", "USD"), stakes_of("USD")
    scale, each = stakes_of("CREDIT", credit), 1_000_000
    assert dollars is not None
    assert scale is not None
    in_money = weight_e6(cents * price, commission * price, ONE_E6, dollars)
    in_credits = weight_e6(cents * each, commission * each, ONE_E6, scale)
    # A typical contract is rounded to a whole minor unit of credits.
    assert abs(in_money - in_credits) <= 10
