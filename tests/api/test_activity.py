"""Activity over HTTP: one row for one fact, as the organization that reads it would name it."""

from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from domain.common.access import Actor, Role
from domain.escrow import commands
from runtime.database import Database
from tests.api.conftest import Caller, Tenant, good, new_key, refused
from tests.api.escrowing import delivered_escrow, state, write
from tests.api.invoicing import issue
from tests.api.paying import Written
from tests.api.spending import grant, reserve, use
from tests.api.test_marketplace import made, site  # noqa: F401 - a fixture

pytestmark = pytest.mark.db
#: What a change shows beside its currency and total, where it is not zero.
_PARTS = ("available", "in_use", "in_escrow", "in_payments", "in_payouts", "earnings", "owed", "invoiced")


async def facts(caller: Caller, query: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = good(await caller.get(f"/billing/activity?limit=100{query}"))["data"]
    return found


def changed(fact: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Return what a fact changed, by currency, without what stayed as it was."""
    return {
        change["currency"]: {part: change[part] for part in _PARTS if change[part].strip("0.")}
        for change in fact["changes"]
    }


def about(fact: dict[str, Any]) -> tuple[str, str | None, str | None]:
    """Return the category of a fact, and the type and name of its object."""
    shown = fact["object"] or {"type": None, "name": None}
    return fact["category"], shown["type"], shown["name"]


async def test_top_up_grant_and_invoice_are_one_fact_each(
    operator: Caller, new_tenant: Any, database: Database
) -> None:
    tenant: Tenant = await new_tenant("owner")
    await grant(operator, tenant.org_id, "12.50")
    paid = await Written(database, tenant.org_id).begin()
    paid.there.pay()
    await paid.look()
    invoice = await issue(operator, tenant)
    billed, topped_up, granted = await facts(tenant.owner)
    assert about(granted) == ("credits", "credit_lot", "promotion")
    assert changed(granted) == {"CREDIT": {"available": "12.50"}}
    assert about(topped_up) == ("payment", "payment", "credits")
    assert topped_up["object"]["id"] == paid.terms.payment_id
    assert topped_up["object"]["currency"] == paid.terms.currency
    [change] = topped_up["changes"]
    assert (change["available"], change["in_payments"]) == (change["total"], "0.00")
    assert about(billed)[:2] == ("billing", "invoice")
    assert billed["object"]["id"] == invoice["id"]
    assert changed(billed) == {"USD": {"invoiced": invoice["total"]}}
    assert billed["changes"][0]["total"] == f"-{invoice['total']}"


async def test_use_names_its_action_and_who_did_it_and_its_refund_leads_to_it(
    operator: Caller, new_tenant: Any
) -> None:
    tenant: Tenant = await new_tenant("owner", "agent")
    await grant(operator, tenant.org_id, "20")
    used = await use(tenant.agent, amount="4.50", action="generate_content")
    held = await reserve(tenant.owner, "2", action="index")
    good(await tenant.owner.post(f"/credits/reservations/{held['id']}/capture", {}, key=new_key()))
    good(await operator.post(f"/credits/spends/{used['id']}/refunds", {"amount": "1.50"}, key=new_key()), 201)
    returned, captured, spent = (await facts(tenant.owner))[:3]
    me = good(await tenant.agent.get("/me"))
    assert about(spent) == ("use", "spend", "generate_content")
    assert (spent["object"]["id"], spent["agent_id"], spent["principal"]) == (
        used["id"],
        tenant.agent_id,
        me["principal"],
    )
    assert changed(spent) == {"CREDIT": {"available": "-4.50"}}
    assert about(captured) == ("use", "reservation", "index")
    assert captured["object"]["id"] == held["id"]
    assert (returned["kind"], returned["object"]["id"]) == ("use_refund", used["id"])
    assert changed(returned) == {"CREDIT": {"available": "1.50"}}
    assert returned["principal"] is None, "An operator has returned it."


async def test_escrow_is_one_fact_with_its_title_to_each_party(
    operator: Caller, new_tenant: Any, database: Database
) -> None:
    payer, payee = await new_tenant("owner"), await new_tenant("owner")
    await grant(operator, payer.org_id)
    signer = good(await payer.owner.get("/me"))["principal"]
    now = datetime.now(UTC)
    escrow = await delivered_escrow(operator, database, payer, payee, signer, times=1, at=now)
    actor = Actor(principal=signer, role=Role.OWNER, org_id=payer.org_id)
    held = (await facts(payer.owner))[0]
    signed = commands.approve(await state(database, escrow), signatory=signer, actor=actor, now=now)
    await write(database, signed, at=now)
    released, *granted = await facts(payer.owner)
    [earned] = await facts(payee.owner)
    assert {each["category"] for each in granted} == {"credits"}, "The hold and its release are one fact."
    for fact in (held, released, earned):
        assert about(fact) == ("escrow", "escrow", "Job")
        assert (fact["object"]["id"], fact["payee_agent_id"]) == (escrow, payee.agent_id)
    assert (held["status"], changed(held)) == ("pending", {"CREDIT": {"available": "-1.00", "in_escrow": "1.00"}})
    assert (released["status"], changed(released)) == ("completed", {"CREDIT": {"available": "-1.00"}})
    assert (released["kind"], released["started_at"]) == ("escrow.released", held["effective_at"])
    assert changed(earned) == {"CREDIT": {"earnings": "0.95"}}
    assert earned["principal"] is None, "The payer's people are the payer's to name."


async def test_sale_is_a_purchase_to_the_buyer_and_earnings_of_its_agent_to_the_seller(
    operator: Caller,
    new_tenant: Any,
    site: httpx2.AsyncClient,  # noqa: F811
) -> None:
    buyer, seller = await made(new_tenant, site), await made(new_tenant, site)
    await grant(operator, buyer.org_id)
    for agent, offer in (
        ("Writer", {"model": "one_time", "price": "50"}),
        ("Reader", {"model": "usage", "prices": {"page": "2"}}),
    ):
        id = good(await seller.owner.post("/agents", {"name": agent}), 201)["id"]
        good(await seller.owner.ask("PUT", f"/marketplace/agents/{id}", json=offer))
        bought = good(await buyer.owner.post(f"/marketplace/agents/{id}/purchase", {}, key=new_key()), 201)
        if agent == "Writer":
            purchase, writer = bought["purchase"]["id"], id
    used = await use(buyer.owner, action="page", quantity=3, payee_agent_id=id)
    use_fact, purchased = (await facts(buyer.owner))[:2]
    assert about(purchased) == ("marketplace", "purchase", "Writer")
    assert (purchased["object"]["id"], purchased["payee_agent_id"]) == (purchase, writer)
    assert changed(purchased) == {"CREDIT": {"available": "-50.00"}}
    assert about(use_fact) == ("use", "reservation", "page")
    assert use_fact["object"]["id"].partition("_")[2] == used["id"].partition("_")[2]
    assert (use_fact["payee_agent_id"], use_fact["payee_agent_name"]) == (id, "Reader")
    assert changed(use_fact) == {"CREDIT": {"available": "-6.00"}}
    shown = good(await buyer.owner.get(f"/credits/spends/{use_fact['object']['id']}"))
    assert [shown[name] for name in ("meter", "quantity", "unit_amount", "payee_agent_name")] == [
        *("page", 3, "2.00", "Reader")
    ]
    assert shown["purchase_id"] == bought["purchase"]["id"]
    of_use, of_sale = await facts(seller.owner)
    assert about(of_sale) == ("marketplace", "agent", "Writer")
    assert (of_sale["object"]["id"], of_use["object"]["id"]) == (writer, id)
    assert [changed(each)["CREDIT"] for each in (of_sale, of_use)] == [{"earnings": "45.00"}, {"earnings": "5.40"}]


async def test_pages_hold_every_fact_once_and_narrow_by_category_and_currency(
    operator: Caller, new_tenant: Any
) -> None:
    tenant: Tenant = await new_tenant("owner")
    await grant(operator, tenant.org_id)
    for _ in range(3):
        await use(tenant.owner, amount="1")
    await issue(operator, tenant)
    whole, found, cursor = [each["id"] for each in await facts(tenant.owner)], [], ""
    for _ in range(5):
        page = good(await tenant.owner.get(f"/billing/activity?limit=1{cursor}"))
        found += [each["id"] for each in page["data"]]
        cursor = f"&cursor={page['next_cursor']}"
    assert (found, page["next_cursor"]) == (whole, None)
    assert len(await facts(tenant.owner, "&category=use")) == 3
    assert [about(each)[0] for each in await facts(tenant.owner, "&category=credits")] == ["credits"]
    assert await facts(tenant.owner, "&category=other") == []
    assert [about(each)[0] for each in await facts(tenant.owner, "&currency=USD")] == ["billing"]
    assert await facts(tenant.owner, "&to=2020-01-01T00:00:00Z") == []


async def test_operator_names_the_organization_and_others_see_nothing(operator: Caller, new_tenant: Any) -> None:
    tenant, other = await new_tenant("owner"), await new_tenant("owner")
    await grant(operator, tenant.org_id)
    assert await facts(operator, f"&organization_id={tenant.org_id}") == await facts(tenant.owner)
    assert await facts(other.owner) == []
    refused(await other.owner.get(f"/billing/activity?organization_id={tenant.org_id}"), 404, "not_found")
    assert (await operator.get("/billing/activity")).status_code == 422
