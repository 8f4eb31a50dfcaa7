"""Plan of the year, drawn from a seed, in order of time."""

import json
from calendar import isleap, monthrange
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from dev.year.market import BAD_CARD, GOOD_CARD, Customer, Market, at
from domain.billing.plan import DEFAULT_PLANS

BERLIN, NEW_YORK, SYDNEY = "Europe/Berlin", "America/New_York", "Australia/Sydney"
#: By name: zone and country. Clocks change in each zone at other days, and in Sydney the other way round.
CUSTOMERS = {
    "Alba": (BERLIN, "DE"),
    "Bolt": (NEW_YORK, "US"),
    "Cove": (SYDNEY, "AU"),
    "Dune": (BERLIN, "DE"),
    "Elm": (NEW_YORK, "US"),
    "Fjord": (BERLIN, "DE"),
    "Glen": (NEW_YORK, "US"),
    "Hive": (SYDNEY, "AU"),
}
CREATORS = ("Lumen", "Nadir")
BY_YEAR = ("professional", "year")
#: Who buys no credits, so that invoices are charged to their cards.
WITHOUT_CREDITS = frozenset({"Elm", "Glen"})
#: Who has brought whom: an organization that does nothing else, and one that pays with the same card.
REFERRER, REFERRED = "Ivy", {"Alba": "Ivy", "Bolt": "Alba", "Cove": "Ivy"}
#: What was agreed for plans, by the month.
AGREED = {"Dune": {"enterprise": "249.00"}}

#: An act; it returns its result in words.
Act = Callable[[], Awaitable[object]]
#: A customer's name, month and day, what people read, and what the customer does.
Planned = tuple[str, int, int, str, Callable[[Customer], Act]]


@dataclass(order=True)
class Event:
    """A planned action."""

    at: datetime
    number: int
    words: str = field(compare=False)
    act: Act = field(compare=False)


