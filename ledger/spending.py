"""The gateway to the SQL functions that charge: one call, one round trip, a refusal as a result.

A `Spending` borrows an asyncpg connection and acts for one organization. The tenant's role can charge, reserve, settle,
release and extend, by the database's clock. The platform's role may pass the time, and is required to refund and force.
Inside a caller's transaction its effects commit with it, including the record of a refusal: rolling back a refused
spend frees its key.
"""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

import asyncpg

from domain.common.accounts import Account
from domain.common.errors import Invalid
from domain.credits.lots import LotTerms
from ledger.account_ids import AccountIds
from ledger.errors import translated
from ledger.spends import (
    ChangeResult,
    MoneyCost,
    NewSpend,
    Spender,
    SpendResult,
    arguments_of,
    change_result,
    cost_of,
    spend_result,
)

#: The maximum number of spends in one `charge_many`; a larger batch would lock the organization's balance for too long.
MAX_SPENDS = 5_000
#: The maximum term of a reservation, and of an extension from now; as in `ledger.reservation_ends`.
RESERVATION_TERM = timedelta(days=30)

# The function's first argument sets the transaction's organization first, unless another one is already set.
_AS_TENANT = """
WITH named AS MATERIALIZED (
    SELECT CASE WHEN (public.bursar_org() <> $1) IS NOT TRUE THEN set_config('bursar.org_id', $1, true) END AS org
)
SELECT a.* FROM named, LATERAL ledger.{name}(CASE WHEN named.org = $1 THEN $2::{key} END{more}) AS a
"""
_AS_PLATFORM = "SELECT a.* FROM ledger.{name}_at($1, $2{more}, ${last}) AS a"
# As above, for all of the organizations, in order.
_CHARGE_TOGETHER = """
WITH named AS MATERIALIZED (
    SELECT CASE WHEN public.bursar_org() IS NULL
        THEN set_config('bursar.org_id', array_to_string($1::text[], ','), true) END AS orgs
)
SELECT a.* FROM named, LATERAL ledger.charge_together(
    CASE WHEN named.orgs IS NOT NULL THEN $1::text[] END, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12
) AS a
"""
_REFUND = "SELECT a.* FROM ledger.refund_spend($1, $2, $3, $4, $5, $6) AS a"
_SETTLE_TO = "SELECT a.* FROM ledger.settle_to($1, $2, $3, $4, false, $5, $6) AS a"
_RETURNED_BY = "SELECT a.* FROM ledger.returned_by($1, $2, $3, $4, $5, $6) AS a"
_COUNT_ESCROW = "SELECT a.* FROM ledger.count_escrow($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) AS a"
_COUNT_ESCROW_MOVED = "SELECT ledger.count_escrow_moved($1, $2, $3, $4)"
_LOCK = "SELECT ledger.lock_reservation($1, $2)"
_FORCE = f"SELECT a.* FROM ledger.force_spend({', '.join(f'${n}' for n in range(1, 18))}) AS a"
_KEEP_GRANTED = "SELECT k.* FROM ledger.keep_granted($1, $2, $3, $4, $5, $6, $7) AS k"
_CREDITS_BACK = "SELECT ledger.credits_back($1, $2, $3, $4) AS credits"


def _statements(name: str, arguments: int, key: str = "text") -> tuple[str, str]:
    """Return the statements of a call with `arguments` parameters, including the key, by a tenant and the platform."""
    more = "".join(f", ${number}" for number in range(3, arguments + 2))
    return _AS_TENANT.format(name=name, key=key, more=more), _AS_PLATFORM.format(
        name=name, more=more, last=arguments + 2
    )


_CHARGE = _statements("charge", 13)
_CHARGE_MANY = _statements("charge_many", 11, "text[]")
_AUTHORIZE = _statements("authorize", 15)
_SETTLE = _statements("settle", 4)
_CHARGE_COST = f"SELECT a.* FROM ledger.charge_at({', '.join(f'${n}' for n in range(1, 19))}) AS a"
_CHARGE_COSTS = f"SELECT a.* FROM ledger.charge_many_at({', '.join(f'${n}' for n in range(1, 17))}) AS a"
_AUTHORIZE_COST = f"SELECT a.* FROM ledger.authorize_at({', '.join(f'${n}' for n in range(1, 22))}) AS a"
_SETTLE_COST = "SELECT a.* FROM ledger.settle_at($1, $2, $3, NULL, $4, $5, $6, $7, $8) AS a"
_RELEASE = _statements("release", 2)
_EXTEND = _statements("extend", 3)


async def charge_together(
    connection: asyncpg.Connection, spends: Sequence[tuple[str, NewSpend]]
) -> list[SpendResult | None]:
    """Charge one spend each of several organizations; they commit together.

    None for a spend that was not charged and is left to `Spending.charge`: it may not fit, its key is known, or its
    balance is locked; no organization waits for another.

    Args:
        connection: of the tenant's role, outside of any transaction.
        spends: with their organizations, each at most once.

    Raises:
        DomainError: one of them cannot be charged, so none was; each is safe to charge separately.
    """
    columns = zip(*((org_id, *arguments_of(spend)) for org_id, spend in spends), strict=True)
    with translated(connection, _nothing):
        rows = await connection.fetch(_CHARGE_TOGETHER, *(list(column) for column in columns))
    return [None if row["status"] is None else spend_result(row) for row in rows]


