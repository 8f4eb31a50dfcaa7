"""Recording of results: reported ones, and those of escrows in the transaction of their event."""

from dataclasses import asdict, replace
from datetime import datetime
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.errors import other_request
from domain.common.money import parse_ratio
from domain.escrow.state import Escrow, Outcome
from domain.returns.result import Result, result_of_escrow
from models.returns.result import ResultRow
from repositories.returns import result as results
from runtime.database import Transaction
from runtime.identity import new_id
from services.returns import route


class RecordedResult(NamedTuple):
    """Row of a result, and whether this call wrote it."""

    row: ResultRow
    is_new: bool


async def record(session: AsyncSession, result: Result, *, now: datetime) -> RecordedResult:
    """Record a result, once for each organization, source and reference. Needs the platform's role.

    Unless it is self-reported, it becomes the outcome of the routing decision of its run.
    """
    recorded = RecordedResult(*await results.add(session, new_id("res"), result, now=now))
    if not recorded.is_new and any(getattr(recorded.row, name) != value for name, value in asdict(result).items()):
        raise other_request()
    if recorded.is_new:
        await _note(session, result, recorded.row.id, now)
    return recorded


async def _note(session: AsyncSession, result: Result, result_id: str, now: datetime) -> None:
    """Write a result as the outcome of the routing decision of its run."""
    run_id = result.run_id or result.task_id
    if run_id is not None and not result.is_self_reported:
        outcome = route.CallOutcome(score_e6=result.score_e6, source="result", reference=result_id)
        await route.note_run_result(session, result.org_id, run_id, result.task_kind, outcome, now=now)


async def record_escrow(books: Transaction, before: Escrow | None, outcome: Outcome, *, now: datetime) -> None:
    """Record the result of an escrow event, if it has one, in its transaction.

    That takes one statement, and more only if a routing decision waits for it.

    Args:
        books: the transaction of the event, which is written.
        before: the previous state in the database; None before the first event.
        outcome: the event.
        now: the time of the event.
    """
    score = outcome.details.get("score") if outcome.event == "validated" else None
    score_e4 = None if score is None else parse_ratio(str(score), "score")
    found = None
    if before is not None:
        found = result_of_escrow(before, outcome.escrow, outcome.event, score_e4, outcome.actor)
    if found is None:
        return
    terms = outcome.escrow.terms
    added = await results.add_of_escrow(books.driver, new_id("res"), found, terms, now=now)
    if added.is_routed:
        await _note(books.session, replace(found, task_kind=added.task_kind), added.id, now)
        noted = route.CallOutcome(score_e6=found.score_e6, source="result", reference=added.id)
        paid_minor = outcome.escrow.paid_minor
        await route.note_contract_result(books.session, terms, noted, paid_minor=paid_minor, now=now)