class Story:
    """The plan of a year, or of its first months."""

    def __init__(self, market: Market, year: int, *, months: int = 12, customers: int = len(CUSTOMERS)) -> None:
        """Take who is in it, and how long and how large it is."""
        self.market, self.year, self.months, self.size = market, year, months, customers
        self.events: list[Event] = []

    @property
    def ends_at(self) -> datetime:
        """When the books are read; the last month is invoiced by then."""
        year, month = (self.year + 1, 1) if self.months == 12 else (self.year, self.months + 1)
        return at("UTC", year, month, 5, 12)

    async def cast(self) -> None:
        """Register everybody."""
        await self.market.open()
        for name in CREATORS:
            await self.market.creator(name)
        orgs = {REFERRER: (await self.market.organization(REFERRER)).org_id}
        for name, (zone, country) in list(CUSTOMERS.items())[: self.size]:
            referrer = orgs.get(REFERRED.get(name, ""))
            made = await self.market.customer(name, zone, country, referrer=referrer, agreed=AGREED.get(name))
            orgs[name] = made.org_id
        self._subscriptions()
        self._days()
        self._purchases()
        self._money_back()
        for month in range(1, self.months + 1):
            self._on(at("UTC", self.year, month, 12, 9), "invoices that are dunned", self.market.show_invoices)
            self._on(at("UTC", self.year, month, 20, 9), "creators are paid out", self.market.pay_out)
        self.events.sort()

    async def play(self, say: Callable[[str], None] = lambda _line: None) -> None:
        """Let the year pass, and report each act with its result."""
        for event in self.events:
            await self.market.world.advance(event.at)
            came_of_it = await event.act()
            more = f": {came_of_it}" if came_of_it else ""
            say(f"  {event.at:%Y-%m-%d %H:%M %Z}  {event.words}{more}")
        await self.market.world.advance(self.ends_at)
        await self.market.world.end()

    def summary(self) -> str:
        """Return what has happened, counted."""
        refused = ", ".join(f"{code} {count}" for code, count in sorted(self.market.refused.items()))
        orgs = len(self.market.creators) + len(self.market.customers)
        return f"{orgs} organizations, {len(self.events)} acts; refused: {refused or 'none'};"

    # The plan ---------------------------------------------------------------------------------------------------------

    def _subscriptions(self) -> None:
        """Plans are taken on month ends and on the leap day, one on agreed terms, and changed up, down and to a year.

        Alba's renewal of the leap day is still open at Stripe when it asks for the larger plan, which has to wait.
        """
        market = self.market
        plan: list[Planned] = [
            ("Alba", 1, 31, "subscribes to starter", lambda c: lambda: market.subscribe(c, "starter")),
            ("Alba", 2, 29, "asks for professional too early", lambda c: lambda: market.change(c, "professional")),
            ("Alba", 3, 1, "upgrades to professional", lambda c: lambda: market.change(c, "professional")),
            ("Alba", 8, 15, "downgrades to starter", lambda c: lambda: market.change(c, "starter")),
            ("Bolt", 1, 15, "subscribes to professional by the year", lambda c: lambda: market.subscribe(c, *BY_YEAR)),
            ("Cove", 2, 29, "subscribes to starter", lambda c: lambda: market.subscribe(c, "starter")),
            ("Cove", 3, 10, "gets a card that is declined", lambda c: lambda: market.card(c, BAD_CARD)),
            ("Cove", 4, 6, "gets a good card", lambda c: lambda: market.card(c, GOOD_CARD)),
            ("Dune", 3, 31, "subscribes to enterprise", lambda c: lambda: market.subscribe(c, "enterprise")),
            ("Dune", 9, 30, "cancels", lambda c: lambda: market.cancel(c)),
            ("Elm", 2, 1, "subscribes to premium", lambda c: lambda: market.subscribe(c, "premium")),
            ("Elm", 2, 28, "gets a card that is declined", lambda c: lambda: market.card(c, BAD_CARD)),
            ("Elm", 3, 9, "gets a good card", lambda c: lambda: market.card(c, GOOD_CARD)),
            ("Elm", 5, 31, "changes to professional by the year", lambda c: lambda: market.change(c, *BY_YEAR)),
            ("Fjord", 1, 30, "subscribes to professional", lambda c: lambda: market.subscribe(c, "professional")),
            ("Fjord", 6, 12, "gets a card that is declined, for good", lambda c: lambda: market.card(c, BAD_CARD)),
            ("Glen", 4, 30, "tries premium", lambda c: lambda: market.try_out(c, "premium")),
            ("Glen", 6, 30, "gets a card that is declined, for good", lambda c: lambda: market.card(c, BAD_CARD)),
            ("Hive", 9, 30, "tries premium with the same card", lambda c: lambda: market.try_out(c, "premium")),
            ("Hive", 10, 1, "subscribes to starter", lambda c: lambda: market.subscribe(c, "starter")),
        ]  # fmt: skip
        self._plan(plan, hour=10)

    def _days(self) -> None:
        """Everybody tops up, buys, orders and uses agents, on days that are drawn."""
        draw, market = self.market.draw, self.market
        for month in range(1, self.months + 1):
            last = monthrange(self.year, month)[1]
            for customer in market.customers.values():
                creator = draw.choice(market.creators)
                give_back = _bound(market.give_back, customer, creator.sells)
                amount, units = f"{draw.choice((250, 500, 1000))}.00", draw.randint(1, 40)
                plan: list[tuple[int, str, Act]] = [
                    (draw.randint(1, 3), f"buys {amount} credits", _bound(market.top_up, customer, amount)),
                    (draw.randint(4, 12), "buys an agent", _bound(market.buy, customer, creator)),
                    (draw.randint(4, last), "orders a job", _bound(market.order, customer, creator)),
                    (draw.choice((1, last)), f"uses {units} units", _bound(market.use, customer, creator, units)),
                ]
                if draw.random() < 0.5:
                    pages, reader = draw.randint(1, 200), draw.choice(market.creators)
                    read = _bound(market.read, customer, reader, pages)
                    plan.append((draw.randint(4, last), f"has {pages} pages read", read))
                if draw.random() < 0.3:
                    plan.append((draw.randint(13, 18), "gives it back", give_back))
                if customer.name in WITHOUT_CREDITS:
                    del plan[0]
                for day, words, act in plan:
                    hour = draw.randint(0, 23)
                    self._on(at(customer.zone, self.year, month, day, hour), f"{customer.name} {words}", act)

    def _purchases(self) -> None:
        """Agents are bought by card, once and by the month: given back, charged back, declined, and ended."""
        market, (lumen, nadir) = self.market, self.market.creators
        plan: list[Planned] = [
            ("Alba", 1, 12, "buys by card", lambda c: _bound(market.pay_for, c, lumen.prized)),
            ("Alba", 1, 31, "buys by the month", lambda c: _bound(market.pay_for, c, nadir.watches)),
            ("Alba", 2, 10, "buys by card", lambda c: _bound(market.pay_for, c, nadir.prized)),
            ("Alba", 2, 15, "gives it back", lambda c: _bound(market.give_back, c, nadir.prized)),
            ("Bolt", 2, 6, "buys, charged back", lambda c: _bound(market.buy_and_dispute, c, nadir.prized, "lost")),
            ("Bolt", 3, 1, "buys by the month", lambda c: _bound(market.pay_for, c, lumen.watches)),
            ("Bolt", 7, 3, "ends it", lambda c: _bound(market.end_renewals, c, lumen.watches)),
            ("Cove", 4, 9, "buys, disputed in vain", lambda c: _bound(market.buy_and_dispute, c, lumen.prized, "won")),
            ("Elm", 1, 31, "buys by the month", lambda c: _bound(market.pay_for, c, lumen.watches)),
            ("Hive", 5, 5, "buys by card", lambda c: _bound(market.pay_for, c, nadir.prized)),
        ]  # fmt: skip
        self._plan(plan, hour=15)
        by_schedule = _bound(market.pay_out_by_schedule, nadir)
        self._on(at("UTC", self.year, 1, 15), "Nadir is paid out by a schedule", by_schedule)

    def _money_back(self) -> None:
        draw, market = self.market.draw, self.market
        for month in range(2, self.months + 1):
            customer = draw.choice(list(market.customers.values()))
            if month % 3 == 2:
                words, act = "has a top-up of 600 credits charged back", _bound(market.charge_back, customer)
            else:
                words, act = "asks for 5.00 USD back", _bound(market.refund, customer)
            self._on(at("UTC", self.year, month, 22, 14), f"{customer.name} {words}", act)

    def _plan(self, plan: Sequence[Planned], *, hour: int) -> None:
        for name, month, day, words, act in plan:
            customer = self.market.customers.get(name)
            if customer is not None and month <= self.months:
                self._on(at(customer.zone, self.year, month, day, hour), f"{name} {words}", act(customer))

    def _on(self, when: datetime, words: str, act: Act) -> None:
        self.events.append(Event(when, len(self.events), words, act))


