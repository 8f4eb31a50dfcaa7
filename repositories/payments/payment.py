"""Statements about payments: the read model, its timeline, its disputes, and the movements that are booked."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from pydantic import TypeAdapter
from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.payments.payment import PaymentEvent
from domain.common.ids import payment_workflow_id
from domain.payments.payment.fulfilment import wake_at
from domain.payments.payment.snapshot import BalanceTransaction
from domain.payments.payment.state import AWAITING, PROCESSING, BookedMovement, Payment, PaymentStatus
from domain.payments.payment.terms import PaymentTerms, PurposeKind
from models.payments.payment import PaymentBalanceTransaction, PaymentEventRow, PaymentRow
from repositories.common.batched import Writes
from repositories.common.listing import ListFilter, Listing, ListPage, Part, StatusTotal
from repositories.tenants import metadata

_STATE: TypeAdapter[Payment] = TypeAdapter(Payment)


def state_of(row: PaymentRow) -> Payment:
    return _STATE.validate_python(row.state)


@dataclass(frozen=True, slots=True)
class StoredPayment:
    """The stored state of a payment, and the number of its latest event."""

    version: int
    payment: Payment


async def lock(session: AsyncSession, payment_id: str) -> StoredPayment | None:
    """Lock the row until the transaction ends, and return its state; None for a new one."""
    query = select(PaymentRow.version, PaymentRow.state).where(PaymentRow.id == payment_id).with_for_update()
    row = (await session.execute(query)).one_or_none()
    return None if row is None else StoredPayment(version=row.version, payment=_STATE.validate_python(row.state))


async def has_done(session: AsyncSession, payment_id: str, command_id: str) -> bool:
    """Return whether a command caused an event, however long ago that was."""
    row = PaymentEventRow
    query = select(row.number).where(row.payment_id == payment_id, row.command_id == command_id)
    return (await session.scalars(query)).one_or_none() is not None


async def lock_refunds(session: AsyncSession, org_id: str) -> None:
    """Lock the refunds of an organization until the transaction ends."""
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"refunds:{org_id}", 0))))


async def refunded_since(session: AsyncSession, terms: PaymentTerms, since: datetime, *, besides: str) -> int:
    """Return the refunds requested for a payment, and for its organization's others in that currency since a time.

    Failed refunds do not count, nor the one in `besides`.
    """
    counted = await session.scalar(
        text("""
        SELECT coalesce(sum((r ->> 'amount_minor')::bigint), 0)
        FROM payments p, jsonb_array_elements(p.state -> 'refunds') r
        WHERE p.org_id = :org_id AND p.currency = :currency AND (p.id = :payment_id OR p.updated_at > :since)
            AND (p.id = :payment_id OR (r ->> 'requested_at')::timestamptz > :since)
            AND r ->> 'state' <> 'failed' AND r ->> 'refund_id' <> :besides
        """),
        {
            "org_id": terms.org_id,
            "currency": terms.currency,
            "payment_id": terms.payment_id,
            "since": since,
            "besides": besides,
        },
    )
    return int(counted or 0)


async def read(
    pool: "asyncpg.Pool[asyncpg.Record]", org_id: str, payment_id: str, read_json: Callable[[str], Any]
) -> Payment | None:
    """Return the payment as an organization sees it, in one round trip; `read_json` opens the secrets in it."""
    state = await pool.fetchval("SELECT tenant_payment($1, $2)", org_id, payment_id)
    return None if state is None else _STATE.validate_python(read_json(state))


async def read_any(
    pool: "asyncpg.Pool[asyncpg.Record]", payment_id: str, read_json: Callable[[str], Any]
) -> Payment | None:
    """Return the payment as the platform sees it, in one round trip. Needs the platform's role."""
    state = await pool.fetchval("SELECT state FROM payments WHERE id = $1", payment_id)
    return None if state is None else _STATE.validate_python(read_json(state))


async def get(session: AsyncSession, payment_id: str) -> PaymentRow | None:
    return await session.get(PaymentRow, payment_id)


async def requester_of(session: AsyncSession, payment_id: str) -> str:
    """Return who requested a payment, from the first event of its timeline."""
    row = PaymentEventRow
    return (await session.scalars(select(row.actor).where(row.payment_id == payment_id, row.number == 1))).one()


async def versions(session: AsyncSession, payment_ids: Sequence[str]) -> dict[str, int]:
    query = select(PaymentRow.id, PaymentRow.version).where(PaymentRow.id.in_(payment_ids))
    return {row.id: row.version for row in await session.execute(query)}


