"""Dispatch of events in the inbox."""

import asyncio
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession
from temporalio import activity
from temporalio.client import Client

from contracts.payments.payment import DispatchProviderEvent, ProviderEventResult
from contracts.runs import payment_news, payout_news, subscription_news
from domain.payments.payment.event_types import (
    TRANSFER_REVERSED,
    Handling,
    changes_default_method,
    currencies_available,
    handling_of,
)
from domain.payouts.payout.commands import MAX_WOKEN_PAYOUTS, SOON_ANYWAY
from domain.payouts.payout.state import Payout
from models.payments.provider_event import ProviderEventRow
from repositories.billing import subscription
from repositories.messages import alert
from repositories.payments import customer, payment, provider_event
from repositories.payouts import creator_account, payout
from runtime import reach
from runtime.database import Database

#: Result of an event whose object may not be in the books yet.
TOO_EARLY = "too_early"


class InboxActivities:
    """Activities of `ProviderEventWorkflow`."""

    def __init__(self, database: Database, client: Client) -> None:
        self._database = database
        self._client = client

    @activity.defn(name="dispatch_provider_event")
    async def dispatch(self, message: DispatchProviderEvent) -> ProviderEventResult:
        """Signal the payment that an event is about, or handle the event.

        Effect: a signal to the payment's run, which is started if it has ended; and the event's status. The payment's
            own transaction sets `handled_at` of a forwarded event. Events about a customer's cash are left to
            `look_at_cash`, about a payment method to `look_at_methods`, about a creator's account to
            `refresh_creator`, about a card to `book_card_event`. An increase of the provider's balance is signalled
            to the oldest payouts that wait for it.
        Idempotent by: the event's `handled_at`. A second signal only refreshes the payment again.
        """
        async with self._database.platform() as session:
            row = await provider_event.get(session, message.provider, message.event_id)
            if row is None or row.handled_at is not None:
                # Without a row, the books were restored to an earlier time, and polls refresh the payment.
                return ProviderEventResult(outcome="unmatched" if row is None else row.status)
            handling = handling_of(row.provider, row.type)
            if handling in {Handling.METHOD, Handling.CASH}:
                return await _of_a_customer(session, row, handling)
            if handling is Handling.CARD:
                return ProviderEventResult(outcome=handling.value)
            if handling is Handling.CREATOR:
                return await _of_a_creator(session, row, last_try=message.last_try)
            handler = {Handling.SUBSCRIPTION: self._to_a_subscription, Handling.FUNDS: self._to_payouts}.get(handling)
            found = None
            if handler is None:
                found = await payment.find_by_event(session, row.provider, row.payment_id, row.refs)
            if handler is None and found is None:
                return await _without_payment(session, row, last_try=message.last_try)
        if handler is not None:
            return await handler(row)
        assert found is not None
        terms = found.terms
        await reach.signal(self._client, *payment_news(terms, principal=terms.provider, event_id=message.event_id))
        async with self._database.platform() as session:
            await _mark(session, row, "forwarded", payment_id=terms.payment_id, handled=False)
        return ProviderEventResult(outcome="forwarded", payment_id=terms.payment_id)

    async def _to_a_subscription(self, row: ProviderEventRow) -> ProviderEventResult:
        """Signal the subscription to refresh; its own transaction marks the event as handled."""
        async with self._database.platform() as session:
            held = await subscription.find_by_ref(session, row.provider, row.refs)
            if held is None:
                return await _unmatched(session, row)
        await reach.signal(self._client, *subscription_news(held, principal=row.provider, event_id=row.event_id))
        async with self._database.platform() as session:
            await _mark(session, row, "forwarded", handled=False)
        return ProviderEventResult(outcome="forwarded")

    async def _to_payouts(self, row: ProviderEventRow) -> ProviderEventResult:
        """Signal the oldest payouts that wait for the platform's balance, a limited number per event.

        Payouts in a currency without an available balance are not signalled, or they would displace those that can be
        sent. An event that names a connected account is about the creator's balance, not the platform's.
        """
        waiting: list[Payout] = []
        if not row.refs:
            async with self._database.platform() as session:
                after = datetime.now(UTC) + SOON_ANYWAY
                currencies = currencies_available(await provider_event.balance(session, row.id))
                rows = await payout.waiting_for_funds(
                    session, row.provider, currencies=currencies, after=after, limit=MAX_WOKEN_PAYOUTS
                )
                waiting = [payout.state_of(each) for each in rows]
        news = (payout_news(held, event_id=row.event_id, place=place) for place, held in enumerate(waiting))
        await asyncio.gather(*(reach.signal(self._client, *each) for each in news))
        outcome = "forwarded" if waiting else "ignored"
        async with self._database.platform() as session:
            await _mark(session, row, outcome, handled=True)
        return ProviderEventResult(outcome=outcome)


