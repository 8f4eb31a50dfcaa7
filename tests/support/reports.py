"""Reports whose figures a test sets, in real books."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.access import Actor, Role
from domain.insight.query import MetricFigure, Query, QueryResult, QueryRow
from domain.insight.report import ReportDefinition, ReportFormat, ReportSchedule, SectionQuery
from models.insight.report import Report
from runtime.database import Database
from runtime.identity import new_id
from services.insight import report as service
from services.insight.report import ReportRequest

LATE = timedelta(hours=3)
USUAL = ReportDefinition(
    name="Spending",
    schedule=ReportSchedule.WEEKLY,
    format=ReportFormat.CSV,
    zone="Europe/Berlin",
    questions=(SectionQuery(metrics=("spending",), by=("agent",)),),
)


@dataclass
class Figures:
    """Answers every question with the same rows, and notes what was asked."""

    amounts: dict[str, int] = field(default_factory=lambda: {"agt_a": 1000})
    asked: list[tuple[Query, str | None, datetime]] = field(default_factory=list)
    levels: list[str] = field(default_factory=list)

    async def __call__(self, session: AsyncSession, query: Query, *, org_id: str | None, now: datetime) -> QueryResult:
        self.asked.append((query, org_id, now))
        self.levels.append(
            str(
                await session.scalar(
                    text("SELECT current_user || ' ' || setting FROM pg_settings WHERE name = 'transaction_isolation'")
                )
            )
        )
        rows = tuple(
            QueryRow(None, {"agent": each}, (MetricFigure("spending", "USD", n),)) for each, n in self.amounts.items()
        )
        total = MetricFigure("spending", "USD", sum(self.amounts.values()))
        return QueryResult(rows=rows, totals=(total,), as_of=datetime.now(UTC), is_complete=True)


def owner_of(org_id: str | None) -> Actor:
    return Actor(principal="olga", role=Role.OPERATOR if org_id is None else Role.OWNER, org_id=org_id)


async def a_report(
    database: Database, org_id: str | None, *, now: datetime, recipients: Sequence[str] = (), **changed: Any
) -> Report:
    wanted = ReportRequest(definition=replace(USUAL, **changed), recipients=tuple(recipients))
    async with database.platform() as session:
        return await service.create(
            session, owner_of(org_id), org_id, wanted, late=LATE, command_id=new_id("cmd"), now=now
        )
