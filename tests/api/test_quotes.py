"""Quotes of purchases, which create nothing."""

from typing import Any

import pytest

from domain.common.money import amounts_from, parse_amount
from runtime.database import Database
from tests.api.conftest import Caller, Tenant, good, new_key, refused
from tests.api.paying import intents, paying_app
from tests.conftest import DatabaseUrls
from tests.support.billing import located, rate
from tests.support.cases import for_each

pytestmark = pytest.mark.db


@pytest.mark.parametrize(
    ("query", "path", "body"),
    [
        ("credits=250", "/billing/topup", {"amount": "250"}),
        ("package=pack_50", "/billing/credits/purchase", {"package": "pack_50", "provider": "stripe"}),
        ("slots=3", "/projects/deployment/purchase-slot", {"slots": 3}),
        (
            "credits=100&provider=crypto&asset=USDC",
            "/billing/topup",
            {"amount": "100", "provider": "crypto", "asset": "USDC"},
        ),
    ],
)
async def test_quote_is_what_the_payment_charges(
    customer: Tenant, database: Database, query: str, path: str, body: dict[str, Any]
) -> None:
    quote = good(await customer.owner.get(f"/billing/quote?{query}"))
    assert await intents(database, customer.org_id) == []
    await customer.owner.post(path, {"return_url": "https://client.test", **body}, key=new_key())
    (terms,) = await intents(database, customer.org_id)
    assert (quote["currency"], quote["total"]) == (terms["currency"], quote["subtotal"])
    assert parse_amount(quote["total"], quote["currency"]) == terms["amount_minor"]
    assert quote["tax"] is None


async def test_quote_says_the_tax_of_the_sale(
    database_urls: DatabaseUrls, database: Database, new_tenant: Any, operator: Caller
) -> None:
    tenant = await new_tenant("owner")
    await located(database, tenant.org_id)
    await rate(database, "de-vat", "DE", 190_000)
    async with paying_app(database_urls, tax_country="DE", credits_taxed_at="sale") as client:
        quote = good(await Caller(client, tenant.owner.token).get("/billing/quote?credits=100"))
        named = f"/billing/quote?credits=100&organization_id={tenant.org_id}"
        same = good(await Caller(client, operator.token).get(named))
    assert (quote["credits"], quote["subtotal"], quote["total"]) == ("100.00", "10.00", "11.90")
    assert quote["tax"] == {"code": "de-vat", "category": "S", "rate": "0.19", "amount": "1.90"}
    assert {**same, "quoted_at": None} == {**quote, "quoted_at": None}


@pytest.mark.parametrize(
    ("includes_tax", "parts"), [(False, ("5.00", "0.30", "1.01", "6.31")), (True, ("4.20", "0.25", "0.85", "5.30"))]
)
async def test_small_top_up_pays_the_fixed_fee_that_was_quoted(
    database_urls: DatabaseUrls, database: Database, new_tenant: Any, includes_tax: bool, parts: tuple[str, ...]
) -> None:
    tenant = await new_tenant("owner")
    await located(database, tenant.org_id)
    await rate(database, "de-vat", "DE", 190_000)
    changes = {"tax_country": "DE", "credits_taxed_at": "sale", "credit_prices_include_tax": includes_tax}
    async with paying_app(database_urls, topup_fee_below=amounts_from("5.01"), **changes) as client:
        payer = Caller(client, tenant.owner.token)
        larger = good(await payer.get("/billing/quote?credits=50.1"))
        quote = good(await payer.get("/billing/quote?package=pack_50"))
        for path, body in (
            ("/billing/credits/purchase", {"package": "pack_50"}),
            ("/payments", {"amount": "5.00", "currency": "USD"}),
        ):
            paid = {**body, "return_url": "https://client.test", "total": quote["total"]}
            await payer.post(path, paid, key=new_key())
    assert larger["fee"] == "0.00"
    assert (quote["subtotal"], quote["fee"], quote["tax"]["amount"], quote["total"]) == parts
    for terms in await intents(database, tenant.org_id):
        charged = terms["topup_fee_minor"], terms["tax"]["amount_minor"], terms["amount_minor"]
        assert charged == tuple(parse_amount(each, "USD") for each in parts[1:])
        assert terms["purpose"]["goods_minor"] == 50_000_000


