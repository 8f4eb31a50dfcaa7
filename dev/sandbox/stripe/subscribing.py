"""Subscriptions: what is billed each period, and the statuses that the payment of their invoices leads them through.

Facts from docs.stripe.com/billing/subscriptions/overview, docs.stripe.com/billing/subscriptions/prorations and
docs.stripe.com/billing/subscriptions/change. All prices of one subscription share its interval. A first invoice is
finalized at once; a renewal's is a draft for an hour. A change is prorated by the second from the price of each item.
"""

import copy
from fractions import Fraction
from typing import Any

from dev.sandbox.stripe import clocks, discounting, invoice_lines, invoicing, lists, periods, taxing
from dev.sandbox.stripe import subscription_items as items
from dev.sandbox.stripe.core import Context, Refusal, task
from dev.sandbox.stripe.errors import invalid, missing
from dev.sandbox.stripe.operations import customers
from dev.sandbox.stripe.parameters import merge
from dev.sandbox.stripe.periods import DAY

JSON = dict[str, Any]

INCOMPLETE_SECONDS = 23 * 3600
UPCOMING_DAYS, TRIAL_NOTICE_DAYS = 7, 3
LONGEST_TRIAL_DAYS = 730
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
    subscription = _new(ctx, customer, params, now)
    wanted = params.get("items") or []
    if not wanted:
        raise invalid("Missing required param: items.", param="items", code="parameter_missing")
    made = [items.make(ctx, subscription, each, f"items[{at}]") for at, each in enumerate(wanted)]
    subscription["items"]["data"] = made
    subscription["currency"] = items.currency(subscription, params.get("currency"))
    share = _first_period(subscription, params, now)
    _set_price(ctx, subscription, params)
    _set_cancellation(subscription, params, now)
    _demand_method(ctx, subscription, params)
    save(ctx, subscription)
    ctx.emit("customer.subscription.created", subscription)
    terms = {"subscription": subscription, "currency": subscription["currency"], **_due(subscription, now)}
    invoice = invoicing.draft(ctx, customer, "subscription_create", terms)
    _add_pending(ctx, invoice, subscription)
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
    _change_terms(ctx, subscription, params)
    replaced = items.change(ctx, subscription, params.get("items") or [])
    _set_price(ctx, subscription, params)
    resets = _resets(former, subscription, params)
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
        _begin_anew(subscription, params, now)
    _set_cancellation(subscription, params, now)
    save(ctx, subscription, former)
    previous = _difference(former, subscription)
    if previous:
        ctx.emit("customer.subscription.updated", subscription, previous)
    if items.period_of(subscription) != period or subscription["cancel_at"] != former["cancel_at"]:
        schedule(ctx, subscription)
    if resets or (prorates == "always_invoice" and replaced):
        _invoice_change(ctx, subscription, params, new_period=resets, proration_date=at)
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
        _invoice_change(ctx, subscription, {}, new_period=False)
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
    for invoice in ctx.store.query("invoice", **{"parent.subscription_details.subscription": subscription["id"]}):
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


def preview(ctx: Context, id: str) -> JSON | None:
    """Return the invoice of the next renewal; nothing of it may be kept, so it is called where all is undone."""
    subscription = get(ctx, id)
    customer = customers.get(ctx, subscription["customer"])
    begin, end = items.period_of(subscription)
    ends = subscription["cancel_at"] is not None and subscription["cancel_at"] <= end
    invoice = invoicing.draft(
        ctx,
        customer,
        "upcoming",
        {"subscription": subscription, "currency": subscription["currency"], "period_start": begin, "period_end": end},
    )
    _add_pending(ctx, invoice, subscription)
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
    """Have everything happen that the current period has in store."""
    now, (_, end) = clocks.now(ctx, subscription), items.period_of(subscription)
    id = {"subscription": subscription["id"]}
    if subscription["status"] == "trialing":
        clocks.put_off(
            ctx, subscription, max(now, end - TRIAL_NOTICE_DAYS * DAY), "subscriptions.trial_will_end", end=end, **id
        )
    if end - UPCOMING_DAYS * DAY > now:
        clocks.put_off(ctx, subscription, end - UPCOMING_DAYS * DAY, "subscriptions.upcoming", end=end, **id)
    clocks.put_off(ctx, subscription, end, "subscriptions.renew", end=end, **id)
    if subscription["cancel_at"] is not None and subscription["cancel_at"] < end:
        clocks.put_off(ctx, subscription, subscription["cancel_at"], "subscriptions.renew", end=end, **id)


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
        after = invoicing.collection(ctx)["after_retries"]
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


