"""Proves that a studio's quarter ties out: what was done, what the ledger has, and what is answered about returns."""

from datetime import timedelta
from decimal import Decimal
from urllib.parse import urlencode

from commands.verify import verify
from dev.year.proof import Tie
from dev.year.studio import AGENTS, DAILY, Studio, in_minor
from dev.year.world import Json, YearError
from domain.common.money import CREDIT, format_amount, parse_amount

#: After so many weeks the budgets are where the returns are: what is late must have come, and shares move slowly.
SETTLED_WEEKS = 8


class StudioProof:
    """Collects what ties, and what does not."""

    def __init__(self, studio: Studio) -> None:
        """Take the studio, which noted what its agents did."""
        self.studio, self.world = studio, studio.world
        self.ties: list[Tie] = []
        self.problems: list[str] = []

    async def prove(self) -> list[str]:
        """Return the books of the quarter, and a line for each tie.

        Raises:
            YearError: something does not tie, or the books are damaged.
        """
        found = await self._roi("agent")
        lines = await self._books(found["data"])
        await self._returns(found)
        await self._metrics(found)
        await self._ledger()
        await self._money()
        await self._nights()
        await self._where_it_earns()
        report = await verify(self.world.books)
        if not report.ok:
            self.problems += report.lines()
        if self.problems:
            raise YearError("\n".join(["the quarter does not tie out:", *self.problems]))
        rules = sum(check.checked for check in report.checks)
        verified = f"  verify: {len(report.checks)} rules, {rules} rows, no violation"
        return [*lines, "", "What ties out", *(tie.line() for tie in self.ties), verified]

    async def _roi(self, scope: str, currency: str = CREDIT) -> Json:
        first, last = self.studio.starts_at.date(), self.world.now().date() + timedelta(days=1)
        asked = {"scope": scope, "from": first, "to": last, "currency": currency}
        return await self.studio.owner.get(f"/economics/roi?{urlencode(asked)}")

    async def _books(self, rows: list[Json]) -> list[str]:
        budgets, by_id = await self.studio.budgets(), {row["id"]: row for row in rows}
        head = (
            f"  {'credits':<16}{'brings':>8}{'spent':>12}{'confirmed':>12}{'reported':>12}{'ROI':>9}{'a day now':>12}"
        )
        lines = [
            f"{self.studio.weeks} weeks of the studio; each agent began with {DAILY / len(AGENTS):.2f} a day",
            head,
        ]
        for worker in self.studio.workers:
            row = by_id.get(worker.id)
            if row is None:
                continue
            figures = (row["total_costs"], row["revenue"]["confirmed"], row["revenue"]["reported"])
            shown = "".join(f"{Decimal(each):>12,.2f}" for each in figures)
            roi = "" if row["roi"] is None else f"{Decimal(row['roi']):.2f}"
            lines.append(f"  {worker.name:<16}{worker.brings:>8}{shown}{roi:>12}{budgets[worker.name]:>12}")
        chosen = ", ".join(f"{model} {count}" for model, count in sorted(self.studio.chosen.items()))
        return [*lines, f"  calls were routed to {chosen}"]

    async def _returns(self, found: Json) -> None:
        """Costs and revenue of each agent as answered, and as they happened; and their sums."""
        by_id = {row["id"]: row for row in found["data"]}
        for worker in self.studio.workers:
            row = by_id.get(worker.id, {"costs": {"usage": "0"}, "revenue": {"confirmed": "0"}})
            usage = parse_amount(row["costs"]["usage"], CREDIT, zero=True)
            self._tie(f"{worker.name}: cost of usage = credits that it was charged", 1, usage, worker.spent)
            confirmed = parse_amount(row["revenue"]["confirmed"], CREDIT, zero=True)
            self._tie(f"{worker.name}: confirmed revenue = what came in", 1, confirmed, worker.came_in)
        [whole] = (await self._roi("organization"))["data"]
        for name in ("total_costs", "margin"):
            summed = sum((Decimal(row[name]) for row in found["data"]), Decimal(0))
            # Each row is rounded by itself.
            if abs(summed - Decimal(whole[name])) > len(AGENTS) * Decimal("0.01"):
                self.problems.append(f"{name} of all agents is {summed}, of the organization {whole[name]}")

    async def _metrics(self, found: Json) -> None:
        """Sources of reports, exports and alerts, and each agent's figures."""
        names = ("returns.cost", "returns.revenue", "returns.margin")
        first, last = self.studio.starts_at, self.world.now().date() + timedelta(days=1)
        asked = {"metrics": names, "by": ["agent"], "from": first.isoformat(), "to": f"{last}T00:00:00Z"}
        answer = await self.studio.owner.post("/analytics/query", {**asked, "currency": CREDIT})
        theirs = {row["group"]["agent"]: [Decimal(each["value"]) for each in row["values"]] for row in answer["rows"]}
        for worker in self.studio.workers:
            [row] = [each for each in found["data"] if each["id"] == worker.id]
            ours = [Decimal(each) for each in (row["total_costs"], row["revenue"]["confirmed"], row["margin"])]
            if ours != theirs.get(worker.id):
                self.problems.append(f"metrics of the {worker.name} are {theirs.get(worker.id)}, not {ours}")

    async def _ledger(self) -> None:
        """Sold uses and spent credits in the books."""
        books, org_id = self.world.books, self.studio.owner.org_id
        earned = await books.fetchval(
            "SELECT coalesce(sum(e.amount), 0)::bigint FROM ledger.entries e JOIN ledger.accounts a"
            " ON a.id = e.account_id JOIN ledger.transfers t ON t.id = e.transfer_id WHERE t.kind = 'marketplace.used'"
            " AND (a.org_id = $1 OR a.path = 'platform/commission') AND e.amount > 0",
            org_id,
        )
        events = await books.fetchval(
            "SELECT coalesce(sum(amount_minor - reversed_minor), 0)::bigint FROM revenue_events"
            " WHERE org_id = $1 AND source = 'marketplace' AND status = 'confirmed'",
            org_id,
        )
        self._tie("tracks that were sold = what the ledger paid for them", 1, earned, self.studio.sold)
        self._tie("revenue events of sales = what the ledger paid for them", 1, events, earned)
        spent = await books.fetchval(
            "SELECT coalesce(sum(captured - refunded), 0)::bigint FROM ledger.spends WHERE org_id = $1", org_id
        )
        done = sum(worker.spent for worker in self.studio.workers)
        self._tie("credits spent by the ledger = what all agents were charged", len(self.studio.workers), spent, done)
        store = await books.fetchval(
            "SELECT coalesce(sum(amount_minor), 0)::bigint FROM revenue_events"
            " WHERE org_id = $1 AND source = 'app_store' AND status = 'confirmed'",
            org_id,
        )
        self._tie("revenue of the store = its statements", len(self.studio.confirmed), store,
                  sum(self.studio.confirmed.values()), "USD")  # fmt: skip

    async def _money(self) -> None:
        """Earnings and costs of the studio in money: what is owed to it, and what was paid for the credits it used."""
        books, org_id = self.world.books, self.studio.owner.org_id
        total = (await self._roi("organization", "USD"))["total"]
        figures = {**total["costs"], **total["revenue"]}
        cents = {name: parse_amount(amount, "USD", zero=True) for name, amount in figures.items()}
        owed = await books.fetchval(
            "SELECT coalesce(sum(l.paid - l.costed), 0)::bigint FROM ledger.lots l JOIN ledger.accounts a"
            " ON a.id = l.account_id WHERE a.org_id = $1 AND a.path LIKE 'agent/%/earnings/CREDIT'",
            org_id,
        )
        earned = cents["confirmed"] - cents["commission"] - sum(self.studio.confirmed.values())
        self._tie("sales in money, less commission = what is owed for them", 1, earned, owed, "USD")
        paid = await books.fetchval(
            "SELECT coalesce(sum(u.cost - u.cost_returned), 0)::bigint FROM ledger.spends s JOIN ledger.lot_uses u"
            " ON u.transfer_id = s.transfer_id OR u.transfer_id IN"
            " (SELECT c.transfer_id FROM ledger.spend_changes c WHERE c.spend_id = s.id AND c.kind = 'capture')"
            " WHERE s.org_id = $1",
            org_id,
        )
        self._tie("costs in money = what was paid for the credits", 1, cents["usage"] + cents["shared"], paid, "USD")

    async def _nights(self) -> None:
        """Every night divided the money of the day to the cent, and the budgets are what the last one said."""
        nights, cursor = list[Json](), ""
        while cursor is not None:
            page = await self.studio.owner.get(f"/allocations?limit=100{cursor and f'&cursor={cursor}'}")
            nights, cursor = nights + page["data"], page["next_cursor"]
        wanted = range(self.studio.weeks * 7 - 1, self.studio.weeks * 7 + 2)
        if len(nights) not in wanted or any(each["status"] != "applied" for each in nights):
            self.problems.append(f"{len(nights)} nights: {sorted({each['status'] for each in nights})}")
        for each in nights:
            whole = await self.studio.owner.get(f"/allocations/{each['id']}")
            lines = sum(Decimal(line["new"]) for line in whole["lines"])
            if lines != Decimal(each["total"]):
                self.problems.append(f"the lines of {each['night']} are {lines}, not {each['total']}")
        last = await self.studio.owner.get(f"/allocations/{nights[0]['id']}")
        said = {line["agent_id"]: Decimal(line["new"]) for line in last["lines"]}
        names = {worker.id: worker.name for worker in self.studio.workers}
        budgets = await self.studio.budgets()
        if budgets != {names[agent]: amount for agent, amount in said.items()}:
            self.problems.append(f"budgets are {budgets}, not {said}")
        total = sum(parse_amount(each["total"], CREDIT) for each in nights)
        self._tie("money of all nights = the project's, each day", len(nights), total, in_minor(DAILY) * len(nights))

    async def _where_it_earns(self) -> None:
        """After some weeks who earns has more than who does not, and who exaggerates has gained nothing."""
        budgets = await self.studio.budgets()
        if self.studio.weeks < SETTLED_WEEKS:
            return
        best, worst = list(AGENTS)[:2], list(AGENTS)[-2:]
        if min(budgets[name] for name in best) <= 2 * max(budgets[name] for name in worst):
            self.problems.append(f"the budgets are not where the returns are: {budgets}")

    def _tie(self, name: str, count: int, ours: int, theirs: int, asset: str = CREDIT) -> None:
        self.ties.append(Tie(name, count, ours, theirs, asset))
        if ours != theirs:
            self.problems.append(f"{name}: {format_amount(ours, asset)} is not {format_amount(theirs, asset)}")
