"""Hosted checkout: a session from its opening to the payment, and to the outcome of a slow one.

Facts from docs.stripe.com/payments/checkout/how-checkout-works and docs.stripe.com/payments/checkout/fulfillment. The
PaymentIntent is made when the payer first tries to pay, and so is the subscription in the mode of that name: it stays
incomplete until it is paid. A bank debit completes the session unpaid; that it arrived or failed is reported later.
"""

from typing import Any

from dev.sandbox.stripe import (
    clocks,
    collecting,
    intents,
    invoice_lines,
    invoicing,
    money,
    periods,
    subscribing,
    taxing,
)
from dev.sandbox.stripe.core import Context, Refusal, task
from dev.sandbox.stripe.errors import invalid
from dev.sandbox.stripe.operations import customers, payment_intents, payment_methods, prices, products, setup_intents

JSON = dict[str, Any]


def private(session: JSON) -> str:
    """Return the id under which the parameters of a session are kept that its object does not show."""
    return f"{session['id']}:terms"


def lines(ctx: Context, session: JSON) -> list[JSON]:
    """Return what is sold in a session, in order."""
    terms = ctx.store.get("sandbox.checkout", private(session))
    assert terms is not None
    found: list[JSON] = terms["line_items"]
    return found


async def line(ctx: Context, params: JSON, index: int, mode: str) -> JSON:
    """Return one line of a session from its parameters: a price that exists, or one that is made for it."""
    name = f"line_items[{index}]"
    if "price" in params:
        price = prices.get(ctx, params["price"], param=f"{name}[price]")
    elif "price_data" in params:
        price = await _price(ctx, params["price_data"], f"{name}[price_data]")
    else:
        raise invalid("Each line needs a `price` or `price_data`.", param=name, code="parameter_missing")
    if price["type"] == "recurring" and mode != "subscription":
        raise invalid("Recurring prices need the mode `subscription`.", param=f"{name}[price]")
    product = ctx.store.get("product", price["product"])
    quantity = params.get("quantity", 1)
    total = periods.priced(price, quantity)
    return {
        "id": ctx.new_id("li"),
        "object": "item",
        "adjustable_quantity": None,
        "amount_discount": 0,
        "amount_subtotal": total,
        "amount_tax": 0,
        "amount_total": total,
        "currency": price["currency"],
        "description": product["name"] if product else None,
        "metadata": dict(params.get("metadata") or {}),
        "price": price,
        "quantity": quantity,
    }


async def pay(ctx: Context, session: JSON, payment_method: JSON) -> Refusal | None:
    """Try to pay a session, or to store a method in one of mode `setup`; return the refusal if that was declined."""
    if session["status"] != "open":
        raise invalid(f"Checkout session {session['id']} is {session['status']}.")
    terms = ctx.store.get("sandbox.checkout", private(session))
    assert terms is not None
    await _know_payer(ctx, session, payment_method, terms)
    if session["mode"] == "setup":
        return await _set_up(ctx, session, payment_method, terms)
    if session["mode"] == "subscription":
        return _subscribe(ctx, session, payment_method, terms)
    if session["amount_total"] == 0:
        _complete(ctx, session, "no_payment_required")
        return None
    if session["payment_intent"] is None:
        session["payment_intent"] = _intent(ctx, session, terms)["id"]
        ctx.store.put(session)
    intent = payment_intents.get(ctx, session["payment_intent"])
    return intents.confirm(ctx, intent, payment_method, return_url=f"{ctx.base_url}/pay/{session['id']}")


def waits_for(ctx: Context, session: JSON) -> JSON | None:
    """Return the intent of a session whose payer has to pass 3-D Secure, None when there is nothing to pass."""
    intent = intent_of(ctx, session)
    if intent is None or intent["status"] != "requires_action" or intents.waits_for_transfer(intent):
        return None
    return intent


def intent_of(ctx: Context, session: JSON) -> JSON | None:
    """Return the intent that a session is paid or set up by, None before its payer has tried."""
    if session["invoice"] is not None:
        invoice = invoicing.get(ctx, session["invoice"])
        return invoicing.intent_of(ctx, invoice) if invoicing.payment_of(ctx, invoice) else None
    return ctx.store.find(session["payment_intent"] or session["setup_intent"] or "")


def finish_setup(ctx: Context, session: JSON, intent: JSON) -> None:
    """Complete a session of mode `setup` if its method has been stored."""
    if session["status"] == "open" and intent["status"] == "succeeded":
        _complete(ctx, session, "no_payment_required")


