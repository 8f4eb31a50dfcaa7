"""The catalogue: every type of events that there is."""

from collections.abc import Mapping

from domain.events import EventType, by_type, escrow, payment

CATALOGUE: Mapping[str, EventType] = by_type((*escrow.TYPES, *payment.TYPES))
