"""Terms and refusals of payment requests, before the provider is called."""

import asyncio
from typing import Any

import httpx2
import pytest
from sqlalchemy import text

from domain.tenants.metadata import OwnMetadata as metadata_of_a_request
from repositories.tenants import metadata
from runtime.database import Database
from tests.api.conftest import Caller, Tenant, forget, good, new_key, refused
from tests.api.paying import Written, intents, paying_app
from tests.support.cases import for_each
from tests.support.payments import TERMS
from tests.support.runs import ask_for

pytestmark = pytest.mark.db


@pytest.fixture
async def payer(paying: httpx2.AsyncClient, new_tenant: Any) -> Caller:
    tenant: Tenant = await new_tenant("owner")
    return Caller(paying, tenant.owner.token, tenant.org_id)


USD = {"amount": "25.00", "currency": "USD"}
BALANCE = {**USD, "purpose": "balance"}


def terms(provider: str, amount: int, currency: str, goods: int, asset: str, **more: Any) -> dict[str, Any]:
    flat = {"provider": provider, "amount_minor": amount, "currency": currency}
    return flat | {"goods_minor": goods, "goods_asset": asset, **more}


ASKED: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (
        "/payments",
        USD,
        terms("stripe", 2500, "USD", 250_000_000, "CREDIT", kind="credits", description="250.00 credits"),
    ),
    ("/payments", {"amount": "0.51", "currency": "USD"}, terms("stripe", 51, "USD", 5_100_000, "CREDIT")),
    ("/payments", BALANCE, terms("stripe", 2500, "USD", 2500, "USD", kind="balance", refundable=True)),
    ("/payments", {**BALANCE, "currency": "JPY", "amount": 500}, terms("stripe", 500, "JPY", 500, "JPY")),
    (
        "/payments",
        {**BALANCE, "capture_method": "manual"},
        terms("stripe", 2500, "USD", 2500, "USD", manual_capture=True),
    ),
    ("/payments", {**BALANCE, "description": "Q3"}, terms("stripe", 2500, "USD", 2500, "USD", description="Q3")),
    (
        "/payments",
        {**BALANCE, "payment_method": "pm_1", "off_session": True},
        terms("stripe", 2500, "USD", 2500, "USD", method_ref="pm_1", off_session=True, hosted=False),
    ),
    (
        "/payments",
        {**BALANCE, "hosted": True, "return_url": "https://a.example/b?c=d"},
        terms("stripe", 2500, "USD", 2500, "USD", hosted=True, return_url="https://a.example/b?c=d"),
    ),
    ("/payments", {**BALANCE, "provider": "paypal"}, terms("paypal", 2500, "USD", 2500, "USD", first_poll_seconds=15)),
    (
        "/payments",
        {"amount": "0.01", "currency": "BTC", "provider": "crypto", "purpose": "balance"},
        terms("crypto", 1_000_000, "BTC", 1_000_000, "BTC", quote=None, refundable=False, first_poll_seconds=60),
    ),
    (
        "/payments",
        {"amount": "0.001", "currency": "BTC", "provider": "crypto"},
        terms("crypto", 100_000, "BTC", 500_000_000, "CREDIT", worth=5000),
    ),
    (
        "/payments",
        {**USD, "provider": "crypto", "asset": "BTC"},
        terms("crypto", 50_000, "BTC", 250_000_000, "CREDIT", worth=2500),
    ),
    ("/billing/topup", {"amount": 100.00, "provider": "stripe"}, terms("stripe", 1000, "USD", 100_000_000, "CREDIT")),
    ("/payments/credits/purchase", {"amount": "100"}, terms("stripe", 1000, "USD", 100_000_000, "CREDIT")),
    ("/billing/topup", {"amount": "5.000001"}, terms("stripe", 51, "USD", 5_000_001, "CREDIT")),
    (
        "/billing/topup",
        {"amount": "100", "provider": "crypto", "asset": "USDC"},
        terms("crypto", 10_000_000, "USDC", 100_000_000, "CREDIT", worth=1000, late_poll_seconds=3600),
    ),
    (
        "/billing/purchase-credits",
        {"package": "large", "payment_method": "pm_1"},
        terms("stripe", 14_990, "USD", 2_000_000_000, "CREDIT", package="large", off_session=True, method_ref="pm_1"),
    ),
    (
        "/billing/purchase-credits",
        {"package_id": "small", "payment_method_id": "pm_2"},
        terms("stripe", 1_490, "USD", 150_000_000, "CREDIT", package="small", off_session=True, method_ref="pm_2"),
    ),
    (
        "/billing/credits/purchase",
        {"package": "pack_50", "return_url": "http://localhost:3000/"},
        terms("stripe", 500, "USD", 50_000_000, "CREDIT", package="pack_50", hosted=True),
    ),
    (
        "/billing/credits/purchase",
        {"package": "jumbo", "provider": "paypal"},
        terms("paypal", 34_990, "USD", 5_000_000_000, "CREDIT", package="jumbo"),
    ),
    (
        "/billing/credits/purchase",
        {"package": "pack_100", "return_url": "http://localhost:3000/"},
        terms("stripe", 1000, "USD", 100_000_000, "CREDIT", package="pack_100", hosted=True),
    ),
    (
        "/billing/credits/purchase",
        {"package": "pack_100", "provider": "paypal"},
        terms("paypal", 1000, "USD", 100_000_000, "CREDIT", package="pack_100"),
    ),
]


