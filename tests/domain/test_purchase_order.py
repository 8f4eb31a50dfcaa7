from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import assume, given, strategies as st

from domain.budgets.purchase_order import (
    MAX_ATTEMPTS,
    Attempt,
    AttemptStatus,
    DecidingWindow,
    LiftedLimit,
    Person,
    PurchaseOrderStatus,
    Term,
    WaitingPurchase,
    allocate_refund,
    book_charge,
    check_abandon,
    check_attempt,
    check_cancel,
    check_grant,
    check_refund,
    details,
    grant_digest,
    renews_after,
    sentence_of_approval,
    sentence_of_refusal,
    sentence_of_waiting,
    status_after_charge,
)
from domain.common.calendar import Window
from domain.common.errors import ApprovalStale, AttemptOpen, Conflict, Forbidden, Invalid, WrongOrderState

NOW = datetime(2026, 1, 18, 10, 30, tzinfo=UTC)
S, A = PurchaseOrderStatus, AttemptStatus
AMOUNTS = st.integers(min_value=1, max_value=10**15)
TEXTS = st.text(max_size=20)
BINDING = DecidingWindow(
    budget_id="ctl_1",
    subject="agent Ada",
    currency="USD",
    window=Window.DAY,
    limit_minor=2500,
    remaining_minor=500,
    resets_at=datetime(2026, 1, 19, tzinfo=UTC),
)


def lifts() -> st.SearchStrategy[tuple[LiftedLimit, ...]]:
    one = st.builds(LiftedLimit, budget_id=st.sampled_from(["ctl_a", "ctl_b"]), window=st.sampled_from(Window))
    return st.sets(one, max_size=3).map(tuple)


def asked() -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {
            "item": TEXTS,
            "vendor": TEXTS,
            "amount_minor": AMOUNTS,
            "currency": st.sampled_from(["USD", "CAD", "BTC", "JPY"]),
            "pool": st.sampled_from(["operating", "reserve", "emergency"]),
            "lifts": lifts(),
        }
    )


@given(asked(), asked(), st.data())
def test_digest_depends_on_every_field_and_nothing_else(
    one: dict[str, Any], other: dict[str, Any], data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(sorted(one)))
    assume(set(one["lifts"]) != set(other["lifts"]) if name == "lifts" else one[name] != other[name])
    assert grant_digest(**one) != grant_digest(**{**one, name: other[name]})
    shuffled = data.draw(st.permutations(list(one["lifts"])))
    assert grant_digest(**one) == grant_digest(**{**one, "lifts": shuffled})


@given(st.integers(0, 1000), st.integers(1, 1000), st.booleans())
def test_charge_is_booked_in_full_and_below_the_hold_only_if_a_person_confirms(
    held: int, charged: int, is_confirmed: bool
) -> None:
    booked = book_charge(held, charged, is_confirmed=is_confirmed)
    counts = booked.spent_minor + booked.forced_minor
    assert counts == (charged if is_confirmed else max(held, charged))
    assert booked.spent_minor + booked.returned_minor == held
    assert min(booked.spent_minor, booked.returned_minor, booked.forced_minor) >= 0


@given(st.lists(st.tuples(st.integers(0, 100), st.integers(0, 100)), min_size=1, max_size=5), st.data())
def test_refunds_are_spread_over_unrefunded_spending(pairs: Sequence[tuple[int, int]], data: st.DataObject) -> None:
    counts = [(number, max(pair), min(pair)) for number, pair in enumerate(pairs)]
    left = sum(spent - refunded for _, spent, refunded in counts)
    amount = data.draw(st.integers(0, left))
    totals = allocate_refund(counts, amount)
    before = {number: refunded for number, _, refunded in counts}
    assert sum(total - before[number] for number, total in totals.items()) == amount
    assert all(before[number] < totals[number] <= spent for number, spent, _ in counts if number in totals)
    with pytest.raises(ValueError, match="more is refunded"):
        allocate_refund(counts, left + 1)


