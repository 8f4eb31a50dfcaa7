"""Payment requests of `FakeBursar`: price, purpose and payment method."""

from decimal import ROUND_CEILING, ROUND_DOWN, Decimal
from typing import Any

from bursar.testing._answers import CREDIT, Refused, invalid, minor_unit, positive, required, text_of
from bursar.testing._escrow import Escrow
from bursar.testing._payment import Payment
from bursar.testing._provider import require_chargeable

#: What one credit costs, in the currency that credits are sold in.
PRICE, SOLD_IN = Decimal("0.10"), "USD"


def ordered(body: dict[str, Any], escrow: Escrow | None) -> Payment:
    """Return the payment that a request asks for, with the escrow that it names."""
    purpose = body.get("purpose", "credits")
    if purpose not in ("credits", "balance", "escrow"):
        raise Refused(501, "fake.not_played", f"FakeBursar plays no payments for {purpose}.")
    if escrow is not None:
        require_fundable(escrow)
        if purpose != "escrow":
            raise invalid("escrow_id can be given with the purpose escrow only.", "escrow_id")
    if purpose == "escrow":
        if escrow is None:
            raise invalid("Name the escrow to pay for in escrow_id.", "escrow_id")
        made = for_escrow(body, escrow)
    else:
        for name, article in (("amount", "An"), ("currency", "A")):
            if body.get(name) is None:
                raise invalid(f"{article} {name} is required for this purpose.", name)
        made = _for_money(body, purpose)
    made.description = body.get("description") or made.description
    return made


def credits_ordered(body: dict[str, Any]) -> Payment:
    """Return the payment for a number of credits."""
    goods = positive(required(body, "amount"))
    return _payment(body, "credits", _cost(goods), SOLD_IN, goods, CREDIT)


def for_escrow(body: dict[str, Any], escrow: Escrow) -> Payment:
    """Return the payment for an escrow, in full."""
    require_fundable(escrow)
    due, due_in = (_cost(escrow.price), SOLD_IN) if escrow.currency == CREDIT else (escrow.price, escrow.currency)
    other = (body.get("currency") or due_in) != due_in
    if other or (body.get("amount") is not None and positive(body["amount"], due_in) != due):
        detail = f"This escrow must be paid in full, with {text_of(due)} {due_in}."
        raise Refused(409, "escrow.amount_mismatch", detail)
    made = _payment(body, "escrow", due, due_in, escrow.price, escrow.currency)
    made.escrow_id, made.description = escrow.id, f"Escrow {escrow.id}"
    return made


def require_fundable(escrow: Escrow) -> None:
    """Refuse an escrow that is not open."""
    if escrow.status != "open":
        raise escrow.refused(f"This escrow is {escrow.status}. Only an open escrow can be funded.")


def _for_money(body: dict[str, Any], purpose: str) -> Payment:
    currency = body["currency"]
    if purpose == "credits" and currency != SOLD_IN:
        raise invalid(f"Credits are sold in {SOLD_IN}. Give the amount in {SOLD_IN}.", "currency")
    if purpose == "balance" and currency == CREDIT:
        raise invalid("A balance holds money. Credits cannot be paid into it.", "currency")
    due = positive(body["amount"], currency)
    if purpose == "balance":
        return _payment(body, purpose, due, currency, due, currency)
    bought = (due / PRICE).quantize(minor_unit(CREDIT), ROUND_DOWN)
    return _payment(body, purpose, due, currency, bought, CREDIT)


def _cost(credits: Decimal) -> Decimal:
    return (credits * PRICE).quantize(minor_unit(SOLD_IN), ROUND_CEILING)


def _payment(body: dict[str, Any], purpose: str, due: Decimal, due_in: str, goods: Decimal, goods_in: str) -> Payment:
    provider = body.get("provider") or "stripe"
    if provider == "credits" and purpose == "credits":
        raise invalid("Credits cannot pay a price in money. Choose another provider.", "provider")
    if provider != "stripe" or body.get("hosted"):
        where = "on hosted pages" if provider == "stripe" else f"by {provider}"
        raise Refused(501, "fake.not_played", f"FakeBursar plays no payments {where}.")
    if body.get("off_session") and body.get("payment_method") is None:
        raise invalid("An off-session payment needs a stored payment_method.", "off_session")
    if body.get("asset") is not None:
        raise invalid("An asset can be named with the provider crypto only.", "asset")
    require_chargeable(due, due_in)
    return Payment(
        own={"external_id": body.get("external_id"), "metadata": body.get("metadata") or {}},
        purpose=purpose,
        amount=due,
        currency=due_in,
        goods=goods,
        goods_currency=goods_in,
        description=f"{text_of(goods)} credits" if purpose == "credits" else f"Balance of {text_of(goods)} {goods_in}",
        is_manual=body.get("capture_method") == "manual",
    )
