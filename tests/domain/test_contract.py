"""Bounds of automatic acceptance, and time limits of acceptance by the payee."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, strategies as st

from domain.common.errors import Conflict, NotAccepted
from domain.escrow.contract import (
    DISPUTE_PERIODS,
    Bounds,
    ContractStatus,
    OfferedTerms,
    Term,
    auto_accepted_bounds,
    judge_acceptance,
    out_of_bounds,
    require_accepted,
    require_in_time,
    status_of,
)

T = Term
DAY = 86_400
DEFAULTS = {
    T.FUND_WITHIN: 3 * DAY,
    T.DELIVER_WITHIN: 7 * DAY,
    T.REVIEW_PERIOD: 3 * DAY,
    T.EVIDENCE_PERIOD: 3 * DAY,
    T.DECISION_PERIOD: 4 * DAY,
    T.DEFAULT_GRACE: DAY,
    T.DEFAULT_SHARE: 5000,
    T.COMMISSION: 500,
}
FREE = (T.PRICE, T.FUND_WITHIN, T.THRESHOLD, T.REQUIRED_SIGNATURES, T.MILESTONES)
#: In which direction a term is kind to the payee.
LONGER_IS_KINDER = (T.DELIVER_WITHIN, *DISPUTE_PERIODS, T.DEFAULT_SHARE)
SHORTER_IS_KINDER = (T.REVIEW_PERIOD, T.COMMISSION)
NOW = datetime(2026, 1, 1, tzinfo=UTC)

amounts = st.integers(0, 10**9)
bounds = st.builds(Bounds, st.none() | amounts, st.none() | amounts)
listings = st.dictionaries(st.sampled_from(Term), bounds)
moments = st.timedeltas(timedelta(-10), timedelta(10)).map(lambda offset: NOW + offset)


def offer(**changes: int | None) -> OfferedTerms:
    values: dict[Term, int | None] = {
        **DEFAULTS,
        T.PRICE: 1,
        T.THRESHOLD: 8000,
        T.REQUIRED_SIGNATURES: 1,
        T.MILESTONES: 0,
    }
    return OfferedTerms.of("CREDIT", values | {T(name): value for name, value in changes.items()})


offers = st.builds(
    OfferedTerms.of,
    st.sampled_from(["CREDIT", "USD"]),
    st.fixed_dictionaries(
        {term: amounts for term in Term if term is not T.DISPUTE_LENGTH} | {T.THRESHOLD: st.none() | amounts}
    ),
)


def test_platforms_defaults_are_accepted_automatically() -> None:
    assert out_of_bounds(offer(), auto_accepted_bounds(DEFAULTS, {})) == ()


@given(st.sampled_from(FREE), amounts | st.none())
def test_terms_that_only_hasten_a_release_are_accepted_automatically(term: Term, value: int | None) -> None:
    assert out_of_bounds(offer(**{term: value}), auto_accepted_bounds(DEFAULTS, {})) == ()


@given(st.sampled_from(LONGER_IS_KINDER + SHORTER_IS_KINDER), st.integers(1, DAY))
def test_better_terms_are_accepted_and_worse_ones_are_not(term: Term, step: int) -> None:
    kinder = step if term in LONGER_IS_KINDER else -step
    usual = auto_accepted_bounds(DEFAULTS, {})
    assert out_of_bounds(offer(**{term: DEFAULTS[term] + kinder}), usual) == ()
    assert out_of_bounds(offer(**{term: DEFAULTS[term] - kinder}), usual) == (term,)


@given(st.sampled_from(DISPUTE_PERIODS))
def test_dispute_of_years_is_not_accepted_automatically(part: Term) -> None:
    assert out_of_bounds(offer(**{part: 3 * 366 * DAY}), auto_accepted_bounds(DEFAULTS, {})) == (T.DISPUTE_LENGTH,)


@given(offers, listings)
def test_listing_replaces_the_platforms_bounds_term_by_term(made: OfferedTerms, listed: dict[Term, Bounds]) -> None:
    found = set(out_of_bounds(made, auto_accepted_bounds(DEFAULTS, listed)))
    usual = set(out_of_bounds(made, auto_accepted_bounds(DEFAULTS, {})))
    assert found & set(listed) == set(out_of_bounds(made, listed))
    assert found - set(listed) == usual - set(listed)


@given(offers, listings, st.sampled_from(Term))
def test_wider_bounds_never_turn_down_what_narrower_ones_accept(
    made: OfferedTerms, listed: dict[Term, Bounds], widened: Term
) -> None:
    wider = listed | {widened: Bounds()}
    assert set(out_of_bounds(made, wider)) == set(out_of_bounds(made, listed)) - {widened}


@given(amounts, amounts, amounts)
def test_bounds_contain_values_between_them(least: int, most: int, value: int) -> None:
    assert Bounds(least, most).hold(value) == (least <= value <= most)


def test_threshold_that_no_score_reaches_is_above_every_bound() -> None:
    listed = {T.THRESHOLD: Bounds(most=9000)}
    assert out_of_bounds(offer(validation_threshold=None), listed) == (T.THRESHOLD,)
    assert out_of_bounds(offer(validation_threshold=9000), listed) == ()


def test_price_in_another_currency_is_not_within_a_listed_price() -> None:
    assert out_of_bounds(offer(price=10), {T.PRICE: Bounds(least=5, currency="USD")}) == (T.PRICE,)
    assert out_of_bounds(offer(price=10), {T.PRICE: Bounds(least=5, currency="CREDIT")}) == ()


@given(moments, st.none() | moments, moments)
def test_contract_that_was_accepted_stays_so(accept_by: datetime, accepted_at: datetime | None, now: datetime) -> None:
    status = status_of(accept_by, accepted_at, now)
    if accepted_at is not None:
        assert status is ContractStatus.ACCEPTED
    else:
        assert (status is ContractStatus.PROPOSED) == (now < accept_by)
        assert (status is ContractStatus.EXPIRED) == (now >= accept_by)


@given(moments, st.none() | moments, moments)
def test_payee_changes_a_proposal_only(accept_by: datetime, accepted_at: datetime | None, now: datetime) -> None:
    match status_of(accept_by, accepted_at, now):
        case ContractStatus.EXPIRED:
            with pytest.raises(Conflict) as refusal:
                judge_acceptance(accept_by, accepted_at, now)
            assert refusal.value.error_code == "contract.expired"
        case status:
            assert judge_acceptance(accept_by, accepted_at, now) == (status is ContractStatus.PROPOSED)


@given(moments, moments)
def test_contract_cannot_be_opened_after_its_time_limit(open_by: datetime, now: datetime) -> None:
    if now < open_by:
        require_in_time(open_by, now)
    else:
        with pytest.raises(Conflict) as refusal:
            require_in_time(open_by, now)
        assert refusal.value.error_code == "contract.expired"


@given(st.none() | moments, st.none() | moments, moments)
def test_only_an_accepted_contract_gets_an_escrow(
    accept_by: datetime | None, accepted_at: datetime | None, now: datetime
) -> None:
    status = status_of(accept_by, accepted_at, now)
    if status is ContractStatus.ACCEPTED:
        require_accepted(accept_by, accepted_at, now)
    else:
        with pytest.raises(NotAccepted) as refusal:
            require_accepted(accept_by, accepted_at, now)
        assert refusal.value.extra["state"] == status.value