@pytest.mark.parametrize(("path", "body", "expected"), ASKED, ids=lambda value: str(value)[:60])
async def test_terms_of_a_request_are_stored_before_the_provider_is_called(
    path: str, body: dict[str, Any], expected: dict[str, Any], payer: Caller, database: Database
) -> None:
    refused(await payer.post(path, body, key=new_key()), 503, "service.unavailable")
    (noted,) = await intents(database, payer.org_id or "")
    flat = {**noted, **noted["purpose"], "worth": (noted["quote"] or {}).get("amount_minor")}
    assert {name: flat[name] for name in expected} == expected


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("/payments", {"currency": "USD"}, "amount"),
    ("/payments", {"amount": "25"}, "currency"),
    ("/payments", {**USD, "amount": "25.001"}, "amount"),
    ("/payments", {**USD, "amount": "0"}, "amount"),
    ("/payments", {**USD, "amount": "-1"}, "amount"),
    ("/payments", {**USD, "amount": "1" + "0" * 30}, "amount"),
    ("/payments", {**USD, "amount": True}, "errors"),
    ("/payments", {**USD, "amount": {"value": "1"}}, "errors"),
    ("/payments", {**USD, "currency": "usd"}, "errors"),
    ("/payments", {**USD, "currency": "EUR"}, "currency"),
    ("/payments", {**USD, "currency": "CREDIT"}, "currency"),
    ("/payments", {**USD, "provider": "cash"}, "errors"),
    ("/payments", {**USD, "provider": "credits"}, "provider"),
    ("/payments", {**USD, "provider": None}, "errors"),
    ("/payments", {**USD, "purpose": "invoice"}, "invoice_id"),
    ("/payments", {**USD, "purpose": {"kind": "credits"}}, "errors"),
    ("/payments", {**USD, "purpose": "escrow"}, "escrow_id"),
    ("/payments", {**USD, "escrow_id": "esc_1"}, "errors"),
    ("/payments", {**USD, "asset": "BTC"}, "asset"),
    ("/payments", {**USD, "provider": "crypto"}, "asset"),
    ("/payments", {"amount": "0.001", "currency": "BTC", "provider": "crypto", "asset": "USDC"}, "asset"),
    ("/payments", {**USD, "provider": "crypto", "asset": "ETH"}, "asset"),
    ("/payments", {**USD, "provider": "crypto", "asset": "DOGE"}, "errors"),
    ("/payments", {**BALANCE, "provider": "crypto", "asset": "BTC"}, "asset"),
    ("/payments", {"amount": "1", "currency": "TON", "provider": "crypto", "purpose": "balance"}, "asset"),
    ("/payments", {**BALANCE, "currency": "CREDIT"}, "currency"),
    ("/payments", {**USD, "payment_method": "pm_1", "provider": "paypal"}, "payment_method"),
    ("/payments", {**USD, "payment_method": "pm 1"}, "errors"),
    ("/payments", {**USD, "payment_method": "p" * 256}, "errors"),
    ("/payments", {**USD, "off_session": True}, "off_session"),
    ("/payments", {**USD, "off_session": "yes please"}, "errors"),
    ("/payments", {**USD, "hosted": True}, "return_url"),
    ("/payments", {**USD, "hosted": True, "payment_method": "pm_1"}, "hosted"),
    ("/payments", {**USD, "return_url": "javascript:alert(1)"}, "errors"),
    ("/payments", {**USD, "return_url": "https://"}, "errors"),
    ("/payments", {**USD, "return_url": "https://a.example/\n"}, "errors"),
    ("/payments", {**USD, "return_url": "https://a.example/\x00"}, "detail"),
    ("/payments", {**USD, "return_url": "https://a.example/" + "a" * 500}, "errors"),
    ("/payments", {**USD, "capture_method": "later"}, "errors"),
    ("/payments", {**USD, "provider": "crypto", "asset": "BTC", "capture_method": "manual"}, "capture_method"),
    ("/payments", {**USD, "description": "a\x00b"}, "detail"),
    ("/payments", {**USD, "description": "d" * 201}, "errors"),
    ("/payments", {**USD, "confirm": True}, "errors"),
    ("/billing/topup", {}, "errors"),
    ("/billing/topup", {"amount": "0.0000001"}, "amount"),
    ("/billing/topup", {"amount": "1000000001"}, "amount"),
    ("/billing/topup", {"amount": "100", "currency": "USD"}, "errors"),
    ("/billing/topup", {"amount": "100", "provider": "credits"}, "provider"),
    ("/billing/purchase-credits", {"package": "huge", "payment_method": "pm_1"}, "package"),
    ("/billing/purchase-credits", {"package": "../x"}, "errors"),
    ("/billing/purchase-credits", {"payment_method": "pm_1"}, "errors"),
    ("/billing/purchase-credits", {"package": "small", "package_id": "large"}, "errors"),
    ("/billing/purchase-credits", {"package": "small", "payment_method": "a", "payment_method_id": "b"}, "errors"),
    ("/billing/credits/purchase", {"package": "pack_100"}, "return_url"),
    ("/billing/credits/purchase", {"package": "pack_100", "provider": "crypto"}, "errors"),
]


