"""A provider of subscriptions in memory: it charges on request, and does not renew by itself."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from domain.billing.subscription.snapshot import (
    Bill,
    BillReason,
    BillState,
    CheckoutPage,
    ProviderState,
    Quote,
    SubscriptionSnapshot,
)
from domain.billing.subscription.state import Terms
from domain.common.period import Anchor, Period
from providers.payments.base import OutcomeUnknown, ProviderUnavailable
from providers.subscriptions.base import Item, NewSubscription, SubscriptionDeclined
from runtime.identity import new_id


class FakeSubscriptions:
    """One subscription for each customer, without proration: prices are amounts in cents, written as `price_2900`."""

    name = "stripe"

    def __init__(self) -> None:
        self.there: dict[str, SubscriptionSnapshot] = {}
        #: Customers whose card is declined, and those whose provider does not answer.
        self.declining: set[str] = set()
        self.away: set[str] = set()
        #: Customers for whom every answer of the provider is lost.
        self.silent: set[str] = set()
        #: Customers whose subscription never comes to be: what creates it breaks off before it arrives.
        self.losing: set[str] = set()
        #: Customers whose provider acts at once, and answers when the event is set.
        self.slow: dict[str, asyncio.Event] = {}
        #: The cards that customers enter on pages.
        self.cards: dict[str, str] = {}
        self.calls: list[str] = []
        self.pages: dict[str, NewSubscription] = {}

    async def price(self, title: str, terms: Terms, *, idempotency_key: str) -> str:
        return f"price_{terms.unit_minor}"

    async def create(self, subscription: NewSubscription, *, idempotency_key: str) -> SubscriptionSnapshot:
        self.calls.append(idempotency_key)
        self._answers(subscription.customer)
        if subscription.customer in self.losing:
            raise OutcomeUnknown("It broke off.")
        now = datetime.now(UTC).replace(microsecond=0)
        period = Period(start=now, end=Anchor(at=now).after(1))
        tries = subscription.trial_days > 0
        price = "price_0" if tries else subscription.price_id
        first = bill_of(price, BillReason.CREATE, period, now, subscription.quantity)
        made = SubscriptionSnapshot(
            ref=new_id("stripe"),
            customer=subscription.customer,
            state=ProviderState.TRIALING if tries else ProviderState.ACTIVE,
            price_id=subscription.price_id,
            item_ref="si_1",
            period=period,
            bills=(first,),
            our_id=subscription.subscription_id,
            trial_end=now + timedelta(days=subscription.trial_days) if tries else None,
            fingerprint=self.cards.get(subscription.customer),
            quantity=subscription.quantity,
        )
        self.there[made.ref] = made
        if (answers := self.slow.get(subscription.customer)) is not None:
            await answers.wait()
        return made

    async def check_out(self, subscription: NewSubscription, *, return_url: str, idempotency_key: str) -> CheckoutPage:
        ref = f"cs_{subscription.subscription_id}"
        self.pages.setdefault(ref, subscription)
        return CheckoutPage(ref=ref, url=f"https://pay.example/{ref}", expires_at=datetime.now(UTC) + timedelta(days=1))

    async def close_page(self, page_ref: str, *, idempotency_key: str) -> None:
        self.pages.pop(page_ref, None)

    async def fingerprint(self, method_ref: str) -> str | None:
        return method_ref

    async def paid_on_page(self, page_ref: str) -> None:
        """Subscribe on the hosted page, as the payer."""
        await self.create(self.pages.pop(page_ref), idempotency_key=page_ref)

    async def retrieve(self, ref: str) -> SubscriptionSnapshot:
        found = self.there[ref]
        self._answers(found.customer, charges=False)
        return found

    async def find(self, customer: str, subscription_id: str) -> SubscriptionSnapshot | None:
        self._answers(customer, charges=False)
        return next((each for each in self.there.values() if each.our_id == subscription_id), None)

    async def preview(self, ref: str, terms: Terms, *, at: datetime) -> Quote:
        return Quote(total_minor=terms.amount_minor, due_minor=terms.amount_minor, unused_minor=0)

    async def upgrade(
        self,
        ref: str,
        price_id: str,
        *,
        at: datetime,
        idempotency_key: str,
        quantity: int = 1,
        held: Item | None = None,
        most_minor: int | None = None,
    ) -> SubscriptionSnapshot:
        self.calls.append(idempotency_key)
        found = self.there[ref]
        self._answers(found.customer)
        if (found.price_id, found.quantity) != (price_id, quantity):
            bills = (*found.bills, bill_of(price_id, BillReason.UPDATE, None, at, quantity))
            self.there[ref] = replace(found, price_id=price_id, quantity=quantity, bills=bills)
        return self.there[ref]

    async def downgrade(
        self, ref: str, price_id: str, *, idempotency_key: str, quantity: int = 1
    ) -> SubscriptionSnapshot:
        return self._changed(ref, idempotency_key, price_id=price_id, quantity=quantity)

    async def cancel(
        self, ref: str, *, at_period_end: bool, idempotency_key: str, held: Item | None = None
    ) -> SubscriptionSnapshot:
        if at_period_end:
            billed = {} if held is None else {"price_id": held.price_id, "quantity": held.quantity}
            return self._changed(ref, idempotency_key, cancel_at_period_end=True, **billed)
        return self._changed(ref, idempotency_key, state=ProviderState.CANCELED, ended_at=datetime.now(UTC))

    async def resume(self, ref: str, price_id: str, *, idempotency_key: str, quantity: int = 1) -> SubscriptionSnapshot:
        return self._changed(ref, idempotency_key, price_id=price_id, quantity=quantity, cancel_at_period_end=False)

    async def undo(
        self, ref: str, held: Item, *, bill_ref: str | None, until: datetime | None, idempotency_key: str
    ) -> SubscriptionSnapshot:
        bills = self.there[ref].bills
        if any(each.ref == bill_ref and each.is_paid for each in bills):
            return self.there[ref]
        left = tuple(replace(each, state=BillState.VOID) if each.ref == bill_ref else each for each in bills)
        item = {"price_id": held.price_id, "quantity": held.quantity}
        return self._changed(ref, idempotency_key, bills=left, state=ProviderState.ACTIVE, **item)

    def _changed(self, ref: str, key: str, **changes: object) -> SubscriptionSnapshot:
        self.calls.append(key)
        self._answers(self.there[ref].customer, charges=False)
        self.there[ref] = replace(self.there[ref], **changes)
        return self.there[ref]

    def _answers(self, customer: str, *, charges: bool = True) -> None:
        if customer in self.away:
            raise ProviderUnavailable("It is away.")
        if customer in self.silent:
            raise OutcomeUnknown("It has not answered.")
        if charges and customer in self.declining:
            raise SubscriptionDeclined("The card was declined.", code="card_declined")


def bill_of(price_id: str, reason: BillReason, period: Period | None, at: datetime, quantity: int = 1) -> Bill:
    """Return a bill of a number of units of the price."""
    amount = int(price_id.removeprefix("price_")) * quantity
    return Bill(
        ref=new_id("in"),
        state=BillState.PAID,
        reason=reason,
        currency="USD",
        total_minor=amount,
        paid_minor=amount,
        created_at=at,
        period=period,
    )
