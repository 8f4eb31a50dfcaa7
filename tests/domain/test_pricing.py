"""Pricing rules: their order, the bounds, and who bears a discount."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, reject, settings, strategies as st

from domain.common.errors import Invalid, QuoteExpired, QuoteUsed
from domain.common.money import allocate
from domain.escrow.settlement import payout
from domain.escrow.state import EscrowPostingKind
from domain.marketplace.pricing.book import RuleBook
from domain.marketplace.pricing.facts import PricingFacts, RankedScore
from domain.marketplace.pricing.quote import commission_of, discount_limit_bps, require_usable
from domain.marketplace.pricing.rule import Rule, Stacking, refuse_overlap
from domain.marketplace.pricing.terms import (
    Bounds,
    Bulk,
    ContractPrice,
    Custom,
    Reputation,
    Surge,
    Terms,
    Tier,
    TierStep,
    TimeOfDay,
    Volume,
)
from tests.support.cases import for_each

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)  # a Wednesday
FACTS = PricingFacts(
    agent_id="agt_a", org_id="org_c", at=NOON, unit_minor=1_000, currency="USD", tier="free", open_jobs=9, capacity=10
)


def rule(terms: Terms, priority: int = 1, **more: object) -> Rule:
    return Rule(id=f"rule_{priority}", name=f"rule {priority}", priority=priority, terms=terms, **more)


def always(bps: int, priority: int = 1, **more: object) -> Rule:
    return rule(Tier("free", bps), priority, **more)


def code(terms: Terms, **more: object) -> tuple[str, object]:
    with pytest.raises(Invalid) as refusal:
        rule(terms, **more).check()
    return refusal.value.error_code, refusal.value.extra["field"]


def test_surge_grows_from_its_threshold_to_its_maximum():
    book = RuleBook([rule(Surge(8_000, 15_000))])
    at = {jobs: book.price(replace(FACTS, open_jobs=jobs)).multiplier_bps for jobs in (0, 8, 9, 10, 30)}
    assert at == {0: 10_000, 8: 10_000, 9: 12_500, 10: 15_000, 30: 15_000}


def test_surge_names_its_threshold():
    (line,) = RuleBook([rule(Surge(8_000))]).price(FACTS).adjustments
    assert (line.type, line.why) == ("surge", "Surge pricing when demand exceeds 0.8")


@pytest.mark.parametrize(
    ("rules", "bps"),
    [
        ([rule(Surge(8_000), 1), rule(Surge(8_500), 2)], 15_000),
        ([rule(Surge(8_000), 1), rule(Surge(8_500), 2), always(8_000, 3)], 12_000),
        ([rule(Surge(8_000), 1, stacking=Stacking.ADD), rule(Surge(8_500), 2, stacking=Stacking.ADD)], 15_000),
        # A part that is taken off would leave more of the surge than of the price.
        ([rule(Surge(8_000), 1), always(5_000, 2, stacking=Stacking.ADD)], 7_500),
        ([always(5_000, 1), rule(Surge(8_000), 2, stacking=Stacking.ADD)], 7_500),
        ([rule(Surge(8_000), 1), rule(Surge(8_500), 2, stacking=Stacking.EXCLUSIVE)], 15_000),
    ],
)
def test_demand_raises_a_price_by_half_at_most_for_any_set_of_rules(rules: list[Rule], bps: int) -> None:
    price = RuleBook(rules).price(replace(FACTS, open_jobs=30))
    assert price.multiplier_bps == bps
    last = price.adjustments[-1]
    assert (last.rule, last.type) == ("surge_limit", "bounds")
    assert last.why == "All surge rules together make the price 1.50 times what it is without them at most"


def test_one_surge_that_multiplies_needs_no_limit() -> None:
    price = RuleBook([rule(Surge(8_000), 1), always(8_000, 2)]).price(replace(FACTS, open_jobs=30))
    assert [line.rule for line in price.adjustments] == ["rule 1", "rule 2"]


def test_agent_is_as_busy_as_with_its_jobs_or_its_calls():
    facts = replace(FACTS, open_jobs=2, calls=70, calls_per_day=100)
    assert [it.demand_bps for it in (facts, replace(facts, open_jobs=8), replace(facts, capacity=None))] == [
        7_000,
        8_000,
        7_000,
    ]


def test_unknown_capacity_is_no_demand():
    price = RuleBook([rule(Surge(0))]).price(replace(FACTS, capacity=None))
    assert (price.adjustments, price.considered[0].applied) == ((), False)


@pytest.mark.parametrize(
    ("score", "count", "bps"),
    [(70_000, 50, None), (80_000, 50, 9_000), (90_000, 50, 8_000), (100_000, 50, 8_000), (90_000, 9, None)],
)
def test_client_earns_a_discount_by_score_and_evidence(score, count, bps):
    assert Reputation().judge(replace(FACTS, client=RankedScore(score, count))).bps == bps


def test_client_earns_by_the_better_of_its_own_and_its_agents_score():
    weak, strong = RankedScore(80_000, 50), RankedScore(90_000, 50)
    both = [
        Reputation().judge(replace(FACTS, client=one, buyer=other)) for one, other in ((weak, strong), (strong, weak))
    ]
    assert [verdict.bps for verdict in both] == [8_000, 8_000]
    assert both[0].why == "The buying agent's score is at least 9.0 from 50 units of evidence"
    assert Reputation().judge(replace(FACTS, client=strong, buyer=strong, is_related=True)).bps is None


def test_reputation_of_a_seller_is_not_that_of_the_client():
    premium = Reputation(whose="seller", multiplier_bps=12_000)
    assert premium.judge(replace(FACTS, client=RankedScore(100_000, 99))).bps is None
    assert premium.judge(replace(FACTS, seller=RankedScore(100_000, 99))).bps == 12_000


@pytest.mark.parametrize(
    ("at", "applies"),
    [
        (datetime(2026, 3, 6, 21, 30, tzinfo=UTC), True),  # Friday 22:30 in Vienna
        (datetime(2026, 3, 7, 3, 30, tzinfo=UTC), True),  # Saturday 04:30, of Friday's night
        (datetime(2026, 3, 7, 5, 0, tzinfo=UTC), False),  # 06:00: over
        (datetime(2026, 3, 7, 21, 30, tzinfo=UTC), False),  # Saturday's night
        (datetime(2026, 7, 3, 20, 30, tzinfo=UTC), True),  # Friday 22:30 in summer
    ],
)
def test_night_belongs_to_the_day_on_which_it_begins(at, applies):
    night = TimeOfDay("Europe/Vienna", 8_000, (5,), time(22), time(6))
    assert (night.judge(replace(FACTS, at=at)).bps is not None) is applies


def test_steps_of_quantity_and_volume():
    bulk = Bulk((TierStep(10, 9_500), TierStep(100, 9_000)))
    assert [bulk.judge(replace(FACTS, quantity=q)).bps for q in (9, 10, 99, 100)] == [None, 9_500, 9_500, 9_000]
    volume = Volume("USD", (TierStep(100_00, 9_000),))
    assert [volume.judge(replace(FACTS, volume_minor=v)).bps for v in (99_99, 100_00)] == [None, 9_000]
    assert volume.judge(replace(FACTS, volume_minor=100_00, currency="EUR")).bps is None


def test_agreed_price_stands_in_for_the_listing_and_is_exact():
    agreed = rule(ContractPrice(333, "USD"), agent_id="agt_a", org_id="org_c")
    book = RuleBook([always(20_000), agreed])
    assert book.price(replace(FACTS, quantity=3)).adjusted_minor == 1_998
    assert book.price(replace(FACTS, org_id="org_d")).adjusted_minor == 2_000


def test_rules_are_judged_by_priority_and_an_exclusive_one_is_the_last():
    first, second, third = always(12_000, 1), always(9_000, 2, stacking=Stacking.EXCLUSIVE), always(5_000, 3)
    price = RuleBook([third, second, first]).price(FACTS)
    assert [line.rule for line in price.adjustments] == ["rule 1", "rule 2"]
    assert price.adjusted_minor == 1_080
    assert price.considered[2].why == "The rule rule 2 is exclusive."


def test_added_parts_are_of_the_base_price():
    rules = [always(9_000, 1, stacking=Stacking.ADD), always(8_000, 2, stacking=Stacking.ADD)]
    assert RuleBook(rules).price(FACTS).adjusted_minor == 700
    assert RuleBook([always(9_000, 1), always(8_000, 2)]).price(FACTS).adjusted_minor == 720


@pytest.mark.parametrize(
    "rules",
    [
        [always(15_000, 1), always(8_000, 2, stacking=Stacking.ADD)],
        [always(5_000, number) for number in range(1, 6)],
        [*(always(30_000, number) for number in range(1, 4)), rule(Bounds(ceiling_bps=20_000), 4)],
        [rule(ContractPrice(price, "USD"), n, agent_id="agt_a", org_id="org_c") for n, price in enumerate((800, 900))],
    ],
    ids=["added", "below the least", "above the most and bounded", "agreed twice"],
)
def test_lines_of_a_price_multiply_to_its_multiplier(rules):
    price = RuleBook(rules).price(FACTS)
    shown = Decimal(1)
    for line in price.adjustments:
        shown *= Decimal(line.bps) / 10_000
    assert abs(shown * 10_000 - price.multiplier_bps) < 2


def test_money_is_rounded_once_and_half_to_even():
    twice = [always(10_500, 1), always(10_500, 2)]
    assert RuleBook(twice).price(replace(FACTS, unit_minor=10)).adjusted_minor == 11  # 11.025, and 10.5 would be 10
    assert RuleBook([always(10_500)]).price(replace(FACTS, unit_minor=10)).adjusted_minor == 10
    assert RuleBook([always(10_500)]).price(replace(FACTS, unit_minor=30)).adjusted_minor == 32


def test_rule_of_others_or_of_another_time_does_nothing():
    for more in (
        {"agent_id": "agt_b"},
        {"org_id": "org_d"},
        {"valid_until": NOON},
        {"valid_from": datetime(2026, 3, 5, tzinfo=UTC)},
    ):
        assert RuleBook([always(20_000, **more)]).price(FACTS).considered == ()
    assert RuleBook([always(20_000, valid_from=NOON)]).price(FACTS).adjusted_minor == 2_000


def test_bounds_are_applied_last_and_named():
    bounds = rule(Bounds(9_000, 11_000), 1)
    assert RuleBook([bounds, always(20_000, 2)]).price(FACTS).adjusted_minor == 1_100
    price = RuleBook([bounds, always(5_000, 2)]).price(FACTS)
    assert (price.adjusted_minor, price.adjustments[1].type) == (900, "bounds")


@for_each(
    "terms, more, refusal",
    [
        (Bounds(9_000, 8_000), {}, ("pricing.floor_above_ceiling", "terms.floor")),
        (Bounds(), {}, ("pricing.rule_invalid", "terms.floor")),
        (Bounds(floor_minor=1), {}, ("pricing.rule_invalid", "terms.currency")),
        (
            Bounds(floor_minor=2, ceiling_minor=1, currency="USD"),
            {},
            ("pricing.floor_above_ceiling", "terms.floor_amount"),
        ),
        (Tier("free", 9_000), {"floor_bps": 9_000, "ceiling_bps": 8_000}, ("pricing.floor_above_ceiling", "floor")),
        (TimeOfDay("Europe/Nowhere", 9_000), {}, ("pricing.unknown_zone", "terms.zone")),
        (TimeOfDay("UTC", 9_000, (8,)), {}, ("pricing.rule_invalid", "terms.weekdays")),
        (Surge(10_000), {}, ("pricing.rule_invalid", "terms.threshold")),
        (Surge(8_000, 15_001), {}, ("pricing.rule_invalid", "terms.maximum")),
        (Surge(8_000), {"floor_bps": 15_001}, ("pricing.rule_invalid", "floor")),
        (Bulk((TierStep(10, 8_000),)), {}, ("pricing.total_falls", "terms.steps")),
        (Bulk((TierStep(10, 9_500), TierStep(10, 9_400))), {}, ("pricing.rule_invalid", "terms.steps")),
        (Bulk((TierStep(10, 9_500),)), {"stacking": Stacking.ADD}, ("pricing.rule_invalid", "stacking")),
        (ContractPrice(1, "USD"), {}, ("pricing.rule_invalid", "agent_id")),
        (Reputation(from_e4=90_000), {}, ("pricing.rule_invalid", "terms.from_score")),
        (Tier("free", 0), {}, ("pricing.rule_invalid", "terms.multiplier")),
        (Tier("free", 9_000), {"valid_from": NOON, "valid_until": NOON}, ("pricing.rule_invalid", "valid_until")),
    ],
)
def test_rule_without_sense_is_refused(terms, more, refusal):
    assert code(terms, **more) == refusal


@for_each(
    "one, other, refused",
    [
        (always(9_000), rule(Surge(1)), True),
        (always(9_000), rule(Surge(1), 2), False),
        (always(9_000, agent_id="agt_a"), always(9_000), True),
        (always(9_000, agent_id="agt_a"), always(9_000, agent_id="agt_b"), False),
        (always(9_000, org_id="org_a"), always(9_000, org_id="org_b"), False),
        (always(9_000, agent_id="agt_a"), always(9_000, org_id="org_b"), True),
        (always(9_000, valid_until=NOON), always(9_000, valid_from=NOON), False),
        (always(9_000), rule(Tier("premium", 9_000)), False),
        (always(9_000), rule(Bounds(9_000)), False),
        (rule(TimeOfDay("UTC", 9_000, (7,), time(22), time(6))), rule(TimeOfDay("UTC", 9_000, (1,), time(5))), True),
        (rule(TimeOfDay("UTC", 9_000, (7,), time(22), time(6))), rule(TimeOfDay("UTC", 9_000, (1,), time(6))), False),
        (rule(TimeOfDay("UTC", 9_000, (1,))), rule(TimeOfDay("Asia/Tokyo", 9_000, (3,))), True),
    ],
)
def test_rules_that_can_meet_need_different_priorities(one, other, refused):
    other = replace(other, id="rule_other")
    for first, second in ((one, other), (other, one)):
        if refused:
            with pytest.raises(Invalid) as refusal:
                refuse_overlap(first, [second])
            assert (refusal.value.error_code, refusal.value.extra["rule_id"]) == ("pricing.overlap", second.id)
        else:
            refuse_overlap(first, [second])
    refuse_overlap(one, [one])


def test_discount_beyond_the_commission_is_cut_unless_the_agent_bears_it():
    book = RuleBook([always(8_000)])
    assert book.price(FACTS).adjusted_minor == 800
    price = book.price(FACTS, discount_limit_bps=500)
    assert price.adjusted_minor == 950
    assert [line.type for line in price.adjustments] == ["tier", "commission"]
    assert (price.discount_minor, price.borne_by) == (50, "platform")
    assert (book.price(FACTS).discount_minor, book.price(FACTS).borne_by) == (200, "agent")
    assert (RuleBook([]).price(FACTS).discount_minor, RuleBook([]).price(FACTS).borne_by) == (0, None)
    assert book.price(FACTS, discount_limit_bps=2_500).adjusted_minor == 800


BPS = st.integers(1_000, 30_000)
SURGE = st.builds(Surge, st.integers(0, 9_999), st.integers(10_000, 15_000))
TERMS = st.one_of(
    st.builds(Tier, st.just("free"), BPS),
    SURGE,
    st.builds(Volume, st.just("USD"), st.builds(TierStep, st.integers(1, 10**6), BPS).map(lambda step: (step,))),
    st.builds(
        Bounds,
        st.integers(1_000, 10_000),
        st.integers(10_000, 30_000),
        st.one_of(st.none(), st.integers(1, 10**9)),
        st.one_of(st.none(), st.integers(1, 10**9)),
        st.sampled_from(["USD", "EUR"]),
    ),
)
STACKING = st.sampled_from([Stacking.MULTIPLY, Stacking.ADD])


@st.composite
def books(draw: st.DrawFn, terms: st.SearchStrategy[Terms] = TERMS) -> RuleBook:
    drawn = draw(st.lists(terms, max_size=6))
    rules = [
        rule(it, number, stacking=Stacking.MULTIPLY if isinstance(it, Bounds) else draw(STACKING))
        for number, it in enumerate(drawn)
    ]
    return RuleBook(draw(st.permutations(rules)))


FACTS_ST = st.builds(
    replace,
    st.just(FACTS),
    unit_minor=st.integers(1, 10**9),
    quantity=st.integers(1, 1_000),
    open_jobs=st.integers(0, 20),
    volume_minor=st.integers(0, 10**6),
)
COMMISSION = st.one_of(st.none(), st.integers(0, 10_000))


@settings(deadline=None)
@given(books(), FACTS_ST, COMMISSION)
def test_same_facts_give_the_same_price_in_whatever_order_the_rules_came(book, facts, commission):
    again = RuleBook(reversed(book.rules))
    kept = PricingFacts.from_json(facts.to_json())
    assert book.price(facts, discount_limit_bps=commission) == again.price(kept, discount_limit_bps=commission)


MOMENTS = st.integers(0, 300).map(lambda seconds: NOON + timedelta(seconds=seconds - 150))
FROM, UNTIL = NOON, NOON + timedelta(seconds=70)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            MOMENTS,
            st.sampled_from([UTC, ZoneInfo("Asia/Kathmandu")]),
            st.sampled_from([FACTS, replace(FACTS, open_jobs=1)]),
            st.sampled_from([None, 500]),
        ),
        min_size=2,
        max_size=12,
    )
)
def test_cached_price_equals_the_computed_one(asked):
    rules = [
        always(9_900, 1, valid_from=FROM, valid_until=UNTIL),
        rule(TimeOfDay("America/St_Johns", 11_000, begins=time(8, 31), ends=time(8, 32)), 2),
        rule(Custom("hour", lambda facts: 10_000 + int(facts["hour"])), 3),
        rule(Surge(8_000), 4),
    ]
    book = RuleBook(rules)
    for at, zone, facts, commission in asked:
        then = replace(facts, at=at.astimezone(zone))
        assert book.price(then, discount_limit_bps=commission) == RuleBook(rules).price(
            then, discount_limit_bps=commission
        )


@settings(deadline=None)
@given(books(), FACTS_ST, st.integers(0, 10**6), COMMISSION)
def test_dearer_listing_is_never_cheaper(book, facts, more, commission):
    dearer = replace(facts, unit_minor=facts.unit_minor + more)
    prices = [book.price(it, discount_limit_bps=commission).adjusted_minor for it in (facts, dearer)]
    assert prices[0] <= prices[1]


@settings(deadline=None)
@given(books(), FACTS_ST, st.integers(0, 20), st.integers(0, 20))
def test_more_demand_is_never_cheaper(book, facts, more, calls):
    facts = replace(facts, calls=5, calls_per_day=10)
    busier = replace(facts, open_jobs=facts.open_jobs + more, calls=facts.calls + calls)
    assert book.price(facts).adjusted_minor <= book.price(busier).adjusted_minor


@settings(deadline=None)
@given(books(st.one_of(SURGE, TERMS)), FACTS_ST, COMMISSION)
def test_demand_raises_a_price_by_half_at_most(book: RuleBook, facts: PricingFacts, commission: int | None) -> None:
    calm = RuleBook([it for it in book.rules if not isinstance(it.terms, Surge)])
    most = 3 * calm.price(facts, discount_limit_bps=commission).adjusted_minor
    # Both were rounded.
    assert 2 * book.price(facts, discount_limit_bps=commission).adjusted_minor <= most + 3


@settings(deadline=None)
@given(FACTS_ST, st.integers(1_000, 10_000), st.tuples(*[st.integers(0, 100_000)] * 2), st.integers(0, 100_000))
def test_better_score_of_the_client_is_never_dearer(facts, bps, scores, other):
    book = RuleBook([rule(Reputation(multiplier_bps=bps))])
    for of, beside in (("client", "buyer"), ("buyer", "client")):
        known = replace(facts, **{beside: RankedScore(other, 10)})
        worse, better = (replace(known, **{of: RankedScore(score, 10)}) for score in sorted(scores))
        assert book.price(worse).adjusted_minor >= book.price(better).adjusted_minor


@settings(deadline=None)
@given(FACTS_ST, BPS, st.tuples(*[st.integers(0, 100_000)] * 2))
def test_better_score_of_the_seller_moves_the_price_to_one_side_alone(facts, bps, scores):
    book = RuleBook([rule(Reputation("seller", multiplier_bps=bps))])
    worse, better = (
        book.price(replace(facts, seller=RankedScore(score, 10))).adjusted_minor for score in sorted(scores)
    )
    assert worse >= better if bps <= 10_000 else worse <= better


@settings(deadline=None)
@given(
    FACTS_ST,
    st.lists(st.tuples(st.integers(1, 10**6), st.integers(1_000, 10_000)), min_size=1, max_size=5),
    st.integers(0, 10**6),
)
def test_client_that_paid_more_is_never_dearer_where_the_steps_fall(facts, drawn, more):
    least, parts = sorted({each for each, _ in drawn}), sorted((bps for _, bps in drawn), reverse=True)
    volume = Volume("USD", tuple(TierStep(each, bps) for each, bps in zip(least, parts, strict=False)))
    volume.check()
    book = RuleBook([rule(volume)])
    paid_more = replace(facts, volume_minor=facts.volume_minor + more)
    assert book.price(facts).adjusted_minor >= book.price(paid_more).adjusted_minor


@settings(deadline=None)
@given(books(), FACTS_ST, st.integers(1_000, 10_000), st.integers(2, 200))
def test_more_of_them_never_cost_less_in_total(book, facts, bps, least):
    bulk = Bulk((TierStep(least, bps),))
    try:
        bulk.check()
    except Invalid:
        return
    several = RuleBook([*book.rules, rule(bulk, 99)])
    totals = [several.price(replace(facts, quantity=quantity)).adjusted_minor for quantity in (least - 1, least)]
    assert totals[0] <= totals[1]


@st.composite
def bulks(draw: st.DrawFn) -> Bulk:
    least = sorted(draw(st.sets(st.integers(1, 60), min_size=1, max_size=5)))
    bulk = Bulk(tuple(TierStep(each, draw(st.integers(5_000, 12_000))) for each in least))
    try:
        bulk.check()
    except Invalid:
        reject()
    return bulk


KEPT = st.one_of(st.none(), st.integers(1_000, 10_000))
MULTIPLYING = st.sampled_from([Stacking.MULTIPLY, Stacking.EXCLUSIVE])


@settings(deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(
    books(),
    FACTS_ST,
    st.lists(
        st.tuples(bulks(), st.sampled_from([Stacking.MULTIPLY, Stacking.EXCLUSIVE]), KEPT), min_size=1, max_size=3
    ),
    st.lists(st.tuples(BPS, STACKING), max_size=1),
    COMMISSION,
)
def test_total_never_falls_with_the_quantity_for_any_set_of_rules(book, facts, several, after, commission):
    rules = [
        rule(bulk, 50 + number, stacking=stacking, ceiling_bps=ceiling)
        for number, (bulk, stacking, ceiling) in enumerate(several)
    ]
    later = [rule(Tier("free", part), 90, stacking=stacking) for part, stacking in after]
    sold = RuleBook([*book.rules, *rules, *later])
    facts = replace(facts, unit_minor=facts.unit_minor % 1_000 + 1)
    totals = [
        sold.price(replace(facts, quantity=each), discount_limit_bps=commission).adjusted_minor for each in range(1, 70)
    ]
    assert totals == sorted(totals)


def test_total_does_not_fall_where_a_part_is_taken_off_after_one_bulk_rule():
    book = RuleBook([rule(Bulk((TierStep(10, 9_000),)), 1), always(8_000, 2, stacking=Stacking.ADD)])
    assert [book.price(replace(FACTS, quantity=each)).adjusted_minor for each in (9, 10, 11)] == [7_200, 7_200, 7_700]


def test_price_of_a_smaller_quantity_is_kept_and_named_if_two_bulk_rules_meet():
    book = RuleBook([rule(Bulk((TierStep(10, 9_100),)), 1), rule(Bulk((TierStep(10, 9_100),)), 2)])
    nine, ten, eleven, twelve = (book.price(replace(FACTS, quantity=each)) for each in (9, 10, 11, 12))
    assert [each.adjusted_minor for each in (nine, ten, eleven, twelve)] == [9_000, 9_000, 9_109, 9_937]
    assert ten.adjustments[-1][1:] == (
        "total_of_fewer",
        "bounds",
        10_868,
        "10 would cost less in total than 9, so they cost the same",
    )
    assert "total_of_fewer" not in [line.rule for line in eleven.adjustments]


@settings(deadline=None)
@given(books(), FACTS_ST, st.integers(1_000, 10_000), st.integers(10_000, 30_000))
def test_price_stays_between_floor_and_ceiling(book, facts, floor, ceiling):
    price = RuleBook([*book.rules, rule(Bounds(floor, ceiling), 99)]).price(facts).adjusted_minor
    exact = [(Decimal(facts.base_minor) * bps / 10_000).to_integral_value(ROUND_HALF_EVEN) for bps in (floor, ceiling)]
    assert max(1, exact[0]) <= price <= max(1, exact[1])


@settings(deadline=None)
@given(books(), FACTS_ST, st.integers(0, 100), st.integers(0, 100))
def test_price_stays_between_amounts(book, facts, below, above):
    # Within what a multiplier may be at all.
    floor, ceiling = facts.unit_minor - facts.unit_minor * below // 200, facts.unit_minor * (100 + above) // 100
    bounds = Bounds(floor_minor=floor, ceiling_minor=ceiling, currency="USD")
    price = RuleBook([*book.rules, rule(bounds, 99)]).price(facts).adjusted_minor
    assert floor * facts.quantity <= price <= ceiling * facts.quantity
    other = RuleBook([*book.rules, rule(replace(bounds, currency="EUR"), 99)])
    assert other.price(facts).adjusted_minor == book.price(facts).adjusted_minor


def test_bound_in_money_is_named_and_the_upper_one_wins():
    price = RuleBook([always(5_000), rule(Bounds(floor_minor=900, currency="USD"))]).price(replace(FACTS, quantity=2))
    assert (price.adjusted_minor, price.adjustments[1].why) == (1_800, "The price of one is kept at least 9.00 USD")
    assert (
        RuleBook([rule(Bounds(floor_bps=12_000, ceiling_minor=800, currency="USD"))]).price(FACTS).adjusted_minor == 800
    )


@settings(deadline=None)
@given(st.integers(1, 30_000), FACTS_ST, st.integers(0, 10_000), st.none() | st.integers(0, 10_000), st.booleans())
def test_discount_is_paid_by_the_platform_within_its_bound_unless_the_agent_bears_it(
    bps, facts, commission, most, bears
):
    price = RuleBook([always(bps)]).price(
        facts, discount_limit_bps=discount_limit_bps(commission, most, bears_discounts=bears)
    )
    base, adjusted = price.base_minor, price.adjusted_minor
    assert price.borne_by == (None if adjusted >= base else "agent" if bears else "platform")
    assert price.discount_minor == max(0, base - adjusted)
    actual = commission_of(base, adjusted, commission, bears_discounts=bears)
    assert 0 <= actual <= commission
    if not bears:
        _, given_up = allocate(base, [10_000 - min(commission, most or 0), min(commission, most or 0)])
        assert most is None or price.discount_minor <= given_up
        kept, _ = allocate(base, [10_000 - commission, commission])
        paid = sum(it.amount_minor for it in payout(adjusted, actual) if it.kind is EscrowPostingKind.RELEASE)
        assert paid >= min(kept, adjusted)
        if adjusted < base:
            assert paid >= kept


def test_commission_of_a_few_units_is_not_above_its_rate():
    assert commission_of(2, 1, 7_501, bears_discounts=False) == 7_501


def test_quote_is_used_once_and_in_time():
    require_usable(False, NOON, NOON.replace(hour=11))
    with pytest.raises(QuoteUsed):
        require_usable(True, NOON, NOON)
    with pytest.raises(QuoteExpired):
        require_usable(False, NOON, NOON)


@pytest.mark.parametrize(
    ("unit", "bounds", "price"),
    [
        (1_000_000, {"floor_minor": 20_000_000}, 20_000_000),
        (100_000_000, {"ceiling_minor": 5_000_000}, 5_000_000),
    ],
)
def test_bounds_in_amounts_hold_for_every_multiplier(unit: int, bounds: dict[str, int], price: int) -> None:
    rule = Rule(id="prl_1", name="b", priority=1, terms=Bounds(currency="CREDIT", **bounds))
    facts = PricingFacts(
        agent_id="a", org_id="o", at=datetime(2026, 1, 1, tzinfo=UTC), unit_minor=unit, currency="CREDIT"
    )
    assert RuleBook([rule]).price(facts).adjusted_minor == price
