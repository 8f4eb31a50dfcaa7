"""Purchases of credits over HTTP that are taxed at sale, by own rates and by a tax service."""

from typing import Any
from unittest.mock import AsyncMock, Mock

import pytest

from domain.billing.tax.rates import AppliedTax, TaxCategory
from domain.billing.tax.treatment import Treatment
from providers.payments.base import ProviderRefused, ProviderUnavailable
from runtime.database import Database
from tests.api.conftest import Caller, Tenant, good, new_key, refused
from tests.api.invoicing import PATH, body
from tests.api.paying import intents, paying_app
from tests.conftest import DatabaseUrls
from tests.support.billing import located, rate

pytestmark = pytest.mark.db

MEANS = {"provider": "stripe", "return_url": "https://client.test"}
TOP_UP = ("/payments/credits/purchase", {**MEANS, "amount": "100"})
PACKAGE = (
    "/billing/credits/purchase",
    {"provider": "stripe", "package": "pack_100", "return_url": "https://client.test"},
)
MONEY = ("/payments", {**MEANS, "purpose": "credits", "amount": "10.00", "currency": "USD"})
BALANCE = ("/payments", {**MEANS, "purpose": "balance", "amount": "10.00", "currency": "USD"})


@pytest.mark.parametrize(
    ("asked", "includes_tax", "charged", "tax"),
    [(TOP_UP, False, 1_190, 190), (MONEY, False, 1_190, 190), (PACKAGE, False, 1_190, 190), (MONEY, True, 1_000, 160)],
)
async def test_every_way_to_buy_credits_is_taxed_and_grants_the_same_credits(
    database_urls: DatabaseUrls,
    database: Database,
    new_tenant: Any,
    asked: tuple[str, dict[str, str]],
    includes_tax: bool,
    charged: int,
    tax: int,
) -> None:
    tenant = await new_tenant("owner")
    await located(database, tenant.org_id)
    await rate(database, "de-vat", "DE", 190_000)
    changes = {"tax_country": "DE", "credits_taxed_at": "sale", "credit_prices_include_tax": includes_tax}
    async with paying_app(database_urls, **changes) as client:
        payer = Caller(client, tenant.owner.token)
        for path, body in (asked, BALANCE):
            await payer.post(path, json=body, key=new_key())
    first, second = await intents(database, tenant.org_id)
    assert (first["amount_minor"], first["tax"]["amount_minor"], first["tax"]["code"]) == (charged, tax, "de-vat")
    assert first["purpose"]["goods_minor"] == 100_000_000
    assert (second["amount_minor"], second["tax"]) == (1_000, None)


async def test_nothing_is_issued_or_sold_while_an_outside_service_has_no_answer(
    database_urls: DatabaseUrls, customer: Tenant, operator: Caller
) -> None:
    said = AppliedTax(code="us-ny", category=TaxCategory.STANDARD, rate_e6=100_000)
    treat = AsyncMock(side_effect=ProviderUnavailable("Away."))
    changes = {"tax_service_url": "https://tax.test", "tax_country": "DE", "credits_taxed_at": "sale"}
    async with paying_app(database_urls, taxes=Mock(treat=treat), **changes) as client:
        payer, platform = Caller(client, customer.owner.token), Caller(client, operator.token)
        draft = good(await platform.post(PATH, body(customer, draft=True), key=new_key()), 201)
        asked: tuple[tuple[Caller, str, dict[str, Any]], ...] = (
            (payer, *TOP_UP),
            (platform, PATH, body(customer)),
            (platform, f"{PATH}/{draft['id']}/finalize", {}),
        )
        for caller, path, content in asked:
            refused(await caller.post(path, content, key=new_key()), 503, "tax.service_unavailable")
        treat.side_effect = ProviderRefused("No such product.")
        for caller, path, content in asked:
            refused(await caller.post(path, content, key=new_key()), 409, "tax.service_refused")
        treat.side_effect = lambda question: Treatment(taxes=(said,) * len(question.lines), is_proven=True)
        issued = good(await platform.post(PATH, body(customer), key=new_key()), 201)
        finalised = good(await platform.post(f"{PATH}/{draft['id']}/finalize", {}, key=new_key()))
    assert [each["tax"] for each in (issued, finalised)] == ["1.00", "1.00"]
