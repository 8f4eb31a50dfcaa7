"""Reads single transfers from the books, from the side of one account."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from domain.common.accounts import Account

#: The maximum difference between a transfer's effective time and the time of its id, when it was recorded.
_RECORDED_WITHIN = timedelta(days=1)

_SELECT = """
SELECT t.id, t.kind, t.reference, t.org_id, t.effective_at, t.metadata::text AS metadata, (
    SELECT coalesce(sum(e.amount), 0) FROM ledger.entries e JOIN ledger.accounts a ON a.id = e.account_id
    WHERE e.transfer_id = t.id AND a.path = $1 AND a.asset = $2
)::bigint AS amount
FROM ledger.transfers t
"""
_BY_KEY = _SELECT + "WHERE t.idempotency_key = $3"
_BY_ID = _SELECT + "WHERE t.id = $3"
# The kind is a literal, or a prepared statement could not use the partial index.
_CREDIT_REFUNDS = _SELECT + "WHERE t.kind = 'credit_payment_refund' AND t.reference = $3 ORDER BY t.id"
_BETWEEN = (
    _SELECT
    + """
WHERE t.id >= $4 AND t.id < $5 AND t.kind = ANY ($3) AND t.effective_at >= $6 AND t.effective_at < $7 ORDER BY t.id
"""
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """A transfer in the books. `amount_minor` is the amount into the given account."""

    transfer_id: UUID
    kind: str
    reference: str | None
    org_id: str | None
    effective_at: datetime
    metadata: Mapping[str, object]
    amount_minor: int


class Transfers:
    """Reads transfers over one connection, as far as its role sees them, from the side of one account."""

    def __init__(self, connection: asyncpg.Connection, account: Account) -> None:
        self._connection = connection
        self._account = (account.path, account.asset)

    async def by_key(self, key: str) -> Transfer | None:
        """Return the transfer of an idempotency key."""
        return _transfer(await self._connection.fetchrow(_BY_KEY, *self._account, key))

    async def by_id(self, transfer_id: UUID) -> Transfer | None:
        """Return one transfer."""
        return _transfer(await self._connection.fetchrow(_BY_ID, *self._account, transfer_id))

    async def credit_refunds(self, payment_ref: str) -> list[Transfer]:
        """List the refunds of a payment that was made with credits, in order."""
        return _transfers(await self._connection.fetch(_CREDIT_REFUNDS, *self._account, payment_ref))

    async def between(self, kinds: Sequence[str], since: datetime, until: datetime) -> list[Transfer]:
        """List transfers of these kinds effective in `[since, until)`, if they were recorded close to then."""
        first, last = _first_id(since - _RECORDED_WITHIN), _first_id(until + _RECORDED_WITHIN)
        return _transfers(
            await self._connection.fetch(_BETWEEN, *self._account, list(kinds), first, last, since, until)
        )

    async def lock(self, name: str) -> None:
        """Lock a name until the transaction ends."""
        await self._connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", name)


def _first_id(moment: datetime) -> UUID:
    return UUID(int=max(0, int(moment.timestamp()) * 1000) << 80)


def _transfers(rows: Sequence[asyncpg.Record]) -> list[Transfer]:
    return [transfer for transfer in map(_transfer, rows) if transfer is not None]


def _transfer(row: Any) -> Transfer | None:
    if row is None:
        return None
    return Transfer(
        transfer_id=row["id"],
        kind=row["kind"],
        reference=row["reference"],
        org_id=row["org_id"],
        effective_at=row["effective_at"],
        metadata=json.loads(row["metadata"] or "{}"),
        amount_minor=row["amount"],
    )
