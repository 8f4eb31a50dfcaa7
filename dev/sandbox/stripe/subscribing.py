"""Subscriptions: what is billed each period, and the statuses that the payment of their invoices leads them through.

Facts from docs.stripe.com/billing/subscriptions/overview, docs.stripe.com/billing/subscriptions/prorations and
docs.stripe.com/billing/subscriptions/change. All prices of one subscription share its interval. A first invoice and one
of a change are finalized at once. A change is prorated by the second from the price of each item.
"""

import copy
from fractions import Fraction
from typing import Any

from dev.sandbox.stripe import (
    clocks,
    collecting,
    discounting,
    invoice_lines,
    invoicing,
    subscription_items as items,
    subscription_terms,
)
from dev.sandbox.stripe.core import Context, Refusal
from dev.sandbox.stripe.errors import invalid, missing
from dev.sandbox.stripe.operations import customers, setup_intents
from dev.sandbox.stripe.periods import DAY

JSON = dict[str, Any]

INCOMPLETE_SECONDS = 23 * 3600
UPCOMING_DAYS, TRIAL_NOTICE_DAYS = 7, 3
ENDED = ("canceled", "incomplete_expired")


def get(ctx: Context, id: str, *, param: str = "id", status: int = 404) -> JSON:
    """Return a subscription, or refuse."""
    subscription: JSON | None = ctx.store.get("subscription", id)
    if subscription is None:
        raise missing("subscription", id, param=param, status=status)
    return subscription


def start(ctx: Context, params: JSON) -> JSON:
    """Make a subscription with its first invoice, which is paid as `payment_behavior` says; return it as it is then."""
    customer = customers.get(ctx, params.get("customer", ""), param="customer")
    clocks.demand_ready(ctx, customer)
    now = clocks.now(ctx, customer)
    subscription = subscription_terms.new(ctx, customer, params, now)
    wanted = params.get("items") or []
    if not wanted:
        raise invalid("Missing required param: items.", param="items", code="parameter_missing")
    made = [items.make(ctx, subscription, each, f"items[{at}]") for at, each in enumerate(wanted)]
    subscription["items"]["data"] = made
    subscription["currency"] = items.currency(subscription, params.get("currency"))
    share = subscription_terms.first_period(subscription, params, now)
    subscription_terms.set_price(ctx, subscription, params)
    subscription_terms.set_cancellation(subscription, params, now)
    _demand_method(ctx, subscription, params)
    save(ctx, subscription)
    ctx.emit("customer.subscription.created", subscription)
    terms = {"subscription": subscription, "currency": subscription["currency"], **due(subscription, now)}
    invoice = invoicing.draft(ctx, customer, "subscription_create", terms)
    add_pending(ctx, invoice, subscription)
    for item in made:
        items.bill(ctx, invoice, item, share)
    by_card = subscription["collection_method"] == "charge_automatically"
    invoicing.store_draft(ctx, invoice, finalizes=not by_card)
    discounting.use_up(ctx, subscription, invoice)
    subscription["latest_invoice"] = invoice["id"]
    save(ctx, subscription)
    schedule(ctx, subscription)
    if by_card:
        give_up_at = now + INCOMPLETE_SECONDS
        clocks.put_off(ctx, subscription, give_up_at, "subscriptions.give_up", subscription=subscription["id"])
        _ask_now(ctx, invoice, params)
        _ask_for_method(ctx, subscription["id"])
    return get(ctx, subscription["id"])