def expire(ctx: Context, session: JSON) -> None:
    """Close an unpaid session, and its intent with it."""
    if session["status"] != "open":
        message = f"Only open checkout sessions can be expired; {session['id']} is {session['status']}."
        raise invalid(message, param="session")
    session |= {"status": "expired", "url": None}
    ctx.store.put(session)
    intent = ctx.store.get("payment_intent", session["payment_intent"] or "")
    if intent is not None and intent["status"] in intents.CONFIRMABLE:
        intents.cancel(ctx, intent, "automatic")
    subscription = ctx.store.get("subscription", session["subscription"] or "")
    if subscription is not None and subscription["status"] == "incomplete":
        subscribing.end(ctx, subscription, "payment_failed")
    ctx.emit("checkout.session.expired", session)


def follow(ctx: Context, intent: JSON) -> None:
    """Move the session of an intent, if it has one, to where the intent has moved."""
    link = ctx.store.get("sandbox.checkout_intent", f"{intent['id']}:checkout")
    of_subscription = ctx.store.get("checkout.session", link["session"]) if link else None
    sessions = (
        [of_subscription] if of_subscription else ctx.store.query("checkout.session", payment_intent=intent["id"])
    )
    for session in sessions:
        status, is_open = intent["status"], session["status"] == "open"
        if is_open and status == "succeeded":
            _complete(ctx, session, "paid")
        elif is_open and (status in ("processing", "requires_capture") or intents.waits_for_transfer(intent)):
            _complete(ctx, session, "unpaid")
        elif session["status"] == "complete" and session["payment_status"] == "unpaid" and status == "succeeded":
            session["payment_status"] = "paid"
            ctx.store.put(session)
            if intent["capture_method"] != "manual":
                ctx.emit("checkout.session.async_payment_succeeded", session)
        elif session["status"] == "complete" and status == "requires_payment_method":
            ctx.emit("checkout.session.async_payment_failed", session)


intents.FOLLOWERS.append(follow)


@task("checkout.expire")
async def expire_in_time(ctx: Context, session: str) -> None:
    """Close a session at its time, unless it is closed."""
    stored = ctx.store.get("checkout.session", session)
    if stored is not None and stored["status"] == "open":
        expire(ctx, stored)


def _complete(ctx: Context, session: JSON, payment_status: str) -> None:
    session |= {"status": "complete", "payment_status": payment_status, "url": None}
    ctx.store.put(session)
    ctx.emit("checkout.session.completed", session)


def _intent(ctx: Context, session: JSON, terms: JSON) -> JSON:
    params = {
        "amount": session["amount_total"],
        "currency": session["currency"],
        "allowed_payment_method_types": session["payment_method_types"],
        "payment_method_options": terms["payment_method_options"],
        **terms["payment_intent_data"],
    }
    if session["customer"] is not None:
        params["customer"] = session["customer"]
    return payment_intents.new(ctx, {name: value for name, value in params.items() if value is not None})


async def _know_payer(ctx: Context, session: JSON, payment_method: JSON, terms: JSON) -> None:
    billing = payment_method["billing_details"]
    customer = ctx.store.get("customer", session["customer"] or "") or {}
    email = billing["email"] or session["customer_email"] or customer.get("email")
    name = billing["name"] or customer.get("name")
    wanted = session["customer_creation"] == "always" or terms["payment_intent_data"].get("setup_future_usage")
    wanted = wanted or session["mode"] == "subscription"
    if session["customer"] is None and wanted:
        known = {key: value for key, value in {"email": email, "name": name}.items() if value is not None}
        session["customer"] = (await customers.create(ctx, known))["id"]
    session["customer_details"] = {
        "address": billing["address"],
        "business_name": None,
        "email": email,
        "individual_name": None,
        "name": name,
        "phone": billing["phone"],
        "tax_exempt": "none",
        "tax_ids": [],
    }
    ctx.store.put(session)


async def previewed(ctx: Context, customer: str | None, terms: JSON) -> JSON:
    """Return the first invoice that a session of mode `subscription` would make now; nothing of it is kept."""
    with ctx.undone():
        payer = customers.get(ctx, customer) if customer else await customers.create(ctx, {})
        _sell_once(ctx, payer, terms["line_items"])
        subscription = subscribing.start(ctx, _subscription(payer, terms))
        invoice: JSON = invoicing.get(ctx, subscription["latest_invoice"])
    return invoice


