"""The rated parts of an event: a call of a model, and the quantity that its agent is paid for. Pure."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from domain.common.errors import Invalid
from domain.common.money import CREDIT
from domain.marketplace.sale import Shares
from domain.usage.adapters import ModelCall, provider_of, read_call
from domain.usage.amounts import minor_pico, parse_decimal
from domain.usage.charge_model import QUANTITY_DECIMALS
from domain.usage.event import InvalidEvent
from domain.usage.prices import ModelPrice
from domain.usage.rating import Rated, rate
from domain.usage.token_usage import TokenUsage


class Cost(NamedTuple):
    """The cost of an event and its shares, which add up to the cost.

    Attributes:
        rated_by: the source of the price, `agent` or `model`.
        price_ref: the agent's id, or the model's key and the version of the price list.
        creator_org_id: the organization of the agent; None for a model's price, of which no creator gets a share.
        rated: the lines of a model's price; None for an agent's.
    """

    currency: str
    cost_pico: int
    creator_pico: int
    platform_pico: int
    rated_by: str
    price_ref: str
    creator_org_id: str | None = None
    rated: Rated | None = None


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


def cost_by_model(call: ModelCall, price: ModelPrice, at: datetime) -> Cost:
    """Return the cost of a call at a time by the model's price; all of it is the platform's.

    Raises:
        Invalid: `usage.unit_unpriced`.
    """
    rated = rate(call.usage, price, at=at)
    return Cost(
        currency=rated.currency,
        cost_pico=rated.amount_pico,
        creator_pico=0,
        platform_pico=rated.amount_pico,
        rated_by="model",
        price_ref=f"{rated.model}@{rated.version}",
        rated=rated,
    )


def nameless(call: ModelCall) -> Invalid:
    """Return the refusal of a call that does not say which model it called."""
    return InvalidEvent(
        f"The answer of {call.provider or 'the provider'} does not name its model. Send data.model.",
        extra={"field": "data.model"},
    )