@pytest.mark.parametrize(
    ("includes_tax", "parts"), [(False, ("50.00", "9.50", "59.50")), (True, ("42.02", "7.98", "50.00"))]
)
async def test_agent_is_bought_at_the_total_that_was_quoted(
    database_urls: DatabaseUrls,
    database: Database,
    new_tenant: Any,
    stranger: Tenant,
    includes_tax: bool,
    parts: tuple[str, str, str],
) -> None:
    tenant = await new_tenant("owner")
    await located(database, tenant.org_id)
    await rate(database, "de-vat", "DE", 190_000)
    made = good(await stranger.owner.post("/agents", {"name": "Sums", "visibility": "public"}), 201)["id"]
    offer = f"/marketplace/agents/{made}"
    priced = {"model": "one_time", "price": "50.00", "currency": "USD"}
    good(await stranger.owner.ask("PUT", offer, json=priced))
    changes = {"tax_country": "DE", "agent_prices_include_tax": includes_tax, "reputation_registrars": "*"}
    async with paying_app(database_urls, **changes) as client:
        payer = Caller(client, tenant.owner.token)
        quote = good(await payer.get(f"/billing/quote?agent_id={made}"))
        means = {"price": "50.00", "currency": "USD", "provider": "stripe", "return_url": "https://client.test"}
        changed = await payer.post(f"{offer}/purchase", {**means, "total": "50.01"}, key=new_key())
        refused(changed, 409, "marketplace.offer_changed")
        await payer.post(f"{offer}/purchase", {**means, "total": quote["total"]}, key=new_key())
    assert (quote["subtotal"], quote["tax"]["amount"], quote["total"], quote["agent_id"]) == (*parts, made)
    (terms,) = await intents(database, tenant.org_id)
    assert [terms["amount_minor"], terms["tax"]["amount_minor"]] == [parse_amount(each, "USD") for each in parts[:0:-1]]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/billing/topup", {"amount": "100", "return_url": "https://client.test"}),
        ("/billing/purchase-credits", {"package": "hundred", "payment_method": "pm_1"}),
        ("/billing/credits/purchase", {"package": "hundred", "return_url": "https://client.test"}),
        ("/payments", {"amount": "10.00", "currency": "USD", "return_url": "https://client.test"}),
    ],
)
async def test_credits_are_bought_at_the_total_that_was_seen(
    database_urls: DatabaseUrls, database: Database, new_tenant: Any, path: str, body: dict[str, str]
) -> None:
    tenant = await new_tenant("owner")
    await located(database, tenant.org_id)
    await rate(database, "de-vat", "DE", 190_000)
    packages = '[{"name": "hundred", "credits": "100", "price": "10.00", "currency": "USD"}]'
    changes = {"tax_country": "DE", "credits_taxed_at": "sale", "credit_packages": packages}
    async with paying_app(database_urls, **changes) as client:
        payer = Caller(client, tenant.owner.token)
        # As it was shown before there was a rate.
        answer = refused(await payer.post(path, {**body, "total": "10.00"}, key=new_key()), 422, "request.invalid")
        assert (answer["field"], "11.90 USD" in answer["detail"]) == ("total", True)
        assert await intents(database, tenant.org_id) == []
        seen = good(await payer.get("/billing/quote?credits=100"))["total"]
        await payer.post(path, {**body, "total": seen}, key=new_key())
    (terms,) = await intents(database, tenant.org_id)
    assert terms["amount_minor"] == 1190


@pytest.mark.parametrize(
    ("includes_tax", "parts"), [(False, ("30.00", "5.70", "35.70")), (True, ("25.21", "4.79", "30.00"))]
)
async def test_slots_are_bought_at_the_total_that_was_quoted(
    database_urls: DatabaseUrls, database: Database, new_tenant: Any, includes_tax: bool, parts: tuple[str, str, str]
) -> None:
    tenant = await new_tenant("owner")
    await located(database, tenant.org_id)
    await rate(database, "de-vat", "DE", 190_000)
    async with paying_app(database_urls, tax_country="DE", slot_prices_include_tax=includes_tax) as client:
        payer = Caller(client, tenant.owner.token)
        quote = good(await payer.get("/billing/quote?slots=3"))
        path, means = "/projects/deployment/purchase-slot", {"slots": 3, "return_url": "https://client.test"}
        refused(await payer.post(path, {**means, "total": "35.71"}, key=new_key()), 422, "request.invalid")
        await payer.post(path, {**means, "total": quote["total"]}, key=new_key())
    assert (quote["subtotal"], quote["tax"]["amount"], quote["total"], quote["slots"]) == (*parts, 3)
    (terms,) = await intents(database, tenant.org_id)
    assert [terms["amount_minor"], terms["tax"]["amount_minor"]] == [parse_amount(each, "USD") for each in parts[:0:-1]]


@for_each(
    "query",
    [
        *("", "credits=1&slots=1", "package=nobodys", "credits=0", "credits=0.0000001", "slots=0", "slots=100000000"),
        *("credits=1&provider=nobody", "credits=1&asset=BTC", "credits=abc"),
    ],
)
async def test_purchase_that_would_be_refused_has_no_quote(customer: Tenant, query: str) -> None:
    refused(await customer.owner.get(f"/billing/quote?{query}"), 422, "request.invalid")


async def test_price_of_others_is_not_found(customer: Tenant, stranger: Tenant) -> None:
    named = f"/billing/quote?credits=1&organization_id={stranger.org_id}"
    refused(await customer.owner.get(named), 404, "not_found")
