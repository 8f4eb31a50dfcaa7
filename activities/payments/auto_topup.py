"""Activities of automatic top-ups: find low balances, and buy credits for them."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from temporalio import activity
from temporalio.client import Client

from contracts.payments.auto_topup import (
    AutoTopUpInput,
    FindLowBalances,
    LowBalancePage,
    OrderedAutoTopUp,
    SettleAutoTopUp,
    SettledAutoTopUp,
    StartAutoTopUps,
    StartedAutoTopUps,
)
from contracts.payments.payment import CreatePaymentCommand, PaymentCommandResult, PaymentInput
from contracts.runs import auto_topup_run, payment_run
from domain.common.access import Actor, Role
from domain.common.errors import DomainError
from domain.common.ids import auto_topup_command_id, sale_tax_key
from domain.payments.dunning import DUNNING_DAYS
from domain.payments.payment.options import STRIPE
from domain.payments.payment.terms import PaymentTerms
from models.payments.auto_topup import AutoTopUpFall
from repositories.payments import auto_topup as auto_topups, customer as customers, payment as payments
from runtime import reach
from runtime.database import Database
from services.payments import auto_topup
from services.payments.payment_method import default_method
from services.payments.payment_terms import TermsMaker

#: Principal of the payments.
PRINCIPAL = "auto-topup"
#: How long to wait for the provider's response before the payment is requested again.
PAYMENT_TIMEOUT = timedelta(seconds=20)


class AutoTopUpActivities:
    """Activities of `AutoTopUpSweepWorkflow` and `AutoTopUpWorkflow`."""

    def __init__(
        self, database: Database, client: Client, terms: TermsMaker, dunned_on: Sequence[int] = DUNNING_DAYS
    ) -> None:
        """Use the database with the platform's role, the Temporal client, and the maker of payments' terms.

        A declined top-up is retried `dunned_on` days after the first decline.
        """
        self._dunned_on = dunned_on
        self._database = database
        self._client = client
        self._terms = terms

    @activity.defn(name="look_for_falls")
    async def look(self, message: FindLowBalances) -> LowBalancePage:
        """Record balances that fell below their threshold.

        Effect: a row for each fall, and an alert for each that would exceed the monthly cap.
        Idempotent by: at most one open fall for an organization; the next only after the balance was above the
            threshold.
        """
        async with self._database.platform() as session:
            done = await auto_topup.record_falls(
                session,
                now=message.now,
                after=message.after,
                limit=message.limit,
                most_minor=self._terms.largest_top_up_minor,
            )
        falls = []
        for one in done.open:
            if message.everything or not one.begun:
                assert one.number is not None
                assert one.credits_minor is not None
                falls.append(AutoTopUpInput(org_id=one.org_id, number=one.number, credits_minor=one.credits_minor))
        return LowBalancePage(found=done.seen, last=done.last, noted=done.noted, capped=done.capped, open=tuple(falls))

    @activity.defn(name="start_auto_topups")
    async def start(self, message: StartAutoTopUps) -> StartedAutoTopUps:
        """Start the runs of falls without one.

        Effect: a run for each fall.
        Idempotent by: the run's id, made of the organization and the number of the fall.
        """
        runs = [auto_topup_run(one) for one in message.open]
        started = await asyncio.gather(*(reach.start_missing(self._client, run) for run in runs))
        return StartedAutoTopUps(count=sum(started))

    @activity.defn(name="order_auto_topup")
    async def order(self, message: AutoTopUpInput) -> OrderedAutoTopUp:
        """Create the payment of a fall, and wait for the provider's response.

        Effect: one payment, with its run.
        Idempotent by: the command id, made of the organization and the number of the fall. The terms are stored under
            it before the payment starts.
        Fails with: an outage of Temporal, the provider or the books, which is retried.
        """
        command_id = auto_topup_command_id(message.org_id, message.number)
        async with self._database.platform() as session:
            crossing = await auto_topups.find_fall(session, message.org_id, message.number)
            terms = await auto_topup.requested_payment(session, crossing)
            customer = await customers.ref_of(session, message.org_id, STRIPE)
        if terms is None:
            try:
                wanted = await self._wanted(crossing, customer)
            except DomainError as refusal:
                if refusal.retryable or refusal.status >= 500:
                    raise
                return OrderedAutoTopUp(refused=refusal.detail)
            async with self._database.platform() as session:
                terms = await auto_topup.request_payment(session, crossing, wanted)
        if terms is None:
            return OrderedAutoTopUp()
        await self._create(terms, command_id)
        return OrderedAutoTopUp(payment_id=terms.payment_id)

    @activity.defn(name="settle_auto_topup")
    async def settle(self, message: SettleAutoTopUp) -> SettledAutoTopUp:
        """Record the outcome of a fall, once it is known.

        Effect: the fall's outcome. After a success the next fall counts; after a decline a retry is scheduled, or the
            top-up switched off.
        Idempotent by: the outcome, which is recorded once.
        """
        async with self._database.platform() as session:
            done = await auto_topup.record_outcome(
                session,
                message.org_id,
                message.number,
                refused=message.refused,
                now=datetime.now(UTC),
                days=self._dunned_on,
            )
        return SettledAutoTopUp(
            outcome=done.outcome.value, payment_id=done.payment_id, status=done.status, why=done.why
        )

    async def _wanted(self, crossing: AutoTopUpFall, customer: str | None) -> PaymentTerms:
        method = crossing.payment_method or await default_method(self._terms.providers, customer)
        key, now = sale_tax_key(auto_topup_command_id(crossing.org_id, crossing.number)), datetime.now(UTC)
        return await self._terms.off_session(crossing.org_id, method, crossing.credits_minor, key=key, now=now)

    async def _create(self, terms: PaymentTerms, command_id: str) -> None:
        """Start the payment's run. The outcome is read from the books later, not from the run's response."""
        actor = Actor(principal=PRINCIPAL, role=Role.OWNER, org_id=terms.org_id)
        async with self._database.platform() as session:
            row = await payments.get(session, terms.payment_id)
        start = PaymentInput(terms=terms, created_by=actor, command_id=command_id, resume=row is not None)
        await reach.update(
            self._client,
            payment_run(start),
            "create",
            CreatePaymentCommand(command_id=command_id, actor=actor),
            update_id=command_id,
            result_type=PaymentCommandResult,
            rpc_timeout=PAYMENT_TIMEOUT,
        )
