"""Limits of the evidence of each side of a dispute."""

from dataclasses import replace

import pytest

from domain.common.errors import Conflict
from domain.escrow import commands
from domain.escrow.state import MAX_EVIDENCE, MAX_EVIDENCE_BYTES, Escrow
from tests.support import escrows as e


def disputed() -> Escrow:
    state = commands.opened(e.TERMS, actor=e.PROCUREMENT, now=e.T0).escrow
    state = commands.fund(state, actor=e.PROCUREMENT, source="credits", now=e.T0).escrow
    return commands.dispute(state, actor=e.FINANCE, reason="r", now=e.T0).escrow


def heard(state: Escrow, actor, note: str = "n") -> Escrow:
    return commands.submit_evidence(state, actor=actor, note=note, artifacts=(), now=e.T0).escrow


def full(state: Escrow, actor) -> Escrow:
    for _ in range(MAX_EVIDENCE):
        state = heard(state, actor)
    with pytest.raises(Conflict) as refused:
        heard(state, actor)
    assert refused.value.error_code == "escrow.evidence_full"
    return state


@pytest.mark.parametrize(("first", "second"), [(e.STUDIO, e.FINANCE), (e.FINANCE, e.STUDIO)])
def test_each_side_has_its_own_limit_of_evidence(first, second):
    state = full(full(disputed(), first), second)
    assert len(state.dispute.evidence) == 2 * MAX_EVIDENCE


def test_limit_of_evidence_is_per_side_and_not_per_person():
    state = full(disputed(), e.STUDIO)
    with pytest.raises(Conflict):
        heard(state, replace(e.STUDIO, principal="desk"))


def test_bytes_are_counted_for_each_side():
    note = "x" * 4000
    state = disputed()
    for _ in range(MAX_EVIDENCE_BYTES // 4002):
        state = heard(state, e.STUDIO, note)
    with pytest.raises(Conflict):
        heard(state, e.STUDIO, note)
    assert heard(state, e.FINANCE, note).dispute.evidence[-1].side == "payer"
