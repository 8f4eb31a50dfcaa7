"""Charging of usage events to the credits of their organizations, each exactly once.

The meters that charge an event are stored with it, so every accepted event is found, however late it commits. A spend
and the mark on its event commit together, and the spend's key is derived from the event's id.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common import accounts
from domain.common.access import Actor
from domain.common.errors import DomainError, NotFound, Unavailable, other_request
from domain.common.ids import is_id, uuid_id, uuid_of
from domain.common.money import CREDIT, MAX_AMOUNT_MINOR
from domain.usage.amounts import add_exactly, to_exact_minor
from domain.usage.charge import CostRules, EventCharge, MeteredPart, PaidCredits, WaitReason, charge_of, check_voidable
from domain.usage.charge_model import parse_charge
from domain.usage.paid_call import excess_charge_key
from ledger.gateway import Ledger
from ledger.spending import Spending
from ledger.spends import MoneyCost, NewSpend, Spender, SpendOutcome
from models.usage.meter import MeterRow
from models.usage.usage_charge import UsageChargeRow
from repositories.books import debt
from repositories.books.spend_rate import in_force, rate_of
from repositories.messages import alert
from repositories.tenants import audit
from repositories.usage import meter, usage_bill, usage_charge as charges, usage_paid
from repositories.usage.usage_charge import DueCharge
from repositories.usage.usage_paid import Lots
from runtime.database import driver_connection

#: The delay until an event that could not be charged is tried again.
AGAIN = timedelta(hours=1)
#: The principal of the spends.
PRINCIPAL = "usage-charges"
_WHY = {
    WaitReason.RATE: "cost money in a currency without an exchange rate",
    WaitReason.AMOUNT: "exceed the maximum of a charge, or of the organization's debt",
    WaitReason.EVENT: "belong to a month that was detached",
    WaitReason.BOOKS: "are refused by the ledger, or report uses of agents while a party is suspended or closed",
    WaitReason.CREDITS: "report uses of agents for which the credits do not suffice",
    WaitReason.LIMIT: "report uses of agents that a spend control refuses",
}


@dataclass(frozen=True, slots=True)
class ChargedPage:
    """Result of charging a page of events: charged, waiting, and whether more may be due."""

    charged: int
    waiting: int
    is_full: bool


@dataclass(slots=True)
class _Charging:
    """Inputs and results of charging an organization.

    Attributes:
        rules: the rules for costs in money.
        rates: exchange rates from the currency of credit sales, by quote currency.
        paid: amounts captured and still held by spends for calls that they pay in part, by the digest of the call.
        lots: the lots that these spends have captured, see `repositories.usage.usage_paid.lots`.
        months: the charged quantity of each meter and month.
        room_minor: the maximum that can be charged until the organization's debt reaches its maximum.
        billed: the quantity of each meter and month on sealed bills, charged before these.
        changed: the meters and months whose charged quantity has changed.
        spent: spend and amount of each charged event.
        waiting: the reason for each event that was not charged.
    """

    org_id: str
    connection: asyncpg.Connection
    spending: Spending
    at: datetime
    rules: CostRules
    rates: Mapping[str, Fraction]
    meters: Mapping[int, MeterRow]
    paid: Mapping[UUID, usage_paid.Payment]
    lots: Lots
    months: dict[tuple[int, date], Decimal]
    room_minor: int
    billed: Mapping[tuple[int, date], Decimal]
    changed: set[tuple[int, date]] = field(default_factory=set)
    spent: dict[UUID, tuple[UUID, int]] = field(default_factory=dict)
    waiting: dict[UUID, WaitReason] = field(default_factory=dict)


async def charge_due(
    session: AsyncSession, org_id: str, *, due_before: datetime, at: datetime, rules: CostRules, limit: int
) -> ChargedPage:
    """Charge the due usage events of an organization.

    Neither a spend control nor the balance prevents a charge of past usage: it is forced.

    Args:
        session: of the platform.
        org_id: the organization. Uses of agents are excluded, see `services.usage.usage_of_agents`.
        due_before: events due later are left to the next run.
        at: the time of the charges, which sets the windows that count them.
        rules: the rules for costs in money.
        limit: the maximum number of events; the organization's credits are locked until the transaction ends.
    """
    # Locked before the balance, as by everything that may create a debt. A concurrent run waits here.
    await debt.lock(session, org_id)
    due = await charges.due(session, org_id, due_before, limit)
    numbers = {number for each in due for number in each.meters}
    months = {each.month for each in due if each.meters}
    connection = await driver_connection(session)
    spending = Spending(connection, org_id)
    paid = await _paid(session, spending, org_id, due, at)
    work = _Charging(
        org_id=org_id,
        connection=connection,
        spending=spending,
        at=at,
        rules=rules,
        rates={row.quote: rate_of(row).rate for row in await in_force(session, rules.granted.currency, at)},
        meters=await meter.numbered(session, numbers),
        paid=paid,
        lots=await usage_paid.lots(connection, org_id, {spend for each in paid.values() for spend in each.spends}),
        months=await charges.charged_before(session, org_id, numbers, months),
        room_minor=await _debt_headroom(connection, org_id),
        billed=await usage_bill.sealed_quantities(connection, org_id, months),
    )
    await _charge(work, due)
    await charges.write_charged(session, org_id, work.spent, at)
    await charges.write_months(session, org_id, {place: work.months[place] for place in work.changed})
    await postpone(session, org_id, work.waiting, until=at + AGAIN, at=at)
    return ChargedPage(len(work.spent), len(work.waiting), len(due) == limit)


async def _charge(work: _Charging, group: Sequence[DueCharge]) -> None:
    """Charge events together; if the ledger refuses them, charge each half alone.

    Tiered prices depend on the quantity charged before, so events after a waiting one are rated without it.
    """
    months = dict(work.months)
    charged, waiting = _price(work, group, months)
    try:
        # A savepoint of the driver, because these statements do not go through SQLAlchemy.
        async with work.connection.transaction():
            spends = [
                _spend(each, await _capture(work, each, charged[each.event])) for each in group if each.event in charged
            ]
            taken = dict(zip(charged, await _take(work, spends), strict=True))
    except Unavailable:
        raise
    except DomainError:
        if len(group) == 1:
            work.waiting[group[0].event] = WaitReason.BOOKS
            return
        await _charge(work, group[: len(group) // 2])
        await _charge(work, group[len(group) // 2 :])
        return
    work.waiting |= waiting
    work.spent |= taken
    work.changed |= {place for place, quantity in months.items() if work.months.get(place) != quantity}
    work.months = months
    work.room_minor -= sum(minor for _, minor in taken.values())


async def _debt_headroom(connection: asyncpg.Connection, org_id: str) -> int:
    """Return the maximum charge until an organization's debt reaches the maximum of an amount.

    Without this limit, reported quantities could overflow the 64-bit sums of the ledger.
    """
    credits, debts = accounts.org_credits(org_id), accounts.org_debt(org_id, CREDIT)
    held, owed = await Ledger(connection).balances([credits, debts])
    return MAX_AMOUNT_MINOR + held.posted_minor - held.pending_minor + owed.posted_minor


def _price(
    work: _Charging, group: Sequence[DueCharge], months: dict[tuple[int, date], Decimal]
) -> tuple[dict[UUID, EventCharge], dict[UUID, WaitReason]]:
    """Return the charges of events, and the reasons of waiting ones; add charged quantities to `months`."""
    charged: dict[UUID, EventCharge] = {}
    waiting: dict[UUID, WaitReason] = {}
    room_minor = work.room_minor
    for each in group:
        charge = _charge_of(work, each, months)
        if isinstance(charge, WaitReason):
            waiting[each.event] = charge
            continue
        most_minor = _rest(work, each, charge).most_minor
        if most_minor > max(0, room_minor):  # a free event always fits
            waiting[each.event] = WaitReason.AMOUNT
            continue
        room_minor -= most_minor
        charged[each.event] = charge
        for number, quantity in each.meters.items():
            place = (number, each.month)
            months[place] = add_exactly(months.get(place, Decimal(0)), quantity)
    return charged, waiting


def _charge_of(work: _Charging, due: DueCharge, months: Mapping[tuple[int, date], Decimal]) -> EventCharge | WaitReason:
    if due.action is None:
        return WaitReason.EVENT
    parts = []
    for number, quantity in due.meters.items():
        row, place = work.meters[number], (number, due.month)
        parts.append(
            MeteredPart(
                quantity=quantity,
                before=add_exactly(months.get(place, Decimal(0)), work.billed.get(place, Decimal(0))),
                charge=None if row.price is None else parse_charge(row.price),
                currency=row.currency,
            )
        )
    return charge_of(parts, due.cost, work.rules, work.rates)


async def _paid(
    session: AsyncSession, spending: Spending, org_id: str, due: Sequence[DueCharge], at: datetime
) -> dict[UUID, usage_paid.Payment]:
    """Return the payments of spends for calls that name them, by digest; their reservations are locked."""
    naming: dict[UUID, UUID] = {}
    beyond: dict[UUID, str] = {}
    for each in due:
        if each.digest is not None and each.spend is not None and is_id(each.spend, "spd"):
            naming[each.digest] = uuid_of(each.spend)
            beyond[each.digest] = excess_charge_key(each.secret or "", each.spend)
    found = await usage_paid.payments(session, org_id, naming, beyond, at=at)
    # Reservations are locked before the balance; then what they have captured is read again. Those that have ended too,
    # because of them granted credits may come back.
    for spend_id in sorted({spend for each in found.values() for spend in each.spends}):
        await spending.lock_reservation(spend_id)
    return await usage_paid.payments(session, org_id, naming, beyond, at=at) if found else found


def _rest(work: _Charging, due: DueCharge, charge: EventCharge) -> EventCharge:
    paid = None if due.digest is None else work.paid.get(due.digest)
    if paid is None:
        return charge
    return charge.less(paid.captured_minor, _lots_of(work.lots, paid))


async def _capture(work: _Charging, due: DueCharge, charge: EventCharge) -> EventCharge:
    """Capture the open hold for a call, and return the rest of its charge.

    The hold pays first, because it could otherwise be captured afterwards, in addition to the charge.
    """
    paid = None if due.digest is None else work.paid.get(due.digest)
    if paid is None:
        return charge
    captured_minor = paid.captured_minor - await _refund_excess_granted(work, due, paid, charge)
    rest = charge.less(captured_minor, _lots_of(work.lots, paid))
    if not paid.held_minor or not rest.most_minor:
        return rest
    cost = cost_in_money(rest)
    done = await work.spending.settle(
        key=charges.KEY.format(event=due.event),
        spend_id=paid.spend_id,
        amount_minor=min(paid.held_minor, rest.credits_minor) if cost is None else None,
        cost=cost,
        at=work.at,
    )
    lots = await usage_paid.lots(work.connection, work.org_id, paid.spends)
    return charge.less(captured_minor + done.amount_minor, _lots_of(lots, paid))


def _lots_of(lots: Lots, paid: usage_paid.Payment) -> list[PaidCredits]:
    return [lot for spend in paid.spends for lot in lots.get(spend, ())]


async def _refund_excess_granted(work: _Charging, due: DueCharge, paid: usage_paid.Payment, charge: EventCharge) -> int:
    """Refund granted credits that a spend captured for a call beyond their monthly maximum; return the amount.

    The client's capture takes lots in order, granted ones first, whatever the value.
    """
    cost, returned = cost_in_money(charge), 0
    if cost is None or not charge.has_own or paid.captured_minor <= sum(lot[0] for lot in _lots_of(work.lots, paid)):
        return 0
    for number, spend_id in enumerate(paid.spends):
        key = f"{charges.KEY.format(event=due.event)}:granted:{number}"
        credits, paid_minor = await work.spending.keep_granted(key=key, spend_id=spend_id, cost=cost, at=work.at)
        returned, cost = returned + credits, replace(cost, minor=cost.minor - paid_minor)
    return returned


def cost_in_money(charge: EventCharge) -> MoneyCost | None:
    """Return the part of a charge that credits pay at their purchase price; None if it is zero."""
    if not charge.pico:
        return None
    # Meters have the platform's own prices, which granted credits pay without a limit.
    granted = charge.rules.granted_minor if charge.has_own else MAX_AMOUNT_MINOR
    asset = charge.rules.granted.currency
    return MoneyCost(minor=to_exact_minor(charge.pico, asset), asset=asset, granted_minor=granted)


def _spend(due: DueCharge, charge: EventCharge) -> NewSpend:
    assert due.action is not None
    return NewSpend(
        key=charges.KEY.format(event=due.event),
        action=due.action,
        amount_minor=charge.credits_minor,
        cost=cost_in_money(charge),
        spender=Spender(principal=PRINCIPAL, **due.spender),
        metadata={"usage_event": uuid_id("uev", due.event), **({} if due.model is None else {"model": due.model})},
    )


async def _take(work: _Charging, spends: Sequence[NewSpend]) -> list[tuple[UUID, int]]:
    """Make spends, forcing refused ones; return their ids and amounts of credits."""
    taken = []
    for spend, answer in zip(spends, await work.spending.charge_many(spends, at=work.at), strict=True):
        if answer.outcome is SpendOutcome.CONFLICT:
            raise other_request()
        if answer.outcome is not SpendOutcome.CHARGED:
            answer = await work.spending.force(replace(spend, key=f"{spend.key}:forced"), at=work.at)
        assert answer.spend_id is not None
        taken.append((answer.spend_id, answer.amount_minor))
    return taken


async def void(
    session: AsyncSession, actor: Actor, org_id: str, event: UUID, *, reason: str, at: datetime
) -> UsageChargeRow:
    """Void a waiting event permanently. Idempotent.

    Args:
        session: of the platform.
        actor: the operator.
        org_id: the organization.
        event: the id of the event.
        reason: for the audit trail.
        at: the time.

    Raises:
        NotFound: the organization has no such event that is charged.
    """
    # The lock that `charge_due` takes, so no run is charging the event now. Uses of agents are charged under the lock
    # of their row only.
    if not await charges.is_use(session, org_id, event):
        await debt.lock(session, org_id)
    row = await voidable(session, org_id, event, lock=True)
    if row.voided_at is None:
        details = {"reason": reason, "waited_for": row.waits_for, "event": str(event)}
        await charges.void(session, row, at)
        await audit.record(session, actor, charges.VOIDED, uuid_id("uev", event), details, org_id)
    return row


async def voidable(session: AsyncSession, org_id: str, event: UUID, *, lock: bool = False) -> UsageChargeRow:
    """Return the charge of an event that is void or can be voided. Errors as in `void`."""
    row = (await charges.of_events(session, org_id, [event], lock=lock)).get(event)
    if row is None:
        raise NotFound("The organization has no such event, or it is not charged.")
    if row.voided_at is None:
        closed = row.use_id is not None and await charges.has_closed_party(session, row.use_id)
        check_voidable(row.waits_for, is_use=row.use_id is not None, has_closed_party=closed)
    return row


async def postpone(
    session: AsyncSession, org_id: str, waiting: Mapping[UUID, WaitReason], *, until: datetime, at: datetime
) -> None:
    """Record the reason of waiting events and the next try; raise an alert once a day for each reason."""
    for reason in sorted(set(waiting.values())):
        events = [event for event, why in waiting.items() if why is reason]
        await charges.postpone(session, org_id, events, reason, until)
        await alert.raise_alert(
            session,
            kind="usage.not_charged",
            subject=org_id,
            org_id=org_id,
            key=f"usage.not_charged:{org_id}:{reason}:{at:%Y-%m-%d}",
            detail=(
                f"Usage events of {org_id} {_WHY[reason]}, and wait to be charged. The first of them is "
                f"{uuid_id('uev', events[0])}."
            ),
        )
