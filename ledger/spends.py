"""Arguments and results of the SQL functions that spend credits."""

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
    """Outcome of a request to spend."""

    CHARGED = "charged"
    RESERVED = "reserved"
    #: Refused by the spend control in `SpendResult.refusal`.
    REFUSED = "refused"
    #: The organization does not have the credits.
    INSUFFICIENT = "insufficient"
    #: The organization is suspended or closed; the key stays free.
    SUSPENDED = "suspended"
    CLOSED = "closed"
    #: The requested pool is closed to the spender; the key stays free.
    POOL_CLOSED = "pool_closed"
    #: In a batch: the key was used for another request.
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
    #: The charge or captures were refunded in full.
    REFUNDED = "refunded"


class OnLimit(StrEnum):
    """Effect of exceeding the operating pool."""

    REFUSE = "refuse"
    #: The spend draws the reserve, if it fits there.
    RESERVE = "reserve"


#: The action of an escrow that counts in spend controls, as `ledger.count_escrow` writes it.
FUND_ESCROW = "escrow.fund"
#: The action of a refused purchase order, as `ledger.count_purchase` writes it.
PURCHASE_ORDER = "purchase_order"


class RefusalReason(StrEnum):
    """Reason of a refusal by a spend control."""

    #: The amount exceeds the rest of a window.
    LIMIT = "limit"
    #: The window has no use left.
    USES = "uses"
    #: The amount exceeds the maximum of one spend.
    PER_SPEND = "per_spend"
    FROZEN = "frozen"
    #: The control is in another currency without a recent rate.
    RATE = "rate"
    #: The spend is a payment with credits for an escrow, which no limit counts.
    PAYMENT = "payment"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spender:
    """Attribution of a spend: the subjects of spend controls other than the organization.

    The caller has resolved the attribution of the key or its agent. An unknown department is refused here as well,
    because the departments above it are read from it.
    """

    agent_id: str | None = None
    department_id: str | None = None
    project_id: str | None = None
    run_id: str | None = None
    key_id: str | None = None
    principal: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneyCost:
    """A cost in money, paid by lots of credits in their order, at the price paid for them.

    Attributes:
        minor: exact, in minor units of `asset`; it may have decimals.
        asset: the currency. Lots that were paid in another one count at the exchange rate.
        granted_minor: the maximum that granted credits pay of such costs in a calendar month (UTC), at their stated
            value, in minor units of the currency of the price of a credit; None if they pay none. They never pay costs
            in another currency.
    """

    minor: Decimal
    asset: str
    granted_minor: int | None = None


@dataclass(frozen=True, slots=True)
class LiftedWindow:
    """A window that does not refuse an approved spend or purchase, but counts it."""

    control_id: UUID
    window: str

    def __str__(self) -> str:
        return f"{self.control_id}/{self.window}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSpend:
    """A spend to charge or reserve, under the caller's key, which is unique within the organization.

    `paid_only` takes paid credits only, for reservations and forced spends. `pool` is the pool that it draws. With a
    `cost`, the lots that pay it are taken, and `amount_minor` further credits; only the platform charges costs, and
    reserves spends with `lifted` windows. `is_approved`: its cost may take more credits than a control in credits
    allows for one spend, because other lots may pay than at approval.
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
    """Refusal by a spend control, with the rest of the window and its end.

    Attributes:
        reason: `window` and `resets_at` are None unless it is about a window's amount or uses.
        control_id: shown as `ctl_…`, see `domain.common.ids.uuid_id`.
        subject_kind: `organization department project agent run key`.
        subject_id: the subject of the control.
        window: `hour day week month quarter lifetime`.
        limit: the window's amount in minor units of `asset`, its uses, or the maximum of one spend.
        remaining: the maximum that would have been accepted, in the unit of `limit`.
        resets_at: when the next window begins; None for a lifetime.
        asset: the control's currency.
        pool: the pool of the window; None if the reason is not about a window.
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
    """Result of a charge or a reservation; repeating its key returns the same, except for `replayed`.

    Attributes:
        spend_id: shown as `spd_…`; None if nothing was spent.
        amount_minor: the credits that were or would have been taken.
        available_minor: the organization's available credits right after it.
        at: when it was decided.
        expires_at: the original end of the reservation.
        refusal: set if and only if the outcome is `refused`.
        pool: the pool that it draws or would draw.
        budgeted: whether a budget counts it.
        replayed: the key had this result before.
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
    """Result of a capture, release, extension or refund; repeating its key returns the same.

    Attributes:
        status: of the spend after the change.
        spend_id: of the spend, not of the change.
        amount_minor: the amount captured, released or refunded by the change; for an extension, the held amount.
        captured_minor: the total captured, including amounts refunded since.
        released_minor: the amount released when the hold ended.
        refunded_minor: the total refunded.
        held_minor: the held rest.
        available_minor: the organization's available credits right after it.
        transfer_id: of a capture or refund.
        at: the time of the change.
        expires_at: when the reservation ends.
        replayed: the key had executed this before.
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
    """Return a spend as arguments of the SQL functions, in order."""
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
    """Return a cost as arguments of the SQL functions: amount, currency, and the monthly part of granted credits."""
    return (None, None, None) if cost is None else (cost.minor, cost.asset, cost.granted_minor)


def spend_result(row: asyncpg.Record) -> SpendResult:
    """Return the result of a spend from its row."""
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
    """Return the result of a change of a spend from its row."""
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
