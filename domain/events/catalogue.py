"""The catalogue: every type of events that there is."""

from collections.abc import Mapping

from domain.events import EventType, by_type, escrow, payment, payout, rows, spend_limit, subscription, webhook_endpoint

CATALOGUE: Mapping[str, EventType] = by_type(
    (
        *escrow.TYPES,
        *payment.TYPES,
        *subscription.TYPES,
        *payout.TYPES,
        *spend_limit.TYPES,
        *rows.TYPES,
        *webhook_endpoint.TYPES,
    )
)
