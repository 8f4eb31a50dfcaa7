"""What the page shows that asks before a plan is subscribed to or changed: what it costs, line by line."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from console.billing.plans import EVERY, prices_of, subscription_of, title_of
from console.format import Amount, Prefs, amount, count, day, decimal, money
from console.forms import FormState
from console.gateway import Answer
from console.payment_method.view import words_of
from console.problems import answered
from console.widgets import Failed, Link, Page
from domain.billing.invoice.collection import CollectionMethod
from domain.billing.subscription.state import ChangeKind

#: The ways to pay by the default method, and by the provider's page.
STORED, PAGE = "stored", "page"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of what a change costs or brings; `strong` is what it comes to."""

    label: str
    amount: Amount
    strong: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Change(Page):
    """The page. Nothing can be sent where `label` is empty; `why` says why.

    Attributes:
        choice: the form that asks for another plan, by GET.
        send: the form that orders it.
        sent: what that sends beside its key.
        payment_options: how a new subscription can be paid; empty for a change, and where payment is requested later.
        trial: how many days may be tried first; empty where none.
        by_seat: whether any plan is sold by the seat.
    """

    action: str
    back: str
    choice: FormState
    plans: tuple[tuple[str, str], ...]
    intervals: tuple[tuple[str, str], ...]
    send: FormState
    sent: tuple[tuple[str, str], ...]
    lines: tuple[Line, ...]
    sentences: tuple[str, ...]
    payment_options: tuple[tuple[str, str, str], ...]
    trial: str
    label: str
    why: str
    failed: Failed | None
    by_seat: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Offer:
    lines: tuple[Line, ...] = ()
    sentences: tuple[str, ...] = ()
    payment_options: tuple[tuple[str, str, str], ...] = ()
    trial: str = ""
    label: str = ""
    sent: tuple[tuple[str, str], ...] = ()
    why: str = ""


def page(
    answers: Mapping[str, Answer], chosen: Mapping[str, str], send: FormState, prefs: Prefs, here: str, why: str
) -> Change:
    config, terms, preview = answers["config"], answers["terms"], answers.get("preview")
    held = subscription_of(answers["subscription"])
    shown = [config, terms, answers["subscription"], *([preview] if preview is not None and not why else [])]
    silent = next((each for each in shown if each.status != 404 and not answered(each)), None)
    offer = _Offer(why=why)
    if silent is None and not why and chosen.get("plan"):
        offer = _new(answers, chosen, prefs) if held is None else _change(preview, config, prefs)
    plans = [each for each in config.body["plans"] if each["prices"]] if config.ok else []
    begins = answers["subscription"].ok is False
    return Change(
        title="Subscribe" if begins else "Change plan",
        crumbs=(Link(label="Billing", href=here), Link(label="Plans", href=f"{here}/plans")),
        action=f"{here}/change",
        back=f"{here}/plans",
        choice=FormState(key="", values=chosen),
        plans=tuple((each["id"], each["name"]) for each in plans),
        intervals=(("month", "Monthly"), ("year", "Yearly")),
        send=send,
        sent=(*((name, chosen[name]) for name in ("plan", "interval", "seats") if chosen.get(name)), *offer.sent),
        lines=offer.lines,
        sentences=offer.sentences,
        payment_options=offer.payment_options,
        trial=offer.trial,
        label=offer.label,
        why=offer.why,
        failed=None if silent is None else Failed(title="Price", request_id=silent.request_id, again=f"{here}/change"),
        by_seat=any(each["per_seat"] for each in plans),
    )


