"""Books what the issuer of cards reports."""

from contextlib import suppress
from datetime import UTC, datetime

from temporalio import activity

from contracts.payments.payment import ProviderEventInput, ProviderEventResult
from providers.cards.base import CardIssuer
from providers.payments.base import ProviderNotFound
from repositories.cards import card as cards
from repositories.messages import alert
from repositories.payments import provider_event
from runtime.database import Database
from services.cards import card_transaction


class CardActivities:
    """Activities on cards."""

    def __init__(self, database: Database, issuer: CardIssuer | None) -> None:
        self._database = database
        self._issuer = issuer

    @activity.defn
    async def book_card_event(self, message: ProviderEventInput) -> ProviderEventResult:
        """Read what an event of the issuer is about again, and book what is not booked yet.

        Effect: captures, refunds and disputes in the books, what is over released, a card's status; alerts; the event
            is marked as handled.
        Idempotent by: the issuer's ids of transactions, authorizations and disputes; the keys of spends and transfers.
        Fails with: an outage of the issuer, or no issuer where cards were made before; both are retried.
        """
        async with self._database.platform() as session:
            row = await provider_event.get(session, message.provider, message.event_id)
            is_issued = await cards.has_any(session)
        if row is None or row.handled_at is not None:
            return ProviderEventResult(outcome="unmatched" if row is None else row.status)
        if self._issuer is None and is_issued:
            raise RuntimeError("No cards are issued in this worker. Set BURSAR_ISSUING; the event waits for it.")
        is_ours = False
        # What the issuer does not have is nothing to book.
        with suppress(ProviderNotFound):
            is_ours = self._issuer is not None and await card_transaction.refresh(
                self._database, self._issuer, row.refs[0], now=datetime.now(UTC)
            )
        outcome = "handled" if is_ours else "unmatched"
        async with self._database.platform() as session:
            await provider_event.mark(
                session, row.provider, [row.event_id], status=outcome, payment_id=None, handled=True
            )
            if not is_ours:
                await alert.raise_alert(
                    session,
                    kind="webhook.unmatched",
                    subject=row.event_id,
                    detail=f"{row.provider} has sent {row.event_id} of the type {row.type} about a card that Bursar "
                    "has not made. If other software issues cards with this account, nothing has to be done. Events of "
                    "this type raise one alert a month.",
                    key=f"webhook.unmatched:{row.provider}:{row.type}:{row.received_at:%Y-%m}",
                )
        return ProviderEventResult(outcome=outcome)
