"""Terms and refusals of requests to pay an invoice, before the provider is called."""

from typing import Any

import pytest

from runtime.database import Database
from tests.api.conftest import Caller, Tenant, new_key, refused
from tests.api.invoicing import PATH, issue, pay
from tests.api.paying import intents

pytestmark = pytest.mark.db

NOBODY = "0" * 26


async def test_paying_an_invoice_is_a_payment_of_all_that_is_due(
    operator: Caller, customer: Tenant, database: Database
) -> None:
    made = await issue(operator, customer)
    paid = await pay(database, made, 400)
    requests: list[tuple[str, dict[str, Any]]] = [
        (f"{PATH}/{made['id']}/pay", {}),
        (f"{PATH}/{made['id']}/pay", {"provider": "paypal", "return_url": "https://a.example/b"}),
        ("/payments", {"purpose": "invoice", "invoice_id": made["id"]}),
        ("/payments", {"purpose": "invoice", "invoice_id": made["id"], "amount": "6", "currency": "USD"}),
    ]
    for path, wanted in requests:
        refused(await customer.member.post(path, wanted, key=new_key()), 503, "service.unavailable")
    noted = [each for each in await intents(database, customer.org_id) if each["payment_id"] != paid.terms.payment_id]
    for each in noted:
        assert (each["amount_minor"], each["currency"]) == (600, "USD")
        assert each["description"] == f"Invoice {made['number']}"
        purpose = {name: each["purpose"][name] for name in ("kind", "goods_asset", "goods_minor", "invoice_id")}
        assert purpose == {"kind": "invoice", "goods_asset": "USD", "goods_minor": 600, "invoice_id": made["id"]}
    assert [each["provider"] for each in noted] == ["stripe", "paypal", "stripe", "stripe"]


async def test_pitfall_01_one_payment_is_noted_for_one_command(
    operator: Caller, customer: Tenant, database: Database
) -> None:
    made, key = await issue(operator, customer), new_key()
    for _ in range(3):
        refused(await customer.owner.post(f"{PATH}/{made['id']}/pay", {}, key=key), 503, "service.unavailable")
    assert len(await intents(database, customer.org_id)) == 1


async def test_invoice_in_a_coin_is_paid_in_that_coin_without_a_quote(
    operator: Caller, customer: Tenant, database: Database
) -> None:
    coins = [{"description": "Support", "unit_amount": "0.002"}]
    made = await issue(operator, customer, currency="BTC", lines=coins)
    path = f"{PATH}/{made['id']}/pay"
    for means in ({"provider": "crypto"}, {"provider": "crypto", "asset": "BTC"}):
        refused(await customer.owner.post(path, means, key=new_key()), 503, "service.unavailable")
    for noted in await intents(database, customer.org_id):
        assert (noted["amount_minor"], noted["currency"], noted["quote"]) == (200_000, "BTC", None)
        assert noted["refundable"] is False
    means = {"provider": "crypto", "asset": "USDC"}
    refused(await customer.owner.post(path, means, key=new_key()), 409, "invoice.amount_mismatch")
    refused(await customer.owner.post(path, {}, key=new_key()), 422, "provider.refused")


MISMATCHES = [
    {"amount": "9.99", "currency": "USD"},
    {"amount": "10.01"},
    {"amount": "10.00", "currency": "EUR"},
    {"provider": "crypto"},
    {"provider": "crypto", "asset": "BTC"},
]


@pytest.mark.parametrize("change", MISMATCHES, ids=str)
async def test_payment_of_another_amount_or_currency_is_refused(
    change: dict[str, Any], operator: Caller, customer: Tenant, database: Database
) -> None:
    made = await issue(operator, customer)
    wanted = {"purpose": "invoice", "invoice_id": made["id"], **change}
    refused(await customer.owner.post("/payments", wanted, key=new_key()), 409, "invoice.amount_mismatch")
    assert await intents(database, customer.org_id) == []


async def test_payment_that_names_no_invoice_or_one_too_many_is_refused(operator: Caller, customer: Tenant) -> None:
    made = await issue(operator, customer)
    named = {"invoice_id": made["id"]}
    for wanted, field in (
        ({"purpose": "invoice"}, "invoice_id"),
        ({"purpose": "balance", "amount": "10", "currency": "USD", **named}, "invoice_id"),
        ({"purpose": "invoice", "escrow_id": f"esc_{NOBODY}", **named}, None),
        ({"purpose": "invoice", "provider": "credits", **named}, "provider"),
        ({"purpose": "invoice", "slots": 2, **named}, "slots"),
    ):
        answer = await customer.owner.post("/payments", wanted, key=new_key())
        if field is None:
            assert answer.status_code in {404, 422}
        else:
            assert refused(answer, 422, "request.invalid")["field"] == field


async def test_invoice_of_somebody_else_cannot_be_paid(operator: Caller, customer: Tenant, stranger: Tenant) -> None:
    made = await issue(operator, stranger)
    wanted = {"purpose": "invoice", "invoice_id": made["id"]}
    refused(await customer.owner.post("/payments", wanted, key=new_key()), 404, "not_found")


async def test_payer_cannot_refund_an_invoice_payment_itself(
    operator: Caller, customer: Tenant, database: Database
) -> None:
    paid = await pay(database, await issue(operator, customer))
    path = f"/payments/{paid.terms.payment_id}/refunds"
    for role in ("owner", "admin", "finance"):
        refused(await customer.callers[role].post(path, {}, key=new_key()), 403, "auth.forbidden")
    by_operator = Caller(customer.owner.http, operator.token)
    refused(await by_operator.post(path, {}, key=new_key()), 503, "service.unavailable")
