"""Invoices that are collected, over HTTP: begun with the invoice or later, shown step by step, decided by operators."""

from typing import Any

import pytest
from sqlalchemy import insert

from models.payments.customer import ProviderCustomer
from tests.api.conftest import good, new_key, refused
from tests.support.looking import again
from tests.workflows.shop import Shop

pytestmark = [pytest.mark.timeskip, pytest.mark.db]


async def issued(shop: Shop, **fields: Any) -> dict[str, Any]:
    lines = [{"description": "Support", "unit_amount": "40.00"}]
    body = {"organization_id": shop.payer.org_id, "currency": "USD", "lines": lines, **fields}
    made: dict[str, Any] = good(await shop.operator.post("/billing/invoices", body, key=new_key()), 201)
    return made


async def store(shop: Shop, *methods: str) -> None:
    assert shop.payer.org_id is not None
    shop.stage.methods.of[shop.payer.org_id] = list(methods)
    customer = {"org_id": shop.payer.org_id, "provider": "stripe", "customer_ref": shop.payer.org_id}
    async with shop.stage.database.platform() as session:
        await session.execute(insert(ProviderCustomer).values(**customer))


async def until(shop: Shop, invoice: dict[str, Any], status: str) -> dict[str, Any]:
    """Return the collection once its run and the books show this state, as the organization reads it."""
    while True:
        shown: dict[str, Any] = good(await shop.payer.get(f"/billing/invoices/{invoice['id']}/collection"))
        if shown["status"] == status and shown["timeline"][-1]["event"] != "charge_requested":
            return shown
        await again()


def at(invoice: dict[str, Any], act: str) -> str:
    return f"/billing/invoices/{invoice['id']}/{act}"


async def test_invoice_is_charged_declined_and_charged_again_by_an_operator(shop: Shop) -> None:
    await store(shop, "pm_declined")
    made = await issued(shop, collection_method="charge_automatically")
    while (shown := await until(shop, made, "scheduled"))["dunning_steps"] < 1:
        await again()
    assert (shown["attempts"], shown["failure_code"], shown["dunning_days"]) == (
        1,
        "insufficient_funds",
        [3, 7, 14, 21],
    )
    assert shown["next_step_at"] > shown["timeline"][-1]["at"]
    refused(await shop.payer.post(at(made, "charge"), {}, key=new_key()), 403, "auth.forbidden")
    assert shop.payer.org_id is not None
    shop.stage.methods.of[shop.payer.org_id] = ["pm_ok"]
    key = new_key()
    first = good(await shop.operator.post(at(made, "charge"), {}, key=key))
    paid = await until(shop, made, "paid")
    assert [each["event"] for each in paid["timeline"]].count("charge_requested") == 1
    assert good(await shop.operator.post(at(made, "charge"), {}, key=key)) == first
    assert good(await shop.payer.get(f"/billing/invoices/{made['id']}"))["status"] == "paid"
    for act in ("charge", "void"):
        document = refused(await shop.operator.post(at(made, act), {}, key=new_key()), 409, "invoice.wrong_state")
        assert (document["state"], document["due"]) == ("paid", "0.00")


async def test_uncollected_invoice_is_collected_later_once(shop: Shop) -> None:
    made = await issued(shop)
    refused(await shop.payer.get(at(made, "collection")), 404, "not_found")
    refused(await shop.operator.post(at(made, "charge"), {}, key=new_key()), 404, "not_found")
    key, body = new_key(), {"collection_method": "send_invoice"}
    begun = good(await shop.operator.post(at(made, "collection"), body, key=key), 201)
    assert (begun["status"], begun["collection_method"], begun["attempts"]) == ("scheduled", "send_invoice", 0)
    assert good(await shop.operator.post(at(made, "collection"), body, key=key), 201) == begun
    again = await shop.operator.post(at(made, "collection"), body, key=new_key())
    refused(again, 409, "invoice.collected_already")
    # Voiding over the API takes effect at once, and the run follows.
    good(await shop.operator.post(at(made, "void"), {}, key=new_key()))
    assert (await until(shop, made, "void"))["timeline"][-1]["event"] == "void"


async def test_draft_is_collected_from_its_finalisation_on(shop: Shop) -> None:
    await store(shop, "pm_ok")
    wrong: dict[str, Any] = {"organization_id": shop.payer.org_id, "currency": "USD", "lines": [], "draft": True}
    wrong["collection_method"] = "send_invoice"
    refused(await shop.operator.post("/billing/invoices", wrong, key=new_key()), 422, "request.invalid")
    draft = await issued(shop, draft=True)
    final = await shop.operator.post(
        at(draft, "finalize"), {"collection_method": "charge_automatically"}, key=new_key()
    )
    assert good(final)["number"]
    assert (await until(shop, draft, "paid"))["attempts"] == 1
    again = await shop.operator.post(at(draft, "collection"), {"collection_method": "send_invoice"}, key=new_key())
    refused(again, 409, "invoice.collected_already")
