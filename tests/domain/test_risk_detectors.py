"""Detectors of fraud by planted cases, honest crowds, and properties. Seeds are printed."""

from datetime import timedelta
from random import Random

import pytest
from hypothesis import given, strategies as st

from domain.risk import detectors
from domain.risk.case import HoldKind
from domain.risk.clusters import MOST_SHARING, Clusters
from domain.risk.detectors import Attempts, Conduct, Paid
from domain.risk.rings import LARGEST, WHOLE_E4, rings
from services.risk.rings import find

Flows = dict[tuple[str, str], int]
ORGANIZATIONS = [f"org_{number:03}" for number in range(12)]


def united(*sharing: list[str]) -> list[tuple[str, ...]]:
    clusters = Clusters()
    for each in sharing:
        clusters.unite(each)
    return clusters.found()


@given(st.lists(st.lists(st.sampled_from(ORGANIZATIONS), max_size=4), max_size=12))
def test_clusters_are_the_connected_organizations_in_any_order(sharing: list[list[str]]) -> None:
    reached = {org_id: {org_id} for each in sharing for org_id in each}
    for _ in reached:
        for each in sharing:
            everybody = set().union(*(reached[org_id] for org_id in each))
            reached |= dict.fromkeys(each, everybody)
    expected = sorted({tuple(sorted(each)) for each in reached.values() if len(each) > 1})
    # A pass for each organization reaches the longest chain.
    assert sorted(united(*sharing)) == sorted(united(*reversed(sharing))) == expected


def test_what_more_than_50_organizations_share_unites_nobody() -> None:
    many = [f"org_{number}" for number in range(MOST_SHARING + 1)]
    assert united(many) == []
    assert [len(each) for each in united(many[:-1])] == [MOST_SHARING]


