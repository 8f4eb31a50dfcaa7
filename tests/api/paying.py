"""The API with providers and no Temporal: what is refused, what is noted, and payments that the books hold already."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx2
from sqlalchemy import select
from temporalio.testing import ActivityEnvironment

from activities.payments.payment import PaymentActivities
from api.app import create_app
from contracts.payments.payment import PaymentEvent
from domain.common.access import Actor, Role
from domain.payments.payment import commands
from domain.payments.payment.converge import Observation, converge
from domain.payments.payment.snapshot import CreatePayment
from domain.payments.payment.state import Outcome, Payment
from domain.payments.payment.terms import PaymentTerms
from models.payments.payment_command import PaymentCommand
from providers.payments.registry import Providers
from providers.tax.service import TaxService
from runtime.database import Database
from runtime.identity import new_id
from tests.api.conftest import settings_for
from tests.support.payments import TERMS, Account, FakeProvider
from tests.support.rates import FixedRates
from tests.support.runs import ask_for, payment_message
from tests.support.serving import client_of

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PRICES = {("BTC", "USD"): Decimal("50000"), ("USDC", "USD"): Decimal(1), ("TON", "USD"): Decimal("3.3")}


@asynccontextmanager
async def paying_app(
    urls: Any, *, taxes: TaxService | None = None, **changes: Any
) -> AsyncIterator[httpx2.AsyncClient]:
    """Serve an app where every provider is set up, and no run ever answers."""
    settings = settings_for(urls, command_timeout=timedelta(milliseconds=50), **changes)
    fakes: Any = {name: FakeProvider() for name in ("stripe", "paypal", "crypto", "credits")}
    providers = Providers(
        fakes,
        rates=FixedRates(PRICES, clock=lambda: datetime.now(UTC)),
        assets=frozenset({"BTC", "USDC"}),
        taxes=taxes,
    )
    application = create_app(settings, providers=providers)
    risk = application.state.deps.risk
    # A loaded machine decides later than production must.
    risk.settings = replace(risk.settings, within=timedelta(minutes=1))
    async with client_of(application) as client:
        yield client


async def intents(database: Database, org_id: str) -> list[dict[str, Any]]:
    """Return the terms of every payment that the organization has asked for, in the order of their ids."""
    query = select(PaymentCommand.terms).where(PaymentCommand.org_id == org_id).order_by(PaymentCommand.payment_id)
    async with database.platform() as session:
        return list(await session.scalars(query))


class Written:
    """A payment that is in the books, as its run would have written it."""

    def __init__(self, database: Database, org_id: str, **terms: Any) -> None:
        usual = {"payment_id": new_id("pay"), "org_id": org_id, "provider": "stripe", "created_at": NOW}
        self.database = database
        self.terms: PaymentTerms = replace(TERMS, **{**usual, "expires_at": NOW + timedelta(hours=23), **terms})
        self.actor = Actor(principal="procurement", role=Role.OWNER, org_id=org_id)
        asked = CreatePayment(
            payment_id=self.terms.payment_id,
            org_id=org_id,
            amount_minor=self.terms.amount_minor,
            currency=self.terms.currency,
            description=self.terms.description,
            expires_at=self.terms.expires_at,
        )
        self.there = Account(asked=asked, ref=f"pi_{self.terms.payment_id}")
        self.payment: Payment | None = None

    async def begin(self) -> "Written":
        await ask_for(self.database, self.terms)
        await self._write(commands.with_receipt(commands.created(self.terms, actor=self.actor), self.terms.payment_id))
        return await self.look()

    async def look(self) -> "Written":
        """Book what is new at the provider."""
        assert self.payment is not None
        seen = Observation(snapshot=self.there.snapshot(), at=NOW, revalued={})
        if outcomes := converge(self.payment, seen):
            await self._write(*outcomes)
        return self

    async def _write(self, *outcomes: Outcome) -> None:
        command_id = self.terms.payment_id if self.payment is None else None
        events = tuple(PaymentEvent.of(outcome, at=NOW, command_id=command_id) for outcome in outcomes)
        message = await payment_message(self.database, *events, at=NOW)
        # A decline is counted by the activity's meter.
        environment = ActivityEnvironment()
        environment.info = replace(environment.info, is_local=True)
        recorded = await environment.run(PaymentActivities(self.database).record, message)
        assert recorded.applied
        self.payment = recorded.stored
