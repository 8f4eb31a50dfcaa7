"""What the profile of an agent shows, to those who may hire or buy it, and the page that asks before it is bought."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from console.agent.view import state_of
from console.charts import Chart, Meter as Bar
from console.format import Amount, Prefs, amount, count, day, duration, money, number, percent, titled
from console.forms import FormState
from console.gateway import Answer
from console.marketplace.view import FIND, Face, Meter, agent_card, face_of, job_price, meters_of, price_of
from console.paying import Way
from console.reputation.view import Feedback, bars_of, by_dimension, exact, feedback_of
from console.sections import unanswered
from console.status import Status, status_of
from console.widgets import Failed, FormPage, Link
from domain.common.money import CREDIT
from domain.marketplace.offer import OfferModel, OfferStatus

_AT_ONCE = "It is added to your library at once."
_PRICES, _ENDS = ("base_price", "adjusted_price"), ("min", "max")


@dataclass(frozen=True, slots=True, kw_only=True)
class Buying:
    """What buying does, and what its form sends.

    Attributes:
        label: of the button; empty if the reader cannot buy the agent.
        sentences: what it does.
        price: what is paid now, with its tax; None if nothing is.
        net, tax: the parts of a price in money, where it is taxed; None otherwise, and before it is asked for.
        tax_label: names the tax.
        have: the credits that there are; None if they are not known or do not matter.
        sent: what the form sends beside its key.
        ways: how it is paid, where it is not by credits.
        dialog: the id of the dialog that asks; empty if a page does.
        granted: how much of the price is paid in granted credits; empty if nothing is.
    """

    label: str
    href: str
    sentences: tuple[str, ...]
    price: Amount | None
    have: Amount | None
    sent: tuple[tuple[str, str], ...]
    ways: tuple[Way, ...]
    dialog: str
    granted: str = ""
    net: Amount | None = None
    tax: Amount | None = None
    tax_label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile(FormPage):
    """One agent. `owned` is how the organization has it, None if it does not; `why` is why it cannot be bought.

    Attributes:
        hire: leads to the form that awards it a job; empty if the reader cannot.
        costs: what it costs, in sentences.
        stars: empty without evidence, as `bars` is.
        bars: its scores by dimension; `history` draws them over time.
    """

    status: Status | None
    face: Face
    lead: str
    hire: str
    description: str
    facts: tuple[tuple[str, str], ...]
    costs: tuple[str, ...]
    meters: tuple[Meter, ...]
    price: str
    stars: str
    ratings: str
    jobs: str
    success: str
    bars: tuple[Bar, ...]
    score_failed: Failed | None
    history: Chart | None
    history_failed: Failed | None
    feedback: tuple[Feedback, ...]
    feedback_failed: Failed | None
    owned: Status | None
    owned_href: str
    own_href: str
    why: str
    buying: Buying | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking(FormPage):
    face: Face
    back: str
    buying: Buying
    meters: tuple[Meter, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What the pages are made with beside the answers: how the reader reads, where pages are, and what they may."""

    prefs: Prefs
    base: str
    org_id: str
    by_credits: bool
    by_money: bool
    may_hire: bool = False


def page(answers: Mapping[str, Answer], form: FormState, around: Around) -> Profile:
    agent, prefs, found = answers["agent"].need(), around.prefs, answers["offer"]
    offer = None if found.status == 404 else found.need()
    score, history, feedback = answers["score"], answers["history"], answers["feedback"]
    here = f"{around.base}/marketplace/{agent['id']}"
    held = owned_by(answers["library"])
    is_own = agent["organization_id"] == around.org_id
    card = agent_card(agent, prefs, f"{around.base}/marketplace")
    nights = history.body["data"] if history.ok else ()
    is_known = score.ok and score.body["evidence_count"] > 0
    return Profile(
        title=agent["name"],
        crumbs=(Link(label=FIND, href=f"{around.base}/marketplace"),),
        status=state_of(agent) if agent["retired_at"] else None,
        face=card.face,
        lead=offer["summary"] if offer else "",
        hire=f"{around.base}/escrows/new?agent={agent['id']}" if around.may_hire and agent["can_be_hired"] else "",
        description=agent["description"] or "",
        facts=_facts(agent, prefs),
        costs=_costs(agent, offer, answers.get("price"), prefs),
        meters=meters_of(offer, prefs) if offer else (),
        price=card.price,
        stars=card.stars,
        ratings=card.ratings,
        jobs=count(agent["jobs_done"], prefs),
        success=f"{number(str(score.body['task_success_rate']), prefs)}% of jobs succeeded" if is_known else "",
        bars=bars_of(score.body["dimensions"], prefs) if is_known else (),
        score_failed=unanswered("Reputation", score, here),
        history=by_dimension(nights, prefs) if nights else None,
        history_failed=unanswered("Reputation over time", history, here),
        feedback=tuple(feedback_of(each, prefs) for each in (feedback.body["data"] if feedback.ok else ())),
        feedback_failed=unanswered("Feedback", feedback, here),
        owned=status_of("purchase", held["status"]) if held else None,
        owned_href=f"{around.base}/library/{held['id']}" if held else "",
        own_href=f"{around.base}/agents/{agent['id']}" if is_own else "",
        why=why_not(offer, around.org_id) if offer else "",
        buying=buying_of(offer, around, held=held, have=None, ways=()) if offer else None,
        form=form,
    )


