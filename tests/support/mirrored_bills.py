"""The payment that mirrors a bill of a subscription, as its run writes it: refunds, disputes, credits that are used."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from temporalio.common import MetricMeter
from temporalio.testing import ActivityEnvironment

from activities.payments.payment import PaymentActivities
from contracts.payments.payment import PaymentEvent, RecordedPayment
from domain.common import accounts
from domain.common.access import Actor, Role
from domain.common.credits import CreditPrice
from domain.common.money import CREDIT, amounts_from
from domain.payments.payment import commands, refunds
from domain.payments.payment.purposes.invoice import invoice_paid
from domain.payments.payment.snapshot import CreatePayment
from domain.payments.payment.state import Outcome
from ledger.gateway import Ledger
from models.payments.payment import PaymentRow
from repositories.payments import payment as payments
from runtime.database import Database, driver_connection
from runtime.identity import new_id
from services.credits.credit_lot import ManualGrantRules
from tests.api.paying import NOW, Written
from tests.domain.subscription.building import bill, month, seen
from tests.support.runs import payment_message
from tests.support.subscription_books import Subscribed, subscribed

KIM = Actor(principal="kim", role=Role.OPERATOR)


class Mirrored(Written):
    """The payment that mirrors a bill of a subscription, and has paid its invoice.

    `two_above`: from there on its refunds take two operators.
    """

    two_above: str | None = None

    @classmethod
    async def of(cls, one: Subscribed, number: int = 0) -> "Mirrored":
        (row,) = [each for each in await one.rows(PaymentRow) if f"-in_{number}-" in (each.provider_ref or "")]
        state = payments.state_of(row)
        made = cls(one.database, one.org_id, payment_id=row.id)
        made.terms, made.payment = state.terms, state
        asked = CreatePayment(
            payment_id=row.id,
            org_id=one.org_id,
            amount_minor=state.terms.amount_minor,
            currency=state.terms.currency,
            description="",
            expires_at=state.terms.expires_at,
        )
        made.there = replace(made.there, asked=asked, ref=str(row.provider_ref))
        made.there.pay(fee=0)
        await made.look()
        assert made.payment is not None
        await made._write(invoice_paid(made.payment, at=NOW))
        return made

    async def refund(
        self,
        amount_minor: int | None = None,
        *,
        command: str | None = None,
        at: datetime = NOW,
        actor: Actor = KIM,
        is_all: bool = False,
        with_credit_note: bool = False,
    ) -> RecordedPayment:
        assert self.payment is not None
        command = command or new_id("re")
        outcome = refunds.refund(
            self.payment,
            refund_id=command,
            amount_minor=amount_minor,
            reason="Not as described",
            requested_by=actor.qualified(),
            at=at,
            is_all=is_all,
            with_credit_note=with_credit_note,
        )
        return await self.record(commands.with_receipt(outcome, command), command, at, actor)

    async def record(self, outcome: Outcome, command: str, at: datetime, actor: Actor) -> RecordedPayment:
        event = PaymentEvent.of(outcome, at=at, actor=actor, command_id=command)
        environment = ActivityEnvironment()
        environment.info = replace(environment.info, is_local=True)
        environment.metric_meter = MetricMeter.noop
        above = None if self.two_above is None else amounts_from(self.two_above)
        by_hand = ManualGrantRules(two_above=above, price=CreditPrice(price=Decimal("0.10"), currency="USD"))
        activity = PaymentActivities(self.database, by_hand=by_hand).record
        recorded = await environment.run(activity, await payment_message(self.database, event, at=at))
        if recorded.applied:
            self.payment = recorded.stored
        return recorded

    async def done(self) -> None:
        """Have the provider make the refunds that the books have."""
        assert self.payment is not None
        for item in self.payment.refunds:
            self.there.refund(item.amount_minor, refund_id=item.refund_id)
        await self.look()


async def paid(database: Database, plan: str = "starter", minor: int = 2_900) -> tuple[Subscribed, Mirrored]:
    one = await subscribed(database, plan)
    await one.look(seen(bill(0, minor, month(0))))
    return one, await Mirrored.of(one)


async def use(one: Subscribed, credits: int) -> None:
    async with one.database.platform() as session:
        await spent(Ledger(await driver_connection(session)), one, credits)


async def spent(ledger: Ledger, one: Subscribed, credits: int) -> None:
    await ledger.post(
        key=new_id("key"),
        kind="test",
        source=accounts.org_credits(one.org_id),
        destination=accounts.platform("credit_redemption", CREDIT),
        amount_minor=credits * 10**6,
        effective_at=NOW,
    )
