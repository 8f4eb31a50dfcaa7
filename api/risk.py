"""Decisions against fraud on acts that a workflow or a later transaction does."""

from datetime import UTC, datetime

from api.deps import Deps
from domain.common.errors import RiskBlocked, RiskInReview
from domain.risk.act import Act

#: Refusals of an act that is decided.
RISKY = (RiskBlocked, RiskInReview)


async def decide(deps: Deps, act: Act) -> None:
    """Decide an act in a transaction of its own, because that of the act holds locks or is not the platform's.

    Operators' acts are not decided.

    Raises:
        RiskBlocked: the act is blocked; RiskInReview: a case holds it.
    """
    if act.actor.org_id is None:
        return
    async with deps.database.platform() as session:
        await deps.risk.require(session, act, datetime.now(UTC))
