"""Who plays the platform against itself with organizations of one's own takes out no more than was paid in."""

import inspect
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from commands.verify import verify
from dev.year.market import Market
from dev.year.story import next_leap_year
from dev.year.world import World, running
from domain.billing.plan import DEFAULT_PLANS
from domain.marketplace import referral
from services.payouts import earnings
from tests.adversary.ring import Ring
from tests.conftest import DatabaseUrls
from tests.support.seeds import RUN_SEED

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip]

#: How long a payment has to stand before a referral is rewarded.
WINDOW = timedelta(days=14)
#: In cents; what is less stays in the earnings.
LEAST_PAYOUT = 1000
CONVERSIONS = "/credits/earnings/conversions"
#: The test of what rings took out; days are the dearest of an attack, so all rings wait for the hold-back together.
LEFT = "test_nothing_was_lost_to_a_ring_that_left"
Proves = Callable[..., Awaitable[None]]
PAYING = (Ring.top_up, Ring.top_up, Ring.work, Ring.work, Ring.buy, Ring.use)


@pytest.fixture(scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory, module_database_urls: DatabaseUrls) -> AsyncIterator[World]:
    """The product on a calendar, for all attacks; the books are proved at the end."""
    urls = module_database_urls
    start = datetime(next_leap_year(), 1, 2, 6, tzinfo=UTC)
    database = (urls.owner, urls.tenant, urls.platform)
    plans = json.loads(DEFAULT_PLANS)
    next(plan for plan in plans if plan["name"] == "starter")["trial_days"] = 14
    changes = {
        "BURSAR_PLANS": json.dumps(plans),
        "BURSAR_REFERRAL_BONUS_REFERRER": "60",
        "BURSAR_REFERRAL_BONUS_REFERRED": "40",
        "BURSAR_CHARGEBACK_WINDOW": f"P{WINDOW.days}D",
    }
    async with running(tmp_path_factory.mktemp("ring"), database, start, changes, job_days=400) as made:
        yield made
        report = await verify(made.books)
        assert report.ok, "\n".join(report.lines())


@pytest.fixture(scope="module")
async def market(world: World) -> Market:
    made = Market(world, random.Random(RUN_SEED))
    await made.open()
    # Somebody honest, so that what is taken out is there at the provider, whatever attack comes first.
    honest = await made.customer("Honest", "Europe/Berlin", "DE")
    assert await made.top_up(honest, "10000.00")
    return made


@pytest.fixture
def ring(market: Market, request: pytest.FixtureRequest) -> Ring:
    return Ring(market, random.Random(f"{RUN_SEED} {request.node.name}"))


@dataclass
class Waiting:
    """Rings that have done what they can, and wait to leave; by their tests, with whether something is taken out."""

    rings: dict[str, tuple[Ring, bool | None]] = field(default_factory=dict)
    have_left: bool = False


@pytest.fixture(scope="module")
def waiting() -> Waiting:
    return Waiting()


@pytest.fixture
def proves(ring: Ring, waiting: Waiting, request: pytest.FixtureRequest) -> Proves:
    """Have a ring wait for the test of what it took out; where that is left out, it leaves now."""

    async def prove(takes_out: bool | None = True) -> None:
        name = request.node.name
        if any(item.name == f"{LEFT}[{name}]" for item in request.session.items):
            waiting.rings[name] = ring, takes_out
            return
        await Ring.leave(ring)
        await reckon(ring, takes_out)

    return prove


async def reckon(ring: Ring, takes_out: bool | None) -> None:
    """Check that a ring that has left gained nothing, and that something, nothing or anything was taken out."""
    loss, told = await ring.loss(), f"{' '.join(ring.done)}, seed {RUN_SEED}"
    assert loss <= 0, f"lost {loss} cents to {told}"
    if takes_out is not None:
        assert bool(ring.taken_out) is takes_out, f"{ring.taken_out} cents were taken out, so nothing is proved: {told}"


async def test_wash_pair_of_own_organizations_takes_out_less_than_it_paid_in(ring: Ring, proves: Proves) -> None:
    """Pitfall 40: credits that were granted or cheap go round, and leave for what came in for them."""
    await ring.form("Wash", payers=2)
    await ring.top_up()
    await ring.play((*PAYING, Ring.convert), 8)
    # Where all was converted, or is less than a payout may be, nothing could be taken out.
    await ring.top_up()
    while await ring.earned() < len(ring.earners) * LEAST_PAYOUT:
        await ring.work()
    await proves()


async def test_flipping_plans_gains_nothing(ring: Ring, proves: Proves) -> None:
    await ring.form("Flip")
    await ring.market.top_up(ring.payers[0], "300.00")
    for _ in range(2):
        await ring.work()
    await ring.subscribe()
    for _ in range(3):
        await ring.work()
    await ring.play((Ring.flip, Ring.flip, Ring.work, Ring.charge_back_bill, Ring.wait), 9)
    await proves()


