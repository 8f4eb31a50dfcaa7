"""Exports: complete rows of one organization without duplicates, and permissions for their files."""

import asyncio
import csv
import hashlib
import io
import json
import random
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock

import asyncpg
import pytest
from sqlalchemy import text
from temporalio.testing import ActivityEnvironment

from activities.insight.export import ExportActivities
from api.csv_files import columns_of
from api.deps import Deps
from api.outgoing import Slots
from api.v1.audit.endpoints import _LIST as AUDIT
from api.v1.economics.endpoints import _LIST as ECONOMICS
from api.v1.escrows.reading import _LIST as ESCROWS
from api.v1.events.endpoints import _LIST as EVENTS
from api.v1.invoices.schemas import InvoiceView
from api.v1.payments.endpoints import _LIST as PAYMENTS
from api.v1.reputation.endpoints import _HISTORY as REPUTATION
from api.v1.spends.endpoints import _USAGE as USAGE
from api.v1.transfers.schemas import EntryView, TransferView
from contracts.insight.export import ExpireExport, ExportInput, FinishExport, SettleExport, WriteExportFile, WrittenFile
from domain.common.access import Actor, Role
from domain.common.cells import cell_text, escape_formula
from domain.common.errors import RateLimited
from domain.insight.export import MOST_KEPT, Dataset, ExportFormat
from providers.files import Files
from repositories.insight.dataset import SOURCES, Column
from repositories.tenants import audit
from runtime.database import Database
from tests.api.conftest import Caller, Tenant, good, new_key, refused
from tests.api.escrowing import escrow_between
from tests.api.invoicing import issue
from tests.api.paying import Written
from tests.api.spending import grant, use
from tests.conftest import DatabaseUrls
from tests.support.cases import for_each
from tests.support.connections import connected
from tests.support.outbox import past_others
from tests.support.seeds import RUN_SEED

pytestmark = pytest.mark.db

LONG_AGO = "2020-01-01T00:00:00Z"
#: The columns of the lists that an export's columns are among, and what an export has besides.
LISTED: dict[Dataset, Sequence[str]] = {
    Dataset.TRANSFERS: [*TransferView.model_fields, "organization_id"],
    Dataset.ENTRIES: [*EntryView.model_fields, "transfer_id", "effective_at"],
    Dataset.USAGE: [*USAGE.columns, "organization_id"],
    Dataset.PAYMENTS: PAYMENTS.columns,
    Dataset.ESCROWS: ESCROWS.columns,
    Dataset.INVOICES: columns_of(InvoiceView),
    Dataset.REPUTATION: [*REPUTATION.columns, "agent_id"],
    Dataset.AUDIT: AUDIT.columns,
    Dataset.EVENTS: EVENTS.columns,
    Dataset.PURCHASES: ECONOMICS.columns,
}


class Killed(Files):
    """Fails once after each stored file, before the worker records it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder))
        self.died: set[str] = set()

    async def put(self, path: str, content: Path | bytes) -> None:
        await super().put(path, content)
        if path not in self.died:
            self.died.add(path)
            raise ConnectionError("killed")


@pytest.fixture
def folder(deps: Deps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Store files in a folder; no workflow answers."""
    monkeypatch.setattr(deps, "files", Files(str(tmp_path)))
    monkeypatch.setattr(deps, "temporal", AsyncMock())
    return tmp_path


async def ordered(caller: Caller, dataset: str, form: str = "csv", **more: Any) -> dict[str, Any]:
    body = {"dataset": dataset, "from": LONG_AGO, "format": form, **more}
    shown: dict[str, Any] = good(await caller.post("/exports", body, key=new_key()), 202)
    return shown


async def until_done(act: Callable[[], Any]) -> Any:
    """Retry after a killed worker, as Temporal does."""
    while True:
        try:
            return await act()
        except ConnectionError:
            continue


