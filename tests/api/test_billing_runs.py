"""Runs of monthly invoices over HTTP, items that are charged once, and the invoice to come."""

from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from typing import Any

import pytest

from repositories.billing import billing_run as runs
from runtime.database import Database
from runtime.settings import Settings
from services.billing import billing_run
from tests.api.conftest import Caller, Tenant, good, new_key, refused
from tests.api.invoicing import NOBODY
from tests.api.metering import event, import_prices, send
from tests.api.paying import Written
from tests.api.spending import grant, use
from tests.api.test_billing_terms import LONG_AGO, agree
from tests.support.billing import KIM

pytestmark = pytest.mark.db

MODEL = "upcoming-model"


async def add(operator: Caller, tenant: Tenant, unit_amount: str, **options: Any) -> dict[str, Any]:
    body = {"organization_id": tenant.org_id, "currency": "USD", "description": "Set-up", "unit_amount": unit_amount}
    made: dict[str, Any] = good(
        await operator.post("/billing/invoice-items", body, key=options.pop("key", new_key())), 201
    )
    return made


async def test_invoice_to_come_shows_usage_discount_shortfall_and_items_and_writes_nothing(
    new_tenant: Any, operator: Caller, database: Database
) -> None:
    tenant: Tenant = await new_tenant("owner")
    await agree(
        operator,
        tenant,
        minimum_commitment="100.00",
        commitment_from="2026-01-01",
        volume_discounts=[{"from": "10.00", "discount": "0.5"}],
    )
    await import_prices(database, MODEL, LONG_AGO, input_tokens="0.01")
    call = {"model": MODEL, "provider": "openai", "usage": {"input_tokens": 2000}}
    await send(tenant.owner, event(data=call))
    await add(operator, tenant, "7.00")
    for _ in range(2):
        shown = good(await tenant.owner.get("/billing/invoices/upcoming"))
        assert [(line["description"], line["amount"]) for line in shown["lines"]] == [
            (f"Model {MODEL}: 1 event, less 50 %", "10.00"),
            (f"Minimum commitment {shown['period']}, not used", "90.00"),
            ("Set-up", "7.00"),
        ]
        sums = [shown[name] for name in ("charges", "discount", "usage", "shortfall", "net")]
        assert sums == ["20.00", "0.5000", "10.00", "90.00", "107.00"]
    await grant(operator, tenant.org_id, "70")
    shown = good(await tenant.owner.get("/billing/invoices/upcoming"))
    names = ("net", "granted_credits", "taxed_credits", "subtotal", "tax", "total", "applied_credits", "due")
    off = (70 * Settings().value_of_granted.price).quantize(Decimal("0.01"), ROUND_DOWN)
    left = str(Decimal(107) - off)
    assert [shown[name] for name in names] == ["107.00", str(off), "0.00", left, "0.00", left, "0.00", left]
    assert good(await tenant.owner.get("/billing/invoices"))["data"] == []
    [logged] = good(await tenant.owner.get("/usage/logs"))["data"]
    assert (logged["billed_status"], logged["invoice_id"]) == ("unbilled", None)