class Month(Story):
    """A month of one customer and one creator, for `make demo`."""

    def __init__(self, market: Market, year: int) -> None:
        """Take the market."""
        super().__init__(market, year, months=1, customers=1)

    async def cast(self) -> None:
        """Register both, and plan the month: two cards, one of them bad on the day of the invoice."""
        market = self.market
        await market.open()
        lumen, alba = await market.creator("Lumen"), await market.customer("Alba", BERLIN, "DE")
        plan: list[tuple[int, int, str, Act]] = [
            (1, 1, "Alba buys 500 credits", _bound(market.top_up, alba, "500.00")),
            (1, 2, "Alba buys Lumen's agent for 150 credits", _bound(market.buy, alba, lumen)),
            (1, 3, "Alba has the agent do a job for 120 credits", _bound(market.order, alba, lumen)),
            (1, 5, "Alba subscribes to starter", partial(market.subscribe, alba, "starter")),
            (1, 12, "Alba uses another agent of Lumen's 60 times", _bound(market.use, alba, lumen, 60)),
            (1, 20, "Lumen is paid out", market.pay_out),
            (1, 25, "Alba uses it 40 times more", _bound(market.use, alba, lumen, 40)),
            (1, 31, "Alba's card is replaced by one that is declined", _bound(market.card, alba, BAD_CARD)),
            (2, 4, "the month was invoiced, credits first, and the rest is charged", market.show_invoices),
            (2, 13, "the rest is dunned", market.show_invoices),
            (2, 14, "Alba stores a good card", _bound(market.card, alba, GOOD_CARD)),
            (2, 19, "the rest was charged again", market.show_invoices),
        ]
        for month, day, words, act in plan:
            self._on(at(BERLIN, self.year, month, day), words, act)

    @property
    def ends_at(self) -> datetime:
        """When the books are read."""
        return at("UTC", self.year, 2, 20)