def owned_by(library: Answer) -> Mapping[str, Any] | None:
    """Return the purchase by which the organization has the agent; None if it has none, or that is not known."""
    rows = library.body["data"] if library.ok else ()
    return next((each for each in rows if each["has_access"] or each["status"] == "suspended"), None)


def asking(
    offer: Mapping[str, Any],
    answers: Mapping[str, Answer],
    form: FormState,
    ways: tuple[Way, ...],
    around: Around,
    quoted: Mapping[str, Any] | None,
) -> Asking:
    """Return the page that asks before an offer is bought; `answers` has `library` and `balance`.

    `quoted` is the answer of `GET /billing/quote` for an offer that is paid in money.
    """
    balance = answers["balance"]
    have = amount(balance.body["available"], CREDIT, around.prefs) if balance.ok else None
    buying = buying_of(offer, around, held=owned_by(answers["library"]), have=have, ways=ways)
    buying = _quoted(buying, quoted, around.prefs) if quoted else buying
    return Asking(
        title=f"{buying.label or 'Buy'}: {offer['name']}",
        crumbs=(
            Link(label=FIND, href=f"{around.base}/marketplace"),
            Link(label=offer["name"], href=f"{around.base}/marketplace/{offer['agent_id']}"),
        ),
        face=face_of(offer["agent_id"], offer),
        back=f"{around.base}/marketplace/{offer['agent_id']}",
        buying=buying,
        meters=meters_of(offer, around.prefs),
        form=form,
    )


def costs_money(offer: Mapping[str, Any]) -> bool:
    return offer["currency"] not in {None, CREDIT}


def buying_of(
    offer: Mapping[str, Any],
    around: Around,
    *,
    held: Mapping[str, Any] | None,
    have: Amount | None,
    ways: tuple[Way, ...],
) -> Buying:
    """Return what buying an offer does; nothing if the reader cannot buy it."""
    by_money, prefs = costs_money(offer), around.prefs
    price = None if offer["price"] is None else amount(offer["price"], offer["currency"], prefs)
    # An organization that has an agent whose uses cost something else by now can accept the new prices: people can.
    takes_over = held is not None and offer["model"] == OfferModel.USAGE and held["prices"] != offer["prices"]
    may = around.by_money if by_money or takes_over else around.by_credits
    sold = offer["status"] == OfferStatus.LISTED and offer["organization_id"] != around.org_id
    label = _label(offer, price, takes_over=takes_over) if may and sold and (held is None or takes_over) else ""
    return Buying(
        label=label,
        href=f"{around.base}/marketplace/{offer['agent_id']}/buy",
        sentences=_sentences(offer, takes_over=takes_over),
        price=price,
        have=have if offer["currency"] == CREDIT else None,
        sent=_sent(offer),
        ways=ways,
        dialog="" if by_money else "do-buy",
        granted=money(offer["granted_amount"], CREDIT, prefs) if Decimal(offer["granted_amount"] or 0) else "",
    )


def _quoted(buying: Buying, quoted: Mapping[str, Any], prefs: Prefs) -> Buying:
    """Return the price with tax; the form sends it, so that a changed price is refused."""
    currency, tax = quoted["currency"], quoted["tax"]
    return replace(
        buying,
        price=amount(quoted["total"], currency, prefs),
        net=amount(quoted["subtotal"], currency, prefs) if tax else None,
        tax=amount(tax["amount"], currency, prefs) if tax else None,
        tax_label=f"Tax, {percent(tax['rate'], prefs)}" if tax else "",
        sent=(*buying.sent, ("total", quoted["total"])),
    )


