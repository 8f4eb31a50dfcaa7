"""Books an event of a subscription, in the transaction of the event.

For each bill paid at the provider, an invoice is issued as the tax document, and a payment is recorded that mirrors the
provider's. That payment's own workflow books the money, its fee, refunds and disputes. The price of the period is
deferred revenue until its credits are granted or its days are over.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from types import MappingProxyType

from sqlalchemy.ext.asyncio import AsyncSession

from contracts.payments.payment import PaymentEvent
from domain.billing.invoice.collection import CollectionMethod
from domain.billing.invoice.lines import SUBSCRIPTIONS, InvoiceLine
from domain.billing.invoice.rules import UNTAXED, InvoiceRules
from domain.billing.invoice.wording import text_of
from domain.billing.plan import FREE, Plans
from domain.billing.subscription.accrual import first_day, revenue_to_book
from domain.billing.subscription.converge import entitled_plan
from domain.billing.subscription.state import NetTermsBill, SettledBill, Subscription, SubscriptionStatus, Transition
from domain.common import accounts
from domain.common.access import Actor, Role
from domain.common.ids import accrual_key, subscription_bill_command, subscription_tier_command
from domain.messages.events.subscription import subscription_events
from domain.payments.payment.commands import adopted
from domain.payments.payment.terms import PaymentTerms, Purpose, PurposeKind
from ledger.gateway import Ledger, Posting
from models.billing.invoice import InvoiceRow
from models.billing.subscription import SubscriptionBill
from repositories.billing import invoice, subscription as subscriptions, subscription_bill
from repositories.books import debt
from repositories.messages import event as outbox
from repositories.payments import payment
from repositories.tenants import audit, organization
from runtime.database import Database, driver_connection
from runtime.identity import new_id
from services.billing import (
    invoice as invoices,
    invoice_collection,
    project,
    subscription_charge,
    subscription_grant,
    subscription_notices,
    subscription_seats,
)
from services.billing.outside_tax import OutsideTaxes, TaxAnswer
from services.billing.subscription_refund import REVENUE, deferred_of

#: The responses without an outside tax service.
NO_ANSWERS: Mapping[str, TaxAnswer] = MappingProxyType({})


async def write(
    session: AsyncSession,
    before: Subscription | None,
    outcome: Transition,
    *,
    command_id: str,
    actor: Actor | None,
    at: datetime,
    plans: Plans,
    rules: InvoiceRules = UNTAXED,
    answers: Mapping[str, TaxAnswer] = NO_ANSWERS,
    dunned_on: Sequence[int] = (),
) -> None:
    """Write one numbered event: the row, its timeline, invoices and mirrored payments, credits, and the tier.

    Invoices on net terms are dunned on the given days after they are due. `answers` are those of `tax_answers`.

    The caller holds the lock of the row and has checked that the event was decided from its state `before`. A bill is
    booked once by the provider's id, and credits once by their key, regardless of the state.
    """
    after = outcome.subscription
    is_moved = before is None or entitled_plan(before) != entitled_plan(after)
    if is_moved:
        # Locked first and before its debts, as in deployments and when it is closed.
        await organization.lock(session, after.org_id)
    await subscriptions.write(session, outcome, command_id, at)
    if before is None and after.trial_days:
        await subscriptions.note_trial(session, after, at)
    if (
        after.trial_days
        and after.status is SubscriptionStatus.ENDED
        and (after.ref is None or after.trial_card is None)
    ):
        await subscriptions.forget_trial(session, after.subscription_id)
    platform = Actor(principal=after.provider, role=Role.OPERATOR)
    if outcome.grants:
        await debt.lock(session, after.org_id)
    # All bills are locked before the balances, because a refund holds its bill while it waits for balances.
    for bill_ref in sorted({grant.bill_ref for grant in outcome.grants}):
        await subscription_bill.bill(session, after.provider, bill_ref)
    for billed in outcome.billed:
        await _bill(session, platform, after, billed, plans, rules, answers, dunned_on, at)
    for settled in outcome.settled:
        await _settle(session, platform, after, settled, plans, rules, answers, at)
    # After the bills, which have the tax in the price.
    net_minor = await subscription_bill.net_of(session, after.subscription_id, after.recurring_minor)
    await outbox.record(session, subscription_events(before, after, at, net_minor=net_minor))
    for grant in outcome.grants:
        await subscription_grant.grant(session, platform, after, grant, at)
    if is_moved:
        await _follow_tier(session, platform, after, plans, at)
    await subscription_seats.check_seats(session, before, after, plans)
    await subscription_charge.check_charge(session, outcome)
    await subscription_notices.notify(session, before, outcome, plans, at)
    if actor is not None:
        await audit.record(
            session, actor, f"subscription.{outcome.event}", after.subscription_id, dict(outcome.details), after.org_id
        )


async def accrue(session: AsyncSession, through: date, *, limit: int) -> int:
    """Recognise the revenue of the oldest unbooked day, for some of its bills.

    Returns the number of bills; zero if every day through the last one is booked. Concurrent calls take different
    bills. Each bill stores its next day in this transaction, so a day is booked once.
    """
    rows = await subscription_bill.accruing(session, through, limit)
    if not rows:
        return 0
    first, _ = rows[0]
    day = first.accrued_on + timedelta(days=1)
    until = datetime.combine(day + timedelta(days=1), time(), UTC)
    earned: dict[str, int] = {}
    for row, awaits in rows:
        more = revenue_to_book(deferred_of(row), until, awaits_credits=awaits)
        row.accrued_minor += more
        row.accrued_on = day
        earned[row.currency] = earned.get(row.currency, 0) + more
    await session.flush()
    postings = [
        Posting(accounts.platform(SUBSCRIPTIONS, currency), accounts.platform(REVENUE, currency), amount)
        for currency, amount in sorted(earned.items())
        if amount
    ]
    if postings:
        await Ledger(await driver_connection(session)).post_compound(
            key=accrual_key(day.isoformat(), f"{first.provider}:{first.bill_ref}"),
            kind="subscriptions.accrued",
            postings=postings,
            reference=day.isoformat(),
            org_id=None,
            effective_at=until - timedelta(microseconds=1),
        )
    return len(rows)


async def _bill(
    session: AsyncSession,
    actor: Actor,
    after: Subscription,
    billed: NetTermsBill,
    plans: Plans,
    rules: InvoiceRules,
    answers: Mapping[str, TaxAnswer],
    dunned_on: Sequence[int],
    at: datetime,
) -> None:
    """Issue, mail and dun the invoice of a period on net terms; the provider has only requested the payment."""
    if await subscription_bill.bill(session, after.provider, billed.bill_ref) is not None:
        return
    due_in = timedelta(days=after.terms.net_days)
    issued = await _invoice(session, actor, after, billed, plans, rules, answers, due_in, at)
    await _note_bill(session, after, billed, issued, at)
    await invoice_collection.begin(
        session,
        actor,
        issued,
        CollectionMethod.SEND_INVOICE,
        days=dunned_on,
        command_id=subscription_bill_command(after.provider, billed.bill_ref),
        now=at,
    )


async def _settle(
    session: AsyncSession,
    actor: Actor,
    after: Subscription,
    settled: SettledBill,
    plans: Plans,
    rules: InvoiceRules,
    answers: Mapping[str, TaxAnswer],
    at: datetime,
) -> None:
    row = await subscription_bill.bill(session, after.provider, settled.bill_ref)
    if row is not None and row.settled_at is not None:
        return
    if row is None:
        issued = await _invoice(session, actor, after, settled, plans, rules, answers, timedelta(0), at)
        row = await _note_bill(session, after, settled, issued, at)
    else:
        issued = await invoice.get(session, row.invoice_id)
    row.payment_id = await _mirror(session, actor, after, settled, issued, at)
    row.settled_at = at
    await session.flush()


async def _invoice(
    session: AsyncSession,
    actor: Actor,
    after: Subscription,
    asked: SettledBill | NetTermsBill,
    plans: Plans,
    rules: InvoiceRules,
    answers: Mapping[str, TaxAnswer],
    due_in: timedelta,
    at: datetime,
) -> InvoiceRow:
    return await invoices.issue(
        session,
        actor,
        org_id=after.org_id,
        currency=asked.currency,
        lines=[_line(after, asked, plans)],
        note=None,
        due_in=due_in,
        command_id=subscription_bill_command(after.provider, asked.bill_ref),
        now=at,
        includes_tax=True,
        rules=rules,
        answer=answers.get(asked.bill_ref),
    )


async def tax_answers(
    database: Database, outside: OutsideTaxes, outcome: Transition, plans: Plans, *, at: datetime, within: timedelta
) -> Mapping[str, TaxAnswer]:
    """Return the tax service's responses, by bill, for an event's uninvoiced bills; call it before `write`."""
    after, answers = outcome.subscription, dict[str, TaxAnswer]()
    bills: list[SettledBill | NetTermsBill] = [] if outside.service is None else [*outcome.billed, *outcome.settled]
    for asked in bills:
        async with database.platform() as session:
            if await subscription_bill.bill(session, after.provider, asked.bill_ref) is not None:
                continue
        answer = await outside.of_invoice(
            after.org_id,
            asked.currency,
            [_line(after, asked, plans)],
            key=subscription_bill_command(after.provider, asked.bill_ref),
            now=at,
            includes_tax=True,
            within=within,
        )
        if answer is not None:
            answers[asked.bill_ref] = answer
    return answers


def _line(after: Subscription, asked: SettledBill | NetTermsBill, plans: Plans) -> InvoiceLine:
    days = (f"{day:%Y-%m-%d}" for day in (asked.period.start, asked.period.end))
    late_plan = asked.plan if isinstance(asked, SettledBill) else None
    wording = (("plan", plans.of(late_plan or after.terms.plan).title, *days),)
    # A charge for a part of a period has no quantity and unit price.
    quantity = after.terms.quantity if asked.amount_minor == after.terms.amount_minor else 1
    return InvoiceLine(
        description=text_of(wording),
        wording=wording,
        quantity=quantity,
        unit_minor=asked.amount_minor // quantity,
        stream=SUBSCRIPTIONS,
        period_start=asked.period.start,
        period_end=asked.period.end,
        reference=after.subscription_id,
    )


async def _note_bill(
    session: AsyncSession, after: Subscription, asked: SettledBill | NetTermsBill, issued: InvoiceRow, at: datetime
) -> SubscriptionBill:
    net_minor = asked.amount_minor - issued.tax_minor
    for_credits = asked.for_credits_minor * net_minor // asked.amount_minor
    row = SubscriptionBill(
        provider=after.provider,
        bill_ref=asked.bill_ref,
        subscription_id=after.subscription_id,
        org_id=after.org_id,
        invoice_id=issued.id,
        currency=asked.currency,
        gross_minor=asked.amount_minor,
        amount_minor=net_minor,
        period_start=asked.period.start,
        period_end=asked.period.end,
        for_credits_minor=for_credits,
        granted_minor=0,
        accrued_minor=0,
        accrued_on=first_day(asked.period, at, only_credits=for_credits == net_minor > 0) - timedelta(days=1),
    )
    await subscription_bill.add(session, row)
    return row


async def _mirror(
    session: AsyncSession, actor: Actor, after: Subscription, settled: SettledBill, issued: InvoiceRow, at: datetime
) -> str | None:
    """Record the payment that the provider has made; its workflow reads it there and pays the invoice with it."""
    if settled.payment_ref is None:
        return None
    terms = PaymentTerms(
        payment_id=new_id("pay"),
        org_id=after.org_id,
        provider=after.provider,
        amount_minor=settled.amount_minor,
        currency=settled.currency,
        purpose=Purpose(
            kind=PurposeKind.INVOICE,
            goods_asset=settled.currency,
            goods_minor=settled.amount_minor,
            invoice_id=issued.id,
        ),
        description=f"Invoice {issued.number}",
        created_at=at,
        expires_at=at + timedelta(days=1),
    )
    made = adopted(terms, settled.payment_ref, actor=actor)
    event = PaymentEvent(payment=made.payment, event=made.event, actor=made.actor, details=dict(made.details), at=at)
    await payment.write(session, event, None)
    return terms.payment_id


async def _follow_tier(session: AsyncSession, actor: Actor, after: Subscription, plans: Plans, at: datetime) -> None:
    """Set the organization's tier to its plan, which replaces a tier that an operator set meanwhile."""
    wanted, tier = entitled_plan(after) or FREE, (await organization.get(session, after.org_id)).tier
    if wanted == tier or not any(plan.name == wanted for plan in plans.all):
        return
    order = project.ProjectCommand(
        actor=actor,
        org_id=after.org_id,
        command_id=subscription_tier_command(after.subscription_id, after.version),
        at=at,
        plans=plans,
    )
    await project.change_tier(session, order, wanted)
