"""Drafts, credit notes and what operators decide, over HTTP."""

from typing import Any

import pytest
from sqlalchemy import text

from runtime.database import Database
from tests.api.conftest import Caller, Tenant, good, new_key, refused
from tests.api.invoicing import PATH, issue, pay, receivable

pytestmark = pytest.mark.db


async def begin(operator: Caller, tenant: Tenant, **changes: Any) -> dict[str, Any]:
    return await issue(operator, tenant, draft=True, **changes)


async def test_a_draft_is_edited_hidden_from_its_organization_finalised_and_numbered(
    operator: Caller, customer: Tenant, database: Database
) -> None:
    made = await begin(operator, customer)
    path = f"{PATH}/{made['id']}"
    assert [made[name] for name in ("status", "number", "total", "due", "transfer_id")] == [
        *("draft", None, "10.00", "0.00", None),
    ]
    refused(await customer.owner.get(path), 404, "not_found")
    assert good(await customer.owner.get(PATH))["data"] == []
    refused(await customer.owner.post(f"{path}/pay", {}, key=new_key()), 404, "not_found")
    lines = [{"description": "Work", "amount": "30.00", "discount": "10.00", "tax_code": "hours"}]
    edited = good(
        await operator.ask("PUT", path, json={"lines": lines, "discounts": [{"description": "New", "share": "0.5"}]})
    )
    assert (edited["total"], edited["lines"][0]["discount"], edited["note"]) == ("20.00", "10.00", None)
    assert taxed(edited) == [(None, None, None)]
    key = new_key()
    done = good(await operator.post(f"{path}/finalize", {}, key=key))
    assert [done[name] for name in ("status", "subtotal", "tax", "total", "due")] == [
        *("open", "10.00", "0.00", "10.00", "10.00"),
    ]
    assert done["number"].startswith("INV-")
    assert taxed(done) == [("none", "O", "0.00")]
    assert done["discounts"] == [{"description": "New", "amount": None, "share": "0.50", "taken": "10.00"}]
    assert good(await operator.post(f"{path}/finalize", {}, key=key)) == done
    for again in (
        await operator.post(f"{path}/finalize", {}, key=new_key()),
        await operator.ask("PUT", path, json={"lines": lines}),
    ):
        assert refused(again, 409, "invoice.wrong_state")["due"] == "10.00"
    assert good(await customer.owner.get(path))["lines"] == done["lines"]
    assert await receivable(database, customer) == -1000


def taxed(invoice: dict[str, Any]) -> list[tuple[str | None, ...]]:
    return [tuple(line[name] for name in ("tax", "tax_category", "tax_rate")) for line in invoice["lines"]]


async def test_a_discarded_draft_becomes_no_invoice_and_is_not_listed(
    operator: Caller, customer: Tenant, database: Database
) -> None:
    made = await begin(operator, customer)
    path, listed = f"{PATH}/{made['id']}", f"{PATH}?organization_id={customer.org_id}"
    assert [row["id"] for row in good(await operator.get(listed))["data"]] == [made["id"]]
    refused(await customer.owner.ask("DELETE", path), 404, "not_found")
    done = good(await operator.ask("DELETE", path))
    assert (done["status"], done["number"], done["discarded_at"] is None) == ("draft", None, False)
    assert good(await operator.ask("DELETE", path)) == done
    lines = [{"description": "Work", "amount": "30.00"}]
    for again in (
        await operator.post(f"{path}/finalize", {}, key=new_key()),
        await operator.ask("PUT", path, json={"lines": lines}),
    ):
        assert refused(again, 409, "invoice.wrong_state")["state"] == "draft"
    assert good(await operator.get(listed))["data"] == []
    async with database.platform() as session:
        statement = text("SELECT invoice_edit(:id, '[]', '[]', 0, 'x', now())")
        edited = await session.scalar(statement, {"id": made["id"]})
    assert edited is False
    issued = await issue(operator, customer)
    assert refused(await operator.ask("DELETE", f"{PATH}/{issued['id']}"), 409, "invoice.wrong_state")["due"] == "10.00"


async def test_a_draft_without_lines_is_not_finalised(operator: Caller, customer: Tenant) -> None:
    made = await begin(operator, customer, lines=[])
    document = refused(await operator.post(f"{PATH}/{made['id']}/finalize", {}, key=new_key()), 422, "request.invalid")
    assert document["field"] == "lines"


async def test_credit_notes_are_shown_with_their_invoice_and_never_of_more_than_is_left(
    operator: Caller, customer: Tenant, database: Database
) -> None:
    made = await issue(operator, customer)
    path = f"{PATH}/{made['id']}"
    await pay(database, made, 400)
    key = new_key()
    note = good(await operator.post(f"{path}/credit-notes", {"amount": "2.50", "reason": "Late"}, key=key), 201)
    assert (note["amount"], note["net"], note["tax"], note["returned_credits"]) == ("2.50", "2.50", "0.00", "0.00")
    assert note["number"].startswith("CRN-")
    for amount in ("3.51", "10.00"):
        answer = await operator.post(f"{path}/credit-notes", {"amount": amount, "reason": "x"}, key=new_key())
        assert refused(answer, 409, "credit_note.exceeds_remainder")["remaining"] == "3.50"
    rest = good(await operator.post(f"{path}/credit-notes", {"reason": "Late again"}, key=new_key()), 201)
    shown = good(await customer.auditor.get(path))
    assert (shown["status"], shown["credited"], shown["due"], rest["amount"]) == ("paid", "6.00", "0.00", "3.50")
    assert shown["credit_notes"] == [note, rest]
    assert await receivable(database, customer) == 0


async def test_an_invoice_is_given_up_and_only_operators_decide(
    operator: Caller, customer: Tenant, database: Database
) -> None:
    path = f"{PATH}/{(await issue(operator, customer))['id']}"
    for command, body in (
        *(("finalize", {}), ("mark-uncollectible", {}), ("resume", {})),
        ("credit-notes", {"reason": "I would like to"}),
    ):
        refused(await customer.owner.post(f"{path}/{command}", body, key=new_key()), 403, "auth.forbidden")
    refused(await customer.owner.ask("PUT", path, json={"lines": []}), 403, "auth.forbidden")
    assert good(await operator.post(f"{path}/resume", {}))["status"] == "open"
    lost = good(await operator.post(f"{path}/mark-uncollectible", {}, key=new_key()))
    assert (lost["status"], lost["written_off"], lost["due"]) == ("uncollectible", "10.00", "0.00")
    refused(await customer.owner.post(f"{path}/pay", {}, key=new_key()), 409, "invoice.wrong_state")
    assert await receivable(database, customer) == 0
