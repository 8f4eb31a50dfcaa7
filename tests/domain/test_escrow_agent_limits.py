"""Limits of a manipulated agent in disputes."""

import pytest

from domain.common.errors import Conflict, Forbidden
from domain.escrow import commands
from domain.escrow.actions import EscrowAction, preview_commands
from domain.escrow.agent_limits import MAX_AGENT_EVIDENCE, MAX_AGENT_EVIDENCE_BYTES
from domain.escrow.state import Escrow
from tests.support import escrows as e


def funded() -> Escrow:
    opened = commands.opened(e.TERMS, actor=e.PROCUREMENT, now=e.T0).escrow
    return commands.fund(opened, actor=e.PROCUREMENT, source="credits", now=e.T0).escrow


def delivered() -> Escrow:
    return commands.deliver(funded(), actor=e.WORKER, artifacts=(), note=".", milestone=None, now=e.T0).escrow


def disputed() -> Escrow:
    return opened_by(e.FINANCE, delivered())


def opened_by(actor, escrow: Escrow) -> Escrow:
    return commands.dispute(escrow, actor=actor, reason="r", now=e.T0).escrow


def heard(escrow: Escrow, actor, note: str = "n") -> Escrow:
    return commands.submit_evidence(escrow, actor=actor, note=note, artifacts=(), now=e.T0).escrow


def is_offered(escrow: Escrow, actor, action: EscrowAction) -> bool:
    return any(each.outcome is not None for each in preview_commands(escrow, actor, e.T0) if each.name is action)


def test_agents_key_does_not_dispute_its_own_delivery_and_its_organization_may() -> None:
    with pytest.raises(Forbidden, match="have a member"):
        opened_by(e.WORKER, delivered())
    for actor in (e.STUDIO, e.FINANCE, e.OPERATOR):
        assert opened_by(actor, delivered()).dispute is not None
        assert is_offered(delivered(), actor, EscrowAction.DISPUTE)
    assert not is_offered(delivered(), e.WORKER, EscrowAction.DISPUTE)


def test_agents_key_may_dispute_before_its_delivery() -> None:
    assert opened_by(e.WORKER, funded()).dispute is not None
    assert is_offered(funded(), e.WORKER, EscrowAction.DISPUTE)


@pytest.mark.parametrize(
    ("pieces", "note"), [(MAX_AGENT_EVIDENCE, "n"), (16, "x" * (MAX_AGENT_EVIDENCE_BYTES // 16 - 2))]
)
def test_agents_key_can_submit_half_of_its_sides_evidence(pieces: int, note: str) -> None:
    escrow = disputed()
    for _ in range(pieces):
        escrow = heard(escrow, e.WORKER, note)
    with pytest.raises(Conflict, match="Members of its organization") as refused:
        heard(escrow, e.WORKER, note)
    assert refused.value.error_code == "escrow.evidence_full"
    assert not is_offered(escrow, e.WORKER, EscrowAction.SUBMIT_EVIDENCE)
    for _ in range(pieces):
        escrow = heard(escrow, e.STUDIO, note)
    assert len(escrow.dispute.evidence) == 2 * pieces
