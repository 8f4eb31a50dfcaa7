"""Exports: ordered in one transaction; a run then writes the files."""

from sqlalchemy.ext.asyncio import AsyncSession

from contracts.insight.export import ExportInput
from contracts.runs import Run, export_run
from domain.common.access import Actor
from domain.common.errors import ExportLimitReached
from domain.insight.export import FILES_KEPT_FOR, MOST_KEPT, MOST_OF_ALL, WRITE_DELAY
from models.insight.export import ExportRow
from repositories.common.command import existing_row, lock_command
from repositories.insight import export as exports
from repositories.tenants import audit


async def order(session: AsyncSession, actor: Actor, row: ExportRow) -> ExportRow:
    """Order an export, or return the one that the command ordered."""
    # One lock for all orders of an organization, so that the limit holds.
    await lock_command(session, f"exports:{row.org_id or 'platform'}")
    done = await existing_row(session, row, ("org_id", "dataset", "format", "created_by"))
    if done is not None:
        return done
    own = await exports.kept(session, row.org_id, row.created_by)
    if own >= MOST_KEPT or await exports.kept(session, row.org_id) >= MOST_OF_ALL:
        raise ExportLimitReached(
            f"You have {own} exports, and at most {MOST_KEPT} of yours and {MOST_OF_ALL} of all are kept. "
            f"Each is deleted {FILES_KEPT_FOR.days} days after it was done."
        )
    session.add(row)
    await session.flush()
    await audit.record(session, actor, "export.create", row.id, {"dataset": row.dataset}, org_id=row.org_id)
    return row


def run_of(row: ExportRow) -> Run:
    """Return the run that writes an export, or deletes its files when their time is over."""
    whose = row.org_id or "all organizations"
    summary = f"exports {row.dataset} of {whose}, {row.since:%Y-%m-%d} to {row.until:%Y-%m-%d}"
    start = ExportInput(export_id=row.id, summary=summary, settle_until=row.until + WRITE_DELAY)
    return export_run(start, row.org_id)
