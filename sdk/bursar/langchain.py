"""Charges for the calls of an agent of LangChain, by a middleware. Needs the extra `langchain`.

```
agent = create_agent(
    model,
    tools,
    middleware=[BursarMiddleware(client, model_calls="llm_call", tool_calls={"search": "web_search"})],
)
```

Credits are held before a call and captured after it; a call that fails is not charged. Where there are not enough, the
run ends with `InsufficientFunds` before the model or the tool is called. Put the middleware first, so that what others
try again is charged once.

In an activity or a request the calls have keys: of the models by their order, of the tools by name and arguments, so
that a run that is repeated pays for the same call once. Each call of a tool is a step there, so tools may run at once.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from langchain.agents.middleware import AgentMiddleware, ModelRequest, ModelResponse, ToolCallRequest
from langchain.messages import AIMessage, ToolMessage

from bursar._async.client import AsyncBursar
from bursar._async.metered import call as acall
from bursar._errors import ConfigurationError
from bursar._keys import alike
from bursar._metering import Metering
from bursar._sync.client import Bursar
from bursar._sync.metered import call


class _Failed(Exception):
    """A tool answered that it failed: what it says goes to the model, and is not charged."""

    def __init__(self, answer: ToolMessage) -> None:
        super().__init__(answer.content)
        self.answer = answer


class BursarMiddleware(AgentMiddleware[Any, Any, Any]):
    """Charges for calls of the model and of tools."""

    def __init__(
        self,
        client: AsyncBursar | Bursar,
        *,
        model_calls: str | Metering | None = None,
        tool_calls: str | Metering | Mapping[str, str | Metering] | None = None,
    ) -> None:
        """Set the charge.

        Args:
            client: `AsyncBursar` for agents that run with `ainvoke` or `astream`, `Bursar` for `invoke` or `stream`.
            model_calls: the action that is charged for each call of the model; or a `Metering`, whose `quantity` is
                told from the `ModelResponse` (`tokens`), and whose `estimate` from the `ModelRequest`. Free when left
                out.
            tool_calls: the same for tools, from the `ToolMessage` and the `ToolCallRequest`; by the names of tools
                where they differ. Those that are not named are free.
        """
        super().__init__()
        self._client = client
        self._model_calls = None if model_calls is None else Metering.of(model_calls)
        self._every_tool = None if tool_calls is None or isinstance(tool_calls, Mapping) else Metering.of(tool_calls)
        named = tool_calls if isinstance(tool_calls, Mapping) else {}
        self._tool_calls = {name: Metering.of(price) for name, price in named.items()}

    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> ModelResponse[Any]:
        """Charge for a call of the model."""
        return self._charged(self._model_calls, handler, request)  # type: ignore[no-any-return]

    async def awrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]]
    ) -> ModelResponse[Any]:
        """Charge for a call of the model."""
        return await self._acharged(self._model_calls, handler, request)  # type: ignore[no-any-return]

    def wrap_tool_call(self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Any]) -> Any:
        """Charge for a call of a tool."""

        def run(request: ToolCallRequest) -> Any:
            return _succeeded(handler(request))

        with alike(*_identity(request)):
            try:
                return self._charged(self._price_of(request), run, request)
            except _Failed as failed:
                return failed.answer

    async def awrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Awaitable[Any]]
    ) -> Any:
        """Charge for a call of a tool."""

        async def run(request: ToolCallRequest) -> Any:
            return _succeeded(await handler(request))

        with alike(*_identity(request)):
            try:
                return await self._acharged(self._price_of(request), run, request)
            except _Failed as failed:
                return failed.answer

    def _price_of(self, request: ToolCallRequest) -> Metering | None:
        return self._tool_calls.get(request.tool_call["name"], self._every_tool)

    def _charged(self, metering: Metering | None, handler: Callable[..., Any], request: Any) -> Any:
        if metering is None:
            return handler(request)
        if not isinstance(self._client, Bursar):
            raise ConfigurationError("Give the middleware a Bursar, or run the agent with ainvoke or astream.")
        return call(self._client, metering, handler)(request)

    async def _acharged(self, metering: Metering | None, handler: Callable[..., Awaitable[Any]], request: Any) -> Any:
        if metering is None:
            return await handler(request)
        if not isinstance(self._client, AsyncBursar):
            raise ConfigurationError("Give the middleware an AsyncBursar, or run the agent with invoke or stream.")
        return await acall(self._client, metering, handler)(request)


def tokens(response: ModelResponse[Any]) -> int | None:
    """Return how many tokens a call of a model used in all, by its own report; for `Metering(quantity=tokens)`.

    None without a report: the estimate is charged.
    """
    used = [message.usage_metadata for message in response.result if isinstance(message, AIMessage)]
    return sum(each["total_tokens"] for each in used if each is not None) or None


def _succeeded(answer: Any) -> Any:
    if isinstance(answer, ToolMessage) and answer.status == "error":
        raise _Failed(answer)
    return answer


def _identity(request: ToolCallRequest) -> tuple[str, ...]:
    asked = request.tool_call
    return "tool", asked["name"], json.dumps(asked["args"], sort_keys=True, default=repr)
