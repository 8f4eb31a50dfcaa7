"""Statements over HTTP: they add up, hide other organizations, and use days of a time zone."""

import csv
import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib import import_module
from typing import Any

import pytest
from fastapi import FastAPI

from domain.common import accounts
from domain.credits.lots import LotSource, LotTerms
from ledger.gateway import Ledger
from runtime.database import Database, driver_connection
from tests.api.conftest import Caller, NewTenant, Tenant, good, new_key, refused
from tests.api.escrowing import escrow_between, funded_escrow
from tests.api.listing import file_of
from tests.api.spending import grant, use
from tests.api.test_earnings import earn
from tests.api.test_summary import pay_in

pytestmark = pytest.mark.db

PATH = "/billing/statement"


@pytest.fixture
async def tenant(new_tenant: NewTenant) -> Tenant:
    return await new_tenant("owner", "member", "auditor", "agent")


def adds_up(statement: dict[str, Any]) -> None:
    moved = sum(Decimal(line["amount"]) for line in statement["data"])
    assert Decimal(statement["opening_balance"]) + moved == Decimal(statement["closing_balance"])


async def test_statement_says_what_for_with_whom_and_what_was_paid(
    operator: Caller, database: Database, tenant: Tenant, new_tenant: NewTenant
) -> None:
    payee = await new_tenant("auditor")
    async with database.platform() as session:
        ledger = Ledger(await driver_connection(session))
        for source, destination, minor, lots in (
            (accounts.platform("exchange", "USD"), accounts.platform("deferred_revenue", "USD"), 1000, None),
            (
                accounts.platform("credit_issuance", "CREDIT"),
                accounts.org_credits(tenant.org_id),
                100_000_000,
                LotTerms(source=LotSource.PURCHASE, paid_minor=1000, paid_asset="USD"),
            ),
        ):
            await ledger.post(
                key=new_key(),
                kind="t",
                source=source,
                destination=destination,
                amount_minor=minor,
                effective_at=datetime.now(UTC),
                lots=lots,
            )
    await use(tenant.member, amount="2.50", action="research")
    escrow_id = await funded_escrow(operator, database, tenant, payee)
    statement = good(await tenant.auditor.get(PATH))
    adds_up(statement)
    shown = {line["kind"]: line for line in statement["data"]}
    assert (shown["use"]["amount"], shown["use"]["purpose"]) == ("-2.50", "research")
    assert shown["use"]["paid"] == [{"amount": "0.25", "currency": "USD"}]
    assert shown["use"]["counterparties"] == [{"type": "platform", "account": None}]
    assert shown["t"]["paid"] == [{"amount": "10.00", "currency": "USD"}]
    (funded,) = (line for line in statement["data"] if line["reference"] == escrow_id)
    assert (funded["purpose"], funded["amount"]) == ("Job", "-1.00")
    assert funded["counterparties"] == [{"type": "own", "account": f"escrow/{escrow_id}"}]
    held = good(await tenant.owner.get(f"{PATH}?account=escrow/{escrow_id}"))
    assert (held["opening_balance"], held["closing_balance"], len(held["data"])) == ("0.00", "1.00", 1)


async def test_pages_files_and_the_next_period_agree(operator: Caller, database: Database, tenant: Tenant) -> None:
    await grant(operator, tenant.org_id)
    for _ in range(4):
        await use(tenant.member, amount="1")
    escrow_id = await escrow_between(operator, database, tenant, tenant, price="5", title="=<b>late</b>")
    middle = datetime.now(UTC)
    await pay_in(database, escrow_id, tenant)
    since, until = middle - timedelta(hours=1), middle + timedelta(hours=1)
    times = {"from": since.isoformat(), "to": until.isoformat()}
    whole = good(await tenant.auditor.get(PATH, params=times))
    adds_up(whole)
    paged: list[Any] = []
    cursor = None
    while cursor is not None or not paged:
        page = good(await tenant.auditor.get(PATH, params={"limit": 2, **({"cursor": cursor} if cursor else times)}))
        assert (page["opening_balance"], page["closing_balance"]) == ("0.00", "91.00")
        paged += page["data"]
        cursor = page["next_cursor"]
    assert paged == whole["data"]
    assert len(paged) == 6
    begun = good(await tenant.auditor.get(PATH, params={"limit": 2, **times}))["next_cursor"]
    elsewhere = await tenant.auditor.get(PATH, params={"cursor": begun, "currency": "USD"})
    assert refused(elsewhere, 422, "request.invalid")["field"] == "cursor"
    before, after = [
        good(await tenant.auditor.get(PATH, params={"from": first.isoformat(), "to": last.isoformat()}))
        for first, last in ((since, middle), (middle, until))
    ]
    assert before["closing_balance"] == after["opening_balance"] == "96.00"
    assert before["data"] + after["data"] == whole["data"]
    answer = await tenant.auditor.get(PATH, params=times, headers={"Accept": "text/csv"})
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["kind"] for row in rows] == ["opening", "credit.grant", *["use"] * 4, "escrow.funded", "closing"]
    assert (rows[0]["balance"], rows[-1]["balance"], rows[-2]["purpose"]) == ("0.00", "91.00", "'=<b>late</b>")
    assert all(row["booked_at"].endswith("Z") for row in rows)
    printed = await tenant.auditor.get(PATH, params=times, headers={"Accept": "text/html"})
    assert "default-src 'none'" in printed.headers["content-security-policy"]
    assert "&lt;b&gt;late&lt;/b&gt;" in printed.text
    assert "<b>late" not in printed.text
    assert printed.text.index("Opening balance") < printed.text.index("Closing balance")


