"""Labels of decisions: fraud or legitimate."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.access import Actor
from domain.common.errors import RiskLabelled, RiskNotDecided
from domain.risk.act import Label
from domain.risk.case import CaseStatus
from models.risk.decision import RiskDecision
from repositories.risk import decision_reading as decisions
from repositories.tenants import audit

_DECIDED = frozenset({CaseStatus.DECIDED, CaseStatus.CLOSED})


async def label(session: AsyncSession, actor: Actor, decision_id: str, given: Label, now: datetime) -> RiskDecision:
    """Label a decision. Labelling it alike again changes nothing.

    Raises:
        RiskNotDecided: its case is not decided.
        RiskLabelled: it has the other label.
    """
    row = await decisions.get(session, decision_id, lock=True)
    if row.label == given:
        return row
    if row.label is not None:
        raise RiskLabelled(f"The decision is labelled {row.label}.", extra={"label": row.label})
    if row.case_id is not None and await decisions.case_status(session, row.case_id) not in _DECIDED:
        raise RiskNotDecided(
            "The case of this decision is not decided. Decide the case, which labels its decisions.",
            extra={"case_id": row.case_id},
        )
    row.label, row.label_at = given.value, now
    await session.flush()
    await audit.record(session, actor, "risk.label", row.id, {"label": given.value}, row.org_id)
    return row