async def test_volume_is_the_platforms_charges_less_refunds_and_grants(
    new_tenant: Any, operator: Caller, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Three spends, so that the last page that is full is followed by one that is not.
    monkeypatch.setattr(runs, "SPENDS_READ", 2)
    tenant = await new_tenant("owner")
    await agree(operator, tenant, volume_discounts=[{"from": "22.00", "discount": "0.5"}])
    await import_prices(database, f"volume-{MODEL}", LONG_AGO, input_tokens="0.01")
    call = {"model": f"volume-{MODEL}", "provider": "openai", "usage": {"input_tokens": 2000}}
    await send(tenant.owner, event(data=call))

    async def upcoming() -> tuple[str, str, str]:
        shown = good(await tenant.owner.get("/billing/invoices/upcoming"))
        return shown["volume"], shown["discount"], shown["usage"]

    await grant(operator, tenant.org_id, "50")
    await use(tenant.owner, amount="50", action="call")
    assert await upcoming() == ("20.00", "0.0000", "20.00")
    paid = await Written(database, tenant.org_id).begin()
    paid.there.pay()
    await paid.look()
    spent = await use(tenant.owner, amount="20", action="call")
    held = good(await tenant.owner.post("/credits/reserve", {"amount": "30"}, key=new_key()), 201)
    assert await upcoming() == ("22.00", "0.5000", "10.00")
    good(await tenant.owner.post(f"/credits/reservations/{held['id']}/capture", {"amount": "5"}, key=new_key()))
    assert (await upcoming())[0] == "22.50"
    path = f"/credits/spends/{spent['id']}/refunds"
    good(await operator.post(path, {"amount": "10"}, key=new_key()), 201)
    assert await upcoming() == ("21.50", "0.0000", "20.00")
    ref = paid.there.dispute()
    await paid.look()
    assert (await upcoming())[0] == "20.00"
    paid.there.close_dispute(ref, won=True)
    await paid.look()
    assert (await upcoming())[0] == "21.50"


async def test_item_is_added_once_and_removed_until_it_is_invoiced(new_tenant: Any, operator: Caller) -> None:
    tenant, key = await new_tenant("owner"), new_key()
    item = await add(operator, tenant, "7.00", key=key)
    assert await add(operator, tenant, "7.00", key=key) == item
    assert [one["id"] for one in good(await tenant.owner.get("/billing/invoice-items"))["data"]] == [item["id"]]
    path = f"/billing/invoice-items/{item['id']}"
    refused(await tenant.owner.delete(path), 403, "auth.forbidden")
    for _ in range(2):
        assert good(await operator.delete(path))["status"] == "removed"
    other = (await add(operator, tenant, "8.00"))["id"]
    for states, expected in (("open", [other]), ("removed", [item["id"]]), ("open,removed", [other, item["id"]])):
        found = good(await tenant.owner.get(f"/billing/invoice-items?status={states}"))["data"]
        assert [one["id"] for one in found] == expected
    assert good(await tenant.owner.get("/billing/invoice-items?status=invoiced"))["data"] == []
    good(await operator.delete(f"/billing/invoice-items/{other}"))
    assert good(await tenant.owner.get("/billing/invoices/upcoming"))["lines"] == []
    refused(await operator.delete(f"/billing/invoice-items/ii_{NOBODY}"), 404, "not_found")
    body = {"organization_id": tenant.org_id, "currency": "CREDIT", "description": "x", "unit_amount": "1"}
    refused(await operator.post("/billing/invoice-items", body, key=new_key()), 422, "request.invalid")


async def test_second_run_of_a_month_answers_the_result_of_the_first(operator: Caller, database: Database) -> None:
    month, began = date(2001, 1, 1), datetime(2001, 2, 3, tzinfo=UTC)
    async with database.platform() as session:
        await billing_run.order_run(session, KIM, month, began)
        await runs.finish(session, month, began + timedelta(hours=1))
    first = good(await operator.post("/billing/runs", {"period": "2001-01"}, key=new_key()), 202)
    assert (first["status"], first["finished_at"][:13], first["invoiced"]) == ("done", "2001-02-03T01", 0)
    assert good(await operator.post("/billing/runs", {"period": "2001-01"}, key=new_key()), 202) == first
    assert good(await operator.get("/billing/runs/2001-01")) == first
    began_then = "from=2001-02-03T00:00:00Z&to=2001-02-04T00:00:00Z"
    assert good(await operator.get(f"/billing/runs?status=done&{began_then}"))["data"] == [first]
    assert good(await operator.get(f"/billing/runs?status=running&{began_then}"))["data"] == []


async def test_run_of_an_unfinished_or_invalid_month_is_refused(operator: Caller) -> None:
    refused(await operator.post("/billing/runs", {"period": "9000-01"}), 422, "billing_run.not_ended")
    for period in ("2026", "2026-13", "9999-12", "x"):
        refused(await operator.post("/billing/runs", {"period": period}), 422, "request.invalid")
    refused(await operator.get("/billing/runs/1999-12"), 404, "not_found")
