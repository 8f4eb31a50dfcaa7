"""Participants of the marketplace and their calls over HTTP: creators with agents, and paying organizations."""

import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from dev.year.world import TOKEN, Caller, Json, World, YearError

GOOD_CARD, EARLY_CARD, BAD_CARD = "pm_card_visa", "pm_card_bypassPending", "pm_card_chargeCustomerFail"
BANK = "000123456789"
#: What a token of each creator's model costs, in USD, which is used in arrears.
UNIT = Decimal(TOKEN)
#: What an agent and a job cost, in credits.
OFFER, JOB = "150.00", "120.00"
#: What an agent costs in USD, once and by the month.
PRICE, MONTHLY = "60.00", "20.00"
#: What an agent of the marketplace counts, and what a unit costs, in credits.
METER, PAGE = "page", "0.35"


@dataclass
class Creator:
    """An organization that sells agents: by usage in arrears and in credits, for credits, for money, and monthly."""

    name: str
    owner: Caller
    org_id: str
    agent: Caller
    works: str
    sells: str
    prized: str
    watches: str
    reads: str
    has_schedule: bool = False


@dataclass
class Customer:
    """An organization that pays.

    Attributes:
        used: units of work that it was reported to have used, by month of its zone and agent.
        pages: units that it has used of agents of the marketplace, by agent.
        agreed: what it pays for a plan by the month instead of what others pay, in USD.
    """

    name: str
    owner: Caller
    org_id: str
    zone: str
    card: str = ""
    used: Counter[tuple[str, str]] = field(default_factory=Counter)
    pages: Counter[str] = field(default_factory=Counter)
    agreed: dict[str, str] = field(default_factory=dict)
    owned: dict[str, str] = field(default_factory=dict)
    top_ups: list[str] = field(default_factory=list)


