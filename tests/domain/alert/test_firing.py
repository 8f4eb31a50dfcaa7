import itertools
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hypothesis import example, given, strategies as st

from domain.messages.alert.firing import FiringAction, FiringState, FiringTerms, Phase, evaluate

T0 = datetime(2026, 3, 1, tzinfo=UTC)


@dataclass
class Look:
    at: datetime
    bad: bool | None


def _series(steps: list[tuple[int, bool | None]]) -> list[Look]:
    at, looks = T0, []
    for minutes, bad in steps:
        at += timedelta(minutes=minutes)
        looks.append(Look(at, bad))
    return looks


SERIES = st.lists(st.tuples(st.integers(0, 90), st.sampled_from([True, False, None])), max_size=60).map(_series)
TERMS = st.builds(
    FiringTerms,
    cool_down=st.integers(0, 120).map(lambda m: timedelta(minutes=m)),
    quiet=st.one_of(st.none(), st.integers(0, 300).map(lambda m: timedelta(minutes=m))),
    is_edge=st.booleans(),
)


def _acts(terms: FiringTerms, looks: list[Look]) -> list[tuple[datetime, FiringAction | None, FiringState]]:
    standing, acts = FiringState(), []
    for each in looks:
        standing, act = evaluate(terms, standing, each.bad, each.at)
        acts.append((each.at, act, standing))
    return acts


@example(
    FiringTerms(cool_down=timedelta(0), quiet=timedelta(0)),
    _series([(0, True), (0, False), (0, True), (0, False), (0, True)]),
)
@given(TERMS, SERIES)
def test_rule_never_fires_twice_within_the_window_or_before_the_cool_down(
    terms: FiringTerms, looks: list[Look]
) -> None:
    acts = [act for _, act, _ in _acts(terms, looks)]
    fired = [number for number, act in enumerate(acts) if act is FiringAction.FIRE]
    for before, after in itertools.pairwise(fired):
        assert terms.quiet is not None
        assert looks[after].at - looks[before].at >= terms.quiet
        # By their order and not by their times: several looks may be at one.
        (resolved,) = [number for number in range(before, after) if acts[number] is FiringAction.RESOLVE]
        known = [each for each in looks[before : resolved + 1] if each.bad is not None]
        good = list(itertools.takewhile(lambda each: not each.bad, reversed(known)))
        assert looks[resolved].at - good[-1].at >= terms.cool_down


@given(TERMS, SERIES)
def test_rule_fires_on_each_crossing_outside_an_active_window(terms: FiringTerms, looks: list[Look]) -> None:
    fired_at, was_good = None, False
    standing = FiringState()
    for each in looks:
        before = standing
        standing, act = evaluate(terms, standing, each.bad, each.at)
        quiet = fired_at is not None and (terms.quiet is None or each.at < fired_at + terms.quiet)
        if each.bad and (was_good or not terms.is_edge) and before.phase is not Phase.FIRING and not quiet:
            assert act is FiringAction.FIRE
            fired_at = each.at
        else:
            assert act is not FiringAction.FIRE
        was_good = was_good or each.bad is False


@given(TERMS, SERIES, st.integers(0, 3))
def test_repeated_evaluation_changes_nothing(terms: FiringTerms, looks: list[Look], times: int) -> None:
    standing = FiringState()
    for each in looks:
        standing, _ = evaluate(terms, standing, each.bad, each.at)
        if terms.cool_down and terms.quiet != timedelta(0):
            for _ in range(times):
                again, act = evaluate(terms, standing, each.bad, each.at)
                assert (again, act) == (standing, None)


@example([(0, True), (5, False), (5, True)])
@given(st.lists(st.tuples(st.integers(1, 90), st.booleans()), max_size=40))
def test_alert_is_resolved_only_while_the_figure_is_good(steps: list[tuple[int, bool]]) -> None:
    terms = FiringTerms(cool_down=timedelta(minutes=30), quiet=timedelta(0))
    for (_, act, standing), each in zip(_acts(terms, _series(list(steps))), _series(list(steps)), strict=True):
        if act is FiringAction.RESOLVE:
            assert each.bad is False
            assert standing.phase is Phase.ARMED
