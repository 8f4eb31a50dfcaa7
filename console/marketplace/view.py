"""What the list of agents for sale shows, and how offers are written everywhere."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from console.format import Amount, Prefs, amount, money
from console.lists import Found, Listed
from console.reputation.view import rating
from domain.marketplace.offer import OfferModel

FILTERS = ("text", "model", "category", "currency", "min_price", "max_price", "min_stars")
LABELS = {
    "text": "Text",
    "model": "Pricing",
    "category": "Category",
    "currency": "Currency",
    "min_price": "At least",
    "max_price": "At most",
    "min_stars": "Stars",
}
#: How an agent is paid for.
MODELS = (
    (OfferModel.FREE.value, "Free"),
    (OfferModel.ONE_TIME.value, "Once"),
    (OfferModel.MONTHLY.value, "Each month"),
    (OfferModel.USAGE.value, "By use"),
)
_STARS = (("", "Any"), ("3", "3 or more"), ("4", "4 or more"), ("4.5", "4.5 or more"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One agent that is for sale."""

    href: str
    name: str
    summary: str
    category: str
    price: str
    stars: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Marketplace:
    """The list."""

    title: str
    listed: Listed
    models: tuple[tuple[str, str], ...]
    stars: tuple[tuple[str, str], ...]
    rows: tuple[Row, ...]
    library: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """What one unit costs."""

    name: str
    price: Amount


def page(found: Found, prefs: Prefs, base: str) -> Marketplace:
    """Return the list for what the API has."""
    return Marketplace(
        title="Marketplace",
        listed=found.listed("Marketplace", LABELS),
        models=(("", "Any"), *MODELS),
        stars=_STARS,
        rows=tuple(row(each, prefs, found.asked.path) for each in found.rows),
        library=f"{base}/library",
    )


def row(offer: Mapping[str, Any], prefs: Prefs, path: str) -> Row:
    """Return one offer of the API as it is listed."""
    return Row(
        href=f"{path}/{offer['agent_id']}",
        name=offer["name"],
        summary=offer["summary"],
        category=offer["category"] or "",
        price=price_of(offer, prefs),
        stars=stars_of(offer["stars"], prefs),
    )


def price_of(offer: Mapping[str, Any], prefs: Prefs) -> str:
    """Write what an offer or a purchase costs, in words."""
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
            return f"{least.price.text} a {least.name}{more}" if least else "By use"
        case _:
            return "Free"


def meters_of(offer: Mapping[str, Any], prefs: Prefs) -> tuple[Meter, ...]:
    """Return what units cost, by their names."""
    prices = offer["prices"] or {}
    return tuple(Meter(name=name, price=amount(prices[name], "CREDIT", prefs)) for name in sorted(prices))


def stars_of(stars: float | None, prefs: Prefs) -> str:
    """Write a score of five stars; that there is no evidence, where there is none."""
    return "No evidence yet" if stars is None else f"{rating(stars, prefs)} of 5"
