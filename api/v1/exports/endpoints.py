"""Exports: ordered here, written by a run, and read file by file."""

import re
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial
from typing import Annotated

from starlette.responses import Response, StreamingResponse

from api.auth import ActorDep, SpendingKeyDep, permit, require
from api.csv_files import FILES
from api.deps import DepsDep
from api.errors import errors
from api.idempotency import MovesMoney
from api.lists import CREATED, Items, ListEndpoint, ListRequest
from api.outgoing import HeldStream
from api.routing import Resource
from api.tenancy import listed_organization
from api.v1.exports.schemas import ExportCreate, ExportView
from api.v1.spends.own import confined_key, refuse_totals
from domain.common.access import Actor, Permission
from domain.common.errors import ExportExpired, ExportLimitReached, Forbidden, Invalid, NotFound
from domain.credits.spend.scope import SpendingKey
from domain.insight.export import (
    MEDIA_TYPES,
    Dataset,
    ExportFormat,
    ExportStatus,
    file_name,
    permissions_of,
    storage_path,
)
from models.insight.export import ExportRow
from repositories.insight import export as exports
from runtime import reach
from runtime.identity import new_id
from services.insight import export

router = Resource(prefix="/exports", tags=["exports"])

_NUMBER = re.compile("[1-9][0-9]{0,8}")
_LIST = ListEndpoint(
    "exports",
    ExportView,
    *(*CREATED, "organization_id"),
    order=["exp"],
    status=ExportStatus,
    dataset=Annotated[Dataset | None, "Only of this dataset."],
)


def _permit(actor: Actor, key: SpendingKey, dataset: str) -> None:
    """Refuse who may not read the dataset's list as a whole.

    Raises:
        Forbidden: the role lacks a permission, or the key reads only what is its agent's, department's or project's.
    """
    for each in permissions_of(Dataset(dataset)):
        permit(actor, each)
    if actor.is_platform:
        permit(actor, Permission.INSPECT)
    refuse_totals(confined_key(actor, key))
    if actor.agent_id is not None:
        raise Forbidden("This key reads what is its agent's only.")


@router.post("", status_code=202, response_model=ExportView, responses=errors(ExportLimitReached))
async def create_export(
    body: ExportCreate,
    deps: DepsDep,
    once: MovesMoney,
    *,
    key: SpendingKeyDep,
    actor: Actor = require(Permission.READ_BILLING),
) -> Response:
    """Export rows of a period into files of at most 1,000,000 rows.

    The rows are those recorded in the period; an export waits for transactions that were open when it was ordered, so
    no row is missed. `GET /exports/{export_id}` shows how far it is. The files are deleted seven days after the last
    one was written. Operators export the rows of all organizations.
    """
    now = datetime.now(UTC)
    until = now if body.until is None else min(body.until, now)
    async with once:
        _permit(actor, key, body.dataset)
        if body.since >= until:
            raise Invalid("from must be before to and before the present.", extra={"field": "from"})
        ordered = ExportRow(
            id=new_id("exp"),
            org_id=actor.org_id,
            dataset=body.dataset.value,
            format=body.format.value,
            since=body.since,
            until=until,
            status=ExportStatus.QUEUED.value,
            rows_done=0,
            created_by=actor.qualified(),
            command_id=once.command_id,
            created_at=now,
        )
        async with deps.session_for(actor) as session:
            row = await export.order(session, actor, ordered)
            shown = ExportView.of(row)
        if deps.temporal is not None:
            run = export.run_of(row)
            deps.background.begin(run.workflow_id, partial(reach.start_missing, deps.temporal, run))
        return once.answer(shown)


@_LIST.get(router, "", NotFound)
async def list_exports(
    deps: DepsDep, asked: ListRequest, *, key: SpendingKeyDep, actor: Actor = require(Permission.READ_BILLING)
) -> Items:
    """List exports, newest first, without their files."""
    refuse_totals(confined_key(actor, key))
    wanted = asked.wanted(listed_organization(actor, asked.organization_id))
    return await asked.rows(deps.session_for(actor), exports.page, wanted, ExportView.of)


@router.get("/{export_id}")
async def get_export(export_id: str, deps: DepsDep, *, key: SpendingKeyDep, actor: ActorDep) -> ExportView:
    """Show an export with its finished files: rows, sums by currency and SHA-256 of each."""
    async with deps.session_for(actor) as session:
        row = await exports.get(session, export_id)
        permit(actor, Permission.READ_BILLING)
        refuse_totals(confined_key(actor, key))
        return ExportView.of(row, await exports.files(session, row.id))


@router.get("/{export_id}/files/{number}", response_class=StreamingResponse, responses=errors(ExportExpired) | FILES)
async def get_export_file(
    export_id: str, number: str, deps: DepsDep, *, key: SpendingKeyDep, actor: ActorDep
) -> Response:
    """Download a finished file of an export. It takes the permission that the dataset's list takes."""
    async with deps.session_for(actor) as session:
        row = await exports.get(session, export_id)
        _permit(actor, key, row.dataset)
        file = await exports.file(session, row.id, int(number)) if _NUMBER.fullmatch(number) else None
        if file is None:
            raise NotFound("There is no such file of this export.")
        # By the time it says: its deletion can be a little later.
        if row.expires_at is not None and row.expires_at <= datetime.now(UTC):
            raise ExportExpired("The files of this export were deleted. Export the rows again.")
    name = file_name(row.dataset, file.number, row.format)
    async with AsyncExitStack() as held:
        held.enter_context(deps.streams.hold(actor.org_id or "platform"))
        return HeldStream(
            await deps.files.read(storage_path(row.id, name, file.sha256)),
            held.pop_all(),
            media_type=MEDIA_TYPES[ExportFormat(row.format)],
            headers={"Content-Disposition": f'attachment; filename="{name}"', "Content-Length": str(file.bytes)},
        )
