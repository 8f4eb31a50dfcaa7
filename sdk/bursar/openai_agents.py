"""Charges for calls of models and tools in OpenAI's Agents SDK. Needs the extra `openai-agents`.

```
@charged_tool(client, "web_search")
async def search(query: str) -> str: ...

agent = Agent("Writer", tools=[search])
await Runner.run(agent, "…", run_config=RunConfig(model_provider=ChargedProvider(client, "llm_call")))
```

Credits are held before a call and captured after it; a call that fails is not charged, and a stream that is closed
early is charged as estimated. Where there are not enough, the run ends with `InsufficientFunds` before the model is
called, and before a tool is called with the SDK's `UserError`, whose cause that is.

In an activity or a request the calls have keys: of the models by their order, of the tools by name and arguments, so
that a run that is repeated pays for the same call once. Each call of a tool is a step there, so tools may run at once.
"""

import contextlib
import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from agents import (
    FunctionTool,
    Model,
    ModelProvider,
    ModelResponse,
    RunContextWrapper,
    Usage,
    function_tool,
)
from agents.models.multi_provider import MultiProvider
from agents.tool import default_tool_error_function

from bursar._async.client import AsyncBursar
from bursar._async.metered import Meter, call
from bursar._errors import BursarError
from bursar._keys import alike
from bursar._metering import Metering

#: Events of a stream after which nothing is charged.
_FAILURES = frozenset({"response.failed", "response.error", "error"})


class ChargedModel(Model):
    """A model whose calls are charged."""

    def __init__(self, client: AsyncBursar, price: str | Metering, model: Model) -> None:
        """Wrap a model.

        Args:
            client: what charges.
            price: the action that is charged for each call; or a `Metering`, whose `quantity` is told from the `Usage`
                of the call (`tokens`), and whose `estimate` from what the model is asked, as `get_response` has it.
            model: what answers.
        """
        self._client = client
        self._metering = Metering.of(price)
        self._model = model

    async def get_response(self, *args: Any, **kwargs: Any) -> ModelResponse:
        """Ask the model, and charge for its answer."""
        answer: ModelResponse | None = None

        async def asked(*args: Any, **kwargs: Any) -> Usage:
            nonlocal answer
            answer = await self._model.get_response(*args, **kwargs)
            return answer.usage

        await call(self._client, self._metering, asked)(*args, **kwargs)
        assert answer is not None
        return answer

    async def stream_response(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        """Ask the model, and charge for what it reports to have used at the end of its stream."""
        estimate = self._metering.estimated(args, kwargs)
        meter = Meter(self._client, self._metering, estimate)
        units, came, failed = estimate, False, False
        async with contextlib.AsyncExitStack() as stack:
            # Left before the first event: a stream may be closed in another context than it was opened in.
            with alike("metered", self._metering.action, str(estimate)):
                await stack.enter_async_context(meter.hold)
            try:
                async for event in self._model.stream_response(*args, **kwargs):
                    came, failed = True, event.type in _FAILURES
                    used = getattr(getattr(event, "response", None), "usage", None)
                    if used is not None:
                        units = self._metering.counted(_usage(used), estimate)
                    yield event
            except Exception as error:
                failed = not isinstance(error, self._metering.charged_errors)
                raise
            finally:
                if came and not failed:
                    try:
                        await meter.count(units)
                    finally:
                        meter.note()

    def get_retry_advice(self, request: Any) -> Any:
        """Return what the model advises."""
        return self._model.get_retry_advice(request)

    async def close(self) -> None:
        """Close the model."""
        await self._model.close()


class ChargedProvider(ModelProvider):
    """Charges for all models that a run asks for by name: `RunConfig(model_provider=ChargedProvider(…))`."""

    def __init__(self, client: AsyncBursar, price: str | Metering, provider: ModelProvider | None = None) -> None:
        """Wrap a provider of models; the SDK's own when left out. See `ChargedModel` for the price."""
        self._client = client
        self._metering = Metering.of(price)
        self._provider = provider or MultiProvider()

    def get_model(self, model_name: str | None) -> Model:
        """Return a model whose calls are charged."""
        return ChargedModel(self._client, self._metering, self._provider.get_model(model_name))

    async def aclose(self) -> None:
        """Close the provider."""
        await self._provider.aclose()


def charged_tool(
    client: AsyncBursar, price: str | Metering, **options: Any
) -> Callable[[Callable[..., Awaitable[Any]]], FunctionTool]:
    """Make a coroutine function a charged tool, as `function_tool` makes a free one.

    Args:
        client: what charges.
        price: the action that is charged for each call; or a `Metering`, told from the result and the arguments.
        options: those of `function_tool`. What fails goes to its `failure_error_function`; that it cannot be paid ends
            the run.
    """
    metering = Metering.of(price)
    explain = options.pop("failure_error_function", default_tool_error_function)

    def failed(context: RunContextWrapper[Any], error: Exception) -> Any:
        if explain is None or isinstance(error, BursarError):
            raise error
        return explain(context, error)

    def decorate(function: Callable[..., Awaitable[Any]]) -> FunctionTool:
        charged = call(client, metering, function)

        @functools.wraps(function)
        async def run(*args: Any, **kwargs: Any) -> Any:
            given = [value for value in args if not isinstance(value, RunContextWrapper)]
            with alike("tool", function.__qualname__, repr((given, sorted(kwargs.items())))):
                return await charged(*args, **kwargs)

        return function_tool(run, failure_error_function=failed, **options)

    return decorate


def tokens(usage: Usage) -> int | None:
    """Return how many tokens a call of a model used in all; for `Metering(quantity=tokens)`.

    None where the model reports none: the estimate is charged.
    """
    return usage.total_tokens or None


def _usage(used: Any) -> Usage:
    return Usage(
        requests=1,
        input_tokens=used.input_tokens,
        input_tokens_details=used.input_tokens_details,
        output_tokens=used.output_tokens,
        output_tokens_details=used.output_tokens_details,
        total_tokens=used.total_tokens,
    )
