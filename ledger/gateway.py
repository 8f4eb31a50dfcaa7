"""The gateway to the SQL functions that move money: one call, one round trip, refusals as domain errors.

A `Ledger` borrows an asyncpg connection. Inside a caller's transaction its effects commit with it; otherwise each call
is its own transaction. Amounts are minor units, times are aware; `effective_at` is when a transfer counts.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any
from uuid import UUID

import asyncpg

from domain.common.accounts import Account
from domain.common.errors import Invalid
from domain.credits.lots import LotTerms
from ledger.account_ids import OPEN_ACCOUNTS, AccountIds, columns
from ledger.errors import translated

#: The maximum number of transfers in one `post_batch`; a larger batch would hold its locks for too long.
MAX_BATCH = 10_000

_POST = "SELECT ledger.post($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
_POST_COMPOUND = "SELECT ledger.post_legs($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
# Accounts are opened in the statement that posts to them; -n is the id of the nth of these.
_OPEN_AND_POST = f"""
WITH opened AS MATERIALIZED ({OPEN_ACCOUNTS})
SELECT ledger.post_legs($9, $10,
    ARRAY(SELECT CASE WHEN s.id < 0 THEN o.ids[-s.id] ELSE s.id END
        FROM unnest($11::bigint[]) WITH ORDINALITY AS s (id, ord) ORDER BY s.ord),
    ARRAY(SELECT CASE WHEN d.id < 0 THEN o.ids[-d.id] ELSE d.id END
        FROM unnest($12::bigint[]) WITH ORDINALITY AS d (id, ord) ORDER BY d.ord),
    $13, $14, $15, $16, $17, $18) AS posted, o.ids, o.settled
FROM opened o
"""
_POST_BATCH = "SELECT * FROM ledger.post_batch($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
_LOCK = """
SELECT ledger.lock_balances($1::bigint[] || ARRAY(
    SELECT a.id FROM ledger.accounts a JOIN unnest($2::text[], $3::text[]) AS n (path, asset) USING (path, asset)
))
"""
_HOLD = "SELECT ledger.hold($1, $2, $3, $4, $5, $6, $7, $8)"
_CAPTURE = "SELECT ledger.capture_hold($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
_VOID = "SELECT ledger.void_hold($1, $2, $3)"
_EXPIRE = "SELECT ledger.expire_holds($1, $2)"
_EXPIRE_LOTS = "SELECT ledger.expire_lots($1, $2)"
_BALANCE = """
SELECT coalesce(sum(b.posted), 0)::bigint AS posted, coalesce(sum(b.pending_out), 0)::bigint AS pending_out,
    coalesce(sum(b.version), 0)::bigint AS version
FROM ledger.accounts a JOIN ledger.balances b ON b.account_id = a.id WHERE a.path = $1 AND a.asset = $2
"""
_BALANCES = """
SELECT coalesce(sum(b.posted), 0)::bigint AS posted, coalesce(sum(b.pending_out), 0)::bigint AS pending_out,
    coalesce(sum(b.version), 0)::bigint AS version
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS n (path, asset, number)
LEFT JOIN ledger.accounts a USING (path, asset) LEFT JOIN ledger.balances b ON b.account_id = a.id
GROUP BY n.number ORDER BY n.number
"""
_AVAILABLE = """
SELECT coalesce(sum(b.posted - b.pending_out), 0)::bigint
    - coalesce(sum(ledger.due_credits(b.account_id, $3)) FILTER (WHERE b.lots), 0)::bigint
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS n (path, asset, number)
LEFT JOIN ledger.accounts a USING (path, asset) LEFT JOIN ledger.balances b ON b.account_id = a.id
GROUP BY n.number ORDER BY n.number
"""
_BEFORE_RELEASE = """
SELECT coalesce(g.granted, 0) AS granted, coalesce(g.platform_paid, 0) AS platform_paid, EXISTS (
        SELECT FROM ledger.accounts a JOIN ledger.balances b ON b.account_id = a.id
        WHERE a.path = $6 AND a.asset = $7 AND b.version > 0
    ) AS has_owed
