"""What balances and movements look like over HTTP."""

from datetime import datetime

from pydantic import Field
from sqlalchemy import RowMapping

from api.fields import Exact, ResponseModel
from domain.common.ids import public_reference, transfer_id
from domain.common.money import format_amount


class ExpiringView(ResponseModel):
    """Credits that expire."""

    amount: Exact
    expires_at: datetime


class BalanceView(ResponseModel):
    """An organization's balance in one currency. `available` + `reserved` = `total`."""

    organization_id: str
    currency: str
    available: Exact
    reserved: Exact
    total: Exact
    owed: Exact = Field(description="The amount owed after a chargeback. It is deducted from the next incoming money.")
    expiring: list[ExpiringView]


class MovementView(ResponseModel):
    """One entry of one account. A transfer between two accounts of the organization has two entries."""

    id: str = Field(description="The id of the transfer; all of its entries have the same id.")
    kind: str
    amount: Exact = Field(description="Positive into the account, negative out of it.")
    currency: str
    balance_after: Exact
    account: str
    counterparties: list[str] = Field(description="The other accounts of the transfer that the caller may see.")
    reference: str | None = Field(
        description="The id of the object that the transfer was for. It is null for uses of credits that were not "
        "reserved; `cause` of `GET /ledger/transfers/{transfer_id}` names those."
    )
    effective_at: datetime
    recorded_at: datetime

    @classmethod
    def of(cls, row: RowMapping) -> "MovementView":
        return cls(
            id=transfer_id(row["transfer_id"]),
            kind=row["kind"],
            amount=format_amount(row["amount"], row["asset"]),
            currency=row["asset"],
            balance_after=format_amount(row["balance_after"], row["asset"]),
            account=row["path"],
            counterparties=row["counterparties"],
            reference=public_reference(row["kind"], row["reference"]),
            effective_at=row["effective_at"],
            recorded_at=row["recorded_at"],
        )