def _label(offer: Mapping[str, Any], price: Amount | None, *, takes_over: bool) -> str:
    match offer["model"]:
        case OfferModel.USAGE if takes_over:
            return "Accept new prices"
        case OfferModel.MONTHLY:
            return f"Subscribe for {price} a month"
        case OfferModel.ONE_TIME:
            return f"Buy for {price}"
        case _:
            return "Add to library"


def _sentences(offer: Mapping[str, Any], *, takes_over: bool) -> tuple[str, ...]:
    match offer["model"]:
        case OfferModel.FREE:
            return (f"It is free. {_AT_ONCE}",)
        case OfferModel.USAGE if takes_over:
            return ("From now on, all uses by your organization cost these prices, not the current ones.",)
        case OfferModel.USAGE:
            return (
                f"Adding it is free. {_AT_ONCE}",
                "Each use is charged to your credits when it is reported, within your limits, at these prices.",
            )
        case OfferModel.MONTHLY:
            found = [
                "The first month is charged now, later ones automatically at the same price until you cancel.",
                "After you cancel, access ends with the paid month.",
            ]
        case _:
            found = ["You keep it permanently."]
    if offer["included_uses"] is not None:
        found.append(f"The price includes {offer['included_uses']} uses. A refund deducts the used ones.")
    found.append("The library shows the return deadline and the refund.")
    return tuple(found)


def _sent(offer: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return what the form says was shown, so that nothing is bought at another price."""
    model = ("model", offer["model"])
    if offer["price"] is not None:
        uses = "" if offer["included_uses"] is None else str(offer["included_uses"])
        return (model, ("price", offer["price"]), ("currency", offer["currency"]), ("uses", uses))
    return (model, *(("meter", f"{name}={price}") for name, price in sorted((offer["prices"] or {}).items())))


def why_not(offer: Mapping[str, Any], org_id: str) -> str:
    """Say why an organization cannot buy an offer; empty if it can."""
    if offer["organization_id"] == org_id:
        return "This agent belongs to your organization. You can use it without buying it."
    if offer["status"] != OfferStatus.LISTED:
        return "It is no longer for sale. Existing buyers keep it."
    return ""


def _facts(agent: Mapping[str, Any], prefs: Prefs) -> tuple[tuple[str, str], ...]:
    category = (("Category", titled(agent["category"])),) if agent["category"] else ()
    return (*category, ("Listed since", day(agent["created_at"], prefs)))


def _costs(
    agent: Mapping[str, Any], offer: Mapping[str, Any] | None, price: Answer | None, prefs: Prefs
) -> tuple[str, ...]:
    pricing, terms = agent["pricing"], agent["terms"]
    listed = "" if pricing["amount"] is None else f"Listed at {job_price(agent, prefs)}. "
    found = [f"{listed}You agree on the price of your job before any money moves."]
    if (bounds := terms.get("price")) and (said := _between(bounds, prefs)):
        found.append(f"Jobs {said} are accepted automatically, others when the author agrees.")
    if (within := terms.get("deliver_within")) and within["min"]:
        found.append(f"It needs at least {duration(within['min'], prefs)} to deliver.")
    if price is not None and price.ok and price.body["adjustments"] and pricing["currency"]:
        base, adjusted = (money(price.body[each], pricing["currency"], prefs) for each in _PRICES)
        found += [
            f"{line['description']}: {_changed(line['multiplier'], prefs)}." for line in price.body["adjustments"]
        ]
        found.append(f"Your price today is {adjusted}; the listed one is {base}.")
    if offer and offer["status"] == OfferStatus.LISTED:
        uses = f", with {count(offer['included_uses'], prefs)} uses" if offer["included_uses"] is not None else ""
        found.append(f"To buy: {price_of(offer, prefs)}{uses}.")
    if offer and (least := offer["least_payout"]):
        found.append(f"At least {money(least['amount'], least['currency'], prefs)} of its price is paid out.")
    granted = "accepted" if agent["accepts_granted_credits"] else "not accepted"
    return (*found, f"Granted credits are {granted}.")


def _between(bounds: Mapping[str, Any], prefs: Prefs) -> str:
    low, high = (None if bounds[end] is None else money(bounds[end], bounds["currency"], prefs) for end in _ENDS)
    if low and high:
        return f"between {low} and {high}"
    return f"from {low}" if low else f"up to {high}" if high else ""


def _changed(times: float, prefs: Prefs) -> str:
    change = exact(times) - 1
    return f"{percent(f'{change.copy_abs():f}', prefs)} {'less' if change < 0 else 'more'}"
