"""Creates organizations' Stripe customers, and handles events about them."""

from contextlib import suppress
from dataclasses import dataclass

from temporalio import activity

from contracts.payments.customer import CustomerInput, CustomerResult
from contracts.payments.payment import ProviderEventInput, ProviderEventResult
from domain.common.access import Actor, Role
from domain.common.errors import ProviderNotAvailable, RefusedByProvider
from domain.common.money import format_amount
from models.payments.provider_event import ProviderEventRow
from providers.payments.base import ProviderRefused
from providers.payments.stripe.customers import StripeCustomers
from repositories.billing import billing_profile as profiles
from repositories.messages import alert
from repositories.payments import customer, provider_event
from repositories.tenants import audit
from runtime.database import Database
from services.payments.customer import ensure_customer


@dataclass(frozen=True, slots=True)
class _CustomerEvent:
    """An unhandled event, the customer that it is about, and the customer's id at Stripe."""

    customers: StripeCustomers
    row: ProviderEventRow
    org_id: str
    ref: str


class CustomerActivities:
    """Activities on customers, at Stripe and in the database."""

    def __init__(self, database: Database, customers: StripeCustomers | None) -> None:
        self._database = database
        self._customers = customers

    @activity.defn
    async def ensure_customer(self, message: CustomerInput) -> CustomerResult:
        """Get or create the organization's customer.

        Effect: one customer at Stripe, and its row.
        Idempotent by: the organization's id, in the customer's metadata, in the key that Stripe is given, and in the
            row's primary key.
        Fails with: `provider.refused`, `not_found`; an outage of Stripe is retried.
        """
        if self._customers is None:
            raise ProviderNotAvailable("Stripe is not configured in this worker.")
        try:
            ref = await ensure_customer(self._database, self._customers, message.org_id)
        except ProviderRefused as error:
            raise RefusedByProvider(error.detail, extra={"reason": error.code}) from error
        return CustomerResult(org_id=message.org_id, customer_ref=ref)

    async def _find(self, message: ProviderEventInput) -> "_CustomerEvent | ProviderEventResult":
        """Return the event and its customer, or an outcome if nothing is left to do.

        Raises:
            RuntimeError: Stripe is not set up on this worker.
        """
        if self._customers is None:
            raise RuntimeError("Stripe is not configured in this worker. Its events wait for its settings.")
        async with self._database.platform() as session:
            row = await provider_event.get(session, message.provider, message.event_id)
            org_id = row and await customer.organization_of(session, row.provider, row.refs)
            ref = org_id and await customer.ref_of(session, org_id, message.provider)
        if row is None or not org_id or not ref or row.handled_at is not None:
            return ProviderEventResult(outcome="unmatched" if row is None else row.status)
        return _CustomerEvent(self._customers, row, org_id, ref)

    @activity.defn
    async def look_at_methods(self, message: ProviderEventInput) -> ProviderEventResult:
        """Record a change of a payment method at the provider, and store the country of the default card.

        Effect: an audit record, the card's country in the billing profile; the event is marked as handled.
        Idempotent by: the event's `handled_at`, read under the lock of the profile.
        Fails with: an outage of Stripe, or a rejection of our key, which are retried.
        """
        found = await self._find(message)
        if isinstance(found, ProviderEventResult):
            return found
        row, org_id, ref = found.row, found.org_id, found.ref
        # If Stripe refuses the read, the stored country is kept.
        is_known, country = False, None
        with suppress(ProviderRefused):
            country = await found.customers.paying_country(ref, await found.customers.methods(ref))
            is_known = True
        actor = Actor(principal=row.provider, role=Role.OPERATOR)
        details = {"event_id": row.event_id, "occurred_at": row.occurred_at.isoformat()}
        async with self._database.platform() as session:
            # It locks the profile, so a concurrent attempt has ended before the event is read.
            profile = await profiles.lock(session, org_id, actor.qualified())
            if is_known:
                profile.card_country = country
            held = await provider_event.get(session, message.provider, message.event_id)
            if held is not None and held.handled_at is None:
                target = row.refs[0] if row.refs else row.event_id
                await audit.record(session, actor, row.type, target, details, org_id)
                await provider_event.mark(
                    session, row.provider, [row.event_id], status="handled", payment_id=None, handled=True
                )
        return ProviderEventResult(outcome="handled")

    @activity.defn
    async def look_at_cash(self, message: ProviderEventInput) -> ProviderEventResult:
        """Read money that an organization sent by bank transfer and no payment has used, and alert operators of it.

        Effect: an alert for each currency; the event is marked as handled.
        Idempotent by: the alert's key: the customer, the amount and the day of the event, since several events report
            one amount.
        Fails with: an outage of Stripe, which is retried.
        """
        found = await self._find(message)
        if isinstance(found, ProviderEventResult):
            return found
        row, org_id, ref = found.row, found.org_id, found.ref
        try:
            unused = await found.customers.unused_cash(ref)
            amounts = [f"{format_amount(minor, currency)} {currency}" for currency, minor in sorted(unused.items())]
        except ProviderRefused as refused:
            amounts = [f"money ({refused.detail})"]
        async with self._database.platform() as session:
            for amount in amounts:
                await alert.raise_alert(
                    session,
                    kind="customer.unused_cash",
                    subject=org_id,
                    detail=f"{org_id} has sent {amount} to {message.provider}, as {ref}, and no payment has used "
                    "it. Apply it to a payment there, or return it.",
                    org_id=org_id,
                    key=f"customer.unused_cash:{ref}:{amount}:{row.occurred_at:%Y-%m-%d}",
                )
            await provider_event.mark(
                session, row.provider, [row.event_id], status="handled", payment_id=None, handled=True
            )
        return ProviderEventResult(outcome="handled")
