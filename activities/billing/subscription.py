"""Writes a subscription's events, and calls its provider."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncSession
from temporalio import activity
from temporalio.client import Client
from temporalio.service import RPCError

from activities.books.books import RefusalAlert, alerted_retry, is_next, require_local, require_stored
from activities.common.seals import Seals
from activities.common.sweeps import resumed_payment
from contracts.billing.subscription import (
    LoadSubscription,
    RecordedSubscription,
    RecordSubscription,
    SubscriptionRequest,
    SubscriptionResponse,
)
from contracts.escrow.escrow import Declined
from domain.billing.invoice.rules import InvoiceRules
from domain.billing.plan import Plans
from domain.billing.subscription.commands import require_first_trial, require_none, require_none_unpaid
from domain.billing.subscription.orders import CREATING, is_cancelled_before_creation
from domain.billing.subscription.snapshot import SubscriptionSnapshot
from domain.billing.subscription.state import OrderKind, Subscription, Terms, Transition
from domain.billing.subscription.unpaid import unpaid_upgrade
from domain.common.errors import SubscriptionRefused, SubscriptionTrialUsed
from domain.payments.dunning import DUNNING_DAYS
from domain.tenants.organization import STOPPED_ERRORS, OrganizationStatus
from providers.payments.base import OutcomeUnknown, ProviderRefused
from providers.subscriptions.base import Item, NewSubscription, SubscriptionProvider
from providers.tax.service import TaxService
from repositories.billing import subscription as subscriptions, subscription_bill
from repositories.messages import alert
from repositories.payments import provider_event
from repositories.tenants import organization
from runtime import reach
from runtime.database import Database
from services.billing.outside_tax import OutsideTaxes
from services.billing.subscription import NO_ANSWERS, tax_answers, write

#: The timeout of an outside tax service: shorter than that of an attempt.
TAX_TIMEOUT = timedelta(seconds=8)
#: The timeout for starting a payment's run.
START_TIMEOUT = timedelta(seconds=2)
#: The number of attempts before the payment sweep takes over.
START_ATTEMPTS = 10
_CARD_USED = Declined(code=SubscriptionTrialUsed.code, detail="This card has had a trial.")


class SubscriptionActivities:
    """The activities of `SubscriptionWorkflow`."""

    def __init__(
        self,
        database: Database,
        client: Client,
        provider: SubscriptionProvider | None,
        plans: Plans,
        *,
        rules: InvoiceRules,
        sealed_signals: bool = False,
        dunned_on: Sequence[int] = DUNNING_DAYS,
        taxes: TaxService | None = None,
    ) -> None:
        """Take the database, the Temporal client, the provider, the plans, and how invoices are made and dunned.

        `taxes` decides taxes instead of the stored rates: until it answers for a bill, the bill's event is not written.
        With `sealed_signals`, unsealed commands of people are declined.
        """
        self._database = database
        self._client = client
        self._provider = provider
        self._plans = plans
        self._rules = rules
        self._outside = OutsideTaxes(database, taxes, rules)
        self._dunned_on = tuple(dunned_on)
        self._seals = Seals("subscription", required=sealed_signals)

    @activity.defn(name="record_subscription")
    async def record(self, message: RecordSubscription) -> RecordedSubscription:
        """Write one event, or return the state that the books hold instead.

        Effect: the subscription's row, a row of its timeline, an invoice for each bill that was paid or is requested on
            net terms, a mirrored payment for each that was paid, credits, the organization's tier; the provider's
            events marked as handled. Then the runs of those payments start, also those that an earlier attempt has
            written and not started. The payment sweep starts one that is missed, and the invoice sweep starts dunning.
        Idempotent by: the event's number and its command, both unique within the subscription, under the row's lock; a
            bill by the provider's id of it, credits by their key.
        Fails with: nothing that is final. An event that the books refuse, or that an outside tax service has no answer
            for, is retried; an operator is alerted of refusals.
        """
        require_local()
        recorded = await self._recorded(message)
        if message.settled:
            await self._begin_payments(message.subscription.provider, [each.bill_ref for each in message.settled])
        return recorded

    async def _recorded(self, message: RecordSubscription) -> RecordedSubscription:
        after = message.subscription
        books, subject = self._database, after.subscription_id
        refused = RefusalAlert(books, "subscription", subject, message.event, after.version, after.org_id)
        async with alerted_retry(refused):
            unsealed = self._seals.declined(message.actor_detail)
            if unsealed is not None and message.event != "command_refused":
                return RecordedSubscription(applied=False, declined=unsealed)
            outcome = None if message.event is None else _outcome(message, message.event)
            answers = NO_ANSWERS
            if outcome is not None:
                answers = await tax_answers(
                    self._database, self._outside, outcome, self._plans, at=message.at, within=TAX_TIMEOUT
                )
            async with self._database.platform() as session:
                held = await subscriptions.lock(session, after.subscription_id)
                if outcome is not None:
                    if await subscriptions.has_done(session, after.subscription_id, message.command_id):
                        return RecordedSubscription(applied=True, stored=held)
                    if not is_next(held, after.version, message.decided_from, after.subscription_id):
                        return RecordedSubscription(applied=False, stored=held)
                    if held is None and (other := await _refused_start(session, after)) is not None:
                        return RecordedSubscription(applied=False, declined=other)
                    if not await _is_first_card(session, held, after):
                        return RecordedSubscription(applied=False, declined=_CARD_USED)
                    await write(
                        session,
                        held,
                        outcome,
                        command_id=message.command_id,
                        actor=message.actor_detail,
                        at=message.at,
                        plans=self._plans,
                        rules=self._rules,
                        answers=answers,
                        dunned_on=self._dunned_on,
                    )
                await alert.close_cases(session, after.subscription_id, ("subscription.books_refused",))
                if message.handled:
                    await provider_event.mark(
                        session, after.provider, message.handled, status="handled", payment_id=None, handled=True
                    )
        return RecordedSubscription(applied=True)

    @activity.defn(name="load_subscription")
    async def load(self, message: LoadSubscription) -> Subscription:
        """Return the state that the books hold, for a run that resumes."""
        async with self._database.platform() as session:
            return require_stored(await subscriptions.get(session, message.subscription_id), message.subscription_id)

    @activity.defn(name="order_of_subscription")
    async def order(self, message: SubscriptionRequest) -> SubscriptionResponse:
        """Send the request to the provider; a new subscription is looked up there first.

        Effect: one change there.
        Idempotent by: the key, as long as the provider remembers it; a subscription by our id on it, a change by its
            new price.
        Fails with: ProviderUnavailable, which is retried: nothing happened there.
        """
        try:
            return await self._with_given_up(message.subscription, await self._ordered(message))
        except OutcomeUnknown as error:
            return SubscriptionResponse(unknown=error.detail)
        except ProviderRefused as refusal:
            return SubscriptionResponse(declined=Declined(code=refusal.code, detail=refusal.detail))

    @activity.defn(name="look_at_subscription")
    async def look(self, message: SubscriptionRequest) -> SubscriptionResponse:
        """Read the subscription at the provider.

        Effect: none, except that the hosted page is closed if the subscription is to end.
        Idempotent by: reading only; a closed page stays closed.
        Fails with: ProviderUnavailable, which is retried.
        """
        provider, asked = self._named(), message.subscription
        try:
            if asked.checkout is not None and is_cancelled_before_creation(asked):
                await provider.close_page(asked.checkout.ref, idempotency_key=message.key)
            found = (
                await provider.find(asked.customer, asked.subscription_id)
                if asked.ref is None
                else await provider.retrieve(asked.ref)
            )
        except (OutcomeUnknown, ProviderRefused) as error:
            return SubscriptionResponse(unknown=error.detail)
        async with self._database.platform() as session:
            suspended = (await organization.get(session, asked.org_id)).status == OrganizationStatus.SUSPENDED.value
        response = SubscriptionResponse(snapshot=found, missing=found is None, suspended=suspended)
        return await self._with_given_up(asked, response)

    @activity.defn(name="end_given_up_subscription")
    async def end_given_up(self, message: SubscriptionRequest) -> None:
        """Cancel a subscription that the provider created although an operator gave it up, and alert of its charges.

        Effect: the subscription ends there at once; an alert.
        Idempotent by: our id on it, and that an ended one stays ended; the alert by its key.
        Fails with: ProviderUnavailable and OutcomeUnknown, which are retried.
        """
        provider, asked = self._named(), message.subscription
        try:
            found = await provider.find(asked.customer, asked.subscription_id)
            if found is None:
                return
            found = await provider.cancel(found.ref, at_period_end=False, idempotency_key=message.key)
            paid = ", ".join(bill.ref for bill in found.bills if bill.paid_minor) or "nothing"
            sentence = f"{found.ref} was made at the provider. It has ended there. Refund what was paid for it: {paid}."
        except ProviderRefused as refusal:
            # A retry would be refused again, and the run would never end.
            sentence = f"the provider refuses to end it: {refusal.detail} End it there, and refund what it was paid."
        async with self._database.platform() as session:
            await alert.raise_alert(
                session,
                kind="subscription.made_after_all",
                subject=asked.subscription_id,
                detail=f"{asked.subscription_id} was given up, and {sentence}",
                org_id=asked.org_id,
                key=f"subscription.made_after_all:{asked.subscription_id}",
            )

    async def _with_given_up(self, asked: Subscription, response: SubscriptionResponse) -> SubscriptionResponse:
        """Add the uncollectible invoices of a subscription on net terms."""
        if not asked.terms.net_days or response.snapshot is None:
            return response
        async with self._database.platform() as session:
            found = await subscription_bill.given_up(session, asked.subscription_id)
        return response.model_copy(update={"given_up": tuple(found)})

    async def _ordered(self, message: SubscriptionRequest) -> SubscriptionResponse:
        provider, asked, key = self._named(), message.subscription, message.key
        if asked.order is None or asked.order.kind not in CREATING:
            return SubscriptionResponse(snapshot=await self._changed(message))
        # A lost run may have requested it so long ago that the provider has forgotten the key.
        found = await provider.find(asked.customer, asked.subscription_id)
        if found is not None:
            return SubscriptionResponse(snapshot=found)
        if asked.return_url is None:
            return SubscriptionResponse(snapshot=await provider.create(_new(asked), idempotency_key=key))
        page = await provider.check_out(_new(asked), return_url=asked.return_url, idempotency_key=key)
        return SubscriptionResponse(page=page)

    async def _changed(self, message: SubscriptionRequest) -> SubscriptionSnapshot:
        provider, asked, key = self._named(), message.subscription, message.key
        order, change, ref = asked.order, asked.change, asked.ref
        assert order is not None
        assert ref is not None
        # An unpaid upgrade is already billed at the provider.
        drops = order.kind is OrderKind.RESUME and unpaid_upgrade(asked) is None
        wanted = asked.terms if change is None or drops else change.terms
        price, quantity = wanted.price_id or "", wanted.quantity
        match order.kind:
            case OrderKind.UPGRADE:
                assert change is not None
                return await provider.upgrade(
                    ref,
                    price,
                    at=change.acts_at,
                    idempotency_key=key,
                    quantity=quantity,
                    held=_item(asked.terms),
                    most_minor=change.most_minor,
                )
            case OrderKind.DOWNGRADE:
                return await provider.downgrade(ref, price, idempotency_key=key, quantity=quantity)
            case OrderKind.RESUME | OrderKind.GO_ON:
                return await provider.resume(ref, price, idempotency_key=key, quantity=quantity)
            case OrderKind.SUSPEND:
                return await provider.cancel(ref, at_period_end=True, idempotency_key=key)
            case OrderKind.CANCEL | OrderKind.CANCEL_AT_END:
                at_end = order.kind is OrderKind.CANCEL_AT_END
                held = _item(asked.terms) if unpaid_upgrade(asked) is None else None
                return await provider.cancel(ref, at_period_end=at_end, idempotency_key=key, held=held)
            case OrderKind.UNDO:
                bill = None if change is None else change.bill_ref
                held, until = _item(asked.terms), order.until
                return await provider.undo(ref, held, bill_ref=bill, until=until, idempotency_key=key)
        raise AssertionError(order.kind)

    def _named(self) -> SubscriptionProvider:
        if self._provider is None:
            # The provider's settings were removed while subscriptions are open. An operator has to restore them.
            raise RuntimeError("Subscriptions are not configured in this worker.")
        return self._provider

    async def _begin_payments(self, provider: str, bill_refs: Sequence[str]) -> None:
        async with self._database.platform() as session:
            runs = [
                resumed_payment(row, provider) for row in await subscription_bill.mirrored(session, provider, bill_refs)
            ]
        try:
            for run in runs:
                await reach.start_missing(self._client, run, rpc_timeout=START_TIMEOUT)
        except (RPCError, TimeoutError):
            # The next attempt finds the event written. Without a run a paid bill is open until the sweep.
            if activity.info().attempt < START_ATTEMPTS:
                raise


def _outcome(message: RecordSubscription, event: str) -> Transition:
    return Transition(
        subscription=message.subscription,
        event=event,
        actor=message.actor,
        settled=message.settled,
        grants=message.grants,
        details=message.details,
        billed=message.billed,
    )


async def _refused_start(session: AsyncSession, after: Subscription) -> Declined | None:
    """Return why a subscription cannot begin, such as a suspended organization or another subscription.

    Concurrent starts, and a suspension of the organization, wait for each other.
    """
    await organization.lock(session, after.org_id)
    try:
        await organization.refuse_stopped(session, after.org_id)
        require_none(await subscriptions.current_of(session, after.org_id))
        if after.trial_days:
            require_first_trial(after.org_id, await subscriptions.trial_of(session, after))
        if after.terms.net_days:
            require_none_unpaid(after.terms, is_unpaid=await subscription_bill.has_unpaid(session, after.org_id))
    except (SubscriptionRefused, *STOPPED_ERRORS) as refusal:
        return Declined.of(refusal)
    return None


async def _is_first_card(session: AsyncSession, held: Subscription | None, after: Subscription) -> bool:
    """Return whether a trial has no new card, or one without an earlier trial."""
    if held is None or held.trial_card is not None or after.trial_card is None:
        return True
    return await subscriptions.note_trial_card(session, after)


def _item(terms: Terms) -> Item:
    return Item(price_id=terms.price_id or "", quantity=terms.quantity)


def _new(asked: Subscription) -> NewSubscription:
    return NewSubscription(
        subscription_id=asked.subscription_id,
        org_id=asked.org_id,
        customer=asked.customer,
        price_id=asked.terms.price_id or "",
        trial_days=asked.trial_days,
        net_days=asked.terms.net_days,
        quantity=asked.terms.quantity,
    )