class Spending:
    """Charges one organization's credits over one connection.

    `at` is the time for the platform's role; otherwise the database's clock applies. Every method is idempotent by its
    key.

    Raises, from every method:
        IdempotencyConflict: the key was used for another request.
        Invalid: an amount, a time or a department breaks a rule.
        Unavailable: a deadlock or a lost connection; the same key is safe to repeat.
    """

    def __init__(self, connection: asyncpg.Connection, org_id: str) -> None:
        self._connection = connection
        self._org_id = org_id

    async def charge(self, spend: NewSpend, *, at: datetime | None = None) -> SpendResult:
        """Charge an amount if it fits into every spend control above the spender, or refuse it permanently."""
        if spend.cost is not None:
            given = (*arguments_of(spend), *_pools(spend), at, *cost_of(spend.cost))
            return spend_result(await self._only(_CHARGE_COST, self._org_id, *given))
        return spend_result(await self._one(_CHARGE, at, *arguments_of(spend), *_pools(spend)))

    async def charge_many(self, spends: Sequence[NewSpend], *, at: datetime | None = None) -> list[SpendResult]:
        """Charge many spends with the effect of charging them one after the other, and return a result for each.

        They commit together. A repeated key is charged once.
        """
        if len(spends) > MAX_SPENDS:
            raise Invalid(f"A batch must not have more than {MAX_SPENDS} spends.")
        columns = zip(*(arguments_of(spend) for spend in spends), strict=True)
        if any(spend.cost is not None for spend in spends):
            costs = zip(*(cost_of(spend.cost) for spend in spends), strict=True)
            given = (*(list(column) for column in columns), at, *(list(column) for column in costs))
            with self._call():
                rows = await self._connection.fetch(_CHARGE_COSTS, self._org_id, *given)
            return [spend_result(row) for row in rows]
        rows = await self._rows(_CHARGE_MANY, at, *(list(column) for column in columns)) if spends else []
        return [spend_result(row) for row in rows]

    async def authorize(self, spend: NewSpend, *, expires_at: datetime, at: datetime | None = None) -> SpendResult:
        """Reserve an amount until it is captured, released or expired, if it fits, or refuse it permanently.

        It counts in the present windows, even if it is captured later. It expires within `RESERVATION_TERM`.
        """
        more = (expires_at, spend.paid_only, *_pools(spend))
        if spend.cost is not None:
            lifted = [*map(str, spend.lifted), *(["per_spend"] if spend.is_approved else [])]
            given = (*arguments_of(spend), *more, at, *cost_of(spend.cost), lifted)
            return spend_result(await self._only(_AUTHORIZE_COST, self._org_id, *given))
        return spend_result(await self._one(_AUTHORIZE, at, *arguments_of(spend), *more))

    async def settle(
        self,
        *,
        key: str,
        spend_id: UUID,
        amount_minor: int | None = None,
        cost: MoneyCost | None = None,
        more: bool = False,
        at: datetime | None = None,
    ) -> ChangeResult:
        """Capture an amount of a reservation and release the rest, or with `more` keep the rest for later captures.

        Without an amount it captures all held credits. With a cost it captures as many held credits as pay it, by the
        price of their lots, at most all of them; for the platform's role only. With `granted_minor`, which excludes
        `more`, held granted credits pay at most that in a month.

        Raises:
            NotFound: the organization has no such spend.
            Conflict: `ledger.hold_ended` or `ledger.hold_expired`.
        """
        if cost is not None:
            given = (key, spend_id, more, at, *cost_of(cost))
            return change_result(await self._only(_SETTLE_COST, self._org_id, *given))
        return change_result(await self._one(_SETTLE, at, key, spend_id, amount_minor, more))

    async def refund_credits(self, spend_id: UUID, minor: Decimal, asset: str) -> int:
        """Return how many unrefunded credits of a spend, last lots first, are worth an amount of money, rounded down.

        It uses the exchange rates at the time of the spend. For the platform's role only.
        """
        row = await self._only(_CREDITS_BACK, self._org_id, spend_id, minor, asset)
        credits: int = row["credits"]
        return credits

    async def keep_granted(self, *, key: str, spend_id: UUID, cost: MoneyCost, at: datetime) -> tuple[int, Decimal]:
        """Refund the granted credits of a spend that exceed their part of the month's costs.

        The caller holds the lock of the organization's debts. For the platform's role only.

        Args:
            key: of the refund.
            spend_id: a spend that captured credits before its cost was known.
            cost: the cost; `granted_minor` is not None.
            at: the time.

        Returns:
            The refunded credits, and the part of the cost that the other granted credits pay, counted in the month.

        Raises:
            NotFound: the organization has no such spend.
        """
        row = await self._only(
            _KEEP_GRANTED, self._org_id, key, spend_id, cost.minor, cost.asset, cost.granted_minor, at
        )
        return row["returned"], row["paid"]

    async def lock_reservation(self, spend_id: UUID) -> None:
        """Lock the hold of a reservation until the transaction ends; lock balances after holds.

        For the platform's role only.

        Raises:
            NotFound: the organization has no such spend.
        """
        await self._only(_LOCK, self._org_id, spend_id)

    async def settle_to(
        self, account: Account, *, key: str, spend_id: UUID, amount_minor: int | None = None, at: datetime
    ) -> ChangeResult:
        """Capture a reservation, or an amount of it, into an account of another owner, and end it.

        Raises as `settle`. For the platform's role only.
        """
        with self._call():
            (account_id,) = await AccountIds(self._connection).of(account)
        return change_result(await self._only(_SETTLE_TO, self._org_id, key, spend_id, amount_minor, account_id, at))

    async def release(self, *, key: str, spend_id: UUID, at: datetime | None = None) -> ChangeResult:
        """Release the held rest, even of an expired reservation that was not swept yet; raises as `settle`."""
        return change_result(await self._one(_RELEASE, at, key, spend_id))

    async def extend(
        self, *, key: str, spend_id: UUID, expires_at: datetime, at: datetime | None = None
    ) -> ChangeResult:
        """Extend the held rest to a later time, within `RESERVATION_TERM` of now; raises as `settle`."""
        return change_result(await self._one(_EXTEND, at, key, spend_id, expires_at))

    async def refund(
        self, *, key: str, spend_id: UUID, amount_minor: int | None = None, renew_days: int | None = None, at: datetime
    ) -> ChangeResult:
        """Refund a part or the rest of a charge or capture; it first pays the organization's debt.

        It is returned to the windows that counted the spend, and to its lots; with `renew_days`, lots that would expire
        sooner are extended, as in `domain.credits.lots.LotTerms`. For the platform's role only.

        Raises:
            NotFound: the organization has no such spend.
            Conflict: `spend.refunded`, the amount exceeds the refundable rest.
        """
        return change_result(await self._only(_REFUND, self._org_id, key, spend_id, amount_minor, at, renew_days))

    async def returned_by(
        self, transfer_id: UUID, *, key: str, spend_id: UUID, amount_minor: int | None = None, at: datetime
    ) -> ChangeResult:
        """Record that a transfer has refunded a capture of `settle_to` or a part, and deduct it from the windows.

        Raises as `refund`. For the platform's role only.
        """
        return change_result(await self._only(_RETURNED_BY, self._org_id, key, spend_id, transfer_id, at, amount_minor))

    async def force(self, spend: NewSpend, *, at: datetime) -> SpendResult:
        """Charge a spend that has already happened: no control refuses it, and the uncovered part becomes a debt.

        It counts as `forced` in every window. For the platform's role only.
        """
        more = (spend.paid_only, at, *cost_of(spend.cost))
        return spend_result(await self._only(_FORCE, self._org_id, *arguments_of(spend), *more))

    async def count_escrow(
        self,
        escrow_id: str,
        amount_minor: int,
        spender: Spender,
        *,
        command_id: str,
        at: datetime,
        lots: LotTerms | None = None,
    ) -> SpendResult:
        """Count an escrow that is about to be funded from credits as held in every limit above the spender.

        The outcome is `reserved` or `refused`; a refusal is stored. The caller holds the escrow's row, and moves the
        credits in this transaction, on the terms `lots`. For the platform's role only.
        """
        row = await self._only(
            _COUNT_ESCROW,
            self._org_id,
            escrow_id,
            command_id,
            amount_minor,
            spender.agent_id,
            spender.department_id,
            spender.project_id,
            spender.key_id,
            spender.principal,
            at,
            None if lots is None else json.dumps(lots.document()),
        )
        return spend_result(row)

    async def count_escrow_moved(self, escrow_id: str, *, spent_minor: int, returned_minor: int, at: datetime) -> None:
        """Set the paid-out and refunded totals of a counted escrow in its limits.

        The caller holds the escrow's row and the balance of the payer's credits. For the platform's role only.
        """
        await self._only(_COUNT_ESCROW_MOVED, escrow_id, spent_minor, returned_minor, at)

    async def _one(self, statements: tuple[str, str], at: datetime | None, *arguments: object) -> asyncpg.Record:
        (row,) = await self._rows(statements, at, *arguments)
        return row

    async def _rows(self, statements: tuple[str, str], at: datetime | None, *arguments: object) -> list[asyncpg.Record]:
        with self._call():
            if at is None:
                return await self._connection.fetch(statements[0], self._org_id, *arguments)
            return await self._connection.fetch(statements[1], self._org_id, *arguments, at)

    async def _only(self, statement: str, *arguments: object) -> asyncpg.Record:
        with self._call():
            row = await self._connection.fetchrow(statement, *arguments)
        assert row is not None
        return row

    def _call(self) -> translated:
        return translated(self._connection, _nothing, self._org_id)


def _pools(spend: NewSpend) -> tuple[str, str]:
    return spend.pool.value, spend.on_limit.value


def _nothing() -> None:
    """Do nothing: no account ids are cached here."""
