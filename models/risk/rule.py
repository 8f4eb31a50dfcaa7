"""Rules and lists of decisions against fraud."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Identity, Index, Integer, Text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from domain.risk.act import Outcome
from domain.risk.rule import ListName, Mode
from models.common.base import Base

_ACTIONS = ", ".join(f"'{outcome}'" for outcome in Outcome)
_MODES = ", ".join(f"'{mode}'" for mode in Mode)
_LISTS = ", ".join(f"'{name}'" for name in ListName)


class RiskRule(Base):
    """A version of a rule; the highest version of a name counts. Immutable.

    Attributes:
        number: in the order of writing: processes compile the rules again when the highest has changed.
        points: see `domain.risk.act.Point`.
    """

    __tablename__ = "risk_rules"
    __table_args__ = (
        CheckConstraint(f"action IN ({_ACTIONS}) AND mode IN ({_MODES})", name="action"),
        Index("uq_risk_rules_number", "number", unique=True),
        Index("uq_risk_rules_command_id", "command_id", unique=True),
    )

    name: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True)
    number: Mapped[int] = mapped_column(Identity(always=True))
    points: Mapped[list[str]] = mapped_column(ARRAY(Text))
    expression: Mapped[str] = mapped_column(info={"holds": "technical"})
    action: Mapped[str]
    priority: Mapped[int] = mapped_column(Integer)
    mode: Mapped[str]
    sentence: Mapped[str]
    created_by: Mapped[str]
    command_id: Mapped[str]
    created_at: Mapped[datetime]


class RiskListItem(Base):
    """An entity on the allow list or the block list, until its end.

    Attributes:
        entity: in the form of `domain.risk.act.entity`.
        case_id: of the case that listed it; null if an operator did.
    """

    __tablename__ = "risk_list_items"
    __table_args__ = (
        CheckConstraint(f"list IN ({_LISTS}) AND ends_at > created_at", name="list"),
        Index("ix_risk_list_items_entity", "entity", "list", "ends_at"),
        Index("uq_risk_list_items_command_id", "command_id", "entity", "list", unique=True),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    list: Mapped[str]
    entity: Mapped[str]
    reason: Mapped[str]
    ends_at: Mapped[datetime]
    case_id: Mapped[str | None]
    created_by: Mapped[str]
    command_id: Mapped[str]
    created_at: Mapped[datetime]
    removed_at: Mapped[datetime | None]
    removed_by: Mapped[str | None]
