"""Calls of LiteLLM on its mock, through the real adapter: prints the row that the proxy's spend log has of each.

The last call is captured once a line was read. For `tests/sdk/test_spend_log.py`, which runs this in the adapters'
environment.
"""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, timedelta
from types import SimpleNamespace
from typing import Any

# Before it is imported: it would ask the network for its prices.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm
from litellm.litellm_core_utils.logging_worker import GLOBAL_LOGGING_WORKER
from litellm.proxy.spend_tracking.spend_tracking_utils import get_logging_payload

from bursar import AsyncBursar, Metering
from bursar.litellm import BursarLogger, tokens

ASKED: dict[str, Any] = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "How deep is the sea?"}]}


class Log(BursarLogger):
    """Charges for calls, and prints each once it was logged; with `go_on`, what a call used is captured after it."""

    def __init__(self, payer: Any, price: str | Metering = "llm_call", go_on: asyncio.Event | None = None) -> None:
        super().__init__(payer, price)
        self.logged = asyncio.Event()
        self.go_on = go_on

    async def async_log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        if self.go_on is None:
            await super().async_log_success_event(kwargs, response_obj, start_time, end_time)
        row = get_logging_payload(kwargs, response_obj, start_time.astimezone(UTC), end_time.astimezone(UTC))
        sys.stdout.write(json.dumps(row, default=str) + "\n")
        sys.stdout.flush()
        self.logged.set()

    async def async_post_call_success_deployment_hook(self, request_data: Any, response: Any, call_type: Any) -> None:
        if self.go_on is None:
            await super().async_post_call_success_deployment_hook(request_data, response, call_type)


@asynccontextmanager
async def logged(log: Log) -> AsyncIterator[None]:
    """Run a charged call until its row is printed."""
    litellm.callbacks.append(log)
    yield
    await asyncio.wait_for(log.logged.wait(), 60)
    await GLOBAL_LOGGING_WORKER.flush()
    litellm.logging_callback_manager._reset_all_callbacks()


async def call(**asked: Any) -> None:
    await litellm.acompletion(**{**ASKED, "mock_response": "Deep.", **asked})


async def main() -> None:
    # All that the row needs of the whole proxy.
    sys.modules["litellm.proxy.proxy_server"] = SimpleNamespace(general_settings={}, master_key="k")  # type: ignore[assignment]
    async with AsyncBursar() as client:
        org_id = (await client.billing.get_balance()).organization_id
        # At one price; by tokens, of which the mock has 30: within the estimate and beyond it; and dearer ones.
        for price in (
            "llm_call",
            Metering("token", quantity=tokens, estimate=100),
            Metering("token", quantity=tokens, estimate=10),
            Metering("dear", quantity=tokens, estimate=10),
        ):
            async with logged(Log(client, price)):
                await call()
        async with logged(Log(client, Metering("token", quantity=tokens, estimate=100))):
            stream = await litellm.acompletion(**ASKED, mock_response="Very deep indeed.", stream=True)
            async for _ in stream:
                pass
        # One that fails, and is released, before one that nobody is charged for.
        failing = Log(lambda asked: client if asked.get("user") == "ada" else None)
        async with logged(failing):
            try:
                await call(user="ada", mock_response="litellm.RateLimitError")
            except litellm.RateLimitError:
                await call(metadata={"spend_logs_metadata": {"organization_id": org_id}})
        go_on = asyncio.Event()
        late = Log(client, Metering("llm_call", expires_in=timedelta(hours=3)), go_on)
        async with logged(late):
            await call()
        [held] = late._held
        await asyncio.to_thread(sys.stdin.readline)
        await late._settle(held, None)


asyncio.run(main())
