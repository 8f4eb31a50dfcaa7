"""Declared methods of external purchases."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class PurchaseMethod(Base):
    """A declared method, without card numbers or wallet keys. Written by the platform's role.

    Attributes:
        name: its code, unique in the organization, such as `card_primary`.
        label: for people, such as "Card ending in 1234".
        kind: see `domain.budgets.policy.MethodKind`.
        rank: the order among methods of equal cost, lower first; by default in the order of declaration.
        fee_share_e4: the proportional fee, in ten-thousandths; null if not declared.
        fee_fixed: the fixed fee, in minor units of `fee_currency`; null if not declared.
        attempts: the number of finished attempts, `succeeded` of them successful.
    """

    __tablename__ = "purchase_methods"
    __table_args__ = (
        UniqueConstraint("org_id", "name"),
        CheckConstraint("kind IN ('free', 'card', 'TON', 'BTC', 'ETH', 'USDC', 'other')", name="kind"),
        CheckConstraint(
            "fee_share_e4 BETWEEN 0 AND 10000 AND fee_fixed >= 0 AND (fee_fixed IS NULL) = (fee_currency IS NULL)",
            name="fee",
        ),
        CheckConstraint("succeeded BETWEEN 0 AND attempts", name="attempts"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    name: Mapped[str] = mapped_column(info={"holds": "identifier"})
    label: Mapped[str]
    kind: Mapped[str]
    rank: Mapped[int]
    fee_share_e4: Mapped[int | None]
    fee_fixed: Mapped[int | None]
    fee_currency: Mapped[str | None]
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    succeeded: Mapped[int] = mapped_column(server_default=text("0"))
    updated_by: Mapped[str]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
