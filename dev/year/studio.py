"""A small studio in a quarter: six agents spend a project's money, and what each of them brings in is not known before.

Each night the product divides the money of the day anew. What an agent brings grows ever slower with what it spends,
differs by chance, and comes days later: by uses that are sold, or from an app store, whose statement of the week
confirms it. One agent reports five times what it brought.
"""

import math
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from dev.year.market import EARLY_CARD
from dev.year.world import Caller, Json, World, good
from domain.common.money import CREDIT, parse_amount

#: The money of a day, in credits, and what a unit of work costs.
DAILY, UNIT, ACTION = Decimal("60.00"), Decimal("0.10"), "work"
#: What a track costs its buyer, in credits, and how many days later what work brings comes.
TRACK, METER, LATER = Decimal("0.50"), "track", 3
#: What a credit is sold for: the app store pays in USD.
CREDIT_IN_USD = Decimal("0.10")
STORE = "app_store"
SLUG, MODELS = "island-game", ("gpt-5", "gpt-5-mini")
#: How often a result of each model is good.
GOOD = {"gpt-5": 0.9, "gpt-5-mini": 0.6}
#: By name: what the first credit of an equal share brings, and what is reported for each unit brought. Who sells by
#: itself reports nothing.
AGENTS: dict[str, tuple[float, int]] = {
    "Composer": (4.0, 0),
    "Level designer": (3.0, 1),
    "Writer": (1.5, 1),
    "Tester": (0.9, 1),
    "Translator": (0.5, 1),
    "Promoter": (0.3, 5),
}


def in_minor(credits: Decimal) -> int:
    """Return credits in minor units."""
    return parse_amount(f"{credits:f}", CREDIT)


@dataclass
class Worker:
    """An agent of the studio, and what it has done."""

    name: str
    id: str
    caller: Caller
    brings: float
    exaggerates: int
    budget_id: str = ""
    #: In minor units of credits: what it was charged, and what came in.
    spent: int = 0
    came_in: int = 0


