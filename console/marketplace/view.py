"""What the directory of agents shows: those to hire, and those whose use is sold; and how prices are written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zlib import crc32

from console.agent.view import price_of as listed_price
from console.format import Amount, Prefs, amount, count, money, titled
from console.lists import ListPage, ListResult
from console.reputation.view import rating
from console.widgets import Link, Tab
from domain.marketplace.agent import AgentSort
from domain.marketplace.offer import OfferModel

FILTERS = ("q", "category", "min_stars", "sort")
OFFER_FILTERS = ("text", "model", "category", "currency", "min_price", "max_price", "min_stars")
LABELS = {
    "q": "Search",
    "text": "Search",
    "model": "Pricing",
    "category": "Category",
    "currency": "Currency",
    "min_price": "At least",
    "max_price": "At most",
    "min_stars": "Stars",
    "sort": "Order",
}
#: Where agents of others are found.
FIND = "Find agents"
#: How an agent is paid for.
MODELS = (
    (OfferModel.FREE.value, "Free"),
    (OfferModel.ONE_TIME.value, "One-time"),
    (OfferModel.MONTHLY.value, "Monthly"),
    (OfferModel.USAGE.value, "Usage-based"),
)
_STARS = (("", "Any"), ("3", "3 or more"), ("4", "4 or more"), ("4.5", "4.5 or more"))
_SORTS = (("", "Newest"), (AgentSort.RATING.value, "Best rated"), (AgentSort.JOBS.value, "Most jobs"))
#: What is said where nothing is listed, by the order; empty is the first one.
_NOTHING = {
    "": ("No agents yet", "Public agents of all organizations are listed here."),
    AgentSort.RATING.value: ("No ratings yet", "Agents with ratings are listed here. Sort differently to see all."),
    AgentSort.JOBS.value: ("No jobs yet", "Agents that did a job are listed here. Sort differently to see all."),
}
_NOT_SOLD = ("Nothing is for sale", "Agents on sale are listed here. Offer your own from their pages.")
#: So many colours the discs with initials have.
_COLOURS = 6
Options = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """What people know an agent by before they know more: its initials in a colour of its own, its name, its author."""

    initials: str
    colour: str
    name: str
    author: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One agent; `stars` is empty without evidence."""

    href: str
    face: Face
    text: str
    category: str
    stars: str
    ratings: str
    jobs: str
    price: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory(ListPage):
    """The agents that can be hired, or with `is_for_sale` those whose use is sold."""

    lead: str
    is_for_sale: bool
    models: Options
    stars: Options
    categories: Options
    sorts: Options
    nothing: tuple[str, str]
    cards: tuple[Card, ...]
    links: tuple[Link, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """What one unit costs."""

    name: str
    price: Amount


def page(found: ListResult, prefs: Prefs, base: str, categories: Sequence[str], *, is_for_sale: bool) -> Directory:
    here = f"{base}/marketplace"
    options = {"category": tuple((each, titled(each)) for each in categories), "model": MODELS, "sort": _SORTS}
    card = offer_card if is_for_sale else agent_card
    return Directory(
        title=FIND,
        lead="Buy or subscribe to use an agent in your organization."
        if is_for_sale
        else "Hire an agent for a job: your money is held in escrow until the work is accepted.",
        tabs=(
            Tab(label="Hire for a job", href=here, current=not is_for_sale),
            Tab(label="Buy or subscribe", href=f"{here}/offers", current=is_for_sale),
        ),
        is_for_sale=is_for_sale,
        listed=found.listed(
            "Agents", LABELS, tabbed=("sort",), words={name: dict(each) for name, each in options.items()}
        ),
        models=(("", "Any"), *MODELS),
        stars=_STARS,
        categories=(("", "Any"), *options["category"]),
        sorts=_SORTS,
        nothing=_NOT_SOLD if is_for_sale else _NOTHING.get(found.asked.given.get("sort", ""), _NOTHING[""]),
        cards=tuple(card(each, prefs, here) for each in found.rows),
        links=(Link(label="Library", href=f"{base}/library"), Link(label="Your agents", href=f"{base}/agents")),
    )


def face_of(agent_id: str, shown: Mapping[str, Any]) -> Face:
    words = [word for word in shown["name"].split() if word[0].isalnum()] or ["?"]
    return Face(
        initials="".join(word[0] for word in words[:2]).upper(),
        colour=f"f{crc32(agent_id.encode()) % _COLOURS + 1}",
        name=shown["name"],
        author=shown["organization_name"],
    )


def agent_card(agent: Mapping[str, Any], prefs: Prefs, here: str) -> Card:
    price = job_price(agent, prefs) if agent["can_be_hired"] else "Cannot be hired now"
    return _card(agent["id"], agent, agent["description"] or "", price, prefs, here)


def offer_card(offer: Mapping[str, Any], prefs: Prefs, here: str) -> Card:
    return _card(offer["agent_id"], offer, offer["summary"], price_of(offer, prefs), prefs, here)


def _card(agent_id: str, shown: Mapping[str, Any], text: str, price: str, prefs: Prefs, here: str) -> Card:
    return Card(
        href=f"{here}/{agent_id}",
        face=face_of(agent_id, shown),
        text=text,
        category=titled(shown["category"]) if shown["category"] else "",
        stars="" if shown["stars"] is None else rating(shown["stars"], prefs),
        ratings=counted(shown["ratings"], "rating", prefs),
        jobs=f"{counted(shown['jobs_done'], 'job', prefs)} done",
        price=price,
    )


def counted(number: int, noun: str, prefs: Prefs) -> str:
    return f"{count(number, prefs)} {noun}{'' if number == 1 else 's'}"


def job_price(agent: Mapping[str, Any], prefs: Prefs) -> str:
    """Write what a job of an agent costs: its listed price, else the lowest one that it takes unasked."""
    pricing = agent["pricing"]
    if pricing["amount"] is not None and pricing["model"] == OfferModel.ONE_TIME:
        return money(pricing["amount"], pricing["currency"], prefs)
    if pricing["amount"] is not None:
        return listed_price(pricing, prefs)
    bounds = agent["terms"].get("price")
    if bounds and bounds["min"] is not None:
        return f"From {money(bounds['min'], bounds['currency'], prefs)}"
    return "Price by agreement"


def price_of(offer: Mapping[str, Any], prefs: Prefs) -> str:
    written = "" if offer["price"] is None else money(offer["price"], offer["currency"], prefs)
    match offer["model"]:
        case OfferModel.MONTHLY:
            return f"{written} a month"
        case OfferModel.ONE_TIME:
            return f"{written} once"
        case OfferModel.USAGE:
            units = meters_of(offer, prefs)
            least = units[0] if units else None
            more = f" and {len(units) - 1} more" if len(units) > 1 else ""
            return f"{least.price.text} a {least.name}{more}" if least else "Usage-based"
        case _:
            return "Free"


def meters_of(offer: Mapping[str, Any], prefs: Prefs) -> tuple[Meter, ...]:
    """Return what units cost, by their names."""
    prices = offer["prices"] or {}
    return tuple(Meter(name=name, price=amount(prices[name], "CREDIT", prefs)) for name in sorted(prices))
