"""The gateway to the SQL functions that charge: one call, one round trip, a refusal as a result.

A `Spending` borrows an asyncpg connection and acts for one organization. With a connection of the tenant's role it
charges, reserves, settles, releases and extends; the clock is the database's. The platform's role may give the time,
and alone refunds and forces. Inside a caller's transaction its effects commit with it, and so does the record of a
refusal: a caller that rolls back a refused spend leaves its key free.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

import asyncpg

from domain.accounts import Account
from domain.errors import Invalid
from domain.money import CREDIT
from ledger.account_ids import AccountIds
from ledger.errors import translated

#: The most spends that one `charge_many` takes; beyond it a batch holds the organization's balance for too long.
MAX_SPENDS = 5_000
#: The longest that a reservation may live, however often it is extended. `ledger.reservation_ends` says the same.
RESERVATION_TERM = timedelta(days=30)

# The function's first argument waits for the transaction to be named for the organization; one that works for another
# organization already is not turned to this one.
_AS_TENANT = """
WITH named AS MATERIALIZED (
    SELECT CASE WHEN (public.bursar_org() <> $1) IS NOT TRUE THEN set_config('bursar.org_id', $1, true) END AS org
)
SELECT a.* FROM named, LATERAL ledger.{name}(CASE WHEN named.org = $1 THEN $2::{key} END{more}) AS a
"""
_AS_PLATFORM = "SELECT a.* FROM ledger.{name}_at($1, $2{more}, ${last}) AS a"
# As above, named for all of the organizations, in their order.
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
_SETTLE_TO = "SELECT a.* FROM ledger.settle_to($1, $2, $3, NULL, false, $4, $5) AS a"
_RETURNED_BY = "SELECT a.* FROM ledger.returned_by($1, $2, $3, $4, $5) AS a"
_FORCE = "SELECT a.* FROM ledger.force_spend($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) AS a"
_SET_RATE = "SELECT ledger.set_rate($1, $2, $3, $4, $5, $6)"


def _statements(name: str, arguments: int, key: str = "text") -> tuple[str, str]:
    """Write the call with so many arguments, the key or keys among them, as a tenant makes it and as the platform."""
    more = "".join(f", ${number}" for number in range(3, arguments + 2))
    return _AS_TENANT.format(name=name, key=key, more=more), _AS_PLATFORM.format(
        name=name, more=more, last=arguments + 2
    )


_CHARGE = _statements("charge", 11)
_CHARGE_MANY = _statements("charge_many", 11, "text[]")
_AUTHORIZE = _statements("authorize", 12)
_SETTLE = _statements("settle", 4)
_RELEASE = _statements("release", 2)
_EXTEND = _statements("extend", 3)


class Outcome(StrEnum):
    """What came of a request to spend."""

    CHARGED = "charged"
    RESERVED = "reserved"
    #: A spend control refused it; `Spent.refusal` says which.
    REFUSED = "refused"
    #: The organization does not have the credits.
    INSUFFICIENT = "insufficient"
    #: Of a batch: the key stands for something else.
    CONFLICT = "conflict"


class SpendStatus(StrEnum):
    """Where a spend stands; a reservation is `reserved` until it ends, also when parts of it were captured."""

    CHARGED = "charged"
    RESERVED = "reserved"
    CAPTURED = "captured"
    RELEASED = "released"
    EXPIRED = "expired"
    #: All that was charged or captured has come back.
    REFUNDED = "refunded"


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
class NewSpend:
    """One thing to be charged, under the caller's own key, which is unique within the organization."""

    key: str
    action: str
    amount_minor: int
    quantity: int = 1
    spender: Spender = field(default_factory=Spender)
    metadata: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Which spend control refused, how much is left in that window, and when it begins anew.

    Attributes:
        reason: why; `window` and `resets_at` are None where it is not a window's amount or uses.
        control_id: shown as `ctl_…`, see `domain.ids.uuid_id`.
        subject_kind: `organization department project agent run key`.
        subject_id: whose control it is.
        window: `hour day week month quarter lifetime`.
        limit: the window's amount in minor units of `asset`, its uses, or the most for one spend.
        remaining: what would have been let through, in the unit of `limit`.
        resets_at: None for a lifetime as well.
        asset: the control's currency.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """The answer to a charge or a reservation; the same again when its key is repeated, but for `replayed`.

    Attributes:
        outcome: what came of it.
        spend_id: shown as `spd_…`; None when nothing was spent.
        amount_minor: what was asked for.
        available_minor: what the organization could spend right after it.
        at: when it was decided.
        expires_at: when the reservation ends, as it was taken first.
        refusal: set if and only if the outcome is `refused`.
        replayed: the key had this answer before.
    """

    outcome: Outcome
    spend_id: UUID | None
    amount_minor: int
    available_minor: int
    at: datetime
    expires_at: datetime | None
    refusal: Refusal | None
    replayed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
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


async def set_rate(
    connection: asyncpg.Connection,
    *,
    base: str,
    quote: str,
    base_minor: int,
    quote_minor: int,
    starts_at: datetime,
    ends_at: datetime | None = None,
) -> None:
    """Note that so many minor units of one asset cost so many of another from then on; the platform's role only.

    It is too old at `ends_at`, or never. What is the same as before is not noted again, and what the pair has at that
    very time stays.
    """
    await connection.execute(_SET_RATE, base, quote, base_minor, quote_minor, starts_at, ends_at)


async def set_credit_rate(
    connection: asyncpg.Connection,
    *,
    asset: str,
    credit_minor: int,
    asset_minor: int,
    starts_at: datetime,
    ends_at: datetime | None = None,
) -> None:
    """Note what credits cost in an asset, as `set_rate`.

    Spend controls in that asset count with the rate of the time, and refuse when it is too old.
    """
    await set_rate(
        connection,
        base=CREDIT,
        quote=asset,
        base_minor=credit_minor,
        quote_minor=asset_minor,
        starts_at=starts_at,
        ends_at=ends_at,
    )


async def charge_together(connection: asyncpg.Connection, spends: Sequence[tuple[str, NewSpend]]) -> list[Spent | None]:
    """Charge one spend each of several organizations; they commit together.

    None stands where nothing was charged and `Spending.charge` has to decide: what does not plainly fit, a key that is
    known, and a balance that somebody else has at the moment, because no organization waits for another.

    Args:
        connection: of the tenant's role, in no transaction.
        spends: each with its organization, none of which comes twice.

    Raises:
        DomainError: one of them cannot be charged, and none was; each is safe to charge by itself.
    """
    columns = zip(*((org_id, *_arguments(spend)) for org_id, spend in spends), strict=True)
    with translated(connection, _nothing):
        rows = await connection.fetch(_CHARGE_TOGETHER, *(list(column) for column in columns))
    return [None if row["status"] is None else _spent(row) for row in rows]


class Spending:
    """Charges one organization's credits over one connection.

    `at` is for the platform's role, whose caller brings the time; without it the database's clock counts. Every method
    may be repeated with its key.

    Raises, from every method:
        IdempotencyConflict: the key stands for something else.
        Invalid: an amount, a time or a department breaks a rule.
        Unavailable: a deadlock or a lost connection; the same key is safe to repeat.
    """

    def __init__(self, connection: asyncpg.Connection, org_id: str) -> None:
        """Borrow the connection."""
        self._connection = connection
        self._org_id = org_id

    async def charge(self, spend: NewSpend, *, at: datetime | None = None) -> Spent:
        """Charge an amount at once if it fits into every spend control above the spender, or refuse it for good."""
        return _spent(await self._one(_CHARGE, at, *_arguments(spend)))

    async def charge_many(self, spends: Sequence[NewSpend], *, at: datetime | None = None) -> list[Spent]:
        """Charge many, each answered by itself, as if they were charged one after the other in the order given.

        They commit together. A key that comes twice is charged once.
        """
        if len(spends) > MAX_SPENDS:
            raise Invalid(f"A batch must not have more than {MAX_SPENDS} spends.")
        columns = zip(*(_arguments(spend) for spend in spends), strict=True)
        rows = await self._rows(_CHARGE_MANY, at, *(list(column) for column in columns)) if spends else []
        return [_spent(row) for row in rows]

    async def authorize(self, spend: NewSpend, *, expires_at: datetime, at: datetime | None = None) -> Spent:
        """Reserve an amount until it is captured, released or expired, if it fits; or refuse it for good.

        It counts in the windows of this moment, also when it is captured later. It expires within `RESERVATION_TERM`.
        """
        return _spent(await self._one(_AUTHORIZE, at, *_arguments(spend), expires_at))

    async def settle(
        self,
        *,
        key: str,
        spend_id: UUID,
        amount_minor: int | None = None,
        more: bool = False,
        at: datetime | None = None,
    ) -> Changed:
        """Capture an amount of a reservation and give back the rest, or with `more` keep the rest for later captures.

        Without an amount it captures all that is held.

        Raises:
            NotFound: the organization has no such spend.
            Conflict: `ledger.hold_ended` or `ledger.hold_expired`.
        """
        return _changed(await self._one(_SETTLE, at, key, spend_id, amount_minor, more))

    async def settle_to(self, account: Account, *, key: str, spend_id: UUID, at: datetime) -> Changed:
        """Capture all of a reservation into an account that is none of the organization's; raises as `settle`.

        For the platform's role only.
        """
        with self._call():
            (account_id,) = await AccountIds(self._connection).of(account)
        return _changed(await self._only(_SETTLE_TO, self._org_id, key, spend_id, account_id, at))

    async def release(self, *, key: str, spend_id: UUID, at: datetime | None = None) -> Changed:
        """Give back what is still held, also when it has expired and was not swept yet; raises as `settle`."""
        return _changed(await self._one(_RELEASE, at, key, spend_id))

    async def extend(self, *, key: str, spend_id: UUID, expires_at: datetime, at: datetime | None = None) -> Changed:
        """Hold what is still held until a later time, within `RESERVATION_TERM` of the start; raises as `settle`."""
        return _changed(await self._one(_EXTEND, at, key, spend_id, expires_at))

    async def refund(
        self,
        *,
        key: str,
        spend_id: UUID,
        amount_minor: int | None = None,
        renew_days: int | None = None,
        at: datetime,
    ) -> Changed:
        """Give back a part of what was charged or captured, or all that is left of it; pays what is owed first.

        It goes back into the windows in which the spend counted, and into the lots that paid; with `renew_days`, what
        would end sooner is given more time, as in `domain.lots.LotTerms`. For the platform's role only.

        Raises:
            NotFound: the organization has no such spend.
            Conflict: `spend.refunded`, less than the amount is left to be refunded.
        """
        return _changed(await self._only(_REFUND, self._org_id, key, spend_id, amount_minor, at, renew_days))

    async def returned_by(self, transfer_id: UUID, *, key: str, spend_id: UUID, at: datetime) -> Changed:
        """Note that a transfer has given back all that was captured by `settle_to`; its windows have it again.

        Raises as `refund`. For the platform's role only.
        """
        return _changed(await self._only(_RETURNED_BY, self._org_id, key, spend_id, transfer_id, at))

    async def force(self, spend: NewSpend, *, at: datetime) -> Spent:
        """Charge what has already happened: no control refuses it, and what the credits do not cover is owed.

        It counts as `forced` in every window. For the platform's role only.
        """
        return _spent(await self._only(_FORCE, self._org_id, *_arguments(spend), at))

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


def _nothing() -> None:
    """No account's id is remembered here."""


def _arguments(spend: NewSpend) -> tuple[object, ...]:
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


def _spent(row: asyncpg.Record) -> Spent:
    outcome = Outcome(row["status"])
    refusal = None
    if outcome is Outcome.REFUSED:
        refusal = Refusal(
            reason=RefusalReason(row["reason"]),
            control_id=row["control_id"],
            subject_kind=row["subject_kind"],
            subject_id=row["subject_id"],
            asset=row["asset"],
            window=row["window"],
            limit=row["limit_amount"],
            remaining=row["remaining"],
            resets_at=row["resets_at"],
        )
    return Spent(
        outcome=outcome,
        spend_id=row["spend_id"],
        amount_minor=row["amount"],
        available_minor=row["available"],
        at=row["at"],
        expires_at=row["expires_at"],
        refusal=refusal,
        replayed=row["replayed"],
    )


def _changed(row: asyncpg.Record) -> Changed:
    return Changed(
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
