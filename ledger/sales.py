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

#: The call of `ledger.sell` with `sell_arguments`; further parameters of a statement are numbered from 27.
SELL = """ledger.sell(
    $1::text, $2::text, $3::text, $4::bigint, $5::bigint, $6::text, $7::text, $8::text, $9::text, $10::text, $11::text,
    $12::jsonb, $13::timestamptz, $14::text, $15::bigint, $16::bigint, $17::bigint, $18::bigint, $19::bigint,
    $20::boolean, $21::text, $22::text, $23::text, $24::timestamptz, $25::jsonb, $26::boolean
)"""
_SELL = f"SELECT (s.answer).*, s.transfer_id AS shared_by, s.granted FROM {SELL} s"
_SHARE = "SELECT s.* FROM ledger.share_sale($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) s"


@dataclass(frozen=True, slots=True, kw_only=True)
class SaleShares:
    """Shares of a sale's price, and the key of the transfer.

    Attributes:
        payee_org_id: the seller.
        sales: the account that receives the price, which is then divided among the next three.
        earned: the creator's account; `apart` is the one for granted credits that are not paid out.
        commission: the account of the platform's part.
        creator_minor, commission_minor: in minor units of credits.
        sharing: the rules for granted credits and discounts.
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
    """Result of sharing a price: the granted part of the creator's share, and whether its organization ever owed."""

    transfer_id: UUID
    granted_minor: int
    has_owed: bool


@dataclass(frozen=True, slots=True)
class SaleResult:
    """Result of a sale; `transfer_id` is None if nothing was sold, for the reason in `spent`."""

    spent: SpendResult
    transfer_id: UUID | None
    granted_minor: int


async def share(connection: asyncpg.Connection, org_id: str, shares: SaleShares, *, at: datetime) -> ShareResult:
    """Divide an amount that was captured into the account of sales; raises as `ledger.gateway.Ledger`."""
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
    """Charge a price through the spend controls and share it, or return the refusal.

    None, without effect, if the payee has ever owed credits: the sale then has to settle its debts.

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
    """Return the arguments of `SELL`; opens missing accounts."""
    ids = AccountIds(connection)
    with translated(connection, ids.forget):
        accounts = await ids.of(shares.sales, shares.earned, shares.apart, shares.commission)
    return (
        *(org_id, *arguments_of(spend), expires_at, shares.payee_org_id, *accounts, shares.creator_minor),
        *(shares.sharing.pays_out_granted, shares.key, shares.kind, shares.reference, at),
        *(json.dumps(shares.sharing.list_price_terms()), spend.paid_only),
    )


def sale_result(row: asyncpg.Record | None) -> SaleResult | None:
    """Return the result of `SELL`; None if the payee has ever owed credits."""
    if row is None or row["status"] is None:
        return None
    return SaleResult(spend_result(row), row["shared_by"], row["granted"] or 0)
