"""Due dates of a subscription: renewal, upcoming invoice, end of trial, end of retries.

Facts from docs.stripe.com/billing/subscriptions/overview. A renewal's invoice is a draft for an hour.
"""

import copy
from typing import Any

from dev.sandbox.stripe import clocks, collecting, discounting, invoicing, subscribing, subscription_items as items
from dev.sandbox.stripe.core import Context, task
from dev.sandbox.stripe.operations import customers
from dev.sandbox.stripe.subscribing import ENDED

JSON = dict[str, Any]


def preview(ctx: Context, id: str) -> JSON | None:
    """Return the invoice of the next renewal; nothing of it may be kept, so it is called where all is undone."""
    subscription = subscribing.get(ctx, id)
    customer = customers.get(ctx, subscription["customer"])
    begin, end = items.period_of(subscription)
    ends = subscription["cancel_at"] is not None and subscription["cancel_at"] <= end
    invoice = invoicing.draft(
        ctx,
        customer,
        "upcoming",
        {"subscription": subscription, "currency": subscription["currency"], "period_start": begin, "period_end": end},
    )
    subscribing.add_pending(ctx, invoice, subscription)
    if not ends:
        items.renew(subscription, end)
        for item in subscription["items"]["data"]:
            items.bill(ctx, invoice, item)
    if not invoice["lines"]["data"]:
        return None
    invoicing.refresh(ctx, invoice)
    return invoice | {"created": end, "next_payment_attempt": end + invoicing.DRAFT_SECONDS}


def upcoming(invoice: JSON) -> JSON:
    """Return an invoice under the id of one that is not there."""
    return invoice | {"id": "upcoming_" + invoice["id"], "status": "draft", "number": None}


@task("subscriptions.renew")
async def renew(ctx: Context, subscription: str, end: int) -> None:
    """Begin the next period with its invoice, or end a subscription whose time has come."""
    stored = ctx.store.get("subscription", subscription)
    if stored is None or stored["status"] in (*ENDED, "incomplete") or items.period_of(stored)[1] != end:
        return
    now, customer = clocks.now(ctx, stored), customers.get(ctx, stored["customer"])
    if stored["cancel_at"] is not None and stored["cancel_at"] <= now:
        subscribing.invoice_now(ctx, stored, {}, new_period=False, reason="subscription_cycle")
        subscribing.end(ctx, subscribing.get(ctx, subscription), "cancellation_requested")
        return
    if end > now:
        return
    cancels = stored["trial_settings"]["end_behavior"]["missing_payment_method"] == "cancel"
    if stored["status"] == "trialing" and cancels and collecting.default_method(ctx, stored) is None:
        subscribing.end(ctx, subscribing.get(ctx, subscription), "cancellation_requested")
        return
    former, (begin, _) = copy.deepcopy(stored), items.period_of(stored)
    items.renew(stored, end)
    stored["status"] = "active" if stored["status"] == "trialing" else stored["status"]
    terms = {"subscription": stored, "currency": stored["currency"], "period_start": begin, "period_end": end}
    invoice = invoicing.draft(
        ctx,
        customer,
        "subscription_cycle",
        {**terms, **subscribing.due(stored, now), "auto_advance": stored["status"] != "unpaid"},
    )
    subscribing.add_pending(ctx, invoice, stored)
    for item in stored["items"]["data"]:
        items.bill(ctx, invoice, item)
    invoicing.store_draft(ctx, invoice, finalizes=True)
    discounting.use_up(ctx, stored, invoice)
    stored["latest_invoice"] = invoice["id"]
    subscribing.save(ctx, stored)
    ctx.emit("customer.subscription.updated", stored, subscribing.difference(former, stored))
    subscribing.schedule(ctx, stored)


@task("subscriptions.upcoming")
async def announce(ctx: Context, subscription: str, end: int) -> None:
    """Tell of the renewal to come, with its invoice as it would be now."""
    stored = ctx.store.get("subscription", subscription)
    if stored is None or stored["status"] in (*ENDED, "incomplete", "unpaid") or items.period_of(stored)[1] != end:
        return
    with ctx.undone():
        invoice = preview(ctx, subscription)
    if invoice is not None:
        ctx.emit("invoice.upcoming", upcoming(invoice))


@task("subscriptions.trial_will_end")
async def announce_trial_end(ctx: Context, subscription: str, end: int) -> None:
    """Tell that a trial ends in three days, or sooner if it was shorter."""
    stored = ctx.store.get("subscription", subscription)
    if stored is not None and stored["status"] == "trialing" and stored["trial_end"] == end:
        ctx.emit("customer.subscription.trial_will_end", stored)


@task("subscriptions.give_up")
async def give_up(ctx: Context, subscription: str) -> None:
    """End a subscription whose first invoice was not paid within 23 hours."""
    stored = ctx.store.get("subscription", subscription)
    if stored is not None and stored["status"] == "incomplete":
        subscribing.end(ctx, stored, "payment_failed")