class Market:
    """Everybody, and each thing that they can do."""

    def __init__(self, world: World, draw: random.Random) -> None:
        """Take the world, and what choices are drawn from."""
        self.world, self.draw = world, draw
        self.creators: list[Creator] = []
        self.customers: dict[str, Customer] = {}
        self.validator: Caller
        self._events = 0
        self.trials = 0
        #: Who was brought, and by whom.
        self.referred: dict[str, str] = {}
        #: What was refused for a reason that belongs to the story, such as a card without money, by code.
        self.refused: Counter[str] = Counter()

    async def open(self) -> None:
        """Set what the platform charges in tax."""
        operator = self.world.operator
        began = (self.world.now() - timedelta(days=1)).isoformat()
        for code, country, rate in (("de-vat", "DE", "0.19"), ("au-gst", "AU", "0.10")):
            await operator.post("/tax-rates", {"code": code, "country": country, "rate": rate, "valid_from": began})
        made = await operator.post("/api-keys", {"principal": "validator", "role": "validator"})
        self.validator = Caller(self.world.http, made["secret"])

    async def organization(self, name: str, referrer: str | None = None) -> Caller:
        """Register an organization with its owner's key; `referrer` is the organization that has brought it."""
        operator = self.world.operator
        org_id = (await operator.post("/organizations", {"name": name, "referred_by": referrer}))["id"]
        if referrer is not None:
            self.referred[org_id] = referrer
        key = {"organization_id": org_id, "principal": "owner", "role": "owner"}
        return Caller(self.world.http, (await operator.post("/api-keys", key))["secret"], org_id)

    async def creator(self, name: str) -> Creator:
        """Register a creator, with agents, and an account for payouts."""
        owner = await self.organization(name)
        assert owner.org_id is not None
        works = await owner.post("/agents", {"name": f"{name} Scout", "visibility": "public"})
        sells = await owner.post("/agents", {"name": f"{name} Writer", "visibility": "public"})
        prized = await owner.post("/agents", {"name": f"{name} Architect", "visibility": "public"})
        watches = await owner.post("/agents", {"name": f"{name} Monitor", "visibility": "public"})
        reads = await owner.post("/agents", {"name": f"{name} Reader", "visibility": "public"})
        offers: list[tuple[Json, Json]] = [
            (sells, {"model": "one_time", "price": OFFER, "summary": "Writes what it was asked to write."}),
            (prized, {"model": "one_time", "price": PRICE, "currency": "USD", "summary": "Plans what is to be built."}),
            (watches, {"model": "monthly", "price": MONTHLY, "currency": "USD", "summary": "Watches what was built."}),
            (reads, {"model": "usage", "prices": {METER: PAGE}, "summary": "Reads pages."}),
        ]
        for agent, offer in offers:
            await owner.put(f"/marketplace/agents/{agent['id']}", offer)
        key = {"organization_id": owner.org_id, "principal": "bot", "role": "agent", "agent_id": sells["id"]}
        bot = Caller(self.world.http, (await self.world.operator.post("/api-keys", key))["secret"], owner.org_id)
        await connect(self.world, owner, "US")
        agents = (each["id"] for each in (works, sells, prized, watches, reads))
        found = Creator(name, owner, owner.org_id, bot, *agents)
        self.creators.append(found)
        return found

    async def customer(
        self, name: str, zone: str, country: str, *, referrer: str | None = None, agreed: dict[str, str] | None = None
    ) -> Customer:
        """Register a customer who is invoiced for usage at the end of each month of its time zone.

        Args:
            name: of the customer.
            zone: its time zone.
            country: where it is.
            referrer: the organization that has brought it.
            agreed: what plans cost it by the month, in USD.
        """
        owner = await self.organization(name, referrer)
        assert owner.org_id is not None
        made = Customer(name, owner, owner.org_id, zone, agreed=agreed or {})
        self.customers[name] = made
        profile = {"legal_name": name, "line1": "1 Main Street", "city": "Town", "country": country}
        await owner.put("/billing/profile", {**profile, "email": f"{name.lower().replace(' ', '-')}@example.com"})
        decided = {"organization_id": owner.org_id, "confirmed_country": country}
        await self.world.operator.put("/billing/profile/decisions", decided)
        prices = [{"plan": plan, "amount": amount} for plan, amount in made.agreed.items()]
        terms = {"mode": "arrears", "currency": "USD", "time_zone": zone, "net_days": 7, "plan_prices": prices}
        await self.world.operator.put(f"/organizations/{owner.org_id}/billing-terms", terms)
        await self.card(made, GOOD_CARD)
        return made

    async def card(self, customer: Customer, card: str) -> None:
        """Store a card and pay with it from now on."""
        customer.card = await store_card(self.world, customer.owner, card)

    # Subscriptions ----------------------------------------------------------------------------------------------------

    async def subscribe(self, customer: Customer, plan: str, interval: str = "month") -> str:
        """Subscribe with the stored card."""
        body = {"plan": plan, "interval": interval}
        return _shown(await self._try(customer.owner, "POST", "/billing/subscription", body), "status")

    async def try_out(self, customer: Customer, plan: str) -> str:
        """Begin with the plan's trial, which a card can have once."""
        body = {"plan": plan, "trial": True}
        made = await self._try(customer.owner, "POST", "/billing/subscription", body)
        self.trials += made is not None
        return _shown(made, "status")

    async def change(self, customer: Customer, plan: str, interval: str | None = None) -> None:
        """Change the plan; a larger one acts now."""
        body = {"plan": plan} | ({"interval": interval} if interval else {})
        await self._try(customer.owner, "PUT", "/billing/subscription", body)

    async def cancel(self, customer: Customer) -> None:
        """Cancel at the end of the period."""
        await self._try(customer.owner, "POST", "/billing/cancel")

    # Credits ----------------------------------------------------------------------------------------------------------

    async def top_up(self, customer: Customer, amount: str, card: str = EARLY_CARD) -> str | None:
        """Buy credits by card."""
        body = {"amount": amount, "provider": "stripe", "payment_method": card}
        made = await self._try(customer.owner, "POST", "/billing/topup", body)
        await self.world.settle()
        if made is None:
            return None
        customer.top_ups.append(made["payment_id"])
        return str(made["payment_id"])

    async def buy(self, customer: Customer, creator: Creator) -> None:
        """Buy an agent with credits."""
        made = await self._try(customer.owner, "POST", f"/marketplace/agents/{creator.sells}/purchase", {})
        if made is not None:
            customer.owned[creator.sells] = made["purchase"]["id"]

    async def pay_for(self, customer: Customer, agent_id: str) -> str | None:
        """Buy an agent with the stored card; returns its payment, None when it was declined or is had already."""
        wish = {"provider": "stripe", "payment_method": customer.card}
        made = await self._try(customer.owner, "POST", f"/marketplace/agents/{agent_id}/purchase", wish)
        await self.world.settle()
        if made is None or made["payment"] is None:
            return None
        listed = (await customer.owner.get("/marketplace/library?limit=200"))["data"]
        bought = next((each for each in listed if each["payment_id"] == made["payment"]["id"]), None)
        if bought is None:
            return None
        customer.owned[agent_id] = bought["id"]
        return str(bought["payment_id"])

    async def buy_and_dispute(self, customer: Customer, agent_id: str, outcome: str) -> None:
        """Buy an agent with the stored card, and have its bank take the money back."""
        payment_id = await self.pay_for(customer, agent_id)
        if payment_id is not None:
            await self.charge_back_payment(customer, payment_id, outcome)

    async def give_back(self, customer: Customer, agent_id: str) -> None:
        """Give an agent back, if it was bought."""
        if agent_id in customer.owned:
            await self._try(customer.owner, "POST", f"/marketplace/purchases/{customer.owned.pop(agent_id)}/refund", {})
            await self.world.settle()

    async def end_renewals(self, customer: Customer, agent_id: str) -> None:
        """Cancel a monthly purchase at the end of its month, if one exists."""
        for each in (await customer.owner.get("/marketplace/library?limit=200"))["data"]:
            if each["agent_id"] == agent_id and each["status"] == "active":
                await self._try(customer.owner, "POST", f"/marketplace/purchases/{each['id']}/cancel", {})

    async def order(self, customer: Customer, creator: Creator, *, as_many: int = 1) -> None:
        """Run a job that is paid from escrow once a validator approves it.

        It is as large as so many jobs together, or as those of them that the customer can pay for.
        """
        available = Decimal((await customer.owner.get("/billing/balance"))["available"])
        jobs = min(as_many, int(available // Decimal(JOB)))
        if jobs < 1:
            self.refused["no credits"] += 1
            return
        terms: Json = {
            "title": "A report",
            "price": str(Decimal(JOB) * jobs),
            "currency": "CREDIT",
            "agent_id": creator.sells,
        }
        terms |= {"validation_threshold": "0.80", "signatories": ["owner"], "required_signatures": 1}
        contract = await customer.owner.post("/contracts", terms)
        path = f"/escrows/{(await customer.owner.post('/escrows', {'contract_id': contract['id']}))['id']}"
        await customer.owner.post(f"{path}/fund", {"source": "credits"})
        await creator.agent.post(f"{path}/delivery", {"artifacts": [], "note": "Done"})
        await self.validator.post(f"{path}/validation", {"score": "0.95"})

    # Usage ------------------------------------------------------------------------------------------------------------

    async def use(self, customer: Customer, creator: Creator, units: int) -> None:
        """Report calls of a model by an agent, which the customer pays for at the end of the month."""
        self._events += 1
        now = self.world.now()
        event = {
            "specversion": "1.0",
            "id": f"work-{self._events}",
            "source": "platform:year",
            "type": "work",
            "time": now.isoformat(),
            "data": {
                "agent_id": creator.works,
                "model": f"{creator.name} Scout",
                "usage": {"output_tokens": units},
            },
        }
        answer = await self.world.operator.post(f"/usage/events?organization_id={customer.org_id}", event)
        if answer["accepted"] != 1:
            raise YearError(f"usage was not accepted: {answer}")
        month = f"{now.astimezone(ZoneInfo(customer.zone)):%Y-%m}"
        customer.used[month, creator.works] += units

    async def read(self, customer: Customer, creator: Creator, pages: int) -> None:
        """Add a marketplace agent to the library and pay it for pages in credits."""
        if creator.reads not in customer.owned:
            added = await customer.owner.post(f"/marketplace/agents/{creator.reads}/purchase", {})
            customer.owned[creator.reads] = added["purchase"]["id"]
        use = {"payee_agent_id": creator.reads, "action": METER, "quantity": pages}
        if await self._try(customer.owner, "POST", "/credits/use", use) is not None:
            customer.pages[creator.reads] += pages

    # Money back -------------------------------------------------------------------------------------------------------

    async def refund(self, customer: Customer) -> None:
        """Ask for a part of the latest top-up back."""
        if customer.top_ups:
            await self._try(customer.owner, "POST", f"/payments/{customer.top_ups[-1]}/refunds", {"amount": "5.00"})
            await self.world.settle()

    async def charge_back(self, customer: Customer, amount: str = "600.00", outcome: str = "lost") -> None:
        """Buy credits, and have the cardholder's bank take the money back, finally unless the outcome is `won`."""
        payment_id = await self.top_up(customer, amount)
        if payment_id is None:
            raise YearError("the top-up to charge back was declined")
        await self.charge_back_payment(customer, payment_id, outcome)

    async def charge_back_payment(self, customer: Customer, payment_id: str, outcome: str) -> None:
        """Dispute a payment as the cardholder's bank, and decide the dispute."""
        timeline = (await customer.owner.get(f"/payments/{payment_id}/timeline"))["data"]
        charge = next(event["details"]["movement"] for event in timeline if event["kind"] == "received")
        answer = await self.world.steer("dispute", {"charge": charge})
        if not answer.is_success:
            return  # what was refunded whole is not disputed
        await self.world.settle()
        await self.world.stripe("dispute/close", {"dispute": answer.json()["id"], "outcome": outcome})
        await self.world.settle()

    # Invoices and payouts ---------------------------------------------------------------------------------------------

    async def show_invoices(self) -> str:
        """Return which invoices of usage something is due on, and how far they are collected."""
        said = []
        for customer in self.customers.values():
            for invoice in (await customer.owner.get("/billing/invoices?limit=200"))["data"]:
                if invoice["status"] == "open":
                    held = await customer.owner.get(f"/billing/invoices/{invoice['id']}/collection")
                    steps = held["dunning_steps"]
                    said.append(
                        f"{customer.name} {invoice['number']} over {invoice['total']} USD with {invoice['tax']} tax, "
                        f"{invoice['applied_credits']} paid with credits, {invoice['due']} due, declined: {steps}"
                    )
        return "; ".join(said) or "all are paid"

    async def pay_out_by_schedule(self, creator: Creator) -> None:
        """Set a creator's payout schedule to every Friday."""
        await creator.owner.put("/billing/payouts/schedule", {"interval": "weekly", "weekly_anchor": "friday"})
        creator.has_schedule = True

    async def pay_out(self) -> str:
        """Request a payout of the full balance for each creator without a schedule."""
        said = []
        for creator in (each for each in self.creators if not each.has_schedule):
            made = await self._try(creator.owner, "POST", "/billing/payouts", {})
            if made is not None:
                paid = made
                while paid["status"] == "requested":
                    await self.world.settle()
                    listed = (await creator.owner.get("/billing/payouts"))["data"]
                    paid = next(each for each in listed if each["id"] == made["id"])
                said.append(f"{creator.name} {paid['amount']} USD {paid['status']}")
        return ", ".join(said)

    async def _try(self, caller: Caller, method: str, path: str, body: Json | None = None) -> Json | None:
        """Give a command; one that is refused as the story allows is counted and returns None."""
        answer = await caller.ask(method, path, body)
        if answer.is_success:
            made: Json = answer.json()
            return made
        if answer.status_code >= 500 or answer.status_code in {400, 401, 403, 404, 422}:
            raise YearError(f"{method} {path} {body}: {answer.status_code} {answer.text[:600]}")
        self.refused[str(answer.json()["code"])] += 1
        return None


async def connect(world: World, owner: Caller, country: str) -> None:
    """Open a creator's account for payouts, and give Stripe its bank account."""
    made = await owner.post("/billing/connect", {"country": country, "return_url": "https://example.com/earnings"})
    await world.http.get(made["onboarding_url"])
    await world.http.post(made["onboarding_url"], data={"number": BANK})
    await world.settle()


async def store_card(world: World, owner: Caller, card: str) -> str:
    """Store a card, by which the organization pays from now on, and return its id."""
    customer = (await owner.post("/billing/customer"))["customer_id"]
    stored = await world.at_stripe("POST", f"payment_methods/{card}/attach", {"customer": customer})
    await owner.put(f"/billing/payment-methods/{stored['id']}/default")
    return str(stored["id"])


def _shown(made: Json | None, name: str) -> str:
    return "refused" if made is None else str(made[name])


def at(zone: str, year: int, month: int, day: int, hour: int = 10) -> datetime:
    """Return a moment of a zone."""
    return datetime(year, month, day, hour, tzinfo=ZoneInfo(zone))
