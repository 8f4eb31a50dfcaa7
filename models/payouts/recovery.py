"""Recoveries from creators after payments were reversed.

`services/payments/payment_loss.py` opens a recovery with the event that loses its payment,
`services/payouts/recovery.py` writes shares and `services/payouts/transfer_reversal.py` reversals.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import UUID as PG_UUID
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class Recovery(Base):
    """Recovery of a payment's loss: a chargeback, or a refund of used credits. Immutable except for `closed_at`.

    Attributes:
        cause: the provider's id of the refund, or of the dispute with the number of the event that has lost it, or
            `reversal`; unique for the payment.
        org_id: the payer, who owes the loss.
        amount_minor: the payer's debt from the loss, in minor units of `asset`, including `short_minor`.
        short_minor: the shortfall because cheaper credits were taken for it immediately.
        disputed_at: the time from which the creators' liability period is counted back.
        closed_at: set once no more earnings can arrive for it, or nothing is owed any more.
    """

    __tablename__ = "recoveries"
    __table_args__ = (
        CheckConstraint("amount_minor > 0 AND short_minor BETWEEN 0 AND amount_minor", name="amount"),
        Index("uq_recoveries_payment_id_cause", "payment_id", "cause", unique=True),
        Index("ix_recoveries_open", "id", postgresql_where=text("closed_at IS NULL")),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    payment_id: Mapped[str] = mapped_column(ForeignKey("payments.id"))
    cause: Mapped[str] = mapped_column(info={"holds": "identifier"})
    org_id: Mapped[str]
    asset: Mapped[str]
    amount_minor: Mapped[int]
    disputed_at: Mapped[datetime]
    created_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    short_minor: Mapped[int] = mapped_column(server_default=text("0"))


class RecoveryShare(Base):
    """Amount that a creator returns for one use of a payment. Immutable.

    Attributes:
        source: the earned lot of credits, or the transfer of money.
        taken_minor: the amount taken from earnings, in minor units of the recovery's asset.
        own_minor: the part of it that the payment itself had paid.
        owed_minor: the rest, which the creator owes.
    """

    __tablename__ = "recovery_shares"
    __table_args__ = (
        CheckConstraint("own_minor <= taken_minor AND taken_minor + owed_minor > 0", name="amounts"),
        Index("ix_recovery_shares_source", "source"),
        Index("ix_recovery_shares_owed", "org_id", postgresql_where=text("owed_minor > 0")),
    )

    recovery_id: Mapped[str] = mapped_column(ForeignKey("recoveries.id"), primary_key=True)
    source: Mapped[str] = mapped_column(primary_key=True, info={"holds": "identifier"})
    agent_id: Mapped[str]
    org_id: Mapped[str]
    taken_minor: Mapped[int]
    own_minor: Mapped[int]
    owed_minor: Mapped[int]
    transfer_id: Mapped[UUID] = mapped_column(PG_UUID(as_uuid=True))
    at: Mapped[datetime]


class TransferReversal(Base):
    """Reversal of a part of a payout's transfer, which pays the creator's debt.

    Attributes:
        source: that of its share.
        amount_minor: the money, in minor units of `currency`, never more than the rest of the payout.
        goods_minor: the part of the debt that it pays, in minor units of `asset`.
        reversal_ref: the provider's id of it.
        next_at: when it is attempted or looked up; null at the end.
    """

    __tablename__ = "transfer_reversals"
    __table_args__ = (
        CheckConstraint("amount_minor > 0 AND goods_minor > 0", name="amounts"),
        Index("ix_transfer_reversals_next_at", "next_at", postgresql_where=text("next_at IS NOT NULL")),
        Index("ix_transfer_reversals_payout_id", "payout_id"),
        Index("ix_transfer_reversals_org_id", "org_id", postgresql_where=text("status = 'reversed'")),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    recovery_id: Mapped[str] = mapped_column(ForeignKey("recoveries.id"))
    source: Mapped[str] = mapped_column(info={"holds": "identifier"})
    payout_id: Mapped[str] = mapped_column(ForeignKey("payouts.id"))
    org_id: Mapped[str]
    agent_id: Mapped[str]
    asset: Mapped[str]
    currency: Mapped[str]
    amount_minor: Mapped[int]
    goods_minor: Mapped[int]
    status: Mapped[str]
    reversal_ref: Mapped[str | None]
    failure: Mapped[str | None] = mapped_column(info={"holds": "technical"})
    tries: Mapped[int]
    next_at: Mapped[datetime | None]
    transfer_id: Mapped[UUID | None] = mapped_column(PG_UUID(as_uuid=True))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