async def test_charging_the_bill_back_whose_credits_paid_ones_own_agent_gains_nothing(
    ring: Ring, proves: Proves
) -> None:
    """Pitfall 40: the allowance of a month is used up at once, and its price is fetched back by the bank."""
    await ring.form("Bill")
    payer = ring.payers[0]
    await ring.market.top_up(payer, "300.00")
    await ring.work()
    await ring.subscribe()
    await ring.work(20)
    (bill,), earned = await ring.bills(), await ring.earned()
    await ring.market.charge_back_payment(payer, bill, "lost")
    assert (await payer.owner.get(f"/payments/{bill}"))["status"] == "charged_back"
    await ring.world.jobs(["earnings-recovery"])
    assert await ring.earned() < earned, "an attack whose bill has paid nobody proves nothing"
    await proves()


async def test_charging_the_bill_of_a_year_and_of_its_upgrade_back_gains_nothing(ring: Ring, proves: Proves) -> None:
    """Pitfall 40: months come one by one, and each bill of the year answers for its own part of them."""
    await ring.form("Year")
    payer = ring.payers[0]
    await ring.market.top_up(payer, "300.00")
    await ring.work()
    await ring.market.subscribe(payer, "starter", "year")
    await ring.world.settle()
    await ring.market.change(payer, "professional")
    await ring.world.settle()
    await ring.work(20)
    bills = await ring.bills()
    assert len(bills) == 2
    earned = await ring.earned()
    for bill in bills:
        await ring.market.charge_back_payment(payer, bill, "lost")
    await ring.world.jobs(["earnings-recovery"])
    assert await ring.earned() < earned, "an attack whose bills have paid nobody proves nothing"
    await ring.rest(40)
    await ring.work(20)
    await proves()


async def test_refunding_again_and_again_gains_nothing(ring: Ring, proves: Proves) -> None:
    await ring.form("Refund")
    await ring.market.top_up(ring.payers[0], "400.00")
    for _ in range(3):
        await ring.work()
    await ring.play((Ring.top_up, Ring.buy_bulk, Ring.buy, Ring.work, Ring.give_back, Ring.refund), 9)
    await proves()


async def test_giving_dear_payments_back_for_credits_of_a_package_gains_nothing(ring: Ring, proves: Proves) -> None:
    """Pitfall 40: what was bought one by one is spent, and what was bought for less goes back for its price."""
    await ring.form("Bulk")
    await ring.market.top_up(ring.payers[0], "1000.00")
    await ring.work(8)
    await ring.buy_bulk()
    for payment_id in ring.payers[0].top_ups:
        await ring.refund_most(ring.payers[0], payment_id)
    await proves()


async def test_giving_granted_credits_back_for_those_that_paid_for_work_gains_nothing(
    ring: Ring, proves: Proves
) -> None:
    """Pitfall 40: what was bought pays for work, and a refund of that payment takes what was granted for it."""
    await ring.form("Unspend")
    (payer,), (earner,) = ring.payers, ring.earners
    await ring.market.top_up(payer, "1000.00")
    spent = await ring.commission(payer, earner, "1000.00")
    granted = {"organization_id": payer.org_id, "amount": "1000.00", "source": "reward"}
    await ring.world.operator.post("/credits/grants", granted)
    answers = []
    for asks in (payer.owner, ring.world.operator):
        answers.append(await asks.ask("POST", f"/payments/{spent}/refunds", {"reason": "Given back."}))
        await ring.world.settle()
    await ring.refund_most(payer, payer.top_ups[0])
    await proves()
    assert [answer.json().get("code") for answer in answers] == ["payment.not_refundable"] * 2


async def test_charging_dear_payments_back_for_credits_of_a_package_gains_nothing(ring: Ring, proves: Proves) -> None:
    """Pitfall 40: what was bought one by one is spent, and what was bought for less makes up for its price only."""
    await ring.form("Dear")
    payer = ring.payers[0]
    await ring.market.top_up(payer, "1000.00")
    await ring.work(8)
    await ring.buy_bulk()
    dear, cheap = payer.top_ups
    await ring.market.charge_back_payment(payer, dear, "lost")
    await ring.refund_most(payer, cheap)
    await proves()


