"""Renews monthly purchases of agents, with credits or by a stored payment method."""

from datetime import datetime

import structlog
from temporalio import activity
from temporalio.client import Client

from activities.common.one_by_one import one_by_one
from contracts.common.batch import DuePage
from contracts.marketplace.marketplace import PurchaseRenewalPage
from contracts.payments.payment import PaymentInput
from contracts.runs import payment_run
from domain.common.access import Actor, Role
from domain.common.errors import DomainError, TaxRefused
from domain.common.ids import renewal_command_id, sale_tax_key
from domain.credits.lots import Sharing
from domain.payments.payment.options import STRIPE, Options
from domain.payments.payment.pricing import Order
from domain.payments.payment.purposes import rules_for
from domain.payments.payment.purposes.purchase import OfferToBuy
from domain.payments.payment.terms import PaymentTerms, PurposeKind
from repositories.marketplace import marketplace
from repositories.payments import customer, payment_command
from runtime import reach
from runtime.database import Database
from services.marketplace import marketplace_renewal
from services.marketplace.marketplace_renewal import PRINCIPAL, DueRenewal
from services.payments.payment_method import default_method
from services.payments.payment_terms import TermsMaker

log = structlog.get_logger("bursar.marketplace")


class MarketplaceActivities:
    """The activity of `PurchaseRenewalsWorkflow`: purchases with credits are booked, others start a payment."""

    def __init__(self, database: Database, client: Client, terms: TermsMaker, *, sharing: Sharing = Sharing()) -> None:
        self._database, self._client, self._terms = database, client, terms
        self._sharing = sharing

    @activity.defn
    async def renew_purchases(self, message: DuePage) -> PurchaseRenewalPage:
        """Renew due purchases: debit credits, or start a payment, whose fulfilment writes the next period.

        Effect: a purchase for each that was paid with credits; a payment with its own run for each other one; a mail
            for each that could not be paid. A purchase that is not renewed ends with its period.
        Idempotent by: the purchase of the previous period, which has at most one successor; the payment by its command
            id, of that purchase and the number of the attempt.
        Fails with: nothing that is final. One that fails stays due, and does not stop the others.
        """
        async with self._database.platform() as session:
            ids = await marketplace.due(session, now=message.now, after=message.after, limit=message.limit)

        async def renew(purchase_id: str) -> str | None:
            return await self._renew(purchase_id, message.now)

        done = await one_by_one(ids, renew, self._failed)
        return PurchaseRenewalPage(
            found=len(ids),
            last=ids[-1] if ids else message.after,
            renewed=done.count("renewed"),
            asked=done.count("asked"),
            failed=len(ids) - len(done),
        )

    async def _failed(self, purchase_id: str, error: Exception) -> None:
        log.exception("marketplace.not_renewed", purchase_id=purchase_id, error=str(error))

    async def _renew(self, purchase_id: str, now: datetime) -> str | None:
        async with self._database.platform() as session:
            done = await marketplace_renewal.renew(session, purchase_id, sharing=self._sharing, now=now)
            ref = None if not isinstance(done, DueRenewal) else await customer.ref_of(session, done.org_id, STRIPE)
        if not isinstance(done, DueRenewal):
            return None if done is None else "renewed"
        asked = await self._ask(done, ref, now)
        async with self._database.platform() as session:
            await marketplace_renewal.record_attempt(session, done, now=now)
        return "asked" if asked else None

    async def _ask(self, due: DueRenewal, ref: str | None, now: datetime) -> bool:
        """Create the payment of the next period, once. Returns False if no payment method can be charged."""
        command_id, terms = renewal_command_id(due.purchase_id, due.tries), due.asked
        if terms is None:
            try:
                wanted = await self._wanted(due, ref, now)
            except DomainError as refusal:
                if refusal.retryable or refusal.status >= 500 or isinstance(refusal, TaxRefused):
                    raise
                return False
            async with self._database.platform() as session:
                terms = await payment_command.store_terms(session, command_id, b"renewal", wanted)
        actor = Actor(principal=PRINCIPAL, role=Role.OWNER, org_id=due.org_id)
        await reach.start_missing(
            self._client, payment_run(PaymentInput(terms=terms, created_by=actor, command_id=command_id))
        )
        return True

    async def _wanted(self, due: DueRenewal, ref: str | None, now: datetime) -> PaymentTerms:
        method = due.method or await default_method(self._terms.providers, ref)
        options = Options(payment_method=method, off_session=True, return_url=self._terms.rules.return_url)
        buying = OfferToBuy(offer=due.offer, creator_bps=due.creator_bps, renews=due.purchase_id)
        rules, order = rules_for(PurposeKind.PURCHASE), Order(options=options, subject=buying)
        charge = await self._terms.charged(rules.price(order, self._terms.market), now=now)
        purpose = rules.buys(order, charge, self._terms.market)
        key = sale_tax_key(renewal_command_id(due.purchase_id, due.tries))
        tax = await self._terms.taxation(due.org_id, purpose.kind, charge, key=key, now=now)
        return self._terms.make(due.org_id, options, charge, purpose, rules.describe(purpose, buying), now=now, tax=tax)
