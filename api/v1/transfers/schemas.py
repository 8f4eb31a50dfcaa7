"""What a transfer looks like over HTTP."""

from datetime import datetime
from typing import Self

from pydantic import Field

from api.fields import Exact, ResponseModel
from domain.common.ids import public_reference, transfer_id
from domain.common.money import format_amount
from repositories.books.transfer import Transfer

#: What a transfer can be for, by the prefix of the id that it refers to.
CAUSES = {
    "esc": "escrow",
    "pay": "payment",
    "inv": "invoice",
    "agt": "agent",
    "lot": "credit_lot",
    "po": "payout",
    "sub": "subscription",
    "pur": "purchase",
    "prj": "project",
    "org": "organization",
    "rcn": "reconciliation",
    "spd": "spend",
    "hold": "reservation",
}


class EntryView(ResponseModel):
    """One side of a transfer."""

    account: str
    organization_id: str | None = Field(description="The account's owner; null for the platform's own accounts.")
    amount: Exact = Field(description="Positive into the account, negative out of it.")
    currency: str
    balance_after: Exact


class CauseView(ResponseModel):
    """What a transfer was for."""

    type: str = Field(
        description="The kind of object, such as `escrow`, `payment`, `invoice`, `spend` or `reservation`."
    )
    id: str


class TransferView(ResponseModel):
    """A transfer, and those of its entries that the caller may see. All entries together add up to zero."""

    id: str
    kind: str
    reference: str | None
    cause: CauseView | None = Field(description="The object that the transfer was for; null if it has no id.")
    effective_at: datetime
    recorded_at: datetime
    entries: list[EntryView] = Field(description="At most 1,000.")

    @classmethod
    def of(cls, found: Transfer, cause_id: str | None) -> Self:
        row, kind = found.row, CAUSES.get((cause_id or "").rpartition("_")[0])
        return cls(
            id=transfer_id(row["id"]),
            kind=row["kind"],
            reference=public_reference(row["kind"], row["reference"]),
            cause=None if kind is None or cause_id is None else CauseView(type=kind, id=cause_id),
            effective_at=row["effective_at"],
            recorded_at=row["recorded_at"],
            entries=[
                EntryView(
                    account=entry["path"],
                    organization_id=entry["org_id"],
                    amount=format_amount(entry["amount"], entry["asset"]),
                    currency=entry["asset"],
                    balance_after=format_amount(entry["balance_after"], entry["asset"]),
                )
                for entry in found.entries
            ],
        )
