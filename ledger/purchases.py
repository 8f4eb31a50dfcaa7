"""The gateway to the SQL functions that count external purchases in spend controls, and move pools of budgets."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

import asyncpg

from domain.common import errors as refusals
from domain.common.errors import DomainError, NotFound, other_request
from domain.common.money import format_amount
from ledger.controls import MISSING
from ledger.errors import translated
from ledger.spends import LiftedWindow, OnLimit, Pool, Spender, SpendResult, spend_result

_COUNT = """
    SELECT a.*
    FROM ledger.count_purchase($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) AS a
"""
_MOVED = "SELECT ledger.count_purchase_moved($1, $2, $3, $4, $5, $6, $7)"
_MOVE_POOL = "SELECT * FROM ledger.move_pool($1, $2, $3, $4, $5, $6, $7, $8, $9)"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPurchase:
    """An external purchase to count in every spend control above the spender.

    Attributes:
        order_id: the purchase order, `por_…`.
        number: 0 is the order itself; others are its renewals and additional charges. Unique per order.
        asset: the currency of the payment, converted to that of each control, rounded up; controls in credits count
            the paid credits that would be taken next.
        amount_minor: above zero, in minor units of `asset`.
        spender: the buyer, and the attribution.
        pool: the pool that it draws.
        on_limit: the effect if it exceeds the operating pool.
        granted: approved by a person, so it draws the reserve without an allowance.
        lifted: the windows that do not refuse it.
        forced: it has already happened, and is not refused.
        margin: the additional amount to hold in controls in credits, as a ratio.
    """

    order_id: str
    number: int
    asset: str
    amount_minor: int
    spender: Spender
    pool: Pool = Pool.OPERATING
    on_limit: OnLimit = OnLimit.REFUSE
    granted: bool = False
    lifted: Sequence[LiftedWindow] = ()
    forced: bool = False
    margin: Decimal = Decimal(0)


class Purchases:
    """Counts purchases over one connection of the platform's role, inside the caller's transaction."""

    def __init__(self, connection: asyncpg.Connection, org_id: str) -> None:
        self._connection = connection
        self._org_id = org_id

    async def authorize(self, new: NewPurchase, *, at: datetime) -> SpendResult:
        """Count a purchase as held, or as spent if it is forced, or return the refusal.

        The outcome is `reserved`, `refused`, `pool_closed`, `suspended` or `closed`. A counted purchase is returned
        again for the same order and number; a refused one is decided again.

        Raises:
            IdempotencyConflict: the number was used for another amount.
            Invalid: the amount is not above zero, or too large.
        """
        spender = new.spender
        with self._call():
            row = await self._connection.fetchrow(
                _COUNT,
                self._org_id,
                new.order_id,
                new.number,
                new.asset,
                new.amount_minor,
                spender.agent_id,
                spender.department_id,
                spender.project_id,
                spender.key_id,
                spender.principal,
                new.pool.value,
                new.on_limit.value,
                new.granted,
                [str(one) for one in new.lifted],
                new.forced,
                at,
                1 + new.margin,
            )
        assert row is not None
        return spend_result(row)

    async def move(
        self, order_id: str, number: int, *, spent_minor: int, returned_minor: int, refunded_minor: int, at: datetime
    ) -> None:
        """Set the spent, released and refunded totals of a purchase in its spend controls.

        Args:
            order_id: the purchase order.
            number: of the purchase within the order.
            spent_minor: the total paid.
            returned_minor: the total that will not be paid; with `spent_minor` at most its amount.
            refunded_minor: the total refunded.
            at: the time.

        Raises:
            NotFound: the organization has no such purchase.
            Invalid: a total is less than before, or more than possible.
        """
        with self._call():
            await self._connection.execute(
                _MOVED, self._org_id, order_id, number, spent_minor, returned_minor, refunded_minor, at
            )

    async def move_pool(
        self,
        control_id: UUID,
        *,
        from_pool: Pool,
        to_pool: Pool,
        amount_minor: int,
        asset: str,
        by: str,
        reason: str,
        command_id: str,
        at: datetime,
    ) -> None:
        """Move an amount from one pool of a budget's present window into another, once per command.

        Raises:
            NotFound: the organization has no such budget.
            Conflict: `spend_control.closed`; `budget.pool_closed`, the budget has no pools; `budget.pool_too_small`.
            IdempotencyConflict: the command was used for another move.
        """
        with self._call():
            row = await self._connection.fetchrow(
                _MOVE_POOL,
                self._org_id,
                control_id,
                from_pool.value,
                to_pool.value,
                amount_minor,
                by,
                reason,
                command_id,
                at,
            )
        assert row is not None
        if row["outcome"] not in {"moved", "replayed"}:
            raise _refusal(row["outcome"], f"{format_amount(row['remaining'] or 0, asset)} {asset}")

    def _call(self) -> translated:
        return translated(self._connection, _nothing, self._org_id)


def _refusal(outcome: str, remaining: str) -> DomainError:
    match outcome:
        case "missing":
            return NotFound(MISSING)
        case "closed":
            return refusals.SpendControlClosed("The budget is closed. Open another one.")
        case "no_pools":
            return refusals.BudgetPoolClosed("The budget does not have both pools. Set them first.")
        case "too_much":
            return refusals.BudgetPoolTooSmall(f"Only {remaining} are left in that pool. Move at most that.")
        case "other_request":
            return other_request()
    raise AssertionError(outcome)


def _nothing() -> None:
    """Do nothing: no account ids are cached here."""
