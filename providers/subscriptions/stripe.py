"""Subscriptions at Stripe: one item each, prorated and collected there; our invoice is the tax document.

Sources: docs.stripe.com/billing/subscriptions/prorations, /billing/subscriptions/upgrade-downgrade, /api/subscriptions,
/api/invoices/create_preview. A card that is declined leaves nothing behind: every charge is made with
`error_if_incomplete`.
"""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import stripe

from domain.billing.subscription.commands import PRICE_CHANGED
from domain.billing.subscription.snapshot import CheckoutPage, ProviderState, Quote, SubscriptionSnapshot
from domain.billing.subscription.state import Terms
from domain.common.period import Period
from providers.payments.base import ProviderNotFound, ProviderRefused
from providers.payments.stripe.amounts import to_stripe
from providers.payments.stripe.errors import Declined, translated
from providers.payments.stripe.fields import at as time_of, field, id_of, metadata_of
from providers.payments.stripe.keys import under_key
from providers.subscriptions.base import Item, NewSubscription, SubscriptionDeclined
from providers.subscriptions.stripe_bills import EXPANDED, bill_of, minor_of, moment_of
from providers.subscriptions.stripe_items import (
    is_other_price,
    item_of,
    lookup_key,
    price_copy,
    proration_start,
    unchanged_item,
)

#: How many bills a snapshot has: the newest, fewer than a subscription remembers.
NEWEST_BILLS = 24
#: Where our id is kept on Stripe's objects.
OUR_ID = "subscription_id"
#: Invoices that somebody may still pay.
_COLLECTED = frozenset({"open", "uncollectible"})
_ENDED = frozenset({"canceled", "incomplete_expired"})
#: Stripe's code where a card's holder has to be there.
_NEEDS_HOLDER = frozenset({"subscription_payment_intent_requires_action", "authentication_required"})


