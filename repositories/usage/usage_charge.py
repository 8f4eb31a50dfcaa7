"""Charges of usage events: due ones and their outcomes. Writing needs the platform's role."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.tenants.organization import OrganizationStatus
from domain.usage.charge import WaitReason
from domain.usage.paid_call import SECRET
from ledger.invariants import Invariant
from models.marketplace.marketplace import MarketplaceAgreedUse
from models.tenants.organization import Organization
from models.usage.usage import UsageEventRow
from models.usage.usage_charge import MeterMonth, UsageChargeRow

#: Neither charged nor void.
_OPEN = and_(UsageChargeRow.spend_id.is_(None), UsageChargeRow.voided_at.is_(None))
_SPENDER = ("agent_id", "department_id", "project_id", "run_id", "key_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class DueCharge:
    """An event that is to be charged.

    Attributes:
        event: its id.
        month: the first day of the month in which it counts.
        meters: the meters that charge for it, with the quantity of each.
        action: of the event; None if its month was detached.
        cost: of the event itself, in pico of a currency.
        digest: of the event; None if its month was detached.
        spend: the spend that it names as having paid for it; `secret` is the proof.
        spender: its attribution: arguments of `ledger.spends.Spender`.
    """

    event: UUID
    month: date
    meters: Mapping[int, Decimal]
    action: str | None
    model: str | None
    cost: tuple[int, str] | None
    digest: UUID | None
    spend: str | None
    secret: str | None
    spender: Mapping[str, str | None]


async def next_organization(session: AsyncSession, after: str, due_before: datetime) -> str | None:
    """Return the first organization after an id with due charges."""
    row = UsageChargeRow
    query = select(row.org_id).where(_OPEN, row.org_id > after, row.due_at <= due_before)
    return (await session.scalars(query.order_by(row.org_id).limit(1))).one_or_none()


async def due(session: AsyncSession, org_id: str, due_before: datetime, limit: int) -> list[DueCharge]:
    """Return the due charges of an organization, in the order of arrival."""
    row, event = UsageChargeRow, UsageEventRow
    same = and_(event.org_id == row.org_id, event.occurred_at == row.occurred_at, event.id == row.event)
    query = (
        select(row, *_said(event))
        .outerjoin(event, same)
        .where(row.org_id == org_id, _OPEN, row.use_id.is_(None), row.due_at <= due_before)
        .order_by(row.due_at, row.event)
        .limit(limit)
    )
    return [_due(*found) for found in await session.execute(query)]


def _said(event: type[UsageEventRow]) -> Sequence[ColumnElement[Any]]:
    own = (event.action, event.model, event.cost_pico, event.currency, event.digest)
    said = (event.data["spend_id"].astext, event.data[SECRET].astext)
    return (*own, *said, *(getattr(event, name) for name in _SPENDER))


def _due(
    charge: UsageChargeRow,
    action: str | None,
    model: str | None,
    pico: Decimal | None,
    currency: str,
    digest: UUID | None,
    spend: str | None,
    secret: str | None,
    *spender: str,
) -> DueCharge:
    return DueCharge(
        event=charge.event,
        month=charge.month or charge.occurred_at.astimezone(UTC).date().replace(day=1),
        meters=dict(zip(charge.meters, charge.quantities, strict=True)),
        action=action,
        model=model,
        cost=None if pico is None else (int(pico), currency),
        digest=digest,
        spend=spend,
        secret=secret,
        spender=dict(zip(_SPENDER, spender, strict=True)),
    )


async def due_uses(session: AsyncSession, org_id: str, due_before: datetime, limit: int) -> list[UUID]:
    """Return the due events that report uses of agents, in the order of arrival."""
    row = UsageChargeRow
    query = select(row.event).where(row.org_id == org_id, _OPEN, row.use_id.is_not(None), row.due_at <= due_before)
    return list(await session.scalars(query.order_by(row.due_at, row.event).limit(limit)))


async def agreed_for(session: AsyncSession, org_id: str, event: UUID) -> MarketplaceAgreedUse:
    row, agreed = UsageChargeRow, MarketplaceAgreedUse
    query = select(agreed).join(row, row.use_id == agreed.id).where(row.org_id == org_id, row.event == event)
    return (await session.scalars(query)).one()


async def lock_due_use(session: AsyncSession, org_id: str, event: UUID, due_before: datetime) -> DueCharge | None:
    """Lock and return a due use; None if it is charged or waits."""
    row, said = UsageChargeRow, UsageEventRow
    same = and_(said.org_id == row.org_id, said.occurred_at == row.occurred_at, said.id == row.event)
    query = (
        select(row, *_said(said))
        .outerjoin(said, same)
        .where(row.org_id == org_id, row.event == event, _OPEN, row.due_at <= due_before)
        .with_for_update(of=row)
    )
    found = (await session.execute(query)).one_or_none()
    return None if found is None else _due(*found)


async def charged_before(
    session: AsyncSession, org_id: str, meters: Collection[int], months: Collection[date]
) -> dict[tuple[int, date], Decimal]:
    query = select(MeterMonth.meter, MeterMonth.month, MeterMonth.charged).where(
        MeterMonth.org_id == org_id, MeterMonth.meter.in_(meters), MeterMonth.month.in_(months)
    )
    return {(meter, month): charged for meter, month, charged in await session.execute(query)}


async def write_months(session: AsyncSession, org_id: str, charged: Mapping[tuple[int, date], Decimal]) -> None:
    if charged:
        rows = [
            {"meter": meter, "org_id": org_id, "month": month, "charged": quantity}
            for (meter, month), quantity in sorted(charged.items())
        ]
        new, key = insert(MeterMonth), ["meter", "org_id", "month"]
        new = new.on_conflict_do_update(index_elements=key, set_={"charged": new.excluded.charged})
        await session.execute(new, rows)


#: The key of an event's spend; a forced one has the suffix `:forced`. Clients' keys always contain a slash.
KEY = "usage:{event}"
_CHARGED = text("""
UPDATE usage_charges c SET waits_for = NULL, spend_id = n.spend_id, amount = n.amount, charged_at = :at
FROM unnest(CAST(:events AS uuid[]), CAST(:spends AS uuid[]), CAST(:amounts AS bigint[])) AS n (event, spend_id, amount)
WHERE c.org_id = :org_id AND c.event = n.event
""")


async def write_charged(
    session: AsyncSession, org_id: str, charged: Mapping[UUID, tuple[UUID, int]], at: datetime
) -> None:
    """Mark events as charged, with the spend and the amount of each."""
    spends, amounts = zip(*charged.values(), strict=True) if charged else ((), ())
    values = {"org_id": org_id, "events": list(charged), "spends": list(spends), "amounts": list(amounts), "at": at}
    await session.execute(_CHARGED, values)


async def postpone(
    session: AsyncSession, org_id: str, events: Sequence[UUID], waits: WaitReason, until: datetime
) -> None:
    """Record why events are not charged, and when they are tried again."""
    await session.execute(_of(org_id, events).values(waits_for=waits.value, due_at=until))


async def void(session: AsyncSession, row: UsageChargeRow, at: datetime) -> None:
    """Mark an event as void, so it is never charged."""
    row.voided_at, row.waits_for = at, None
    await session.flush()


def _of(org_id: str, events: Sequence[UUID]) -> Any:
    return update(UsageChargeRow).where(UsageChargeRow.org_id == org_id, UsageChargeRow.event.in_(events))


async def of_events(
    session: AsyncSession, org_id: str, events: Collection[UUID], *, lock: bool = False
) -> dict[UUID, UsageChargeRow]:
    row = UsageChargeRow
    query = select(row).where(row.org_id == org_id, row.event.in_(events))
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    return {row.event: row for row in await session.scalars(query)}


async def charged_event(
    session: AsyncSession, org_id: str, event: UUID, spend_id: UUID
) -> tuple[UsageEventRow, UsageChargeRow] | None:
    charge, row = UsageChargeRow, UsageEventRow
    query = (
        select(row, charge)
        .join(charge, and_(charge.org_id == row.org_id, charge.event == row.id, charge.occurred_at == row.occurred_at))
        .where(charge.org_id == org_id, charge.event == event, charge.spend_id == spend_id)
    )
    found = (await session.execute(query)).one_or_none()
    return None if found is None else (found[0], found[1])


async def is_use(session: AsyncSession, org_id: str, event: UUID) -> bool:
    row = UsageChargeRow
    query = select(row.use_id).where(row.org_id == org_id, row.event == event)
    return (await session.scalars(query)).one_or_none() is not None


async def has_closed_party(session: AsyncSession, use_id: str) -> bool:
    agreed, closed = MarketplaceAgreedUse, Organization.status == OrganizationStatus.CLOSED.value
    parties = Organization.id.in_([agreed.org_id, agreed.payee_org_id])
    query = select(Organization.id).join(agreed, parties).where(agreed.id == use_id, closed).limit(1)
    return (await session.scalars(query)).one_or_none() is not None


#: The action of a voided charge in the audit trail; its details contain the `event` id as a UUID.
VOIDED = "usage.void_charge"
#: What `verify` proves about the charges of usage events.
INVARIANTS = (
    Invariant(
        name="every charged usage event has its one spend",
        table="public.usage_charges",
        unit="charges",
        violations="""
        SELECT c.org_id || ' event ' || c.event || ': charged ' || c.amount || ' by ' || c.spend_id || ', which is ' ||
            coalesce(s.idempotency_key || ' of ' || s.amount, 'not there')
        FROM public.usage_charges c LEFT JOIN ledger.spends s ON s.org_id = c.org_id AND s.id = c.spend_id
        WHERE c.spend_id IS NOT NULL AND (s.amount = c.amount AND CASE WHEN c.use_id IS NULL
            THEN s.idempotency_key IN (
                concat('use:', c.org_id, ':usage:', c.event), concat('use:', c.org_id, ':usage:', c.event, ':forced')
            ) ELSE starts_with(s.idempotency_key, concat('use:', c.org_id, ':usage:', c.event)) END) IS NOT TRUE
        UNION ALL
        SELECT c.org_id || ' event ' || c.event || ': charged, and part of the spend ' || e.spend_id
        FROM public.usage_charges c
        JOIN public.usage_events e ON e.org_id = c.org_id AND e.occurred_at = c.occurred_at AND e.id = c.event
        WHERE e.spend_id IS NOT NULL
        """,
    ),
    Invariant(
        name="every void charge of a usage event has no spend, and a reason in the audit trail",
        table="public.usage_charges",
        unit="charges",
        violations=f"""
        SELECT c.org_id || ' event ' || c.event || ': void, and ' ||
            coalesce('its spend is ' || s.id, 'nobody is named who voided it')
        FROM public.usage_charges c LEFT JOIN ledger.spends s ON s.org_id = c.org_id AND s.idempotency_key IN (
            concat('use:', c.org_id, ':usage:', c.event), concat('use:', c.org_id, ':usage:', c.event, ':forced')
        ) AND c.use_id IS NULL
        WHERE c.voided_at IS NOT NULL AND (s.id IS NOT NULL OR NOT EXISTS (
            SELECT FROM public.audit_log a
            WHERE a.org_id = c.org_id AND a.action = '{VOIDED}' AND a.details ->> 'event' = c.event::text
        ))
        """,
    ),
    Invariant(
        name="what was charged of a meter's month equals its charged events",
        table="public.meter_months",
        unit="months",
        violations="""
        SELECT org_id || ' meter ' || meter || ' ' || month || ': kept ' || coalesce(kept::text, 'nothing')
            || ', charged ' || coalesce(added::text, 'nothing')
        FROM (SELECT org_id, meter, month, charged AS kept FROM public.meter_months) kept
        FULL JOIN (
            SELECT c.org_id, part.meter, sum(part.quantity) AS added,
                coalesce(c.month, date_trunc('month', c.occurred_at AT TIME ZONE 'UTC')::date) AS month
            FROM public.usage_charges c, unnest(c.meters, c.quantities) AS part (meter, quantity)
            WHERE c.spend_id IS NOT NULL GROUP BY 1, 2, 4
        ) added USING (org_id, meter, month)
        WHERE kept IS DISTINCT FROM added
        """,
    ),
)
