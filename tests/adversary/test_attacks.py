"""Who plays the platform against itself with organizations of one's own takes out no more than was paid in."""

import json
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from commands.verify import verify
from dev.year.market import Market
from dev.year.story import next_leap_year
from dev.year.world import World, running
from domain.plan import DEFAULTS
from tests.adversary.ring import Ring
from tests.conftest import DatabaseUrls
from tests.support.seeds import RUN_SEED

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip, pytest.mark.timeout(300)]

PAYING = (Ring.top_up, Ring.top_up, Ring.work, Ring.work, Ring.buy, Ring.use)


@pytest.fixture(scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory, module_database_urls: DatabaseUrls) -> AsyncIterator[World]:
    """The product on a calendar, for all attacks; the books are proved at the end."""
    urls = module_database_urls
    start = datetime(next_leap_year(), 1, 2, 6, tzinfo=UTC)
    database = (urls.owner, urls.tenant, urls.platform)
    plans = json.loads(DEFAULTS)
    next(plan for plan in plans if plan["name"] == "starter")["trial_days"] = 14
    changes = {"BURSAR_PLANS": json.dumps(plans)}
    async with running(tmp_path_factory.mktemp("ring"), database, start, changes, job_days=400) as made:
        yield made
        report = await verify(made.books)
        assert report.ok, "\n".join(report.lines())


@pytest.fixture(scope="module")
async def market(world: World) -> Market:
    made = Market(world, random.Random(RUN_SEED))
    await made.open()
    return made


@pytest.fixture
def ring(market: Market, request: pytest.FixtureRequest) -> Ring:
    return Ring(market, random.Random(f"{RUN_SEED} {request.node.name}"))


async def proved(ring: Ring) -> None:
    await ring.leave()
    loss = await ring.loss()
    assert loss <= 0, f"lost {loss} cents to {' '.join(ring.done)}, seed {RUN_SEED}"


async def test_wash_pair_of_own_organizations_takes_out_less_than_it_paid_in(ring: Ring) -> None:
    """Pitfall 40: credits that were granted or cheap go round, and leave for what came in for them."""
    await ring.form("Wash", payers=2)
    await ring.top_up()
    await ring.play((*PAYING, Ring.convert), 8)
    await ring.work()
    await proved(ring)
    assert ring.taken_out, "an attack that takes nothing out proves nothing"


async def test_flipping_plans_gains_nothing(ring: Ring) -> None:
    await ring.form("Flip")
    await ring.play((Ring.flip, Ring.flip, Ring.work, Ring.wait), 9)
    await proved(ring)


async def test_refunding_again_and_again_gains_nothing(ring: Ring) -> None:
    await ring.form("Refund")
    await ring.play((Ring.top_up, Ring.buy, Ring.work, Ring.give_back, Ring.refund), 9)
    await proved(ring)


async def test_charging_back_what_was_earned_and_paid_out_gains_nothing(ring: Ring) -> None:
    """Chargebacks after the hold-back aside, which the platform bears."""
    await ring.form("Charge")
    await ring.play((Ring.top_up, Ring.work, Ring.charge_back, Ring.pay_out, Ring.wait), 9)
    await proved(ring)


async def test_reporting_uses_that_nobody_pays_for_gains_nothing(ring: Ring) -> None:
    """What does not fit into the credits that are there is neither owed nor earned."""
    await ring.form("Report")
    await ring.report()
    assert not await ring.loss()
    await ring.top_up()
    await ring.report()
    await ring.play((Ring.report, Ring.use, Ring.pay_out), 3)
    await proved(ring)
    assert ring.taken_out, "an attack that takes nothing out proves nothing"


async def test_trying_plans_again_and_again_with_one_card_gains_nothing(ring: Ring) -> None:
    """Every organization of the farm has the same card, so one of them tries a plan, without credits to pay out."""
    await ring.form("Farm", payers=3)
    codes = []
    for payer in ring.payers:
        answer = await payer.owner.ask("POST", "/billing/subscription", {"plan": "starter", "trial": True})
        codes.append(answer.json().get("code"))
        await ring.market.order(payer, ring.earners[0])
    assert codes == [None, *["subscription.trial_used"] * 2]
    await proved(ring)
    assert not ring.taken_out


async def test_whatever_a_ring_does_gains_nothing(ring: Ring) -> None:
    await ring.form("Any", payers=2, earners=2)
    back = (Ring.give_back, Ring.refund, Ring.charge_back)
    moves = (*PAYING, Ring.report, Ring.convert, Ring.flip, *back, Ring.pay_out, Ring.wait)
    await ring.play(moves, 15)
    await proved(ring)
