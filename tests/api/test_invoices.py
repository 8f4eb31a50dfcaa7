"""Invoices over HTTP: issued once, with numbers that have no gap, withdrawn, listed, and seen by those they are for."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from models.billing.invoice import InvoiceRow
from runtime.database import Database
from tests.api.conftest import Caller, Tenant, forget, good, new_key, refused
from tests.api.invoicing import LINES, PATH, body, issue, pay, receivable
from tests.api.paying import intents
from tests.support.cases import for_each
from tests.support.looking import again

pytestmark = pytest.mark.db

NOBODY = "0" * 26


async def test_issued_invoice_is_shown_with_its_lines_and_amount_due(
    operator: Caller, customer: Tenant, database: Database
) -> None:
    made = await issue(operator, customer, note="PO 4711", due_in="P14D")
    lines = [
        {"description": "Support, October", "quantity": 2, "unit_amount": "4.25", "amount": "8.50"},
        {"description": "Seat", "quantity": 1, "unit_amount": "1.50", "amount": "1.50"},
    ]
    shown = ("description", "quantity", "unit_amount", "amount")
    assert [{name: line[name] for name in shown} for line in made["lines"]] == lines
    assert [made[name] for name in ("total", "paid", "due", "currency")] == ["10.00", "0.00", "10.00", "USD"]
    assert (made["status"], made["overdue"], made["note"]) == ("open", False, "PO 4711")
    assert made["number"].startswith("INV-")
    issued_at, due_at = (datetime.fromisoformat(made[name]) for name in ("issued_at", "due_at"))
    assert due_at - issued_at == timedelta(days=14)
    for caller in (customer.member, customer.auditor, operator):
        shown = good(await caller.get(f"{PATH}/{made['id']}"))
        assert shown.pop("billed_to")["name"] == good(await customer.owner.get("/me"))["organization"]["name"]
        assert shown == {**made, "paid_at": None, "payments": [], "credit_notes": []}
    assert await receivable(database, customer) == -1000
    moved = good(await customer.auditor.get(f"/billing/transactions?reference={made['id']}"))["data"]
    assert [(each["kind"], each["amount"]) for each in moved] == [("invoice.issued", "-10.00")]
    (entry,) = good(await operator.get(f"/audit?organization_id={customer.org_id}&action=invoice.issue"))["data"]
    assert (entry["target"], entry["details"]) == (made["id"], {"amount": "10.00", "currency": "USD"})


async def test_invoice_is_due_in_thirty_days_by_default(operator: Caller, customer: Tenant) -> None:
    made = await issue(operator, customer)
    due_in = datetime.fromisoformat(made["due_at"]) - datetime.fromisoformat(made["issued_at"])
    assert due_in == timedelta(days=30)


async def test_invoice_is_overdue_after_its_due_date_if_an_amount_is_due(
    operator: Caller, customer: Tenant, database: Database
) -> None:
    made, in_time = await issue(operator, customer, due_in="PT1S"), await issue(operator, customer)
    path = f"{PATH}/{made['id']}"
    while not good(await customer.owner.get(path))["overdue"]:
        await again()
    listed = good(await customer.owner.get(PATH))["data"]
    assert {each["id"]: each["overdue"] for each in listed} == {made["id"]: True, in_time["id"]: False}
    await pay(database, made)
    shown = good(await customer.owner.get(path))
    assert (shown["status"], shown["overdue"]) == ("paid", False)


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"lines": []}, "lines"),
    ({"lines": LINES * 501}, "errors"),
    ({"lines": [{"description": "x"}]}, "lines"),
    ({"lines": [{"description": "x", "amount": "1", "unit_amount": "1"}]}, "lines"),
    ({"lines": [{"description": "x", "amount": "1", "discount": "1.01"}]}, "lines"),
    ({"discounts": [{"description": "x"}]}, "discounts"),
    ({"discounts": [{"description": "x", "share": "1.01"}]}, "errors"),
    ({"lines": [{"description": "", "unit_amount": "1"}]}, "errors"),
    ({"lines": [{"description": "a\nb", "unit_amount": "1"}]}, "errors"),
    ({"lines": [{"description": "x", "unit_amount": "0"}]}, "amount"),
    ({"lines": [{"description": "x", "unit_amount": "-1"}]}, "amount"),
    ({"lines": [{"description": "x", "unit_amount": "1.001"}]}, "amount"),
    ({"lines": [{"description": "x", "unit_amount": "1" + "0" * 30}]}, "amount"),
    ({"lines": [{"description": "x", "unit_amount": True}]}, "errors"),
    ({"lines": [{"description": "x", "unit_amount": "1", "quantity": 0}]}, "errors"),
    ({"lines": [{"description": "x", "unit_amount": "1", "quantity": -1}]}, "errors"),
    ({"lines": [{"description": "x", "unit_amount": "1", "quantity": 1.5}]}, "errors"),
    ({"lines": [{"description": "x", "unit_amount": "1", "quantity": True}]}, "errors"),
    ({"lines": [{"description": "x", "unit_amount": "1", "quantity": 1_000_001}]}, "errors"),
    ({"lines": [{"description": "x", "unit_amount": "10000000000000", "quantity": 1_000_000}]}, "lines"),
    ({"lines": [{"description": "x", "unit_amount": "1", "tax": "0.19"}]}, "errors"),
    # No zone of a document can show these.
    ({"lines": [{"description": "x", "unit_amount": "1", "period_end": "9999-12-31T23:59:59-12:00"}]}, "errors"),
    ({"lines": [{"description": "x", "unit_amount": "1", "period_start": "0001-01-01T00:00:00+14:00"}]}, "errors"),
    ({"currency": "CREDIT"}, "currency"),
    ({"currency": "SLOT"}, "errors"),
    ({"currency": "DOGE"}, "errors"),
    ({"currency": "usd"}, "errors"),
    ({"currency": "JPY"}, "amount"),
    ({"due_in": "P0D"}, "errors"),
    ({"due_in": "30 days"}, "errors"),
    ({"due_in": "P9999D"}, "errors"),
    ({"note": "n" * 4001}, "errors"),
    ({"note": "a\x00b"}, "detail"),
    ({"organization_id": "org_1"}, "errors"),
    ({"number": "INV-000001"}, "errors"),
]


@for_each("change, field", REFUSED)
async def test_invalid_invoice_is_refused_without_a_trace(
    change: dict[str, Any], field: str, operator: Caller, tenant: Tenant, database: Database
) -> None:
    before = await receivable(database, tenant)
    document = refused(await operator.post(PATH, body(tenant, **change), key=new_key()), 422, "request.invalid")
    assert field in document if field in {"errors", "detail"} else document["field"] == field
    assert await receivable(database, tenant) == before


async def test_invoice_without_an_organization_or_a_key_is_refused(operator: Caller, tenant: Tenant) -> None:
    nobody = body(tenant, organization_id=f"org_{NOBODY}")
    refused(await operator.post(PATH, nobody, key=new_key()), 404, "not_found")
    refused(await operator.post(PATH, body(tenant)), 400, "idempotency.missing")


async def last_number(database: Database) -> int:
    async with database.platform() as session:
        found = await session.scalar(text("SELECT last FROM number_sequences WHERE name = 'invoice'"))
        return int(found or 0)


async def test_pitfall_15_invoices_issued_at_once_have_numbers_without_gap_or_double(
    operator: Caller, customer: Tenant, stranger: Tenant, database: Database
) -> None:
    first = await last_number(database) + 1
    made = await asyncio.gather(*(issue(operator, customer if i % 2 else stranger) for i in range(20)))
    assert sorted(each["number"] for each in made) == [f"INV-{number:06d}" for number in range(first, first + 20)]
    assert await receivable(database, customer) == -10_000


async def test_pitfall_15_transaction_that_fails_takes_no_number(
    operator: Caller, customer: Tenant, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await last_number(database)

    async def fails(*_: object) -> None:
        raise RuntimeError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr("repositories.billing.invoice.add", fails)
        refused(await operator.post(PATH, body(customer), key=new_key()), 500, "internal")
    assert await last_number(database) == before
    assert await receivable(database, customer) == 0
    assert (await issue(operator, customer))["number"] == f"INV-{before + 1:06d}"


async def test_pitfall_01_same_command_many_times_at_once_issues_one(
    operator: Caller, customer: Tenant, database: Database
) -> None:
    key = new_key()
    answers = await asyncio.gather(*(operator.post(PATH, body(customer), key=key) for _ in range(6)))
    for answer in answers:
        if answer.status_code != 201:
            refused(answer, 409, "idempotency.in_flight")
    final = good(await operator.post(PATH, body(customer), key=key), 201)
    assert {answer.json()["id"] for answer in answers if answer.status_code == 201} <= {final["id"]}
    assert await receivable(database, customer) == -1000


async def test_command_whose_answer_was_lost_finds_its_invoice_and_no_other_request_does(
    operator: Caller, customer: Tenant, stranger: Tenant, database: Database
) -> None:
    key = new_key()
    first = good(await operator.post(PATH, body(customer, note="a"), key=key), 201)
    await forget(database, key)
    again = good(await operator.post(PATH, body(customer, note="a"), key=key), 201)
    assert again == first
    others: list[dict[str, Any]] = [
        *({"note": "b"}, {"currency": "EUR"}, {"lines": LINES[:1]}, {"due_in": "P31D"}),
    ]
    for other in [*others, {"organization_id": stranger.org_id}]:
        await forget(database, key)
        answer = await operator.post(PATH, body(customer, **{"note": "a", **other}), key=key)
        refused(answer, 422, "idempotency.conflict")
    assert await receivable(database, customer) == -1000


async def test_pitfall_23_issued_invoice_cannot_be_changed_or_deleted(
    operator: Caller, customer: Tenant, database: Database
) -> None:
    made = await issue(operator, customer)
    fixed = ("total_minor = 1", "lines = '[]'", "currency = 'EUR'", "number = 'INV-000000'", "org_id = 'x'")
    for statement in [*(f"UPDATE invoices SET {change}" for change in fixed), "DELETE FROM invoices"]:
        with pytest.raises(Exception, match="permission denied"):
            async with database.platform() as session:
                await session.execute(text(f"{statement} WHERE id = :id"), {"id": made["id"]})
    with pytest.raises(Exception, match="ck_invoices_status"):
        async with database.platform() as session:
            await session.execute(text("UPDATE invoices SET status = 'paid' WHERE id = :id"), {"id": made["id"]})
    for statement in ("UPDATE invoices SET paid_minor = 1000", "SELECT * FROM number_sequences"):
        with pytest.raises(Exception, match="permission denied"):
            async with database.tenant(customer.org_id) as session:
                await session.execute(text(statement))


async def test_voided_invoice_is_not_due_and_voiding_is_idempotent(
    operator: Caller, customer: Tenant, database: Database
) -> None:
    made, key = await issue(operator, customer), new_key()
    path = f"{PATH}/{made['id']}/void"
    shown = good(await operator.post(path, {}, key=key))
    assert (shown["status"], shown["due"], shown["total"], shown["overdue"]) == ("void", "0.00", "10.00", False)
    assert await receivable(database, customer) == 0
    await forget(database, key)
    assert good(await operator.post(path, key=key)) == shown
    document = refused(await operator.post(path, {}, key=new_key()), 409, "invoice.wrong_state")
    assert (document["state"], document["due"]) == ("void", "0.00")
    assert await receivable(database, customer) == 0
    document = refused(
        await customer.owner.post(f"{PATH}/{made['id']}/pay", {}, key=new_key()), 409, "invoice.wrong_state"
    )
    assert document["state"] == "void"
    assert await intents(database, customer.org_id) == []
    refused(await operator.post(path, {}), 400, "idempotency.missing")
    entries = good(await operator.get(f"/audit?organization_id={customer.org_id}&action=invoice.void"))["data"]
    assert [entry["target"] for entry in entries] == [made["id"]]


async def test_key_of_a_voiding_voids_no_other_invoice(operator: Caller, customer: Tenant, database: Database) -> None:
    one, other, key = await issue(operator, customer), await issue(operator, customer), new_key()
    good(await operator.post(f"{PATH}/{one['id']}/void", {}, key=key))
    await forget(database, key)
    refused(await operator.post(f"{PATH}/{other['id']}/void", {}, key=key), 422, "idempotency.conflict")
    assert good(await operator.get(f"{PATH}/{other['id']}"))["status"] == "open"


async def test_partly_paid_invoice_cannot_be_voided(operator: Caller, customer: Tenant, database: Database) -> None:
    made = await issue(operator, customer)
    paid = await pay(database, made, 400)
    shown = good(await customer.auditor.get(f"{PATH}/{made['id']}"))
    assert (shown["status"], shown["paid"], shown["due"]) == ("open", "4.00", "6.00")
    assert shown["payments"] == [{"payment_id": paid.terms.payment_id, "amount": "4.00"}]
    document = refused(await operator.post(f"{PATH}/{made['id']}/void", {}, key=new_key()), 409, "invoice.wrong_state")
    assert (document["state"], document["due"]) == ("open", "6.00")
    await pay(database, shown, 600)
    document = refused(await operator.post(f"{PATH}/{made['id']}/void", {}, key=new_key()), 409, "invoice.wrong_state")
    assert (document["state"], document["due"]) == ("paid", "0.00")
    assert await receivable(database, customer) == 0


async def test_list_is_filtered_by_state_and_organization_and_paged(
    operator: Caller, customer: Tenant, stranger: Tenant, database: Database
) -> None:
    made = [await issue(operator, customer) for _ in range(3)]
    await pay(database, made[0])
    good(await operator.post(f"{PATH}/{made[1]['id']}/void", {}, key=new_key()))
    newest_first = [each["id"] for each in reversed(made)]

    async def listed(query: str, caller: Caller = customer.member) -> list[str]:
        return [item["id"] for item in good(await caller.get(f"{PATH}?{query}"))["data"]]

    assert await listed("") == newest_first
    for number, status in enumerate(("paid", "void", "open")):
        assert await listed(f"status={status}") == [made[number]["id"]]
    assert await listed(f"organization_id={customer.org_id}&limit=200", operator) == newest_first
    assert set(newest_first) <= set(await listed("limit=200", operator))
    assert not set(newest_first) & set(await listed("limit=200", stranger.owner))
    seen, cursor = [], ""
    while True:
        page = good(await customer.owner.get(f"{PATH}?limit=1{cursor}"))
        seen += [item["id"] for item in page["data"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == newest_first
    for query in ("status=overdue", "cursor=x", "limit=0", "organization_id=x"):
        refused(await customer.owner.get(f"{PATH}?{query}"), 422, "request.invalid")
    refused(await stranger.owner.get(f"{PATH}?organization_id={customer.org_id}"), 404, "not_found")


async def test_only_operators_see_invoices_of_others(
    operator: Caller, customer: Tenant, stranger: Tenant, issue_key: Any
) -> None:
    made = await issue(operator, customer)
    path = f"{PATH}/{made['id']}"
    refused(await stranger.owner.get(path), 404, "not_found")
    for command in ("void", "pay"):
        refused(await stranger.owner.post(f"{path}/{command}", {}, key=new_key()), 404, "not_found")
        refused(await customer.auditor.post(f"{path}/{command}", {}, key=new_key()), 403, "auth.forbidden")
    refused(await customer.owner.post(f"{path}/void", {}, key=new_key()), 403, "auth.forbidden")
    refused(await operator.post(f"{path}/pay", {}, key=new_key()), 403, "auth.forbidden")
    for role in ("arbiter", "validator"):
        refused(await (await issue_key(role)).get(path), 403, "auth.forbidden")


async def test_rows_of_others_are_hidden_by_the_database_itself(
    operator: Caller, customer: Tenant, stranger: Tenant, database: Database
) -> None:
    made = await issue(operator, customer)
    await pay(database, made)
    count = text("SELECT count(*) FROM invoices NATURAL JOIN (SELECT invoice_id AS id FROM invoice_payments) p")
    for org_id, expected in ((customer.org_id, 1), (stranger.org_id, 0)):
        async with database.tenant(org_id) as session:
            rows = (await session.scalars(select(InvoiceRow.id).where(InvoiceRow.id == made["id"]))).all()
            assert len(rows) == expected
            if expected:
                assert await session.scalar(count) == expected


async def test_balance_excludes_receivables(operator: Caller, customer: Tenant) -> None:
    await issue(operator, customer)
    balance = good(await customer.owner.get("/billing/balance?currency=USD"))
    assert (balance["available"], balance["total"], balance["owed"]) == ("0.00", "0.00", "0.00")