class StripeSubscriptions:
    """Subscriptions over the client that every Stripe adapter of the process shares."""

    name = "stripe"

    def __init__(self, client: stripe.StripeClient) -> None:
        self._client = client

    async def price(self, title: str, terms: Terms, *, idempotency_key: str) -> str:
        """Return the price that the terms name, or the one that stands for them; it is made once."""
        if terms.price_id is not None:
            named = await self._named(terms.price_id)
            if is_other_price(named, terms):
                raise ProviderRefused(
                    f"The price {terms.price_id} is not that of the plan {terms.plan} by the {terms.interval.value}.",
                    code="price.differs",
                )
            return named.id
        found = await self._made_price(terms)
        if found is not None:
            return found
        params: stripe.params.PriceCreateParams = {
            "currency": terms.currency.lower(),
            "unit_amount": to_stripe(terms.unit_minor, terms.currency),
            "recurring": {"interval": terms.interval.value},
            "product_data": {"name": title},
            "lookup_key": lookup_key(terms),
            "transfer_lookup_key": True,
        }

        async def make(key: str) -> str:
            with translated(changes=True):
                return (await self._client.v1.prices.create_async(params, {"idempotency_key": key})).id

        return await under_key(make, idempotency_key, lambda: self._made_price(terms))

    async def create(self, subscription: NewSubscription, *, idempotency_key: str) -> SubscriptionSnapshot:
        """Make it and charge its first period, or nothing; on net terms, payment is requested within an hour."""
        params: stripe.params.SubscriptionCreateParams = {
            "customer": subscription.customer,
            "items": [{"price": subscription.price_id, "quantity": subscription.quantity}],
            "metadata": _metadata(subscription),
        }
        if subscription.net_days:
            params |= {"collection_method": "send_invoice", "days_until_due": subscription.net_days}
        else:
            params |= {"payment_behavior": "error_if_incomplete", "off_session": True}
        if subscription.trial_days:
            params["trial_period_days"] = subscription.trial_days
        if subscription.method_ref is not None:
            params["default_payment_method"] = subscription.method_ref

        async def make(key: str) -> SubscriptionSnapshot:
            with _declines(), translated(changes=True):
                made = await self._client.v1.subscriptions.create_async(params, {"idempotency_key": key})
            return await self._snapshot(made)

        return await under_key(
            make, idempotency_key, lambda: self.find(subscription.customer, subscription.subscription_id)
        )

    async def check_out(self, subscription: NewSubscription, *, return_url: str, idempotency_key: str) -> CheckoutPage:
        """Make a page of Stripe Checkout in its mode `subscription`."""
        data: dict[str, Any] = {"metadata": _metadata(subscription)}
        if subscription.trial_days:
            data["trial_period_days"] = subscription.trial_days
        params: Any = {
            "mode": "subscription",
            "customer": subscription.customer,
            "line_items": [{"price": subscription.price_id, "quantity": subscription.quantity}],
            "success_url": return_url,
            "cancel_url": return_url,
            "metadata": _metadata(subscription),
            "subscription_data": data,
            # Otherwise Stripe may charge the payer in a currency that the subscription does not have.
            "adaptive_pricing": {"enabled": False},
        }

        async def make(key: str) -> CheckoutPage:
            with translated(changes=True):
                page = await self._client.v1.checkout.sessions.create_async(params, {"idempotency_key": key})
            return CheckoutPage(ref=page.id, url=str(page.url), expires_at=time_of(page.expires_at))

        return await under_key(make, idempotency_key)

    async def close_page(self, page_ref: str, *, idempotency_key: str) -> None:
        """Expire the session, unless it is no longer open."""

        async def close(key: str) -> None:
            with translated(changes=True):
                page = await self._client.v1.checkout.sessions.retrieve_async(page_ref)
                if page.status == "open":
                    try:
                        options: stripe.RequestOptions = {"idempotency_key": key}
                        await self._client.v1.checkout.sessions.expire_async(page_ref, {}, options)
                    except stripe.InvalidRequestError as error:
                        if error.http_status != 400:  # it was paid since it was read
                            raise

        await under_key(close, idempotency_key)

    async def fingerprint(self, method_ref: str) -> str | None:
        """Return the fingerprint of a card."""
        with translated(changes=False):
            method = await self._client.v1.payment_methods.retrieve_async(method_ref)
        known_by: str | None = field(field(method, "card"), "fingerprint")
        return known_by

    async def retrieve(self, ref: str) -> SubscriptionSnapshot:
        """Return it as it stands."""
        return await self._snapshot(await self._read(ref))

    async def find(self, customer: str, subscription_id: str) -> SubscriptionSnapshot | None:
        """Look through the customer's subscriptions, those that have ended too."""
        with translated(changes=False):
            listed = await self._client.v1.subscriptions.list_async(
                {"customer": customer, "status": "all", "limit": 100}
            )
            async for found in listed.auto_paging_iter():
                if metadata_of(found, OUR_ID) == subscription_id:
                    return await self._snapshot(found)
        return None

    async def preview(self, ref: str, terms: Terms, *, at: datetime) -> Quote:
        """Ask Stripe for the invoice that the change would make, with the discounts and the balance that it knows."""
        held = await self._read(ref)
        price_id = terms.price_id or await self._made_price(terms)
        if price_id is not None:
            changed = await self._changed(held, Item(price_id=price_id, quantity=terms.quantity))
        else:
            data = price_copy(item_of(held).price) | {
                "currency": terms.currency.lower(),
                "recurring": {"interval": terms.interval.value},
                "unit_amount": to_stripe(terms.unit_minor, terms.currency),
            }
            changed = {**unchanged_item(held), "quantity": terms.quantity, "price_data": data}
        return await self._quoted(held, changed, terms.interval.value, at)

    async def _quoted(self, held: stripe.Subscription, changed: dict[str, Any], interval: str, at: datetime) -> Quote:
        details: Any = {
            "items": [changed],
            "proration_behavior": "always_invoice",
            **proration_start(held, interval, at),
        }
        with translated(changes=False):
            asked: Any = {"subscription": held.id, "subscription_details": details}
            invoice = await self._client.v1.invoices.create_preview_async(asked)
        bill = bill_of(invoice)
        return Quote(
            total_minor=bill.total_minor,
            due_minor=minor_of(invoice.amount_due, bill.currency),
            unused_minor=-sum(line.amount_minor for line in bill.lines if line.amount_minor < 0),
        )

    async def _made_price(self, terms: Terms) -> str | None:
        key = lookup_key(terms)
        with translated(changes=False):
            found = await self._client.v1.prices.list_async({"lookup_keys": [key], "active": True, "limit": 1})
        return found.data[0].id if found.data and not is_other_price(found.data[0], terms) else None

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
        """Change the item and charge the proration, or nothing; a change that is there is not made again.

        Stripe counts the proration from the item that it has, which is another one where a downgrade was dropped.
        """
        found, wanted = await self._read(ref), Item(price_id=price_id, quantity=quantity)
        changed = await self._changed(found, wanted)
        is_there = changed == unchanged_item(found)
        if is_there and found.status != "trialing":
            return await self._snapshot(found)
        if held is not None and not is_there:
            await self._set(found, held, {}, f"{idempotency_key}:held")
            found = await self._read(ref)
            changed = await self._changed(found, wanted)
        if most_minor is not None:
            shown = await self._quoted(found, changed, await self._interval(price_id), at)
            if shown.charged_minor > most_minor:
                raise SubscriptionDeclined("More would be charged than was agreed to.", code=PRICE_CHANGED)
        params: Any = {
            "items": [changed],
            "proration_behavior": "always_invoice",
            "payment_behavior": "error_if_incomplete",
            "off_session": True,
            **proration_start(found, await self._interval(price_id), at),
        }

        async def is_upgraded(now: stripe.Subscription) -> bool:
            return now.status != "trialing" and await self._changed(now, wanted) == unchanged_item(now)

        with _declines():
            await self._update(ref, params, idempotency_key, is_upgraded)
        return await self.retrieve(ref)

    async def downgrade(
        self, ref: str, price_id: str, *, idempotency_key: str, quantity: int = 1
    ) -> SubscriptionSnapshot:
        """Change the item without a proration: the period that is paid goes on to its end."""
        await self._set(await self._read(ref), Item(price_id=price_id, quantity=quantity), {}, idempotency_key)
        return await self.retrieve(ref)

    async def resume(self, ref: str, price_id: str, *, idempotency_key: str, quantity: int = 1) -> SubscriptionSnapshot:
        """Go on at the price and quantity that were agreed, without an end."""
        wanted, goes_on = Item(price_id=price_id, quantity=quantity), {"cancel_at_period_end": False}
        await self._set(await self._read(ref), wanted, goes_on, idempotency_key)
        return await self.retrieve(ref)

    async def cancel(
        self, ref: str, *, at_period_end: bool, idempotency_key: str, held: Item | None = None
    ) -> SubscriptionSnapshot:
        """End it; Stripe knows one that has ended only by its id, and refuses to end it again."""
        found = await self._read(ref)
        if found.status in _ENDED:
            return await self._snapshot(found)
        ends: Any = {"cancel_at_period_end": True}
        if not at_period_end:
            with translated(changes=True):
                try:
                    await self._client.v1.subscriptions.cancel_async(ref, {}, {"idempotency_key": idempotency_key})
                except stripe.InvalidRequestError as error:
                    if error.http_status != 404:  # it has ended since it was read
                        raise
        elif held is not None and await self._changed(found, held) != unchanged_item(found):
            # What is held may differ by the time that this is tried again, and a key stands for one request.
            await self._set(found, held, ends, f"{idempotency_key}:{held.price_id}:{held.quantity}")
        elif not found.cancel_at_period_end:
            await self._update(ref, ends, idempotency_key, _is_ending)
        return await self.retrieve(ref)

    async def undo(
        self, ref: str, held: Item, *, bill_ref: str | None, until: datetime | None, idempotency_key: str
    ) -> SubscriptionSnapshot:
        """Void the invoice, then set the item back; a period that was cut short goes on as a trial does, unpaid."""
        if bill_ref is not None and await self._is_paid(bill_ref, idempotency_key):
            return await self.retrieve(ref)
        found = await self._read(ref)
        goes_on: dict[str, Any] = {} if until is None else {"trial_end": int(until.timestamp())}
        if found.status not in _ENDED:
            await self._set(found, held, goes_on, idempotency_key)
        return await self.retrieve(ref)

    async def _is_paid(self, bill_ref: str, key: str) -> bool:
        """Void an invoice, unless it was paid; tell whether it was."""

        async def void(key: str) -> bool:
            with translated(changes=True):
                invoice = await self._client.v1.invoices.retrieve_async(bill_ref)
                if invoice.status in _COLLECTED:
                    try:
                        options: stripe.RequestOptions = {"idempotency_key": key}
                        invoice = await self._client.v1.invoices.void_invoice_async(bill_ref, {}, options)
                    except stripe.InvalidRequestError:
                        invoice = await self._client.v1.invoices.retrieve_async(bill_ref)
                        if invoice.status in _COLLECTED:
                            raise
            return invoice.status == "paid"

        return await under_key(void, f"{key}:void")

    async def _set(self, found: stripe.Subscription, item: Item, more: dict[str, Any], key: str) -> None:
        """Set the item from the next period on; nothing is charged or refunded for this one.

        If it is set already, no request is made, because it would be a different one under the same key.
        """
        changed = await self._changed(found, item)
        if changed == unchanged_item(found) and all(found[name] == value for name, value in more.items()):
            return
        params: Any = {"items": [changed], "proration_behavior": "none", **more}

        async def is_set(now: stripe.Subscription) -> bool:
            is_item = await self._changed(now, item) == unchanged_item(now)
            return is_item and all(now[name] == value for name, value in more.items())

        await self._update(found.id, params, key, is_set)

    async def _update(
        self, ref: str, params: Any, key: str, is_there: Callable[[stripe.Subscription], Awaitable[bool]]
    ) -> None:
        """Change the subscription once, although Stripe may have stored a failure as the answer to the key."""

        async def change(key: str) -> bool:
            with translated(changes=True):
                await self._client.v1.subscriptions.update_async(ref, params, {"idempotency_key": key})
            return True

        async def look() -> bool | None:
            return True if await is_there(await self._read(ref)) else None

        await under_key(change, key, look)

    async def _read(self, ref: str) -> stripe.Subscription:
        with translated(changes=False):
            return await self._client.v1.subscriptions.retrieve_async(ref)

    async def _changed(self, found: stripe.Subscription, to: Item) -> dict[str, Any]:
        """Return the parameters that change the item. An archived price stays as it is, or is copied.

        Stripe refuses requests with an archived price.
        """
        item, changed = item_of(found), {**unchanged_item(found), "quantity": to.quantity}
        if item.price.id == to.price_id:
            return changed
        price = await self._named(to.price_id)
        if price.active:
            return {**changed, "price": price.id}
        copy = price_copy(price)
        return changed if copy == price_copy(item.price) else {**changed, "price_data": copy}

    async def _interval(self, price_id: str) -> str:
        return str(field(field(await self._named(price_id), "recurring"), "interval"))

    async def _named(self, price_id: str) -> stripe.Price:
        with translated(changes=False):
            return await self._client.v1.prices.retrieve_async(price_id)

    async def _snapshot(self, subscription: stripe.Subscription) -> SubscriptionSnapshot:
        with translated(changes=False):
            invoices = await self._client.v1.invoices.list_async(
                {"subscription": subscription.id, "limit": NEWEST_BILLS, "expand": EXPANDED}
            )
        item, attached = item_of(subscription), {id_of(each) or "" for each in field(subscription, "discounts") or []}
        return SubscriptionSnapshot(
            ref=subscription.id,
            customer=id_of(subscription.customer) or "",
            state=ProviderState(subscription.status),
            price_id=item.price.id,
            item_ref=item.id,
            period=Period(start=time_of(item.current_period_start), end=time_of(item.current_period_end)),
            cancel_at_period_end=subscription.cancel_at_period_end,
            trial_end=moment_of(subscription.trial_end),
            ended_at=moment_of(subscription.ended_at),
            bills=tuple(reversed([bill_of(invoice, attached) for invoice in invoices.data])),
            fingerprint=await self._fingerprint(subscription),
            our_id=metadata_of(subscription, OUR_ID),
            is_live=subscription.livemode,
            quantity=item.quantity,
        )

    async def _fingerprint(self, subscription: stripe.Subscription) -> str | None:
        """Return the fingerprint of what pays: the subscription's own method, otherwise the customer's."""
        method = id_of(subscription.default_payment_method)
        try:
            with translated(changes=False):
                if method is None:
                    customer = await self._client.v1.customers.retrieve_async(id_of(subscription.customer) or "")
                    method = id_of(field(field(customer, "invoice_settings"), "default_payment_method"))
                found = method and await self._client.v1.payment_methods.retrieve_async(method)
        except ProviderNotFound:
            return None
        return field(field(found, "card"), "fingerprint") if found else None


async def _is_ending(found: stripe.Subscription) -> bool:
    return found.cancel_at_period_end


@contextmanager
def _declines() -> Iterator[None]:
    try:
        yield
    except Declined as error:
        raise SubscriptionDeclined(error.detail, code=error.code) from error
    except ProviderRefused as error:
        if error.code not in _NEEDS_HOLDER:
            raise
        raise SubscriptionDeclined(error.detail, code="authentication_required") from error


def _metadata(subscription: NewSubscription) -> dict[str, str]:
    return {OUR_ID: subscription.subscription_id, "org_id": subscription.org_id}