class Spring(Story):
    """The weeks from the leap day to the changes of clocks in three time zones, short enough for every run of tests."""

    def __init__(self, market: Market, year: int) -> None:
        """Take the market."""
        super().__init__(market, year, months=3, customers=3)

    async def cast(self) -> None:
        """Register three customers and a creator, and plan the month ends, the trial and the hours that clocks skip."""
        market = self.market
        await market.open()
        lumen = await market.creator("Lumen")
        alba, bolt, cove = [await market.customer(name, *CUSTOMERS[name]) for name in ("Alba", "Bolt", "Cove")]

        def use(customer: Customer, units: int) -> Act:
            return _bound(market.use, customer, lumen, units)

        plan: list[tuple[Customer, int, int, int, str, Act]] = [
            (bolt, 2, 28, 10, "tries premium, beyond the change of clocks", partial(market.try_out, bolt, "premium")),
            (alba, 2, 29, 10, "subscribes to starter", partial(market.subscribe, alba, "starter")),
            (cove, 2, 29, 23, "uses 40 units in the last hour of the month", use(cove, 40)),
            (cove, 3, 1, 0, "uses 30 units in the first hour of the next one", use(cove, 30)),
            (alba, 3, 1, 10, "buys 500 credits", _bound(market.top_up, alba, "500.00")),
            (alba, 3, 2, 10, "buys an agent", _bound(market.buy, alba, lumen)),
            (alba, 3, 3, 10, "orders a large job", _bound(partial(market.order, as_many=8), alba, lumen)),
            (bolt, 3, 12, 2, "uses 20 units in the hour that clocks skip", use(bolt, 20)),
            (cove, 3, 14, 10, "tries premium with the same card", partial(market.try_out, cove, "premium")),
            (alba, 3, 20, 10, "waits until Lumen is paid out", market.pay_out),
            (alba, 3, 26, 2, "uses 50 units in the hour that clocks skip", use(alba, 50)),
            (cove, 3, 31, 23, "uses 60 units in the last hour of the month", use(cove, 60)),
            (alba, 3, 31, 23, "uses 10 units in the last hour of the month", use(alba, 10)),
        ]
        for customer, month, day, hour, words, act in plan:
            self._on(at(customer.zone, self.year, month, day, hour), f"{customer.name} {words}", act)
        self.events.sort()


def _bound(act: Callable[..., Awaitable[object]], *given: object) -> Act:
    """Return an act of which nothing is said."""

    async def done() -> None:
        await act(*given)

    return done


def next_leap_year() -> int:
    """Return the first leap year that is all to come: the calendar moves ahead only."""
    return next(year for year in range(datetime.now(UTC).year + 1, 9999) if isleap(year))


def settings(taxed_at: str) -> dict[str, str]:
    """Return the settings of the story's deployment: taxes, rewards of referrals, and a plan that can be tried."""
    plans = json.loads(DEFAULT_PLANS)
    for plan in plans:
        if plan["name"] == "premium":
            plan["trial_days"] = 14
    return {
        "BURSAR_TAX_COUNTRY": "DE",
        # Who pays with the same card is related, and not rewarded for having brought the other.
        "BURSAR_TRAIT_KEY": "the year's own key",
        # Simulated people act from one address, and are paid out as soon as they earn.
        "BURSAR_RISK_ENFORCED": "false",
        "BURSAR_CREDITS_TAXED_AT": taxed_at,
        "BURSAR_REFERRAL_BONUS_REFERRER": "50",
        "BURSAR_REFERRAL_BONUS_REFERRED": "50",
        "BURSAR_PLANS": json.dumps(plans),
    }
