"""Creating, computing and deleting reports in the console, and following exports until their files exist."""

from typing import Any

import pytest

from tests.api.conftest import Tenant, good
from tests.console.conftest import Visitor
from tests.console.fake import ME, ORG, OWN, FakeApi, browser
from tests.console.strict import read

REPORT = {
    "id": "rep_1",
    "organization_id": ORG,
    "name": "Projects",
    "template": None,
    "query": [{"metrics": ["spending"]}],
    "format": "pdf",
    "schedule": "weekly",
    "zone": "Europe/Vienna",
    "recipients": ["maria"],
    "next_period": "2026-W48",
    "next_run_at": "2026-11-30T02:00:00Z",
    "is_changing": False,
    "deleted_at": None,
}
RUN = {
    "number": 7,
    "period": "2026-W47",
    "version": 2,
    "format": "pdf",
    "sha256": "ab" * 32,
    "notified": ["maria"],
    "left_out": {"kim": "no_key"},
    "made_at": "2026-11-23T02:00:00Z",
}
EXPORT = {
    "id": "exp_1",
    "organization_id": ORG,
    "dataset": "entries",
    "format": "csv",
    "from": "2026-01-01T00:00:00Z",
    "to": "2026-11-01T00:00:00Z",
    "status": "running",
    "rows_done": 1_000_000,
    "files": [
        {"number": 1, "name": "entries-1.csv", "rows": 1_000_000, "bytes": 812_345_678, "sha256": "cd" * 32, "sums": {}}
    ],
    "sums": {"CREDIT": "12.50"},
    "created_by": "maria",
    "created_at": "2026-11-01T00:00:00Z",
    "finished_at": None,
    "expires_at": None,
}


async def page(path: str, **answers: Any) -> str:
    known: dict[str, tuple[int, Any]] = {
        "GET /me": (200, {**ME, "permissions": ["read", "read_billing", "manage_reports"]}),
        "GET /reports/templates": (200, {"data": [], "next_cursor": None}),
    }
    known |= {name.replace("_", " ", 1): (200, each) for name, each in answers.items()}
    api = FakeApi(answers=known)
    async with browser(api, signed_in=True) as client:
        text = (await client.get(f"/console/{ORG}{path}")).text
    assert read(text).problems == []
    return text


async def test_report_shows_its_files_and_who_was_notified() -> None:
    runs = {"data": [RUN], "next_cursor": None}
    text = await page("/reports/rep_1", **{"GET_/reports/rep_1": REPORT, "GET_/reports/rep_1/runs": runs})
    assert f'href="/console/{ORG}/reports/rep_1/runs/7/file"' in text
    assert "kim no longer has a key" in text
    assert ">Week 47 of 2026<" in text
    assert "A past week, such as 2026-W13." in text


async def test_report_that_was_deleted_has_no_commands() -> None:
    gone = {**REPORT, "deleted_at": "2026-11-24T00:00:00Z", "next_run_at": None, "next_period": None}
    runs = {"data": [RUN], "next_cursor": None}
    text = await page("/reports/rep_1", **{"GET_/reports/rep_1": gone, "GET_/reports/rep_1/runs": runs})
    assert "Deleted." in text
    assert "/reports/rep_1/delete" not in text
    assert "/reports/rep_1/runs/7/file" in text


async def test_export_page_refreshes_until_done() -> None:
    text = await page("/exports/exp_1", **{"GET_/exports/exp_1": EXPORT})
    assert 'http-equiv="refresh"' in text
    assert "data-running" in text
    assert "1,000,000 rows are in finished files" in text
    assert "813 MB" in text
    done = {**EXPORT, "status": "done", "expires_at": "2026-11-08T00:00:00Z"}
    text = await page("/exports/exp_1", **{"GET_/exports/exp_1": done})
    assert 'http-equiv="refresh"' not in text
    assert f'href="/console/{ORG}/exports/exp_1/files/1"' in text
    gone = {**EXPORT, "status": "expired", "expires_at": "2026-11-08T00:00:00Z"}
    assert "/exports/exp_1/files/1" not in await page("/exports/exp_1", **{"GET_/exports/exp_1": gone})


async def test_export_covers_whole_days_of_the_readers_time_zone() -> None:
    api = FakeApi(answers={"POST /exports": (202, EXPORT)})
    sent = {"command": "con_0123456789012345678", "dataset": "entries", "format": "csv", "from": "2026-01-01"}
    async with browser(api, signed_in=True) as client:
        done = await client.post(f"/console/{ORG}/exports", data={**sent, "to": "2026-01-31"}, headers=OWN)
    assert done.headers["location"] == f"/console/{ORG}/exports/exp_1?notice=export.ordered"
    body = next(body for name, _, body in api.asked if name == "POST /exports")
    assert (body["from"], body["to"]) == ("2026-01-01T00:00:00+00:00", "2026-02-01T00:00:00+00:00")


@pytest.mark.db
async def test_report_is_made_once_and_deleted(visitors: dict[str, Visitor], tenant: Tenant) -> None:
    owner, base = visitors["owner"], f"/console/{tenant.org_id}/reports"
    fields = {"command": await owner.form(f"{base}/new"), "name": "Returns of the month"}
    fields |= {"template": "monthly_returns", "schedule": "", "format": "html", "recipients": ""}
    first, again = [await owner.post(f"{base}/new", fields) for _ in range(2)]
    here = first.headers["location"].partition("?")[0]
    assert again.headers["location"] == f"{here}?notice=again"
    assert "Returns of the month" in (await owner.get(base)).text
    early = await owner.post(f"{here}/runs", {"command": "con_report_run_012345678", "period": "2999-01"})
    assert (early.status_code, "Nothing was done." in early.text) == (409, True)
    asked = await owner.form(f"{here}/delete")
    assert (await owner.post(f"{here}/delete", {"command": asked})).status_code == 303
    assert good(await tenant.owner.get(f"/reports/{here.rpartition('/')[2]}"))["deleted_at"] is not None
