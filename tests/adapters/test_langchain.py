"""Agents of LangChain on a fake model: what is held, charged and refused."""

import asyncio
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.messages import AIMessage
from langchain.tools import tool
from langchain_core.language_models import GenericFakeChatModel

from bursar import ConfigurationError, InsufficientFunds, Metering
from bursar._keys import Scope, opened
from bursar.langchain import BursarMiddleware, tokens
from bursar.testing import FakeBursar
from tests.adapters.conftest import paid

ASKED = {"messages": [{"role": "user", "content": "How deep is the sea?"}]}
BOTH = {"model_calls": "llm_call", "tool_calls": {"search": "web_search"}}


class Model(GenericFakeChatModel):
    """Says what it is given, and takes tools."""

    def bind_tools(self, tools: Any, **options: Any) -> "Model":
        return self


def model_answer(text: str, *queries: str, used: int = 0) -> AIMessage:
    calls = [
        {"name": "search", "args": {"query": query}, "id": f"call_{query}_{at}"} for at, query in enumerate(queries)
    ]
    usage = {"input_tokens": used - 1, "output_tokens": 1, "total_tokens": used} if used else None
    return AIMessage(text, tool_calls=calls, usage_metadata=usage)


@tool
async def search(query: str) -> str:
    """Search the web."""
    if query == "fails":
        raise LookupError("nothing found")
    await asyncio.sleep(0)
    return f"about {query}"


@tool
def free(query: str) -> str:
    """Cost nothing."""
    return query


def agent(client: Any, *messages: AIMessage | Exception, tools: Any = (search, free), **charged: Any) -> Any:
    def answers() -> Iterator[AIMessage]:
        for message in messages:
            if isinstance(message, Exception):
                raise message
            yield message

    middleware = BursarMiddleware(client, **(charged or BOTH))
    return create_agent(Model(messages=answers()), list(tools), middleware=[middleware])


async def test_each_call_of_the_model_and_of_a_named_tool_is_charged(fake: FakeBursar) -> None:
    charged = agent(fake.async_client(), model_answer("", "sea", "salt"), model_answer("Deep."))
    answer = await charged.ainvoke(ASKED)
    assert [message.content for message in answer["messages"]][1:] == ["", "about sea", "about salt", "Deep."]
    assert paid(fake) == ["0.5", "0.5", "2", "2"]


def test_agent_that_is_run_in_a_thread_is_charged_the_same(fake: FakeBursar) -> None:
    @tool("search")
    def search_now(query: str) -> str:
        """Search the web."""
        return query

    charged = agent(fake.client(), model_answer("", "sea"), model_answer("Deep."), tools=[search_now])
    assert charged.invoke(ASKED)["messages"][-1].content == "Deep."
    assert paid(fake) == ["0.5", "2", "2"]


async def test_model_is_charged_by_its_tokens(fake: FakeBursar) -> None:
    price = Metering("token", quantity=tokens, estimate=100)
    charged = agent(
        fake.async_client(), model_answer("", "sea", used=40), model_answer("Deep.", used=130), model_calls=price
    )
    await charged.ainvoke(ASKED)
    assert sum(each.amount for each in fake.transfers) == Decimal("1.7")


async def test_model_that_reports_no_tokens_is_charged_as_estimated(fake: FakeBursar) -> None:
    price = Metering("token", quantity=tokens, estimate=100)
    await agent(fake.async_client(), model_answer("Deep."), model_calls=price).ainvoke(ASKED)
    assert paid(fake) == ["1"]


async def test_who_cannot_pay_is_refused_before_the_model_and_before_the_tool(fake: FakeBursar) -> None:
    fake.available = Decimal("2.4")
    charged = agent(fake.async_client(), model_answer("", "sea"), model_answer("Deep."))
    with pytest.raises(InsufficientFunds):
        await charged.ainvoke(ASKED)
    assert paid(fake) == ["2"]
    fake.available = Decimal(1)
    with pytest.raises(InsufficientFunds):
        await agent(fake.async_client(), RuntimeError("the model was asked")).ainvoke(ASKED)


async def test_what_fails_is_not_charged(fake: FakeBursar) -> None:
    with pytest.raises(RuntimeError):
        await agent(fake.async_client(), RuntimeError("overloaded")).ainvoke(ASKED)
    with pytest.raises(LookupError):
        await agent(fake.async_client(), model_answer("", "fails")).ainvoke(ASKED)
    wrong = AIMessage("", tool_calls=[{"name": "search", "args": {"question": 1}, "id": "c"}])
    answer = await agent(fake.async_client(), wrong, model_answer("Sorry.")).ainvoke(ASKED)
    assert answer["messages"][2].status == "error"
    assert paid(fake) == ["2", "2", "2"]


async def test_run_that_is_repeated_pays_once_and_its_tools_run_at_once(fake: FakeBursar) -> None:
    inside = fake.async_client()

    @tool("search")
    async def search_and_pay(query: str) -> str:
        """Search the web."""
        await inside.credits.use(amount=3)
        return query

    for attempt in range(2):
        with opened(Scope("activity", "1")):
            said = model_answer(f"{attempt}", "sea", "salt", "sea"), model_answer("Deep.")
            await agent(fake.async_client(), *said, tools=[search_and_pay]).ainvoke(ASKED)
    assert paid(fake) == ["0.5", "0.5", "0.5", "2", "2", "3", "3", "3"]


async def test_client_of_the_other_kind_is_refused(fake: FakeBursar) -> None:
    with pytest.raises(ConfigurationError, match="AsyncBursar"):
        await agent(fake.client(), model_answer("Deep.")).ainvoke(ASKED)
    with pytest.raises(ConfigurationError, match="Bursar"):
        agent(fake.async_client(), model_answer("Deep.")).invoke(ASKED)
