"""The protocol of providers that collect subscriptions; it returns frozen snapshots.

As with payments nothing is inferred from the order of calls or webhooks: objects are read again. The errors are those
of `providers.payments.base`; a declined charge is `SubscriptionDeclined`, and changes nothing at the provider. The
provider requests payments and retries them automatically. Its invoices are not our tax documents.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from domain.billing.subscription.snapshot import CheckoutPage, Quote, SubscriptionSnapshot
from domain.billing.subscription.state import Terms
from providers.payments.base import ProviderRefused


class SubscriptionDeclined(ProviderRefused):
    """A card or bank declined, or requires authentication by its holder; the provider has changed nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSubscription:
    """A subscription to create.

    Attributes:
        subscription_id: our id, stored on the provider's object.
        customer: the provider's id of the customer.
        price_id: the provider's id of the price, see `SubscriptionProvider.price`.
        trial_days: the length of a free trial; zero for none.
        method_ref: the stored method to charge; by default the customer's.
        net_days: the days after which a requested payment is due; zero if it is charged.
        quantity: the number of units.
    """

    subscription_id: str
    org_id: str
    customer: str
    price_id: str
    trial_days: int = 0
    method_ref: str | None = None
    net_days: int = 0
    quantity: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """The billed item of a subscription: a price and a quantity."""

    price_id: str
    quantity: int = 1


class SubscriptionProvider(Protocol):
    """Collects for subscriptions. Amounts are minor units in the scale of `domain.common.money`."""

    name: str

    async def price(self, title: str, terms: Terms, *, idempotency_key: str) -> str:
        """Return the provider's price of one unit: the named one, or an existing or new one for these terms.

        Raises:
            ProviderRefused: `price.differs`, the named price is for another amount, currency or interval.
        """

    async def create(self, subscription: NewSubscription, *, idempotency_key: str) -> SubscriptionSnapshot:
        """Create the subscription and charge its first period. Idempotent by the key.

        Raises:
            SubscriptionDeclined: the charge was declined; there is no subscription.
        """

    async def check_out(self, subscription: NewSubscription, *, return_url: str, idempotency_key: str) -> CheckoutPage:
        """Create a hosted page on which the payer subscribes; the subscription is created when they do."""

    async def close_page(self, page_ref: str, *, idempotency_key: str) -> None:
        """Close a hosted page for subscribing; a closed or used page is unchanged."""

    async def fingerprint(self, method_ref: str) -> str | None:
        """Return the fingerprint of a stored card, the same for the same card in every account; None for others."""

    async def retrieve(self, ref: str) -> SubscriptionSnapshot:
        """Return the present state of the subscription, with its newest bills."""

    async def find(self, customer: str, subscription_id: str) -> SubscriptionSnapshot | None:
        """Return the subscription that an earlier `create` or page made, by our id; None if there is none."""

    async def preview(self, ref: str, terms: Terms, *, at: datetime) -> Quote:
        """Preview the bill of an upgrade to these terms at that moment; nothing is changed or created."""

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
        """Change the price and the quantity now, and charge the proration from `at` on.

        It ends a trial, and another interval begins a new period. `held` is the item that the proration is computed
        from; if another one is set there, it is reset first, without a charge. At most `most_minor` is charged.

        Raises:
            SubscriptionDeclined: the charge was declined, or exceeds `most_minor` (`subscription.price_changed`); the
                item is unchanged.
        """

    async def downgrade(
        self, ref: str, price_id: str, *, idempotency_key: str, quantity: int = 1
    ) -> SubscriptionSnapshot:
        """Change the price, with the same interval, or reduce the quantity, from the next period on.

        Nothing is charged or refunded now.
        """

    async def cancel(
        self, ref: str, *, at_period_end: bool, idempotency_key: str, held: Item | None = None
    ) -> SubscriptionSnapshot:
        """End the subscription now, or when its period ends; an ended one is returned.

        With `held` its item is reset to that, in case it is resumed; nothing is charged or refunded now.
        """

    async def resume(self, ref: str, price_id: str, *, idempotency_key: str, quantity: int = 1) -> SubscriptionSnapshot:
        """Withdraw a cancellation or downgrade at the end of the period: it continues at this price and quantity."""

    async def undo(
        self, ref: str, held: Item, *, bill_ref: str | None, until: datetime | None, idempotency_key: str
    ) -> SubscriptionSnapshot:
        """Undo an unpaid upgrade: void its bill, and reset the item to `held`.

        Nothing is charged or refunded. `until` is when the next period begins, if the upgrade has shortened the present
        one; otherwise None. An upgrade whose bill was paid meanwhile stays.

        Raises:
            ProviderRefused: the bill cannot be voided, because its payment is processing.
        """
