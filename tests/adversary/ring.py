"""A ring of organizations that belong to one attacker, and what the platform has lost to it.

The loss is in money, in cents, over everybody who took part in an attack:

    loss = paid out + still to be paid out - (received - refunded - charged back)

What was paid out are payouts that were sent; what is still to be paid out are payouts under way, earnings that can
leave now or later, and money that an organization holds. Fees of the provider are the platform's cost of business and
are left out. Credits that were not used are owed no money, so they do not count.
"""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from typing import Any

from dev.year.market import EARLY_CARD, METER, Creator, Customer, Market
from dev.year.world import World

#: How long a chargeback is part of an attack: later ones the platform bears, because earnings have left the hold-back.
HOLD_BACK = timedelta(days=14)
_LOSS = """
    SELECT
        (SELECT coalesce(sum(amount_minor), 0) FROM payment_movements
            WHERE org_id = ANY($1) AND payment_id IS NOT NULL) AS received,
        (SELECT coalesce(sum(amount_minor), 0) FROM payouts WHERE org_id = ANY($1) AND status = 'paid')
            - (SELECT coalesce(sum(amount_minor), 0) FROM transfer_reversals
                WHERE org_id = ANY($1) AND status = 'reversed') AS sent,
        (SELECT coalesce(sum(amount_minor), 0) FROM payouts
            WHERE org_id = ANY($1) AND status NOT IN ('paid', 'failed')) AS under_way,
        (SELECT coalesce(sum(b.posted), 0) FROM ledger.accounts a JOIN ledger.balances b ON b.account_id = a.id
            WHERE a.org_id = ANY($1) AND a.path LIKE 'org/%/cash/USD') AS held
"""
_BILLS = """
    SELECT payment_id, org_id, settled_at FROM subscription_bills
    WHERE org_id = ANY($1) AND payment_id IS NOT NULL ORDER BY settled_at, bill_ref
"""


