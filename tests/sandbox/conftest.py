from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import stripe

from sandbox.stripe.app import build
from sandbox.stripe.core import Sandbox
from sandbox.stripe.store import Store
from tests.support.sandboxes import STRIPE_KEY, serving


@dataclass
class StripeSandbox:
    """A sandbox of Stripe for one test, every answer and event of which is checked against Stripe's specification."""

    url: str
    client: stripe.StripeClient
    http: httpx.AsyncClient
    sandbox: Sandbox

    async def control(self, path: str, **body: Any) -> dict[str, Any]:
        answer = await self.http.post(f"{self.url}/_control/{path}", json=body)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def raw(self, method: str, path: str, data: dict[str, str] | None = None, **headers: str) -> httpx.Response:
        headers = {"Authorization": f"Bearer {STRIPE_KEY}"} | {key.replace("_", "-"): v for key, v in headers.items()}
        return await self.http.request(method, self.url + path, data=data, headers=headers)


@pytest.fixture
async def stripe_sandbox(tmp_path: Path) -> AsyncIterator[StripeSandbox]:
    sandbox = Sandbox(Store(tmp_path / "stripe.sqlite"), check_answers=True)
    transport = stripe.HTTPXClient()
    with serving(build(sandbox)) as url:
        sandbox.base_url = url
        client = stripe.StripeClient(
            STRIPE_KEY, base_addresses={"api": url}, max_network_retries=0, http_client=transport
        )
        async with httpx.AsyncClient() as http:
            yield StripeSandbox(url, client, http, sandbox)
        await transport.close_async()
    sandbox.store.close()
