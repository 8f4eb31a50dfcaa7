"""Reports over HTTP: permissions, contents of files, and refusals."""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from temporalio.testing import ActivityEnvironment

from activities.insight.report import ReportActivities
from api.app import create_app
from contracts.insight.report import MakeReport
from domain.insight.report import TEMPLATES, ReportSchedule, period_at
from runtime.database import Database
from services.insight.metrics import run_query
from tests.api.conftest import Caller, NewTenant, Tenant, good, new_key, refused, settings_for
from tests.api.spending import grant, use
from tests.conftest import DatabaseUrls
from tests.support.cases import for_each
from tests.support.reports import LATE
from tests.support.serving import client_of
from tests.support.starts import Starts

pytestmark = pytest.mark.db

PATH = "/reports"
ASKED = [{"metrics": ["spending", "spends"], "by": ["agent"], "title": "=Spent"}]


@pytest.fixture
async def own(new_tenant: NewTenant) -> Tenant:
    return await new_tenant("owner", "finance", "member", "auditor", "agent")


def _report(**changes: Any) -> dict[str, Any]:
    return {"name": "Spending", "query": ASKED, "schedule": "daily", "format": "csv", **changes}


async def made(db: Database, report: dict[str, Any], period: str | None = None) -> None:
    """Make a run of a report, by default of its next period."""
    client: Any = Starts()
    acts = ReportActivities(db, client, run_query, late=LATE)
    now = datetime.fromisoformat(report["next_run_at"])
    message = MakeReport(report_id=report["id"], period=period or report["next_period"], now=now)
    await ActivityEnvironment().run(acts.make, message)


async def test_report_is_made_read_replaced_and_deleted_and_its_files_stay(own: Tenant, db: Database) -> None:
    key = new_key()
    report = good(await own.owner.post(PATH, _report(), key=key), 201)
    assert good(await own.owner.post(PATH, _report(), key=key), 201) == report
    assert report["id"].startswith("rpt_")
    there = f"{PATH}/{report['id']}"
    assert good(await own.auditor.get(PATH))["data"] == [report] == [good(await own.auditor.get(there))]
    assert good(await own.member.get(f"{there}/runs"))["data"] == []

    changed = good(await own.finance.ask("PUT", there, json=_report(format="html", schedule="weekly")))
    assert (changed["format"], changed["is_changing"], changed["next_run_at"]) == ("html", True, report["next_run_at"])
    await made(db, report)
    now = good(await own.owner.get(there))
    assert (now["is_changing"], now["next_period"][5]) == (False, "W")

    [run] = good(await own.member.get(f"{there}/runs"))["data"]
    assert (run["period"], run["version"], run["format"]) == (report["next_period"], 1, "csv")
    file = await own.member.get(f"{there}/runs/1/file")
    assert file.text.splitlines()[1].startswith('"total","\'=Spent",')
    assert file.headers["content-disposition"] == f'attachment; filename="report-{run["period"]}-v1.csv"'
    assert file.headers["etag"] == f'"{run["sha256"]}"'

    assert (await own.owner.delete(there)).status_code == 204
    refused(await own.owner.delete(there), 404, "not_found")
    refused(await own.owner.ask("PUT", there, json=_report()), 404, "not_found")
    refused(await own.owner.post(f"{there}/runs", {"period": "2026-01-01"}), 404, "not_found")
    assert good(await own.owner.get(PATH))["data"] == []
    assert good(await own.owner.get(there))["deleted_at"]
    assert (await own.member.get(f"{there}/runs/1/file")).content == file.content
    entries = good(await own.auditor.get(f"/audit?target={report['id']}"))["data"]
    assert [entry["action"] for entry in entries] == ["report.delete", "report.change", "report.create"]


