"""Reconciliation: for operators."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from api.auth import require
from api.deps import DepsDep, TemporalDep
from api.errors import errors
from api.fields import SearchText
from api.idempotency import MayRepeat, MovesMoney
from api.lists import CREATED, Items, ListEndpoint, ListRequest
from api.routing import Resource
from api.v1.reconciliation.schemas import (
    ClearingView,
    DiscrepancyStatus,
    DiscrepancyView,
    ProviderName,
    ReconciliationRunView,
    ResolutionCreate,
    RunCreate,
    RunStatus,
)
from contracts.books.reconciliation import ReconciliationInput
from contracts.runs import Run, reconciliation_run
from domain.books.reconciliation import MAX_WINDOW, Window
from domain.common.access import Actor, Permission
from domain.common.errors import Invalid, NotBookable, NotFound, ReconciliationResolved
from domain.common.ids import is_id
from domain.common.text import is_storable
from models.books.reconciliation import ReconciliationRun
from repositories.books import clearing, discrepancy as discrepancies, reconciliation as books
from runtime import reach
from services.books import reconciliation

router = Resource(tags=["reconciliation"])

ProviderParam = Annotated[ProviderName | None, Query(description="Only of this provider.")]


_RUNS = ListEndpoint(
    "reconciliation-runs",
    ReconciliationRunView,
    *CREATED,
    order=[datetime, "rcn"],
    status=RunStatus,
    provider=ProviderParam,
)
_DIFFERENCES = ListEndpoint(
    "reconciliation-differences",
    DiscrepancyView,
    *(*CREATED, "q"),
    order=["dif"],
    status=DiscrepancyStatus,
    provider=ProviderParam,
    kind=Annotated[SearchText | None, Query(description="Only of this kind, such as `missing_here`.")],
    run_id=Annotated[SearchText | None, Query(description="Only discrepancies that this run was the latest to find.")],
)


@_RUNS.get(router, "/reconciliation/runs")
async def list_reconciliation_runs(
    deps: DepsDep, asked: ListRequest, actor: Actor = require(Permission.INSPECT)
) -> Items:
    """List reconciliation runs, newest first. Times are when they started."""
    wanted = asked.wanted(None)
    return await asked.rows(deps.session_for(actor), books.runs, wanted, ReconciliationRunView.of)


@router.get("/reconciliation/runs/{run_id}")
async def get_reconciliation_run(
    run_id: str, deps: DepsDep, actor: Actor = require(Permission.INSPECT)
) -> ReconciliationRunView:
    """Show a reconciliation run: totals by currency and kind, and the clearing account."""
    async with deps.session_for(actor) as session:
        row = await books.get_run(session, run_id) if is_id(run_id, "rcn") else None
    if row is None:
        raise NotFound("There is no such run.")
    return ReconciliationRunView.of(row)


@router.post("/reconciliation/runs", status_code=202, response_model=ReconciliationRunView)
async def start_reconciliation_run(
    body: RunCreate,
    deps: DepsDep,
    client: TemporalDep,
    *,
    actor: Actor = require(Permission.OPERATE),
    command: MayRepeat,
) -> Response:
    """Start a reconciliation run: compare a provider's statement with the books for a window of time."""
    async with command:
        deps.providers.named(body.provider)
        now, window = datetime.now(UTC), Window(body.since, body.until)
        if not window.since < window.until <= now:
            raise Invalid("`from` must be before `to`, and `to` must not be in the future.", extra={"field": "to"})
        if window.until - window.since > MAX_WINDOW:
            raise Invalid(f"The window must not be longer than {MAX_WINDOW.days} days.", extra={"field": "from"})
        async with deps.session_for(actor) as session:
            row = await reconciliation.begin(session, actor, body.provider, window, command.command_id, now)
        await reach.start_missing(client, _run(row))
        return command.answer(ReconciliationRunView.of(row))


@_DIFFERENCES.get(router, "/reconciliation/differences", summary="List Reconciliation Discrepancies")
async def list_reconciliation_differences(
    deps: DepsDep, asked: ListRequest, actor: Actor = require(Permission.INSPECT)
) -> Items:
    """List the discrepancies between providers and the books, newest first. Times are when they were found."""
    wanted = asked.wanted(None)
    return await asked.rows(deps.session_for(actor), discrepancies.page, wanted, DiscrepancyView.of)


@router.get("/reconciliation/differences/{difference_id}", summary="Get Reconciliation Discrepancy")
async def get_reconciliation_difference(
    difference_id: str, deps: DepsDep, actor: Actor = require(Permission.INSPECT)
) -> DiscrepancyView:
    """Show a discrepancy with both sides."""
    async with deps.session_for(actor) as session:
        row = await discrepancies.get(session, difference_id) if is_id(difference_id, "dif") else None
    if row is None:
        raise NotFound("There is no such discrepancy.")
    return DiscrepancyView.of(row)


@router.post(
    "/reconciliation/differences/{difference_id}/resolution",
    summary="Resolve Reconciliation Discrepancy",
    response_model=DiscrepancyView,
    responses=errors(ReconciliationResolved, NotBookable),
)
async def resolve_reconciliation_difference(
    difference_id: str,
    body: ResolutionCreate,
    deps: DepsDep,
    *,
    actor: Actor = require(Permission.OPERATE),
    command: MovesMoney,
) -> Response:
    """Resolve a discrepancy: book the correction that makes the books agree, or accept it as it is."""
    async with command, deps.session_for(actor) as session:
        row = await reconciliation.resolve(
            session,
            actor,
            difference_id,
            action=body.action,
            note=body.note,
            command_id=command.command_id,
            now=datetime.now(UTC),
        )
        return command.answer(DiscrepancyView.of(row))


@router.get("/reconciliation/clearing/{provider}")
async def explain_clearing(
    provider: str, deps: DepsDep, actor: Actor = require(Permission.INSPECT)
) -> list[ClearingView]:
    """Explain the balances of a provider's clearing accounts, by currency; 404 when nothing has been booked."""
    async with deps.session_for(actor) as session:
        found = await clearing.clearing(session, provider) if is_storable(provider) else []
    if not found:
        raise NotFound("Nothing has been booked for this provider.")
    return [ClearingView.of(account) for account in found]


def _run(row: ReconciliationRun) -> Run:
    return reconciliation_run(
        ReconciliationInput(
            run_id=row.id,
            provider=row.provider,
            since=row.since,
            until=row.until,
            requested_by=row.requested_by,
            command_id=row.command_id,
        )
    )
