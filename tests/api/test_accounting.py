"""Reports on the books: they add up at any moment, tie to each other, and other programs can read them."""

import asyncio
import csv
import io
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from beancount import loader

from domain.common import accounts
from domain.common.text import rfc3339
from ledger.gateway import Ledger
from manage import main
from runtime.database import Database, driver_connection
from tests.api.conftest import Caller, NewTenant, good, refused
from tests.api.metering import event, import_prices, send, statuses
from tests.conftest import DatabaseUrls
from tests.support.books import fresh, settle_uses

pytestmark = pytest.mark.db

#: No other tests use this currency, nor these days.
CURRENCY = "WST"
FIRST = datetime(2021, 3, 30, 12, tzinfo=UTC)
MARCH = {"start_date": "2021-03-01", "end_date": "2021-03-31", "currency": CURRENCY}
APRIL = {**MARCH, "start_date": "2021-04-01", "end_date": "2021-04-30"}
#: Not that of a provider whose movements are booked: nothing was moved there.
TILL = accounts.provider_clearing("credits", CURRENCY)
SALE = (TILL, accounts.platform("commission", CURRENCY))
FEE = (accounts.platform("fees/stripe", CURRENCY), TILL)

Post = Callable[..., Awaitable[None]]


@pytest.fixture
def post(database: Database) -> Post:
    async def act(pair: tuple[accounts.Account, accounts.Account], amount_minor: int, at: datetime) -> None:
        async with database.platform() as session:
            await Ledger(await driver_connection(session)).post(
                key=fresh("accounting"),
                kind="test.sale",
                source=pair[0],
                destination=pair[1],
                amount_minor=amount_minor,
                reference="inv_1",
                effective_at=at,
            )

    return act


async def add_up(database: Database, limit: int = 5_000) -> int:
    """Add transfers to their days until none is left that was posted before."""
    async with database.platform_statement() as connection:
        await settle_uses(connection)
        done = 0
        while count := await connection.fetchval("SELECT ledger.add_up_days($1)", limit):
            done += count
    return done


def lines(shown: dict[str, Any]) -> dict[str, tuple[str, str, str, str]]:
    return {
        one["line"]: (one["opening_debit"], one["opening_credit"], one["debits"], one["credits"])
        for one in shown["lines"]
    }


async def test_reports_are_the_same_before_and_after_days_are_added_up(
    operator: Caller, post: Post, database: Database
) -> None:
    await post(SALE, 10_000, FIRST)
    await post(FEE, 300, FIRST + timedelta(days=1))
    await post(SALE, 2_000, FIRST + timedelta(days=3))
    # Booked late, for a day that others were booked after.
    await post(SALE, 1, FIRST)

    async def reports() -> list[Any]:
        asked = [("trial-balance", MARCH), ("trial-balance", APRIL), ("profit-and-loss", APRIL), ("journal", MARCH)]
        asked.append(("balance-sheet", {"date": "2021-04-02", "currency": CURRENCY}))
        return [good(await operator.get(f"/accounting/{name}", params=params)) for name, params in asked]

    before = await reports()
    assert lines(before[1]) == {
        "platform/commission": ("0.00", "100.01", "0.00", "20.00"),
        "platform/fees/stripe": ("3.00", "0.00", "0.00", "0.00"),
        "provider/credits/clearing": ("97.01", "0.00", "20.00", "0.00"),
    }
    [total] = before[1]["totals"]
    assert (total["opening_debit"], total["closing_debit"]) == ("100.01", "120.01")
    assert (total["opening_credit"], total["closing_credit"]) == ("100.01", "120.01")
    [earned] = before[2]["currencies"]
    assert (earned["revenue"]["total"], earned["expenses"]["total"], earned["result"]) == ("20.00", "0.00", "20.00")
    [sheet] = before[4]["currencies"]
    assert (sheet["assets"]["total"], sheet["liabilities"]["total"], sheet["result"]) == ("117.01", "0.00", "117.01")
    assert await add_up(database, limit=2) >= 4
    assert await reports() == before
    assert await add_up(database) == 0