@dataclass
class Studio:
    """Participants, and their daily work."""

    world: World
    draw: random.Random
    starts_at: datetime
    weeks: int
    workers: list[Worker] = field(default_factory=list)
    #: What the app store owes by its statement: by reference, in USD cents.
    statement: dict[str, int] = field(default_factory=dict)
    confirmed: dict[str, int] = field(default_factory=dict)
    coming: dict[int, list[tuple[Worker, int]]] = field(default_factory=dict)
    chosen: Counter[str] = field(default_factory=Counter)
    sold: int = 0

    async def cast(self) -> None:
        """Register the studio, its agents with their budgets, and who buys from it."""
        operator = self.world.operator
        await operator.put(f"/credits/costs/{ACTION}", {"cost": str(UNIT)})
        self.owner, self.publisher = await self._organization("Studio"), await self._organization("Publisher")
        project = await self.owner.post("/projects", {"name": "Island game", "slug": SLUG})
        self.project_id = project["id"]
        above = await self._budget("project", self.project_id, DAILY, None)
        share = (DAILY / len(AGENTS)).quantize(Decimal("0.01"))
        for name, (brings, exaggerates) in AGENTS.items():
            made = await self.owner.post(
                "/agents", {"name": name, "visibility": "private" if exaggerates else "public"}
            )
            await self.owner.put(f"/agents/{made['id']}/attribution", {"project_id": self.project_id})
            body = {"principal": name.lower().replace(" ", "-"), "role": "agent", "agent_id": made["id"]}
            caller = Caller(self.world.http, (await self.owner.post("/api-keys", body))["secret"], self.owner.org_id)
            worker = Worker(name, made["id"], caller, brings, exaggerates)
            worker.budget_id = await self._budget("agent", worker.id, share, above)
            self.workers.append(worker)
        composer = self.workers[0]
        offer = {"model": "usage", "prices": {METER: str(TRACK)}, "summary": "Writes music by the track."}
        await self.owner.put(f"/marketplace/agents/{composer.id}", offer)
        await self.publisher.post(f"/marketplace/agents/{composer.id}/purchase", {})
        settings = {"mode": "auto", "currency": "CREDIT", "daily_amount": str(DAILY)}
        await self.owner.put(f"/projects/{SLUG}/allocation", settings)

    async def play(self, say: Callable[[str], None] = lambda _line: None) -> None:
        """Let the weeks pass, and say at the end of each what everybody may spend."""
        for day in range(self.weeks * 7):
            await self.world.advance(self._at(day, 6))
            if day % 7 == 0:
                await self._monday()
            for worker in self.workers:
                await self._work(worker, day)
            await self.world.advance(self._at(day, 12))
            await self._come_in(day)
            if day % 7 == 6:
                say(f"  week {day // 7 + 1}: {', '.join(f'{n} {a}' for n, a in (await self.budgets()).items())}")
        await self.world.advance(self._at(self.weeks * 7, 6))
        await self._statement()
        await self.world.end()

    async def budgets(self) -> dict[str, Decimal]:
        """Return what each agent may spend a day now."""
        found = {}
        for worker in self.workers:
            [day] = (await self.owner.get(f"/budgets/{worker.budget_id}"))["limits"]
            found[worker.name] = Decimal(day["amount"])
        return found

    async def _organization(self, name: str) -> Caller:
        org_id = (await self.world.operator.post("/organizations", {"name": name}))["id"]
        key = {"organization_id": org_id, "principal": "owner", "role": "owner"}
        return Caller(self.world.http, (await self.world.operator.post("/api-keys", key))["secret"], org_id)

    async def _budget(self, kind: str, subject: str, amount: Decimal, above: str | None) -> str:
        body: Json = {"subject": {"type": kind, "id": subject}, "currency": "CREDIT", "parent_id": above}
        body["limits"] = [{"window": "day", "amount": str(amount)}]
        return str((await self.owner.post("/budgets", body))["id"])

    async def _monday(self) -> None:
        """Buy the credits of the week, and have the store's statement confirm what was reported."""
        for caller, amount in ((self.owner, "450.00"), (self.publisher, "1200.00")):
            await caller.post("/billing/topup", {"amount": amount, "provider": "stripe", "payment_method": EARLY_CARD})
        await self.world.settle()
        await self._statement()

    async def _statement(self) -> None:
        lines = [
            {"reference": reference, "amount": f"{Decimal(cents) / 100:.2f}", "currency": "USD"}
            for reference, cents in self.statement.items()
        ]
        for first in range(0, len(lines), 100):
            await self.owner.post("/revenue/confirm", {"source": STORE, "lines": lines[first : first + 100]})
        self.confirmed |= self.statement
        self.statement.clear()

    async def _work(self, worker: Worker, day: int) -> None:
        """Spend an agent's daily budget on models chosen by routing."""
        [limit] = (await self.owner.get(f"/budgets/{worker.budget_id}"))["limits"]
        quantity = int(Decimal(limit["operating"]["remaining"]) // UNIT)
        if quantity < 1:
            return
        run, kind = f"{SLUG}-{day}-{worker.id[-6:]}", worker.name.lower()
        wanted = {"task_kind": kind, "candidates": list(MODELS), "agent_id": worker.id, "run_id": run}
        wanted |= {"value": "1.00", "currency": "USD"}
        model = (await worker.caller.post("/routing/decisions", wanted))["choice"]
        self.chosen[model] += 1
        spend = await worker.caller.post("/credits/use", {"action": ACTION, "quantity": quantity, "run_id": run})
        usage = {"input_tokens": quantity * 40, "output_tokens": quantity * 15}
        data = {"agent_id": worker.id, "project_id": self.project_id, "model": model, "run_id": run}
        event = {
            "specversion": "1.0",
            "id": run,
            "source": "studio:agents",
            "type": "llm.call",
            "time": self.world.now().isoformat(),
            "data": {**data, "task_kind": kind, "action": ACTION, "usage": usage, "spend_id": spend["id"]},
        }
        good(await self.owner.ask("POST", "/usage/events", event))
        score = "1" if self.draw.random() < GOOD[model] else "0"
        await self.owner.post("/results", {"run_id": run, "task_kind": kind, "score": score})
        worker.spent += quantity * in_minor(UNIT)
        equal = float(DAILY) / len(AGENTS)
        value = worker.brings * equal * (1 - math.exp(-float(quantity * UNIT) / equal))
        minor = round(value * self.draw.lognormvariate(-0.08, 0.4) * 100)
        self.coming.setdefault(day + LATER, []).append((worker, minor))

    async def _come_in(self, day: int) -> None:
        """Sell what the composer made, and report what the store will pay for."""
        for worker, minor in self.coming.pop(day, []):
            if not worker.exaggerates:
                tracks = round(Decimal(minor) / 100 / TRACK)
                if tracks:
                    use = {"payee_agent_id": worker.id, "action": METER, "quantity": tracks}
                    await self.publisher.post("/credits/use", use)
                    self.sold += tracks * in_minor(TRACK)
                    worker.came_in += tracks * in_minor(TRACK)
                continue
            cents = Decimal(round(minor * CREDIT_IN_USD))
            if cents:
                reference = f"{day}-{worker.id[-6:]}"
                amount = f"{cents * worker.exaggerates / 100:.2f}"
                report = {"source": STORE, "reference": reference, "amount": amount, "currency": "USD"}
                await worker.caller.post("/revenue", {**report, "project_id": self.project_id})
                self.statement[reference] = int(cents)
                worker.came_in += in_minor(cents / 100 / CREDIT_IN_USD)

    def _at(self, day: int, hour: int) -> datetime:
        return self.starts_at + timedelta(days=day, hours=hour)