async def _without_payment(session: AsyncSession, row: ProviderEventRow, *, last_try: bool) -> ProviderEventResult:
    """Handle an event without a known payment: wait for one that it names by our id.

    An event that names no payment, but a customer of ours, is ignored: it is about a bill of a subscription, whose own
    events report it, or about a page on which a card is stored.
    """
    if row.payment_id is not None and not last_try:
        return ProviderEventResult(outcome=TOO_EARLY)
    if row.payment_id is None and await customer.organization_of(session, row.provider, row.refs) is not None:
        await _mark(session, row, "ignored", handled=True)
        return ProviderEventResult(outcome="ignored")
    return await _unmatched(session, row)


async def _unmatched(session: AsyncSession, row: ProviderEventRow) -> ProviderEventResult:
    """Mark an event as unmatched, and raise an alert about its type once a month.

    If the event was relevant, its change is found later by a poll, or never.
    """
    await _mark(session, row, "unmatched", handled=True)
    about = ", ".join(row.refs) or "nothing"
    await alert.raise_alert(
        session,
        kind="webhook.unmatched",
        subject=row.event_id,
        detail=f"{row.provider} has sent {row.event_id} of the type {row.type} about {about}, which the books do not "
        "have. If the object is Bursar's, check the API version of the webhook endpoint; if other software uses this "
        "account, let the endpoint leave its events out. Events of this type raise one alert a month.",
        key=f"webhook.unmatched:{row.provider}:{row.type}:{row.received_at:%Y-%m}",
    )
    return ProviderEventResult(outcome="unmatched")


async def _of_a_customer(session: AsyncSession, row: ProviderEventRow, handling: Handling) -> ProviderEventResult:
    """Leave an event about a known customer to the run, which reads the provider."""
    if await customer.organization_of(session, row.provider, row.refs) is None:
        return await _unmatched(session, row)
    before = await provider_event.previous_attributes(session, row.id) if handling is Handling.METHOD else {}
    if handling is Handling.METHOD and not changes_default_method(row.type, before):
        await _mark(session, row, "ignored", handled=True)
        return ProviderEventResult(outcome="ignored")
    return ProviderEventResult(outcome=handling.value)


async def _of_a_creator(session: AsyncSession, row: ProviderEventRow, *, last_try: bool) -> ProviderEventResult:
    """Leave an event about a connected account or a payout to the run, which reads the provider.

    The first events of an account arrive before it is in the books.
    """
    if row.type == TRANSFER_REVERSED:
        is_ours = await payout.by_transfer(session, row.provider, row.refs) is not None
    else:
        is_ours = await creator_account.organization_of(session, row.provider, row.refs) is not None
    if is_ours:
        return ProviderEventResult(outcome=Handling.CREATOR.value)
    return await _unmatched(session, row) if last_try else ProviderEventResult(outcome=TOO_EARLY)


async def _mark(
    session: AsyncSession, row: ProviderEventRow, status: str, *, handled: bool, payment_id: str | None = None
) -> None:
    await provider_event.mark(
        session, row.provider, [row.event_id], status=status, payment_id=payment_id, handled=handled
    )
