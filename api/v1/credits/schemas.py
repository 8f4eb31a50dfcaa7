"""HTTP schemas of a grant of credits."""

from datetime import datetime
from typing import Literal, Self

from pydantic import Field

from api.fields import Amount, Exact, Moment, Note, OrganizationId, ResponseModel, Whole, example
from api.metadata import MetadataUpdate, MetadataView, WithMetadata, shown
from domain.common.credits import GrantSource
from domain.common.ids import transfer_id
from domain.common.money import CREDIT, format_amount
from domain.credits.lots import LotSource
from models.credits.credit_lot import CreditLot
from models.tenants.metadata import ObjectMetadata
from repositories.credits.lot import Lot


class GrantCreate(WithMetadata):
    """A grant of credits to an organization."""

    model_config = example(
        organization_id="org_01kar6h2d8e4wvq3r5s7t9x1zy", amount="100.00", source="promotion", note="Welcome"
    )

    organization_id: OrganizationId
    amount: Amount
    source: Literal[GrantSource.PROMOTION, GrantSource.REWARD, GrantSource.ADJUSTMENT]
    expires_at: Moment | None = Field(default=None, description="When the unspent part expires; null if it never does.")
    priority: Whole = Field(
        default=0,
        ge=-100,
        le=100,
        description="Credits with a lower priority are spent first; of one priority, those that expire first.",
    )
    note: Note | None = None


class GrantUpdate(MetadataUpdate):
    """The `external_id` and `metadata` of a grant. Fields left out stay as they are. The grant never changes."""

    model_config = example(external_id="campaign-7-acme", metadata={"campaign": "7"})


class LotView(MetadataView):
    """A granted lot of credits."""

    id: str
    organization_id: str
    amount: Exact
    source: GrantSource
    expires_at: datetime | None
    note: str | None
    transfer_id: str
    created_at: datetime

    @classmethod
    def of(cls, row: CreditLot, own: ObjectMetadata | None) -> "LotView":
        return cls.from_row(
            row, amount=format_amount(row.amount_minor, CREDIT), transfer_id=transfer_id(row.transfer_id), **shown(own)
        )


class CreditLotView(ResponseModel):
    """Credits that an organization received at one time, and the remaining ones."""

    id: str
    organization_id: str
    source: LotSource
    amount: Exact
    remaining: Exact = Field(description="What is neither used nor expired, including what is held.")
    held: Exact = Field(description="What reservations hold of it. It can be captured even after the lot has expired.")
    expired: Exact = Field(description="What was left of it when it expired.")
    expires_at: datetime | None
    priority: int = Field(description="Credits with a lower priority are spent first.")
    cost: Exact | None = Field(description="What you paid for it; null if it was granted or earned.")
    cost_currency: str | None
    payment_id: str | None
    transfer_id: str
    created_at: datetime

    @classmethod
    def of(cls, lot: Lot) -> Self:
        return cls.from_row(
            lot,
            amount=format_amount(lot.amount, CREDIT),
            remaining=format_amount(lot.remaining, CREDIT),
            held=format_amount(lot.held, CREDIT),
            expired=format_amount(lot.expired, CREDIT),
            cost=None if lot.paid_asset is None or not lot.paid else format_amount(lot.paid, lot.paid_asset),
            cost_currency=lot.paid_asset if lot.paid else None,
            transfer_id=transfer_id(lot.transfer_id),
            created_at=lot.opened_at,
        )
