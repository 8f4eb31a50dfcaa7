"""Sales for credits: the gateway to the SQL functions that charge a price and share it, one call, one round trip."""

import json
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from domain.common.accounts import Account
from domain.credits.lots import Sharing
from ledger.account_ids import AccountIds
from ledger.errors import translated
from ledger.spends import NewSpend, SpendResult, arguments_of, spend_result

#: `ledger.sell` as a statement calls it, with `sell_arguments`; what a statement adds is numbered from 27.
SELL = """ledger.sell(
    $1::text, $2::text, $3::text, $4::bigint, $5::bigint, $6::text, $7::text, $8::text, $9::text, $10::text, $11::text,
    $12::jsonb, $13::timestamptz, $14::text, $15::bigint, $16::bigint, $17::bigint, $18::bigint, $19::bigint,
    $20::boolean, $21::text, $22::text, $23::text, $24::timestamptz, $25::jsonb, $26::boolean
)"""
_SELL = f"SELECT (s.answer).*, s.transfer_id AS shared_by, s.granted FROM {SELL} s"
_SHARE = "SELECT s.* FROM ledger.share_sale($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) s"


@dataclass(frozen=True, slots=True, kw_only=True)
class SaleShares:
    """How the price of a sale is shared, and under which key.

    Attributes:
        payee_org_id: who sells.
        sales: where the price goes first; what it is divided into are the three accounts that follow.
        earned: the creator's part, and `apart` what of it nobody has paid for.
        commission: the platform's part.
        creator_minor, commission_minor: in minor units of credits.
        sharing: what is set apart, and who bears discounts.
        key, kind, reference: of the transfer.
    """

    payee_org_id: str
    sales: Account
    earned: Account
    apart: Account
    commission: Account
    creator_minor: int
    commission_minor: int
    sharing: Sharing
    key: str
    kind: str
    reference: str


@dataclass(frozen=True, slots=True)
class ShareResult:
    """What shared a price, what of the creator's part nobody has paid for, and whether its organization ever owed."""

    transfer_id: UUID
    granted_minor: int
    has_owed: bool


@dataclass(frozen=True, slots=True)
class SaleResult:
    """The outcome of the charge; `transfer_id` is None where nothing was sold, and `spent` says why."""

    spent: SpendResult
    transfer_id: UUID | None
    granted_minor: int


async def share(connection: asyncpg.Connection, org_id: str, shares: SaleShares, *, at: datetime) -> ShareResult:
    """Divide what was captured into the account of sales; raises as `ledger.gateway.Ledger`."""
    ids = AccountIds(connection)
    with translated(connection, ids.forget):
        sales, earned, apart, commission = await ids.of(shares.sales, shares.earned, shares.apart, shares.commission)
        row = await connection.fetchrow(
            _SHARE,
            *(shares.key, shares.kind, sales, earned, apart, commission, shares.creator_minor),
            *(shares.commission_minor, shares.sharing.pays_out_granted, shares.reference, org_id, shares.payee_org_id),
            *(at, json.dumps(shares.sharing.list_price_terms())),
        )
    assert row is not None
    return ShareResult(row["transfer_id"], row["granted"], row["has_owed"])


async def sell(
    connection: asyncpg.Connection,
    org_id: str,
    spend: NewSpend,
    shares: SaleShares,
    *,
    expires_at: datetime,
    at: datetime,
) -> SaleResult | None:
    """Charge a price through the spend controls and share it, or answer what refuses it.

    None where the payee has ever owed credits: nothing was done, and its debts are to be settled with the sale.

    Raises: as `ledger.spending.Spending`.
    """
    arguments = await sell_arguments(connection, org_id, spend, shares, expires_at=expires_at, at=at)
    with translated(connection, AccountIds(connection).forget, org_id):
        row = await connection.fetchrow(_SELL, *arguments)
    return sale_result(row)


async def sell_arguments(
    connection: asyncpg.Connection,
    org_id: str,
    spend: NewSpend,
    shares: SaleShares,
    *,
    expires_at: datetime,
    at: datetime,
) -> tuple[object, ...]:
    """Return what `SELL` takes; opens the accounts that do not exist."""
    ids = AccountIds(connection)
    with translated(connection, ids.forget):
        accounts = await ids.of(shares.sales, shares.earned, shares.apart, shares.commission)
    return (
        *(org_id, *arguments_of(spend), expires_at, shares.payee_org_id, *accounts, shares.creator_minor),
        *(shares.sharing.pays_out_granted, shares.key, shares.kind, shares.reference, at),
        *(json.dumps(shares.sharing.list_price_terms()), spend.paid_only),
    )


def sale_result(row: asyncpg.Record | None) -> SaleResult | None:
    """Read what `SELL` answered; None where it left the sale to others."""
    if row is None or row["status"] is None:
        return None
    return SaleResult(spend_result(row), row["shared_by"], row["granted"] or 0)