FROM (VALUES (true)) one (row) LEFT JOIN (
    SELECT p.* FROM ledger.accounts a, LATERAL ledger.granted_part(a.id, $3, $4, $5) p
    WHERE a.path = $1 AND a.asset = $2 AND a.lots
) g ON true
"""
_BALANCE_AS_OF = """
SELECT coalesce((SELECT ledger.balance_as_of(a.id, $3) FROM ledger.accounts a WHERE a.path = $1 AND a.asset = $2), 0)
"""


@dataclass(frozen=True, slots=True)
class PostedTransfer:
    """A posted transfer; `replayed`: its key had posted it before."""

    transfer_id: UUID
    replayed: bool


@dataclass(frozen=True, slots=True)
class PlacedHold:
    """A hold; `replayed`: its key had placed it before.

    `status` is `pending`, `posted`, `voided` or `expired`; a pending hold past its expiry can only be voided.
    """

    hold_id: UUID
    replayed: bool
    status: str


@dataclass(frozen=True, slots=True)
class Posting:
    """An amount from one account to another within a transfer."""

    source: Account
    destination: Account
    amount_minor: int
    lots: LotTerms | None = None


@dataclass(frozen=True, slots=True)
class NewTransfer:
    """A transfer of a batch, under its own key."""

    key: str
    source: Account
    destination: Account
    amount_minor: int
    reference: str | None = None
    lots: LotTerms | None = None


@dataclass(frozen=True, slots=True)
class Balance:
    """Balance of an account. `version` counts its entries; the balance of an unopened account is zero."""

    posted_minor: int
    pending_minor: int
    version: int

    @property
    def available_minor(self) -> int:
        """The posted amount less holds. Its lots may have expired: see `Ledger.available`."""
        return self.posted_minor - self.pending_minor


class Ledger:
    """Moves money and reads balances over one connection of the platform role.

    Raises, from every method that moves money:
        InsufficientFunds: the source's minimum balance forbids it.
        IdempotencyConflict: the key was used for another request.
        Conflict: `ledger.hold_ended` or `ledger.hold_expired`.
        NotFound: no such hold.
        Invalid: the amount, the accounts or the times break a rule.
        Unavailable: a deadlock, a serialization failure or a lost connection; the outcome may be unknown, and the same
            key is safe to repeat. The caller's transaction is aborted and has to be repeated.
    """

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self._ids = AccountIds(connection)

    async def post(
        self,
        *,
        key: str,
        kind: str,
        source: Account,
        destination: Account,
        amount_minor: int,
        effective_at: datetime,
        reference: str | None = None,
        org_id: str | None = None,
        metadata: Mapping[str, object] | None = None,
        lots: LotTerms | None = None,
    ) -> PostedTransfer:
        """Move an amount from one account to another, once per key.

        From an account without lots to one with lots, `lots` must name the lot of the credits.
        """
        with self._call(org_id):
            source_id, destination_id = await self._ids.of(source, destination)
            row = await self._connection.fetchval(
                _POST,
                key,
                kind,
                source_id,
                destination_id,
                amount_minor,
                reference,
                effective_at,
                org_id,
                _json(metadata),
                _terms(lots),
            )
        return PostedTransfer(*_one(row))

    async def post_compound(
        self,
        *,
        key: str,
        kind: str,
        postings: Sequence[Posting],
        effective_at: datetime,
        reference: str | None = None,
        org_id: str | None = None,
        metadata: Mapping[str, object] | None = None,
    ) -> PostedTransfer:
        """Post one transfer of several postings, all of them or none, in the order given."""
        with self._call(org_id):
            ids, missing = await self._ids.find(_ends(postings))
            amounts = [posting.amount_minor for posting in postings]
            terms = _all_terms([posting.lots for posting in postings])
            asked = (key, kind, ids[::2], ids[1::2], amounts, reference, effective_at, org_id, _json(metadata), terms)
            if not missing:
                return PostedTransfer(*_one(await self._connection.fetchval(_POST_COMPOUND, *asked)))
            row = _one(await self._connection.fetchrow(_OPEN_AND_POST, *columns(missing), *asked))
            self._ids.opened(missing, row["ids"], row["settled"])
        return PostedTransfer(*row["posted"])

    async def post_batch(
        self,
        *,
        kind: str,
        transfers: Sequence[NewTransfer],
        effective_at: datetime,
        org_id: str | None = None,
        metadata: Mapping[str, object] | None = None,
    ) -> list[PostedTransfer]:
        """Post many transfers in one statement, all of them or none, and return one result for each, in order.

        The effect is that of posting them one after the other; a key that was posted before is replayed.
        """
        if len(transfers) > MAX_BATCH:
            raise Invalid(f"A batch must not have more than {MAX_BATCH} transfers.")
        with self._call(org_id):
            sources, destinations = await self._endpoints(transfers)
            rows = await self._connection.fetch(
                _POST_BATCH,
                [transfer.key for transfer in transfers],
                kind,
                sources,
                destinations,
                [transfer.amount_minor for transfer in transfers],
                [transfer.reference for transfer in transfers],
                effective_at,
                org_id,
                _json(metadata),
                _all_terms([transfer.lots for transfer in transfers]),
            )
        return [PostedTransfer(*row) for row in rows]

    async def lock_balances(self, accounts: Iterable[Account], *, if_open: Iterable[Account] = ()) -> None:
        """Lock balances until the caller's transaction ends, in the global lock order.

        A transaction that posts more than once calls it for all of its accounts before its first posting. Otherwise it
        blocks a shared balance while it waits for one organization's, and can deadlock. Missing accounts are opened,
        for the same reason; those of `if_open` are locked only if they exist, and the caller prevents others from
        opening them.
        """
        optional = list(if_open)
        with self._call():
            ids = await self._ids.of(*accounts)
            await self._connection.execute(_LOCK, ids, [a.path for a in optional], [a.asset for a in optional])

    async def hold(
        self,
        *,
        key: str,
        account: Account,
        amount_minor: int,
        expires_at: datetime,
        held_at: datetime,
        reference: str | None = None,
        metadata: Mapping[str, object] | None = None,
        lots: LotTerms | None = None,
    ) -> PlacedHold:
        """Reserve an amount of an account until it is captured, voided or expired.

        It reserves lots in the order of spending, or exactly the `slices` of `lots`, expired or not.
        """
        with self._call(account.org_id):
            (account_id,) = await self._ids.of(account)
            row = await self._connection.fetchval(
                _HOLD, key, account_id, amount_minor, expires_at, reference, held_at, _json(metadata), _terms(lots)
            )
        return PlacedHold(*_one(row))

    async def capture(
        self,
        *,
        key: str,
        hold_id: UUID,
        amount_minor: int,
        destination: Account,
        effective_at: datetime,
        kind: str = "capture",
        reference: str | None = None,
        org_id: str | None = None,
        metadata: Mapping[str, object] | None = None,
        lots: LotTerms | None = None,
    ) -> PostedTransfer:
        """Post up to the held amount to the destination and release the rest; once, and not after the hold expired."""
        with self._call():
            (destination_id,) = await self._ids.of(destination)
            row = await self._connection.fetchval(
                _CAPTURE,
                key,
                hold_id,
                amount_minor,
                destination_id,
                effective_at,
                kind,
                reference,
                org_id,
                _json(metadata),
                _terms(lots),
            )
        return PostedTransfer(*_one(row))

    async def void(self, *, key: str, hold_id: UUID, effective_at: datetime) -> bool:
        """Release the whole hold; returns whether this key had done so before."""
        with self._call():
            return bool(await self._connection.fetchval(_VOID, key, hold_id, effective_at))

    async def expire_holds(self, *, now: datetime, limit: int = 1000) -> int:
        """Release holds that expired at or before `now`, up to the limit, and return how many there were."""
        with self._call():
            return int(await self._connection.fetchval(_EXPIRE, now, limit))

    async def expire_lots(self, *, now: datetime, limit: int = 1000) -> int:
        """Book the expiry of lots that had expired at `now`, up to the limit, and return how many there were."""
        with self._call():
            return int(await self._connection.fetchval(_EXPIRE_LOTS, now, limit))

    async def available(self, accounts: Sequence[Account], at: datetime) -> list[int]:
        """Return the available amount of each account, neither held nor expired at that time; opens none."""
        with self._call():
            rows = await self._connection.fetch(_AVAILABLE, [a.path for a in accounts], [a.asset for a in accounts], at)
        return [row[0] for row in rows]

    async def before_release(
        self, source: Account, amount_minor: int, platform_minor: int, debt: Account, at: datetime
    ) -> tuple[int, int, bool]:
        """Return the parts of the source's next credits, and whether the debt account was ever used.

        The parts: what is granted of the next `amount_minor`, and paid of the `platform_minor` after them.
        """
        with self._call():
            row = await self._connection.fetchrow(
                _BEFORE_RELEASE, source.path, source.asset, amount_minor, platform_minor, at, debt.path, debt.asset
            )
        return _one(row)["granted"], _one(row)["platform_paid"], _one(row)["has_owed"]

    async def balance(self, account: Account) -> Balance:
        """Return the present balance of the account; does not open it."""
        with self._call():
            row = _one(await self._connection.fetchrow(_BALANCE, account.path, account.asset))
        return Balance(posted_minor=row["posted"], pending_minor=row["pending_out"], version=row["version"])

    async def balances(self, accounts: Sequence[Account]) -> list[Balance]:
        """Return the present balances of the accounts, in one round trip; opens none."""
        with self._call():
            rows = await self._connection.fetch(_BALANCES, [a.path for a in accounts], [a.asset for a in accounts])
        return [Balance(posted_minor=r["posted"], pending_minor=r["pending_out"], version=r["version"]) for r in rows]

    async def balance_as_of(self, account: Account, at: datetime) -> int:
        """Return the balance of the account at an effective time, including entries recorded later for that time."""
        with self._call():
            return int(await self._connection.fetchval(_BALANCE_AS_OF, account.path, account.asset, at))

    def _call(self, org_id: str | None = None) -> translated:
        return translated(self._connection, self._ids.forget, org_id)

    async def _endpoints(self, moves: Sequence[Posting] | Sequence[NewTransfer]) -> tuple[list[int], list[int]]:
        ids = await self._ids.of(*_ends(moves))
        return ids[::2], ids[1::2]


def _ends(moves: Sequence[Posting] | Sequence[NewTransfer]) -> list[Account]:
    return list(chain.from_iterable((move.source, move.destination) for move in moves))


def _one(row: asyncpg.Record | None) -> Any:
    assert row is not None
    return row


def _terms(lots: LotTerms | None) -> str | None:
    return None if lots is None else json.dumps(lots.document())


def _all_terms(lots: Sequence[LotTerms | None]) -> str | None:
    if not any(lots):
        return None
    return json.dumps([None if terms is None else terms.document() for terms in lots])


def _json(value: Mapping[str, object] | None) -> str | None:
    return None if value is None else json.dumps(value)
