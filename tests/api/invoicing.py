"""Invoices over HTTP as tests ask for them, and payments of them that the books hold already."""

from typing import Any

from domain.common import accounts
from domain.payments.payment.purposes.invoice import invoice_paid
from domain.payments.payment.terms import Purpose, PurposeKind
from ledger.gateway import Ledger
from runtime.database import Database, driver_connection
from tests.api.conftest import Caller, Tenant, good, new_key
from tests.api.paying import NOW, Written

PATH = "/billing/invoices"
LINES = [
    {"description": "Support, October", "quantity": 2, "unit_amount": "4.25"},
    {"description": "Seat", "unit_amount": 1.5},
]
NOBODY = "0" * 26


def body(tenant: Tenant, **changes: Any) -> dict[str, Any]:
    return {"organization_id": tenant.org_id, "currency": "USD", "lines": LINES, **changes}


async def issue(operator: Caller, tenant: Tenant, **changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = good(await operator.post(PATH, body(tenant, **changes), key=new_key()), 201)
    return made


async def pay(database: Database, invoice: dict[str, Any], amount_minor: int = 1000) -> Written:
    """Book a payment of the invoice as its run would."""
    goods = Purpose(
        kind=PurposeKind.INVOICE,
        goods_asset=invoice["currency"],
        goods_minor=amount_minor,
        invoice_id=invoice["id"],
    )
    org_id, currency = invoice["organization_id"], invoice["currency"]
    made = await Written(database, org_id, amount_minor=amount_minor, currency=currency, purpose=goods).begin()
    made.there.pay()
    await made.look()
    assert made.payment is not None
    await made._write(invoice_paid(made.payment, at=NOW))
    return made


async def receivable(database: Database, tenant: Tenant, currency: str = "USD") -> int:
    async with database.platform() as session:
        account = accounts.org_receivable(tenant.org_id, currency)
        return (await Ledger(await driver_connection(session)).balance(account)).posted_minor
