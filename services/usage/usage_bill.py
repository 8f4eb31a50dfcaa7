"""Bills of usage in arrears: adding events to the bill of their month, and voiding them until it is sealed.

Events that exceed the maximum of an invoice are refused.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from domain.billing.billing_run.period import month_at
from domain.common.access import Actor
from domain.common.errors import NotVoidable
from domain.common.ids import uuid_id
from domain.usage.arrears import BilledAmount, OpenBill, PriceSource, UnbilledTotal
from domain.usage.event import InvalidEvent
from repositories.tenants import audit
from repositories.usage import usage, usage_bill, usage_void
from repositories.usage.usage_void import BilledEvent
from runtime.database import driver_connection
from services.usage import usage_unpaid
from services.usage.usage_unbilled import unbilled_usage
from services.usage.usage_validation import ValidatedEvent, ValidationContext


@dataclass(frozen=True, slots=True)
class _Placed:
    """An event, the month of its bill, and its row."""

    judged: ValidatedEvent
    month: date
    row: dict[str, object]


async def put_on_bills(
    session: AsyncSession,
    context: ValidationContext,
    judged: Sequence[ValidatedEvent],
    rows: Sequence[dict[str, object]],
) -> None:
    """Set the bill of each event and the amount that it adds in the event's row, or refuse the event.

    Args:
        session: of the platform.
        context: of an organization in arrears.
        judged: the events.
        rows: the rows of the events, in the same order.
    """
    delivery, terms = context.delivery, context.terms
    placed = [
        _Placed(each, month_at(each.event.occurred_at, terms.time_zone), row)
        for each, row in zip(judged, rows, strict=True)
        if each.billed
    ]
    connection = await driver_connection(session)
    months = {each.month for each in placed}
    bills = await usage_bill.open_for(connection, delivery.org_id, months, terms.currency, delivery.at)
    await _refuse_too_much(session, context, placed)
    for each in placed:
        if each.judged.refusal is None:
            each.row.update(_billed(each.judged.billed, bills[each.month]))


async def _refuse_too_much(session: AsyncSession, context: ValidationContext, placed: Sequence[_Placed]) -> None:
    """Refuse events that would exceed the maximum of an invoice together with uninvoiced usage.

    Transactions add to a bill concurrently. Only large additions, or those to a large bill, are serialised.
    """
    if not placed:
        return
    connection, org_id = await driver_connection(session), context.delivery.org_id
    unbilled = after = await _unbilled(session, context, placed)
    for month, parts in _added_up(placed).items():
        after = after.with_event(month, parts)
    if unbilled.is_far_from_full(after.pico):
        await _alert_near_limit(session, context, placed, unbilled)
        return
    await usage_bill.lock_room(connection, org_id)
    unbilled = await _unbilled(session, context, placed)
    known = await usage.known_contents(connection, [each.judged.digest for each in placed])
    for each in placed:
        if each.judged.digest in known:
            continue
        after = unbilled.with_event(each.month, each.judged.billed)
        try:
            after.check()
        except InvalidEvent as refusal:
            each.judged.refusal, each.row["refused"] = refusal, True
            continue
        unbilled = after
    await _alert_near_limit(session, context, (), unbilled)


async def _alert_near_limit(
    session: AsyncSession, context: ValidationContext, new: Sequence[_Placed], unbilled: UnbilledTotal
) -> None:
    """Raise an alert if the usage, with the new events, is near the limit of the terms."""
    usual = context.delivery.arrears
    if usual is None:
        return
    if new:
        known = await usage.known_contents(await driver_connection(session), [each.judged.digest for each in new])
        for month, parts in _added_up([each for each in new if each.judged.digest not in known]).items():
            unbilled = unbilled.with_event(month, parts)
    org_id, at = context.delivery.org_id, context.delivery.at
    await usage_unpaid.alert_near_limit(session, org_id, context.terms, usual, unbilled_pico=unbilled.pico, at=at)


def _added_up(placed: Sequence[_Placed]) -> Mapping[date, Sequence[BilledAmount]]:
    """Return the additions of events by month; adding up by meter before rating gives the same sum."""
    added: dict[date, dict[tuple[PriceSource, str], BilledAmount]] = {}
    for each in placed:
        of_month = added.setdefault(each.month, {})
        for part in each.judged.billed:
            so_far = of_month.get((part.source, part.ref))
            of_month[part.source, part.ref] = part if so_far is None else so_far.plus(part)
    return {month: list(parts.values()) for month, parts in added.items()}


async def _unbilled(session: AsyncSession, context: ValidationContext, placed: Sequence[_Placed]) -> UnbilledTotal:
    places = {
        (each.month, part.ref) for each in placed for part in each.judged.billed if part.source is PriceSource.METER
    }
    markup_e6 = 0 if context.delivery.arrears is None else context.delivery.arrears.markup_e6
    return await unbilled_usage(session, context.delivery.org_id, context.terms.currency, places, markup_e6=markup_e6)


async def voidable(session: AsyncSession, org_id: str, event: UUID) -> BilledEvent | None:
    """Return the bill of an event that is void or can be voided; None without a bill. Errors as in `void`.

    The transaction prevents sealing an open bill.
    """
    found = await usage_void.find_billed(session, org_id, event)
    if found is not None and not found.is_void:
        connection = await driver_connection(session)
        if not await usage_void.keep_open(connection, org_id, found):
            raise NotVoidable("The event's bill is sealed for an invoice. Issue a credit note for the invoice instead.")
    return found


async def void(session: AsyncSession, actor: Actor, org_id: str, event: UUID, *, reason: str, at: datetime) -> None:
    """Remove an event from its open bill permanently. Idempotent.

    The event stays in the log and in the daily sums of usage.

    Args:
        session: of the platform.
        actor: the operator.
        org_id: the organization.
        event: the id of the event, which is on a bill.
        reason: for the audit trail.
        at: the time.

    Raises:
        NotVoidable: the bill is sealed, or does not include the event.
    """
    found = await voidable(session, org_id, event)
    assert found is not None
    connection = await driver_connection(session)
    if found.is_void or not await usage_void.write(connection, org_id, event, at):
        return
    if not await usage_void.take_off(connection, org_id, event, found):
        raise NotVoidable("The bill does not include this event. Issue a credit note for the invoice instead.")
    details = {"reason": reason, "event": str(event), "month": found.month.isoformat(), "bill": found.number}
    await audit.record(session, actor, usage_void.VOIDED, uuid_id("uev", event), details, org_id)


def _billed(parts: Sequence[BilledAmount], bill: OpenBill) -> Mapping[str, object]:
    return {
        "bill_month": bill.month,
        "bill": bill.number,
        "billed_sources": [part.source.value for part in parts],
        "billed_refs": [part.ref for part in parts],
        "billed_quantities": [part.quantity for part in parts],
        "billed_pico": [part.pico for part in parts],
    }
