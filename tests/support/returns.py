"""A project with agents, what they cost and brought, and the nights that divide its budget."""

import itertools
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import select, text

from domain.common.access import Actor, Role
from domain.common.accounts import org_credits, platform
from domain.common.ids import uuid_id
from domain.common.money import CREDIT
from domain.credits.lots import LotSource, LotTerms
from domain.returns.allocation import AllocationMode, ShareBounds
from ledger.gateway import Ledger
from models.billing.project import Project
from models.credits.spend_control import SpendControl, SpendControlVersion
from models.marketplace.agent import Agent
from models.returns.allocation import Allocation, AllocationSetting
from models.tenants.organization import Organization
from repositories.returns import allocation as allocations
from runtime.database import Database, driver_connection
from runtime.identity import new_id
from services.returns import allocation
from services.returns.allocation import AllocationRequest
from tests.api.purchasing import budget
from tests.support.rows import Rows

#: When the settings are made, and the first night that follows.
NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
NIGHT = date(2026, 3, 11)
MATURES = timedelta(days=14)
NUMBERS = itertools.count(1)


def early(now: datetime) -> str:
    """Return a zone in which it is about six in the morning, so that no day ends within twelve hours."""
    ahead = (6 - now.astimezone(UTC).hour + 12) % 24 - 12
    return f"Etc/GMT{-ahead:+d}" if ahead else "UTC"


def at(night: date) -> datetime:
    """Return when a night is taken."""
    return datetime(night.year, night.month, night.day, 0, 5, tzinfo=UTC)


async def buys(database: Database, org_id: str, credits: int, minor: int, asset: str = "USD") -> None:
    """Buy credits for an organization, for an amount in minor units of a currency."""
    bought = LotTerms(source=LotSource.PURCHASE, paid_minor=minor, paid_asset=asset)
    async with database.platform() as session:
        ledger = Ledger(await driver_connection(session))
        for source, destination, amount, lots in (
            (platform("exchange", asset), platform("deferred_revenue", asset), minor, None),
            (platform("credit_issuance", CREDIT), org_credits(org_id), credits * 10**6, bought),
        ):
            await ledger.post(
                key=new_id("key"), kind="t", source=source, destination=destination, amount_minor=amount,
                effective_at=NOW, lots=lots,
            )  # fmt: skip


