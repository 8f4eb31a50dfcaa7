"""Activity in words: how a fact is called, what it is about, and the amount that stands for it."""

from collections.abc import Mapping
from decimal import Decimal

from console.filters import is_some, money
from console.format import titled
from console.noun import Json
from console.texts import N_, _, gettext
from domain.insight.spent import service_name
from domain.payouts.activity import Category, FactStatus

CATEGORIES: Mapping[str, str] = {
    Category.PAYMENT: N_("Payments"),
    Category.CREDITS: N_("Credits granted or expired"),
    Category.ESCROW: N_("Escrows"),
    Category.USE: N_("Uses"),
    Category.MARKETPLACE: N_("Marketplace"),
    Category.BILLING: N_("Plans and invoices"),
    Category.EARNINGS: N_("Earnings and payouts"),
    Category.SLOTS: N_("Slots"),
    Category.OTHER: N_("Other"),
}
#: Facts by the kind of their transfer; `name` is of the object, `agent` the agent that is paid.
TITLES: Mapping[str, str] = {
    "credit.grant": N_("Credits granted"),
    "credit.expired": N_("Credits expired"),
    "credit_note.issued": N_("Credit note: %(name)s"),
    "debt.paid": N_("Debt paid"),
    "earnings.converted": N_("Earnings converted to credits"),
    "earnings.recovered": N_("Earnings clawed back after a reversed payment"),
    "earnings.waived": N_("Earnings waived"),
    "escrow.funded": "%(name)s",
    "escrow.refunded": "%(name)s",
    "escrow.released": "%(name)s",
    "escrow.split": "%(name)s",
    "invoice.issued": "%(name)s",
    "invoice.uncollectible": N_("Invoice written off: %(name)s"),
    "invoice.voided": N_("Invoice voided: %(name)s"),
    "marketplace.refunded": N_("Refund of %(agent)s"),
    "marketplace.sold": N_("Sale of %(agent)s"),
    "marketplace.used": N_("Use of %(agent)s"),
    "payment.dispute_opened": N_("Chargeback opened"),
    "payment.dispute_reopened": N_("Chargeback reopened"),
    "payment.dispute_won": N_("Chargeback won"),
    "payment.dispute_reinstated": N_("Chargeback reversed"),
    "payment.received": N_("Payment"),
    "payment.refund_failed": N_("Refund failed"),
    "payout.paid": N_("Payout"),
    "payout.requested": N_("Payout"),
    "payout.returned": N_("Payout returned"),
    "payout.reversed": N_("Payout reversed"),
    "slots.returned": N_("Slots returned"),
    "slots.taken": N_("Slots put to use"),
    "subscription.granted": N_("Credits of the %(name)s plan"),
    "subscription.returned": N_("Credits of the %(name)s plan returned"),
    "subscription.restored": N_("Credits of the %(name)s plan restored"),
    "use": "%(name)s",
    "use_refund": N_("Refund: %(name)s"),
}
#: Payments by what they are for.
_RECEIVED = {
    "credits": N_("Top-up"),
    "escrow": N_("Payment into escrow"),
    "invoice": N_("Invoice paid"),
    "slot": N_("Slots bought"),
    "balance": N_("Money added"),
    "purchase": N_("Agent paid"),
}
#: What `service_name` calls services, where nothing else here is called so.
SERVICES = (
    N_("Commission on own agents' jobs"),
    N_("Fees of purchases outside"),
    N_("Card payments"),
    N_("Plans"),
    N_("Deployment slots"),
)
#: The parts of a change in the order in which one stands for the fact, with a note on each but the first.
_PARTS = (
    ("available", ""),
    ("earnings", N_("earned")),
    ("invoiced", N_("invoiced")),
    ("owed", N_("debt")),
    ("in_escrow", N_("from escrow")),
    ("in_payouts", N_("payout")),
    ("in_use", N_("in use")),
    ("in_payments", N_("payment")),
)
#: More of one of these counts against the organization.
_AGAINST = frozenset({"invoiced", "owed"})
#: An amount, its currency, and a note; empty for money that came or went.
Moved = tuple[str, str, str]


def words_of(kind: str) -> str:
    """Write the kind of a transfer, such as `escrow.funded`, in words."""
    return kind.replace(".", ": ").replace("_", " ").capitalize()


def title(fact: Json) -> str:
    """Return what a customer would call a fact."""
    kind, shown = fact["kind"], fact["object"] or {}
    name, agent = shown.get("name") or "", fact["payee_agent_name"] or _("an agent")
    words = TITLES.get(kind, "")
    if kind == "use" and fact["category"] == Category.MARKETPLACE:
        words = N_("Purchase of %(agent)s")
    elif kind in {"use", "use_refund"} and fact["payee_agent_id"]:
        words = N_("Use of %(agent)s") if kind == "use" else N_("Refund of a use of %(agent)s")
    elif kind == "payment.agent_bought":
        words = N_("Sale of %(agent)s") if fact["payee_agent_name"] else N_("Agent bought")
    elif kind == "payment.received":
        words = _RECEIVED.get(name, words)
    elif kind == "credit.grant" and name == "signup":
        words = N_("Signup bonus")
    if not words or ("%(name)s" in words and not name):
        return words_of(kind)
    if kind in {"use", "use_refund"}:
        name = gettext(service_name(name))
    return _(words, name=titled(name) if shown.get("type") == "subscription" else name, agent=agent)


def about(fact: Json) -> str:
    """Return what a title leaves out: what a payment was over, what was used of an agent, who worked."""
    shown = fact["object"] or {}
    match shown.get("type"):
        case "payment" if shown["amount"] is not None:
            return money(shown["amount"], shown["currency"])
        case "spend" | "reservation" if fact["payee_agent_id"]:
            return shown["name"] or ""
        case "escrow":
            return fact["payee_agent_name"] or ""
        case _:
            return ""


def moved(fact: Json) -> tuple[Moved, ...]:
    """Return of each currency the change that stands for the fact; what only passed through is none."""
    shown = fact["object"] or {}
    if fact["status"] == FactStatus.REVERSED and shown.get("amount"):
        return ((shown["amount"], shown["currency"], _("returned")),)
    return tuple(found for change in fact["changes"] if (found := _moved(fact, change)) is not None)


def _moved(fact: Json, change: Json) -> Moved | None:
    currency, held = change["currency"], change["in_escrow"]
    if fact["category"] == Category.ESCROW:
        # A payment that funds an escrow passes money on that was never available.
        left = Decimal(change["available"]) + Decimal(change["in_payments"])
        if left:
            is_whole = left == -Decimal(held)
            part = _("in escrow") if is_whole else _("%(amount)s in escrow", amount=money(held, currency))
            return f"{left:f}", currency, part if is_some(held) else ""
    for part, note in _PARTS:
        value = Decimal(change[part])
        if value:
            is_out = part == "earnings" and value < 0
            words = N_("disputed") if fact["kind"] == "payment.dispute_opened" and part == "available" else note
            return f"{-value if part in _AGAINST else value:f}", currency, "" if is_out else gettext(words)
    return None
