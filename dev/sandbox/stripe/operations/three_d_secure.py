"""The end of 3-D Secure, for a payment, a method that is stored, or a checkout session of either."""

from typing import Any

from dev.sandbox.stripe import checkout, intents
from dev.sandbox.stripe.core import Context, control
from dev.sandbox.stripe.errors import missing
from dev.sandbox.stripe.operations import setup_intents

JSON = dict[str, Any]


def finish(ctx: Context, intent: JSON, *, succeeds: bool) -> JSON:
    """Let the payer of a payment intent or a setup intent pass or fail, and return the intent as it is then."""
    if intent["object"] == "payment_intent":
        intents.authenticate(ctx, intent, succeeds=succeeds)
        return intent
    setup_intents.authenticate(ctx, intent, succeeds=succeeds)
    for session in ctx.store.query("checkout.session", setup_intent=intent["id"]):
        checkout.finish_setup(ctx, session, intent)
    return intent


@control("three_d_secure")
async def finish_three_d_secure(ctx: Context, body: JSON) -> JSON:
    """End the 3-D Secure of `payment_intent` or `setup_intent` with `outcome` `succeed` or `fail`."""
    kind = "setup_intent" if "setup_intent" in body else "payment_intent"
    intent = ctx.store.get(kind, str(body.get(kind)))
    if intent is None:
        raise missing(kind, str(body.get(kind)), param=kind)
    return finish(ctx, intent, succeeds=body.get("outcome", "succeed") == "succeed")