async def write(session: Writes, event: PaymentEvent, transfer_id: UUID | None) -> None:
    """Write one event and the state after it; the caller holds the row's lock, or the event is the first."""
    payment, terms = event.payment, event.payment.terms
    changing: dict[str, Any] = {
        "provider_ref": payment.ref,
        "status": payment.status.value,
        "version": payment.version,
        "received_minor": payment.received_minor,
        "refunded_minor": payment.refunded_minor,
        "fee_minor": payment.fee_minor,
        "wake_at": wake_at(payment),
        "state": _STATE.dump_python(payment, mode="json"),
        "updated_at": event.at,
    }
    if payment.version == 1:
        fixed = {
            "id": terms.payment_id,
            "org_id": terms.org_id,
            "provider": terms.provider,
            "workflow_id": payment_workflow_id(terms.payment_id),
            "purpose": terms.purpose.kind.value,
            "escrow_id": terms.purpose.escrow_id,
            "currency": terms.currency,
            "amount_minor": terms.amount_minor,
            "created_at": event.at,
        }
        await session.execute(insert(PaymentRow).values(**fixed, **changing))
    else:
        await session.execute(update(PaymentRow).where(PaymentRow.id == terms.payment_id).values(**changing))
    await session.execute(
        insert(PaymentEventRow).values(
            payment_id=terms.payment_id,
            number=payment.version,
            kind=event.event,
            status=payment.status.value,
            actor=event.actor,
            command_id=event.command_id,
            transfer_id=transfer_id,
            details=event.details,
            at=event.at,
            recorded_at=func.clock_timestamp(),
        )
    )


async def write_fee(session: Writes, payment: Payment, booked: BookedMovement) -> None:
    await session.execute(
        update(PaymentBalanceTransaction)
        .where(
            PaymentBalanceTransaction.provider == payment.terms.provider,
            PaymentBalanceTransaction.key == booked.key,
            PaymentBalanceTransaction.payment_id == payment.terms.payment_id,
            PaymentBalanceTransaction.fee_minor.is_(None),
        )
        .values(fee_minor=booked.fee_minor)
    )


async def write_movement(
    session: Writes,
    movement: BookedMovement | BalanceTransaction,
    transfer_id: UUID | None,
    *,
    provider: str,
    org_id: str,
    payment_id: str | None = None,
) -> None:
    """Note a movement of the provider's balance that a transfer has booked."""
    await session.execute(
        insert(PaymentBalanceTransaction).values(
            provider=provider,
            key=movement.key,
            kind=movement.kind.value,
            amount_minor=movement.amount_minor,
            fee_minor=movement.fee_minor,
            currency=movement.currency,
            payment_id=payment_id,
            org_id=org_id,
            transfer_id=transfer_id,
            occurred_at=movement.occurred_at,
        )
    )


_TIMELINE = Listing(of=PaymentEventRow, order=[PaymentEventRow.number], created="at", ascending=True)


async def timeline_page(session: AsyncSession, wanted: ListFilter, *, payment_id: str) -> ListPage[PaymentEventRow]:
    """Return a page of the events of a payment in their order."""
    return await _TIMELINE.page(session, wanted, [(PaymentEventRow.payment_id == payment_id,)])


_LIST = Listing(of=PaymentRow, order=[PaymentRow.id], prefix="pay", amount="amount_minor", searched=("provider_ref",))


async def page(session: AsyncSession, wanted: ListFilter) -> ListPage[PaymentRow]:
    """Return a page of the payments that the session may see, newest first."""
    purposed = bool(wanted.statuses) or "purpose" in wanted.equal
    parts = _parts(wanted, wanted.statuses or tuple(PaymentStatus)) if purposed else [_whose(wanted)]
    return await _LIST.page(session, wanted, parts, served=["purpose"])


async def summary(session: AsyncSession, wanted: ListFilter) -> list[StatusTotal]:
    """Count what `page` finds by state, currency and provider, the newest 2,000 of each state at most."""
    statuses = wanted.statuses or tuple(status.value for status in PaymentStatus)
    parts = {status: _parts(wanted, (status,)) for status in statuses}
    return await _LIST.summary(session, wanted, parts, served=["purpose"], by=PaymentRow.provider)


