"""The catalogue of events: each type is whole, and each state that a party can see has one."""

import json
import re
from typing import Any

import jsonschema

from domain.billing.invoice.state import InvoiceStatus
from domain.billing.subscription.state import SubscriptionStatus
from domain.credits.spend.control import ControlStatus
from domain.escrow.contract import ContractStatus
from domain.escrow.state import EscrowStatus
from domain.messages.events import MAX_BYTES, EventType, escrow, payment, payout, spend_control, subscription
from domain.messages.events.catalogue import CATALOGUE
from domain.payments.payment.snapshot import DisputeStatus
from domain.payments.payment.state import PaymentStatus, RefundState
from domain.payouts.payout.state import PayoutStatus
from models.marketplace.marketplace import MarketplacePurchase
from models.messages.event import EventRow
from tests.support.cases import for_each


@for_each("each", CATALOGUE.values())
def test_type_has_a_sentence_and_an_example_of_its_schema(each: EventType) -> None:
    jsonschema.validate(each.example, {**each.schema, "additionalProperties": False})
    jsonschema.Draft202012Validator.check_schema(each.schema)
    assert re.fullmatch(r"[a-z_]+\.[a-z_]+", each.type)
    assert re.fullmatch(r"[A-Z].+\.", each.sentence)
    assert each.shown.keys() <= each.fields.keys()
    assert len(json.dumps(each.example)) < MAX_BYTES / 4


def test_every_state_has_a_type() -> None:
    assert set(escrow.STATES) == set(EscrowStatus)
    assert set(payment.STATES) == set(PaymentStatus)
    assert set(payment.REFUND_STATES) == set(RefundState)
    assert set(payment.CHARGEBACK_STATES) == set(DisputeStatus)
    assert set(subscription.STATES) == set(SubscriptionStatus)
    assert set(payout.STATES) == set(PayoutStatus)
    assert shown_states("invoice") == set(InvoiceStatus)
    assert set(spend_control.STATES) == set(ControlStatus)
    assert {f"spend_control.{name}" for name in spend_control.STATES.values()} <= CATALOGUE.keys()
    assert {f"contract.{status}" for status in ContractStatus} <= CATALOGUE.keys()
    assert shown_states("purchase") == states_of(MarketplacePurchase)


def shown_states(noun: str) -> set[object]:
    """Return the states that the examples of a noun's events are in."""
    examples = [each.example for name, each in CATALOGUE.items() if name.startswith(f"{noun}.")]
    return {example["status"] for example in examples if "status" in example}


def states_of(table: Any) -> set[str]:
    """Return the states that the constraint of a table knows."""
    name = f"ck_{table.__tablename__}_status"
    (constraint,) = (each for each in table.__table__.constraints if each.name == name)
    return set(re.findall(r"'([a-z_]+)'", str(constraint.sqltext)))


@for_each("each", [each for each in CATALOGUE.values() if each.times])
def test_times_are_written_in_one_format(each: EventType) -> None:
    # As PostgreSQL writes a time in JSON, and in a zone of its own.
    written = {**each.example, **dict.fromkeys(each.times, "2026-03-01T13:30:00.5+01:30")}
    shown = EventRow(type=each.type, data=written).document()["data"]
    assert shown == {**each.example, **dict.fromkeys(each.times, "2026-03-01T12:00:00.500000Z")}
    nothing = {**each.example, **dict.fromkeys(each.times)}
    assert EventRow(type=each.type, data=nothing).facts == nothing
    assert EventRow(type=each.type, data=each.example).facts == each.example