def change(ctx: Context, id: str, params: JSON) -> JSON:
    """Change a subscription as the parameters of an update say, and return it as it is then."""
    subscription = get(ctx, id)
    clocks.demand_ready(ctx, subscription)
    if subscription["status"] in ENDED:
        raise invalid(f"A subscription that is {subscription['status']} cannot be changed.")
    now, former = clocks.now(ctx, subscription), copy.deepcopy(subscription)
    if subscription["status"] == "incomplete" and set(params) & {"items", "trial_end", "billing_cycle_anchor"}:
        raise invalid("The first invoice of this subscription has to be paid before it can be changed.")
    subscription_terms.change(ctx, subscription, params)
    replaced = items.change(ctx, subscription, params.get("items") or [])
    subscription_terms.set_price(ctx, subscription, params)
    resets = subscription_terms.resets(former, subscription, params)
    prorates = params.get("proration_behavior", "create_prorations")
    at = params.get("proration_date", now)
    begin, end = period = items.period_of(former)
    if not begin <= at <= end:
        raise invalid("The proration date is outside of the current period.", param="proration_date")
    if prorates != "none" and former["status"] != "trialing":
        # A new period is charged whole, so only what is unused of the former one is left to settle.
        whole: items.Replaced = [(item, None) for item in former["items"]["data"]]
        items.prorate(ctx, former, subscription, whole if resets else replaced, now if resets else at)
    if resets:
        subscription_terms.begin_anew(subscription, params, now)
    subscription_terms.set_cancellation(subscription, params, now)
    save(ctx, subscription, former)
    previous = difference(former, subscription)
    if previous:
        ctx.emit("customer.subscription.updated", subscription, previous)
    if items.period_of(subscription) != period:
        schedule(ctx, subscription)
    elif subscription["cancel_at"] != former["cancel_at"]:
        _schedule_end(ctx, subscription)
    if resets or (prorates == "always_invoice" and replaced):
        invoice_now(ctx, subscription, params, new_period=resets, proration_date=at)
    return get(ctx, id)


def cancel(ctx: Context, id: str, params: JSON) -> JSON:
    """End a subscription now, and return it; what is unused of the period is credited if `prorate` is set."""
    subscription = get(ctx, id)
    clocks.demand_ready(ctx, subscription)
    if subscription["status"] in ENDED:
        raise missing("subscription", id)
    if params.get("prorate") and subscription["status"] not in ("trialing", "incomplete"):
        gone: items.Replaced = [(item, None) for item in subscription["items"]["data"]]
        items.prorate(ctx, subscription, subscription, gone, clocks.now(ctx, subscription))
    details = {**subscription["cancellation_details"], **(params.get("cancellation_details") or {})}
    subscription["cancellation_details"] = {name: value or None for name, value in details.items()}
    if params.get("invoice_now"):
        invoice_now(ctx, subscription, {}, new_period=False)
        subscription = get(ctx, id)
    end(ctx, subscription, "cancellation_requested")
    return subscription


def end(ctx: Context, subscription: JSON, reason: str) -> None:
    """End a subscription; nothing more is collected for it by itself."""
    now, former = clocks.now(ctx, subscription), subscription["status"]
    subscription |= {"status": "canceled", "ended_at": now, "canceled_at": subscription["canceled_at"] or now}
    subscription["cancellation_details"] |= {"reason": subscription["cancellation_details"]["reason"] or reason}
    if former == "incomplete":
        subscription["status"] = "incomplete_expired"
    save(ctx, subscription)
    for invoice in invoicing.of_subscription(ctx, subscription):
        if invoice["status"] == "open" and former == "incomplete":
            invoicing.void(ctx, invoice)
        elif invoice["status"] in ("draft", "open"):
            ctx.store.put(
                invoice | {"auto_advance": False, "automatically_finalizes_at": None, "next_payment_attempt": None}
            )
    if former == "incomplete":
        ctx.emit("customer.subscription.updated", subscription, {"status": former})
    else:
        ctx.emit("customer.subscription.deleted", subscription)


def save(ctx: Context, subscription: JSON, former: JSON | None = None) -> None:
    """Store a subscription and its items, and forget the items that a former state had and it has not."""
    kept = {item["id"] for item in subscription["items"]["data"]}
    for item in (former or subscription)["items"]["data"]:
        if item["id"] not in kept:
            ctx.store.delete("subscription_item", item["id"])
    for item in subscription["items"]["data"]:
        ctx.store.put(item)
    ctx.store.put(subscription)


