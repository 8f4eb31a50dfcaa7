"""Records results: reported ones, and those of escrows in the transaction of their event."""

from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import datetime
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession

from contracts.escrow.escrow import RecordEscrowEvent
from domain.common.errors import other_request
from domain.common.money import parse_ratio
from domain.escrow.state import Escrow
from domain.returns.result import Result, of_escrow
from models.returns.result import ResultRow
from repositories.returns import result as results
from runtime.identity import new_id

#: The kind of a contract's task whose agent has no category.
CONTRACT = "contract"


class Recorded(NamedTuple):
    """The row of a result, and whether this call wrote it."""

    row: ResultRow
    is_new: bool


async def record(session: AsyncSession, result: Result, *, now: datetime) -> Recorded:
    """Record a result once for its organization, source and reference. Needs the platform's role.

    Raises:
        IdempotencyConflict: another result has its reference.
    """
    recorded = Recorded(*await results.add(session, new_id("res"), result, now=now))
    if not recorded.is_new and any(getattr(recorded.row, name) != value for name, value in asdict(result).items()):
        raise other_request()
    return recorded


async def record_escrow(session: Callable[[], AsyncSession], before: Escrow | None, message: RecordEscrowEvent) -> None:
    """Record the result that an event of an escrow gives, in its transaction; most events have none and cost nothing.

    Args:
        session: opens the transaction's session, which costs as much as the statements of an event.
        before: the state that the books held; None before the first event.
        message: the event.
    """
    score = message.details.get("score") if message.event == "validated" else None
    score_e4 = None if score is None else parse_ratio(str(score), "score")
    found = None
    if before is not None:
        found = of_escrow(before, message.escrow, message.event, score_e4, message.actor)
    if found is not None:
        opened = session()
        kind = await results.kind_by_agent(opened, message.escrow.terms.agent_id)
        await record(opened, replace(found, task_kind=kind or CONTRACT), now=message.at)
