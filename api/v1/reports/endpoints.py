"""Reports: metrics of each day, week, month or quarter, as a file for notified recipients."""

from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from api.auth import ActorDep, SpendingKeyDep, permit, require
from api.deps import Deps, DepsDep, TemporalDep
from api.errors import Responses, errors
from api.fields import OrganizationId, Page
from api.idempotency import MayRepeat
from api.lists import CREATED, Int32, Items, ListEndpoint, ListRequest, items_of
from api.outgoing import HeldResponse
from api.routing import Resource
from api.tenancy import known_organization, listed_organization
from api.v1.reports.schemas import (
    ReportCreate,
    ReportRunRequest,
    ReportRunRequestedView,
    ReportRunView,
    ReportSet,
    ReportTemplateView,
    ReportView,
)
from api.v1.spends.own import confined_key, refuse_totals
from contracts.insight.report import ReportInput
from contracts.runs import report_news
from domain.common import errors as refusals
from domain.common.access import Actor, Permission
from domain.common.errors import NotFound
from domain.credits.spend.scope import SpendingKey
from domain.insight.report import TEMPLATES, ReportFormat
from domain.insight.report_file import MEDIA_TYPES
from models.insight.report import Report, ReportRun
from repositories.insight import report as reports
from runtime import reach
from services.insight import report as service

router = Resource(tags=["reports"])

_LIST = ListEndpoint(
    "reports",
    ReportView,
    *CREATED,
    order=[reports.PREFIX],
    organization_id=Annotated[
        OrganizationId | None,
        Query(description="For operators: the organization; the platform's own reports when left out."),
    ],
)
_FILE: Responses = {
    200: {
        "description": "The file.",
        "content": {media.partition(";")[0]: {"schema": {"type": "string"}} for media in MEDIA_TYPES.values()},
    }
}


@_LIST.get(router, "/reports", NotFound)
async def list_reports(
    deps: DepsDep, asked: ListRequest, key: SpendingKeyDep, actor: Actor = require(Permission.READ_BILLING)
) -> Items:
    """List the reports, newest first."""
    refuse_totals(confined_key(actor, key))
    org_id = listed_organization(actor, asked.organization_id)
    async with deps.session_for(actor) as session:
        return items_of(await reports.page(session, org_id, asked.wanted(None)), ReportView.of)


@router.get("/reports/templates", operation_id="reports.list_templates")
async def list_report_templates(actor: Actor = require(Permission.READ_BILLING)) -> Page[ReportTemplateView]:
    """List the templates: predefined queries of reports."""
    return Page(
        data=[ReportTemplateView.of(each) for each in TEMPLATES.values() if each.for_platform is actor.is_platform]
    )


@router.post(
    "/reports",
    status_code=201,
    response_model=ReportView,
    responses=errors(NotFound, refusals.UnknownMetric, refusals.ReportLimitReached),
)
async def create_report(
    body: ReportCreate, deps: DepsDep, *, actor: Actor = require(Permission.MANAGE_REPORTS), command: MayRepeat
) -> Response:
    """Create a report. Its first run is of the present period, once it is over."""
    org_id = None
    if actor.org_id is not None or body.organization_id is not None:
        org_id = await known_organization(deps, actor, body.organization_id)
    async with command, deps.database.platform() as session:
        row = await service.create(
            session,
            actor,
            org_id,
            body.to_request(),
            late=deps.settings.report_late,
            command_id=command.command_id,
            now=datetime.now(UTC),
        )
        return command.answer(ReportView.of(row))


@router.get("/reports/{report_id}")
async def get_report(report_id: str, deps: DepsDep, key: SpendingKeyDep, actor: ActorDep) -> ReportView:
    """Read a report, even a deleted one."""
    return ReportView.of(await _readable_report(deps, actor, key, report_id))