async def test_file_has_spending_and_a_late_refund_makes_a_second_version(
    own: Tenant, operator: Caller, db: Database
) -> None:
    await grant(operator, own.org_id)
    report = good(await own.owner.post(PATH, _report(schedule="quarterly", format="jsonl")), 201)
    used = await use(own.agent, amount="7", action="look")
    spent_at = good(await own.owner.get(f"/credits/spends/{used['id']}"))["created_at"]
    # The quarter of the spend, whenever the next one begins.
    quarter = period_at(ReportSchedule.QUARTERLY, datetime.fromisoformat(spent_at), ZoneInfo("UTC"))
    over = {**report, "next_run_at": (quarter.until + timedelta(days=1)).isoformat()}
    await made(db, over, quarter.name)
    refund = {"amount": "2.50", "reason": "It was too slow"}
    good(await operator.post(f"/credits/spends/{used['id']}/refunds", refund, key=new_key()), 201)
    await made(db, over, quarter.name)
    files = [await own.owner.get(f"{PATH}/{report['id']}/runs/{number}/file") for number in (1, 2)]
    first, second = ([json.loads(line) for line in file.text.splitlines()] for file in files)
    assert first[1]["group"] == {"agent": own.agent_id}
    assert (first[1]["values"][0]["value"], second[0]["version"]) == ("7.00", 2)
    late = [(each["type"], each["metric"], each["before"], each["after"]) for each in second[1:3]]
    assert late == [("change", "spending", "7.00", "4.50"), ("total_change", "spending", "7.00", "4.50")]


@for_each("name", [name for name, each in TEMPLATES.items() if not each.for_platform])
async def test_template_is_computed_for_an_organization(name: str, own: Tenant, db: Database) -> None:
    asked = {"name": name, "template": name, "zone": "Asia/Tokyo", "format": "html"}
    report = good(await own.owner.post(PATH, asked), 201)
    assert (report["query"], report["schedule"]) == ([], TEMPLATES[name].schedule.value)
    await made(db, report)
    page = (await own.owner.get(f"{PATH}/{report['id']}/runs/1/file")).text
    for question in TEMPLATES[name].questions:
        assert f"<h2>{question.title}</h2>" in page
    # Nothing has happened, and no question was refused.
    assert page.count("<p>") == page.count("<p>Nothing in this period.") + page.count("<p>These figures")


async def test_report_of_the_platform_is_for_operators(
    own: Tenant, operator: Caller, issue_key: Callable[..., Awaitable[Caller]], db: Database
) -> None:
    month = {"name": "Month", "template": "platform_month", "format": "jsonl"}
    refused(await own.owner.post(PATH, month), 422, "request.invalid")
    asked = {**_report(), "query": [{"metrics": ["revenue"]}]}
    refused(await own.owner.post(PATH, asked), 422, "analytics.unknown")
    report = good(await operator.post(PATH, month), 201)
    await made(db, report)
    file = await operator.get(f"{PATH}/{report['id']}/runs/1/file")
    assert "problem" not in file.text
    assert file.headers["content-type"] == "application/jsonl"
    for path in ("", "/runs", "/runs/1/file"):
        refused(await own.owner.get(f"{PATH}/{report['id']}{path}"), 404, "not_found")
        refused(await (await issue_key("arbiter")).get(f"{PATH}/{report['id']}{path}"), 403, "auth.forbidden")
    assert (await operator.delete(f"{PATH}/{report['id']}")).status_code == 204
    other = good(await operator.post(PATH, _report(organization_id=own.org_id)), 201)
    assert good(await own.owner.get(f"{PATH}/{other['id']}"))["organization_id"] == own.org_id


async def test_report_of_another_organization_is_not_found(own: Tenant, new_tenant: NewTenant, db: Database) -> None:
    report, stranger = good(await own.owner.post(PATH, _report()), 201), await new_tenant("owner")
    await made(db, report)
    there = f"{PATH}/{report['id']}"
    for method, path, body in (
        ("GET", there, None),
        ("PUT", there, _report()),
        ("DELETE", there, None),
        ("GET", f"{there}/runs", None),
        ("POST", f"{there}/runs", {"period": report["next_period"]}),
        ("GET", f"{there}/runs/1/file", None),
    ):
        refused(await stranger.owner.ask(method, path, json=body), 404, "not_found")
    assert good(await stranger.owner.get(PATH))["data"] == []
    refused(await stranger.owner.post(PATH, _report(organization_id=own.org_id)), 404, "not_found")


