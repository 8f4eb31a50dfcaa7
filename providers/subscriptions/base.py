"""The seam between subscriptions and whoever collects for them: one Protocol, answered with frozen snapshots.

As with payments nothing is inferred from the order of calls or webhooks: whoever wants to know asks again. The errors
are those of `providers.payments.base`; a payment that is declined is `SubscriptionDeclined`, and then nothing has
changed there. The provider asks for money and tries again by itself. What it makes for that is no tax document.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from domain.subscription.snapshot import Bill, CheckoutPage, SubscriptionSnapshot
from domain.subscription.state import Terms
from providers.payments.base import ProviderRefused


class SubscriptionDeclined(ProviderRefused):
    """A card or bank refused to pay, or wants its holder to be there; the provider has changed nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSubscription:
    """A subscription to be made.

    Attributes:
        subscription_id: ours, which is kept on the provider's object.
        customer: the provider's id of the customer.
        price_id: the provider's id of the price, see `SubscriptionProvider.price`.
        trial_days: how long nothing is charged; zero for none.
        method_ref: the stored method that is charged; the customer's default when left out.
        net_days: payment is requested and due so many days later; zero where it is charged.
        quantity: how many units of the price.
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
    """What a subscription is billed for at its provider: a price, and how many units of it."""

    price_id: str
    quantity: int = 1


class SubscriptionProvider(Protocol):
    """Collects for subscriptions. Amounts are minor units in the scale of `domain.money`."""

    name: str

    async def price(self, title: str, terms: Terms, *, idempotency_key: str) -> str:
        """Return the provider's price of one unit, made now if there is none; one that they name is used as it is.

        Raises:
            ProviderRefused: `price.differs`, the named price is for another amount, currency or interval.
        """

    async def create(self, subscription: NewSubscription, *, idempotency_key: str) -> SubscriptionSnapshot:
        """Make the subscription and charge its first period. The same key gives the same one.

        Raises:
            SubscriptionDeclined: the charge was declined; there is no subscription.
        """

    async def check_out(self, subscription: NewSubscription, *, return_url: str, idempotency_key: str) -> CheckoutPage:
        """Make a page where the payer subscribes; the subscription is there once they have."""

    async def close_page(self, page_ref: str, *, idempotency_key: str) -> None:
        """Have nobody subscribe on a page any more; one that is closed or done with stays as it is."""

    async def fingerprint(self, method_ref: str) -> str | None:
        """Return the fingerprint of a stored card, the same for the same card in every account; None for others."""

    async def retrieve(self, ref: str) -> SubscriptionSnapshot:
        """Return the subscription as it stands there now, with its newest bills."""

    async def find(self, customer: str, subscription_id: str) -> SubscriptionSnapshot | None:
        """Find what an earlier `create` or page made, without making anything; by our id, not by a key."""

    async def preview(self, ref: str, price_id: str, *, at: datetime, quantity: int = 1) -> Bill:
        """Return the bill that an upgrade at that moment would make; nothing changes."""

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
        """Change the price and the quantity now, and charge the proration that is counted from `at`.

        A trial ends with it, and another interval begins a new period. `held` is what the proration is counted from:
        where something else is billed there, it is set back first, and nothing is charged for that. More than
        `most_minor` is not charged.

        Raises:
            SubscriptionDeclined: the charge was declined, or is more than that (`subscription.price_changed`); what is
                billed is what it was.
        """

    async def downgrade(
        self, ref: str, price_id: str, *, idempotency_key: str, quantity: int = 1
    ) -> SubscriptionSnapshot:
        """Have the next period billed at another price of the same interval, or for fewer units of it.

        Nothing is charged or given back now.
        """

    async def cancel(
        self, ref: str, *, at_period_end: bool, idempotency_key: str, held: Item | None = None
    ) -> SubscriptionSnapshot:
        """End the subscription now, or when its period ends; one that has ended is returned as it stands.

        With `held` it is billed for that again, should it go on after all; nothing is charged or given back now.
        """

    async def resume(self, ref: str, price_id: str, *, idempotency_key: str, quantity: int = 1) -> SubscriptionSnapshot:
        """Withdraw what was to happen at the end of the period: it goes on at this price and quantity."""

    async def undo(
        self, ref: str, held: Item, *, bill_ref: str | None, until: datetime | None, idempotency_key: str
    ) -> SubscriptionSnapshot:
        """Take an upgrade back that was not paid: its bill is void, and it is billed for what is held again.

        Nothing is charged or given back. `until` is when the next period begins, where the upgrade has cut the running
        one short; None where it goes on. An upgrade whose bill was paid meanwhile stays.

        Raises:
            ProviderRefused: the bill cannot be void, because its payment is on its way.
        """
