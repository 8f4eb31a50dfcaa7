"""Statements about subscriptions: their state, their timeline, and who has had a trial."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import delete, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from domain.billing.subscription.agenda import wakes_at
from domain.billing.subscription.given_up import ORDER_GIVEN_UP
from domain.billing.subscription.state import Subscription, SubscriptionStatus, Transition
from models.billing.subscription import SubscriptionEventRow, SubscriptionRow, SubscriptionTrial

#: Events that request a change at the provider.
ORDERS = ("upgrade_ordered", "downgrade_ordered", "cancellation_ordered", "resumed")
#: Events that drop such a request: the provider has declined it, or an operator has given it up.
DROPPED = ("order_declined", ORDER_GIVEN_UP)
_STATE: TypeAdapter[Subscription] = TypeAdapter(Subscription)


def state_of(row: SubscriptionRow) -> Subscription:
    return _STATE.validate_python(row.state)


async def lock(session: AsyncSession, subscription_id: str) -> Subscription | None:
    """Lock the row until the transaction ends, and return its state; None for a new one."""
    query = select(SubscriptionRow.state).where(SubscriptionRow.id == subscription_id).with_for_update()
    state = (await session.scalars(query)).one_or_none()
    return None if state is None else _STATE.validate_python(state)


async def get(session: AsyncSession, subscription_id: str) -> Subscription | None:
    row = await session.get(SubscriptionRow, subscription_id)
    return None if row is None else state_of(row)


async def find_by_ref(session: AsyncSession, provider: str, refs: Sequence[str]) -> Subscription | None:
    """Return the subscription that an event is about: by its provider's id, or before it has one by its customer's."""
    known = select(SubscriptionRow).where(SubscriptionRow.provider == provider, SubscriptionRow.provider_ref.in_(refs))
    row = (await session.scalars(known)).one_or_none()
    if row is None:
        unmade = select(SubscriptionRow).where(
            SubscriptionRow.provider == provider,
            SubscriptionRow.provider_ref.is_(None),
            SubscriptionRow.status != SubscriptionStatus.ENDED.value,
            SubscriptionRow.state["customer"].astext.in_(refs),
        )
        row = (await session.scalars(unmade)).first()
    return None if row is None else state_of(row)


async def stranded(session: AsyncSession, *, before: datetime, after: str, limit: int) -> Sequence[SubscriptionRow]:
    """Return subscriptions whose workflow should have acted by a time, by id, after the id `after`."""
    query = select(SubscriptionRow).where(SubscriptionRow.wake_at < before, SubscriptionRow.id > after)
    return (await session.scalars(query.order_by(SubscriptionRow.id).limit(limit))).all()


async def trial_of(session: AsyncSession, wanting: Subscription) -> Sequence[str]:
    had = SubscriptionTrial.org_id == wanting.org_id
    if wanting.trial_card is not None:
        had = or_(had, SubscriptionTrial.card == wanting.trial_card)
    return (await session.scalars(select(SubscriptionTrial.org_id).where(had))).all()


async def note_trial(session: AsyncSession, trying: Subscription, at: datetime) -> None:
    row = {"org_id": trying.org_id, "card": trying.trial_card, "subscription_id": trying.subscription_id}
    await session.execute(insert(SubscriptionTrial).values(**row, began_at=at))


async def note_trial_card(session: AsyncSession, trying: Subscription) -> bool:
    """Record the card of a trial that began on a hosted page; False if the card has had one."""
    own = update(SubscriptionTrial).where(SubscriptionTrial.subscription_id == trying.subscription_id)
    try:
        async with session.begin_nested():
            await session.execute(own.values(card=trying.trial_card))
    except IntegrityError:
        return False
    return True


async def forget_trial(session: AsyncSession, subscription_id: str) -> None:
    """Delete a trial that never began."""
    await session.execute(delete(SubscriptionTrial).where(SubscriptionTrial.subscription_id == subscription_id))


async def versions(session: AsyncSession, subscription_ids: Sequence[str]) -> dict[str, int]:
    query = select(SubscriptionRow.id, SubscriptionRow.version).where(SubscriptionRow.id.in_(subscription_ids))
    return {row.id: row.version for row in await session.execute(query)}


async def decline_reason(session: AsyncSession, ordered: SubscriptionEventRow) -> str | None:
    """Return the provider's reason for declining the request of an event; None if it did not decline."""
    query = (
        select(SubscriptionEventRow)
        .where(
            SubscriptionEventRow.subscription_id == ordered.subscription_id,
            SubscriptionEventRow.number > ordered.number,
            SubscriptionEventRow.kind.in_([*ORDERS, *DROPPED]),
        )
        .order_by(SubscriptionEventRow.number)
        .limit(1)
    )
    # There is one request at a time, so the next declined one is this one.
    found = (await session.scalars(query)).one_or_none()
    return None if found is None or found.kind not in DROPPED else str(found.details["why"])


async def current_of(session: AsyncSession, org_id: str) -> Subscription | None:
    query = select(SubscriptionRow).where(
        SubscriptionRow.org_id == org_id, SubscriptionRow.status != SubscriptionStatus.ENDED.value
    )
    row = (await session.scalars(query)).one_or_none()
    return None if row is None else state_of(row)


async def has_done(session: AsyncSession, subscription_id: str, command_id: str) -> bool:
    """Return whether a command caused an event, however long ago that was."""
    row = SubscriptionEventRow
    query = select(row.number).where(row.subscription_id == subscription_id, row.command_id == command_id)
    return (await session.scalars(query)).one_or_none() is not None


async def done_by(
    session: AsyncSession, org_id: str, command_id: str
) -> tuple[Subscription, SubscriptionEventRow] | None:
    """Return the event of a command, however old, and the organization's subscription as it is now."""
    query = (
        select(SubscriptionRow, SubscriptionEventRow)
        .join(SubscriptionEventRow, SubscriptionEventRow.subscription_id == SubscriptionRow.id)
        .where(SubscriptionRow.org_id == org_id, SubscriptionEventRow.command_id == command_id)
    )
    found = (await session.execute(query)).one_or_none()
    return None if found is None else (state_of(found[0]), found[1])


async def write(session: AsyncSession, outcome: Transition, command_id: str, at: datetime) -> None:
    """Write one event and the state after it; the caller holds the row's lock, or the event is the first."""
    after = outcome.subscription
    changing: dict[str, Any] = {
        "provider_ref": after.ref,
        "status": after.status.value,
        "plan": after.terms.plan,
        "version": after.version,
        "wake_at": wakes_at(after, at),
        "state": _STATE.dump_python(after, mode="json"),
        "updated_at": at,
    }
    if after.version == 1:
        fixed = {"id": after.subscription_id, "org_id": after.org_id, "provider": after.provider, "created_at": at}
        await session.execute(insert(SubscriptionRow).values(**fixed, **changing))
    else:
        same = SubscriptionRow.id == after.subscription_id
        await session.execute(update(SubscriptionRow).where(same).values(**changing))
    await session.execute(
        insert(SubscriptionEventRow).values(
            subscription_id=after.subscription_id,
            number=after.version,
            kind=outcome.event,
            status=after.status.value,
            actor=outcome.actor,
            command_id=command_id,
            details=dict(outcome.details),
            at=at,
        )
    )
