"""The catalogue of all event types."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from domain.common.text import rfc3339
from domain.messages.events import (
    EventType,
    escrow,
    index_by_type,
    payment,
    payout,
    purchase_order,
    report,
    risk_case,
    rows,
    spend_control,
    spend_limit,
    subscription,
    webhook_endpoint,
)

CATALOGUE: Mapping[str, EventType] = index_by_type(
    (
        *escrow.TYPES,
        *payment.TYPES,
        *subscription.TYPES,
        *payout.TYPES,
        *purchase_order.TYPES,
        *spend_control.TYPES,
        *spend_limit.TYPES,
        *report.TYPES,
        *risk_case.TYPES,
        *rows.TYPES,
        *webhook_endpoint.TYPES,
    )
)
_TIMES = {name: each.times for name, each in CATALOGUE.items()}


def with_api_times(name: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the data of an event with times in the API's format, whether code or a trigger recorded it."""
    times = {field: data.get(field) for field in _TIMES.get(name, ())}
    return {**data, **{field: rfc3339(datetime.fromisoformat(at)) for field, at in times.items() if at is not None}}