@task("subscriptions.renew")
async def renew(ctx: Context, subscription: str, end: int) -> None:
    """Begin the next period with its invoice, or end a subscription whose time has come."""
    stored = ctx.store.get("subscription", subscription)
    if stored is None or stored["status"] in (*ENDED, "incomplete") or items.period_of(stored)[1] != end:
        return
    now, customer = clocks.now(ctx, stored), customers.get(ctx, stored["customer"])
    if stored["cancel_at"] is not None and stored["cancel_at"] <= now:
        _invoice_change(ctx, stored, {}, new_period=False, reason="subscription_cycle")
        _end_in_time(ctx, subscription)
        return
    if end > now:
        return
    cancels = stored["trial_settings"]["end_behavior"]["missing_payment_method"] == "cancel"
    if stored["status"] == "trialing" and cancels and invoicing.default_method(ctx, stored) is None:
        _end_in_time(ctx, subscription)
        return
    former, (begin, _) = copy.deepcopy(stored), items.period_of(stored)
    items.renew(stored, end)
    stored["status"] = "active" if stored["status"] == "trialing" else stored["status"]
    terms = {"subscription": stored, "currency": stored["currency"], "period_start": begin, "period_end": end}
    invoice = invoicing.draft(
        ctx,
        customer,
        "subscription_cycle",
        {**terms, **_due(stored, now), "auto_advance": stored["status"] != "unpaid"},
    )
    _add_pending(ctx, invoice, stored)
    for item in stored["items"]["data"]:
        items.bill(ctx, invoice, item)
    invoicing.store_draft(ctx, invoice, finalizes=True)
    discounting.use_up(ctx, stored, invoice)
    stored["latest_invoice"] = invoice["id"]
    save(ctx, stored)
    ctx.emit("customer.subscription.updated", stored, _difference(former, stored))
    schedule(ctx, stored)


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
    """End a subscription whose first invoice nobody has paid in 23 hours."""
    stored = ctx.store.get("subscription", subscription)
    if stored is not None and stored["status"] == "incomplete":
        end(ctx, stored, "payment_failed")


def _new(ctx: Context, customer: JSON, params: JSON, now: int) -> JSON:
    collection = params.get("collection_method", "charge_automatically")
    settings = params.get("payment_settings") or {}
    trial = (params.get("trial_settings") or {}).get("end_behavior") or {}
    id = ctx.new_id("sub")
    subscription: JSON = {
        "id": id,
        "object": "subscription",
        "application": None,
        "application_fee_percent": None,
        "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
        "billing_cycle_anchor": now,
        "billing_cycle_anchor_config": None,
        "billing_mode": _billing_mode(params),
        "billing_schedules": [],
        "billing_thresholds": None,
        "cancel_at": None,
        "cancel_at_period_end": False,
        "canceled_at": None,
        "cancellation_details": {"comment": None, "feedback": None, "reason": None},
        "collection_method": collection,
        "created": now,
        "currency": "",
        "customer": customer["id"],
        "customer_account": None,
        "days_until_due": None,
        "default_payment_method": None,
        "default_source": None,
        "default_tax_rates": [],
        "description": params.get("description"),
        "discounts": [],
        "ended_at": None,
        "invoice_settings": {"account_tax_ids": None, "issuer": {"type": "self"}},
        "items": lists.whole([], f"/v1/subscription_items?subscription={id}"),
        "latest_invoice": None,
        "livemode": False,
        "metadata": {},
        "next_pending_invoice_item_invoice": None,
        "on_behalf_of": None,
        "pause_collection": None,
        "payment_settings": {
            "payment_method_options": None,
            "payment_method_types": settings.get("payment_method_types") or None,
            "save_default_payment_method": settings.get("save_default_payment_method", "off"),
        },
        "pending_invoice_item_interval": None,
        "pending_setup_intent": None,
        "pending_update": None,
        "schedule": None,
        "start_date": now,
        "status": "incomplete" if collection == "charge_automatically" else "active",
        "test_clock": customer["test_clock"],
        "transfer_data": None,
        "trial_end": None,
        "trial_settings": {
            "end_behavior": {"missing_payment_method": trial.get("missing_payment_method", "create_invoice")}
        },
        "trial_start": None,
    }
    _change_terms(ctx, subscription, params)
    return subscription


