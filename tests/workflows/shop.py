"""The API with a worker behind it: its operator, an organization that pays, and one with an agent."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from api.app import create_app
from api.bootstrap import operator_key
from providers.payments.registry import Providers
from repositories.payments import payment as payments
from tests.api.conftest import Caller, good, new_key, settings_for
from tests.conftest import DatabaseUrls
from tests.support.looking import again
from tests.support.payments import Account
from tests.support.serving import client_of
from tests.workflows.payment_driver import PaymentDriver

if TYPE_CHECKING:
    from tests.workflows.conftest import Stage


@dataclass
class Shop:
    """The API, its operator, a paying organization's owner, and an agent's organization."""

    stage: "Stage"
    operator: Caller
    payer: Caller
    studio: Caller
    agent_id: str

    def there(self, payment: dict[str, Any]) -> Account:
        return self.stage.fake.of(payment.get("payment_id") or payment["id"])

    async def look(self, payment: dict[str, Any]) -> dict[str, Any]:
        shown: dict[str, Any] = good(await self.payer.get(f"/payments/{payment.get('payment_id') or payment['id']}"))
        return shown

    async def until(self, payment: dict[str, Any], status: str) -> dict[str, Any]:
        while (shown := await self.look(payment))["status"] != status:
            await again()
        return shown

    async def refreshed(self, payment: dict[str, Any]) -> dict[str, Any]:
        """Return the payment once its run has booked the changes at the provider."""
        async with self.stage.database.platform() as session:
            row = await payments.get(session, payment.get("payment_id") or payment["id"])
            assert row is not None
            terms = payments.state_of(row).terms
        await PaymentDriver(self.stage, terms, "news").refreshed()
        return await self.look(payment)

    async def available(self, currency: str = "CREDIT") -> str:
        balance = good(await self.payer.get(f"/billing/balance?currency={currency}"))
        return str(balance["available"])

    async def top_up(self, amount: str = "100") -> dict[str, Any]:
        bought: dict[str, Any] = good(await self.payer.post("/billing/topup", {"amount": amount}, key=new_key()), 201)
        return bought

    async def escrow(self, price: str = "50.00", currency: str = "CREDIT") -> dict[str, Any]:
        award = {"agent_id": self.agent_id, "title": "Work", "price": price, "currency": currency}
        contract = good(await self.payer.post("/contracts", award), 201)
        opened: dict[str, Any] = good(await self.payer.post("/escrows", {"contract_id": contract["id"]}), 201)
        return opened

    async def fund(self, escrow: dict[str, Any], body: dict[str, Any], key: str | None = None) -> httpx2.Response:
        return await self.payer.post(f"/escrows/{escrow['id']}/fund", body, key=key or new_key())


@pytest.fixture(scope="package")
async def http(stage: "Stage", database_urls: DatabaseUrls) -> AsyncIterator[httpx2.AsyncClient]:
    settings = settings_for(database_urls, command_timeout="PT60S")
    providers: Any = {"stripe": stage.fake}
    app = create_app(settings, database=stage.database, temporal=stage.client, providers=Providers(providers))
    async with client_of(app) as client:
        yield client


@pytest.fixture
async def shop(stage: "Stage", http: httpx2.AsyncClient) -> Shop:
    async with stage.database.platform() as session:
        operator = Caller(http, await operator_key(session, f"operator-{new_key()}-of-the-shop-tests"))
    callers = []
    for name in ("Payer", "Studio"):
        org_id = good(await operator.post("/organizations", {"name": name}), 201)["id"]
        key = {"organization_id": org_id, "principal": "owner", "role": "owner"}
        callers.append(Caller(http, good(await operator.post("/api-keys", key), 201)["secret"], org_id))
    payer, studio = callers
    agent = good(await studio.post("/agents", {"name": "Bot"}), 201)
    return Shop(stage, operator, payer, studio, agent["id"])
