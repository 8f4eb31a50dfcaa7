from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
import stripe

from dev.sandbox.stripe.app import build
from dev.sandbox.stripe.core import API_VERSION, Sandbox
from dev.sandbox.stripe.store import Store
from providers.payments.stripe.client import HttpClient
from tests.support.sandboxes import STRIPE_KEY, serving


@dataclass
class StripeSandbox:
    """A sandbox of Stripe for one test, every answer and event of which is checked against Stripe's specification."""

    url: str
    client: stripe.StripeClient
    http: httpx2.AsyncClient
    sandbox: Sandbox

    async def control(self, path: str, /, **body: Any) -> dict[str, Any]:
        answer = await self.http.post(f"{self.url}/_control/{path}", json=body)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def raw(self, method: str, path: str, data: dict[str, str] | None = None, **headers: str) -> httpx2.Response:
        """Sends a form as it is; an empty header is not sent."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {"Authorization": f"Bearer {STRIPE_KEY}", "Stripe-Version": API_VERSION} | named
        sent = {name: value for name, value in sent.items() if value.removeprefix("Bearer ")}
        return await self.http.request(method, self.url + path, data=data, headers=sent)


@pytest.fixture(scope="session")
async def running_stripe_sandbox(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[StripeSandbox]:
    sandbox = Sandbox(Store(tmp_path_factory.mktemp("stripe") / "stripe.sqlite"), check_answers=True)
    transport = HttpClient(80, None)
    with serving(build(sandbox)) as url:
        sandbox.base_url = url
        client = stripe.StripeClient(
            STRIPE_KEY, base_addresses={"api": url}, max_network_retries=0, http_client=transport
        )
        async with httpx2.AsyncClient(timeout=60) as http:
            yield StripeSandbox(url, client, http, sandbox)
        await transport.close_async()
    sandbox.store.close()


@pytest.fixture
async def stripe_sandbox(running_stripe_sandbox: StripeSandbox) -> StripeSandbox:
    """A sandbox of Stripe that knows nothing yet; the process is that of all tests."""
    await running_stripe_sandbox.control("reset")
    return running_stripe_sandbox
