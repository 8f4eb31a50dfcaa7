"""Run of a report's period: computation, storage of the file, and notification, once for each version."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.errors import Invalid
from domain.insight.query import Query, QueryResult
from domain.insight.report import RECOMPUTED_AFTER, ReportDefinition, ReportPeriod, SectionQuery, compare_versions
from domain.insight.report_file import ReportContent, failed_section, section_of
from domain.messages.events import report as event
from domain.messages.notification.types import TYPE_BY_EVENT
from models.insight.report import Report, ReportRun
from repositories.insight import report as reports
from repositories.messages import event as events, notification as notifications
from repositories.tenants import name, organization as organizations
from services.insight.report import people
from services.messages import fan_out
from services.messages.fan_out import NotificationContent

#: Reasons why a recipient was not notified.
NO_KEY, NOT_PERMITTED, SWITCHED_OFF = "no_key", "not_permitted", "switched_off"


class QueryRunner(Protocol):
    """Function that runs a query of metrics; see `services.insight.metrics.run_query`."""

    async def __call__(self, session: AsyncSession, query: Query, *, org_id: str | None, now: datetime) -> QueryResult:
        """Return the result for an organization or the platform, as of a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComputedPeriod:
    """A period of a report, computed in one snapshot.

    Attributes:
        last: the number of the run that it was compared with; 0 for none.
        differs: whether a new version is due.
        paper: the content of the version.
    """

    report_id: str
    definition: ReportDefinition
    period: ReportPeriod
    last: int
    differs: bool
    paper: ReportContent

    @property
    def look_again_at(self) -> datetime:
        """The time of the period's recomputation."""
        return self.paper.as_of + RECOMPUTED_AFTER


async def compute(
    session: AsyncSession, ask: QueryRunner, report_id: str, period_name: str, *, late: timedelta, now: datetime
) -> ComputedPeriod | datetime | None:
    """Compute a period; None if the report was deleted, and the due time if the period is not due yet.

    Args:
        session: in one snapshot, at the organization's role, or the platform's.
        ask: runs queries.
        report_id: the report.
        period_name: of the period.
        late: the delay for late bookings.
        now: the time.
    """
    row = await reports.get(session, report_id)
    if row.ended_at is not None:
        return None
    before = await reports.latest(session, row.id, period_name)
    definition = ReportDefinition.kept(row.definition if before is None else before.definition)
    period = definition.period_named(period_name)
    as_of = definition.due_at(period, late)
    if now < as_of:
        return as_of
    asked = [(each, each.of(period, definition.zone)) for each in definition.asked]
    sections = [await _section(session, ask, row.org_id, *each, as_of) for each in asked]
    ids = {each for of in sections for line in of["rows"] for each in line["group"] if each}
    owner = "" if row.org_id is None else (await organizations.get(session, row.org_id)).name
    found = () if before is None else compare_versions(before.content["sections"], sections)
    paper = ReportContent(
        name=definition.name,
        owner=owner,
        period=period,
        zone=definition.zone,
        version=1 if before is None else before.version + 1,
        as_of=as_of,
        sections=sections,
        names=dict(sorted((await name.names_of(session, ids, row.org_id)).items())),
        changes=found,
    )
    return ComputedPeriod(
        report_id=row.id,
        definition=definition,
        period=period,
        last=0 if before is None else before.number,
        differs=before is None or bool(found),
        paper=paper,
    )


async def _section(
    session: AsyncSession, ask: QueryRunner, org_id: str | None, question: SectionQuery, query: Query, as_of: datetime
) -> dict[str, Any]:
    """Run a query of a report; a failed query becomes a section with the reason."""
    try:
        return section_of(question, await ask(session, query, org_id=org_id, now=as_of))
    except Invalid as refusal:
        return failed_section(question, refusal.detail)


async def store_run(
    session: AsyncSession, computed: ComputedPeriod, file: bytes | None, *, late: timedelta, now: datetime
) -> tuple[ReportRun | None, bool]:
    """Store a computed period, notify the recipients, and advance the report, in the caller's transaction.

    Args:
        session: of the platform.
        computed: the period.
        file: of the new version; None without a difference.
        late: as in `compute`.
        now: the time; immediate notifications are due then.

    Returns:
        The latest run of the period, and whether this call stored anything: not if another version was stored
            meanwhile, or the report deleted.
    """
    row = await reports.get(session, computed.report_id, lock=True)
    before = await reports.latest(session, row.id, computed.period.name)
    if row.ended_at is not None or (0 if before is None else before.number) != computed.last:
        return before, False
    run, again = before, computed.look_again_at
    if now >= again:
        await reports.looked_at(session, row.id, computed.period.name)
    if file is not None:
        number = await reports.last_number(session, row.id) + 1
        told, left_out = await _notify(session, row, computed, number, now)
        run = await reports.keep(
            session,
            file,
            report_id=row.id,
            number=number,
            org_id=row.org_id,
            period=computed.period.name,
            version=computed.paper.version,
            definition=computed.definition.stored(),
            content={"sections": list(computed.paper.sections), "names": dict(computed.paper.names)},
            told=told,
            left_out=left_out,
            made_at=now,
            look_again_at=again if now < again else None,
        )
    held = ReportDefinition.kept(row.definition)
    if row.period_from == computed.period.since and held.period_at(row.period_from).name == computed.period.name:
        following = held if row.next_definition is None else ReportDefinition.kept(row.next_definition)
        period = following.period_at(computed.period.until)
        # By other clocks it may be a period of the same name, which has its version.
        while await reports.latest(session, row.id, period.name) is not None:
            period = following.period_at(period.until)
        await reports.advance(
            session, row.id, following, period_from=period.since, due_at=following.due_at(period, late)
        )
    return run, True


async def _notify(
    session: AsyncSession, row: Report, computed: ComputedPeriod, number: int, now: datetime
) -> tuple[list[str], dict[str, str]]:
    data: Mapping[str, Any] = event.data(row.id, computed.period.name, computed.paper.version, number)
    if row.org_id is not None:
        await events.record(session, [event.ready(row.org_id, row.id, data)])
    about = NotificationContent(
        source=f"{row.id}:{number}",
        kind=TYPE_BY_EVENT[event.READY],
        fact=event.READY,
        subject=row.id,
        data=data,
        urgent=False,
    )
    known, allowed = await people(session, row.org_id)
    told, left_out = list[str](), dict[str, str]()
    for principal in row.recipients:
        person = allowed.get(principal)
        if person is None:
            left_out[principal] = NOT_PERMITTED if principal in known else NO_KEY
        elif await notifications.add(session, fan_out.rows_of(about, person, person.ways(about.kind), now)):
            told.append(principal)
        else:
            left_out[principal] = SWITCHED_OFF
    return told, left_out