@router.put("/reports/{report_id}", response_model=ReportView, responses=errors(refusals.UnknownMetric))
async def set_report(
    report_id: str, body: ReportSet, deps: DepsDep, key: SpendingKeyDep, actor: ActorDep, command: MayRepeat
) -> Response:
    """Replace a report. Recipients change immediately, everything else after the next run."""
    await _readable_report(deps, actor, key, report_id, Permission.MANAGE_REPORTS)
    async with command, deps.database.platform() as session:
        return command.answer(
            ReportView.of(await service.change(session, actor, report_id, body.to_request(), now=datetime.now(UTC)))
        )


@router.delete("/reports/{report_id}", status_code=204)
async def delete_report(report_id: str, deps: DepsDep, key: SpendingKeyDep, actor: ActorDep) -> Response:
    """Delete a report: it has no further runs. The files of its runs can be read for three years."""
    await _readable_report(deps, actor, key, report_id, Permission.MANAGE_REPORTS)
    async with deps.database.platform() as session:
        await service.delete(session, actor, report_id, now=datetime.now(UTC))
    return Response(status_code=204)


_RUNS = ListEndpoint("report-runs", ReportRunView, *CREATED, order=[Int32])


@_RUNS.get(router, "/reports/{report_id}/runs")
async def list_report_runs(
    report_id: str, deps: DepsDep, key: SpendingKeyDep, asked: ListRequest, actor: ActorDep
) -> Items:
    """List the runs of a report, newest first; each is a version of a period."""
    await _readable_report(deps, actor, key, report_id)
    async with deps.session_for(actor) as session:
        found = await reports.runs(session, report_id, asked.wanted(None))
        return items_of(found, ReportRunView.of)


@router.post(
    "/reports/{report_id}/runs",
    status_code=202,
    response_model=ReportRunRequestedView,
    responses=errors(refusals.ReportPeriodOpen),
)
async def run_report(
    report_id: str,
    body: ReportRunRequest,
    deps: DepsDep,
    client: TemporalDep,
    key: SpendingKeyDep,
    actor: ActorDep,
    command: MayRepeat,
) -> Response:
    """Compute a past period. A new run is made if its figures differ from the latest version."""
    row = await _readable_report(deps, actor, key, report_id, Permission.MANAGE_REPORTS)
    async with command:
        period = service.checked_period(row, body.period, late=deps.settings.report_late, now=datetime.now(UTC))
        await reach.signal(client, *report_news(ReportInput(report_id=row.id, period=period.name), row.org_id))
        return command.answer(ReportRunRequestedView(report_id=row.id, period=period.name))


@router.get(
    "/reports/{report_id}/runs/{number}/file",
    response_class=Response,
    responses=errors() | _FILE,
    operation_id="reports.get_file",
)
async def get_report_file(report_id: str, number: str, deps: DepsDep, key: SpendingKeyDep, actor: ActorDep) -> Response:
    """Read the file of a run."""
    await _readable_report(deps, actor, key, report_id)
    async with AsyncExitStack() as held:
        await held.enter_async_context(deps.answers.turn(actor.org_id))
        async with deps.session_for(actor) as session:
            run = await reports.run(session, report_id, number)
        return _sent(run, held.pop_all())


def _sent(run: ReportRun, held: AsyncExitStack) -> Response:
    form = ReportFormat(run.definition["format"])
    headers = {
        "Content-Disposition": f'attachment; filename="report-{run.period}-v{run.version}.{form}"',
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
        "ETag": f'"{run.sha256}"',
        "Cache-Control": "private, no-cache",
        "X-Content-Type-Options": "nosniff",
    }
    return HeldResponse(run.file, held, media_type=MEDIA_TYPES[form], headers=headers)


async def _readable_report(
    deps: Deps, actor: Actor, key: SpendingKey, report_id: str, permission: Permission | None = None
) -> Report:
    """Return a report that the actor may read and has the permission for; 404 before 403."""
    async with deps.session_for(actor) as session:
        row = await reports.get(session, report_id)
    permit(actor, Permission.INSPECT if actor.is_platform else Permission.READ_BILLING)
    refuse_totals(confined_key(actor, key))
    if permission is not None:
        permit(actor, permission)
    return row