async def test_cost_of_model_calls_is_shown_next_to_the_result_in_the_api_and_on_the_command_line(
    operator: Caller,
    new_tenant: NewTenant,
    database: Database,
    database_urls: DatabaseUrls,
    capsys: pytest.CaptureFixture[str],
) -> None:
    tenant, at = await new_tenant("owner"), datetime.now(UTC) - timedelta(days=2)
    await import_prices(database, "costly-model", datetime(2025, 1, 1, tzinfo=UTC), input_tokens="0.01")

    async def printed(report: str = "profit-and-loss") -> list[str]:
        given = ["--from", str(at.date()), "--to", str(at.date()), "--currency", "USD"]
        done = await asyncio.to_thread(main, ["books", report, *given, "--database-url", database_urls.platform])
        assert done == 0
        lines = capsys.readouterr().out.splitlines()
        return [line.split()[-1] for line in lines if line.startswith("provider cost (not included) ")]

    before = Decimal((await printed() or ["0"])[0])
    data = {"model": "costly-model", "provider": "openai", "usage": {"input_tokens": 1_234}}
    assert statuses(await send(tenant.owner, event(time=rfc3339(at), data=data))) == ["accepted"]
    # 1,234 tokens at 0.01 each. Nothing of it is in the books, so a currency without any transfer is shown as well.
    cost = str(before + Decimal("12.34"))
    assert await printed() == [cost]
    params = {"start_date": str(at.date()), "end_date": str(at.date()), "currency": "USD"}
    [shown] = good(await operator.get("/accounting/profit-and-loss", params=params))["currencies"]
    assert shown["provider_cost"] == cost
    assert await printed("trial-balance") == await printed("balance-sheet") == []


