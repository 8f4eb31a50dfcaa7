"""Calls of LiteLLM on its mock: holds, charges, refusals, and the proxy's spend log."""

import asyncio
import hashlib
import json
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import litellm
import pytest
from litellm.litellm_core_utils.logging_worker import GLOBAL_LOGGING_WORKER
from litellm.proxy.spend_tracking.spend_tracking_utils import get_logging_payload

import bursar
from bursar import ConfigurationError, InsufficientFunds, Metering
from bursar.litellm import BursarLogger, tokens
from bursar.testing import FakeBursar
from tests.adapters.conftest import paid

# LiteLLM's own types do this, and more of the kind.
pytestmark = pytest.mark.filterwarnings("ignore:Items? .* on TypedDict class:UserWarning")

ASKED: dict[str, Any] = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "How deep is the sea?"}]}
BY_TOKENS = Metering("token", quantity=tokens, estimate=100)


class Log(BursarLogger):
    """Records charges and the calls that have ended."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.ended: asyncio.Queue[tuple[dict[str, Any], Any]] = asyncio.Queue()

    async def async_log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        await super().async_log_success_event(kwargs, response_obj, start_time, end_time)
        self.ended.put_nowait((kwargs, response_obj))


@pytest.fixture
async def log(fake: FakeBursar) -> AsyncIterator[Any]:
    def make(price: str | Metering = "llm_call", client: Any = None) -> Log:
        made = Log(client or fake.async_client(), price)
        litellm.callbacks.append(made)
        return made

    yield make
    # Else the end of a call is reported to whoever listens in the next test.
    await GLOBAL_LOGGING_WORKER.flush()
    litellm.logging_callback_manager._reset_all_callbacks()


async def ended(log: Log) -> tuple[dict[str, Any], Any]:
    return await asyncio.wait_for(log.ended.get(), 300)


async def test_call_is_charged_before_its_answer_is_returned(fake: FakeBursar, log: Any) -> None:
    log()
    answer = await litellm.acompletion(**ASKED, mock_response="Deep.")
    assert answer.choices[0].message.content == "Deep."
    assert paid(fake) == ["2"]


async def test_row_of_the_spend_log_names_the_spend_and_whose_it_is(
    fake: FakeBursar, log: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # All that the row needs of the whole proxy.
    monkeypatch.setitem(sys.modules, "litellm.proxy.proxy_server", SimpleNamespace(general_settings={}, master_key="k"))
    made = log()
    forged = {"spend_id": "spd_1", "spend_secret": "1", "organization_id": "org_1", "step_id": "s"}
    with bursar.context(run_id="run-1"):
        metadata = {"spend_logs_metadata": forged, "tags": ["a"]}
        await litellm.acompletion(**ASKED, mock_response="Deep.", metadata=metadata, litellm_call_id="call-1")
    row = get_logging_payload(*await ended(made), datetime.now(UTC), datetime.now(UTC))
    said = json.loads(row["metadata"])["spend_logs_metadata"]
    [hold] = [json.loads(each.content) for each in fake.requests if each.url.path.endswith("/reserve")]
    secret = said.pop("spend_secret")
    hashed = hashlib.sha256(secret.encode()).hexdigest()
    assert hold["metadata"] == {"litellm_call_id": "call-1", "call_secret_sha256": hashed}
    [spend] = [each async for each in fake.async_client().credits.list_usage()]
    assert said == {
        "spend_id": "spd_" + spend.id.removeprefix("hold_"),
        "organization_id": "org_00000000000000000000000001",
        "action": "llm_call",
        "run_id": "run-1",
        "step_id": "s",
    }
    assert paid(fake) == ["2"]


async def test_call_is_charged_by_its_tokens_streamed_or_not(fake: FakeBursar, log: Any) -> None:
    made = log(BY_TOKENS)
    # The mock has 10 tokens in and 20 out.
    await litellm.acompletion(**ASKED, mock_response="Deep.")
    assert paid(fake) == ["0.3"]
    await ended(made)
    stream = await litellm.acompletion(**ASKED, mock_response="Very deep indeed.", stream=True)
    async for _ in stream:
        pass
    _, answer = await ended(made)
    assert paid(fake) == sorted(["0.3", str(Decimal(tokens(answer)) / 100)])


async def test_answer_that_reports_no_tokens_is_charged_as_estimated(fake: FakeBursar, log: Any) -> None:
    """Speech and images report none, and they are not free."""
    made = log(BY_TOKENS)
    held = await made.async_pre_call_deployment_hook({**ASKED, "metadata": {}}, None)
    await made.async_post_call_success_deployment_hook(held, {"data": [{"url": "https://pictures.example/1"}]}, None)
    assert paid(fake) == ["1"]


async def test_more_than_was_estimated_is_charged(fake: FakeBursar, log: Any) -> None:
    log(Metering("token", quantity=tokens, estimate=10))
    await litellm.acompletion(**ASKED, mock_response="Deep.")
    assert paid(fake) == ["0.1", "0.2"]


async def test_who_cannot_pay_is_refused_and_the_router_does_not_try_again(fake: FakeBursar, log: Any) -> None:
    fake.available = Decimal(1)
    log()
    with pytest.raises(InsufficientFunds):
        await litellm.acompletion(**ASKED, mock_response="Deep.")
    before = len(fake.requests)
    deployment = {"model_name": "m", "litellm_params": {"model": "gpt-4o-mini", "mock_response": "Deep."}}
    router = litellm.Router([deployment], num_retries=3, retry_after=0)
    with pytest.raises(InsufficientFunds) as refused:
        await router.acompletion("m", ASKED["messages"])
    assert (refused.value.status_code, len(fake.requests) - before) == (402, 1)
    assert paid(fake) == []


async def test_call_that_fails_is_released_and_the_one_in_its_stead_is_charged(fake: FakeBursar, log: Any) -> None:
    log()
    with pytest.raises(litellm.RateLimitError):
        await litellm.acompletion(**ASKED, mock_response="litellm.RateLimitError")
    assert fake.held == 0
    assert fake.transfers == []
    named = {"bad": "litellm.InternalServerError", "good": "Deep."}
    deployments = [
        {"model_name": name, "litellm_params": {"model": "gpt-4o-mini", "mock_response": response}}
        for name, response in named.items()
    ]
    router = litellm.Router(deployments, num_retries=1, retry_after=0, fallbacks=[{"bad": ["good"]}])
    answer = await router.acompletion("bad", ASKED["messages"])
    assert answer.choices[0].message.content == "Deep."
    assert paid(fake) == ["2"]


@pytest.mark.parametrize("again", [{"num_retries": 2}, {"context_window_fallback_dict": {"gpt-4o-mini": "gpt-4o"}}])
async def test_call_whose_next_attempt_would_be_free_is_refused(fake: FakeBursar, log: Any, again: Any) -> None:
    log()
    with pytest.raises(ConfigurationError, match="Router"):
        await litellm.acompletion(**ASKED, mock_response="Deep.", **again)
    assert fake.requests == []


async def test_answer_of_the_cache_is_free(fake: FakeBursar, log: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made = log()
    monkeypatch.setattr(litellm, "cache", litellm.Cache())
    # To read its cache, LiteLLM imports its proxy, and that what writes down sound.
    monkeypatch.setitem(sys.modules, "soundfile", SimpleNamespace())
    for _ in range(2):
        await litellm.acompletion(**ASKED, mock_response="Deep.", caching=True)
        await ended(made)
    assert paid(fake) == ["2"]


async def test_stream_that_is_closed_early_is_charged_as_estimated(fake: FakeBursar, log: Any) -> None:
    log(Metering("token", quantity=tokens, estimate=100, expires_in=timedelta(seconds=1)))
    stream = await litellm.acompletion(**ASKED, mock_response="Very deep indeed.", stream=True)
    await anext(stream)
    await stream.aclose()
    async with asyncio.timeout(300):
        while not fake.transfers:  # noqa: ASYNC110 - the fake has no event
            await asyncio.sleep(0.01)
    assert paid(fake) == ["1"]


@pytest.mark.parametrize(("how", "charged"), [("expired", ["2"]), ("captured", ["1.5"])])
async def test_call_that_outlasts_its_hold_is_charged_unless_a_sync_has_captured_it(
    fake: FakeBursar, log: Any, how: str, charged: list[str]
) -> None:
    made = log()

    class Slow(litellm.integrations.custom_logger.CustomLogger):  # type: ignore[name-defined]
        async def async_pre_call_deployment_hook(self, kwargs: Any, call_type: Any) -> None:
            [hold_id] = [each.id for each in made._held.values()]
            if how == "expired":
                fake.expire(hold_id)
            else:
                await fake.async_client().credits.capture_reservation(hold_id, amount="1.5")

    litellm.callbacks.append(Slow())
    await litellm.acompletion(**ASKED, mock_response="Deep.")
    assert paid(fake) == charged


async def test_calls_of_one_id_at_once_are_charged_each(fake: FakeBursar, log: Any) -> None:
    log()
    calls = (litellm.acompletion(**ASKED, mock_response="Deep.", litellm_call_id="call-1") for _ in range(3))
    await asyncio.gather(*calls)
    assert paid(fake) == ["2", "2", "2"]


async def test_payer_is_derived_from_the_call(fake: FakeBursar, log: Any) -> None:
    client = fake.async_client()
    log("llm_call", lambda call: client if call.get("user") == "ada" else None)
    await litellm.acompletion(**ASKED, mock_response="Deep.", user="bob")
    assert paid(fake) == []
    await litellm.acompletion(**ASKED, mock_response="Deep.", user="ada")
    assert paid(fake) == ["2"]


async def test_call_in_a_thread_is_not_charged_and_that_is_logged(
    fake: FakeBursar, log: Any, caplog: pytest.LogCaptureFixture
) -> None:
    log()
    await asyncio.to_thread(litellm.completion, **ASKED, mock_response="Deep.")
    async with asyncio.timeout(300):
        while "is not charged" not in caplog.text:  # noqa: ASYNC110 - LiteLLM has no event for it
            await asyncio.sleep(0.01)
    assert fake.requests == []


async def test_call_whose_units_cannot_be_counted_is_logged_and_counted_as_not_charged(
    fake: FakeBursar, log: Any, caplog: pytest.LogCaptureFixture
) -> None:
    broken = True

    def units(response: Any) -> int | None:
        if broken:
            raise KeyError("usage")
        return tokens(response)

    made = log(Metering("token", quantity=units, estimate=100))
    answer = await litellm.acompletion(**ASKED, mock_response="Deep.")
    assert answer.choices[0].message.content == "Deep."
    await ended(made)
    assert (paid(fake), made.not_charged) == ([], 1)
    [told] = [each for each in caplog.records if each.message.startswith("A call is not charged")]
    assert told.__dict__["hold_id"].startswith("hold_")
    broken = False
    await litellm.acompletion(**ASKED, mock_response="Deep.")
    await ended(made)
    assert (len(paid(fake)), made.not_charged) == (1, 1)
