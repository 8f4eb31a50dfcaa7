"""Levels by reputation: the level of a rank, and that losing reputation never improves the terms."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, strategies as st

from contracts.escrow.escrow import Declined
from domain.common.errors import AboveLimit, ExposureLimit, Invalid
from domain.payouts.payable import HoldBack
from domain.reputation.evidence import ONE_E6
from domain.reputation.levels import Ladder, Level, Rank, check, commission_rule, refuse_exposed, refuse_large
from tests.support.cases import for_each

NEW = Level(name="new", commission_bps=800, escrow_limits={"USD": 500_00}, exposure_limits={"USD": 1_000_00})
KNOWN = Level(name="known", from_e6=600_000, least_evidence=5, escrow_limits={"USD": 500_00}, priority=3)
BEST = Level(name="best", from_e6=800_000, least_evidence=20, commission_bps=300, priority=1, entitlements=("early",))
LADDER = Ladder(3, (NEW, KNOWN, BEST))
USUAL = timedelta(days=14)


@pytest.mark.parametrize(
    ("rank", "name"),
    [
        (Rank(), "new"),
        (Rank(share_e6=900_000, evidence_count=4), "new"),
        (Rank(share_e6=900_000, evidence_count=19), "known"),
        (Rank(share_e6=799_999, evidence_count=20), "known"),
        (Rank(share_e6=800_000, evidence_count=20), "best"),
    ],
)
def test_level_needs_its_score_and_its_evidence(rank, name):
    level = LADDER.level_of(rank)
    assert level is not None
    assert level.name == name


def test_organization_has_the_level_of_its_best_agent():
    ranks = [Rank(), Rank(share_e6=900_000, evidence_count=30), Rank(share_e6=700_000, evidence_count=30)]
    assert (LADDER.best_of(ranks), LADDER.best_of([]), Ladder().best_of(ranks)) == (BEST, NEW, None)


@for_each(
    "levels, field",
    [
        ((KNOWN,), "levels.0.from_score"),
        ((NEW, replace(KNOWN, from_e6=0)), "levels.1.from_score"),
        ((NEW, replace(KNOWN, from_e6=ONE_E6 + 1)), "levels.1.from_score"),
        ((NEW, KNOWN, replace(BEST, least_evidence=4)), "levels.2.from_score"),
        ((NEW, replace(KNOWN, name="new")), "levels"),
        (tuple(replace(BEST, name=str(n), from_e6=n) for n in range(11)), "levels"),
        ((NEW, replace(KNOWN, commission_bps=801)), "levels.1.commission_bps"),
        ((replace(NEW, commission_bps=400), KNOWN), "levels.1.commission_bps"),
        ((NEW, replace(KNOWN, escrow_limits={"USD": 499_99})), "levels.1.escrow_limits"),
        ((NEW, replace(KNOWN, escrow_limits={"EUR": 10**9})), "levels.1.escrow_limits"),
        ((NEW, replace(KNOWN, exposure_limits={"USD": 1})), "levels.1.exposure_limits"),
        ((NEW, replace(KNOWN, priority=4)), "levels.1.priority"),
        ((replace(NEW, entitlements=("early",)), KNOWN), "levels.1.entitlements"),
        ((replace(NEW, hold_back_days=3), replace(KNOWN, hold_back_days=4)), "levels.1.hold_back_days"),
        # If a level has no period, earnings are held back for the usual time: 14 days here.
        ((NEW, replace(KNOWN, hold_back_days=15)), "levels.1.hold_back_days"),
        ((replace(NEW, hold_back_days=13), KNOWN), "levels.1.hold_back_days"),
    ],
)
def test_levels_that_cannot_hold_together_are_refused(levels, field):
    with pytest.raises(Invalid) as refusal:
        check(levels, 500, USUAL)
    assert (refusal.value.error_code, refusal.value.extra["field"]) == ("reputation.levels_invalid", field)


def test_level_may_shorten_the_usual_hold_back_and_end_that_of_newcomers() -> None:
    check((NEW, replace(KNOWN, hold_back_days=14)), 500, USUAL)
    check((replace(NEW, hold_back_days=20), KNOWN), 500, USUAL)


LIMITS = st.dictionaries(st.sampled_from(["USD", "CREDIT"]), st.integers(1, 5))
LEVELS = st.builds(
    Level,
    name=st.uuids().map(str),
    from_e6=st.integers(0, 10),
    least_evidence=st.integers(0, 3),
    commission_bps=st.one_of(st.none(), st.integers(0, 1_000)),
    escrow_limits=LIMITS,
    exposure_limits=LIMITS,
    priority=st.integers(1, 5),
    entitlements=st.sets(st.sampled_from(["a", "b"])).map(lambda it: tuple(sorted(it))),
    hold_back_days=st.one_of(st.none(), st.integers(13, 15)),
)
RANKS = st.builds(Rank, share_e6=st.integers(0, 10), evidence_count=st.integers(0, 4))


@given(st.lists(LEVELS, max_size=3), RANKS, st.integers(0, 10), st.integers(0, 4))
def test_more_reputation_never_has_worse_terms(levels, rank, more, events):
    levels = tuple(replace(it, from_e6=0, least_evidence=0) if place == 0 else it for place, it in enumerate(levels))
    try:
        check(levels, 500, USUAL)
    except Invalid:
        return
    ladder = Ladder(1, levels)
    worse = ladder.level_of(rank)
    better = ladder.level_of(Rank(share_e6=rank.share_e6 + more, evidence_count=rank.evidence_count + events))
    assert (worse is None) is (better is None) is (not levels)
    if worse is None or better is None:
        return
    commissions = [500 if it.commission_bps is None else it.commission_bps for it in (worse, better)]
    assert commissions[1] <= commissions[0]
    for asset in ("USD", "CREDIT"):
        for limits in ("escrow_limits", "exposure_limits"):
            one, other = (getattr(it, limits).get(asset, 10**9) for it in (worse, better))
            assert other >= one
    assert better.priority <= worse.priority
    hold_back = HoldBack(usual=USUAL, floor=timedelta(0))
    assert hold_back.of(better) <= hold_back.of(worse)
    assert set(worse.entitlements) <= set(better.entitlements)


def test_contract_above_the_limit_is_refused():
    refuse_large(NEW, 500_00, "USD")
    refuse_large(NEW, 10**9, "EUR")
    refuse_large(None, 10**9, "USD")
    with pytest.raises(AboveLimit) as refusal:
        refuse_large(NEW, 500_01, "USD")
    assert refusal.value.extra == {"limit": "500.00", "currency": "USD", "level": "new"}


def test_exposure_beyond_the_limit_is_refused_with_the_rest():
    refuse_exposed(NEW, 900_00, 100_00, "USD")
    refuse_exposed(NEW, 10**9, 10**9, "EUR")
    with pytest.raises(ExposureLimit) as refusal:
        refuse_exposed(NEW, 950_00, 100_00, "USD")
    assert (refusal.value.extra["limit"], refusal.value.extra["left"]) == ("1000.00", "50.00")
    told = Declined.of(refusal.value).error(state="open")
    assert (told.status, told.error_code, told.extra["left"]) == (409, "escrow.exposure_limit", "50.00")


def test_rule_of_a_commission_is_named():
    assert [commission_rule(source, 3, "best", quote) for source, quote in (("level", None), ("usual", "quo_1"))] == [
        "The commission of the level 'best', in version 3 of the levels by reputation.",
        "The platform's usual commission, less what the discount of the quote quo_1 takes of it.",
    ]
