"""A card tester over HTTP, behind the platform's trusted proxy, which reports the address of each person."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from runtime.database import Database
from tests.api.conftest import NewTenant, Tenant, new_key, refused
from tests.api.paying import intents, paying_app

pytestmark = pytest.mark.db

BODY = {"amount": "1.00", "currency": "USD", "provider": "stripe"}
ADDRESSES = ("185.199.7.1", "185.199.8.1")
#: Of one address within ten minutes that pass without authentication.
LIMIT = 5


@pytest.fixture
async def proxied(database_urls: Any) -> AsyncIterator[httpx2.AsyncClient]:
    """The app as `server.py` serves it behind a proxy on this machine. No run ever answers."""
    async with paying_app(database_urls, risk_enforced=True, risk_key="a key of the tests") as client:
        transport = client._transport
        assert isinstance(transport, httpx2.ASGITransport)
        app: Any = ProxyHeadersMiddleware(transport.app, trusted_hosts="127.0.0.1")
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://bursar.test") as behind:
            yield behind


async def attempt(tester: Tenant, address: str | None) -> None:
    """Ask for a payment; its terms are stored, and then no run answers."""
    headers = {} if address is None else {"X-Forwarded-For": address}
    asked = await tester.owner.ask("POST", "/payments", key=new_key(), json=BODY, headers=headers)
    refused(asked, 503, "service.unavailable")


async def test_tester_must_authenticate_from_the_sixth_attempt_of_each_address(
    proxied: httpx2.AsyncClient, new_tenant: NewTenant, database: Database
) -> None:
    testers = [(await new_tenant("owner")).through(proxied) for _ in range(3)]
    for number in range(2 * (LIMIT + 3)):
        await attempt(testers[number % 3], ADDRESSES[number % 2])
    stored = [each for tester in testers for each in await intents(database, tester.org_id)]
    # A tester has no key of the card's owner, so what must authenticate is not tried.
    assert sorted(each["authenticate"] for each in stored) == [False] * 2 * LIMIT + [True] * 6
    honest = (await new_tenant("owner")).through(proxied)
    await attempt(honest, "185.199.9.1")
    # The platform's own servers are no entity, however often they ask.
    for _ in range(LIMIT + 2):
        await attempt(honest, None)
    assert [each["authenticate"] for each in await intents(database, honest.org_id)] == [False] * (LIMIT + 3)
