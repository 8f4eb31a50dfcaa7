"""A use of an agent that is priced by usage: whether it is sold, and what it costs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from domain.common import errors as refusals
from domain.common.errors import Invalid
from domain.common.money import CREDIT, MAX_AMOUNT_MINOR, format_amount
from domain.credits.lots import Sharing
from domain.marketplace.offer import Offer, check_buyer
from domain.marketplace.revenue_share import CREATOR_BPS
from domain.marketplace.sale import PurchaseStatus

#: The most units that are used at once.
MAX_QUANTITY = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class UseTerms:
    """The platform's terms for uses.

    Attributes:
        creator_bps: the creator's share, unless another one is set for the agent.
        exempt: operators who register organizations for others, see
            `repositories.reputation.organization_trait.share_an_owner`.
        sharing: how prices are shared with creators.
    """

    creator_bps: int = CREATOR_BPS
    exempt: Sequence[str] = ()
    sharing: Sharing = field(default_factory=Sharing)


def check_use(
    offer: Offer, org_id: str, *, owned: PurchaseStatus | None, prices: Mapping[str, int] | None, related: bool
) -> Mapping[str, int]:
    """Return the cost of units, or refuse the use.

    Args:
        offer: of the agent, as it is now.
        org_id: who uses it.
        owned: the status of the organization's purchase of the agent; None if it has none.
        prices: of that purchase, in minor units of credits; None if it is not priced by usage.
        related: whether the two organizations are related.

    Raises:
        Forbidden: `marketplace.own_agent`, `marketplace.related`, `marketplace.not_in_library`.
        NotForSale: `marketplace.retired`.
        Conflict: `marketplace.suspended`, `marketplace.not_metered`.
    """
    check_buyer(offer, org_id, related=related)
    if owned is None:
        raise refusals.MarketplaceNotInLibrary(
            "The agent is not in the library of the organization. Add it with POST /marketplace/agents/{id}/purchase."
        )
    if owned is PurchaseStatus.SUSPENDED:
        raise refusals.MarketplaceSuspended("The purchase of this agent is suspended.")
    if prices is None:
        raise refusals.MarketplaceNotMetered("The price of this agent includes its uses. Leave payee_agent_id out.")
    return prices


def units_of(quantity: Decimal) -> int:
    """Return how many units are reported.

    Raises:
        Invalid: it is not a whole number, or too large.
    """
    if quantity != quantity.to_integral_value() or not 1 <= quantity <= MAX_QUANTITY:
        raise Invalid(
            f"quantity must be a whole number of units, from 1 to {MAX_QUANTITY}.", extra={"field": "quantity"}
        )
    return int(quantity)


def price_of(prices: Mapping[str, int], meter: str | None, quantity: int) -> int:
    """Return the price of a number of units of a meter, in minor units of credits.

    Raises:
        Invalid: there is no such meter, or the price exceeds the maximum amount.
    """
    if meter is None or meter not in prices:
        names = ", ".join(sorted(prices))
        raise Invalid(f"The agent has no price for this action. It has prices for: {names}.", extra={"field": "action"})
    price_minor = prices[meter] * quantity
    if price_minor > MAX_AMOUNT_MINOR:
        most = format_amount(MAX_AMOUNT_MINOR, CREDIT)
        raise Invalid(f"A use must not cost more than {most} {CREDIT}.", extra={"field": "quantity"})
    return price_minor
