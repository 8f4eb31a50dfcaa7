"""Properties of scores: in range, monotone, forgetting exactly, and improved by nothing but good evidence."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

from hypothesis import HealthCheck, given, settings, strategies as st

from domain.marketplace.pricing.facts import PricingFacts, RankedScore
from domain.marketplace.pricing.terms import Reputation
from domain.payouts.payable import HoldBack
from domain.reputation import score
from domain.reputation.clients import ClientFact, client_increment, feedback_weight_e6
from domain.reputation.evidence import (
    MAX_E6,
    ONE_E6,
    PROVEN_E6,
    Beta,
    Dimension,
    Evidence,
    Priors,
    add,
    catch_up,
    faded,
    newcomer_evidence,
)
from domain.reputation.levels import Ladder, Level, Rank
from domain.reputation.prior import initial_prior, learned_e6, lowest, priors
from domain.reputation.score import expected_e6, lower_e6, mean_e6, overall, overall_e6, points, rank_e6, stars
from domain.reputation.score_changes import ScoreChange, Trend, is_sudden, largest_changes, success_rate_e2, trend
from domain.reputation.weights import COUNTERPARTY_E6, MOST_E6, GivenEvidence, Stakes, saturated, weight_e6

UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
DAY = date(2026, 1, 1)
AMOUNTS = st.integers(0, MOST_E6) | st.integers(0, 20) | st.just(0)
SHARES = st.integers(0, ONE_E6)
PRIORS = st.tuples(SHARES, SHARES).map(lambda both: Priors(*sorted(both)))
HALF = Priors(ONE_E6 // 2, ONE_E6 // 2)
HIGH = Priors(900_000, 900_000)
NIGHTS = st.integers(0, 60)
RATES = st.integers(1, 10_000) | st.just(9_500)

#: Changes of a row: a number of nights, then evidence, with the marketplace's prior at the time.
EVENTS = st.lists(st.tuples(NIGHTS, AMOUNTS, AMOUNTS, PRIORS), max_size=12)


def after(nights):
    return DAY + timedelta(days=nights)


def row_of(events):
    row = newcomer_evidence(DAY, HALF)
    for nights, good, bad, today in events:
        row = add(row, good, bad, day=row.through + timedelta(days=nights), priors=today)
    return row


def keys(row):
    """Return all that follows from a row, each better when it is greater."""
    return stars(row).mean_e6, expected_e6(row), rank_e6(row)


def test_newcomer_is_in_the_middle_and_that_is_uncertain():
    row = newcomer_evidence(DAY, HIGH)
    each = dict.fromkeys(Dimension, stars(row))
    assert points(overall(each).mean_e6) == "5.00"
    assert (stars(row).low_e6, stars(row).high_e6) == (26_573, 973_427)
    assert expected_e6(row) == 900_000
    assert success_rate_e2(0, 0) == 10_000


def test_dimensions_weigh_the_whole_together():
    assert sum(score.OVERALL_E4.values()) == 10_000
    assert set(score.OVERALL_E4) == set(Dimension)
    assert overall_e6(dict.fromkeys(Dimension, 123_456)) == 123_456


@UNTIMED
@given(EVENTS)
def test_scores_stay_in_range(events):
    row = row_of(events)
    shown = stars(row)
    assert 0 <= shown.low_e6 <= shown.mean_e6 <= shown.high_e6 <= ONE_E6
    assert 0 <= rank_e6(row) <= expected_e6(row) <= ONE_E6
    whole = overall(dict.fromkeys(Dimension, shown))
    assert 0 <= whole.low_e6 <= whole.mean_e6 <= whole.high_e6 <= ONE_E6


@UNTIMED
@given(EVENTS, EVENTS, AMOUNTS)
def test_more_good_evidence_never_lowers(before, later, more):
    good, bad, today = 100_000, 50_000, Priors(700_000, 800_000)
    less = row_of([*before, (3, good, bad, today), *later])
    better = row_of([*before, (3, good + more, bad, today), *later])
    assert all(one <= other for one, other in zip(keys(less), keys(better), strict=True))


@UNTIMED
@given(EVENTS, AMOUNTS, PRIORS)
def test_bad_evidence_never_improves(before, bad, today):
    row = row_of(before)
    worse, before = keys(add(row, 0, bad, day=row.through, priors=today)), keys(row)
    assert worse[0] <= before[0]
    assert worse[1] <= before[1]
    # Rounding: the mean's, before the deviation is taken off.
    assert worse[2] <= before[2] + 1


@UNTIMED
@given(st.integers(0, 10**9), st.integers(0, 10**9), SHARES, st.integers(0, 10**6), st.integers(1, 400))
def test_lower_bound_is_monotone_in_both(good, bad, prior, more, deviations):
    bound = lower_e6(good, bad, prior, deviations)
    assert lower_e6(good + more, bad, prior, deviations) >= bound
    assert lower_e6(good, bad + more, prior, deviations) <= bound + 1
    assert bound <= mean_e6(good, bad, prior)


@UNTIMED
@given(st.integers(0, MAX_E6), st.integers(0, 400), RATES)
def test_decay_is_the_rate_to_the_nights(amount, nights, rate):
    exact = amount * Fraction(rate, 10_000) ** nights
    assert exact - 2 < faded(amount, nights, rate) <= exact


@UNTIMED
@given(st.integers(0, MAX_E6))
def test_one_night_leaves_exactly_95_of_100(amount):
    assert faded(amount, 1) == amount * 95 // 100
    assert Beta(amount, amount, DAY).on(after(1)) == Beta(faded(amount, 1), faded(amount, 1), after(1))


@UNTIMED
@given(EVENTS, st.lists(st.tuples(NIGHTS, PRIORS), min_size=1, max_size=8))
def test_nights_commute_with_batching(events, batches):
    row = row_of(events)
    one_by_one = row
    for nights, each in batches:
        one_by_one = catch_up(one_by_one, one_by_one.through + timedelta(days=nights), each)
    taken = [each for nights, each in batches if nights] or [Priors(ONE_E6, ONE_E6)]
    at_once = catch_up(row, one_by_one.through, lowest(taken))
    assert one_by_one == at_once
    assert catch_up(at_once, at_once.through, Priors(0, 0)) == at_once


@UNTIMED
@given(EVENTS, st.lists(st.integers(1, 5), max_size=6), PRIORS, AMOUNTS, AMOUNTS)
def test_events_on_a_row_that_is_behind_catch_it_up_first(events, nights, today, good, bad):
    behind = row_of(events)
    day = behind.through + timedelta(days=sum(nights))
    current = behind
    for each in nights:
        current = catch_up(current, current.through + timedelta(days=each), today)
    assert add(behind, good, bad, day=day, priors=today) == add(current, good, bad, day=day, priors=today)


@UNTIMED
@given(EVENTS, st.integers(1, 2_000), PRIORS)
def test_pitfall_44_silence_improves_nothing(events, nights, prior):
    row = row_of(events)
    silent = catch_up(row, row.through + timedelta(days=nights), prior)
    assert all(later <= before for later, before in zip(keys(silent), keys(row), strict=True))


LADDER = Ladder(
    1,
    (
        Level(name="new", commission_bps=900, escrow_limits={"USD": 1}, exposure_limits={"USD": 1}, hold_back_days=30),
        Level(name="known", from_e6=350_000, commission_bps=500, escrow_limits={"USD": 5}, hold_back_days=14),
        Level(name="good", from_e6=550_000, commission_bps=400, priority=2, hold_back_days=10),
        Level(name="best", from_e6=750_000, commission_bps=300, priority=1, hold_back_days=1),
    ),
)
ASKED = PricingFacts(agent_id="agt", org_id="org", at=datetime(2026, 1, 1, tzinfo=UTC), unit_minor=100, currency="USD")


def terms(row, events):
    """Return all that a reputation sets besides rank, each better for its owner when it is smaller."""
    rank = rank_e6(row)
    level = LADDER.level_of(Rank(share_e6=overall_e6(dict.fromkeys(Dimension, rank)), evidence_count=events))
    assert level is not None
    client = RankedScore(feedback_weight_e6(row) // 10, (row.now().good_e6 + row.held_e6) // ONE_E6)
    discount = Reputation(from_e4=20_000, full_e4=90_000, least_evidence=0)
    priced = [
        discount.judge(replace(ASKED, **who)).bps
        for who in ({"client": client}, {"buyer": RankedScore(rank // 10, events)})
    ]
    return (
        *(10_000 if bps is None else bps for bps in priced),
        10_000 if (bps := Reputation().judge(replace(ASKED, client=client)).bps) is None else bps,
        level.commission_bps,
        level.priority,
        *(-limits.get("USD", 10) for limits in (level.escrow_limits, level.exposure_limits)),
        HoldBack.default().of(level),
        HoldBack.default().liability_period(level),
    )


@UNTIMED
@given(EVENTS, st.integers(1, 2_000), PRIORS)
def test_pitfall_44_silence_alone_betters_no_price_commission_limit_or_hold_back(events, nights, prior):
    row = row_of(events)
    silent = catch_up(row, row.through + timedelta(days=nights), prior)
    for later, before in zip(terms(silent, len(events)), terms(row, len(events)), strict=True):
        assert later >= before


def test_terms_follow_the_values_of_a_row():
    rows = [row_of(()), row_of([(0, 2 * ONE_E6, 0, HIGH)] * 3), row_of([(0, 20 * ONE_E6, 0, HIGH)] * 3)]
    known = [terms(row, 20) for row in rows]
    assert known[0] > known[1] > known[2]
    assert all(len(set(each)) > 1 for each in zip(*known, strict=True))


@UNTIMED
@given(EVENTS, st.integers(1, 400), PRIORS, st.integers(0, 1_000))
def test_little_evidence_after_a_silence_does_not_restore_faded_evidence(events, nights, prior, trifle):
    row = row_of(events)
    after_trifle = add(row, trifle, 0, day=row.through + timedelta(days=nights), priors=prior)
    # A thousandth of a unit, against a prior of two, and a thousandth of the way to the new prior.
    before, later = keys(row), keys(after_trifle)
    assert later[0] <= before[0] + 1_002
    assert later[1] <= before[1] + 2_002


def test_bad_score_is_repaired_by_good_work_and_not_by_waiting():
    cheat = row_of([(0, 0, 2 * ONE_E6, HIGH)])
    waited = catch_up(cheat, after(30), HIGH)
    assert waited.now().bad_e6 < 2 * ONE_E6 * 22 // 100
    assert keys(waited) == keys(cheat)
    worked = add(waited, 2 * ONE_E6, 0, day=after(30), priors=HIGH)
    assert expected_e6(worked) > expected_e6(cheat) + 300_000


@UNTIMED
@given(EVENTS, AMOUNTS, AMOUNTS)
def test_late_evidence_counts_as_if_recorded_last(events, good, bad):
    row = row_of(events)
    assert add(row, good, bad, day=DAY - timedelta(days=9), priors=HIGH) == add(
        row, good, bad, day=row.through, priors=HIGH
    )


@UNTIMED
@given(st.lists(st.tuples(st.integers(0, 9), AMOUNTS, st.booleans()), max_size=60), SHARES)
def test_one_counterparty_counts_for_three_units_of_its_standing(ratings, rater):
    given_by = GivenEvidence(0, 0, DAY)
    row = row_of([])
    most = COUNTERPARTY_E6 * rater // ONE_E6
    for nights, amount, is_good in ratings:
        day = row.through + timedelta(days=nights)
        weight = amount * rater // ONE_E6
        good, bad, given_by = saturated(given_by, weight * is_good, weight * (not is_good), day, rater)
        assert (good > 0 or bad > 0) <= (weight > 0)
        row = add(row, good, bad, day=day, priors=HALF)
        assert row.now().good_e6 <= most
        assert row.held_e6 <= most


def test_first_evidence_of_a_counterparty_counts_in_full_and_later_evidence_less():
    first, _, given_by = saturated(GivenEvidence(0, 0, DAY), ONE_E6, 0, DAY, ONE_E6)
    second, _, given_by = saturated(given_by, ONE_E6, 0, DAY, ONE_E6)
    assert (first, second) == (ONE_E6, 666_666)
    later, bad, _ = saturated(given_by, ONE_E6, ONE_E6, after(400), ONE_E6)
    assert (later, bad) == (ONE_E6, ONE_E6)
    assert saturated(given_by, ONE_E6, ONE_E6, DAY, 0)[:2] == (0, 0)


def test_newcomer_counts_for_a_fifth_as_a_client():
    newcomer = newcomer_evidence(DAY, HALF)
    assert (stars(newcomer).mean_e6, feedback_weight_e6(newcomer)) == (500_000, 211_325)


@UNTIMED
@given(st.integers(0, 10**12), st.integers(0, 10**10), SHARES)
def test_weight_is_bounded_by_commission_paid_in_money(value, commission, rater):
    stakes = Stakes()
    weight = weight_e6(value, commission, rater, stakes)
    assert weight * stakes.unit_commission_minor <= commission * ONE_E6
    assert 0 <= weight <= MOST_E6
    assert weight_e6(value, 0, rater, stakes) == 0
    assert weight_e6(value + 100, commission + 5, rater, stakes) >= weight


def test_prior_is_one_half_without_a_past_and_then_learned():
    nobody = initial_prior(DAY)
    assert priors(nobody, nobody, DAY) == HALF
    newcomers, proven = nobody.add(18 * ONE_E6, 0, DAY), nobody.add(18 * ONE_E6, 2 * ONE_E6, DAY)
    assert priors(newcomers, nobody, DAY) == Priors(950_000, 950_000)
    assert priors(nobody, newcomers, DAY) == Priors(500_000, 950_000)
    assert priors(newcomers, proven, DAY) == Priors(950_000, 950_000)
    # After 60 nights, 0.83 of 18 are left.
    assert priors(newcomers, nobody, after(60)).newcomer_e6 == 646_550


def test_newcomer_is_proven_by_good_evidence_alone():
    today = Priors(600_000, 900_000)
    row = newcomer_evidence(DAY, today)
    cheat = add(row, 0, PROVEN_E6, day=DAY, priors=today)
    almost = add(row, PROVEN_E6 - 1, 0, day=DAY, priors=today)
    assert [cheat.prior_e6, almost.prior_e6, add(almost, 1, 0, day=DAY, priors=today).prior_e6] == [600_000] * 3
    assert add(almost, ONE_E6, 0, day=DAY, priors=today).prior_e6 == 900_000
    assert add(cheat, ONE_E6, 0, day=DAY, priors=today).prior_e6 == 600_000


def test_prior_learns_less_from_agents_with_much_evidence():
    newcomer = newcomer_evidence(DAY, HIGH)
    known = row_of([(0, 2 * ONE_E6, 0, HIGH)] * 3)
    assert learned_e6(newcomer, ONE_E6) == ONE_E6
    assert learned_e6(known, ONE_E6) == ONE_E6 // 4


def test_beta_is_capped():
    assert Beta(MAX_E6, MAX_E6, DAY).add(1, 1, DAY) == Beta(MAX_E6, MAX_E6, DAY)


@UNTIMED
@given(st.lists(st.tuples(st.sampled_from(ClientFact), AMOUNTS), max_size=20))
def test_trust_in_a_client_falls_by_what_it_does_wrong_alone(facts):
    row: Evidence = newcomer_evidence(DAY, HALF)
    for fact, weight in facts:
        good, bad = client_increment(fact, weight)
        moved = add(row, good, bad, day=DAY, priors=HALF)
        if fact in {ClientFact.PAID, ClientFact.ACCEPTED}:
            assert stars(moved).mean_e6 >= stars(row).mean_e6
        else:
            assert stars(moved).mean_e6 <= stars(row).mean_e6
        row = moved


def test_events_that_moved_most_fade_only_when_they_were_good():
    moves = [
        ScoreChange("old_bad", DAY, -20_000),
        ScoreChange("old_good", DAY, 30_000),
        ScoreChange("new_good", after(59), 10_000),
    ]
    found = largest_changes(moves, after(60), limit=2)
    assert [move.event_id for move in found] == ["old_bad", "new_good"]


def test_sudden_change_is_a_point_outside_of_the_interval():
    before = score.Score(700_000, 650_000, 750_000)
    assert is_sudden(before, replace(before, mean_e6=600_000))
    assert not is_sudden(before, replace(before, mean_e6=640_000))
    assert not is_sudden(replace(before, low_e6=500_000), replace(before, mean_e6=600_000))


def test_trend_and_success_rate():
    assert [trend(500_000, now) for now in (510_000, 509_999, 490_000)] == [Trend.RISING, Trend.STEADY, Trend.FALLING]
    assert success_rate_e2(2, 3) == 6_666