def _change(preview: Answer | None, config: Answer, prefs: Prefs) -> _Offer:
    if preview is None or not preview.ok:
        return _Offer(why="This plan is not available. Choose another one.")
    found = preview.body
    plan, due, unused, price = title_of(found["plan"], config), found["due"], found["unused"], found["price"]
    now = found["kind"] == ChangeKind.UPGRADE
    lines = []
    if decimal(unused["amount"]):
        lines.append(Line(label="Credit for unused time", amount=_money(unused, prefs)))
    lines.append(Line(label="Due today, excluding tax", amount=_money(due, prefs), strong=True))
    if decimal(found["credits"]):
        lines.append(Line(label="Credits added now", amount=amount(found["credits"], "CREDIT", prefs)))
    from_then = f"From then on{_seats(found['seats'], prefs)}, {EVERY[found['interval']]}"
    lines.append(Line(label=from_then, amount=_money(price, prefs), strong=True))
    lines.append(Line(label="Credits a month", amount=amount(found["credits_per_month"], "CREDIT", prefs)))
    at = day(found["acts_at"], prefs)
    sentences: tuple[str, ...] = (
        ("The new plan starts when this payment succeeds.",)
        if now
        else (f"The plan changes on {at}. Nothing changes before, and nothing is refunded.",)
    )
    if found["is_agreed_price"]:
        sentences = (*sentences, "This is your agreed price.")
    if found["net_days"]:
        sentences = (*sentences, f"Payment is requested, due {found['net_days']} days after the invoice.")
    paid = now and decimal(due["amount"])
    label = f"Change to {plan}, pay {money(due['amount'], due['currency'], prefs)}" if paid else f"Change to {plan}"
    return _Offer(lines=tuple(lines), sentences=sentences, label=label, sent=(("max_amount", due["amount"]),))


def _new(answers: Mapping[str, Answer], chosen: Mapping[str, str], prefs: Prefs) -> _Offer:
    terms, currency = answers["terms"].body, answers["terms"].body["currency"]
    plan = next((each for each in answers["config"].body["plans"] if each["id"] == chosen["plan"]), None)
    interval = chosen.get("interval", "month")
    price = None if plan is None else prices_of(plan, terms, currency).get(interval)
    if plan is None or price is None:
        return _Offer(why="This plan is not sold this way. Choose another one.")
    cost, agreed = price
    seats = 1
    if plan["per_seat"]:
        if not chosen.get("seats", "").isdecimal() or not int(chosen["seats"]):
            return _Offer(why="This plan is priced per seat. Enter the number of seats.")
        seats = int(chosen["seats"])
    cost, credits = (str(decimal(each) * seats) for each in (cost, plan["credits_per_month"]))
    bought = _seats(seats if plan["per_seat"] else None, prefs)
    on_request = terms["collection_method"] == CollectionMethod.SEND_INVOICE
    payment_options = () if on_request else _payment_options(answers["methods"])
    begins = (
        f"Payment is requested, due {terms['net_days']} days after the invoice."
        if on_request
        else "The plan begins with the first payment, and renews at the start of each period."
    )
    lines = (
        Line(
            label=f"{plan['name']}{bought}, {EVERY[interval]}, plus tax",
            amount=amount(cost, currency, prefs),
            strong=True,
        ),
        Line(label="Credits a month", amount=amount(credits, "CREDIT", prefs)),
    )
    days = plan["trial_days"]
    return _Offer(
        lines=lines,
        sentences=(begins, *(("This is your agreed price.",) if agreed else ())),
        payment_options=payment_options,
        trial=f"Start a trial of {days} days" if days and not on_request else "",
        label=f"Subscribe for {money(cost, currency, prefs)} {EVERY[interval]}",
        sent=(("currency", currency), ("most", cost)),
    )


def _seats(seats: int | None, prefs: Prefs) -> str:
    return "" if seats is None else f", {count(seats, prefs)} {'seat' if seats == 1 else 'seats'}"


def _payment_options(methods: Answer) -> tuple[tuple[str, str, str], ...]:
    stored = methods.body["data"] if methods.ok else []
    # Without a default, the only method there is is charged; of several the API would not know which.
    charged = [each for each in stored if each["is_default"]] or (stored if len(stored) == 1 else [])
    page = (PAGE, "Another method" if charged else "By card or bank debit", "On Stripe's page")
    return (*((STORED, words_of(each), "Stored, and charged at once") for each in charged), page)


def _money(given: Mapping[str, Any], prefs: Prefs) -> Amount:
    return amount(given["amount"], given["currency"], prefs)
