"""Terms and actors that tests of the escrow share."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from domain.common.access import Actor, Role
from domain.escrow.state import Terms

T0 = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
PAYER_ORG, PAYEE_ORG, AGENT = "org_payer", "org_payee", "agt_1"

PROCUREMENT = Actor(principal="procurement", role=Role.OWNER, org_id=PAYER_ORG)
FINANCE = Actor(principal="finance", role=Role.FINANCE, org_id=PAYER_ORG)
AUDIT_FIRM = Actor(principal="auditor", role=Role.MEMBER, org_id="org_third")
STUDIO = Actor(principal="studio", role=Role.OWNER, org_id=PAYEE_ORG)
WORKER = Actor(principal="bot", role=Role.AGENT, org_id=PAYEE_ORG, agent_id=AGENT)
OTHER_BOT = Actor(principal="bot2", role=Role.AGENT, org_id=PAYEE_ORG, agent_id="agt_2")
VALIDATOR = Actor(principal="validator", role=Role.VALIDATOR)
ARBITER = Actor(principal="arbiter", role=Role.ARBITER)
OPERATOR = Actor(principal="root", role=Role.OPERATOR)
STRANGER = Actor(principal="eve", role=Role.OWNER, org_id="org_eve")

DAY = 86_400

TERMS = Terms(
    escrow_id="esc_1",
    contract_id="ctr_1",
    payer_org_id=PAYER_ORG,
    payee_org_id=PAYEE_ORG,
    agent_id=AGENT,
    currency="CREDIT",
    amount_minor=50_000_000,
    signatories=("procurement", "finance", "org_third/auditor"),
    required_signatures=2,
    validation_threshold_e4=8000,
    commission_bps=500,
    fund_seconds=3 * DAY,
    deliver_seconds=7 * DAY,
    review_seconds=3 * DAY,
    evidence_seconds=3 * DAY,
    decision_seconds=4 * DAY,
    grace_seconds=DAY,
    dispute_default_share_e4=5000,
)


def terms(**changes: Any) -> Terms:
    """Return the usual terms with some of them changed."""
    return replace(TERMS, **changes)
