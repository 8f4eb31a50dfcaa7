"""Terms of a subscription without its items: first period, and new periods after a change.

Facts from docs.stripe.com/billing/subscriptions/billing-cycle and docs.stripe.com/billing/subscriptions/trials.
"""

from fractions import Fraction
from typing import Any

from dev.sandbox.stripe import discounting, lists, periods, subscription_items as items, taxing
from dev.sandbox.stripe.core import Context
from dev.sandbox.stripe.errors import invalid, missing
from dev.sandbox.stripe.parameters import merge
from dev.sandbox.stripe.periods import DAY

JSON = dict[str, Any]

LONGEST_TRIAL_DAYS = 730


def new(ctx: Context, customer: JSON, params: JSON, now: int) -> JSON:
    """Return a subscription with its terms, which is not stored yet and has no items."""
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
    change(ctx, subscription, params)
    return subscription


def change(ctx: Context, subscription: JSON, params: JSON) -> None:
    """Set what does not change what is billed."""
    merge(subscription, params, "description", "collection_method", "days_until_due")
    by_invoice = subscription["collection_method"] == "send_invoice"
    if not by_invoice and "days_until_due" not in params:
        subscription["days_until_due"] = None
    if by_invoice and subscription["days_until_due"] is None:
        raise invalid("Missing required param: days_until_due.", param="days_until_due", code="parameter_missing")
    if by_invoice and not (ctx.store.get("customer", subscription["customer"]) or {}).get("email"):
        raise invalid("Missing email. A customer whose invoices are sent must have a valid email.", param="customer")
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


def set_price(ctx: Context, subscription: JSON, params: JSON) -> None:
    """Set the discounts and the tax rates, which change what is billed from the next invoice on."""
    if "discounts" in params:
        discounting.redeem(ctx, subscription, params["discounts"])
    if "default_tax_rates" in params:
        found = taxing.rates(ctx, params["default_tax_rates"], param="default_tax_rates")
        subscription["default_tax_rates"] = found


def first_period(subscription: JSON, params: JSON, now: int) -> Fraction:
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


def set_cancellation(subscription: JSON, params: JSON, now: int) -> None:
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


def resets(former: JSON, subscription: JSON, params: JSON) -> bool:
    """Return whether a change begins a new period now: another interval, a trial that changes, or the first price."""
    if (params.get("billing_cycle_anchor") or {}).get("type") == "now":
        return True
    if "trial_end" in params and (params["trial_end"] != "now" or subscription["status"] == "trialing"):
        return True
    if subscription["status"] == "trialing":
        return False
    free = not any(items.costs(item) for item in former["items"]["data"])
    return items.interval(former) != items.interval(subscription) or (
        free and any(items.costs(item) for item in subscription["items"]["data"])
    )


def begin_anew(subscription: JSON, params: JSON, now: int) -> None:
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


def _billing_mode(params: JSON) -> JSON:
    """Return the mode that is asked for; items of one interval are prorated alike in both."""
    given = params.get("billing_mode") or {}
    if given.get("type") == "classic":
        return {"flexible": None, "type": "classic", "updated_at": None}
    if (given.get("flexible") or {}).get("proration_discounts", "included") != "included":
        raise invalid("This sandbox does not itemize discounts of prorations.", param="billing_mode[flexible]")
    return {"flexible": {"proration_discounts": "included"}, "type": "flexible", "updated_at": None}


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


def _anchor(params: JSON, recurring: JSON, now: int) -> int:
    anchor: int = params.get("billing_cycle_anchor", now)
    if not now <= anchor <= periods.boundary(now, recurring, 1):
        message = "The billing cycle's anchor is from now on, and not later than the first natural renewal."
        raise invalid(message, param="billing_cycle_anchor")
    return anchor