async def run(database: Database, files: Files, export_id: str, rows_per_file: int = 3) -> None:
    """Do what the run of an export does."""
    does, env = ExportActivities(database, files, rows_per_file=rows_per_file), ActivityEnvironment()
    while not (await env.run(does.settle, SettleExport(export_id=export_id))).settled:
        continue
    at = ExportInput(export_id=export_id, summary="")
    while True:
        message = WriteExportFile(export_id=export_id, number=at.number)
        done: WrittenFile = await until_done(partial(env.run, does.write_file, message))
        last, at = at.is_last(done), at.plus(done)
        if last:
            break
    now = datetime.now(UTC)
    finish = FinishExport(export_id=export_id, now=now)
    await until_done(partial(env.run, does.finish, finish))


async def downloaded(caller: Caller, export_id: str) -> tuple[dict[str, Any], list[str]]:
    """Return an export and its files, after checking hashes and sizes."""
    shown = good(await caller.get(f"/exports/{export_id}"))
    texts = []
    for file in shown["files"]:
        answer = await caller.get(file["url"])
        assert answer.status_code == 200, answer.text
        assert hashlib.sha256(answer.content).hexdigest() == file["sha256"]
        assert len(answer.content) == file["bytes"] == int(answer.headers["content-length"])
        texts.append(answer.text)
    return shown, texts


def rows_of(texts: list[str]) -> list[dict[str, str]]:
    return [row for each in texts for row in csv.DictReader(io.StringIO(each))]


async def a_spender(new_tenant: Any, operator: Caller, uses: int = 4, **body: Any) -> Tenant:
    tenant: Tenant = await new_tenant("owner", "finance", "member", "auditor", "agent")
    await grant(operator, tenant.org_id)
    for _ in range(uses):
        await use(tenant.owner, amount="1.5", action="exported", **body)
    return tenant


async def test_a_worker_killed_at_every_file_doubles_and_misses_no_row(
    new_tenant: Any, operator: Caller, database: Database, folder: Path
) -> None:
    tenant = await a_spender(new_tenant, operator)
    made = await ordered(tenant.owner, "entries")
    assert (made["status"], made["rows_done"], made["files"]) == ("queued", 0, [])
    await run(database, Killed(folder), made["id"], rows_per_file=2)
    shown, texts = await downloaded(tenant.owner, made["id"])
    async with database.platform() as session:
        query = "SELECT type_id('tr', transfer_id) || '/' || balance_after FROM ledger.entries WHERE org_id = :org"
        held = list(await session.scalars(text(query), {"org": tenant.org_id}))
        total = await session.scalar(
            text("SELECT sum(amount)::bigint FROM ledger.entries WHERE org_id = :org"), {"org": tenant.org_id}
        )
    rows = rows_of(texts)
    found = [f"{row['transfer_id']}/{round(float(row['balance_after']) * 10**6)}" for row in rows]
    assert sorted(found) == sorted(held)
    assert [file["rows"] for file in shown["files"]][:-1] == [2] * (len(shown["files"]) - 1)
    assert shown["rows_done"] == len(held) > 4
    assert shown["status"] == "done"
    assert shown["sums"] == {"CREDIT": cell_text(f"{total / 10**6:.2f}")}
    manifest = json.loads((folder / made["id"] / "manifest.json").read_text())
    assert (manifest["rows"], manifest["sums"]) == (len(held), shown["sums"])
    assert [each["sha256"] for each in manifest["files"]] == [each["sha256"] for each in shown["files"]]


async def test_last_row_of_a_file_starts_no_empty_file(
    new_tenant: Any, operator: Caller, database: Database, folder: Path
) -> None:
    tenant = await a_spender(new_tenant, operator)
    made = await ordered(tenant.owner, "usage")
    await run(database, Files(str(folder)), made["id"], rows_per_file=4)
    shown, texts = await downloaded(tenant.owner, made["id"])
    assert [file["rows"] for file in shown["files"]] == [4]
    assert shown["sums"] == {"CREDIT": "6.00"}
    assert [row["amount"] for row in rows_of(texts)] == ["1.50"] * 4


