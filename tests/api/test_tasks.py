"""Tasks: what waits for each caller, in the order of deadlines."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from domain.billing.invoice.collection import CollectionMethod, CollectionStatus, Transition
from domain.common.access import Actor, Role
from models.billing.invoice import InvoiceRow
from repositories.billing.invoice_collection import write as write_collection
from repositories.escrow import task as task_rows
from repositories.messages.alert import raise_alert
from runtime.database import Database
from runtime.identity import new_id
from services.billing.invoice_collection import begin
from tests.api.conftest import Caller, NewTenant, good, refused
from tests.api.escrowing import NOW, delivered_escrow, escrow_between, funded_escrow
from tests.api.invoicing import issue
from tests.api.paying import Written
from tests.api.purchasing import acted, proposed

pytestmark = pytest.mark.db


async def tasks(caller: Caller, query: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = good(await caller.get(f"/tasks{query}"))["data"]
    return found


def kinds(found: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(task["kind"], task["object_id"]) for task in found]


async def test_each_side_has_the_tasks_of_its_escrows_by_deadline(
    operator: Caller, database: Database, new_tenant: NewTenant
) -> None:
    payer, payee = await new_tenant("owner", "auditor"), await new_tenant("owner", "agent")
    opened = await escrow_between(operator, database, payer, payee)
    funded = await funded_escrow(operator, database, payer, payee)
    [task] = await tasks(payer.owner)
    assert (task["kind"], task["object_id"], task["title"]) == ("to_fund", opened, "Job")
    assert (task["amount"], task["currency"], task["path_hint"]) == ("1.00", "CREDIT", f"/escrows/{opened}")
    assert task["deadline_at"] == good(await payer.owner.get(f"/escrows/{opened}"))["deadlines"]["fund_by"]
    assert kinds(await tasks(payee.owner)) == kinds(await tasks(payee.agent)) == [("to_deliver", funded)]
    assert await tasks(payer.auditor) == []


async def test_evidence_invoices_and_alerts_of_an_organization_are_its_tasks(
    operator: Caller, database: Database, new_tenant: NewTenant
) -> None:
    payer, other = await new_tenant("owner"), await new_tenant("owner")
    paid = await Written(database, payer.org_id).begin()
    paid.there.pay()
    paid.there.dispute()
    await paid.look()
    assert paid.payment is not None
    invoice = await issue(operator, payer)
    async with database.platform() as session:
        await raise_alert(
            session, kind="test.task", subject=payer.org_id, detail="Look", org_id=payer.org_id, shared=True
        )
    found = await tasks(payer.owner)
    assert {task["kind"] for task in found} == {"evidence_due", "invoice_due", "alert"}
    by_kind = {task["kind"]: task for task in found}
    assert by_kind["evidence_due"]["object_id"] == paid.payment.disputes[0].dispute_id
    assert by_kind["invoice_due"]["object_id"] == invoice["id"]
    assert by_kind["alert"]["deadline_at"] is None
    assert found[-1]["deadline_at"] is None
    assert await tasks(other.owner) == []


@pytest.mark.parametrize(("status", "steps", "waits"), [("scheduled", 0, 0), ("charging", 1, 0), ("scheduled", 1, 1)])
async def test_invoice_that_is_charged_waits_for_its_payer_once_that_is_declined(
    operator: Caller, database: Database, new_tenant: NewTenant, status: str, steps: int, waits: int
) -> None:
    payer = await new_tenant("owner")
    invoice = await issue(operator, payer)
    owner = Actor(principal="owner", role=Role.OWNER, org_id=payer.org_id)
    async with database.platform() as session:
        row = await session.get_one(InvoiceRow, invoice["id"])
        method = CollectionMethod.CHARGE_AUTOMATICALLY
        held = await begin(session, owner, row, method, days=(3,), command_id=new_id("cmd"), now=NOW)
        assert held is not None
        held = replace(held, status=CollectionStatus(status), steps=steps, version=held.version + 1)
        charged = Transition(collection=held, event="charged", actor="workflow")
        await write_collection(session, charged, command_id=new_id("cmd"), at=NOW)
        found = await task_rows.page(session, owner, kinds=["invoice_due"], after=None, limit=9)
        await session.rollback()
    assert len(found) == waits


async def test_pages_hold_every_task_once_in_one_order(
    operator: Caller, database: Database, new_tenant: NewTenant
) -> None:
    payer, payee = await new_tenant("owner"), await new_tenant("owner")
    for _ in range(3):
        await escrow_between(operator, database, payer, payee)
    whole = kinds(await tasks(payer.owner))
    paged: list[tuple[str, str]] = []
    cursor = ""
    while True:
        page = good(await payer.owner.get(f"/tasks?limit=1{cursor}"))
        paged += kinds(page["data"])
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert paged == whole
    assert await tasks(payer.owner, "?kind=to_deliver,to_sign") == []
    assert kinds(await tasks(payer.owner, "?kind=to_fund,to_sign")) == whole
    assert len(whole) == 3


async def test_platform_roles_have_their_own_tasks(
    operator: Caller, database: Database, new_tenant: NewTenant, issue_key: Callable[..., Awaitable[Caller]]
) -> None:
    payer = await new_tenant("owner")
    made = await delivered_escrow(operator, database, payer, payer, times=1)
    found = await tasks(await issue_key("validator"), "?limit=200")
    assert ("to_score", made) in kinds(found)
    assert {task["kind"] for task in found} == {"to_score"}
    refused(await (await issue_key("accountant")).get("/tasks"), 403, "auth.forbidden")
    subject = payer.org_id
    async with database.platform() as session:
        await raise_alert(session, kind="test.task", subject=subject, detail=f"Look at {subject}")
    [alert] = [
        task
        for task in await tasks(await issue_key("platform_auditor"), "?kind=alert&limit=200")
        if subject in task["title"]
    ]
    assert alert in await tasks(operator, "?kind=alert&limit=200")


async def test_purchase_waits_for_each_person_who_may_approve_it_and_has_not(new_tenant: NewTenant) -> None:
    studio = await new_tenant("owner", "finance", "admin", "member", "auditor", "agent")
    policy = {"subject": {"type": "organization"}, "approval_above": "1", "two_persons_above": "5"}
    good(await studio.owner.ask("PUT", "/payment-policies", json=policy))
    order = await proposed(studio.agent, studio.agent_id, "10")
    for person in (studio.owner, studio.finance, studio.admin):
        [task] = await tasks(person)
        assert (task["kind"], task["object_id"], task["title"]) == ("to_approve", order["id"], order["item"])
        assert (task["amount"], task["currency"], task["deadline_at"]) == ("10.00", "USD", order["answer_by"])
        assert task["path_hint"] == f"/purchase-orders/{order['id']}"
    for other in (studio.member, studio.auditor, studio.agent):
        assert await tasks(other) == []
    granted = await acted(studio.owner, order, "grant", digest=order["digest"])
    assert await tasks(studio.owner) == []
    assert kinds(await tasks(studio.finance)) == [("to_approve", order["id"])]
    await acted(studio.finance, order, "grant", digest=granted["digest"])
    assert await tasks(studio.finance) == []
    own = await proposed(studio.owner, studio.agent_id, "10")
    assert await tasks(studio.owner) == []
    assert kinds(await tasks(studio.finance)) == [("to_approve", own["id"])]
