"""The catalogue of events: each type is whole, and each state that a party can see has one."""

import json
import re

import jsonschema
import pytest

from domain.escrow.state import EscrowStatus
from domain.events import MAX_BYTES, EventType, escrow, payment
from domain.events.catalogue import CATALOGUE
from domain.payment.snapshot import DisputeStatus
from domain.payment.state import PaymentStatus, RefundState


@pytest.mark.parametrize("each", CATALOGUE.values(), ids=list(CATALOGUE))
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