@for_each("dataset", list(Dataset))
async def test_both_formats_hold_the_tenants_rows_under_the_names_of_the_list(
    dataset: Dataset, new_tenant: Any, operator: Caller, database: Database, folder: Path
) -> None:
    tenant, other = await a_spender(new_tenant, operator, 1), await a_spender(new_tenant, operator, 1)
    names = [column.name for column in SOURCES[dataset].columns]
    # The log of purchases is that of one organization; an operator's export is of all.
    assert set(names) - ({"organization_id"} if dataset is Dataset.PURCHASES else set()) <= set(LISTED[dataset])
    found, now = {}, datetime.now(UTC).isoformat()
    for form in ExportFormat:
        made = await ordered(tenant.auditor, dataset.value, form.value, to=now)
        await run(database, Files(str(folder)), made["id"])
        shown, texts = await downloaded(tenant.auditor, made["id"])
        assert other.org_id not in "".join(texts)
        found[form] = texts, shown["rows_done"]
    (as_csv, rows), (as_lines, lines) = found[ExportFormat.CSV], found[ExportFormat.JSONL]
    assert all(next(csv.reader(io.StringIO(each))) == names for each in as_csv)
    documents = [json.loads(line) for each in as_lines for line in each.splitlines()]
    assert len(rows_of(as_csv)) == rows == lines == len(documents)
    for row, document in zip(rows_of(as_csv), documents, strict=True):
        assert list(document) == names
        plain = {name for name, value in document.items() if isinstance(value, str | int | None)} - {"is_sudden"}
        assert {name: row[name] for name in plain} == {name: cell_text(document[name]) for name in plain}
    if dataset in {Dataset.TRANSFERS, Dataset.ENTRIES, Dataset.USAGE, Dataset.EVENTS}:
        assert rows > 0


async def test_entries_of_all_organizations_add_up_to_zero(operator: Caller, database: Database, folder: Path) -> None:
    since = (datetime.now(UTC) - timedelta(minutes=30)).isoformat()
    made = await ordered(operator, "entries", **{"from": since})
    await run(database, Files(str(folder)), made["id"], rows_per_file=10**6)
    shown, _ = await downloaded(operator, made["id"])
    assert shown["organization_id"] is None
    assert shown["rows_done"] > 0
    assert set(shown["sums"].values()) <= {"0.00", "0"}


async def test_a_row_whose_commit_is_held_open_is_exported(
    new_tenant: Any, operator: Caller, database: Database, folder: Path
) -> None:
    tenant = await a_spender(new_tenant, operator, 0)
    late = Actor(principal="late", role=Role.OWNER, org_id=tenant.org_id)
    async with database.platform() as session:
        await audit.record(session, late, "held.open", tenant.org_id)
        made = await ordered(tenant.owner, "audit")
        running = asyncio.create_task(run(database, Files(str(folder)), made["id"]))
        # The export has begun to wait; it has to wait for this transaction.
        while True:
            async with database.platform() as other:
                query = text("SELECT horizon FROM exports WHERE id = :id")
                if await other.scalar(query, {"id": made["id"]}) is not None:
                    break
        # However often it looks meanwhile.
        for _ in range(50):
            assert good(await tenant.owner.get(f"/exports/{made['id']}"))["status"] == "queued"
    await running
    _, texts = await downloaded(tenant.owner, made["id"])
    assert [row["principal"] for row in rows_of(texts) if row["action"] == "held.open"] == ["late"]


async def test_rows_are_in_the_order_of_their_numbers(
    new_tenant: Any, operator: Caller, database: Database, folder: Path, database_urls: DatabaseUrls
) -> None:
    """A number with one more digit sorts after the others and is not omitted."""
    tenant = await a_spender(new_tenant, operator, 0)
    actor = Actor(principal="ann", role=Role.OWNER, org_id=tenant.org_id)
    owner = await asyncpg.connect(database_urls.owner)
    last = await owner.fetchval("SELECT max(id) FROM audit_log")
    await owner.execute(f"SELECT setval('audit_log_id_seq', {10 ** (len(str(last)) + 1) - 1})")
    await owner.close()
    async with database.platform() as session:
        await audit.record(session, actor, "noted", tenant.org_id)
    made = await ordered(tenant.owner, "audit")
    await run(database, Files(str(folder)), made["id"])
    _, texts = await downloaded(tenant.owner, made["id"])
    numbers = [int(row["id"]) for row in rows_of(texts)]
    assert numbers == sorted(numbers)
    assert [row["principal"] for row in rows_of(texts) if row["action"] == "noted"] == ["ann"]


