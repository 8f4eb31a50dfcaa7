"""Decisions against fraud on acts whose own transaction is not the API's, or holds locks."""

from collections.abc import Sequence
from datetime import UTC, datetime

from api.deps import Deps
from domain.common.access import Actor
from domain.common.errors import RiskBlocked, RiskInReview
from domain.escrow.actions import EscrowAction
from domain.escrow.state import Artifact, Escrow
from domain.risk.act import EntityKind, Point, RiskAct
from repositories.escrow import escrow as escrows

#: Refusals of an act that is decided.
RISKY = (RiskBlocked, RiskInReview)
_POINTS = {
    EscrowAction.FUND: Point.FUND,
    EscrowAction.DELIVER: Point.DELIVER,
    EscrowAction.VALIDATE: Point.VALIDATE,
    EscrowAction.APPROVE: Point.VALIDATE,
}


async def decide_escrow(
    deps: Deps,
    actor: Actor,
    escrow: Escrow,
    action: EscrowAction,
    command_id: str,
    artifacts: Sequence[Artifact] = (),
) -> None:
    """Decide a command of an escrow in a transaction of its own. Operators' commands are not decided.

    Args:
        deps: of the app.
        actor: of a party, or a validator.
        escrow: before the command.
        action: others than funding, delivery and validation are not decided.
        command_id: of the request.
        artifacts: of a delivery; the first hash is an entity of the act.

    Raises:
        RiskBlocked: the command is blocked; RiskInReview: a case holds it.
    """
    point, terms = _POINTS.get(action), escrow.terms
    if point is None or actor.org_id is None:
        return
    seen, now = {EntityKind.AGENT: terms.agent_id}, datetime.now(UTC)
    digest = next((each.sha256 for each in artifacts if each.sha256), None)
    if digest is not None:
        seen[EntityKind.ARTIFACT] = digest.lower()
    facts = {}
    async with deps.database.platform() as session:
        if point is Point.DELIVER:
            funded_at = await escrows.funded_at(session, terms.escrow_id)
            facts = {} if funded_at is None else {"delivered_minutes": int((now - funded_at).total_seconds()) // 60}
        act = RiskAct(
            point=point,
            actor=actor,
            org_id=actor.org_id,
            subject=terms.escrow_id,
            command_id=command_id,
            amount_minor=terms.amount_minor if point is Point.FUND else escrow.held_minor,
            currency=terms.currency,
            counterparty_org_id=terms.payer_org_id if actor.org_id == terms.payee_org_id else terms.payee_org_id,
            seen=seen,
            facts=facts,
        )
        await deps.risk.require(session, act, now)