async def test_agents_and_keys_of_a_department_make_and_read_no_reports(own: Tenant, db: Database) -> None:
    report = good(await own.owner.post(PATH, _report()), 201)
    there = f"{PATH}/{report['id']}"
    for caller in (own.member, own.auditor, own.agent):
        refused(await caller.ask("PUT", there, json=_report()), 403, "auth.forbidden")
        refused(await caller.delete(there), 403, "auth.forbidden")
    department = good(await own.owner.post("/departments", {"name": "Research"}), 201)
    key = good(await own.owner.post("/api-keys", {"principal": "lena", "role": "member"}, key=new_key()), 201)
    there_too = f"/api-keys/{key['id']}/attribution"
    good(await own.owner.ask("PUT", there_too, json={"department_id": department["id"]}))
    confined = Caller(own.owner.http, key["secret"], own.org_id)
    for path in (PATH, there, f"{there}/runs", f"{there}/runs/1/file"):
        refused(await confined.get(path), 403, "auth.forbidden")


@for_each(
    "changes, code, field",
    [
        ({"query": [{"metrics": ["spendings"]}]}, "analytics.unknown", "metrics"),
        ({"query": [{"metrics": ["spending"], "by": ["planet"]}]}, "analytics.unknown", "by"),
        ({"query": []}, "request.invalid", "query"),
        ({"template": "weekly_projects"}, "request.invalid", "query"),
        ({"template": "no_such", "query": []}, "request.invalid", "template"),
        ({"zone": "Europe/Atlantis"}, "request.invalid", "zone"),
        ({"recipients": ["nobody.there"]}, "request.invalid", "recipients.0"),
        ({"schedule": "hourly"}, "request.invalid", None),
        ({"schedule": None}, "request.invalid", None),
        ({"format": "docx"}, "request.invalid", None),
        ({"name": " "}, "request.invalid", None),
        ({"query": [{"metrics": ["spending"], "limit": 1001}]}, "request.invalid", None),
        ({"query": ASKED * 21}, "request.invalid", None),
    ],
)
async def test_invalid_report_is_refused_with_its_field(
    changes: dict[str, Any], code: str, field: str | None, tenant: Tenant
) -> None:
    document = refused(await tenant.owner.post(PATH, _report(**changes)), 422, code)
    assert document.get("field") == field


async def test_period_that_is_not_over_or_not_of_the_schedule_is_not_computed(own: Tenant) -> None:
    report = good(await own.owner.post(PATH, _report()), 201)
    there = f"{PATH}/{report['id']}/runs"
    refused(await own.owner.post(there, {"period": report["next_period"]}), 409, "report.period_open")
    refused(await own.owner.post(there, {"period": "2026-W02"}), 422, "request.invalid")
    refused(await own.auditor.post(there, {"period": "2026-01-02"}), 403, "auth.forbidden")
    refused(await own.owner.get(f"{there}/1/file"), 404, "not_found")
    day = f"{datetime.now(UTC) - timedelta(days=3):%Y-%m-%d}"
    # No Temporal runs for these tests: the request gets as far as that.
    refused(await own.owner.post(there, {"period": day}), 503, "service.unavailable")


async def test_finished_period_is_requested_from_the_report_workflow(own: Tenant, database_urls: DatabaseUrls) -> None:
    client: Any = Starts()
    async with client_of(create_app(settings_for(database_urls), temporal=client)) as http:
        owner = Caller(http, own.owner.token, own.org_id)
        report = good(await owner.post(PATH, _report()), 201)
        day = f"{datetime.now(UTC) - timedelta(days=3):%Y-%m-%d}"
        asked = good(await owner.post(f"{PATH}/{report['id']}/runs", {"period": day}), 202)
    assert asked == {"report_id": report["id"], "period": day}
    assert len(client.ids) == 1
