"""Honest organizations: they sign up, pay, buy and sell work, refund, change keys, and are paid out."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from dev.bench.risk.platform import START, Doing, Org, Platform
from domain.risk.act import Point

#: Of honest organizations: behind an office's address, with two cards, and selling.
OFFICE, TWO_CARDS, SELLS = 0.15, 0.15, 0.25
#: Of honest acts: declined payments, refunds, payments with a new key after them, jobs that are released by silence.
DECLINED, REFUNDED, NEW_KEY, SILENT = 0.05, 0.03, 0.02, 0.2
HOURS_BETWEEN = 144


class Population:
    """Honest organizations of a platform, who join over its days."""

    def __init__(self, world: Platform, count: int, days: int) -> None:
        """Plan their lives until the last day."""
        self.world, self.sellers = world, list[Org]()
        self.end = START + timedelta(days=days)
        offices = [world.address() for _ in range(max(1, count // 60))]
        for _ in range(count):
            self._plan(offices, days)

    def _plan(self, offices: list[str], days: int) -> None:
        world, draw = self.world, self.world.draw
        at = draw.choice(offices) if draw.random() < OFFICE else world.address()
        org = world.new(is_honest=True, at=[at])
        org.cards += [world.name("card")] * (draw.random() < TWO_CARDS)

        async def join() -> None:
            if await world.sign_up(org):
                for planned, doing in self._life(org):
                    world.plan(planned, doing)

        # Two of three were there before the first attack.
        world.plan(START + timedelta(days=days * draw.random() ** 2), join)

    def _life(self, org: Org) -> Iterator[tuple[datetime, Doing]]:
        draw, at = self.world.draw, self.world.now
        usual, is_paid = round(100 + draw.lognormvariate(7.5, 1)), False
        sells = draw.random() < SELLS
        if sells:
            self.sellers.append(org)
        while (at := at + timedelta(hours=draw.expovariate(1 / HOURS_BETWEEN))) < self.end:
            yield at, lambda: self._payment(org, usual)
            yield at + timedelta(hours=1), lambda: self._job(org, usual)
            if draw.random() < NEW_KEY:
                yield at + timedelta(hours=2), lambda: self.world.make_key(org)
            if sells and not is_paid:
                is_paid = True
                yield self._first_payout(org, at)

    def _first_payout(self, org: Org, earned: datetime) -> tuple[datetime, Doing]:
        """Plan a payout, mostly weeks after the first earning."""
        wait = timedelta(hours=max(40.0, self.world.draw.gauss(10 * 24, 4 * 24)))
        return earned + wait, lambda: self._payout(org, wait)

    async def _payment(self, org: Org, usual: int) -> None:
        world = self.world
        amount = round(usual * world.draw.uniform(0.5, 1.5))
        address = org.at[0] if world.draw.random() < 0.85 else world.address()
        for card in (org.cards[0], org.cards[-1], org.cards[0]):
            is_good = world.draw.random() > DECLINED
            answer, payment_id = await world.pay(org, amount, card, address, is_good=is_good)
            if answer != "declined":
                break
        if payment_id and world.draw.random() < REFUNDED:

            async def refund() -> None:
                await world.refund(org, payment_id, amount)

            world.plan(world.now + timedelta(hours=20), refund)

    async def _job(self, payer: Org, amount: int) -> None:
        """Buy work of a seller, who delivers after hours; the payer approves and rates it, or stays silent."""
        world, draw = self.world, self.world.draw
        payee = draw.choice(self.sellers) if self.sellers else payer
        if payee is payer or not await world.fund(payer, payee, amount):
            return
        seconds = round(draw.lognormvariate(10, 0.8))

        async def deliver() -> None:
            escrow_id = await world.deliver(payee, payer, amount, seconds=seconds, artifact=world.name("sha"))
            if escrow_id is None:
                return
            silent = draw.random() < SILENT

            async def release() -> None:
                await world.release(escrow_id, payee, payer, seconds, silent=silent)
                if not silent and draw.random() < 0.6:
                    await world.rate(payer, payee)

            world.plan(world.now + timedelta(hours=72 if silent else draw.expovariate(1 / 12)), release)

        world.plan(world.now + timedelta(seconds=seconds), deliver)

    async def _payout(self, org: Org, since: timedelta) -> None:
        hours = round(since.total_seconds() / 3_600)
        facts = {"first_earning_hours": hours, "destination_age_hours": hours}
        await self.world.act(org, Point.PAYOUT, 5_000, facts=facts)