@for_each("path, body, field", REFUSED)
async def test_request_that_makes_no_sense_is_refused_and_leaves_nothing(
    path: str, body: dict[str, Any], field: str, payer: Caller, database: Database
) -> None:
    document = refused(await payer.post(path, body, key=new_key()), 422, "request.invalid")
    assert field in document if field in {"errors", "detail"} else document["field"] == field
    assert await intents(database, payer.org_id or "") == []


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"amount": "4.90", "provider": "stripe"}, "payment.amount_too_small"),
        ({"amount": "100000000", "provider": "stripe"}, "payment.amount_too_large"),
        ({"amount": "0.001", "provider": "crypto", "asset": "BTC"}, "payment.amount_too_small"),
    ],
)
async def test_amounts_outside_a_providers_limits_are_refused(
    body: dict[str, Any], reason: str, payer: Caller, database: Database
) -> None:
    document = refused(await payer.post("/billing/topup", body, key=new_key()), 422, "provider.refused")
    assert document["reason"] == reason
    assert await intents(database, payer.org_id or "") == []


async def test_package_without_a_stored_method_is_refused(payer: Caller) -> None:
    refused(
        await payer.post("/billing/purchase-credits", {"package": "large"}, key=new_key()), 409, "payment.no_method"
    )


async def test_every_request_that_pays_needs_a_key(payer: Caller) -> None:
    for path, body in (("/payments", USD), ("/billing/topup", {"amount": "100"})):
        refused(await payer.post(path, body), 400, "idempotency.missing")