def test_a_refund_of_more_than_is_left_is_refused() -> None:
    check_refund(300, 1000, 700, "USD")
    with pytest.raises(Invalid, match=r"7\.00 USD can still be refunded"):
        check_refund(300, 1000, 701, "USD")


@given(st.lists(st.sampled_from(A), max_size=MAX_ATTEMPTS + 1))
def test_an_attempt_begins_only_when_all_before_it_were_declined(statuses: list[AttemptStatus]) -> None:
    attempts = [Attempt(number=n, status=status) for n, status in enumerate(statuses, 1)]
    until = NOW + timedelta(hours=1)
    if {A.BEGUN, A.UNKNOWN} & set(statuses):
        with pytest.raises(AttemptOpen):
            check_attempt(S.APPROVED, attempts, held_until=until, at=NOW)
    elif len(statuses) >= MAX_ATTEMPTS:
        with pytest.raises(Conflict, match="20 attempts"):
            check_attempt(S.APPROVED, attempts, held_until=until, at=NOW)
    else:
        assert check_attempt(S.APPROVED, attempts, held_until=until, at=NOW) == len(statuses) + 1
    for status in set(S) - {S.APPROVED}:
        with pytest.raises(WrongOrderState):
            check_attempt(status, attempts, held_until=None, at=NOW)


def test_an_attempt_ends_with_the_hold() -> None:
    before = NOW - timedelta(microseconds=1)
    assert check_attempt(S.APPROVED, [], held_until=NOW, at=before) == 1
    with pytest.raises(WrongOrderState, match="hold of this order has ended"):
        check_attempt(S.APPROVED, [], held_until=NOW, at=NOW)


def test_possibly_completed_purchase_cannot_be_abandoned() -> None:
    for status in (S.PURCHASED, S.ABANDONED, S.EXPIRED, S.CANCELLED):
        with pytest.raises(WrongOrderState):
            check_abandon(status, [])
    for status in (S.APPROVED, S.NEEDS_APPROVAL, S.NEEDS_ALTERNATIVES, S.DECLINED_OVER_BUDGET, S.DECLINED_POLICY):
        check_abandon(status, [Attempt(number=1, status=A.BEGUN)])
        with pytest.raises(AttemptOpen):
            check_abandon(status, [Attempt(number=1, status=A.UNKNOWN)])


def test_only_a_purchase_with_a_term_is_cancelled() -> None:
    check_cancel(S.PURCHASED, Term.MONTH)
    for status, term in ((S.PURCHASED, None), (S.APPROVED, Term.MONTH), (S.CANCELLED, Term.MONTH)):
        with pytest.raises(WrongOrderState):
            check_cancel(status, term)


def test_charge_completes_an_approved_purchase_also_after_its_expiry() -> None:
    assert status_after_charge(S.APPROVED) is S.PURCHASED
    assert status_after_charge(S.EXPIRED) is S.PURCHASED
    assert status_after_charge(S.ABANDONED) is S.PURCHASED
    assert status_after_charge(S.CANCELLED) is S.CANCELLED


ASKED_BY = Person(name="org_1/worker", line=frozenset({"org_1/worker", "org_1/owner"}), key_at=None)
FINANCE = Person(name="org_1/Finance", line=frozenset({"org_1/finance"}), key_at=NOW - timedelta(days=1))


def granting(
    by: Person = FINANCE,
    *,
    status: PurchaseOrderStatus = S.NEEDS_APPROVAL,
    given_: str = "a",
    before: Sequence[Person] = (),
    at: datetime = NOW,
) -> None:
    ends = NOW + timedelta(hours=1)
    check_grant(
        status, given=given_, present="a", requested_at=NOW, answer_by=ends, at=at, asked_by=ASKED_BY, by=by,
        before=before,
    )  # fmt: skip


def test_another_person_grants_exactly_the_waiting_purchase() -> None:
    granting()
    with pytest.raises(ApprovalStale) as stale:
        granting(given_="b")
    assert stale.value.error_code == "approval.stale"
    for status in set(S) - {S.NEEDS_APPROVAL}:
        with pytest.raises(WrongOrderState):
            granting(status=status)
    granting(at=NOW + timedelta(minutes=59))
    with pytest.raises(WrongOrderState, match="over"):
        granting(at=NOW + timedelta(hours=1))