@dataclass
class Ring:
    """The attacker's hands. Whatever is refused is no harm; what it costs is judged at the end."""

    market: Market
    draw: random.Random
    payers: list[Customer] = field(default_factory=list)
    earners: list[Creator] = field(default_factory=list)
    #: Top-ups that can still be charged back within the hold-back: whose, and since when.
    fresh: list[tuple[Customer, str, datetime]] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    #: Payments of bills that were charged back.
    disputed: set[str] = field(default_factory=set)
    reported: int = 0
    #: What payouts had brought when the loss was reckoned, in cents.
    taken_out: int = 0

    @property
    def world(self) -> World:
        return self.market.world

    async def form(self, name: str, *, payers: int = 1, earners: int = 1) -> "Ring":
        """Register the ring's organizations."""
        for number in range(earners):
            self.earners.append(await self.market.creator(f"{name} earner {number}"))
        for number in range(payers):
            self.payers.append(await self.market.customer(f"{name} payer {number}", "Europe/Berlin", "DE"))
        return self

    async def top_up(self) -> None:
        payer = self.draw.choice(self.payers)
        payment_id = await self.market.top_up(payer, f"{self.draw.choice((200, 500, 1000))}.00")
        if payment_id is not None:
            self.fresh.append((payer, payment_id, self.world.now()))

    async def buy_bulk(self) -> None:
        """Buy a package, in which a credit costs less than by itself."""
        payer = self.draw.choice(self.payers)
        wanted = {"package": "jumbo", "payment_method": EARLY_CARD}
        made = await payer.owner.ask("POST", "/billing/purchase-credits", wanted)
        await self.world.settle()
        if made.status_code < 400:
            payer.top_ups.append(made.json()["payment_id"])

    async def work(self, jobs: int = 1) -> None:
        """Run one job of the size of `jobs` jobs."""
        await self.market.order(self.draw.choice(self.payers), self.draw.choice(self.earners), as_many=jobs)

    async def commission(self, payer: Customer, earner: Creator, price: str) -> str | None:
        """Pay for work by a payment with credits and return the payment."""
        contract: dict[str, Any] = {"agent_id": earner.sells, "title": "Commissioned", "price": price}
        contract |= {"currency": "CREDIT", "signatories": ["owner"], "required_signatures": 1}
        awarded = (await payer.owner.ask("POST", "/contracts", contract)).json()
        opened = (await payer.owner.ask("POST", "/escrows", {"contract_id": awarded.get("id")})).json()
        path = f"/escrows/{opened.get('id')}"
        funded = await payer.owner.ask("POST", f"{path}/fund", {"provider": "credits"})
        await self.world.settle()
        await earner.agent.ask("POST", f"{path}/delivery", {"artifacts": [], "note": "Done"})
        await payer.owner.ask("POST", f"{path}/approvals", {})
        await self.world.settle()
        return str(funded.json()["payment"]["id"]) if funded.status_code < 400 else None

    async def unspend(self) -> None:
        """Pay for work with credits and refund the payment that bought them."""
        payment_id = await self.commission(self.draw.choice(self.payers), self.draw.choice(self.earners), "100.00")
        for payer in self.payers if payment_id is not None else ():
            await payer.owner.ask("POST", f"/payments/{payment_id}/refunds", {})
        await self.world.settle()

    async def buy(self) -> None:
        await self.market.buy(self.draw.choice(self.payers), self.draw.choice(self.earners))

    async def use(self) -> None:
        """Use an agent that is priced by pages: at once, or of a reservation."""
        payer, use = await self._pages()
        if self.draw.random() < 0.5:
            await payer.owner.ask("POST", "/credits/use", use)
            return
        held = await payer.owner.ask("POST", "/credits/reserve", use)
        await payer.owner.ask("POST", f"/credits/reservations/{held.json().get('id')}/capture", {})

    async def report(self) -> None:
        """Report uses of such an agent by events: what any top-up pays for, and more than there will be credits for."""
        payer, use = await self._pages()
        for pages in (500, 1_000_000):
            self.reported += 1
            about = {"specversion": "1.0", "id": f"{self.earners[0].reads}-{self.reported}", "source": "ring"}
            event = {**about, "type": "read", "data": {**use, "quantity": pages}}
            await payer.owner.ask("POST", "/usage/events", event)
        await self.world.jobs(["usage-charges"])

    async def _pages(self) -> tuple[Customer, dict[str, Any]]:
        payer, earner = self.draw.choice(self.payers), self.draw.choice(self.earners)
        await payer.owner.ask("POST", f"/marketplace/agents/{earner.reads}/purchase", {})
        use = {"payee_agent_id": earner.reads, "action": METER, "quantity": self.draw.choice((500, 1000))}
        return payer, use

    async def give_back(self) -> None:
        await self.market.give_back(self.draw.choice(self.payers), self.draw.choice(self.earners).sells)

    async def refund(self) -> None:
        """Ask for all that can be refunded of some top-up."""
        payer = self.draw.choice(self.payers)
        if payer.top_ups:
            await self.refund_most(payer, self.draw.choice(payer.top_ups))

    async def refund_most(self, payer: Customer, payment_id: str) -> None:
        """Refund as much of a top-up as is accepted, down to a tenth."""
        whole = Decimal((await payer.owner.get(f"/payments/{payment_id}"))["refundable_amount"])
        for tenths in range(10, 0, -1):
            amount = str((whole * tenths / 10).quantize(Decimal("0.01"), ROUND_DOWN))
            answer = await payer.owner.ask("POST", f"/payments/{payment_id}/refunds", {"amount": amount})
            await self.world.settle()
            if answer.status_code != 402:
                break

    async def pass_on(self) -> None:
        """Pay one earner's work from another earner's sales."""
        first, other = self.draw.sample(self.earners, 2)
        await first.owner.ask("POST", "/credits/earnings/conversions", {"agent_id": first.sells, "kind": "paid"})
        await self.market.order(Customer(first.name, first.owner, first.org_id, "Europe/Berlin"), other)

    async def charge_back(self) -> None:
        """Charge a top-up back while the earnings it paid for are held back."""
        self.fresh = [each for each in self.fresh if self.world.now() - each[2] < HOLD_BACK]
        if self.fresh:
            payer, payment_id, _ = self.fresh.pop(self.draw.randrange(len(self.fresh)))
            await self.market.charge_back_payment(payer, payment_id, self.draw.choice(("lost", "lost", "won")))

    async def subscribe(self, plan: str = "professional") -> None:
        """Subscribe each payer and pay for work from its allowance."""
        for payer in self.payers:
            await payer.owner.ask("POST", "/billing/subscription", {"plan": plan})
            await self.world.settle()

    async def bills(self) -> list[str]:
        """Return the payments of the payers' bills, the oldest first."""
        found = await self.world.books.fetch(_BILLS, [payer.org_id for payer in self.payers])
        return [row["payment_id"] for row in found]

    async def charge_back_bill(self) -> None:
        """Charge a plan's period back while the earnings its credits paid for are held back."""
        found = await self.world.books.fetch(_BILLS, [payer.org_id for payer in self.payers])
        bills = [row for row in found if self.world.now() - row["settled_at"] < HOLD_BACK]
        bills = [row for row in bills if row["payment_id"] not in self.disputed]
        if bills:
            bill = self.draw.choice(bills)
            payer = next(each for each in self.payers if each.org_id == bill["org_id"])
            self.disputed.add(bill["payment_id"])
            outcome = self.draw.choice(("lost", "lost", "won"))
            await self.market.charge_back_payment(payer, bill["payment_id"], outcome)

    async def convert(self) -> None:
        """Turn what was earned into credits that can be spent."""
        earner = self.draw.choice(self.earners)
        kind = self.draw.choice(("granted", "paid"))
        await earner.owner.ask("POST", "/credits/earnings/conversions", {"agent_id": earner.sells, "kind": kind})

    async def pay_out(self) -> None:
        for earner in self.earners:
            await earner.owner.ask("POST", "/billing/payouts", {})
        await self.world.settle()

    async def wait(self) -> None:
        await self.rest(self.draw.randint(1, 9))

    async def rest(self, days: int) -> None:
        await self.world.advance(self.world.now() + timedelta(days=days))

    async def flip(self) -> None:
        """Change the plan, up, down, away or back."""
        owner = self.draw.choice(self.payers).owner
        plan = self.draw.choice(("premium", "starter", "professional", "enterprise"))
        orders = (
            ("POST", "/billing/subscription", {"plan": plan}),
            ("PUT", "/billing/subscription", {"plan": plan}),
            ("PUT", "/billing/subscription", {"plan": plan}),
            ("DELETE", f"/billing/subscription?at_period_end={self.draw.choice(('true', 'false'))}", None),
            ("POST", "/billing/subscription/resume", None),
        )
        await owner.ask(*self.draw.choice(orders))
        await self.world.settle()

    async def play(self, moves: tuple[Callable[["Ring"], Awaitable[None]], ...], count: int) -> None:
        """Run `count` moves drawn from these."""
        for _ in range(count):
            move = self.draw.choice(moves)
            self.done.append(move.__name__)
            await move(self)

    @staticmethod
    async def leave(*rings: "Ring") -> None:
        """Pay out each ring's full balance after the hold-back; simulated days cost the most time."""
        await rings[0].rest(HOLD_BACK.days + 2)
        # It is due every five minutes; the days here are too short for it.
        await rings[0].world.jobs(["earnings-recovery"])
        for ring in rings:
            await ring.pay_out()
        await rings[0].rest(3)

    async def loss(self) -> int:
        """Return what the platform has lost to the ring, in cents; below zero is what it has earned."""
        orgs = [payer.org_id for payer in self.payers] + [earner.org_id for earner in self.earners]
        found = await self.world.books.fetchrow(_LOSS, orgs)
        assert found is not None
        self.taken_out = int(found["sent"])
        owed = int(found["under_way"]) + int(found["held"]) + await self.earned()
        return int(found["sent"]) + owed - int(found["received"])

    async def earned(self) -> int:
        """Return what of the earnings can leave now or later, in cents."""
        states, sum_minor = ("available", "pending", "frozen"), 0
        for earner in self.earners:
            for each in (await earner.owner.get("/billing/earnings"))["payable"]:
                sum_minor += sum(int(Decimal(each[state]) * 100) for state in states)
        return sum_minor