async def test_providers_that_are_not_set_up_are_refused(tenant: Tenant) -> None:
    for provider in ("stripe", "paypal", "crypto", "credits"):
        body = {**BALANCE, "provider": provider}
        refused(await tenant.owner.post("/payments", body, key=new_key()), 422, "request.invalid")


async def test_return_url_gets_the_payment_id(payer: Caller, database: Database) -> None:
    body = {**BALANCE, "hosted": True, "return_url": "https://a.example/paid/{PAYMENT_ID}?again={PAYMENT_ID}"}
    refused(await payer.post("/payments", body, key=new_key()), 503, "service.unavailable")
    (noted,) = await intents(database, payer.org_id or "")
    payment_id = noted["payment_id"]
    assert noted["return_url"] == f"https://a.example/paid/{payment_id}?again={payment_id}"


async def test_pitfall_01_repeated_payment_request_is_one_payment(payer: Caller, database: Database) -> None:
    key = new_key()
    body = {"amount": "100"}
    for _ in range(2):
        refused(await payer.post("/billing/topup", body, key=key), 503, "service.unavailable")
    paths = ["/billing/topup", "/payments/credits/purchase"] * 3
    answers = await asyncio.gather(*(payer.post(path, body, key=key) for path in paths))
    assert {answer.status_code for answer in answers} <= {503, 409}
    (noted,) = await intents(database, payer.org_id or "")
    assert noted["purpose"]["goods_minor"] == 100_000_000


async def test_other_payment_under_a_forgotten_key_is_refused(payer: Caller, database: Database) -> None:
    key = new_key()
    refused(await payer.post("/billing/topup", {"amount": "100"}, key=key), 503, "service.unavailable")
    await forget(database, key)
    refused(await payer.post("/billing/topup", {"amount": "101"}, key=key), 422, "idempotency.conflict")
    (noted,) = await intents(database, payer.org_id or "")
    assert noted["amount_minor"] == 1000


async def test_intents_of_others_are_not_seen_and_none_can_be_changed(
    payer: Caller, stranger: Tenant, database: Database
) -> None:
    refused(await payer.post("/billing/topup", {"amount": "100"}, key=new_key()), 503, "service.unavailable")
    count = text("SELECT count(*) FROM payment_commands WHERE org_id = :org").bindparams(org=payer.org_id)
    async with database.tenant(stranger.org_id) as session:
        assert await session.scalar(count) == 0
    async with database.tenant(payer.org_id or "") as session:
        assert await session.scalar(count) == 1
    for statement in ("UPDATE payment_commands SET payment_id = 'x'", "DELETE FROM payment_commands"):
        with pytest.raises(Exception, match="permission denied"):
            async with database.tenant(payer.org_id or "") as session:
                await session.execute(text(statement))


async def test_return_url_of_the_settings_serves_hosted_pages(
    database_urls: Any, new_tenant: Any, database: Database
) -> None:
    tenant: Tenant = await new_tenant("owner")
    async with paying_app(database_urls, payment_return_url="https://console.example/billing") as client:
        caller = Caller(client, tenant.owner.token)
        body = {"package": "pack_100"}
        refused(await caller.post("/billing/credits/purchase", body, key=new_key()), 503, "service.unavailable")
    (noted,) = await intents(database, tenant.org_id)
    assert noted["return_url"] == "https://console.example/billing"