def test_nobody_in_the_proposers_issuer_chain_grants() -> None:
    own = replace(FINANCE, name="org_1/WORKER")
    issuer = replace(FINANCE, name="org_1/owner", line=frozenset({"org_1/owner"}))
    issued = replace(FINANCE, line=frozenset({"org_1/finance", "org_1/owner"}))
    younger = replace(FINANCE, key_at=NOW)
    keyless = replace(FINANCE, key_at=None)
    for person in (own, issuer, issued, younger, keyless):
        with pytest.raises(Forbidden) as refusal:
            granting(person)
        assert refusal.value.error_code == "approval.own"


def test_two_grants_come_from_two_issuer_chains() -> None:
    granting(before=[replace(FINANCE, name="org_1/admin", line=frozenset({"org_1/admin"}))])
    for before in (FINANCE, replace(FINANCE, name="org_1/alias", line=frozenset({"org_1/alias", "org_1/finance"}))):
        with pytest.raises(Conflict) as refusal:
            granting(before=[before])
        assert refusal.value.error_code == "approval.decided"


def test_sentences_show_the_remainder_and_the_reset_time() -> None:
    assert sentence_of_refusal("limit", BINDING) == (
        "Only 5.00 USD of 25.00 are left today in the budget of agent Ada; more on 2026-01-19 00:00 UTC."
    )
    assert sentence_of_refusal("uses", BINDING) == (
        "No purchases are left today in the budget of agent Ada; more on 2026-01-19 00:00 UTC."
    )
    whole = replace(BINDING, window=None, resets_at=None)
    assert (
        sentence_of_refusal("per_spend", whole) == "One purchase may cost at most 25.00 USD in the budget of agent Ada."
    )
    assert sentence_of_refusal("frozen", whole) == "Spending is frozen in the budget of agent Ada."
    assert sentence_of_approval(1000, "USD", BINDING) == (
        "10.00 USD are held for this purchase; 5.00 USD are left today in the budget of agent Ada."
    )
    assert sentence_of_approval(1000, "USD", None) == "10.00 USD are held for this purchase."
    assert sentence_of_waiting("No budget counts it.", 2, NOW) == (
        "No budget counts it. Two persons have to approve the purchase before 2026-01-18 10:30 UTC; after that it is "
        "declined."
    )


@given(st.sampled_from(Term), st.timedeltas(timedelta(0), timedelta(days=20_000)))
def test_terms_follow_each_other_by_months(term: Term, after: timedelta) -> None:
    at = paid = NOW + after
    for _ in range(14):
        following = renews_after(term, at, paid.day)
        months = (following.year - at.year) * 12 + following.month - at.month
        assert months == {Term.MONTH: 1, Term.QUARTER: 3, Term.YEAR: 12}[term]
        # A short month does not move the day of the months after it.
        assert following.day == paid.day or (following.day < paid.day and (following + timedelta(days=1)).day == 1)
        assert following.time() == at.time()
        at = following


def test_operators_read_a_waiting_purchase_without_deceptive_text() -> None:
    waiting = WaitingPurchase(
        order_id="por_1",
        org_id="org_1",
        agent_id="agt_1",
        status=S.NEEDS_APPROVAL,
        item="**free** tool",
        vendor="Git\nHub",
        amount="10.00 USD",
        sentence="No budget counts it.",
        digest="abc",
        persons=2,
        granted=1,
        answer_by=NOW,
    )
    text = details(waiting, "Too late.")
    assert "10.00 USD · \\*\\*free\\*\\* tool of Git Hub" in text
    assert "approved by 1 of 2" in text
    assert "declined at 2026-01-18 10:30:00 UTC unless somebody answers" in text
    assert "the last command was refused: Too late." in text
    assert "digest abc" in text
    assert "unless somebody answers" not in details(replace(waiting, answer_by=None))
