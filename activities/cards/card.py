"""Books what the issuer of cards reports."""

from datetime import UTC, datetime

from temporalio import activity

from contracts.payments.payment import ProviderEventInput, ProviderEventResult
from domain.cards.card_authorization import CardPrices
from models.payments.provider_event import ProviderEventRow
from providers.cards.base import CardIssuer
from repositories.messages import alert
from repositories.payments import provider_event
from runtime.database import Database
from services.cards import card_transaction


class CardActivities:
    """Activities on cards."""

    def __init__(self, database: Database, issuer: CardIssuer | None, prices: CardPrices) -> None:
        """Take the database, the issuer, if one is set up, and what credits are worth on cards."""
        self._database = database
        self._issuer = issuer
        self._prices = prices

    @activity.defn
    async def book_card_event(self, message: ProviderEventInput) -> ProviderEventResult:
        """Read what an event of the issuer is about again, and book what is not booked yet.

        Effect: captures, refunds and disputes in the books, what is over released, a card's status; alerts; the event
            is marked as handled.
        Idempotent by: the issuer's ids of transactions, authorizations and disputes; the keys of spends and transfers.
        Fails with: an outage of the issuer, which is retried.
        """
        if self._issuer is None:
            raise RuntimeError("No cards are issued in this worker. Set BURSAR_ISSUING; the event waits for it.")
        async with self._database.platform() as session:
            row = await provider_event.get(session, message.provider, message.event_id)
        if row is None or row.handled_at is not None:
            return ProviderEventResult(outcome="unmatched" if row is None else row.status)
        is_ours = await self._book(self._issuer, row)
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

    async def _book(self, issuer: CardIssuer, row: ProviderEventRow) -> bool:
        ref, name, prices = row.refs[0], issuer.name, self._prices
        match row.type.partition(".")[0]:
            case "issuing_card":
                card = await issuer.retrieve_card(ref)
                async with self._database.platform() as session:
                    return await card_transaction.book_card(session, card)
            case "issuing_authorization":
                return await self._book_authorization(issuer, ref)
            case "issuing_transaction":
                alone = await issuer.retrieve_transaction(ref)
                if alone.authorization_ref is not None:
                    return await self._book_authorization(issuer, alone.authorization_ref)
                async with self._database.platform() as session:
                    return await card_transaction.book_alone(session, alone, name, prices, now=_now())
            case _:
                dispute = await issuer.retrieve_dispute(ref)
                disputed = await issuer.retrieve_transaction(dispute.transaction_ref)
                if disputed.authorization_ref is not None:
                    await self._book_authorization(issuer, disputed.authorization_ref)
                async with self._database.platform() as session:
                    if disputed.authorization_ref is None:
                        await card_transaction.book_alone(session, disputed, name, prices, now=_now())
                    return await card_transaction.book_dispute(
                        session, dispute, disputed.card_ref, name, prices, now=_now()
                    )

    async def _book_authorization(self, issuer: CardIssuer, ref: str) -> bool:
        snapshot = await issuer.retrieve_authorization(ref)
        async with self._database.platform() as session:
            return await card_transaction.book(session, snapshot, issuer.name, self._prices, now=_now())


def _now() -> datetime:
    return datetime.now(UTC)