def schedule(ctx: Context, subscription: JSON) -> None:
    """Schedule every due date of the current period."""
    now, (_, end) = clocks.now(ctx, subscription), items.period_of(subscription)
    id = {"subscription": subscription["id"]}
    if subscription["status"] == "trialing":
        clocks.put_off(
            ctx, subscription, max(now, end - TRIAL_NOTICE_DAYS * DAY), "subscriptions.trial_will_end", end=end, **id
        )
    if end - UPCOMING_DAYS * DAY > now:
        clocks.put_off(ctx, subscription, end - UPCOMING_DAYS * DAY, "subscriptions.upcoming", end=end, **id)
    clocks.put_off(ctx, subscription, end, "subscriptions.renew", end=end, **id)
    _schedule_end(ctx, subscription)


def _schedule_end(ctx: Context, subscription: JSON) -> None:
    """Schedule the end of a subscription that ends within its period."""
    cancel_at, (_, end) = subscription["cancel_at"], items.period_of(subscription)
    if cancel_at is not None and cancel_at < end:
        clocks.put_off(ctx, subscription, cancel_at, "subscriptions.renew", subscription=subscription["id"], end=end)


def follow(ctx: Context, invoice: JSON, outcome: str) -> None:
    """Move the subscription of an invoice to where the invoice's payment leads it."""
    subscription = ctx.store.get("subscription", invoicing.subscription_of(invoice) or "")
    if subscription is None or subscription["status"] in ENDED:
        return
    status, is_latest = subscription["status"], subscription["latest_invoice"] == invoice["id"]
    if outcome == "paid":
        _keep_method(ctx, subscription, invoice)
    if status == "incomplete" and outcome in ("paid", "processing"):
        _move(ctx, subscription, "active")
    elif status == "incomplete" and outcome == "voided":
        end(ctx, subscription, "payment_failed")
    elif (
        status in ("past_due", "unpaid") and is_latest and outcome in ("paid", "processing", "voided", "uncollectible")
    ):
        _move(ctx, subscription, "active")
    elif status == "active" and is_latest and outcome in ("failed", "exhausted"):
        _move(ctx, subscription, "past_due")
        status = "past_due"
    if outcome == "exhausted" and status == "past_due":
        after = collecting.collection(ctx)["after_retries"]
        if after == "cancel":
            end(ctx, subscription, "payment_failed")
        elif after == "unpaid":
            _move(ctx, subscription, "unpaid")


invoicing.FOLLOWERS.append(follow)


def lose_customer(ctx: Context, customer: str) -> None:
    """End the subscriptions of a customer who is deleted."""
    for subscription in ctx.store.query("subscription", customer=customer):
        if subscription["status"] not in ENDED:
            end(ctx, subscription, "cancellation_requested")


customers.DELETED.append(lose_customer)


def due(subscription: JSON, now: int) -> JSON:
    """Return when an invoice that is sent is due."""
    days = subscription["days_until_due"]
    return {} if days is None else {"due_date": now + days * DAY}


def invoice_now(
    ctx: Context,
    subscription: JSON,
    params: JSON,
    *,
    new_period: bool,
    reason: str = "subscription_update",
    proration_date: int | None = None,
) -> None:
    """Invoice at once what waits for an invoice of a subscription, and its new period where one begins."""
    customer = customers.get(ctx, subscription["customer"])
    now = clocks.now(ctx, subscription)
    terms = {"subscription": subscription, "currency": subscription["currency"], "proration_date": proration_date}
    invoice = invoicing.draft(ctx, customer, reason, {**terms, **due(subscription, now)})
    add_pending(ctx, invoice, subscription)
    if new_period:
        for item in subscription["items"]["data"]:
            items.bill(ctx, invoice, item, Fraction(0 if subscription["status"] == "trialing" else 1))
    if not invoice["lines"]["data"]:
        return
    invoicing.store_draft(ctx, invoice, finalizes=False)
    discounting.use_up(ctx, subscription, invoice)
    subscription["latest_invoice"] = invoice["id"]
    ctx.store.put(subscription)
    _ask_now(ctx, invoice, params)


def add_pending(ctx: Context, invoice: JSON, subscription: JSON) -> None:
    """Make lines of what waits for an invoice: the items of the subscription, and those of no subscription."""
    waiting = invoice_lines.pending(
        ctx, subscription["customer"], subscription=subscription["id"], currency=subscription["currency"]
    )
    for each in waiting:
        invoice_lines.add_item(ctx, invoice, each)