async def test_cells_that_a_spreadsheet_would_calculate_are_text(
    new_tenant: Any, operator: Caller, database: Database, folder: Path
) -> None:
    tenant = await a_spender(new_tenant, operator, 1, run_id="=1+1;-1+1", metadata={"a": "x;=1"})
    made = await ordered(tenant.owner, "usage")
    await run(database, Files(str(folder)), made["id"])
    _, texts = await downloaded(tenant.owner, made["id"])
    assert [row["run_id"] for row in rows_of(texts)] == ["'=1+1;'-1+1"]
    assert [json.loads(row["metadata"]) for row in rows_of(texts)] == [{"a": "x;'=1"}]


async def test_the_database_guards_texts_as_lists_do(database_urls: DatabaseUrls) -> None:
    signs, draw = "=+-@\uff1d\ufe63;,|\t\r\n\u2028 \"'x15.e]}&\\", random.Random(RUN_SEED)
    texts = ["".join(draw.choices(signs, k=draw.randrange(9))) for _ in range(5_000)]
    written = Column("found", "given", "text").written(ExportFormat.CSV)
    async with connected(database_urls.platform) as connection:
        rows = await connection.fetch(f"SELECT given, {written} FROM unnest($1::text[]) AS given", texts)
    assert [row["found"] for row in rows] == [escape_formula(row["given"]) for row in rows]


async def test_exports_are_for_principals_that_read_the_whole_list(
    new_tenant: Any, stranger: Tenant, operator: Caller, database: Database, folder: Path
) -> None:
    tenant = await a_spender(new_tenant, operator, 1)
    body = {"dataset": "audit", "from": LONG_AGO}
    refused(await tenant.member.post("/exports", body, key=new_key()), 403, "auth.forbidden")
    made = await ordered(tenant.auditor, "audit")
    await run(database, Files(str(folder)), made["id"])
    path = f"/exports/{made['id']}"
    refused(await tenant.member.get(f"{path}/files/1"), 403, "auth.forbidden")
    assert (await tenant.finance.get(f"{path}/files/1")).status_code == 200
    refused(await tenant.finance.get(f"{path}/files/2"), 404, "not_found")
    for each in (path, f"{path}/files/1"):
        refused(await stranger.owner.get(each), 404, "not_found")
    assert [each["id"] for each in good(await tenant.member.get("/exports"))["data"]] == [made["id"]]
    assert [each["id"] for each in good(await tenant.member.get("/exports?dataset=usage"))["data"]] == []
    assert made["id"] in {each["id"] for each in good(await operator.get("/exports?limit=100"))["data"]}


async def test_export_request_is_made_once_and_bounded(new_tenant: Any, deps: Deps, folder: Path) -> None:
    tenant: Tenant = await new_tenant("owner")
    body, key = {"dataset": "usage", "from": LONG_AGO, "to": "9000-01-01T00:00:00Z"}, new_key()
    first = good(await tenant.owner.post("/exports", body, key=key), 202)
    assert first["to"] < (datetime.now(UTC) + timedelta(minutes=1)).isoformat()
    assert good(await tenant.owner.post("/exports", body, key=key), 202) == first
    for _ in range(MOST_KEPT - 1):
        await ordered(tenant.owner, "usage")
    refused(await tenant.owner.post("/exports", body, key=new_key()), 409, "export.limit_reached")
    late = {"dataset": "usage", "from": "9000-01-01T00:00:00Z"}
    refused(await tenant.owner.post("/exports", late, key=new_key()), 422, "request.invalid")


