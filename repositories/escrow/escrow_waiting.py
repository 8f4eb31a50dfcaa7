"""Conditions for escrows that wait for an actor to fund, deliver, sign, score or decide.

They follow the rules of `domain.escrow.commands`: the role's permission, the side, and the signatures and scores that
were given before.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, DateTime, Text, and_, case, cast, func, literal, or_
from sqlalchemy.dialects.postgresql import JSONB

from domain.common.access import Actor, Permission
from domain.escrow.state import EscrowStatus
from models.escrow.escrow import EscrowRow

Row = type[EscrowRow]
Condition = Callable[[Row], ColumnElement[bool]]


@dataclass(frozen=True, slots=True)
class WaitingRule:
    kind: str
    status: EscrowStatus
    holds: Condition


def waiting_for(actor: Actor) -> list[WaitingRule]:
    """Return the tasks that an actor can have by its role, in the order of an escrow's life."""
    org_id, found = actor.org_id, list[WaitingRule]()
    if org_id is None:
        if actor.may(Permission.VALIDATE):
            found.append(WaitingRule("to_score", EscrowStatus.DELIVERED, _unscored))
        if actor.may(Permission.ARBITRATE):
            found.append(WaitingRule("to_decide", EscrowStatus.DISPUTED, _argued))
        return found
    if actor.may(Permission.FUND):
        found.append(WaitingRule("to_fund", EscrowStatus.OPEN, lambda row: row.org_id == org_id))
    if actor.may(Permission.DELIVER):
        found.append(WaitingRule("to_deliver", EscrowStatus.FUNDED, lambda row: _is_paid(row, actor)))
    if actor.may(Permission.APPROVE):
        found.append(WaitingRule("to_sign", EscrowStatus.DELIVERED, lambda row: _unsigned(row, actor)))
    return found


def any_of(waiting: list[WaitingRule]) -> Condition:
    return lambda row: or_(*(and_(row.status == each.status.value, each.holds(row)) for each in waiting))


def _is_paid(row: Row, actor: Actor) -> ColumnElement[bool]:
    return row.payee_org_id == actor.org_id if actor.agent_id is None else row.agent_id == actor.agent_id


def _unscored(row: Row) -> ColumnElement[bool]:
    threshold, score = row.state["terms"]["validation_threshold_e4"].astext, row.state["validation_score_e4"].astext
    return and_(threshold.is_not(None), score.is_(None))


def _argued(row: Row) -> ColumnElement[bool]:
    return cast(row.state["dispute"]["evidence_until"].astext, DateTime(timezone=True)) <= func.now()


def _unsigned(row: Row, actor: Actor) -> ColumnElement[bool]:
    """Return the condition that the actor has not signed; names are compared without case, as in commands."""
    name = func.lower(case((row.org_id == actor.org_id, actor.principal), else_=literal(actor.qualified())))
    signatories, signed = _lower(row.state["terms"]["signatories"]), _lower(row.state["signatures"])
    one = func.jsonb_build_array(cast(name, Text))
    signature = func.jsonb_build_array(func.jsonb_build_object("signatory", cast(name, Text)))
    return and_(signatories.contains(one), ~signed.contains(signature))


def _lower(value: Any) -> Any:
    return cast(func.lower(value.astext), JSONB)