async def test_line_of_the_trial_balance_leads_to_its_transfers_page_by_page(operator: Caller, post: Post) -> None:
    for number in range(3):
        await post(FEE, 7, FIRST - timedelta(days=400) + timedelta(days=number // 2))
    shown = good(
        await operator.get(
            "/accounting/trial-balance",
            params={"start_date": "2020-02-01", "end_date": "2020-03-31", "currency": CURRENCY},
        )
    )
    [line] = [one for one in shown["lines"] if one["line"] == "platform/fees/stripe"]
    found: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = good(await operator.get(f"{line['journal_url']}&limit=1" + (f"&cursor={cursor}" if cursor else "")))
        found += page["data"]
        cursor = page["next_cursor"]
    debits = [entry["debit"] for one in found for entry in one["entries"] if entry["line"] == line["line"]]
    assert debits == ["0.07"] * 3
    assert line["debits"] == "0.21"
    assert [one["effective_at"] for one in found] == sorted(one["effective_at"] for one in found)


async def test_bean_check_passes_for_all_bookings(operator: Caller, post: Post, tmp_path: Path) -> None:
    await post(SALE, 5, datetime.now(UTC))
    today = datetime.now(UTC).date()
    asked = {"start_date": str(today - timedelta(days=30)), "end_date": str(today), "format": "beancount"}
    answer = await operator.get("/accounting/journal", params=asked)
    assert answer.status_code == 200
    assert answer.headers["content-disposition"].endswith('journal.beancount"')
    file = tmp_path / "journal.beancount"
    file.write_bytes(answer.content)
    entries, errors, _ = loader.load_file(str(file))
    assert not errors, errors[:3]
    assert {type(entry).__name__ for entry in entries} == {"Open", "Transaction", "Balance"}
    # It compares: one minor unit more on one side is found.
    file.write_text(answer.text.replace("Opening balances", "x").replace(" 0.05 WST", " 0.06 WST", 1))
    assert loader.load_file(str(file))[1]


async def file_of(caller: Caller, params: dict[str, str]) -> list[list[str]]:
    answer = await caller.get("/accounting/journal", params=params)
    assert answer.status_code == 200, answer.text
    return list(csv.reader(io.StringIO(answer.text)))


async def test_sums_of_days_are_written_for_import_elsewhere(operator: Caller, post: Post) -> None:
    at = FIRST - timedelta(days=800)
    await post(SALE, 1_000, at)
    await post(FEE, 30, at)
    asked = {"start_date": str(at.date()), "end_date": str(at.date()), "currency": CURRENCY}
    rows = await file_of(operator, {**asked, "format": "quickbooks"})
    assert rows[0][:5] == ["*JournalNo", "*JournalDate", "*AccountName", "*Debits", "*Credits"]
    assert sorted(row[2:5] for row in rows[1:]) == [
        ["Platform:Commission", "", "10.00"],
        ["Platform:Fees:Stripe", "0.30", ""],
        ["Provider:Credits:Clearing", "9.70", ""],
    ]
    problem = refused(
        await operator.get("/accounting/journal", params={**asked, "format": "xero"}), 409, "accounting.not_mapped"
    )
    assert problem["lines"] == ["platform/commission", "platform/fees/stripe", "provider/credits/clearing"]
    rows = await file_of(operator, {**asked, "format": "csv"})
    assert len(rows) == 5
    assert {row[8] for row in rows[1:]} == {"10.00", "0.30", ""}


async def test_journal_of_a_period_has_its_transfers(operator: Caller, post: Post) -> None:
    at = FIRST - timedelta(days=1200)
    moments = [at + timedelta(hours=hours) for hours in (-30, 0, 1, 30)]
    for minor, moment in enumerate(moments, 1):
        await post(SALE, minor, moment)
    asked = {"from": moments[1].isoformat(), "to": moments[3].isoformat(), "currency": CURRENCY}
    assert [row[8] for row in (await file_of(operator, {**asked, "format": "csv"}))[1:] if row[8]] == ["0.02", "0.03"]
    found: list[str] = []
    cursor: str | None = None
    while True:
        params = asked | {"limit": "1"} | ({} if cursor is None else {"cursor": cursor})
        page = good(await operator.get("/accounting/journal", params=params))
        found += [one["effective_at"] for one in page["data"]]
        if (cursor := page["next_cursor"]) is None:
            break
    assert [datetime.fromisoformat(one) for one in found] == moments[1:3]
    for form in ("beancount", "quickbooks", "xero"):
        answer = await operator.get("/accounting/journal", params={**asked, "format": form})
        assert refused(answer, 422, "request.invalid")["field"] == "from"


@pytest.mark.parametrize(
    "params",
    [
        {"start_date": "2021-03-02", "end_date": "2021-03-01"},
        {"start_date": "2019-01-01", "end_date": "2021-03-01"},
        {"currency": "XXX"},
        {"format": "quickbooks"},
        {"format": "xero", "currency": "CREDIT"},
        {"format": "beancount", "currency": "USD"},
        {"cursor": "x"},
    ],
)
async def test_bad_questions_are_refused(operator: Caller, params: dict[str, str]) -> None:
    refused(await operator.get("/accounting/journal", params=params), 422, "request.invalid")


async def test_sums_of_a_page_read_new_rows_only(post: Post, database: Database) -> None:
    """Entries read for the same ten transfers, in books of two sizes."""
    read: list[int] = []
    for grown in (0, 300):
        async with database.platform() as session:
            ledger = Ledger(await driver_connection(session))
            for _ in range(grown):
                await ledger.post(
                    key=fresh("grown"),
                    kind="t",
                    source=SALE[0],
                    destination=SALE[1],
                    amount_minor=1,
                    effective_at=FIRST - timedelta(days=1200),
                )
        await add_up(database)
        for _ in range(10):
            await post(SALE, 1, FIRST - timedelta(days=1200))
        async with database.platform() as session:
            connection = await driver_connection(session)
            plan = await connection.fetchval(
                "EXPLAIN (ANALYZE, FORMAT JSON) SELECT * FROM ledger.accounting_place p,"
                " LATERAL ledger.sums_by_day(p.summed, 'ffffffff-ffff-ffff-ffff-ffffffffffff')"
            )
        read.append(_entries_read(plan))
    assert 20 <= read[1] <= read[0] + 5, read


def _entries_read(plan: list[dict[str, Any]]) -> int:
    # Not accounts, which a database of few is right to read whole.
    def entries(node: dict[str, Any]) -> int:
        below = sum(entries(child) for child in node.get("Plans", []))
        own = (
            node["Actual Rows"] + node.get("Rows Removed by Filter", 0) if node.get("Relation Name") == "entries" else 0
        )
        return below + int(own * node["Actual Loops"])

    return entries(plan[0]["Plan"])
