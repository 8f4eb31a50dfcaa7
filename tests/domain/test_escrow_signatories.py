from dataclasses import replace
from datetime import UTC, datetime

from domain.common.access import Actor, Role
from domain.escrow import commands
from domain.escrow.actions import EscrowAction, preview_commands
from domain.escrow.state import Escrow, signatory_name
from tests.support.escrows import FINANCE, PAYER_ORG, PROCUREMENT, WORKER, terms

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def signs_as(principal: str, *signatories: str, org_id: str = PAYER_ORG) -> str:
    actor = Actor(principal=principal, role=Role.OWNER, org_id=org_id)
    escrow: Escrow = commands.opened(terms(signatories=signatories, required_signatures=1), actor=actor, now=NOW).escrow
    return signatory_name(escrow, actor)


def test_signatory_signs_by_the_spelling_of_the_contract() -> None:
    assert signs_as("alice", "Alice", "bob") == "Alice"
    assert signs_as("ALICE", "bob", "org_third/alice", org_id="org_third") == "org_third/alice"


def test_stranger_of_the_same_name_signs_for_nobody_else() -> None:
    assert signs_as("alice", "Alice", org_id="org_third") == "org_third/alice"


def test_second_signature_of_a_person_is_offered_to_nobody() -> None:
    state = commands.opened(terms(), actor=PROCUREMENT, now=NOW).escrow
    state = commands.fund(state, actor=PROCUREMENT, source=commands.CREDITS, now=NOW).escrow
    state = commands.deliver(state, actor=WORKER, artifacts=(), note=None, milestone=None, now=NOW).escrow
    by_link = replace(FINANCE, session_id="ses_1", made_by=PROCUREMENT.qualified())
    state = commands.approve(state, signatory="finance", actor=by_link, now=NOW).escrow
    [approve] = [each for each in preview_commands(state, PROCUREMENT, NOW) if each.name is EscrowAction.APPROVE]
    assert approve.refusal is not None
    assert approve.refusal.error_code == "escrow.already_signed"