@dataclass
class Team:
    """An organization with a project, whose agents have names."""

    database: Database
    org_id: str = field(default_factory=lambda: new_id("org"))
    project_id: str = field(default_factory=lambda: new_id("prj"))
    agents: dict[str, str] = field(default_factory=dict)
    budget_id: str = ""

    @property
    def owner(self) -> Actor:
        return Actor(principal="olga", role=Role.OWNER, org_id=self.org_id)

    @classmethod
    async def of(cls, database: Database, *names: str, zone: str = "UTC", **windows: int) -> "Team":
        """Make a team; the windows are those of the project's budget in dollars, in the zone."""
        made = cls(database)
        async with database.platform() as session:
            row = {"created_by": "x", "created_at": NOW}
            session.add(Organization(id=made.org_id, name="Studio", command_id=made.org_id, **row))
            await session.flush()
            session.add(
                Project(
                    id=made.project_id, org_id=made.org_id, slug="game", name="Game", occupies_slot=False,
                    command_id=made.project_id, **row,
                )
            )  # fmt: skip
        for name in names:
            await made.hire(name)
        whose = ("project", made.project_id)
        made.budget_id = await budget(database, made.org_id, whose, pools={"zone": zone}, **(windows or {"day": 100}))
        return made

    async def other(self, name: str) -> "Team":
        """Make another project of the organization, with one agent."""
        made = Team(self.database, org_id=self.org_id)
        async with self.database.platform() as session:
            session.add(
                Project(
                    id=made.project_id, org_id=made.org_id, slug=name, name=name, occupies_slot=False,
                    command_id=made.project_id, created_by="x", created_at=NOW,
                )
            )  # fmt: skip
        await made.hire(name)
        made.budget_id = await budget(self.database, made.org_id, ("project", made.project_id), day=100)
        return made

    async def hire(self, name: str) -> str:
        agent_id = self.agents[name] = new_id("agt")
        async with self.database.platform() as session:
            session.add(
                Agent(
                    id=agent_id, org_id=self.org_id, name=name, visibility="private", pricing_model="free",
                    project_id=self.project_id, created_by="x", command_id=agent_id,
                )
            )  # fmt: skip
        return agent_id

    async def give(self, **dollars: int) -> None:
        """Open the budgets of a day of agents."""
        for name, amount in dollars.items():
            await budget(self.database, self.org_id, ("agent", self.agents[name]), day=amount)

    async def set(
        self, mode: AllocationMode = AllocationMode.PROPOSE, daily: int = 100, **more: Any
    ) -> AllocationSetting:
        reinvest_bps, now = more.pop("reinvest_bps", 0), more.pop("now", NOW)
        wanted = AllocationRequest(
            mode=mode, currency="USD", daily_minor=daily * 100, bounds=ShareBounds(**more), reinvest_bps=reinvest_bps
        )
        async with self.database.platform() as session:
            return await allocation.set_allocation(session, self.owner, self.org_id, self.project_id, wanted, now=now)

    async def night(self, night: date = NIGHT, *, now: datetime | None = None) -> Allocation | str:
        now = now or at(night)
        async with self.database.platform() as session:
            await allocation.end_raise(session, allocation.ACTOR, self.project_id, before=night, now=now)
        async with self.database.platform() as session:
            made, why = await allocation.propose(session, self.project_id, night, matures=MATURES, now=now)
        return why if made is None else made

    async def accept(self, row: Allocation, *, now: datetime | None = None) -> Allocation:
        async with self.database.platform() as session:
            return await allocation.accept(session, self.owner, row.id, now=now or at(row.night))

    async def read(self, row: Allocation) -> Allocation:
        async with self.database.platform() as session:
            return await allocations.get(session, row.id)

    async def setting(self) -> AllocationSetting:
        async with self.database.platform() as session:
            found = await allocations.setting(session, self.project_id)
        assert found is not None
        return found

    async def days(self) -> dict[str, int]:
        """Return the budget of a day of each agent and of the project, in cents."""
        names = {each: name for name, each in self.agents.items()} | {self.project_id: "project"}
        async with self.database.platform() as session:
            rows = await session.scalars(
                select(SpendControl).where(SpendControl.org_id == self.org_id, SpendControl.status != "closed")
            )
            return {
                names[row.subject_id]: row.amounts[row.windows.index("day")] or 0
                for row in rows
                if "day" in row.windows
            }

    async def versions(self, name: str) -> list[tuple[int, str, str | None]]:
        """Return the versions of an agent's budget: number, by whom, and why."""
        async with self.database.platform() as session:
            query = (
                select(SpendControlVersion)
                .join(SpendControl, SpendControl.id == SpendControlVersion.control_id)
                .where(SpendControl.org_id == self.org_id, SpendControl.subject_id == self.agents[name])
                .order_by(SpendControlVersion.version)
            )
            return [(row.version, row.changed_by, row.reason) for row in await session.scalars(query)]

    async def control(self, name: str) -> str:
        async with self.database.platform() as session:
            query = select(SpendControl.id).where(SpendControl.subject_id == self.agents[name])
            return uuid_id("ctl", (await session.scalars(query)).one())

    async def execute(self, statement: str, **values: Any) -> None:
        async with self.database.platform() as session:
            await session.execute(text(statement), values)

    async def cost(self, rows: Rows, name: str | None, day: date, dollars: int, asset: str = "USD") -> None:
        """Record a purchase of an agent, or of a person for the project, on a day."""
        await rows.add(
            "ledger.purchase_counts", order_id=f"por_{next(NUMBERS)}", number=0, org_id=self.org_id,
            agent_id=self.agents[name] if name else None, project_id=self.project_id, asset=asset, amount=dollars * 100,
            pool="operating", spent=dollars * 100, at=at(day),
        )  # fmt: skip

    async def brought(self, rows: Rows, name: str, day: date, dollars: int, **more: Any) -> str:
        """Record an agent's revenue on a day, confirmed unless its status says otherwise."""
        event_id = new_id("rev")
        values = {"status": "confirmed", "confirmed_at": at(day), "confirmed_by": "olga"} | more
        await rows.add(
            "revenue_events", id=event_id, org_id=self.org_id, agent_id=self.agents[name], project_id=self.project_id,
            source="other", reference=event_id, currency="USD", reported_minor=dollars * 100,
            amount_minor=dollars * 100, occurred_at=at(day), reported_by="olga", created_at=at(day), **values,
        )  # fmt: skip
        return event_id
