"""Organizations that are invoiced for their usage, and usage of theirs at any time."""

import itertools
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import insert, select

from domain.billing.billing_run.period import period_of
from domain.billing.billing_terms import BillingTerms, TermsVersion, UsageMode
from domain.common.access import Actor, Role
from domain.usage.charge_model import PerUnit, charge_to_json
from domain.usage.prices import make_price
from models.billing.billing_run import BilledPeriod
from models.billing.invoice import InvoiceRow
from models.messages.mail import QueuedMail
from models.tenants.organization import Organization
from models.usage.meter import MeterRow
from repositories.billing import billing_terms
from repositories.usage import model_price
from repositories.usage.model_price import PriceBook
from runtime.database import Database
from runtime.identity import new_id
from services.usage import usage
from services.usage.rating import Rates
from services.usage.usage import EventStatus
from services.usage.usage_validation import Delivery

KIM = Actor(principal="kim", role=Role.OPERATOR)
NUMBERS = itertools.count(1)
#: What a unit costs.
UNIT_MINOR = 100


class Market:
    """Organizations, and a model that they call, each token of which is a unit."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.model = ""

    async def open(self) -> "Market":
        """Have a model cost what a unit costs."""
        self.model, since = f"scout-{next(NUMBERS)}-{new_id('run')[-6:]}", datetime(2020, 1, 1, tzinfo=UTC)
        price = make_price(
            model=self.model,
            provider="tests",
            currency="USD",
            version=self.model,
            valid_from=since,
            tiers={"standard": [(0, {"output_tokens": str(UNIT_MINOR // 100)})]},
        )
        async with self.database.platform() as session:
            await model_price.add(session, [price], version=self.model, sha256=self.model, valid_from=since, entries=1)
        return self

    async def debtor(self, month: date, **changes: Any) -> str:
        """Return a new organization whose usage is invoiced from a month on."""
        [org_id] = await self.debtors(1, month, **changes)
        return org_id

    async def debtors(self, count: int, month: date, **changes: Any) -> list[str]:
        """Return new organizations whose usage is invoiced from a month on; all are made together."""
        terms = replace(BillingTerms(mode=UsageMode.ARREARS), **changes)
        starts = period_of(month, terms.time_zone).starts_at
        version = TermsVersion(number=1, terms=terms, starts_at=starts, from_month=month)
        org_ids = [new_id("org") for _ in range(count)]
        async with self.database.platform() as session:
            organizations = [{"id": each, "name": each, "command_id": each, "created_by": "test"} for each in org_ids]
            await session.execute(insert(Organization), organizations)
            session.add_all(
                billing_terms.as_row(each, version, reason=None, created_by="kim", command_id=new_id("cmd"))
                for each in org_ids
            )
        return org_ids

    async def use(
        self,
        org_id: str,
        at: datetime,
        units: int,
        *,
        received: datetime | None = None,
        event_id: str | None = None,
    ) -> None:
        """Report calls of the model; with an id they may be reported again."""
        data = {"model": self.model, "usage": {"output_tokens": units}}
        await self.report(org_id, "work", at, data, received=received, event_id=event_id)

    async def report(
        self,
        org_id: str,
        type_: str,
        at: datetime,
        data: dict[str, Any],
        *,
        received: datetime | None = None,
        event_id: str | None = None,
    ) -> None:
        """Report a usage event that comes in when it happens, or later."""
        document = {
            "specversion": "1.0",
            "id": event_id or f"event-{next(NUMBERS)}",
            "source": "platform:tests",
            "type": type_,
            "time": at.isoformat(),
            "data": data,
        }
        delivery = Delivery(
            actor=KIM,
            org_id=org_id,
            at=received or at,
            late=timedelta(days=40),
            rates=Rates(prices=PriceBook()),
        )
        async with self.database.platform() as session:
            [outcome] = await usage.record(session, delivery, [document])
        again = event_id is not None and outcome.status is EventStatus.DUPLICATE
        assert again or outcome.status is EventStatus.ACCEPTED, outcome.error

    async def meter(self, org_id: str, unit_price: str, since: datetime) -> str:
        """Return the type of events that a charged meter of the organization counts `n` of."""
        type_, meter_id = f"metered-{next(NUMBERS)}", new_id("mtr")
        price = charge_to_json(PerUnit(unit_price=Decimal(unit_price), free_units=Decimal(5)))
        async with self.database.platform() as session:
            await session.execute(
                insert(MeterRow).values(
                    id=meter_id,
                    org_id=org_id,
                    name=type_,
                    event_type=type_,
                    aggregation="sum",
                    property="n",
                    dimensions=[],
                    price=price,
                    currency="USD",
                    created_by="kim",
                    command_id=meter_id,
                    charged_at=since,
                )
            )
        return type_

    async def invoices(self, org_id: str) -> list[InvoiceRow]:
        """Return the invoices of an organization, the oldest first."""
        async with self.database.platform() as session:
            query = select(InvoiceRow).where(InvoiceRow.org_id == org_id).order_by(InvoiceRow.id)
            return list(await session.scalars(query))

    async def periods(self, month: date) -> dict[str, str]:
        """Return what became of a month, by organization."""
        async with self.database.platform() as session:
            query = select(BilledPeriod).where(BilledPeriod.month == month)
            return {row.org_id: row.status for row in await session.scalars(query)}

    async def mails(self) -> dict[str, int]:
        """Return how many mails ask each organization to pay an invoice."""
        async with self.database.platform() as session:
            query = select(QueuedMail.org_id).where(QueuedMail.kind == "invoice_issued")
            return dict(Counter(await session.scalars(query)))

    async def organization(self) -> str:
        org_id = new_id("org")
        async with self.database.platform() as session:
            await session.execute(
                insert(Organization).values(id=org_id, name=org_id, command_id=org_id, created_by="test")
            )
        return org_id


def at(day: date, hour: int = 12) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)
