"""A short run of the faults, and proof that the plans are right and that what is off is told."""

import os
from collections import Counter
from pathlib import Path

import pytest

from stack.supervisor import PARTS
from tests.faults.audit import Findings
from tests.faults.killer import draw_kills
from tests.faults.plans import STORIES, amount, draw
from tests.faults.run import Setup, report, run

SEED = int(os.environ.get("BURSAR_FAULTS_SEED", "1"))


@pytest.mark.e2e
@pytest.mark.timeout(300)
async def test_twenty_escrows_survive_the_death_of_every_part(tmp_path: Path) -> None:
    for directory in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        directory.chmod(directory.stat().st_mode | 0o111)  # the account of PostgreSQL passes through
    findings = await run(Setup(SEED, escrows=20, kills=1, clients=6), print, tmp_path / "data")
    assert findings.wrong == [], report(findings)
    assert len(findings.checked) == 9


@pytest.mark.parametrize("seed", range(20))
def test_planned_amounts_add_up_and_every_story_is_told(seed: int) -> None:
    plans = draw(seed, 200)
    assert {plan.story for plan in plans} == set(STORIES)
    assert len({plan.name for plan in plans}) == 200
    for plan in plans:
        assert plan.released + plan.refunded + plan.commission == plan.funded, plan
        assert plan.funded in {0, plan.price_minor}
        assert min(plan.released, plan.refunded, plan.commission) >= 0
        assert plan.contract["price"] == amount(plan.price_minor)


def test_same_seed_draws_the_same_plans_and_kills() -> None:
    assert draw(7, 50) == draw(7, 50)
    assert draw_kills(7, 4) == draw_kills(7, 4)
    assert draw(7, 50) != draw(8, 50)


@pytest.mark.parametrize("each", [1, 4])
def test_every_part_is_killed_as_often_as_asked(each: int) -> None:
    for seed in range(20):
        killed = Counter(part for blow in draw_kills(seed, each) for part in blow)
        assert killed == Counter(dict.fromkeys(PARTS, each))


def test_report_names_what_is_off() -> None:
    findings = Findings()
    findings.check("all there", [])
    findings.check("nothing twice", ["e1 esc_1: transfers Counter({'escrow.funded': 2})"])
    shown = report(findings)
    assert "ok     all there" in shown
    assert "WRONG  nothing twice" in shown
    assert "- e1 esc_1: transfers Counter({'escrow.funded': 2})" in shown
