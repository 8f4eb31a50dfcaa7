"""Offers of agents on the marketplace, and who may buy them."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from domain.common import errors as refusals
from domain.common.errors import Conflict, Invalid
from domain.common.money import COINS, CREDIT, ISSUED, parse_amount

#: The most words of a listing that are searched.
MAX_WORDS = 200
#: The most meters by which the use of an agent is priced.
MAX_METERS = 20
_WORD = re.compile(r"\w{1,64}")


class OfferModel(StrEnum):
    """How an agent is sold."""

    FREE = "free"
    ONE_TIME = "one_time"
    MONTHLY = "monthly"
    USAGE = "usage"


class OfferStatus(StrEnum):
    """Whether an agent can be bought. Earlier buyers keep it either way."""

    LISTED = "listed"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """The offer of an agent; amounts are in minor units.

    Attributes:
        org_id: the organization of the agent.
        price_minor: the price in `currency`; both None for a free agent, and for one that is priced by usage.
        usage_prices: the price of a unit of each meter, in minor units of credits; None unless it is priced by usage.
        included_uses: the number of uses that a one-time price includes; None for any number.
        creator_bps: the creator's share of a sale, in basis points; None for the platform's usual share.
    """

    agent_id: str
    org_id: str
    name: str
    model: OfferModel
    price_minor: int | None
    currency: str | None
    creator_bps: int | None
    status: OfferStatus
    usage_prices: Mapping[str, int] | None = None
    included_uses: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedOffer:
    """The offer that a buyer has seen; None for parts that the request leaves out.

    `price` is a decimal string in `currency`; `usage_prices` are in minor units of credits. `included_uses` is compared
    only if `says_uses` is set, because None also means any number.
    """

    model: OfferModel | None = None
    price: str | None = None
    currency: str | None = None
    usage_prices: Mapping[str, int] | None = None
    says_uses: bool = False
    included_uses: int | None = None


def check_price(
    model: OfferModel, price_minor: int | None, currency: str | None, usage_prices: Mapping[str, int] | None = None
) -> None:
    """Check that the prices fit the model.

    Raises:
        Invalid: they do not; `field` names the first one.
    """
    if model is not OfferModel.USAGE and usage_prices is not None:
        raise Invalid(
            "Only an agent that is sold by usage can have unit prices. Leave prices out.", extra={"field": "prices"}
        )
    if model is OfferModel.USAGE:
        if price_minor is not None:
            raise Invalid(
                "An agent that is sold by usage has unit prices only. Send prices, and leave price out.",
                extra={"field": "price"},
            )
        if not usage_prices or len(usage_prices) > MAX_METERS or min(usage_prices.values()) <= 0:
            raise Invalid(
                f"An agent that is sold by usage needs a price above zero for each of 1 to {MAX_METERS} meters.",
                extra={"field": "prices"},
            )
    elif model is OfferModel.FREE:
        if price_minor is not None:
            raise Invalid("A free agent has no price. Leave price out.", extra={"field": "price"})
    elif not price_minor or currency is None:
        raise Invalid("An agent that is sold needs a price above zero. Send price.", extra={"field": "price"})
    elif currency != CREDIT and (currency in COINS or currency in ISSUED):
        raise Invalid("A price must be in credits or in money. Choose another currency.", extra={"field": "currency"})


def check_buyer(offer: Offer, org_id: str, *, related: bool) -> None:
    """Check that an organization can buy an agent.

    Args:
        offer: the offer.
        org_id: the buyer.
        related: whether the two organizations are related.

    Raises:
        Forbidden: `marketplace.own_agent`, `marketplace.related`.
        NotForSale: `marketplace.retired`.
    """
    if offer.org_id == org_id:
        raise refusals.MarketplaceOwnAgent("An organization cannot buy its own agent.")
    if related:
        raise refusals.MarketplaceRelated("The two organizations are related, so one cannot buy the other's agents.")
    if offer.status is OfferStatus.RETIRED:
        raise refusals.NotForSale("This agent is no longer for sale.")


def require_unchanged(offer: Offer, seen: ExpectedOffer) -> None:
    """Refuse a purchase if the offer differs from the one that the buyer has seen.

    Raises:
        Conflict: `marketplace.offer_changed`.
        Invalid: the price is not an amount in the offer's currency.
    """
    if seen.model not in {None, offer.model} or seen.currency not in {None, offer.currency}:
        raise offer_changed()
    if seen.price is not None and (
        offer.currency is None or parse_amount(seen.price, offer.currency) != offer.price_minor
    ):
        raise offer_changed()
    if seen.usage_prices not in (None, offer.usage_prices):
        raise offer_changed()
    if seen.says_uses and seen.included_uses != offer.included_uses:
        raise offer_changed()


def require_stated_price(offer: Offer, seen: ExpectedOffer) -> None:
    """Refuse an agent's purchase that does not state its price: the seller may have raised it since the agent read it.

    Raises:
        Invalid: `price` or, of an agent that is priced by usage, `prices` is missing.
    """
    if offer.price_minor is not None and seen.price is None:
        raise Invalid(
            "An agent's key states the price that it has seen. Read the offer, and send its price and currency.",
            extra={"field": "price"},
        )
    if offer.usage_prices is not None and seen.usage_prices is None:
        raise Invalid(
            "An agent's key states the unit prices that it has seen. Read the offer, and send its prices.",
            extra={"field": "prices"},
        )


def offer_changed() -> Conflict:
    """Return the error that the offer has changed."""
    return refusals.MarketplaceOfferChanged("The offer has changed. Read it again and decide anew.")


def search_words(*texts: str | None) -> list[str]:
    """Return the distinct words of texts for search: case-folded, in their order."""
    found: dict[str, None] = {}
    for text in texts:
        folded = unicodedata.normalize("NFKC", text or "").casefold()
        found |= dict.fromkeys(_WORD.findall(folded))
    return list(found)[:MAX_WORDS]