def discount(lines: list[JSON], invoice: JSON) -> None:
    """Set on the lines of a session what its invoice takes off and adds."""
    for line in lines:
        found = [each for each in invoice["lines"]["data"] if _price_of(each) == line["price"]["id"]]
        line["amount_subtotal"] = sum(each["amount"] for each in found)
        line["amount_discount"] = sum(part["amount"] for each in found for part in each["discount_amounts"])
        line["amount_tax"] = sum(tax["amount"] for each in found for tax in each["taxes"])
        added = sum(taxing.owed(each["taxes"], "exclusive") for each in found)
        line["amount_total"] = line["amount_subtotal"] - line["amount_discount"] + added


def _price_of(line: JSON) -> str | None:
    details = (line["pricing"] or {}).get("price_details")
    return details["price"] if details else None


def _subscription(customer: JSON, terms: JSON) -> JSON:
    """Return the parameters of the subscription that a session makes."""
    given: JSON = terms["subscription_data"]
    return given | {
        "customer": customer["id"],
        "items": [
            {"price": each["price"], "quantity": each["quantity"], "metadata": each["metadata"]}
            for each in terms["line_items"]
            if each["price"]["type"] == "recurring"
        ],
        "payment_behavior": "default_incomplete",
        "payment_settings": {"save_default_payment_method": "on_subscription"},
    }


def _subscribe(ctx: Context, session: JSON, payment_method: JSON, terms: JSON) -> Refusal | None:
    """Make the subscription of a session, once, and pay its first invoice; a trial only stores the method."""
    customer = customers.get(ctx, session["customer"])
    if session["subscription"] is None:
        params = _subscription(customer, terms)
        if session["amount_total"] == 0:
            try:
                stored = payment_methods.attached(ctx, payment_method, customer["id"])
            except Refusal as refusal:
                return refusal
            params["default_payment_method"] = stored["id"]
        _sell_once(ctx, customer, terms["line_items"])
        subscription = subscribing.start(ctx, params)
        session |= {"subscription": subscription["id"], "invoice": subscription["latest_invoice"]}
        ctx.store.put(session)
    invoice = invoicing.get(ctx, session["invoice"])
    if invoice["status"] == "paid":
        _complete(ctx, session, "paid" if invoice["amount_paid"] else "no_payment_required")
        return None
    intent = invoicing.intent_of(ctx, invoice)
    link = {"object": "sandbox.checkout_intent", "id": f"{intent['id']}:checkout", "session": session["id"]}
    ctx.store.put(link)
    return collecting.pay(
        ctx, invoice, payment_method, off_session=False, return_url=f"{ctx.base_url}/pay/{session['id']}"
    )


def _sell_once(ctx: Context, customer: JSON, lines: list[JSON]) -> None:
    """Add one-time prices as pending items of the first invoice."""
    now = clocks.now(ctx, customer)
    for line in lines:
        if line["price"]["type"] != "recurring":
            same = ("currency", "description", "metadata", "price", "quantity")
            terms = {name: line[name] for name in same} | {"amount": line["amount_subtotal"], "date": now}
            invoice_lines.item(ctx, customer, terms | {"period": {"start": now, "end": now}})


async def _set_up(ctx: Context, session: JSON, payment_method: JSON, terms: JSON) -> Refusal | None:
    params = {
        "payment_method": payment_method["id"],
        "confirm": True,
        "return_url": f"{ctx.base_url}/pay/{session['id']}",
        **terms["setup_intent_data"],
    }
    if session["customer"] is not None:
        params["customer"] = session["customer"]
    try:
        intent = await setup_intents.create(ctx, params)
    except Refusal as refusal:
        return refusal
    session["setup_intent"] = intent["id"]
    ctx.store.put(session)
    finish_setup(ctx, session, intent)
    return None


async def _price(ctx: Context, params: JSON, name: str) -> JSON:
    if ("product" in params) == ("product_data" in params):
        message = "One of `product` and `product_data` is needed."
        raise invalid(message, param=f"{name}[product_data]", code="parameter_missing")
    if "product" in params:
        product = products.get(ctx, params["product"], param=f"{name}[product]")
    else:
        fields = ("name", "description", "images", "metadata", "unit_label")
        given = {field: params["product_data"][field] for field in fields if field in params["product_data"]}
        product = await products.create(ctx, given | {"active": False})
    price = {key: value for key, value in params.items() if key != "product_data"}
    price |= {"active": False, "currency": money.check_currency(params["currency"]), "product": product["id"]}
    return prices.make(ctx, price)
