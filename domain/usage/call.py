"""The rated parts of an event: a call of a model, and the quantity that its agent is paid for. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from domain.common.errors import Invalid
from domain.common.money import CREDIT
from domain.marketplace.sale import Shares
from domain.usage.adapters import ModelCall, provider_of, read_call
from domain.usage.amounts import MAX_PICO, minor_pico, parse_decimal
from domain.usage.charge_model import QUANTITY_DECIMALS
from domain.usage.event import InvalidEvent
from domain.usage.prices import ModelPrice
from domain.usage.rating import RatedCall, rate
from domain.usage.token_usage import TokenUsage


class Cost(NamedTuple):
    """The cost of an event and its shares, which add up to the cost.

    Attributes:
        rated_by: the source of the price, `agent` or `model`.
        price_ref: the agent's id, or the model's key and the version of the price list.
        creator_org_id: the organization of the agent; None for a model's price, of which no creator gets a share.
        rated: the lines of a model's price; None for an agent's.
        tools: those of the models of the call's tools, which are part of the cost.
    """

    currency: str
    cost_pico: int
    creator_pico: int
    platform_pico: int
    rated_by: str
    price_ref: str
    creator_org_id: str | None = None
    rated: RatedCall | None = None
    tools: tuple[RatedCall, ...] = ()

    @property
    def estimated(self) -> list[str]:
        """Return the units that a substitute's price applies to."""
        each = self.tools if self.rated is None else (self.rated, *self.tools)
        return list(dict.fromkeys(unit for rated in each for unit in rated.estimated))


def call_of(data: Mapping[str, Any]) -> ModelCall | None:
    """Return the call of a model that an event's data reports; None when it reports none.

    It is `model` with `usage` in units of `TokenUsage`; or `shape` with the vendor's own `answer`, which may also stand
    in `data` itself.

    Raises:
        Invalid: `usage.unreadable`, or an unknown unit.
    """
    shape, model, used = data.get("shape"), data.get("model"), data.get("usage")
    provider = data.get("provider")
    if shape is not None:
        answer = data.get("answer", data)
        if not isinstance(shape, str) or not isinstance(answer, Mapping):
            raise InvalidEvent("data.shape must name the form of data.answer.", extra={"field": "data.shape"})
        return read_call(shape, answer, provider=provider, model=model)
    if model is None or used is None:
        return None
    if type(used) is not dict and not isinstance(used, Mapping):
        raise InvalidEvent("data.usage must be an object.", extra={"field": "data.usage"})
    return ModelCall(
        provider="" if provider is None else provider_of(provider), model=model, usage=TokenUsage.from_json(used)
    )


def quantity_of(given: object) -> Decimal:
    """Read how many units of its agent's work an event reports.

    Raises:
        Invalid: it is no quantity.
    """
    return parse_decimal(given, "data.quantity", decimals=QUANTITY_DECIMALS)


def cost_of_use(agent_id: str, creator_org_id: str, price_minor: int, shares: Shares) -> Cost:
    """Return the cost of the use of a marketplace agent, in minor units of credits, with its shares."""
    pico = minor_pico(CREDIT)
    return Cost(
        currency=CREDIT,
        cost_pico=price_minor * pico,
        creator_pico=shares.creator_minor * pico,
        platform_pico=shares.commission_minor * pico,
        rated_by="agent",
        price_ref=agent_id,
        creator_org_id=creator_org_id,
    )


def cost_by_model(call: ModelCall, prices: Sequence[ModelPrice], at: datetime) -> Cost:
    """Return the cost of a call and its tools at a time by the prices of their models; all of it is the platform's.

    Args:
        call: of a model.
        prices: that of its model, then those of its tools' models.
        at: when it was made.

    Raises:
        Invalid: `usage.unit_unpriced`; or it costs more than `MAX_PICO`, or in two currencies.
    """
    calls = (call, *call.tools)
    rated, *tools = (rate(each.usage, price, at=at) for each, price in zip(calls, prices, strict=True))
    amount = rated.amount_pico + sum(tool.amount_pico for tool in tools)
    if amount > MAX_PICO or any(tool.currency != rated.currency for tool in tools):
        raise Invalid("The call and its tools cost more than one rating can hold, or in two currencies.")
    return Cost(
        currency=rated.currency,
        cost_pico=amount,
        creator_pico=0,
        platform_pico=amount,
        rated_by="model",
        price_ref=f"{rated.model}@{rated.version}",
        rated=rated,
        tools=tuple(tools),
    )


def unnamed_model_refusal(call: ModelCall, *, is_tool: bool = False) -> Invalid:
    """Return the refusal of a call, or of a tool's usage in it, that does not say which model it called."""
    if is_tool:
        return InvalidEvent(
            "The answer has usage of an image tool without its model. Name it in data.answer.tools: "
            '{"type": "image_generation", "model": …}.',
            extra={"field": "data.answer.tools"},
        )
    return InvalidEvent(
        f"The answer of {call.provider or 'the provider'} does not name its model. Send data.model.",
        extra={"field": "data.model"},
    )
