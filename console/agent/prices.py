"""Prices of agents in words: of a job by the agent's listing, and of an offer on the marketplace."""

from collections.abc import Mapping
from typing import Any

from console.format import money
from console.reader import reader
from console.texts import _
from domain.marketplace.offer import OfferModel


def job_price(agent: Mapping[str, Any]) -> str:
    """Write what a job of an agent costs: its listed price, else the lowest one that it accepts automatically."""
    pricing, bounds = agent["pricing"], agent["terms"].get("price")
    if pricing["amount"] is not None:
        price = money(pricing["amount"], pricing["currency"], reader().prefs)
        match pricing["model"]:
            case OfferModel.MONTHLY:
                return _("%(price)s a month", price=price)
            case OfferModel.USAGE:
                return _("%(price)s a use", price=price)
            case _other:
                return _("%(price)s a job", price=price)
    if bounds and bounds["min"] is not None:
        return _("From %(price)s a job", price=money(bounds["min"], bounds["currency"], reader().prefs))
    return _("Usage-based") if pricing["model"] == OfferModel.USAGE else _("Price by agreement")


def offer_price(offer: Mapping[str, Any]) -> str:
    """Write the price of an offer, or of a purchase."""
    price = "" if offer["price"] is None else money(offer["price"], offer["currency"], reader().prefs)
    match offer["model"]:
        case OfferModel.MONTHLY:
            return _("%(price)s a month", price=price)
        case OfferModel.ONE_TIME:
            return _("%(price)s once", price=price)
        case OfferModel.USAGE if offer["prices"]:
            unit, least = min(offer["prices"].items())
            each, others = money(least, "CREDIT", reader().prefs), len(offer["prices"]) - 1
            if others:
                return _("%(price)s a %(unit)s and %(count)s more", price=each, unit=unit, count=others)
            return _("%(price)s a %(unit)s", price=each, unit=unit)
        case OfferModel.USAGE:
            return _("Usage-based")
        case _other:
            return _("Free")
