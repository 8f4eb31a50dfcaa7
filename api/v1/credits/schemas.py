"""What a grant of credits looks like over HTTP."""

from datetime import datetime

from pydantic import Field

from api.fields import Amount, Moment, Note, OrganizationId, RequestModel, ResponseModel, example
from domain.credits import GrantSource
from domain.ids import transfer_id
from domain.money import CREDIT, format_amount
from models.credit_lot import CreditLot


class GrantCreate(RequestModel):
    """A grant of credits to an organization."""

    model_config = example(
        organization_id="org_01kar6h2d8e4wvq3r5s7t9x1zy", amount="100.00", source="promotion", note="Welcome"
    )

    organization_id: OrganizationId
    amount: Amount
    source: GrantSource
    expires_at: Moment | None = Field(default=None, description="When the unspent part expires; null when it does not.")
    note: Note | None = None


class LotView(ResponseModel):
    """A granted lot of credits."""

    id: str
    organization_id: str
    amount: str
    source: GrantSource
    expires_at: datetime | None
    note: str | None
    transfer_id: str
    created_at: datetime

    @classmethod
    def of(cls, row: CreditLot) -> "LotView":
        """Show a row."""
        return cls(
            id=row.id,
            organization_id=row.org_id,
            amount=format_amount(row.amount_minor, CREDIT),
            source=GrantSource(row.source),
            expires_at=row.expires_at,
            note=row.note,
            transfer_id=transfer_id(row.transfer_id),
            created_at=row.created_at,
        )
