"""Payments in coins through their run: too little, too much, too late, and reversed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.common.quote import Quote
from domain.payments.payment.snapshot import Deposit
from domain.payments.payment.state import PaymentStatus
from tests.support.chains import AMOUNTS, CHAIN_OF, CONFIRMATIONS, ChainsInTest
from tests.workflows.conftest import Stage
from tests.workflows.payment_driver import PaymentDriver, for_escrow, new_payment

pytestmark = [pytest.mark.timeskip, pytest.mark.db]
P = PaymentStatus
CREDITS = 100_000_000


class Wallet:
    """Somebody who pays in coins, and the chain that they pay on. Its clock and the run's are moved together."""

    def __init__(self, driver: PaymentDriver, chains: ChainsInTest, asset: str) -> None:
        self.driver, self.chains, self.asset, self.chain = driver, chains, asset, CHAIN_OF[asset]
        self.amount = AMOUNTS[asset]

    async def deposit(self) -> Deposit:
        action = (await self.driver.state()).action
        assert action is not None
        assert action.deposit is not None
        return action.deposit

    async def send(self, to: Deposit, amount_minor: int, *, blocks: int | None = None) -> None:
        blocks = CONFIRMATIONS[self.chain] if blocks is None else blocks
        terms = {"asset": self.asset, "address": to.address, "memo": to.memo, "amount_minor": amount_minor}
        await self.chains.control(f"{self.chain}/deposit", **terms, mine=blocks)

    async def mine(self, blocks: int) -> None:
        await self.chains.control(f"{self.chain}/mine", blocks=blocks)

    async def reorganise(self, *, drop: bool) -> None:
        await self.chains.control(f"{self.chain}/reorg", depth=CONFIRMATIONS[self.chain], drop=drop)

    async def pass_time(self, **amount: float) -> None:
        self.chains.clock.advance(timedelta(**amount))
        await self.driver.pass_time(**amount)

    async def credits(self) -> int:
        return (await self.driver.money())["wallet"]


async def paying(
    stage: Stage, asset: str = "BTC", *, quoted_for: timedelta = timedelta(hours=1), **changes: Any
) -> Wallet:
    """Order 100 credits for 10 dollars in coins; a quote that is to last less than no time has run out already."""
    chains, now = stage.chains, datetime.now(UTC)
    assert chains is not None
    quote = Quote(
        amount_minor=1000,
        currency="USD",
        asset_minor=AMOUNTS[asset],
        asset=asset,
        price="1",
        source="test",
        quoted_at=now,
        expires_at=now + quoted_for,
    )
    terms: dict[str, Any] = {"quote": quote, "refundable": False, "late_poll_seconds": 3600} | changes
    made = await new_payment(stage, provider="crypto", currency=asset, amount_minor=AMOUNTS[asset], **terms)
    assert (await made.create()).status == "requires_action"
    return Wallet(made, chains, asset)


