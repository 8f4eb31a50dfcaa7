"""Payment methods: made from test cards, attached to customers and detached again."""

from __future__ import annotations

from typing import Any

from dev.sandbox.stripe import cards, lists, sources
from dev.sandbox.stripe.core import Context, Refusal, operation
from dev.sandbox.stripe.errors import invalid, missing
from dev.sandbox.stripe.parameters import merge

JSON = dict[str, Any]
MADE_HERE = ("card", "us_bank_account", "sepa_debit")


def resolved(ctx: Context, id: str, *, param: str = "payment_method", status: int = 400) -> JSON:
    """Returns a stored payment method, or a new one of the test card that an id such as `pm_card_visa` names.

    Raises:
        Refusal: The id names nothing.
    """
    if ctx.store.get("payment_method", id) is None and cards.find(id) is None:
        raise missing("PaymentMethod", id, param=param, status=status)
    return cards.resolve(ctx, id)


def attached(ctx: Context, method: JSON, customer: str) -> JSON:
    """Gives a payment method to a customer, who may have it already, and returns it.

    Raises:
        Refusal: It belongs to another customer, was detached before, or its issuer declines.
    """
    owner = ctx.store.get("customer", customer)
    if owner is None or owner.get("deleted"):
        raise missing("customer", customer, param="customer", status=400)
    if method["customer"] == customer:
        return method
    if method["customer"] is not None:
        raise invalid("The payment method you provided has already been attached to a customer.")
    if cards.is_spent(ctx, method):
        raise invalid("This payment method was detached from a customer and cannot be used again.")
    if method["type"] == "customer_balance":
        raise invalid("A payment method of type customer_balance cannot be attached: it stands for the balance.")
    card = cards.behind(method)
    if card.decline is not None and not card.attaches:
        raise declined(card)
    method["customer"] = customer
    ctx.store.put(method)
    ctx.emit("payment_method.attached", method)
    return method


def declined(card: cards.Card) -> Refusal:
    """Returns the refusal of a card that its issuer declines at once."""
    decline_code = card.decline or "generic_decline"
    decline = cards.decline(card, decline_code)
    return Refusal(402, "card_error", decline.message, code=decline.code, decline_code=decline_code)


def detached(ctx: Context, method: JSON) -> JSON:
    """Detaches a payment method permanently, and returns it."""
    customer, card = method["customer"], sources.shown(method) if sources.is_source(method) else None
    method["customer"] = None
    ctx.store.put(method)
    cards.spend(ctx, method)
    owner = ctx.store.get("customer", customer)
    if owner is not None and owner.get("invoice_settings", {}).get("default_payment_method") == method["id"]:
        owner["invoice_settings"]["default_payment_method"] = None
        ctx.store.put(owner)
        previous = {"invoice_settings": {"default_payment_method": method["id"]}}
        ctx.emit("customer.updated", owner, previous)
    ctx.emit("payment_method.detached", method, {"customer": customer})
    if card is not None:
        ctx.emit("customer.source.deleted", card)
        pass_default_on(ctx, customer, card["id"])
    return method


def pass_default_on(ctx: Context, customer: str, gone: str) -> None:
    """Make the newest card of a customer the default source, if the one that is gone was it."""
    owner = ctx.store.get("customer", customer)
    if owner is None or owner.get("default_source") != gone:
        return
    owner["default_source"] = next((each["id"] for each in sources.of_customer(ctx, customer)), None)
    ctx.store.put(owner)
    ctx.emit("customer.updated", owner, {"default_source": gone})


def get(ctx: Context, id: str) -> JSON:
    """Returns a stored payment method.

    Raises:
        Refusal: There is none.
    """
    method = ctx.store.get("payment_method", id)
    if method is None:
        raise missing("PaymentMethod", id, param="payment_method")
    return method


@operation("post", "/v1/payment_methods")
async def create(ctx: Context, params: JSON) -> JSON:
    """Makes a payment method from a test card, by its number or token, or from a test bank account."""
    if "type" not in params:
        raise invalid("Missing required param: type.", param="type", code="parameter_missing")
    if params["type"] not in MADE_HERE:
        raise invalid(f"This sandbox does not have payment methods of type {params['type']} yet.", param="type")
    for name in ("customer", "payment_method"):
        if name in params:
            raise invalid(f"{name} is for copies between accounts, which this sandbox does not have.", param=name)
    if params["type"] not in params:
        name = params["type"]
        raise invalid(f"Missing required param: {name}.", param=name, code="parameter_missing")
    return cards.from_data(ctx, params)


@operation("get", "/v1/payment_methods/{payment_method}")
async def retrieve(ctx: Context, _: JSON, payment_method: str) -> JSON:
    """Returns a payment method."""
    return resolved(ctx, payment_method, status=404)


@operation("post", "/v1/payment_methods/{payment_method}")
async def update(ctx: Context, params: JSON, payment_method: str) -> JSON:
    """Changes the payer's details or a card's expiry."""
    method = get(ctx, payment_method)
    if method["customer"] is None:
        raise invalid("You must save this PaymentMethod to a customer before you can update it.")
    previous = merge(method, params, "allow_redisplay")
    for name in ("billing_details", "card", "us_bank_account"):
        given = {key: None if value == "" else value for key, value in (params.get(name) or {}).items()}
        if given and name not in method:
            raise invalid(f"This payment method has no {name}.", param=name)
        address = given.pop("address", None)
        previous |= {name: {key: method[name].get(key) for key in given}} if given else {}
        if given:
            method[name] |= given
        if address is not None:
            previous.setdefault(name, {})["address"] = method[name]["address"]
            method[name]["address"] = {**method[name]["address"], **address}
    ctx.store.put(method)
    ctx.emit("payment_method.updated", method, previous)
    return method


@operation("post", "/v1/payment_methods/{payment_method}/attach")
async def attach(ctx: Context, params: JSON, payment_method: str) -> JSON:
    """Gives a payment method to a customer."""
    if "customer" not in params:
        raise invalid("Missing required param: customer.", param="customer", code="parameter_missing")
    return attached(ctx, resolved(ctx, payment_method, status=404), params["customer"])


@operation("post", "/v1/payment_methods/{payment_method}/detach")
async def detach(ctx: Context, _: JSON, payment_method: str) -> JSON:
    """Takes a payment method from its customer; it cannot be used again."""
    method = get(ctx, payment_method)
    if method["customer"] is None:
        raise invalid("The payment method you provided is not attached to a customer so detachment is impossible.")
    return detached(ctx, method)


@operation("get", "/v1/payment_methods")
async def list_all(ctx: Context, params: JSON) -> JSON:
    """Lists payment methods, those of one customer when it is named."""
    fields = ("customer", "type", "allow_redisplay")
    return lists.answer(ctx, "payment_method", params, "/v1/payment_methods", *fields)
