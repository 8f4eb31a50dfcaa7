"""A sample of every message of subscriptions, with every field set."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from contracts import subscription as messages
from contracts.base import Message
from contracts.escrow import Declined
from domain.access import Actor, Role
from domain.plan import Interval, Plan, PlanPrice, Plans
from domain.subscription.period import Anchor, Period
from domain.subscription.snapshot import (
    Bill,
    BillLine,
    BillReason,
    BillState,
    CheckoutPage,
    ProviderState,
    SubscriptionSnapshot,
)
from domain.subscription.state import (
    Billed,
    Change,
    ChangeKind,
    Grant,
    LatePeriod,
    Order,
    OrderKind,
    Request,
    Settled,
    Subscription,
    SubscriptionStatus,
    Terms,
    YearBill,
)

T0 = datetime(2026, 1, 31, 10, tzinfo=UTC)
MONTH = Period(start=T0, end=T0 + timedelta(days=28))
TERMS = Terms(
    plan="starter",
    interval=Interval.YEAR,
    amount_minor=29_000,
    currency="USD",
    credits_minor=500_000_000,
    price_id="price_1",
    net_days=30,
    seats=5,
)
ACTOR = Actor(
    principal="procurement",
    role=Role.OWNER,
    org_id="org_1",
    agent_id="agt_1",
    key_id="key_1",
    request_id="req_1",
    address="127.0.0.1",
    claimed=True,
)
STATE = Subscription(
    subscription_id="sub_1",
    org_id="org_1",
    customer="cus_1",
    provider="stripe",
    terms=TERMS,
    status=SubscriptionStatus.ACTIVE,
    zone="Europe/Vienna",
    trial_days=14,
    ref="sub_there",
    item_ref="si_1",
    anchor=Anchor(at=T0, zone="Europe/Vienna"),
    period=MONTH,
    trial_end=T0,
    paid_through=MONTH.end,
    paid_bill="in_1",
    paid_minor=29_000,
    granted_until=MONTH.end,
    months_granted=1,
    order=Order(kind=OrderKind.UPGRADE, command_id="cmd_2", unknown=True, until=T0),
    cancel_at_period_end=True,
    change=Change(
        kind=ChangeKind.UPGRADE,
        terms=TERMS,
        command_id="cmd_2",
        acts_at=T0,
        credits_minor=1,
        most_minor=1,
        bill_ref="in_3",
        lapses_at=T0,
    ),
    settled=("in_1",),
    ended_at=T0,
    ended_why="cancelled",
    version=3,
    receipts=("cmd_1",),
    return_url="https://example.com/billing",
    checkout=CheckoutPage(ref="cs_1", url="https://example.com/pay", expires_at=T0),
    trial_card="ab" * 32,
    trial_told=True,
    requests=(Request(bill_ref="in_2", credits_minor=500_000_000, due_at=T0, pay_url="https://pay.example/in_2"),),
    pay_url="https://example.com/pay",
    year_bills=(YearBill(bill_ref="in_1", paid_minor=29_000, left_minor=26_583, credits_minor=500_000_000),),
    late_periods=(LatePeriod(bill_ref="in_0", plan="starter", credits_minor=500_000_000),),
    worth_minor=29_000,
)
PLANS = Plans(
    (
        Plan(
            name="starter",
            title="Starter",
            prices=(PlanPrice(interval=Interval.MONTH, amount_minor=2_900, currency="USD", price_id="price_1"),),
            credits_minor=500_000_000,
            projects=1,
            deployments=1,
            seats=3,
            api_access=True,
            custom_integrations=True,
            trial_days=14,
            is_sold=False,
            is_per_seat=True,
        ),
    )
)
BILL = Bill(
    ref="in_1",
    state=BillState.PAID,
    reason=BillReason.CYCLE,
    currency="USD",
    total_minor=29_000,
    paid_minor=29_000,
    created_at=T0,
    period=MONTH,
    lines=(BillLine(description="Starter", amount_minor=29_000, period=MONTH, price_id="price_1", is_proration=True),),
    payment_ref="pi_1",
    paid_at=T0,
    attempts=1,
    next_attempt_at=T0,
    pay_url="https://example.com/pay",
)
SNAPSHOT = SubscriptionSnapshot(
    ref="sub_there",
    customer="cus_1",
    state=ProviderState.ACTIVE,
    price_id="price_1",
    item_ref="si_1",
    period=MONTH,
    cancel_at_period_end=True,
    trial_end=T0,
    ended_at=T0,
    bills=(BILL,),
    fingerprint="abc",
    our_id="sub_1",
    is_live=True,
    quantity=5,
)
DECLINED = Declined(code="card_declined", detail="The card was declined.", extra={"a": 1})


def samples() -> list[Message]:
    """Return one message of each kind."""
    who = {"command_id": "cmd_2", "actor": ACTOR}
    return [
        messages.SubscriptionInput(
            subscription=STATE, created_by=ACTOR, command_id="cmd_1", resume=True, signals=2, events=("evt_1",)
        ),
        messages.Subscribe(**who),
        messages.ChangeSubscription(**who, terms=replace(TERMS, is_agreed=True), plans=PLANS, people=2, most_minor=100),
        messages.CancelSubscription(**who, at_period_end=False),
        messages.ResumeSubscription(**who),
        messages.SubscriptionResult(subscription_id="sub_1", status="active", version=3, declined="card_declined"),
        messages.SubscriptionEventSignal(event_id="evt_1"),
        messages.SubscriptionSignal(
            operator="kim", command_id="cmd_3", cancel="sub_1", look="sub_1", give_up="sub_1", reason="It is not there."
        ),
        messages.RecordSubscription(
            subscription=STATE,
            event="renewed",
            actor="workflow",
            command_id="cmd_2",
            at=T0,
            actor_detail=ACTOR,
            settled=(
                Settled(
                    bill_ref="in_1",
                    amount_minor=29_000,
                    currency="USD",
                    period=MONTH,
                    payment_ref="pi_1",
                    plan="starter",
                    short_minor=100,
                ),
            ),
            grants=(
                Grant(
                    key="in_1:1",
                    credits_minor=500_000_000,
                    bill_ref="in_1",
                    paid_minor=2_417,
                    month=MONTH,
                    paid_before_minor=2_417,
                ),
            ),
            details={"state": "active"},
            decided_from="abc",
            handled=("evt_1",),
            billed=(Billed(bill_ref="in_2", amount_minor=29_000, currency="USD", period=MONTH, short_minor=100),),
        ),
        messages.RecordedSubscription(applied=True, stored=STATE, declined=DECLINED),
        messages.LoadSubscription(subscription_id="sub_1"),
        messages.SubscriptionSweepResult(waiting=3, started=1),
        messages.SubscriptionRequest(subscription=STATE, key="subscription:sub_1:upgrade:cmd_2"),
        messages.SubscriptionResponse(
            snapshot=SNAPSHOT,
            page=STATE.checkout,
            missing=True,
            declined=DECLINED,
            unknown="broken off",
            given_up=STATE.requests,
        ),
    ]