async def price(chains: ChainsInTest, asset: str, cents: int, coins_minor: int) -> None:
    """Set the price in cents of a number of minor units of a coin."""
    scale = {"BTC": 8, "ETH": 9}[asset]
    whole = -(-cents * 10**scale // coins_minor)
    await chains.control("rates", **{asset: {"USD": f"{whole // 100}.{whole % 100:02}"}})
    chains.clock.advance(timedelta(minutes=2))  # an older price is not used any more


@pytest.mark.parametrize(
    "asset", ["ETH", *(pytest.param(other, marks=pytest.mark.slow) for other in ("BTC", "USDC", "TON"))]
)
async def test_underpaid_payment_shows_the_missing_amount_and_is_completed(stage: Stage, chains, asset: str):
    payer = await paying(stage, asset)
    place, part = await payer.deposit(), payer.amount * 3 // 5
    await payer.send(place, part)
    await payer.pass_time(minutes=5)
    state = await payer.driver.happened("received")
    assert state.status is P.PROCESSING
    assert (await payer.deposit()) == replace(place, amount_minor=payer.amount - part, uri=(await payer.deposit()).uri)
    assert await payer.credits() == CREDITS * 3 // 5
    await payer.send(place, payer.amount - part)
    await payer.pass_time(minutes=30)
    state = await payer.driver.until("succeeded")
    assert (state.received_minor, state.granted_minor, state.action) == (payer.amount, CREDITS, None)
    assert await payer.driver.money() == {"wallet": CREDITS, "own": 0, "debt": 0}
    assert (await payer.driver.kinds()).count("received") == 2


async def test_partial_amount_is_credited_after_the_deadline(stage: Stage, chains):
    payer = await paying(stage)
    await payer.send(await payer.deposit(), payer.amount * 2 // 5)
    await payer.pass_time(hours=24)
    state = await payer.driver.until("succeeded")
    assert state.received_minor == payer.amount * 2 // 5
    assert await payer.driver.money() == {"wallet": CREDITS * 2 // 5, "own": 0, "debt": 0}
    assert {"received", "time_over"} <= set(await payer.driver.kinds())


async def test_surplus_is_credited(stage: Stage, chains):
    payer = await paying(stage)
    place = await payer.deposit()
    await payer.send(place, payer.amount * 3)
    await payer.send(place, payer.amount // 2)
    await payer.pass_time(minutes=5)
    state = await payer.driver.until("succeeded")
    assert (state.received_minor, state.granted_minor) == (payer.amount * 7 // 2, CREDITS * 7 // 2)
    assert await payer.credits() == CREDITS * 7 // 2


@pytest.mark.slow
async def test_late_deposit_is_credited_at_the_rate_of_its_time(stage: Stage, chains):
    payer = await paying(stage, quoted_for=timedelta(minutes=-1))
    place = await payer.deposit()
    await payer.pass_time(hours=24)
    assert (await payer.driver.until("expired")).received_minor == 0
    await price(chains, "BTC", 500, payer.amount)  # half of what it was quoted at
    await payer.send(place, payer.amount)
    await payer.pass_time(hours=2)
    state = await payer.driver.until("succeeded")
    assert (state.received_minor, state.granted_minor) == (payer.amount, CREDITS // 2)
    assert await payer.driver.money() == {"wallet": CREDITS // 2, "own": 0, "debt": 0}


@pytest.mark.slow
async def test_deposit_sent_in_time_is_valued_at_its_quote_when_it_becomes_final(stage: Stage, chains):
    payer = await paying(stage)
    await payer.send(await payer.deposit(), payer.amount, blocks=1)
    await payer.pass_time(minutes=5)
    assert (await payer.driver.until("processing")).seen_minor == payer.amount
    await price(chains, "BTC", 500, payer.amount)
    await payer.pass_time(hours=3)
    await payer.mine(CONFIRMATIONS["btc"])
    await payer.pass_time(hours=7)
    state = await payer.driver.until("succeeded")
    assert state.booked[0].occurred_at > state.terms.quote.expires_at
    assert state.granted_minor == CREDITS


@pytest.mark.slow
async def test_a_late_payment_that_is_booked_needs_no_price_any_more(stage: Stage, chains):
    payer = await paying(stage, quoted_for=timedelta(minutes=-1))
    place = await payer.deposit()
    await price(chains, "BTC", 1000, payer.amount)
    await payer.send(place, payer.amount)
    await payer.pass_time(minutes=5)
    assert (await payer.driver.until("succeeded")).granted_minor == CREDITS
    chains.wire.requests.clear()
    await payer.reorganise(drop=True)
    await payer.pass_time(hours=2)
    assert (await payer.driver.happened("reversed")).reversed_minor == payer.amount
    asked = {request.url.path.split("/")[1] for request in chains.wire.requests}
    assert "btc" in asked
    assert "rates" not in asked


@pytest.mark.slow
async def test_reversed_deposit_claws_back_credits_and_spent_ones_are_owed(stage: Stage, chains):
    payer = await paying(stage, "ETH")
    await payer.mine(5)
    await payer.send(await payer.deposit(), payer.amount)
    await payer.pass_time(minutes=5)
    await payer.driver.until("succeeded")
    await payer.driver.spend(CREDITS * 3 // 5)
    await payer.reorganise(drop=True)
    await payer.pass_time(hours=2)
    state = await payer.driver.happened("reversed")
    assert (state.status, state.reversed_minor) == (P.CHARGED_BACK, payer.amount)
    assert await payer.driver.money() == {"wallet": 0, "own": 0, "debt": -CREDITS * 3 // 5}
    assert "payment.debt" in await payer.driver.alerts()


@pytest.mark.slow
async def test_coins_included_in_another_block_pay_the_debt(stage: Stage, chains):
    payer = await paying(stage, "ETH")
    await payer.mine(5)
    await payer.send(await payer.deposit(), payer.amount)
    await payer.pass_time(minutes=5)
    await payer.driver.until("succeeded")
    await payer.driver.spend(CREDITS * 3 // 5)
    await payer.reorganise(drop=False)
    await payer.pass_time(hours=2)
    await payer.driver.happened("reversed")
    await payer.mine(CONFIRMATIONS["evm"])
    await payer.pass_time(hours=2)
    state = await payer.driver.happened("received", 2)
    assert state.status is P.SUCCEEDED
    assert await payer.driver.money() == {"wallet": CREDITS * 2 // 5, "own": 0, "debt": 0}


@pytest.mark.slow
async def test_coins_for_an_escrow_that_are_too_few_become_credits_when_the_time_is_over(stage: Stage, chains, award):
    job = await award(balance=1)
    await job.open()
    payer = await paying(stage, org_id=job.terms.payer_org_id, purpose=for_escrow(job.terms))
    await payer.send(await payer.deposit(), payer.amount // 2)
    await payer.pass_time(hours=24)
    state = await payer.driver.happened("purpose_gone")
    assert state.refunds == ()
    assert await payer.driver.money() == {"wallet": 1 + job.terms.amount_minor // 2, "own": 0, "debt": 0}
    assert (await job.state()).status == "open"
