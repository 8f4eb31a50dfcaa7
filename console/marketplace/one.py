"""What the page of one agent that is for sale shows, and the page that asks before it is bought."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from console.agent.view import granted_of
from console.format import Amount, Prefs, amount, count, moment, money, number, percent
from console.forms import Shown
from console.gateway import Answer
from console.marketplace.view import MODELS, Meter, meters_of, price_of, stars_of
from console.paying import Way
from console.reputation.view import points
from console.sections import unanswered
from console.status import Status, status_of
from console.widgets import Failed, Link
from domain.common.money import CREDIT
from domain.marketplace.offer import OfferModel, OfferStatus

_AT_ONCE = "It is in the library at once."


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
class Offered:
    """One agent. `owned` is how the organization has it, None if it does not; `why` is why it cannot be bought.

    Attributes:
        score: pairs of what is known of its work; empty without evidence.
    """

    title: str
    crumbs: tuple[Link, ...]
    status: Status
    summary: str
    description: str
    facts: tuple[tuple[str, str], ...]
    meters: tuple[Meter, ...]
    stars: str
    score: tuple[tuple[str, str], ...]
    score_failed: Failed | None
    owned: Status | None
    owned_href: str
    own_href: str
    why: str
    buying: Buying
    form: Shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """The page that asks before an agent is bought."""

    title: str
    crumbs: tuple[Link, ...]
    back: str
    buying: Buying
    meters: tuple[Meter, ...]
    form: Shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What the pages are made with beside the answers: how the reader reads, where pages are, and what they may."""

    prefs: Prefs
    base: str
    org_id: str
    by_credits: bool
    by_money: bool


def page(answers: Mapping[str, Answer], form: Shown, around: Around) -> Offered:
    """Return the page.

    Args:
        answers: `offer`, `agent`, `score`, `library`.
        form: of the dialog, or of a command that was refused.
        around: what it is made with.
    """
    offer, agent, score = answers["offer"].need(), answers["agent"], answers["score"]
    here = f"{around.base}/marketplace/{offer['agent_id']}"
    held = owned_by(answers["library"])
    own = offer["organization_id"] == around.org_id
    buying = buying_of(offer, around, held=held, have=None, ways=())
    return Offered(
        title=offer["name"],
        crumbs=(Link(label="Marketplace", href=f"{around.base}/marketplace"),),
        status=status_of("offer", offer["status"]),
        summary=offer["summary"],
        description=(agent.body["description"] or "") if agent.ok else "",
        facts=_facts(offer, around.prefs),
        meters=meters_of(offer, around.prefs),
        stars=stars_of(offer["stars"], around.prefs),
        score=_score(score.body, around.prefs) if score.ok else (),
        score_failed=None if score.ok else unanswered("Reputation", score, here),
        owned=status_of("purchase", held["status"]) if held else None,
        owned_href=f"{around.base}/library/{held['id']}" if held else "",
        own_href=f"{around.base}/agents/{offer['agent_id']}" if own else "",
        why=why_not(offer, around.org_id),
        buying=buying,
        form=form,
    )


def owned_by(library: Answer) -> Mapping[str, Any] | None:
    """Return the purchase by which the organization has the agent; None if it has none, or that is not known."""
    rows = library.body["data"] if library.ok else ()
    return next((each for each in rows if each["has_access"] or each["status"] == "suspended"), None)


def asking(
    offer: Mapping[str, Any],
    answers: Mapping[str, Answer],
    form: Shown,
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
            Link(label="Marketplace", href=f"{around.base}/marketplace"),
            Link(label=offer["name"], href=f"{around.base}/marketplace/{offer['agent_id']}"),
        ),
        back=f"{around.base}/marketplace/{offer['agent_id']}",
        buying=buying,
        meters=meters_of(offer, around.prefs),
        form=form,
    )


def costs_money(offer: Mapping[str, Any]) -> bool:
    """Return whether an offer is paid in money, by a person."""
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
            return "Accept the new prices"
        case OfferModel.MONTHLY:
            return f"Subscribe for {price} a month"
        case OfferModel.ONE_TIME:
            return f"Buy for {price}"
        case _:
            return "Add to the library"


def _sentences(offer: Mapping[str, Any], *, takes_over: bool) -> tuple[str, ...]:
    match offer["model"]:
        case OfferModel.FREE:
            return (f"It costs nothing. {_AT_ONCE}",)
        case OfferModel.USAGE if takes_over:
            return ("From now on, all uses by your organization cost these prices, not the ones it has now.",)
        case OfferModel.USAGE:
            return (
                f"Adding it costs nothing. {_AT_ONCE}",
                "Each use is paid from your credits when it is reported, within your limits, at these prices.",
            )
        case OfferModel.MONTHLY:
            found = [
                "The first month is paid now, and the next ones by themselves at the same price, until you cancel.",
                "What is cancelled ends with the month that was paid.",
            ]
        case _:
            found = ["You keep it permanently."]
    if offer["included_uses"] is not None:
        found.append(f"The price is for {offer['included_uses']} uses: a refund deducts those that were used.")
    found.append("The library says until when it can be returned, and what would be refunded.")
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
        return "This is an agent of your own organization: others buy it, and you use it as it is."
    if offer["status"] != OfferStatus.LISTED:
        return "It is not sold any more. Who has bought it keeps it."
    return ""


def _facts(offer: Mapping[str, Any], prefs: Prefs) -> tuple[tuple[str, str], ...]:
    found = [("Price", price_of(offer, prefs)), ("Pricing", dict(MODELS).get(offer["model"], offer["model"]))]
    if offer["included_uses"] is not None:
        found.append(("Uses in the price", count(offer["included_uses"], prefs)))
    if offer["category"]:
        found.append(("Category", offer["category"]))
    if offer["currency"] == CREDIT or offer["prices"]:
        found.append(("Granted credits", granted_of(offer)))
    found.append(("Price since", moment(offer["changed_at"], prefs).text))
    return tuple(found)


def _score(score: Mapping[str, Any], prefs: Prefs) -> tuple[tuple[str, str], ...]:
    if not score["evidence_count"]:
        return ()
    return (
        ("Score", f"{points(score['overall_score'], prefs)} of 10"),
        ("Between", f"{points(score['low'], prefs)} and {points(score['high'], prefs)}, nine times out of ten"),
        ("Jobs that ended well", f"{number(str(score['task_success_rate']), prefs)}%"),
        ("Events that count", count(score["evidence_count"], prefs)),
    )