def _set_price(ctx: Context, subscription: JSON, params: JSON) -> None:
    """Set the discounts and the tax rates, which change what is billed from the next invoice on."""
    if "discounts" in params:
        discounting.redeem(ctx, subscription, params["discounts"])
    if "default_tax_rates" in params:
        found = taxing.rates(ctx, params["default_tax_rates"], param="default_tax_rates")
        subscription["default_tax_rates"] = found


def _billing_mode(params: JSON) -> JSON:
    """Return the mode that is asked for; items of one interval are prorated alike in both."""
    given = params.get("billing_mode") or {}
    if given.get("type") == "classic":
        return {"flexible": None, "type": "classic", "updated_at": None}
    if (given.get("flexible") or {}).get("proration_discounts", "included") != "included":
        raise invalid("This sandbox does not itemize discounts of prorations.", param="billing_mode[flexible]")
    return {"flexible": {"proration_discounts": "included"}, "type": "flexible", "updated_at": None}


def _change_terms(ctx: Context, subscription: JSON, params: JSON) -> None:
    """Set what does not change what is billed."""
    merge(subscription, params, "description", "collection_method", "days_until_due")
    by_invoice = subscription["collection_method"] == "send_invoice"
    if by_invoice and subscription["days_until_due"] is None:
        raise invalid("Missing required param: days_until_due.", param="days_until_due", code="parameter_missing")
    if not by_invoice and subscription["days_until_due"] is not None:
        raise invalid("`days_until_due` goes with the collection method `send_invoice`.", param="days_until_due")
    method = params.get("default_payment_method")
    if method:
        found = ctx.store.get("payment_method", method)
        if found is None:
            raise missing("PaymentMethod", method, param="default_payment_method", status=400)
        if found["customer"] != subscription["customer"]:
            message = f"The customer does not have a payment method with the ID {method}."
            raise invalid(message, param="default_payment_method")
    merge(subscription, params, "default_payment_method")
    for name, value in (params.get("payment_settings") or {}).items():
        if name == "payment_method_options":
            raise invalid("This sandbox does not have payment_method_options of a subscription yet.", param=name)
        subscription["payment_settings"][name] = value or None
    behavior = (params.get("trial_settings") or {}).get("end_behavior") or {}
    if behavior.get("missing_payment_method") == "pause" or "billing_cycle_anchor" in behavior:
        raise invalid("This sandbox does not pause subscriptions yet.", param="trial_settings[end_behavior]")
    if behavior:
        subscription["trial_settings"]["end_behavior"] = behavior


def _trial_end(params: JSON, now: int) -> int | None:
    days, end = params.get("trial_period_days"), params.get("trial_end")
    if days is not None and end is not None:
        raise invalid("Name either `trial_end` or `trial_period_days`.", param="trial_end")
    if days is not None:
        if not 0 <= days <= LONGEST_TRIAL_DAYS:
            raise invalid(f"A trial has from 0 to {LONGEST_TRIAL_DAYS} days.", param="trial_period_days")
        return now + days * DAY if days else None
    if end is None or end == "now":
        return None
    if not now < end <= now + LONGEST_TRIAL_DAYS * DAY:
        raise invalid("A trial ends after now, and within two years.", param="trial_end")
    return int(end)


def _first_period(subscription: JSON, params: JSON, now: int) -> Fraction:
    """Set the first period, and return the share of a whole one that is charged for it."""
    trial_end = _trial_end(params, now)
    if trial_end is not None:
        subscription |= {"trial_start": now, "trial_end": trial_end, "status": "trialing"}
        subscription["billing_cycle_anchor"] = trial_end
        items.set_period(subscription, now, trial_end)
        return Fraction(0)
    subscription["billing_cycle_anchor"] = _anchor(params, items.interval(subscription), now)
    begin, end = periods.around(subscription["billing_cycle_anchor"], items.interval(subscription), now)
    items.set_period(subscription, now, end)
    if begin < now and params.get("proration_behavior") == "none":
        return Fraction(0)
    return Fraction(end - now, end - begin)


def _anchor(params: JSON, recurring: JSON, now: int) -> int:
    anchor: int = params.get("billing_cycle_anchor", now)
    if not now <= anchor <= periods.boundary(now, recurring, 1):
        message = "The billing cycle's anchor is from now on, and not later than the first natural renewal."
        raise invalid(message, param="billing_cycle_anchor")
    return anchor