def crowd(random: Random, organizations: int = 300, trades: int = 1_500) -> Flows:
    """Return what an honest crowd trades: a third sells, anybody buys, and a few sellers sell most."""
    sellers = [f"org_{number}" for number in range(organizations // 3)]
    flows: Flows = {}
    for _ in range(trades):
        payee = sellers[min(random.randrange(len(sellers)), random.randrange(len(sellers)))]
        payer = f"org_{random.randrange(organizations)}"
        if payer != payee:
            flows[payer, payee] = flows.get((payer, payee), 0) + random.randint(500, 50_000)
    return flows


@pytest.mark.parametrize("seed", range(5))
def test_honest_crowd_has_no_ring(seed: int) -> None:
    print("seed", seed)
    flows = crowd(Random(seed))
    found = [detectors.ring_case(ring, money=True) for ring in find(flows, by_amount=True)]
    found += [detectors.ring_case(ring, money=False) for ring in find(dict.fromkeys(flows, 1), by_amount=False)]
    assert not any(found)


@pytest.mark.parametrize("members", [3, 5, 8])
@pytest.mark.parametrize("seed", range(3))
def test_ring_of_money_with_camouflage_is_one_case_with_its_members(seed: int, members: int) -> None:
    print("seed", seed)
    random = Random(seed)
    flows, ring = crowd(random), tuple(f"ring_{number}" for number in range(members))
    for number, member in enumerate(ring):
        # Money goes round in one direction, and each member has three small trades with others.
        flows[member, ring[(number + 1) % members]] = 100_000 + random.randint(0, 5_000)
        for _ in range(3):
            flows[member, f"org_{random.randrange(100)}"] = random.randint(500, 3_000)
    found = [case for each in find(flows, by_amount=True) if (case := detectors.ring_case(each, money=True))]
    assert [case.org_ids for case in found] == [ring]
    assert {hold.kind for hold in found[0].holds} == {HoldKind.EARNINGS}
    assert 100_000 * members <= found[0].value_minor <= 105_000 * members


def test_ring_that_trades_as_much_outside_holds_no_earnings() -> None:
    flows: Flows = {}
    for member, following in (("a", "b"), ("b", "c"), ("c", "a")):
        flows[member, following] = 20_000
        flows[member, f"shop of {member}"] = 20_000
    [ring] = find(flows, by_amount=True)
    case = detectors.ring_case(ring, money=True)
    assert ring.inside_e4 == 6_666
    assert case is not None
    assert case.holds == ()


def test_chain_and_pair_are_no_ring() -> None:
    chain = {("a", "b"): 9_000_000, ("b", "c"): 9_000_000, ("c", "d"): 9_000_000}
    assert find(chain, by_amount=True) == []
    assert find({("a", "b"): 9_000_000, ("b", "a"): 9_000_000}, by_amount=True) == []


@given(
    st.dictionaries(
        st.tuples(st.sampled_from(ORGANIZATIONS), st.sampled_from(ORGANIZATIONS)).filter(lambda pair: len({*pair}) > 1),
        st.integers(1, 10_000),
    )
)
def test_rings_are_disjoint_and_their_flow_is_of_the_graph(flows: Flows) -> None:
    found = rings(flows, flows, by_amount=True)
    members = [member for ring in found for member in ring.members]
    assert len(members) == len(set(members))
    for ring in found:
        inside = sum(amount for pair, amount in flows.items() if set(pair) <= set(ring.members))
        assert 3 <= len(ring.members) <= LARGEST
        assert 0 <= ring.closed_flow <= inside
        assert 0 <= ring.inside_e4 <= WHOLE_E4


@given(st.integers(0, 500), st.integers(1, 500))
def test_lowest_share_is_below_the_share_and_rises_with_certainty(count: int, of: int) -> None:
    count = min(count, of)
    lowest = detectors.lowest_share_e4(count, of)
    assert 0 <= lowest <= count * WHOLE_E4 // of
    assert lowest <= detectors.lowest_share_e4(10 * count, 10 * of)


def test_refunds_of_peers_decide_what_is_abuse() -> None:
    one = Paid(payments=20, refunds=14, returned_minor=7_000)
    case = detectors.refund_abuse("org_a", ("org_a",), one, Paid(payments=10_000, refunds=300))
    assert case is not None
    assert [(hold.kind, hold.subject) for hold in case.holds] == [(HoldKind.PREPAY, "org_a")]
    assert case.value_minor == 7_000
    # Where most is refunded, or for few payments, it is no abuse.
    assert detectors.refund_abuse("org_a", ("org_a",), one, Paid(payments=10_000, refunds=5_000)) is None
    assert detectors.refund_abuse("org_a", ("org_a",), Paid(payments=4, refunds=4), Paid(10_000, 300)) is None


def test_lost_chargebacks_are_friendly_fraud_with_few_payments() -> None:
    everybody = Paid(payments=10_000, disputes=50)
    assert detectors.refund_abuse("org_a", ("org_a",), Paid(payments=5, disputes=4), everybody) is not None
    assert detectors.refund_abuse("org_a", ("org_a",), Paid(payments=50, disputes=2), everybody) is None


@pytest.mark.parametrize("seed", range(3))
def test_no_honest_payer_of_2000_is_suspected(seed: int) -> None:
    print("seed", seed)
    random = Random(seed)
    payers = [Paid(of := random.randint(1, 40), sum(not random.randrange(20) for _ in range(of))) for _ in range(2_000)]
    everybody = Paid()
    for each in payers:
        everybody.add(each)
    assert [each for each in payers if detectors.refund_abuse("o", ("o",), each, everybody)] == []


def test_category_without_50_deliveries_has_no_limit() -> None:
    assert detectors.fast_limit([600] * 49) is None
    # Two of 50 fast deliveries do not move the limit.
    assert detectors.fast_limit([1, 1, *[600] * 48]) == 60


@pytest.mark.parametrize(
    ("seen", "is_junk"),
    [
        (Conduct(fast=2, delivered=9), False),
        (Conduct(fast=3, delivered=9), True),
        (Conduct(empty=True), True),
        (Conduct(copied=1), False),
        (Conduct(copied=2), True),
        (Conduct(silent=9, deliveries=9), False),
        (Conduct(silent=18, deliveries=20), True),
        (Conduct(silent=12, deliveries=20), False),
    ],
)
def test_junk_is_fast_empty_copied_or_paid_by_silence(seen: Conduct, is_junk: bool) -> None:
    assert (detectors.junk("org_a", seen, 1_000, 10_000) is not None) is is_junk


def test_silence_is_no_evidence_where_everybody_is_silent() -> None:
    assert detectors.junk("org_a", Conduct(silent=18, deliveries=20), 8_500, 10_000) is None


def attempts(number: int, declined: int, amount: int = 100, instruments: int | None = None) -> Attempts:
    seen = Attempts(declined=declined)
    for each in range(number):
        seen.add("org_a", [f"instrument:{each % (instruments or number)}", "address:x"], amount)
    return seen


def test_card_testing_needs_many_small_declined_attempts_with_many_instruments() -> None:
    found = detectors.card_testing("address:x", attempts(20, 17))
    assert found is not None
    assert "20 payments were tried with 20 instruments by 1 organizations, and 17 were declined" in found.why
    assert detectors.card_testing("address:x", attempts(9, 9)) is None
    assert detectors.card_testing("address:x", attempts(20, 2)) is None
    assert detectors.card_testing("address:x", attempts(20, 17, amount=50_000)) is None
    assert detectors.card_testing("address:x", attempts(20, 17, instruments=2)) is None


def test_blocks_grow_up_to_a_week() -> None:
    hours = [detectors.block_for(earlier) // timedelta(hours=1) for earlier in range(6)]
    assert hours == [1, 6, 24, 168, 168, 168]


@pytest.mark.parametrize(
    ("moved_e6", "is_sudden", "new_praise", "is_anomalous"),
    [(80_000, False, 3, True), (80_000, False, 2, False), (40_000, False, 3, False), (-110_000, True, 0, True)],
)
def test_score_is_anomalous_out_of_its_interval_or_by_praise_of_newcomers(
    moved_e6: int, is_sudden: bool, new_praise: int, is_anomalous: bool
) -> None:
    found = detectors.anomaly("agt_a", "org_a", moved_e6, is_sudden=is_sudden, praise=5, new_praise=new_praise)
    assert (found is not None) is is_anomalous


def test_case_of_a_cluster_needs_ratings_inside_or_two_rewards() -> None:
    cluster = ("org_a", "org_b")
    assert detectors.sybil(cluster, 0, 1) is None
    for ratings, bonuses in ((1, 0), (0, 2)):
        found = detectors.sybil(cluster, ratings, bonuses)
        assert found is not None
        assert (found.group, found.org_ids, found.holds) == ("cluster:org_a", cluster, ())