async def test_giving_an_agent_back_whose_share_was_converted_gains_nothing_and_would_without_the_wait(
    ring: Ring, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the seller would spend the very credits that come back to the buyer."""

    async def gain(name: str) -> int:
        """Return the loss in cents, as if every credit that is left were worth its price."""
        attack = await Ring(ring.market, ring.draw).form(name)
        (payer,), (seller,) = attack.payers, attack.earners
        await attack.market.top_up(payer, "400.00")
        await attack.market.buy(payer, seller)
        await seller.owner.ask("POST", CONVERSIONS, {"agent_id": seller.sells, "kind": "paid"})
        await attack.market.give_back(payer, seller.sells)
        left = [await owner.get("/credits/balance") for owner in (payer.owner, seller.owner)]
        return await attack.loss() + sum(int(Decimal(each["available"]) * 10) for each in left)

    assert await gain("Wait") == 0, f"seed {RUN_SEED}"
    monkeypatch.setattr(earnings, "sold_until", lambda now, _refunds: now)
    assert await gain("At once") > 0, "an attack that gains nothing without its defence proves nothing"


async def test_charging_back_what_was_earned_and_paid_out_gains_nothing(ring: Ring, proves: Proves) -> None:
    """Chargebacks after the hold-back aside, which the platform bears."""
    await ring.form("Charge")
    payer = ring.payers[0]
    await ring.market.top_up(payer, "300.00")
    for _ in range(3):
        await ring.work()
    # Of what one bank takes back, some was earned already, and none has left.
    lost = await ring.market.top_up(payer, "500.00")
    assert lost is not None
    for _ in range(4):
        await ring.work()
    await ring.pay_out()
    await ring.market.charge_back_payment(payer, lost, "lost")
    await ring.play((Ring.top_up, Ring.work, Ring.charge_back, Ring.pay_out, Ring.wait), 9)
    await proves()


async def test_reporting_uses_that_nobody_pays_for_gains_nothing(ring: Ring, proves: Proves) -> None:
    """What does not fit into the credits that are there is neither owed nor earned."""
    await ring.form("Report")
    await ring.report()
    assert not await ring.loss()
    await ring.top_up()
    await ring.report()
    await ring.play((Ring.report, Ring.use, Ring.pay_out), 3)
    await proves()


async def test_trying_plans_again_and_again_with_one_card_gains_nothing(ring: Ring, proves: Proves) -> None:
    """Every organization of the farm has the same card, so one of them tries a plan, without credits to pay out."""
    await ring.form("Farm", payers=3)
    codes = []
    for payer in ring.payers:
        answer = await payer.owner.ask("POST", "/billing/subscription", {"plan": "starter", "trial": True})
        codes.append(answer.json().get("code"))
        await ring.market.order(payer, ring.earners[0])
    assert codes == [None, *["subscription.trial_used"] * 2]
    await proves(takes_out=False)


async def test_bringing_own_organizations_gains_nothing_and_would_without_the_cap_of_commission(
    ring: Ring, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pitfall 43: who brings an organization of its own is granted no more than that one has brought in commission."""
    await ring.form("Bring", payers=0)
    referrer = await ring.market.organization("Bring referrer")
    ring.payers.append(await ring.market.customer("Bring payer", "Europe/Berlin", "DE", referrer=referrer.org_id))
    await ring.market.top_up(ring.payers[0], "200.00")
    await ring.work()
    await ring.rest(WINDOW.days + 2)

    async def gain() -> int:
        """Return the loss in cents, as if every credit that is left were worth its price."""
        await ring.world.jobs(["referral-rewards"])
        left = [await owner.get("/credits/balance") for owner in (referrer, ring.payers[0].owner)]
        return await ring.loss() + sum(int(Decimal(each["available"]) * 10) for each in left)

    assert await gain() <= 0, f"seed {RUN_SEED}"
    monkeypatch.setattr(referral, "credits_covered", lambda _earned, _price: 10**12)
    await ring.rest(2)
    assert await gain() > 0, "an attack that gains nothing without its defence proves nothing"


async def test_whatever_a_ring_does_gains_nothing(ring: Ring, proves: Proves) -> None:
    await ring.form("Any", payers=2, earners=2)
    await ring.top_up()
    back = (Ring.give_back, Ring.refund, Ring.charge_back, Ring.charge_back_bill)
    spending = (*PAYING, Ring.unspend, Ring.buy_bulk, Ring.report)
    moves = (*spending, Ring.convert, Ring.pass_on, Ring.flip, *back, Ring.pay_out, Ring.wait)
    await ring.play(moves, 15)
    await proves(takes_out=None)


ATTACKS = [
    name
    for name, attack in list(globals().items())
    if name.startswith("test_") and "proves" in inspect.signature(attack).parameters
]


@pytest.mark.parametrize("attack", ATTACKS)
async def test_nothing_was_lost_to_a_ring_that_left(waiting: Waiting, attack: str) -> None:
    assert attack in waiting.rings, "The attack did not come to its end, or was not asked for."
    if not waiting.have_left:
        await Ring.leave(*(ring for ring, _ in waiting.rings.values()))
        waiting.have_left = True
    await reckon(*waiting.rings[attack])
