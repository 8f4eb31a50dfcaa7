"""Labels of decisions, the weeks that judge a model, and what makes a champion."""

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from domain.risk.act import Point
from domain.risk.training import LabelledAct, ModelStatus, judge, label_of, split_at
from services.risk.training import features_in, train

NOW = datetime(2026, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)
Facts = dict[str, int | str]


@pytest.mark.parametrize(
    ("point", "label", "is_paid", "days", "expected"),
    [
        (Point.PAYMENT, None, True, 60, False),
        (Point.PAYMENT, None, True, 59, None),
        (Point.TOPUP, None, False, 90, None),
        (Point.PAYMENT, "fraud", True, 60, True),
        (Point.TOPUP, "fraud", False, 59, None),
        (Point.PAYOUT, "fraud", False, 14, True),
        (Point.PAYOUT, "legitimate", False, 14, False),
        (Point.PAYOUT, "fraud", False, 13, None),
        (Point.PAYOUT, None, True, 300, None),
    ],
)
def test_label_counts_after_the_delay_of_its_point(point, label, is_paid, days, expected):
    assert label_of(point, label, NOW - days * DAY, NOW, is_paid=is_paid) is expected


def test_later_weeks_are_the_last_quarter_and_at_least_a_week():
    assert split_at(NOW - 80 * DAY, NOW) == NOW - 20 * DAY
    assert split_at(NOW - 20 * DAY, NOW) == NOW - 7 * DAY


def test_features_are_whole_numbers_points_and_providers():
    facts = {"amount": 5, "point": "payment", "provider": "stripe", "currency": "USD", "model_score": 9, "unknown": 1}
    assert features_in(facts) == {("amount", ""): 5, ("point", "payment"): 1, ("provider", "stripe"): 1}


def acts(frauds: int, legitimate: int, flagged: int = 0, *, newcomers: int = 0) -> list[LabelledAct]:
    """Make frauds, of which rules flag some, then legitimate acts, the first of which are of newcomers."""
    return [
        LabelledAct(
            at=NOW, is_fraud=at < frauds, is_newcomer=frauds <= at < frauds + newcomers, is_flagged=at < flagged
        )
        for at in range(frauds + legitimate)
    ]


def test_champion_is_better_than_the_rules_and_the_champion_before():
    later, perfect = acts(60, 1_000, 20), [9_000] * 60 + [100] * 1_000
    weak = [9_000] * 24 + [50] * 36 + [100] * 1_000
    assert judge(later, perfect, None).status is ModelStatus.CHAMPION
    assert judge(later, perfect, weak).status is ModelStatus.CHAMPION
    assert judge(later, perfect, perfect).reason == "It is not better than the champion."
    # 24 frauds against 20 of the rules could be chance.
    judged = judge(later, weak, None)
    assert (judged.status, judged.reason) == (ModelStatus.CHALLENGER, "It is not better than the rules.")
    assert judged.figures["rules"] == {"recall_e4": 3_333, "false_positives_e4": 0}
    assert judged.figures["challenger"]["recall_e4"] == 4_000


def test_fewer_than_fifty_frauds_make_no_champion():
    assert judge(acts(50, 500), [9] * 50 + [1] * 500, None).status is ModelStatus.CHAMPION
    assert judge(acts(49, 500), [9] * 49 + [1] * 500, None).status is ModelStatus.CHALLENGER


@pytest.mark.parametrize(("stopped", "status"), [(4, ModelStatus.CHAMPION), (5, ModelStatus.RETIRED)])
def test_model_that_stops_newcomers_more_than_twice_as_often_is_retired(stopped, status):
    # Ten legitimate acts of 1,000 are flagged: of 250 newcomers, and of 750 others.
    legitimate = [900] * stopped + [100] * (250 - stopped) + [900] * (10 - stopped) + [100] * (740 + stopped)
    judged = judge(acts(60, 1_000, newcomers=250), [950] * 60 + legitimate, None)
    assert judged.status is status
    assert judged.figures["newcomers"]["false_positives_e4"] == stopped * 40


def world(facts_of: Callable[[random.Random, bool], Facts]) -> list[str]:
    """Return what the training reads: 1,600 payments of 400 days, of which every fourth is a fraud."""
    seeded, lines = random.Random(67), [json.dumps({"now": NOW.isoformat(), "champion": None})]
    for number in range(1_600):
        is_fraud = number % 4 == 0
        facts = facts_of(seeded, is_fraud)
        at = int((NOW - 460 * DAY + number * DAY / 4).timestamp())
        is_flagged = seeded.randrange(100) < (20 if is_fraud else 2)
        lines.append(json.dumps(["payment", "fraud" if is_fraud else None, True, at, is_flagged, True, facts]))
    return lines


def noise(seeded: random.Random) -> Facts:
    numbers = {name: seeded.randrange(1_000) for name in ("amount", "key_age_minutes", "address_attempts_1h")}
    return {**numbers, "organization_age_hours": seeded.randrange(2_000), "point": "payment"}


def test_planted_pattern_makes_a_champion():
    def facts(seeded: random.Random, is_fraud: bool) -> Facts:
        return {**noise(seeded), "address_declined_1h": seeded.randrange(4, 9) if is_fraud else seeded.randrange(5)}

    trained = train(world(facts))
    assert (trained["status"], trained["report"]["later_frauds"]) == ("champion", 100)
    assert trained["report"]["challenger"]["recall_e4"] > 2 * trained["report"]["rules"]["recall_e4"]
    # The same weeks against the champion that was trained on them: the new one is not better.
    lines = world(facts)
    lines[0] = json.dumps({"now": NOW.isoformat(), "champion": trained["document"]})
    assert train(lines)["report"]["reason"] == "It is not better than the champion."


def test_noise_makes_no_champion():
    trained = train(world(lambda seeded, _: noise(seeded)))
    assert (trained["status"], trained["report"]["reason"]) == ("challenger", "It is not better than the rules.")


def test_pattern_that_newcomers_share_with_frauds_is_retired():
    def facts(seeded: random.Random, is_fraud: bool) -> Facts:
        is_alike = is_fraud or seeded.randrange(8) == 0
        return {**noise(seeded), "organization_age_hours": seeded.randrange(10) if is_alike else 5_000}

    trained = train(world(facts))
    assert (trained["status"], trained["report"]["newcomers"]["is_fair"]) == ("retired", False)


def test_nothing_is_trained_on_few_frauds():
    assert train(world(lambda seeded, _: noise(seeded))[:60])["document"] is None
    assert train(world(lambda seeded, _: noise(seeded))[:1])["report"]["reason"] == "No decision has a label."
