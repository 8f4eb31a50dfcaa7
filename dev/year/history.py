"""Plan of three organizations' recent weeks, drawn from a seed, in order of time.

Acme has agents that spend credits by department and pays a studio for jobs by card, Studio sells work and agents, and
Meridian buys both with credits and has a plan. Acme and Studio are those of the stack's seed.
"""

import heapq
import itertools
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial

from dev.year.market import EARLY_CARD, GOOD_CARD, connect, store_card
from dev.year.world import Caller, Json, World, YearError, good

THIRD = "Meridian"
COSTS = {"generate_content": "1.50", "web_search": "0.20", "classify_ticket": "0.35"}
#: Acme's agents: name, department, action, usual uses on a working day, model.
OWN_AGENTS = (
    ("Copywriter", "Marketing", "generate_content", 18, "gpt-4.1"),
    ("Research assistant", "Engineering", "web_search", 60, "gpt-5-mini"),
    ("Support triage", "Support", "classify_ticket", 45, "claude-haiku-4-5"),
)
PROJECTS = {"Copywriter": "Website relaunch", "Research assistant": "Search index", "Support triage": "Help centre"}
SELLERS = (
    ("Translator", "Translates manuals and web pages between twelve languages.", "120.00"),
    ("Data labeller", "Labels pictures and texts by your guidelines.", "90.00"),
)
OFFERS: tuple[tuple[str, str, Json], ...] = (
    (
        "Clause finder",
        "Finds clauses in contracts.",
        {"model": "one_time", "price": "40.00", "summary": "Finds clauses in contracts, with the page they are on."},
    ),
    (
        "Page reader",
        "Reads scanned pages.",
        {"model": "usage", "prices": {"page": "0.25"}, "summary": "Turns scanned pages into text and tables."},
    ),
    (
        "Market monitor",
        "Watches prices of competitors.",
        {"model": "monthly", "price": "12.00", "currency": "USD", "summary": "Reports price changes every morning."},
    ),
)
TITLES = (
    *("Translate the product manual", "Label 2,000 product photos", "Summarise the quarterly interviews"),
    *("Translate the help centre into French", "Label support tickets by topic", "Summarise the market report"),
    *("Translate the privacy notice", "Label invoices by supplier", "Summarise customer feedback"),
    *("Translate the release notes", "Label road signs", "Summarise the board minutes"),
)
COMMENTS = ("Careful work, on time.", "Good, with two small mistakes.", "Exactly what we needed.", "Quick answer.")
#: The studio's project with a budget of a week, and the agents that buy for it outside.
BUDGETED = "Island game"
BUYERS = ("Level designer", "Sound designer")
POLICY: Json = {
    "subject": {"type": "organization"},
    "currency": "CAD",
    "free_first": "require",
    "free_first_above": "5",
    "methods": ["free", "card", "TON"],
    "approval_above": "20",
    "answer_within": "P7D",
    "version": 0,
}
METHODS = (
    {"name": "card_primary", "label": "Card ending in 1234", "kind": "card"},
    {"name": "ton_wallet", "label": "TON wallet", "kind": "TON"},
)
FREE_OPTIONS: tuple[Json, ...] = (
    {
        "name": "Codeium",
        "category": "coding",
        "address": "https://codeium.example",
        "quota": 5,
        "quota_window": "month",
    },
    {"name": "Freesound", "category": "sounds", "address": "https://freesound.example"},
    {"name": "Poly Haven", "category": "textures", "address": "https://polyhaven.example"},
    {"name": "Mixamo", "category": "animation", "address": "https://mixamo.example"},
)
#: What the two buy: item, vendor, category, price in CAD, what for, and the free option that was looked at before.
COPILOT = ("GitHub Copilot subscription", "GitHub", "coding", "10.00", "Completes the game's scripts.", "Codeium")
FOREST = ("Forest sound pack", "SoundForge", "sounds", "6.50", "Background of the first island.", "Freesound")
TEXTURES = ("Rock textures", "Texture Barn", "textures", "8.00", "Cliffs of the second island.", "Poly Haven")
MOTION = ("Motion capture library", "MoveLab", "animation", "20.00", "Running and climbing.", "Mixamo")
MUSIC = ("Licence for the title music", "Tunebox", "sounds", "22.00", "Title screen and trailer.", "Freesound")
VOICES = ("Voice recordings, 20 lines", "Studio Nine", "sounds", "24.00", "The harbour master speaks.", "Freesound")
FONT = ("Font licence", "Letterworks", "fonts", "4.00", "Signs in the harbour.", "Google Fonts")
#: What becomes of jobs, in turn: most are scored well.
ENDS = ("scored", "signed", "scored", "scored", "split", "signed", "scored", "refunded")
#: The jobs of the last day stay as they are: one of each.
OPEN = ("funded", "delivered", "disputed")
WORK: Json = {
    "artifacts": [{"uri": "https://files.example/result.zip", "sha256": "5e" * 32}],
    "note": "Ready for review",
}

