"""Booking of events of the issuer of cards."""

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
    """Activities of cards."""

    def __init__(self, database: Database, issuer: CardIssuer | None) -> None:
        self._database = database
        self._issuer = issuer

    @activity.defn
    async def book_card_event(self, message: ProviderEventInput) -> ProviderEventResult:
        """Read the object of an issuer's event again, and book what is new.

        Effect: booked captures, refunds and disputes, released holds, a card's status; alerts; the event is marked as
            handled.
        Idempotent by: the issuer's ids of transactions, authorizations and disputes; the keys of spends and transfers.
        Fails with: an outage of the issuer, or no configured issuer although cards exist; both are retried.
        """
        async with self._database.platform() as session:
            row = await provider_event.get(session, message.provider, message.event_id)
            is_issued = await cards.has_any(session)
        if row is None or row.handled_at is not None:
            return ProviderEventResult(outcome="unmatched" if row is None else row.status)
        if self._issuer is None and is_issued:
            raise RuntimeError(
                "This worker has no issuer of cards. Set BURSAR_ISSUING; the event is retried until then."
            )
        is_ours = False
        # An object unknown to the issuer cannot be booked.
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
