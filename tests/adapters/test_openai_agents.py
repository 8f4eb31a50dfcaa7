"""Agents of OpenAI's Agents SDK on a fake model: what is held, charged and refused."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from agents import Agent, Model, ModelProvider, ModelResponse, RunConfig, Runner, Usage, UserError, set_tracing_disabled
from openai.types.responses import (
    Response,
    ResponseCompletedEvent,
    ResponseFunctionToolCall,
    ResponseOutputMessage,
    ResponseOutputText,
    ResponseTextDeltaEvent,
    ResponseUsage,
)
from openai.types.responses.response_usage import InputTokensDetails, OutputTokensDetails

from bursar import InsufficientFunds, Metering
from bursar._keys import Scope, opened
from bursar.openai_agents import ChargedModel, ChargedProvider, charged_tool, tokens
from bursar.testing import FakeBursar
from tests.adapters.conftest import paid

set_tracing_disabled(True)
USED = {"input_tokens": 30, "output_tokens": 10, "total_tokens": 40}


def text(said: str) -> ResponseOutputMessage:
    content = ResponseOutputText(text=said, type="output_text", annotations=[], logprobs=[])
    return ResponseOutputMessage(id="1", type="message", role="assistant", content=[content], status="completed")


def asks(*queries: str) -> list[Any]:
    return [
        ResponseFunctionToolCall(
            id="1", call_id=f"call_{at}", type="function_call", name="search", arguments=f'{{"query": "{query}"}}'
        )
        for at, query in enumerate(queries)
    ]


class Fake(Model, ModelProvider):
    """Says what it is given, and is what any name stands for."""

    def __init__(self, *turns: list[Any] | Exception) -> None:
        self.turns = list(turns)
        self.asked = 0

    def get_model(self, model_name: str | None) -> Model:
        return self

    def _next(self) -> list[Any]:
        self.asked += 1
        turn = self.turns.pop(0)
        if isinstance(turn, Exception):
            raise turn
        return turn

    async def get_response(self, *args: Any, **kwargs: Any) -> ModelResponse:
        return ModelResponse(output=self._next(), usage=Usage(requests=1, **USED), response_id=None)

    async def stream_response(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        output = self._next()
        for number, word in enumerate(("How ", "deep")):
            yield ResponseTextDeltaEvent(
                content_index=0,
                delta=word,
                item_id="1",
                output_index=0,
                type="response.output_text.delta",
                sequence_number=number,
                logprobs=[],
            )
        details = {
            "input_tokens_details": InputTokensDetails(cached_tokens=0, cache_write_tokens=0),
            "output_tokens_details": OutputTokensDetails(reasoning_tokens=0),
        }
        response = Response(
            id="r",
            created_at=0,
            model="fake",
            object="response",
            output=output,
            tool_choice="auto",
            tools=[],
            parallel_tool_calls=True,
            usage=ResponseUsage(**USED, **details),
        )
        yield ResponseCompletedEvent(response=response, type="response.completed", sequence_number=2)


def agent(fake: FakeBursar, **options: Any) -> Agent[Any]:
    @charged_tool(fake.async_client(), "web_search", **options)
    async def search(query: str) -> str:
        """Search the web."""
        if query == "fails":
            raise LookupError("nothing found")
        await asyncio.sleep(0)
        return f"about {query}"

    return Agent("Writer", tools=[search])


def charged(fake: FakeBursar, model: Fake, price: str | Metering = "llm_call") -> RunConfig:
    return RunConfig(model_provider=ChargedProvider(fake.async_client(), price, model))


async def test_each_call_of_the_model_and_of_a_tool_is_charged(fake: FakeBursar) -> None:
    model = Fake(asks("sea", "salt"), [text("Deep.")])
    result = await Runner.run(agent(fake), "How deep?", run_config=charged(fake, model))
    assert (result.final_output, model.asked) == ("Deep.", 2)
    assert paid(fake) == ["0.5", "0.5", "2", "2"]


async def test_model_is_charged_by_its_tokens_streamed_or_not(fake: FakeBursar) -> None:
    price = Metering("token", quantity=tokens, estimate=100)
    model = Fake([text("Deep.")], [text("Deep.")])
    await Runner.run(agent(fake), "How deep?", run_config=charged(fake, model, price))
    assert paid(fake) == ["0.4"]
    streamed = Runner.run_streamed(agent(fake), "How deep?", run_config=charged(fake, model, price))
    assert [event async for event in streamed.stream_events()]
    assert streamed.final_output == "Deep."
    assert paid(fake) == ["0.4", "0.4"]


async def test_model_that_reports_no_tokens_is_charged_as_estimated(fake: FakeBursar) -> None:
    class Silent(Fake):
        async def get_response(self, *args: Any, **kwargs: Any) -> ModelResponse:
            return ModelResponse(output=self._next(), usage=Usage(), response_id=None)

    price = Metering("token", quantity=tokens, estimate=100)
    await Runner.run(agent(fake), "How deep?", run_config=charged(fake, Silent([text("Deep.")]), price))
    assert paid(fake) == ["1"]


async def test_stream_beyond_what_can_be_paid_is_charged_for_what_was_held(fake: FakeBursar) -> None:
    price = Metering("token", quantity=tokens, estimate=20)
    fake.available = Decimal("0.3")
    stream = ChargedModel(fake.async_client(), price, Fake([text("Deep.")])).stream_response("", "How deep?")
    with pytest.raises(InsufficientFunds):
        _ = [event async for event in stream]
    assert paid(fake) == ["0.2"]


async def test_stream_that_is_closed_early_is_charged_as_estimated(fake: FakeBursar) -> None:
    price = Metering("token", quantity=tokens, estimate=100)
    stream = ChargedModel(fake.async_client(), price, Fake([text("Deep.")])).stream_response("", "How deep?")
    await anext(stream)
    # As a runner does that is cancelled: in another task, which is another context.
    await asyncio.create_task(stream.aclose())  # type: ignore[attr-defined]
    assert paid(fake) == ["1"]


async def test_who_cannot_pay_is_refused_before_the_model_and_before_the_tool(fake: FakeBursar) -> None:
    fake.available = Decimal("2.4")
    model = Fake(asks("sea"), [text("Deep.")])
    with pytest.raises(UserError) as ended:
        await Runner.run(agent(fake), "How deep?", run_config=charged(fake, model))
    assert isinstance(ended.value.__cause__, InsufficientFunds)
    assert (paid(fake), model.asked) == (["2"], 1)
    fake.available = Decimal(1)
    with pytest.raises(InsufficientFunds):
        await Runner.run(agent(fake), "How deep?", run_config=charged(fake, model))
    assert model.asked == 1


async def test_what_fails_is_not_charged(fake: FakeBursar) -> None:
    with pytest.raises(RuntimeError):
        await Runner.run(agent(fake), "How deep?", run_config=charged(fake, Fake(RuntimeError("overloaded"))))
    assert paid(fake) == []
    streamed = Runner.run_streamed(agent(fake), "?", run_config=charged(fake, Fake(RuntimeError("overloaded"))))
    with pytest.raises(RuntimeError):
        assert [event async for event in streamed.stream_events()]
    assert paid(fake) == []
    model = Fake(asks("fails"), [text("Sorry.")])
    result = await Runner.run(agent(fake), "How deep?", run_config=charged(fake, model))
    assert "nothing found" in str(result.to_input_list())
    assert paid(fake) == ["2", "2"]
    run_config = charged(fake, Fake(asks("fails")))
    with pytest.raises(UserError, match="nothing found"):
        await Runner.run(agent(fake, failure_error_function=None), "How deep?", run_config=run_config)
    assert paid(fake) == ["2", "2", "2"]


async def test_run_that_is_repeated_pays_once_and_its_tools_run_at_once(fake: FakeBursar) -> None:
    for _ in range(2):
        with opened(Scope("activity", "1")):
            model = Fake(asks("sea", "salt", "sea"), [text("Deep.")])
            await Runner.run(agent(fake), "How deep?", run_config=charged(fake, model))
            streamed = Runner.run_streamed(agent(fake), "?", run_config=charged(fake, Fake([text("Deep.")])))
            assert [event async for event in streamed.stream_events()]
    assert paid(fake) == ["0.5", "0.5", "0.5", "2", "2", "2"]