def _whose(wanted: ListFilter) -> Part:
    whose: Part = () if wanted.org_id is None else (PaymentRow.org_id == wanted.org_id,)
    return (*whose, *metadata.narrowed(PaymentRow.id, "pay", wanted.org_id, wanted.written))


def _parts(wanted: ListFilter, statuses: tuple[str, ...]) -> list[Part]:
    purpose = wanted.equal.get("purpose")
    if purpose is None and wanted.org_id is not None:
        return [(*_whose(wanted), PaymentRow.status == one) for one in statuses]
    return [
        (*_whose(wanted), PaymentRow.status == one, PaymentRow.purpose == other)
        for one in statuses
        for other in ([purpose] if purpose is not None else PurposeKind)
    ]


_IS_AWAITED = PaymentRow.status.in_([status.value for status in AWAITING])


async def under_way_of_invoice(session: AsyncSession, org_id: str, invoice_id: str) -> Sequence[PaymentRow]:
    """Return the payments of an invoice that have not ended, oldest first."""
    row = PaymentRow
    query = select(row).where(
        row.org_id == org_id, _IS_AWAITED, row.state["terms"]["purpose"]["invoice_id"].astext == invoice_id
    )
    return (await session.scalars(query.order_by(row.id))).all()


async def open_payments_of(
    session: AsyncSession, org_id: str, subject: Mapping[str, str | None], *, besides: str | None = None
) -> Sequence[Payment]:
    """Return the payments of a subject, such as an `escrow_id`, that have a step to come, oldest first, without one."""
    row = PaymentRow
    purpose = row.state["terms"]["purpose"]
    # Only the escrow has a column of its own.
    named = [getattr(row, name, purpose[name].astext) == value for name, value in subject.items()]
    query = select(row).where(
        row.org_id == org_id, *named, _IS_AWAITED | row.wake_at.is_not(None), row.id.is_distinct_from(besides)
    )
    return [state_of(found) for found in await session.scalars(query.order_by(row.id))]


async def processing_of_invoice(
    session: AsyncSession, org_id: str, invoice_id: str, *, besides: str | None = None
) -> str | None:
    """Return the oldest payment of an invoice that is processing: it needs nothing from the payer and has not ended."""
    found = await under_way_of_invoice(session, org_id, invoice_id)
    return next((row.id for row in found if row.status in PROCESSING and row.id != besides), None)


async def stranded(session: AsyncSession, *, before: datetime, after: str, limit: int) -> Sequence[PaymentRow]:
    """Return payments whose workflow should have acted by a time, by id, after the id `after`."""
    query = select(PaymentRow).where(PaymentRow.wake_at < before, PaymentRow.id > after)
    return (await session.scalars(query.order_by(PaymentRow.id).limit(limit))).all()


_CONCERNED = text(
    """
    SELECT p.id FROM payments p WHERE p.provider = :provider AND p.provider_ref = ANY(:refs)
    UNION SELECT m.payment_id FROM payment_movements m
        WHERE m.provider = :provider AND m.key = ANY(:refs) AND m.payment_id IS NOT NULL
    UNION SELECT d.payment_id FROM payment_disputes d WHERE d.provider = :provider AND d.ref = ANY(:refs)
    LIMIT 1
    """
)


async def find_by_event(
    session: AsyncSession, provider: str, payment_id: str | None, refs: Sequence[str]
) -> Payment | None:
    """Find the payment that a provider's event is about: by our id on its object, or by the ids that it names."""
    if payment_id is not None:
        row = await session.get(PaymentRow, payment_id)
        if row is not None and row.provider == provider:
            return state_of(row)
    found = (await session.execute(_CONCERNED, {"provider": provider, "refs": list(refs)})).scalar_one_or_none()
    row = None if found is None else await session.get(PaymentRow, found)
    return None if row is None else state_of(row)


async def fees_and_income(session: AsyncSession, org_id: str, currency: str, since: datetime) -> tuple[int, int]:
    """Return what payments of an organization since a time cost in fees, and what of their money was not sent back.

    Both are sums of the movements of its payments on providers' balances in that currency.
    """
    row, paid = PaymentBalanceTransaction, PaymentRow
    sums = func.coalesce(func.sum(row.fee_minor), 0), func.coalesce(func.sum(row.amount_minor), 0)
    query = select(*sums).join(paid, paid.id == row.payment_id)
    found = (
        await session.execute(query.where(paid.org_id == org_id, paid.created_at >= since, row.currency == currency))
    ).one()
    return int(found[0] or 0), int(found[1] or 0)