async def test_statement_of_earnings_names_nobody_else(
    database: Database, tenant: Tenant, new_tenant: NewTenant
) -> None:
    payer = await new_tenant("auditor")
    await earn(database, payer, tenant, 30)
    path = f"agent/{tenant.agent_id}/granted_earnings/CREDIT"
    answer = await tenant.auditor.get(f"{PATH}?account={path}")
    assert good(answer)["closing_balance"] == "30.00"
    assert good(answer)["data"][0]["counterparties"] == [{"type": "organization", "account": None}]
    assert payer.org_id not in answer.text
    refused(await payer.auditor.get(f"{PATH}?account={path}"), 404, "not_found")
    refused(await payer.auditor.get(f"{PATH}?organization_id={tenant.org_id}"), 404, "not_found")


async def test_days_have_a_zone_and_other_inputs_are_refused(tenant: Tenant) -> None:
    shown = good(await tenant.auditor.get(f"{PATH}?from=2026-11-20&to=2026-11-20&zone=Europe/Berlin"))
    assert (shown["from"], shown["to"], shown["zone"]) == (
        "2026-11-19T23:00:00Z",
        "2026-11-20T23:00:00Z",
        "Europe/Berlin",
    )
    assert good(await tenant.auditor.get(f"{PATH}?from=2026-11-20"))["zone"] == "UTC"
    for query in (
        *("from=2026-11-31", "from=2026-11-20T12:00:00", "from=20", "from=2026-11-21&to=2026-11-20"),
        *("zone=Berlin", "currency=XXX", "cursor=x", "form=1"),
    ):
        refused(await tenant.auditor.get(f"{PATH}?{query}"), 422, "request.invalid")
    refused(await tenant.auditor.get(f"{PATH}?account=org/x/credits"), 404, "not_found")


async def test_balances_as_of_a_moment(operator: Caller, tenant: Tenant) -> None:
    before = datetime.now(UTC)
    await grant(operator, tenant.org_id)
    middle = datetime.now(UTC)
    await use(tenant.member, amount="5")
    path = f"org/{tenant.org_id}/credits"
    found = []
    for at in (before, middle, None):
        params = {} if at is None else {"at": at.isoformat()}
        shown = good(await tenant.auditor.get("/billing/balances", params=params))
        found.append({one["account"]: one["balance"] for one in shown["data"]}.get(path))
    assert found == [None, "100.00", "95.00"]
    assert good(await tenant.auditor.get("/billing/balances?at=2020-01-01"))["data"] == []


async def test_statement_that_is_being_read_ends_with_its_key(
    app: FastAPI, operator: Caller, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_module("api.v1.account_statements.endpoints"), "_PAGE", 1)
    for _ in range(3):
        await grant(operator, tenant.org_id, "1.00")
    key = good(await tenant.owner.post("/api-keys", {"principal": "reader", "role": "auditor"}), 201)

    async def nothing() -> None:
        pass

    async def revoke() -> None:
        assert (await tenant.owner.delete(f"/api-keys/{key['id']}")).status_code == 200

    lines = (await file_of(app, PATH, key["secret"], nothing)).splitlines()
    assert [line.split(",")[3] for line in lines[1:]] == ['"opening"', *[lines[2].split(",")[3]] * 3, '"closing"']
    assert len((await file_of(app, PATH, key["secret"], revoke)).splitlines()) == 3
