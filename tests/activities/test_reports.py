"""Runs of reports: the stored versions, the recipients notified, and the next period."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
from sqlalchemy import select, text, update
from temporalio.testing import ActivityEnvironment

from activities.insight.report import ReportActivities
from contracts.common.batch import DuePage
from contracts.insight.report import MadeReport, MakeReport
from domain.common.access import Role
from domain.common.errors import AnalyticsNoRate, Conflict, IdempotencyConflict, Invalid, NotFound, RateLimited
from domain.insight.report import (
    FILES_KEPT_FOR,
    MAX_REPORTS,
    TEMPLATES,
    ReportDefinition,
    ReportFormat,
    ReportSchedule,
    SectionQuery,
)
from models.insight.report import Report, ReportRun
from models.messages.event import EventRow
from models.messages.notification import NotificationRow
from models.tenants.api_key import ApiKey
from models.tenants.organization import Organization
from repositories.credits.spend_id_range import first_id
from repositories.insight import report as reports
from runtime.database import Database
from runtime.identity import new_id
from services.insight import report as service, report_run
from services.insight.metrics import run_query
from services.insight.report import ReportRequest
from tests.conftest import DatabaseUrls
from tests.support.cases import for_each
from tests.support.notifications import a_channel, a_principal, an_organization
from tests.support.reports import LATE, USUAL, Figures, a_report, owner_of
from tests.support.rows import rows_of
from tests.support.starts import Starts

pytestmark = pytest.mark.db

#: A Wednesday of the week in which the clocks of Berlin go forward.
NOW = datetime(2026, 3, 25, 12, tzinfo=UTC)
#: When that week is over in Berlin, and what is booked late is there.
DUE = datetime(2026, 3, 30, 1, tzinfo=UTC)
WEEK = "2026-W13"


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc]


def work(database: Database, figures: Any, client: Any = None) -> ReportActivities:
    return ReportActivities(database, client or Starts(), figures, late=LATE)


async def make(database: Database, figures: Any, report: Report, now: datetime = DUE, period: str = WEEK) -> MadeReport:
    message = MakeReport(report_id=report.id, period=period, now=now)
    return await ActivityEnvironment().run(work(database, figures).make, message)


async def runs_of(database: Database, report: Report) -> Sequence[ReportRun]:
    async with database.platform() as session:
        query = select(ReportRun).where(ReportRun.report_id == report.id).order_by(ReportRun.number)
        return [await reports.run(session, report.id, str(each.number)) for each in await session.scalars(query)]


async def notified(database: Database, report: Report) -> list[tuple[str, str]]:
    async with database.platform() as session:
        query = select(NotificationRow).where(NotificationRow.subject == report.id)
        rows = await session.scalars(query.order_by(NotificationRow.source, NotificationRow.id))
        return sorted((each.principal, "inbox" if each.channel == "inbox" else "channel") for each in rows)


async def read(database: Database, report: Report) -> Report:
    async with database.platform() as session:
        return await reports.get(session, report.id)


async def test_recomputed_period_is_stored_and_notified_once(db: Database) -> None:
    org = await an_organization(db)
    await a_principal(db, org, "maria", Role.FINANCE)
    await a_principal(db, org, "nina", Role.OWNER)
    await a_channel(db, org, "maria")
    report = await a_report(db, org, now=NOW, recipients=["Maria"])
    figures = Figures()

    assert await make(db, figures, report, DUE - timedelta(seconds=1)) == MadeReport(next_at=DUE)
    assert figures.asked == []
    first = await make(db, figures, report)
    assert (first.number, first.version, first.told, first.next_at) == (1, 1, 1, DUE + timedelta(days=3))
    again = await make(db, figures, report, DUE + timedelta(days=3))
    assert again == first.model_copy(update={"next_at": None})

    [run] = await runs_of(db, report)
    assert run.sha256 == sha256(run.file).hexdigest()
    assert await notified(db, report) == [("maria", "channel"), ("maria", "inbox")]
    query, asked_org, as_of = figures.asked[0]
    assert (query.since, query.until) == (datetime(2026, 3, 22, 23, tzinfo=UTC), datetime(2026, 3, 29, 22, tzinfo=UTC))
    assert (asked_org, as_of, query.zone) == (org, DUE, "Europe/Berlin")
    assert figures.levels[0].endswith(" repeatable read")
    assert "platform" not in figures.levels[0]
    async with db.platform() as session:
        events = list(await session.scalars(select(EventRow).where(EventRow.subject == report.id)))
    assert [(each.type, each.org_id, each.data["period"]) for each in events] == [("report.ready", org, WEEK)]


@for_each(
    "form, schedule, at, due_at",
    [
        *((form, ReportSchedule.WEEKLY, NOW, DUE) for form in ReportFormat),
        (ReportFormat.PDF, ReportSchedule.DAILY, utc(2026, 10, 25, 12), utc(2026, 10, 26, 2)),
        (ReportFormat.HTML, ReportSchedule.DAILY, utc(2028, 2, 29, 12), utc(2028, 3, 1, 2)),
        (ReportFormat.PDF, ReportSchedule.QUARTERLY, utc(2026, 3, 31, 12), utc(2026, 4, 1, 1)),
        (ReportFormat.JSONL, ReportSchedule.MONTHLY, utc(2026, 10, 31, 12), utc(2026, 11, 1, 2)),
    ],
)
async def test_period_computed_twice_has_the_same_bytes(
    db: Database, form: ReportFormat, schedule: ReportSchedule, at: datetime, due_at: datetime
) -> None:
    org, files = await an_organization(db), list[bytes]()
    for later in (timedelta(0), timedelta(days=9, seconds=17)):
        report = await a_report(db, org, now=at, format=form, schedule=schedule)
        assert report.due_at == due_at
        period = ReportDefinition.kept(report.definition).period_at(report.period_from).name
        figures = Figures({"agt_b": 5, "agt_a": 5} if files else {"agt_a": 5, "agt_b": 5})
        await make(db, figures, report, report.due_at + later, period)
        files += [run.file for run in await runs_of(db, report)]
    assert files[0] == files[1]


async def test_organization_computes_one_report_at_a_time_and_retries_the_next(db: Database) -> None:
    own = await an_organization(db)
    first, second = [await a_report(db, own, now=NOW) for _ in range(2)]
    other = await a_report(db, await an_organization(db), now=NOW)
    refusals = list[RateLimited]()

    async def another(report: Report) -> MadeReport:
        return await ActivityEnvironment().run(works.make, MakeReport(report_id=report.id, period=WEEK, now=DUE))

    class Slow(Figures):
        async def __call__(self, session: Any, query: Any, *, org_id: str | None, **options: Any) -> Any:
            if org_id == own and not refusals:
                with pytest.raises(RateLimited) as refused:
                    await another(second)
                refusals.append(refused.value)
                assert (await another(other)).version == 1
            return await super().__call__(session, query, org_id=org_id, **options)

    works = work(db, Slow())
    for report in (first, second):
        assert (await another(report)).version == 1
    assert [each.retryable for each in refusals] == [True]


async def test_unanswerable_query_is_reported_without_affecting_others(db: Database) -> None:
    questions = (SectionQuery(metrics=("spending",), currency="EUR"), USUAL.questions[0])
    report = await a_report(db, await an_organization(db), now=NOW, questions=questions)

    class NoRate(Figures):
        async def __call__(self, session: Any, query: Any, **options: Any) -> Any:
            if query.currency:
                raise AnalyticsNoRate("There is no rate from USD to EUR.")
            return await super().__call__(session, query, **options)

    await make(db, NoRate(), report)
    [run] = await runs_of(db, report)
    assert run.content["sections"][0]["problem"] == "There is no rate from USD to EUR."
    assert b'"row","Spending",,"agt_a"' in run.file


async def test_template_is_computed_without_a_credit_price(
    fresh_database: Database, fresh_database_urls: DatabaseUrls
) -> None:
    org, at = await an_organization(fresh_database), NOW.replace(hour=10)
    async with rows_of(fresh_database_urls) as rows:
        await rows.add("ledger.purchase_counts", order_id="por_1", number=0, org_id=org, agent_id="agt_1", asset="EUR",
                       id=first_id(at), amount=100, spent=100, at=at, pool="operating")  # fmt: skip
    for name, template in TEMPLATES.items():
        if template.for_platform:
            continue
        report = await a_report(fresh_database, org, now=NOW, template=name, questions=(), schedule=template.schedule)
        assert report.due_at is not None
        period = ReportDefinition.kept(report.definition).period_at(report.period_from).name
        await make(fresh_database, run_query, report, report.due_at, period)
        [run] = await runs_of(fresh_database, report)
        sections = zip(template.questions, run.content["sections"], strict=True)
        problems = {(question.currency, (each.get("problem") or "")[:47]) for question, each in sections}
        # A summary of a day has each amount in its own currency.
        lacking = {("USD", "There is no rate from EUR to USD on 2026-03-25.")} if name != "daily_summary" else set()
        assert problems == {(None, "")} | lacking, name


async def test_late_figures_make_a_second_version_with_its_own_notification(db: Database) -> None:
    org = await an_organization(db)
    await a_principal(db, org, "maria", Role.FINANCE)
    report = await a_report(db, org, now=NOW, recipients=["maria"])
    figures = Figures()
    await make(db, figures, report)
    figures.amounts["agt_a"] = 1250
    second = await make(db, figures, report, DUE + timedelta(days=3))
    assert (second.number, second.version, second.changes, second.told) == (2, 2, 2, 1)
    before, after = await runs_of(db, report)
    assert b"10.00" in before.file
    assert b'"change","Spending",,"agt_a",,"spending","USD",12.50,10.00' in after.file
    third = await make(db, figures, report, DUE + timedelta(days=4))
    assert third == second.model_copy(update={"changes": 0, "next_at": None})
    assert await notified(db, report) == [("maria", "inbox")] * 2


async def test_version_computed_from_stale_figures_is_computed_again(db: Database) -> None:
    report = await a_report(db, await an_organization(db), now=NOW)
    slow, figures = Figures({"agt_a": 1}), Figures()
    async with db.repeatable_read(report.org_id) as session:
        stale = await report_run.compute(session, slow, report.id, WEEK, late=LATE, now=DUE)
    assert isinstance(stale, report_run.ComputedPeriod)
    await make(db, figures, report)
    async with db.platform() as session:
        run, kept = await report_run.store_run(session, stale, b"stale", late=LATE, now=DUE)
    assert (kept, run is not None and run.version) == (False, 1)
    assert len(await runs_of(db, report)) == 1


async def test_recipient_without_a_key_or_with_the_type_switched_off_is_skipped_and_listed(db: Database) -> None:
    org = await an_organization(db)
    for name in ("gone", "quiet", "there"):
        await a_principal(db, org, name, Role.MEMBER)
    report = await a_report(db, org, now=NOW, recipients=["gone", "quiet", "there"])
    async with db.platform() as session:
        await session.execute(
            update(ApiKey).where(ApiKey.org_id == org, ApiKey.principal == "gone").values(revoked_at=NOW)
        )
        await session.execute(
            text(
                "INSERT INTO notification_preferences (recipient, org_id, principal, settings, updated_at) "
                "VALUES (:recipient, :org, 'quiet', CAST(:settings AS jsonb), now())"
            ),
            {
                "recipient": f"{org}/quiet",
                "org": org,
                "settings": '{"quiet_hours": null, "digest_hour": 8, "digest_weekday": 1, '
                '"types": {"report": {"inbox": "off"}}}',
            },
        )
    await make(db, Figures(), report)
    [run] = await runs_of(db, report)
    assert (run.told, run.left_out) == (["there"], {"gone": "no_key", "quiet": "switched_off"})
    assert await notified(db, report) == [("there", "inbox")]


async def test_role_that_may_not_read_the_platform_any_more_is_left_out_of_its_report(db: Database) -> None:
    name = new_id("op")
    await a_principal(db, None, name, Role.OPERATOR)
    report = await a_report(
        db, None, now=NOW, recipients=[name], template="platform_month", questions=(), schedule=ReportSchedule.MONTHLY
    )
    async with db.platform() as session:
        await session.execute(update(ApiKey).where(ApiKey.principal == name).values(revoked_at=NOW))
    await a_principal(db, None, name, Role.ARBITER)
    done = await make(db, Silent(), report, DUE + timedelta(days=5), "2026-03")
    assert (done.told, done.left_out) == (0, 1)
    [run] = await runs_of(db, report)
    assert run.left_out == {name: "not_permitted"}
    async with db.tenant(await an_organization(db)) as session:
        with pytest.raises(NotFound):
            await reports.get(session, report.id)
        with pytest.raises(NotFound):
            await reports.run(session, report.id, "1")
    async with db.platform() as session:
        await service.delete(session, owner_of(None), report.id, now=DUE)


class Silent(Figures):
    """Answers with nothing."""

    async def __call__(self, session: Any, query: Any, **options: Any) -> Any:
        found = await super().__call__(session, query, **options)
        return replace(found, rows=(), totals=())


async def test_change_acts_from_the_next_period_on_and_recipients_at_once(db: Database) -> None:
    org = await an_organization(db)
    await a_principal(db, org, "maria", Role.FINANCE)
    report = await a_report(db, org, now=NOW)
    monthly = replace(USUAL, name="Months", schedule=ReportSchedule.MONTHLY, format=ReportFormat.HTML)
    async with db.platform() as session:
        wanted = ReportRequest(definition=monthly, recipients=("maria",))
        await service.change(session, owner_of(org), report.id, wanted, now=NOW)
    await make(db, Figures(), report)
    [run] = await runs_of(db, report)
    assert (run.period, run.definition["format"], run.told) == (WEEK, "csv", ["maria"])
    now = await read(db, report)
    # The week ended within March, so no day is left out.
    assert (now.definition, now.next_definition) == (monthly.stored(), None)
    assert now.period_from == datetime(2026, 2, 28, 23, tzinfo=UTC)
    assert now.due_at == datetime(2026, 4, 1, 1, tzinfo=UTC)


async def test_zone_that_moves_west_goes_on_with_a_day_that_was_not_made(db: Database) -> None:
    org = await an_organization(db)
    report = await a_report(db, org, now=NOW, schedule=ReportSchedule.DAILY, zone="UTC")
    west = replace(USUAL, schedule=ReportSchedule.DAILY, zone="America/New_York")
    async with db.platform() as session:
        await service.change(session, owner_of(org), report.id, ReportRequest(definition=west, recipients=()), now=NOW)
    await make(db, Figures(), report, utc(2026, 3, 26, 3), "2026-03-25")
    now = await read(db, report)
    # The 25th is made, and by the clocks of New York it has not begun when that of UTC ends.
    assert (now.period_from, now.due_at) == (utc(2026, 3, 26, 4), utc(2026, 3, 27, 7))
    await make(db, Figures(), report, utc(2026, 3, 27, 7), "2026-03-26")
    assert (await read(db, report)).period_from == utc(2026, 3, 27, 4)


async def test_due_report_is_started_recomputed_and_continues_with_the_next_period(db: Database) -> None:
    report, closed = [await a_report(db, await an_organization(db), now=NOW) for _ in range(2)]
    async with db.platform() as session:
        status = update(Organization).where(Organization.id == closed.org_id)
        await session.execute(status.values(status="closed", status_at=NOW, status_by="x", status_reason="x"))

    async def started(now: datetime) -> list[str]:
        starts = Starts()
        message = DuePage(now=now, after="", limit=500)
        await ActivityEnvironment().run(work(db, Figures(), starts).start, message)
        return [each for each in starts.ids if each.split("/")[1] in {report.id, closed.id}]

    assert await started(DUE - timedelta(seconds=1)) == []
    assert await started(DUE) == [f"report/{report.id}/{WEEK}"]
    await make(db, Figures(), report)
    assert await started(DUE) == []
    # A version was kept, and the run that was to look at its period again is lost.
    assert await started(DUE + timedelta(days=3)) == [f"report/{report.id}/{WEEK}"]
    await make(db, Figures({"agt_a": 7}), report, DUE + timedelta(days=3))
    assert await started(DUE + timedelta(days=3)) == []
    assert await started(DUE + timedelta(days=7)) == [f"report/{report.id}/2026-W14"]
    async with db.platform() as session:
        await service.delete(session, owner_of(report.org_id), report.id, now=DUE)
    assert await started(DUE + timedelta(days=7)) == []


async def test_deleted_report_computes_nothing_and_keeps_its_files_until_expiry(db: Database) -> None:
    report = await a_report(db, await an_organization(db), now=NOW)
    await make(db, Figures(), report)
    async with db.platform() as session:
        await service.delete(session, owner_of(report.org_id), report.id, now=DUE)
    assert await make(db, Figures({"agt_a": 7}), report) == MadeReport()
    assert len(await runs_of(db, report)) == 1
    for act in (
        lambda session: service.delete(session, owner_of(report.org_id), report.id, now=DUE),
        lambda session: service.change(
            session, owner_of(report.org_id), report.id, ReportRequest(definition=USUAL), now=DUE
        ),
    ):
        async with db.platform() as session:
            with pytest.raises(NotFound):
                await act(session)
    for after, left in ((timedelta(0), 1), (timedelta(seconds=1), 0)):
        message = DuePage(now=DUE + FILES_KEPT_FOR + after, after="z", limit=500)
        await ActivityEnvironment().run(work(db, Figures()).start, message)
        assert len(await runs_of(db, report)) == left


async def test_repeated_command_makes_one_report_and_another_request_is_refused(db: Database) -> None:
    org, command = await an_organization(db), new_id("cmd")

    async def create(definition: Any) -> str:
        async with db.platform() as session:
            wanted = ReportRequest(definition=definition)
            made = await service.create(session, owner_of(org), org, wanted, late=LATE, command_id=command, now=NOW)
            return made.id

    assert await create(USUAL) == await create(USUAL)
    with pytest.raises(IdempotencyConflict):
        await create(replace(USUAL, name="Other"))


async def test_reports_of_an_organization_are_bounded(db: Database) -> None:
    org = await an_organization(db)
    made = [await a_report(db, org, now=NOW) for _ in range(MAX_REPORTS)]
    with pytest.raises(Conflict, match="Delete one first"):
        await a_report(db, org, now=NOW)
    async with db.platform() as session:
        await service.delete(session, owner_of(org), made[0].id, now=NOW)
    assert await a_report(db, org, now=NOW)


async def test_recipient_outside_the_organization_is_refused(db: Database) -> None:
    org, other = await an_organization(db), await an_organization(db)
    await a_principal(db, other, "maria", Role.OWNER)
    for name in ("maria", "nobody"):
        with pytest.raises(Invalid) as refusal:
            await a_report(db, org, now=NOW, recipients=[name])
        assert refusal.value.extra == {"field": "recipients.0"}


async def test_period_is_computed_on_request_once_it_is_over(db: Database) -> None:
    report = await a_report(db, await an_organization(db), now=NOW)
    with pytest.raises(Conflict) as refusal:
        service.checked_period(report, WEEK, late=LATE, now=DUE - timedelta(seconds=1))
    assert refusal.value.error_code == "report.period_open"
    assert service.checked_period(report, "2026-W12", late=LATE, now=NOW).name == "2026-W12"
    done = await make(db, Figures(), report, NOW, "2026-W12")
    assert (done.number, (await read(db, report)).period_from) == (1, report.period_from)
