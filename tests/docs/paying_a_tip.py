"""Pays a tip and takes it back; run in a copy of the code that follows docs/guides/recipes/add-a-purpose.md."""

import asyncio
import json
import sys
from datetime import timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import insert

from api.v1.payments.schemas import PaymentCreate
from console.payment.view import PURPOSES
from domain.billing.project import SlotPrice
from domain.common import accounts
from domain.common.access import Actor, Role
from domain.common.accounts import Account
from domain.common.credits import CreditPrice
from domain.common.errors import DomainError
from domain.payments.payment.options import Options
from domain.payments.payment.pricing import Market, Order, charge_for
from domain.payments.payment.purposes import RULES
from domain.payments.payment.terms import PurposeKind
from ledger.gateway import Ledger
from models.marketplace.agent import Agent
from models.tenants.organization import Organization
from runtime.database import Database, driver_connection
from runtime.identity import new_id
from services.payments.purposes import BOOKS
from tests.api.paying import NOW, Written

TIP = PurposeKind("tip")
MARKET = Market(
    credit=CreditPrice(price=Decimal("0.10"), currency="USD"), slot=SlotPrice(price_minor=500, currency="USD")
)


async def add(database: Database, table: Any, kind: str, **values: Any) -> str:
    made = new_id(kind)
    row = {"id": made, "name": "Acme", "created_by": "test", "command_id": made, **values}
    async with database.platform() as session:
        await session.execute(insert(table).values(**row))
    return made


async def balance(database: Database, account: Account) -> int:
    async with database.platform() as session:
        return (await Ledger(await driver_connection(session)).balance(account)).posted_minor


def refused(order: Order) -> object:
    try:
        RULES[TIP].price(order, MARKET)
    except DomainError as refusal:
        return refusal.extra
    return None


async def main(tenant_url: str, platform_url: str) -> None:
    assert set(RULES) == set(BOOKS) == set(PURPOSES) == set(PurposeKind)
    database = Database(tenant_url, platform_url)
    payer, payee = await add(database, Organization, "org"), await add(database, Organization, "org")
    agent = await add(database, Agent, "agt", org_id=payee, visibility="public", pricing_model="free")
    body = PaymentCreate.model_validate({"purpose": "tip", "agent_id": agent, "amount": "5.00", "currency": "USD"})
    rules, actor = RULES[TIP], Actor(principal="kim", role=Role.OWNER, org_id=payer)
    assert rules.named_by is not None
    async with database.tenant(payer) as session:
        subject = await BOOKS[TIP].subject(session, actor, getattr(body, rules.named_by))
    order = Order(options=Options(), amount=body.amount, currency=body.currency, subject=subject)
    charge = charge_for(rules.price(order, MARKET), None, now=NOW, valid_for=timedelta(0))
    purpose = rules.buys(order, charge, MARKET)
    described = rules.describe(purpose, subject)
    terms = {"amount_minor": charge.amount_minor, "currency": charge.currency, "description": described}
    made = await Written(database, payer, purpose=purpose, **terms).begin()
    earnings = accounts.agent_earnings(agent, charge.currency, payee)
    found: dict[str, object] = {
        "described": described.replace(agent, "the agent"),
        "refused": refused(Order(options=Options(), amount=body.amount, currency=body.currency)),
    }
    made.there.pay()
    await made.look()
    found["earned"] = await balance(database, earnings)
    made.there.refund(200)
    await made.look()
    found["earned_after_a_refund"] = await balance(database, earnings)
    made.there.dispute(300)
    await made.look()
    found["earned_after_a_chargeback"] = await balance(database, earnings)
    found["owed"] = await balance(database, accounts.org_debt(payer, charge.currency))
    await database.close()
    print(json.dumps(found))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