Act = Callable[[], Awaitable[object]]
#: What becomes of a purchase: by the buyer, of the order, with the free option.
Then = Callable[["Agent", Json, str], Awaitable[object]]


@dataclass
class Agent:
    """An agent and who acts for it."""

    id: str
    caller: Caller


@dataclass
class History:
    """The plan, and who is in it."""

    world: World
    keys: dict[str, str]
    ids: dict[str, str]
    draw: random.Random
    begins_at: datetime
    days: int
    acts: list[tuple[datetime, int, Act]] = field(default_factory=list)
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        """Name the callers of the seed."""
        http, org, studio = self.world.http, self.ids["client_org"], self.ids["studio_org"]
        self.acme = Caller(http, self.keys["client"], org)
        self.studio = Caller(http, self.keys["studio"], studio)
        self.validator = Caller(http, self.keys["validator"])
        self.arbiter = Caller(http, self.keys["arbiter"])
        self.operator = self.world.operator
        self.sellers = [Agent(self.ids["agent"], Caller(http, self.keys["agent"], studio))]
        self.cards: dict[Caller, str] = {}
        self.paid: dict[Caller, str] = {}
        self.own: dict[str, tuple[Agent, str, str]] = {}
        self.offers: dict[str, str] = {}
        self.buyers: list[Agent] = []
        self.ordered: dict[str, Json] = {}

    async def cast(self) -> None:
        """Register everybody, and plan what they do."""
        await self._costs()
        await self._acme()
        await self._studio()
        await self._budgets()
        await self._meridian()
        await self._reports()
        for day in range(1, self.days + 1):
            self._day(day)
        self._jobs()
        self._milestones()
        self._purchases()

    async def play(self, say: Callable[[str], None]) -> None:
        """Let time pass until now, and say at each day how far it is."""
        day = 1
        while self.acts and self.acts[0][0] < datetime.now(UTC):
            at, _, act = heapq.heappop(self.acts)
            while at >= self.begins_at + timedelta(days=day):
                say(f"  day {day} of {self.days}")
                day += 1
            await self.world.advance(at)
            await act()
        await self.world.advance(datetime.now(UTC))
        await self.world.end()

    # Who there is -----------------------------------------------------------------------------------------------------

    async def _costs(self) -> None:
        for action, cost in COSTS.items():
            await self.operator.put(f"/credits/costs/{action}", {"cost": cost})

    async def _acme(self) -> None:
        acme = self.acme
        await acme.put("/billing/profile", _profile("Acme GmbH", "Lindenstrasse 12", "Hamburg", "20095", "DE"))
        await self._contact(acme, "billing@acme.example")
        self.cards[acme] = await store_card(self.world, acme, GOOD_CARD)
        await acme.post("/billing/subscription", {"plan": "professional"})
        await self.world.settle()
        for name, department, *_ in OWN_AGENTS:
            made = await acme.post("/departments", {"name": department})
            project = await acme.post("/projects", {"name": PROJECTS[name]})
            agent = await acme.post("/agents", {"name": name, "visibility": "private"})
            caller = await self._agent_key(acme, agent["id"], name)
            spends_for = {"department_id": made["id"], "project_id": project["id"]}
            await acme.put(f"/agents/{agent['id']}/attribution", spends_for)
            self.own[name] = (Agent(agent["id"], caller), made["id"], project["id"])
            limits = [{"window": "month", "amount": "900.00"}, {"window": "day", "amount": "80.00"}]
            await acme.post("/spend-controls", {"subject": {"type": "department", "id": made["id"]}, "limits": limits})

    async def _reports(self) -> None:
        """Schedule reports: Acme's projects weekly, the platform monthly."""
        weekly = {"name": "Projects of the week", "template": "weekly_projects", "zone": "Europe/Berlin"}
        await self.acme.post("/reports", {**weekly, "recipients": ["procurement", "finance"]})
        monthly = {"name": "Month of the platform", "template": "platform_month", "format": "pdf"}
        await self.operator.post("/reports", {**monthly, "recipients": ["operator"]})

    async def _studio(self) -> None:
        studio = self.studio
        await studio.put("/billing/profile", _profile("Studio SARL", "8 rue des Arts", "Lyon", "69001", "FR"))
        for name, description, price in SELLERS:
            pricing = {"model": "one_time", "amount": price, "currency": "CREDIT"}
            agent = await studio.post("/agents", {"name": name, "description": description, "pricing": pricing})
            self.sellers.append(Agent(agent["id"], await self._agent_key(studio, agent["id"], name)))
        for name, description, offer in OFFERS:
            agent = await studio.post("/agents", {"name": name, "description": description})
            await studio.put(f"/marketplace/agents/{agent['id']}", offer)
            self.offers[name] = agent["id"]
        await self._contact(studio, "billing@studio.example")
        await connect(self.world, studio, "FR")
        await studio.put("/billing/payouts/schedule", {"interval": "weekly", "weekly_anchor": "friday"})

    async def _budgets(self) -> None:
        """Give a project of the studio 100 CAD a week, and each of its two agents 25 CAD a day."""
        studio, project = self.studio, await self.studio.post("/projects", {"name": BUDGETED})
        week: Json = {"currency": "CAD", "limits": [{"window": "week", "amount": "100"}], "reserve": "50"}
        subject = {"type": "project", "id": project["id"]}
        week |= {"subject": subject, "emergency": "20", "may_draw_reserve": "10"}
        above = (await studio.post("/budgets", week))["id"]
        for name in BUYERS:
            agent = await studio.post("/agents", {"name": name, "visibility": "private"})
            await studio.put(f"/agents/{agent['id']}/attribution", {"project_id": project["id"]})
            self.buyers.append(Agent(agent["id"], await self._agent_key(studio, agent["id"], name)))
            day: Json = {"currency": "CAD", "limits": [{"window": "day", "amount": "25"}], "parent_id": above}
            await studio.post("/budgets", day | {"subject": {"type": "agent", "id": agent["id"]}})
        for method in METHODS:
            await studio.put("/purchase-methods", method)
        for option in FREE_OPTIONS:
            await studio.put("/free-options", option)
        await studio.put("/payment-policies", POLICY)

    async def _meridian(self) -> None:
        made = await self.operator.post("/organizations", {"name": THIRD})
        key = {"organization_id": made["id"], "principal": "kim", "role": "owner"}
        secret = (await self.operator.post("/api-keys", key))["secret"]
        self.meridian = Caller(self.world.http, secret, made["id"])
        await self.meridian.put("/billing/profile", _profile("Meridian Ltd", "4 Quay Street", "Cork", "T12", "IE"))
        await self._contact(self.meridian, "billing@meridian.example")
        self.cards[self.meridian] = await store_card(self.world, self.meridian, GOOD_CARD)

    async def _contact(self, owner: Caller, address: str) -> None:
        contacts = [{"email": address, "purposes": ["billing", "security"]}]
        await owner.put(f"/organizations/{owner.org_id}/contacts", {"contacts": contacts})

    async def _agent_key(self, owner: Caller, agent_id: str, name: str) -> Caller:
        body = {"principal": name.lower().replace(" ", "-"), "role": "agent", "agent_id": agent_id}
        return Caller(self.world.http, (await owner.post("/api-keys", body))["secret"], owner.org_id)

    # What they do -----------------------------------------------------------------------------------------------------

    def _day(self, day: int) -> None:
        is_weekend = self._at(day, 12).weekday() >= 5
        for name, _, action, usual, model in OWN_AGENTS:
            grown = usual * (100 + day) // 100
            count = max(1, self.draw.randint(grown * 6 // 10, grown * 12 // 10) // (5 if is_weekend else 1))
            self._on(day, self.draw.randint(8, 18), partial(self._use, name, action, model, count))
        if day > 5 and not is_weekend and self.draw.random() < 0.4:
            self._on(day, self.draw.randint(9, 16), partial(self._read, self.draw.randint(4, 60)))

    def _jobs(self) -> None:
        titles, ends = itertools.cycle(TITLES), itertools.cycle(ENDS)
        for day in range(3, self.days - 8, 3):
            payer = self.acme if self.draw.random() < 0.5 else self.meridian
            self._on(day, 10, partial(self._award, payer, next(titles), next(ends), day))
        for number, left in enumerate(OPEN, 1):
            self._on(self.days - 1, 8 + number, partial(self._award, self.acme, next(titles), left, self.days - 1))

    def _milestones(self) -> None:
        """Plan top-ups, plans, purchases and money back."""
        meridian, acme = self.meridian, self.acme
        for day in range(2, self.days, 10):
            self._on(day, 9, partial(self._top_up, meridian, self.draw.choice(("250.00", "500.00"))))
        for day in range(6, self.days, 14):
            self._on(day, 9, partial(self._top_up, acme, "500.00"))
        self._on(4, 11, partial(meridian.post, "/billing/subscription", {"plan": "starter"}))
        self._on(43, 11, partial(meridian.put, "/billing/subscription", {"plan": "professional"}))
        for day, name in ((5, "Page reader"), (12, "Clause finder"), (20, "Market monitor")):
            self._on(day, 8, partial(self._buy, acme, name))
        self._on(15, 13, partial(self._buy, meridian, "Market monitor"))
        self._on(31, 13, partial(self._buy, meridian, "Clause finder"))
        self._on(58, 15, self._refund)

    def _purchases(self) -> None:
        """Plan what the studio's agents buy outside. In no week it is more than there is to operate with."""
        designer, musician = self.buyers
        last = self.days - 1
        self._on(3, 10, partial(self._order, designer, COPILOT, self._pay, term="month"))
        for day in range(2, last, 7):
            self._on(day, 10, partial(self._order, designer, FOREST, self._pay))
        self._on(last - 4, 11, partial(self._order, musician, MUSIC, self._grant))
        self._on(last - 3, 10, partial(self._order, designer, TEXTURES, self._pay))
        self._on(last - 3, 12, partial(self._order, designer, MOTION, self._take_free))
        self._on(last - 2, 10, self._return_textures)
        self._on(last, 11, partial(self._order, musician, VOICES))
        self._on(self.days, 0, partial(self._order, musician, FONT))

    async def _order(
        self, buyer: Agent, what: tuple[str, ...], then: Then | None = None, term: str | None = None
    ) -> None:
        item, vendor, category, amount, why, free = what
        looked = {"name": free, "cost": "0", "fits": False, "why": "It does not suit the game."}
        body: Json = {"agent_id": buyer.id, "item": item, "vendor": vendor, "category": category, "why": why}
        body |= {"amount": amount, "currency": "CAD", "term": term, "alternatives": [looked]}
        self.ordered[item] = made = await buyer.caller.post("/purchase-orders", body)
        if then is not None:
            await then(buyer, made, free)

    async def _pay(self, buyer: Agent, order: Json, _: str) -> None:
        path = f"/purchase-orders/{order['id']}/attempts"
        await buyer.caller.post(path, {"method": "card_primary"})
        await buyer.caller.post(f"{path}/1/result", {"result": "succeeded", "reference": f"ch_{order['id'][-8:]}"})

    async def _grant(self, buyer: Agent, order: Json, free: str) -> None:
        """Approve a purchase above the policy's limit, from the reserve."""
        grant = {"digest": order["digest"], "pool": "reserve", "reason": "The trailer needs it."}
        await self._pay(buyer, await self.studio.post(f"/purchase-orders/{order['id']}/grant", grant), free)

    async def _take_free(self, buyer: Agent, order: Json, free: str) -> None:
        if order["status"] != "declined_over_budget":
            raise YearError(f"more than a day's budget was {order['status']}")
        instead = {"alternative_action": free, "saved": order["amount"]}
        await buyer.caller.post(f"/purchase-orders/{order['id']}/abandon", instead)

    async def _return_textures(self) -> None:
        order = self.ordered[TEXTURES[0]]
        await self.studio.post(f"/purchase-orders/{order['id']}/refunds", {"amount": order["amount"]})

    async def _use(self, name: str, action: str, model: str, count: int) -> None:
        """Charge an agent's action several times and report the model call."""
        agent, department, project = self.own[name]
        body = {"action": action, "quantity": count}
        spend = await self._try(agent.caller, "POST", "/credits/use", body)
        if spend is None:
            return  # its limit, which is part of the history
        now = self.world.now().isoformat()
        usage = {
            "input_tokens": count * self.draw.randint(300, 900),
            "output_tokens": count * self.draw.randint(80, 300),
        }
        data = {"agent_id": agent.id, "department_id": department, "project_id": project, "model": model}
        event = {
            "specversion": "1.0",
            "id": f"call-{next(self._numbers)}",
            "source": "acme:agents",
            "type": "llm.call",
            "time": now,
            "data": {**data, "action": action, "usage": usage, "spend_id": spend["id"]},
        }
        answer = await self.acme.ask("POST", "/usage/events", event)
        if good(answer)["accepted"] != 1:
            raise YearError(f"usage was not accepted: {answer.text}")

    async def _read(self, pages: int) -> None:
        body = {"payee_agent_id": self.offers["Page reader"], "action": "page", "quantity": pages}
        await self._try(self.acme, "POST", "/credits/use", body)

    async def _award(self, payer: Caller, title: str, end: str, day: int) -> None:
        seller = self.draw.choice(self.sellers)
        price = f"{self.draw.randint(6, 30) * 10}.00"
        by_card = payer is self.acme
        terms: Json = {
            "agent_id": seller.id,
            "title": title,
            "price": price,
            "currency": "USD" if by_card else "CREDIT",
        }
        terms["required_signatures"] = 1
        contract = await payer.post("/contracts", terms)
        escrow = await payer.post("/escrows", {"contract_id": contract["id"]})
        path = f"/escrows/{escrow['id']}"
        fund = {"provider": "stripe", "payment_method": self.cards[payer], "off_session": True}
        if await self._try(payer, "POST", f"{path}/fund", fund if by_card else {"source": "credits"}) is None:
            return
        await self.world.settle()
        if end != "funded":
            later = 0 if end in OPEN else self.draw.randint(1, 3)
            self._on(day + later, 16, partial(self._deliver, payer, seller, contract["id"], path, end, day + later))

    async def _deliver(self, payer: Caller, seller: Agent, contract: str, path: str, end: str, day: int) -> None:
        await seller.caller.post(f"{path}/delivery", WORK)
        if end == "delivered":
            return
        later = 0 if end in OPEN else self.draw.randint(1, 2)
        self._on(day + later, 18, partial(self._decide, payer, contract, path, end))

    async def _decide(self, payer: Caller, contract: str, path: str, end: str) -> None:
        if end == "scored":
            await self.validator.post(f"{path}/validation", {"score": f"0.{self.draw.randint(82, 98)}"})
        elif end == "signed":
            delivery = (await payer.get(path))["delivery"]
            await payer.post(f"{path}/approvals", {"delivery": delivery["number"]})
        elif end == "refunded":
            await self.studio.post(f"{path}/refunds", {})
        else:
            await payer.post(f"{path}/disputes", {"reason": "A third of the result is not usable"})
            if end == "disputed":
                return
            await self.studio.post(f"{path}/disputes/evidence", {"note": "The guidelines changed half-way."})
            await self.arbiter.post(
                f"{path}/disputes/resolution", {"payee_share": "0.60", "note": "Most of the work can be used."}
            )
        if end != "refunded":
            stars = self.draw.randint(2, 3) if end == "split" else self.draw.randint(4, 5)
            ratings = {name: min(5, stars + self.draw.randint(0, 1)) for name in ("quality", "collaboration")}
            body = {"contract_id": contract, "ratings": ratings, "comment": self.draw.choice(COMMENTS)}
            await self._try(payer, "POST", "/reputation/feedback", body)

    async def _top_up(self, payer: Caller, amount: str) -> None:
        body = {"amount": amount, "provider": "stripe", "payment_method": EARLY_CARD}
        made = await payer.post("/billing/topup", body)
        self.paid[payer] = made["payment_id"]
        await self.world.settle()

    async def _buy(self, payer: Caller, name: str) -> None:
        by_card = {"provider": "stripe", "payment_method": self.cards[payer]} if name == "Market monitor" else {}
        await self._try(payer, "POST", f"/marketplace/agents/{self.offers[name]}/purchase", by_card)
        await self.world.settle()

    async def _refund(self) -> None:
        payment = self.paid[self.meridian]
        await self._try(self.meridian, "POST", f"/payments/{payment}/refunds", {"amount": "20.00"})
        await self.world.settle()

    async def _try(self, caller: Caller, method: str, path: str, body: Json) -> Json | None:
        """Give a command; one that limits or the balance refuse is left out."""
        answer = await caller.ask(method, path, body)
        return None if answer.status_code in {402, 409} else good(answer)

    def _on(self, day: int, hour: int, act: Act) -> None:
        at = self._at(day, hour) + timedelta(minutes=self.draw.randint(0, 55))
        heapq.heappush(self.acts, (at, next(self._numbers), act))

    def _at(self, day: int, hour: int) -> datetime:
        return self.begins_at + timedelta(days=day, hours=hour)


def _profile(name: str, line: str, city: str, postal_code: str, country: str) -> Json:
    mail = f"billing@{name.split()[0].lower()}.example"
    where = {"line1": line, "city": city, "postal_code": postal_code, "country": country}
    return {"legal_name": name, "email": mail, **where}