def difference(former: JSON, subscription: JSON) -> JSON:
    """Return the former values of what has changed, as events carry them."""
    return {name: former.get(name) for name, value in subscription.items() if former.get(name) != value}


def _demand_method(ctx: Context, subscription: JSON, params: JSON) -> None:
    """Refuse to begin what has to be charged at once and cannot be."""
    waits = params.get("payment_behavior") == "default_incomplete" or subscription["status"] != "incomplete"
    free = not any(items.costs(item) for item in subscription["items"]["data"])
    if not waits and not free and collecting.default_method(ctx, subscription) is None:
        message = (
            "This customer has no attached payment source or default payment method. Add one before the subscription, "
            "or create it with `payment_behavior` `default_incomplete`."
        )
        raise invalid(message, code="resource_missing")


def _ask_for_method(ctx: Context, id: str) -> None:
    """Give a subscription that begins with nothing to pay the intent that stores what it will be charged to."""
    subscription = get(ctx, id)
    if subscription["status"] == "incomplete" or collecting.default_method(ctx, subscription) is not None:
        return
    intent = setup_intents.new(ctx, {"customer": subscription["customer"], "usage": "off_session"})
    ctx.store.put({"object": "sandbox.setup", "id": f"{intent['id']}:subscription", "subscription": id})
    ctx.store.put(subscription | {"pending_setup_intent": intent["id"]})


def follow_setup(ctx: Context, intent: JSON) -> None:
    """Charge a subscription that waits for it to the method that was stored."""
    link = ctx.store.get("sandbox.setup", f"{intent['id']}:subscription")
    subscription = ctx.store.get("subscription", link["subscription"]) if link else None
    if subscription is None or subscription["pending_setup_intent"] != intent["id"]:
        return
    former = {name: subscription[name] for name in ("default_payment_method", "pending_setup_intent")}
    subscription |= {"default_payment_method": intent["payment_method"], "pending_setup_intent": None}
    ctx.store.put(subscription)
    ctx.emit("customer.subscription.updated", subscription, former)


setup_intents.FOLLOWERS.append(follow_setup)


def _ask_now(ctx: Context, invoice: JSON, params: JSON) -> None:
    """Finalize an invoice and charge it as `payment_behavior` says."""
    behavior = params.get("payment_behavior", "allow_incomplete")
    invoicing.finalize(ctx, invoice)
    invoice = invoicing.get(ctx, invoice["id"])
    if invoice["status"] != "open" or invoice["collection_method"] != "charge_automatically":
        return
    if behavior == "default_incomplete":
        follow(ctx, invoice, "failed")
        return
    refusal = collecting.collect(ctx, invoice["id"])
    if behavior != "error_if_incomplete":
        return
    if refusal is not None:
        # Nothing of the subscription stays, and of the attempt neither.
        refusal.keep = False
        raise refusal
    if invoicing.intent_of(ctx, invoice)["status"] == "requires_action":
        message = "Payment for this subscription requires additional user action before it can be completed."
        raise Refusal(402, "card_error", message, code="subscription_payment_intent_requires_action")


def _keep_method(ctx: Context, subscription: JSON, invoice: JSON) -> None:
    """Make what an invoice was paid with the subscription's default, where that is asked for."""
    if (
        subscription["payment_settings"]["save_default_payment_method"] != "on_subscription"
        or not invoice["amount_due"]
    ):
        return
    payment = invoicing.payment_of(ctx, invoice)
    intent = ctx.store.get("payment_intent", payment["payment"]["payment_intent"]) if payment else None
    if intent is not None and intent["status"] == "succeeded":
        subscription["default_payment_method"] = intent["payment_method"]
        ctx.store.put(subscription)


def _move(ctx: Context, subscription: JSON, status: str) -> None:
    previous = {"status": subscription["status"]}
    subscription["status"] = status
    ctx.store.put(subscription)
    ctx.emit("customer.subscription.updated", subscription, previous)
