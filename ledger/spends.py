"""A spend as the gateway gives it to the SQL functions, and what these answer."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

import asyncpg

from domain.credits.spend.control import Pool as Pool


class SpendOutcome(StrEnum):
    """What came of a request to spend."""

    CHARGED = "charged"
    RESERVED = "reserved"
    #: A spend control refused it; `SpendResult.refusal` says which.
    REFUSED = "refused"
    #: The organization does not have the credits.
    INSUFFICIENT = "insufficient"
    #: The organization is suspended, or closed; the key stays free.
    SUSPENDED = "suspended"
    CLOSED = "closed"
    #: The pool that was asked for is closed to the spender; the key stays free.
    POOL_CLOSED = "pool_closed"
    #: Of a batch: the key stands for something else.
    CONFLICT = "conflict"


class SpendStatus(StrEnum):
    """The status of a spend.

    A reservation is `reserved` until it ends, also after parts of it were captured.
    """

    CHARGED = "charged"
    RESERVED = "reserved"
    CAPTURED = "captured"
    RELEASED = "released"
    EXPIRED = "expired"
    #: All that was charged or captured has come back.
    REFUNDED = "refunded"


class OnLimit(StrEnum):
    """What happens to a spend that does not fit into what there is to operate with."""

    REFUSE = "refuse"
    #: It draws the reserve, if it fits there.
    RESERVE = "reserve"


#: The action of an escrow that counts in spend controls, as `ledger.count_escrow` writes it.
FUND_ESCROW = "escrow.fund"
#: The action of a refused purchase order, as `ledger.count_purchase` writes it.
PURCHASE_ORDER = "purchase_order"


class RefusalReason(StrEnum):
    """Why a spend control refused."""

    #: The amount is more than what is left in a window.
    LIMIT = "limit"
    #: The window has no use left.
    USES = "uses"
    #: The amount is more than one spend may have.
    PER_SPEND = "per_spend"
    FROZEN = "frozen"
    #: The control is in another currency, and there is no rate to it that is new enough.
    RATE = "rate"
    #: Of a payment with credits for an escrow, which no limit counts.
    PAYMENT = "payment"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spender:
    """Who spends, on what: what spend controls can be about, beside the organization itself.

    The caller has resolved them: what the key may name, and the key's or its agent's own where nothing was named. An
    unknown department is refused here as well, because the departments above it are read from it.
    """

    agent_id: str | None = None
    department_id: str | None = None
    project_id: str | None = None
    run_id: str | None = None
    key_id: str | None = None
    principal: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneyCost:
    """A cost in money that credits pay: lots in their order, until what was paid for them is the cost.

    Attributes:
        minor: exact, in minor units of `asset`; it may have decimals.
        asset: the currency. Lots that were paid in another one count at the exchange rate.
        granted_minor: how much of such costs granted credits pay in a calendar month (UTC), at their stated value, in
            minor units of the currency of the price of a credit; None if they pay none. A cost in another currency is
            never paid by them.
    """

    minor: Decimal
    asset: str
    granted_minor: int | None = None


@dataclass(frozen=True, slots=True)
class LiftedWindow:
    """A window that lets one spend or purchase pass, because somebody has allowed it. It counts there all the same."""

    control_id: UUID
    window: str

    def __str__(self) -> str:
        return f"{self.control_id}/{self.window}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSpend:
    """One thing to be charged, under the caller's own key, which is unique within the organization.

    `paid_only` takes credits that were paid for, and no others; for reservations and what is forced. `pool` is what it
    draws. With a `cost`, the lots are taken that pay it, and `amount_minor` credits beyond them; only the platform
    charges costs, and reserves one that windows are `lifted` for. One whose cost `is_approved` may take more credits
    than a control in credits lets one spend have, because it was counted when others would have paid it.
    """

    key: str
    action: str
    amount_minor: int
    quantity: int = 1
    spender: Spender = field(default_factory=Spender)
    metadata: Mapping[str, object] | None = None
    paid_only: bool = False
    pool: Pool = Pool.OPERATING
    on_limit: OnLimit = OnLimit.REFUSE
    cost: MoneyCost | None = None
    lifted: Sequence[LiftedWindow] = ()
    is_approved: bool = False

    @property
    def is_plain(self) -> bool:
        return self.pool is Pool.OPERATING and self.on_limit is OnLimit.REFUSE


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlRefusal:
    """Which spend control refused, how much is left in that window, and when it begins anew.

    Attributes:
        reason: why; `window` and `resets_at` are None where it is not a window's amount or uses.
        control_id: shown as `ctl_…`, see `domain.common.ids.uuid_id`.
        subject_kind: `organization department project agent run key`.
        subject_id: whose control it is.
        window: `hour day week month quarter lifetime`.
        limit: the window's amount in minor units of `asset`, its uses, or the most for one spend.
        remaining: what would have been let through, in the unit of `limit`.
        resets_at: None for a lifetime as well.
        asset: the control's currency.
        pool: the pool of the window; None where the reason is not about a window.
    """

    reason: RefusalReason
    control_id: UUID
    subject_kind: str
    subject_id: str
    asset: str
    window: str | None
    limit: int | None
    remaining: int | None
    resets_at: datetime | None
    pool: Pool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendResult:
    """The answer to a charge or a reservation; the same again when its key is repeated, but for `replayed`.

    Attributes:
        outcome: what came of it.
        spend_id: shown as `spd_…`; None when nothing was spent.
        amount_minor: the credits that were taken, or would have been.
        available_minor: what the organization could spend right after it.
        at: when it was decided.
        expires_at: when the reservation ends, as it was taken first.
        refusal: set if and only if the outcome is `refused`.
        pool: what it draws, or would have.
        budgeted: whether a budget counts it.
        replayed: the key had this answer before.
    """

    outcome: SpendOutcome
    spend_id: UUID | None
    amount_minor: int
    available_minor: int
    at: datetime
    expires_at: datetime | None
    refusal: ControlRefusal | None
    replayed: bool
    pool: Pool = Pool.OPERATING
    budgeted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeResult:
    """The answer to a capture, release, extension or refund; the same again when its key is repeated.

    Attributes:
        status: where the spend stood after it.
        spend_id: of the spend, not of the change.
        amount_minor: what this change captured, released or refunded; of an extension, what stays held.
        captured_minor: all that was captured of it, what was refunded since included.
        released_minor: what went back from the hold, once it has ended.
        refunded_minor: all that came back of what was captured.
        held_minor: what is still held.
        available_minor: what the organization could spend right after it.
        transfer_id: of a capture or refund.
        at: when it was done.
        expires_at: when the reservation ends.
        replayed: the key had done this before.
    """

    status: SpendStatus
    spend_id: UUID
    amount_minor: int
    captured_minor: int
    released_minor: int
    refunded_minor: int
    held_minor: int
    available_minor: int
    transfer_id: UUID | None
    at: datetime
    expires_at: datetime | None
    replayed: bool


def arguments_of(spend: NewSpend) -> tuple[object, ...]:
    """Return what the SQL functions take of a spend, in their order."""
    spender = spend.spender
    return (
        spend.key,
        spend.action,
        spend.quantity,
        spend.amount_minor,
        spender.agent_id,
        spender.department_id,
        spender.project_id,
        spender.run_id,
        spender.key_id,
        spender.principal,
        None if spend.metadata is None else json.dumps(spend.metadata),
    )


def cost_of(cost: MoneyCost | None) -> tuple[Decimal | None, str | None, int | None]:
    """Return a cost as the SQL functions take it: the amount, its currency, and the monthly part of granted credits."""
    return (None, None, None) if cost is None else (cost.minor, cost.asset, cost.granted_minor)


def spend_result(row: asyncpg.Record) -> SpendResult:
    """Read what became of a spend."""
    outcome = SpendOutcome(row["status"])
    refusal = None
    if outcome is SpendOutcome.REFUSED:
        refusal = ControlRefusal(
            reason=RefusalReason(row["reason"]),
            control_id=row["control_id"],
            subject_kind=row["subject_kind"],
            subject_id=row["subject_id"],
            asset=row["asset"],
            window=row["window"],
            limit=row["limit_amount"],
            remaining=row["remaining"],
            resets_at=row["resets_at"],
            pool=None if row["pool"] is None else Pool(row["pool"]),
        )
    return SpendResult(
        outcome=outcome,
        spend_id=row["spend_id"],
        amount_minor=row["amount"],
        available_minor=row["available"],
        at=row["at"],
        expires_at=row["expires_at"],
        refusal=refusal,
        replayed=row["replayed"],
        pool=Pool(row["pool"] or Pool.OPERATING),
        budgeted=bool(row["budgeted"]),
    )


def change_result(row: asyncpg.Record) -> ChangeResult:
    """Read what became of a spend that was changed."""
    return ChangeResult(
        status=SpendStatus(row["status"]),
        spend_id=row["spend_id"],
        amount_minor=row["amount"],
        captured_minor=row["captured"],
        released_minor=row["released"],
        refunded_minor=row["refunded"],
        held_minor=row["held"],
        available_minor=row["available"],
        transfer_id=row["transfer_id"],
        at=row["at"],
        expires_at=row["expires_at"],
        replayed=row["replayed"],
    )
