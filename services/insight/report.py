"""Creation, change and deletion of reports."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.access import PERMISSIONS, Actor, Permission, Role
from domain.common.errors import Invalid, NotFound, ReportLimitReached, ReportPeriodOpen
from domain.insight.report import MAX_REPORTS, ReportDefinition, ReportPeriod, check_definition
from domain.messages.notification.preferences import Person
from models.insight.report import Report
from repositories.common.command import lock_command, other_request, require_same_request, row_of_command
from repositories.insight import report as reports
from repositories.messages import notification as notifications
from repositories.tenants import audit
from runtime.identity import new_id
from services.insight import metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRequest:
    """A requested report: definition and recipients."""

    definition: ReportDefinition
    recipients: tuple[str, ...] = ()


def may_read(role: Role, org_id: str | None) -> bool:
    """Return whether a role may read the reports of an organization, or of the platform without one."""
    return (Permission.INSPECT if org_id is None else Permission.READ_BILLING) in PERMISSIONS[role]


async def create(
    session: AsyncSession,
    actor: Actor,
    org_id: str | None,
    wanted: ReportRequest,
    *,
    late: timedelta,
    command_id: str,
    now: datetime,
) -> Report:
    """Create a report, or return the one that its command created. Its first period is the present one.

    Args:
        session: of the platform.
        actor: the creator.
        org_id: the organization; None for the platform.
        wanted: the report.
        late: the delay of runs for late bookings.
        command_id: of the request.
        now: of the request.

    Raises:
        Invalid: names the wrong field. Metrics: `analytics.unknown`.
    """
    await lock_command(session, f"reports:{org_id or 'platform'}")
    wanted = await _checked(session, org_id, wanted, now)
    row = Report(org_id=org_id, recipients=list(wanted.recipients), definition=wanted.definition.stored())
    made = await row_of_command(session, Report, command_id)
    if made is not None:
        if made.org_id != org_id:
            raise other_request()
        # A report that was changed since cannot be compared with the command's request.
        if made.updated_at == made.created_at:
            require_same_request(made, row, ("definition", "recipients"))
        return made
    if await reports.number(session, org_id) >= MAX_REPORTS:
        raise ReportLimitReached(
            f"There are already {MAX_REPORTS} reports. Delete one first.", extra={"limit": MAX_REPORTS}
        )
    period = wanted.definition.period_at(now)
    row.id, row.created_by, row.command_id = new_id(reports.PREFIX), actor.qualified(), command_id
    row.period_from, row.due_at = period.since, wanted.definition.due_at(period, late)
    made = await reports.add(session, row)
    await audit.record(session, actor, "report.create", made.id, _shown(made), org_id)
    return made


async def change(
    session: AsyncSession, actor: Actor, report_id: str, wanted: ReportRequest, *, now: datetime
) -> Report:
    """Replace a report: recipients immediately, the rest after the next run.

    Raises:
        Invalid: as in `create`.
        NotFound: there is none, or it was deleted.
    """
    row = await _live(session, report_id)
    wanted = await _checked(session, row.org_id, wanted, now)
    stored = wanted.definition.stored()
    row.next_definition = None if stored == row.definition else stored
    row.recipients, row.updated_at = list(wanted.recipients), now
    await session.flush()
    await audit.record(session, actor, "report.change", row.id, _shown(row), row.org_id)
    return row


async def delete(session: AsyncSession, actor: Actor, report_id: str, *, now: datetime) -> None:
    """End a report: it has no further runs, and its files are kept until they expire.

    Raises:
        NotFound: there is none, or it was deleted.
    """
    row = await _live(session, report_id)
    row.due_at, row.ended_at = None, now
    await session.flush()
    await audit.record(session, actor, "report.delete", row.id, {}, row.org_id)


def checked_period(row: Report, name: str, *, late: timedelta, now: datetime) -> ReportPeriod:
    """Return a period of a report, if it can be computed.

    Raises:
        NotFound: the report was deleted.
        Invalid: the report has no such period.
    """
    if row.ended_at is not None:
        raise NotFound(reports.MISSING)
    definition = ReportDefinition.kept(row.definition)
    period = definition.period_named(name)
    due_at = definition.due_at(period, late)
    if now < due_at:
        raise ReportPeriodOpen(f"The figures of {period.name} are not complete before {due_at:%Y-%m-%d %H:%M} UTC.")
    return period


async def people(session: AsyncSession, org_id: str | None) -> tuple[set[str], dict[str, Person]]:
    """Return the principals of an organization, or of the platform, and those who may read its reports."""
    found = (await notifications.people(session, [org_id]))[org_id]
    return {each.principal for each in found}, {each.principal: each for each in found if may_read(each.role, org_id)}


async def _live(session: AsyncSession, report_id: str) -> Report:
    row = await reports.get(session, report_id, lock=True)
    if row.ended_at is not None:
        raise NotFound(reports.MISSING)
    return row


async def _checked(session: AsyncSession, org_id: str | None, wanted: ReportRequest, now: datetime) -> ReportRequest:
    definition = check_definition(wanted.definition, platform=org_id is None)
    period = definition.period_at(now)
    for question in definition.asked:
        metrics.check_query(question.of(period, definition.zone), platform=org_id is None)
    _, known = await people(session, org_id)
    recipients: Sequence[str] = [each.lower() for each in wanted.recipients]
    for number, each in enumerate(recipients):
        if each not in known:
            raise Invalid(
                "No principal of this name has a key and may read reports.", extra={"field": f"recipients.{number}"}
            )
    return ReportRequest(definition=definition, recipients=tuple(dict.fromkeys(recipients)))


def _shown(row: Report) -> dict[str, object]:
    definition = row.next_definition or row.definition
    return {"schedule": definition["schedule"], "format": definition["format"], "recipients": len(row.recipients)}