async def test_one_file_of_an_organization_is_written_at_a_time_and_few_are_downloaded(
    new_tenant: Any, operator: Caller, database: Database, deps: Deps, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant, stranger = [await a_spender(new_tenant, operator, 1) for _ in range(2)]
    first, second = [await ordered(tenant.owner, "usage") for _ in range(2)]
    other, env, refusals = await ordered(stranger.owner, "usage"), ActivityEnvironment(), list[bool]()

    async def written(export_id: str) -> int:
        await env.run(does.settle, SettleExport(export_id=export_id))
        done: WrittenFile = await env.run(does.write_file, WriteExportFile(export_id=export_id, number=1))
        return done.rows

    class Slow(Files):
        async def put(self, path: str, content: Path | bytes) -> None:
            if first["id"] in path:
                with pytest.raises(RateLimited) as refused:
                    await written(second["id"])
                refusals.append(refused.value.retryable)
                assert await written(other["id"]) == 1
            await super().put(path, content)

    does = ExportActivities(database, Slow(str(folder)))
    assert [await written(each["id"]) for each in (first, second)] == [1, 1]
    assert refusals == [True]
    monkeypatch.setattr(deps, "streams", Slots(1, "Too many downloads."))
    path = f"/exports/{first['id']}/files/1"
    with deps.streams.hold(tenant.org_id):
        refused(await tenant.owner.get(path), 429, "rate_limited")
    for _ in range(2):
        assert (await tenant.owner.get(path)).status_code == 200


async def test_files_are_deleted_when_their_time_is_over(
    new_tenant: Any, operator: Caller, database: Database, folder: Path
) -> None:
    tenant = await a_spender(new_tenant, operator, 1)
    made = await ordered(tenant.owner, "usage")
    await run(database, Files(str(folder)), made["id"])
    does, env = ExportActivities(database, Files(str(folder))), ActivityEnvironment()
    now = datetime.now(UTC)
    await env.run(does.expire, ExpireExport(export_id=made["id"], now=now))
    assert len(list((folder / made["id"]).iterdir())) == 2
    async with database.platform() as session:
        await session.execute(text("UPDATE exports SET expires_at = now() WHERE id = :id"), {"id": made["id"]})
    refused(await tenant.owner.get(f"/exports/{made['id']}/files/1"), 409, "export.expired")
    for _ in range(2):
        await env.run(does.expire, ExpireExport(export_id=made["id"], now=now + timedelta(hours=1)))
    assert good(await tenant.owner.get(f"/exports/{made['id']}"))["status"] == "expired"
    assert list((folder / made["id"]).iterdir()) == []


def plainly(name: str, value: str) -> object:
    """Return the parsed value of a cell: times as such, and JSON without its layout."""
    if value and (name == "at" or name.endswith("_at")):
        return datetime.fromisoformat(value)
    # Within JSON, a time is written as it is stored, without zeros at its end.
    plain = re.sub(r'(:\d\d)(?:(\.\d*[1-9])0*|\.0+)?(?:Z|\+00:00)"', r'\1\2Z"', value)
    return json.loads(plain) if value.startswith(("{", "[")) else value


async def test_cells_match_the_lists(new_tenant: Any, operator: Caller, database: Database, folder: Path) -> None:
    tenant = await a_spender(new_tenant, operator, 2, metadata={"a": "=1"})
    paid = await Written(database, tenant.org_id).begin()
    paid.there.pay()
    await paid.look()
    await issue(operator, tenant)
    await escrow_between(operator, database, tenant, await new_tenant("owner"))
    await past_others(database)
    paths = {
        Dataset.PAYMENTS: "/payments",
        Dataset.INVOICES: "/billing/invoices",
        Dataset.ESCROWS: "/escrows",
        Dataset.USAGE: "/credits/usage",
        Dataset.EVENTS: "/events",
        Dataset.AUDIT: "/audit",
    }
    for dataset, path in paths.items():
        answer = await tenant.owner.get(path, headers={"Accept": "text/csv"})
        listed = {row["id"]: row for row in csv.DictReader(io.StringIO(answer.text))}
        made = await ordered(tenant.owner, dataset.value)
        await run(database, Files(str(folder)), made["id"])
        _, texts = await downloaded(tenant.owner, made["id"])
        # What the order itself adds, and what is made with a time of long ago, is not in both.
        rows = {row["id"]: row for row in rows_of(texts)}
        assert listed.keys() <= rows.keys(), dataset
        assert listed, dataset
        for row_id, other in listed.items():
            shared = rows[row_id].keys() & other.keys()
            assert {name: plainly(name, rows[row_id][name]) for name in shared} == {
                name: plainly(name, other[name]) for name in shared
            }, dataset