async def test_config_for_front_ends_has_no_secrets(database_urls: Any) -> None:
    secrets = {"stripe_api_key": "sk_test_hidden", "stripe_publishable_key": "pk_test_1"}
    async with paying_app(database_urls, **secrets, credit_price="0.125") as client:
        answer = await client.get("/api/v1/billing/config")
    config = good(answer)
    assert "hidden" not in answer.text
    assert config["stripe_publishable_key"] == "pk_test_1"
    assert config["credit_price"] == {"amount": "0.125", "currency": "USD"}
    assert config["crypto_assets"] == ["BTC", "USDC"]
    taken = {provider["name"]: provider["currencies"] for provider in config["providers"]}
    assert taken.keys() == {"stripe", "paypal", "crypto", "credits"}
    assert {"EUR", "JPY", "USD"} <= set(taken["stripe"])
    assert (taken["crypto"], taken["credits"]) == (["BTC", "USDC"], ["CREDIT"])
    assert [plan["id"] for plan in config["plans"]] == ["free", "premium", "starter", "professional", "enterprise"]
    assert config["plans"][2]["prices"] == [
        {
            "interval": interval,
            "price": {"amount": price, "currency": "USD"},
            "credits_price": {"amount": for_credits, "currency": "USD"},
        }
        for interval, price, for_credits in (("month", "29.00", "23.20"), ("year", "290.00", "232.00"))
    ]
    assert {name: limits["deploys"] for name, limits in config["tier_limits"].items()} == {
        **{"free": 1, "premium": 5, "starter": 1},
        **{"professional": 5, "enterprise": None},
    }
    assert config["slot_price"] == {"amount": "10.00", "currency": "USD"}
    assert config["revenue_shares"] == {"creator": "0.90", "platform": "0.10"}
    assert "pack_50" in {package["id"] for package in config["packages"]}


async def test_packages_are_those_of_the_settings(database_urls: Any, tenant: Tenant) -> None:
    packages = '[{"name": "one", "credits": "7.5", "price": "1.20", "currency": "EUR"}]'
    async with paying_app(database_urls, credit_packages=packages) as client:
        listed = good(await Caller(client, tenant.auditor.token).get("/billing/credit-packages"))
    prices = {
        "price": {"amount": "1.20", "currency": "EUR"},
        "price_per_credit": {"amount": "0.16", "currency": "EUR"},
    }
    assert listed == {"data": [{"id": "one", "name": "one", "credits": "7.50", **prices}], "next_cursor": None}


async def test_packages_show_their_price_per_credit(paying: httpx2.AsyncClient, tenant: Tenant) -> None:
    listed = good(await Caller(paying, tenant.auditor.token).get("/billing/credit-packages"))["data"]
    shown = [(one["id"], one["credits"], one["price"]["amount"], one["price_per_credit"]["amount"]) for one in listed]
    assert shown == [
        ("small", "150.00", "14.90", "0.099333"),
        ("medium", "500.00", "39.90", "0.0798"),
        ("large", "2000.00", "149.90", "0.07495"),
        ("jumbo", "5000.00", "349.90", "0.06998"),
        ("pack_50", "50.00", "5.00", "0.1"),
        ("pack_100", "100.00", "10.00", "0.1"),
        ("pack_500", "500.00", "50.00", "0.1"),
    ]


async def test_external_id_of_an_unstarted_payment_names_the_request_to_repeat(
    payer: Caller, database: Database
) -> None:
    first, body = new_key(), {**BALANCE, "external_id": "order-1"}
    refused(await payer.post("/payments", body, key=first), 503, "service.unavailable")
    document = refused(await payer.post("/payments", body, key=new_key()), 409, "external_id.taken")
    assert document["id"] in [noted["payment_id"] for noted in await intents(database, payer.org_id or "")]
    assert document["requested_at"]
    assert "Idempotency-Key" in document["detail"]
    refused(await payer.post("/payments", body, key=first), 503, "service.unavailable")


async def test_external_id_of_a_payment_that_is_refused_its_start_is_free(payer: Caller, database: Database) -> None:
    written = Written(database, payer.org_id or "", purpose=TERMS.purpose)
    await ask_for(database, written.terms)
    own = metadata_of_a_request(external_id="order-2", metadata={"a": "b"})
    async with database.platform() as session:
        await metadata.add(session, written.terms.payment_id, written.terms.org_id, own, "cmd_1")
        assert await metadata.free_unbegun(session, written.terms.payment_id, written.terms.org_id)
    document = await payer.post("/payments", {**BALANCE, "external_id": "order-2"}, key=new_key())
    refused(document, 503, "service.unavailable")