def _set_cancellation(subscription: JSON, params: JSON, now: int) -> None:
    """Set when a subscription ends by itself; `cancel_at_period_end` and `cancel_at` exclude each other."""
    if params.get("cancel_at_period_end") and params.get("cancel_at"):
        raise invalid("Name either `cancel_at` or `cancel_at_period_end`.", param="cancel_at")
    if isinstance(params.get("cancel_at"), str) and params["cancel_at"]:
        raise invalid("This sandbox takes a time as `cancel_at` only.", param="cancel_at")
    if "cancel_at_period_end" in params:
        subscription["cancel_at_period_end"] = params["cancel_at_period_end"]
        subscription["cancel_at"] = None
    elif "cancel_at" in params:
        subscription |= {"cancel_at": params["cancel_at"] or None, "cancel_at_period_end": False}
    given = params.get("cancellation_details") or {}
    subscription["cancellation_details"] |= {name: value or None for name, value in given.items()}
    if subscription["cancel_at_period_end"]:
        subscription["cancel_at"] = items.period_of(subscription)[1]
    if subscription["cancel_at"] is None:
        subscription["canceled_at"] = None
    elif subscription["canceled_at"] is None:
        subscription["canceled_at"] = now
        subscription["cancellation_details"]["reason"] = "cancellation_requested"


def _end_in_time(ctx: Context, id: str) -> None:
    """End a subscription at the time that it was to end at, or for want of a payment method."""
    end(ctx, get(ctx, id), "cancellation_requested")


def _resets(former: JSON, subscription: JSON, params: JSON) -> bool:
    """Tell whether a change begins a new period now: another interval, a trial that changes, or the first price."""
    if (params.get("billing_cycle_anchor") or {}).get("type") == "now" or "trial_end" in params:
        return True
    if subscription["status"] == "trialing":
        return False
    free = not any(items.costs(item) for item in former["items"]["data"])
    return items.interval(former) != items.interval(subscription) or (
        free and any(items.costs(item) for item in subscription["items"]["data"])
    )


def _begin_anew(subscription: JSON, params: JSON, now: int) -> None:
    """Begin a new period now, or a trial."""
    trial_end = _trial_end(params, now)
    if trial_end is not None:
        subscription |= {"status": "trialing", "trial_start": subscription["trial_start"] or now}
        subscription |= {"trial_end": trial_end, "billing_cycle_anchor": trial_end}
        items.set_period(subscription, now, trial_end)
        return
    if subscription["status"] == "trialing":
        subscription |= {"status": "active", "trial_end": now}
    subscription["billing_cycle_anchor"] = now
    items.renew(subscription, now)


def _demand_method(ctx: Context, subscription: JSON, params: JSON) -> None:
    """Refuse to begin what has to be charged at once and cannot be."""
    waits = params.get("payment_behavior") == "default_incomplete" or subscription["status"] != "incomplete"
    free = not any(items.costs(item) for item in subscription["items"]["data"])
    if not waits and not free and invoicing.default_method(ctx, subscription) is None:
        message = (
            "This customer has no attached payment source or default payment method. Add one before the subscription, "
            "or create it with `payment_behavior` `default_incomplete`."
        )
        raise invalid(message, code="resource_missing")


def _due(subscription: JSON, now: int) -> JSON:
    """Return when an invoice that is sent is due."""
    days = subscription["days_until_due"]
    return {} if days is None else {"due_date": now + days * DAY}


def _invoice_change(
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
    invoice = invoicing.draft(ctx, customer, reason, {**terms, **_due(subscription, now)})
    _add_pending(ctx, invoice, subscription)
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
    refusal = invoicing.collect(ctx, invoice["id"])
    if behavior != "error_if_incomplete":
        return
    if refusal is not None:
        # Nothing of the subscription stays, and of the attempt neither.
        refusal.keep = False
        raise refusal
    if invoicing.intent_of(ctx, invoice)["status"] == "requires_action":
        message = "Payment for this subscription requires additional user action before it can be completed."
        raise Refusal(402, "card_error", message, code="subscription_payment_intent_requires_action")


def _add_pending(ctx: Context, invoice: JSON, subscription: JSON) -> None:
    waiting = invoice_lines.pending(
        ctx, subscription["customer"], subscription=subscription["id"], currency=subscription["currency"]
    )
    for each in waiting:
        invoice_lines.add_item(ctx, invoice, each)


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


def _difference(former: JSON, subscription: JSON) -> JSON:
    """Return the former values of what has changed, as events carry them."""
    return {name: former.get(name) for name, value in subscription.items() if former.get(name) != value}
