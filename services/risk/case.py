"""Opening of cases."""

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.risk.act import Act, Verdict
from domain.risk.case import DEFAULT_AFTER, CaseKind, CaseStatus
from models.risk.case import RiskCase
from runtime.identity import new_id


async def open_for(session: AsyncSession, act: Act, verdict: Verdict, value_minor: int) -> str:
    """Open a case for an act, or add the act to the open case of its organization, and return the case's id."""
    group = act.org_id or act.subject
    await session.execute(
        insert(RiskCase)
        .values(
            id=new_id("rcs"),
            kind=CaseKind.ACT.value,
            status=CaseStatus.OPEN.value,
            group=group,
            org_ids=[] if act.org_id is None else [act.org_id],
            state={},
            version=1,
            value_minor=value_minor,
            due_at=verdict.at + DEFAULT_AFTER,
            created_at=verdict.at,
            updated_at=verdict.at,
        )
        .on_conflict_do_nothing()
    )
    query = select(RiskCase.id).where(RiskCase.kind == CaseKind.ACT.value, RiskCase.group == group)
    return (await session.execute(query.where(RiskCase.status != CaseStatus.CLOSED.value))).scalar_one()
