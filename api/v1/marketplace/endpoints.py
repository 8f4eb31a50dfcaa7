"""The marketplace: what agents are offered for, buying them, and the library of an organization."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from api.approvals import require_two_for_override, require_two_for_refund
from api.auth import ActorDep, SpendingKeyDep, permit, require
from api.deps import Deps, DepsDep, get_temporal
from api.errors import errors
from api.fields import Amount, etag
from api.idempotency import Command, MayRepeat, MovesMoney
from api.lists import CREATED, Items, ListEndpoint, ListRequest, items_of
from api.metadata import GivenPreconditionDep, read_own
from api.routing import Resource
from api.spending import scope_for
from api.tenancy import listed_organization
from api.v1.agents.endpoints import agent_cards_of
from api.v1.agents.schemas import MinStars, stars_e6
from api.v1.marketplace.schemas import (
    AgentCancel,
    AgentPurchase,
    AgentPurchaseView,
    AgentRefund,
    OfferSet,
    OfferView,
    PurchaseAnswer,
)
from api.v1.payments import commands
from api.v1.payments.endpoints import CREATING, payment_view
from api.v1.payments.terms import Terms
from contracts.payments.payment import RefundPayment
from domain.common import errors as refusals
from domain.common.access import Actor, Permission
from domain.common.approval import ApprovalAction
from domain.common.errors import Forbidden, InsufficientFunds, Invalid, NotFound, SpendLimitExceeded
from domain.common.ids import refund_id_of, sale_tax_key
from domain.common.money import CREDIT, format_ratio, parse_amount
from domain.credits.spend.scope import RequestedScope, SpendingKey
from domain.marketplace.least_payout import least_payout
from domain.marketplace.offer import OfferModel, check_buyer, offer_changed, require_unchanged, search_words
from domain.marketplace.revenue_share import ALL_BPS
from domain.marketplace.sale import PurchaseStatus
from domain.payments.payment.purposes.purchase import OfferToBuy as Buying
from domain.payments.payment.terms import PaymentTerms, PurposeKind
from domain.tenants.organization import STOPPED_ERRORS
from ledger.spends import Spender
from models.marketplace.marketplace import MarketplacePurchase
from repositories.common.command import row_of_command
from repositories.common.listing import ListFilter
from repositories.credits import credit_lot
from repositories.marketplace import agent as agents, marketplace
from repositories.marketplace.marketplace import OfferListing
from repositories.reputation.organization_trait import share_an_owner
from repositories.tenants import organization as organizations
from services.marketplace import marketplace as service, marketplace_renewal

router = Resource(tags=["marketplace"])


_OFFERS = ListEndpoint(
    "offers",
    OfferView,
    *(*CREATED, "currency"),
    order=[int, "agt"],
    model=Annotated[OfferModel | None, Query(description="Only agents that are sold by this model.")],
    category=Annotated[str | None, Query(max_length=64, description="Only agents of this category.")],
    text=Annotated[
        str | None, Query(max_length=200, description="Only agents with all of these words in their name or summary.")
    ],
    min_price=Annotated[Amount | None, Query(description="The lowest price, in `currency`.")],
    max_price=Annotated[Amount | None, Query(description="The highest price, in `currency`.")],
    min_stars=MinStars,
)
_LIBRARY = ListEndpoint(
    "library", AgentPurchaseView, *(*CREATED, "organization_id", "agent_id"), order=["pur"], status=PurchaseStatus
)
_BUYING = errors(
    refusals.MarketplaceOwnAgent,
    refusals.MarketplaceRelated,
    refusals.NotForSale,
    refusals.MarketplaceOfferChanged,
    refusals.MarketplaceSuspended,
    InsufficientFunds,
    SpendLimitExceeded,
    refusals.ExternalIdTaken,
    refusals.PaymentUnderWay,
    *CREATING,
)
_CANCELLING = errors(refusals.MarketplaceNotRenewing)
_REFUNDING = errors(
    Forbidden,
    refusals.ApprovalRequired,
    refusals.ApprovalSameOperator,
    refusals.MarketplaceRefunded,
    refusals.MarketplaceEnded,
    refusals.MarketplaceSuspended,
    refusals.MarketplaceRefundWindowClosed,
    refusals.MarketplaceRefundedBefore,
    refusals.OrganizationClosed,
    refusals.PaymentRefundInFlight,
)


@router.put(
    "/marketplace/agents/{agent_id}",
    response_model=OfferView,
    responses=errors(
        Forbidden, refusals.ApprovalRequired, refusals.AgentRetired, *STOPPED_ERRORS, refusals.ApprovalSameOperator
    ),
)
async def offer_agent(
    agent_id: str, body: OfferSet, deps: DepsDep, actor: ActorDep, expected: GivenPreconditionDep, command: MayRepeat
) -> Response:
    """Offer an agent on the marketplace, change its offer, or retire the offer.

    `If-Match` names the version of the offer to replace; the response has the new one as its `ETag`.
    """
    async with deps.session_for(actor) as session:
        found = await agents.get(session, agent_id)
    if actor.org_id not in {None, found.org_id}:
        raise NotFound(agents.MISSING)
    permit(actor, Permission.SELL)
    if body.creator_share is not None:
        permit(actor, Permission.OPERATE)
    async with command:
        creator_bps = body.creator_bps()
        if creator_bps is not None:
            asked = {"creator_share": format_ratio(creator_bps)}
            await require_two_for_override(deps, actor, command, ApprovalAction.CREATOR_SHARE, found.id, asked)
        async with deps.database.platform() as session:
            await service.offer_agent(
                session,
                actor,
                found.id,
                body.wanted(),
                creator_bps=creator_bps,
                expected=expected,
                command_id=command.command_id,
                now=datetime.now(UTC),
            )
            listing = await marketplace.get(session, found.id)
            known = await agents.agent_cards(session, [found.id])
        command.version = listing.offer.version
        return command.answer(_shown(deps, actor, listing, known[found.id]))


@_OFFERS.get(router, "/marketplace/agents")
async def list_offers(deps: DepsDep, asked: ListRequest, actor: Actor = require(Permission.READ)) -> Items:
    """List the offers: newest agents first or, with `currency`, the cheapest first.

    `from` and `to` filter by the time of the first offer. With them, or with `min_stars`, a page may be short or empty
    although more pages follow: continue until `next_cursor` is null.
    """
    wanted, named, least_e6 = _narrowed(asked), search_words(asked.get("text")), stars_e6(asked.get("min_stars"))
    if (asked.get("text") or "").strip() and not named:
        # It has no word that an offer could have.
        return [], None
    async with deps.session_for(actor) as session:
        found = await marketplace.page(session, wanted, words=named, least_stars_e6=least_e6)
    known = await agent_cards_of(deps, *(row.offer.agent_id for row in found.rows))
    return items_of(found, lambda row: _shown(deps, actor, row, known[row.offer.agent_id]))


def _narrowed(asked: ListRequest) -> ListFilter:
    currency, prices = asked.get("currency"), [asked.get(name) for name in ("min_price", "max_price")]
    if currency is None and prices != [None, None]:
        raise Invalid("Prices need a currency. Send currency too.", extra={"field": "currency"})
    least, most = (None if price is None else parse_amount(price, currency, zero=True) for price in prices)
    wanted = asked.wanted(None, without=["text", "min_price", "max_price", "min_stars"])
    return replace(wanted, least_minor=least, most_minor=most)


@router.get("/marketplace/agents/{agent_id}")
async def get_offer(agent_id: str, deps: DepsDep, actor: ActorDep, response: Response) -> OfferView:
    """Show the offer of an agent, and how much of its price your organization would pay in granted credits."""
    async with deps.session_for(actor) as session:
        listing = await marketplace.get(session, agent_id)
    permit(actor, Permission.READ)
    response.headers.update(etag(listing.offer.version))
    known = await agent_cards_of(deps, agent_id)
    return _shown(deps, actor, listing, known[agent_id], await _granted(deps, actor, listing))


async def _granted(deps: Deps, actor: Actor, listing: OfferListing) -> int | None:
    """Return how much of a price in credits would be paid in granted ones; None where the actor buys nothing."""
    offer = listing.offer
    if actor.org_id in {None, offer.org_id} or offer.currency != CREDIT or offer.price_minor is None:
        return None
    if not listing.accepts_granted:
        return 0
    assert actor.org_id is not None
    async with deps.database.platform() as session:
        return await credit_lot.granted_part_of(session, actor.org_id, offer.price_minor, datetime.now(UTC))


@router.post(
    "/marketplace/agents/{agent_id}/purchase", status_code=201, response_model=PurchaseAnswer, responses=_BUYING
)
async def purchase_agent(
    agent_id: str,
    deps: DepsDep,
    key: SpendingKeyDep,
    once: MovesMoney,
    actor: ActorDep,
    body: AgentPurchase | None = None,
) -> Response:
    """Buy an agent.

    If it is free or costs credits, it is bought at once; if it costs money, when its payment is fulfilled.

    An organization buys an agent only once: a second request returns the existing purchase. If that is by usage and the
    request names the `prices` of the present offer, they apply to the organization from then on; agents' keys cannot
    accept other prices for it.

    Agents' keys must state the `price` with its `currency`, or the `prices`, that they have seen, unless it is free.
    """
    listing = await listed(deps, actor, agent_id)
    costs_money = listing.as_offer().currency not in {None, CREDIT}
    permit(actor, Permission.PAY if costs_money else Permission.USE_CREDITS)
    assert actor.org_id is not None
    buyer = _Buyer(deps, actor, actor.org_id, key, once, listing, body or AgentPurchase())
    async with once:
        return once.answer(await (buyer.pay() if costs_money else buyer.use_credits()))


@dataclass(frozen=True, slots=True)
class _Buyer:
    """One request to buy an agent: `pay` starts a payment in money, `use_credits` buys it at once."""

    deps: Deps
    actor: Actor
    org_id: str
    key: SpendingKey
    once: Command
    listing: OfferListing
    wish: AgentPurchase

    async def pay(self) -> PurchaseAnswer:
        deps, actor, org_id = self.deps, self.actor, self.org_id
        async with deps.session_for(actor) as session:
            row = await marketplace.owned(session, org_id, self.listing.as_offer().agent_id)
        if row is not None and service.blocks_purchase(row, datetime.now(UTC)):
            return PurchaseAnswer(purchase=await _purchase(deps, row))
        payment = await commands.create(deps, await get_temporal(deps), actor, self.once, self._terms, self.wish.own())
        async with deps.session_for(actor) as session:
            row = await marketplace.paid_by(session, payment.terms.payment_id)
        purchase = None if row is None else await _purchase(deps, row)
        own = await read_own(deps, actor, payment.terms.payment_id, org_id)
        return PurchaseAnswer(purchase=purchase, payment=payment_view(payment, actor, own))

    async def use_credits(self) -> PurchaseAnswer:
        deps, actor, offer = self.deps, self.actor, self.listing.as_offer()
        if self.wish.model_fields_set - {"model", "price", "currency", "prices", "included_uses"}:
            require_unchanged(offer, self.wish.seen())
            raise Invalid(
                "This price is paid from credits. Leave the payment options, external_id and metadata out.",
                extra={"field": "provider"},
            )
        async with deps.database.platform() as session:
            was_made = await row_of_command(session, MarketplacePurchase, self.once.command_id) is not None
        if not was_made:
            await self._check()
        scope = await scope_for(deps, actor, self.key, RequestedScope())
        spender = Spender(
            agent_id=scope.agent_id,
            department_id=scope.department_id,
            project_id=scope.project_id,
            key_id=self.key.key_id,
            principal=actor.principal,
        )
        async with deps.database.platform() as session:
            bought = await service.buy(
                session,
                actor,
                offer,
                creator_bps=_creator_bps(deps, self.listing),
                spender=spender,
                sharing=deps.settings.sharing,
                seen=self.wish.seen(),
                command_id=self.once.command_id,
                now=datetime.now(UTC),
            )
        # A control's refusal is on record, so it was committed.
        if bought.refusal is not None:
            raise bought.refusal
        assert bought.purchase is not None
        return PurchaseAnswer(purchase=await _purchase(deps, bought.purchase))

    async def _check(self) -> None:
        offer = self.listing.as_offer()
        async with self.deps.database.platform() as session:
            exempt = self.deps.settings.evidence_policy.registrars
            related = await share_an_owner(session, self.org_id, offer.org_id, exempt)
            await organizations.refuse_stopped(session, self.org_id, offer.org_id)
        check_buyer(offer, self.org_id, related=related)

    async def _terms(self) -> PaymentTerms:
        deps, offer = self.deps, self.listing.as_offer()
        await self._check()
        async with deps.database.platform() as session:
            await service.refuse_charged_back(session, self.org_id, offer.agent_id)
        require_unchanged(offer, self.wish.seen())
        terms = Terms(deps, self.org_id, self.wish, sale_tax_key(self.once.command_id))
        made = await terms.ordered(PurposeKind.PURCHASE, purchase_payments(deps, self.listing))
        if not self.wish.matches_total(made):
            raise offer_changed()
        return made


@_LIBRARY.get(router, "/marketplace/library", NotFound)
async def list_library(deps: DepsDep, asked: ListRequest, actor: Actor = require(Permission.READ)) -> Items:
    """List the agents that the organization has bought, newest first, including refunded ones."""
    wanted = asked.wanted(listed_organization(actor, asked.organization_id))
    async with deps.session_for(actor) as session:
        found = await marketplace.library(session, wanted)
    names = await _names(deps, *found.rows)
    return items_of(found, lambda row: _view(deps, row, names))


@router.get("/marketplace/purchases/{purchase_id}")
async def get_purchase(purchase_id: str, deps: DepsDep, actor: ActorDep) -> AgentPurchaseView:
    """Show one purchase."""
    async with deps.session_for(actor) as session:
        row = await marketplace.get_purchase(session, purchase_id)
    permit(actor, Permission.INSPECT if actor.is_platform else Permission.READ)
    return await _purchase(deps, row)


@router.post("/marketplace/purchases/{purchase_id}/refund", response_model=AgentPurchaseView, responses=_REFUNDING)
async def refund_purchase(
    purchase_id: str,
    deps: DepsDep,
    once: MovesMoney,
    actor: ActorDep,
    body: AgentRefund | None = None,  # noqa: ARG001
) -> Response:
    """Return an agent within the refund window. Access ends, and the price less what was used is refunded."""
    async with deps.session_for(actor) as session:
        paid_by = (await marketplace.get_purchase(session, purchase_id)).payment_id
    permit(actor, Permission.REFUND_PAYMENT)

    async with once:
        if paid_by is not None:
            await _refund_payment(deps, actor, once, purchase_id, paid_by)
            async with deps.session_for(actor) as session:
                row = await marketplace.get_purchase(session, purchase_id)
            return once.answer(await _purchase(deps, row))
        async with deps.database.platform() as session:
            row = await service.refund(
                session,
                actor,
                purchase_id,
                window=window_of(deps),
                reverses=deps.settings.reverse_payouts_for_refunds,
                command_id=once.command_id,
                now=datetime.now(UTC),
            )
        return once.answer(await _purchase(deps, row))


async def _refund_payment(deps: Deps, actor: Actor, once: Command, purchase_id: str, payment_id: str) -> None:
    refund_id, now = refund_id_of(payment_id, once.command_id), datetime.now(UTC)
    payment = await commands.find_payment(deps, actor, payment_id)
    known = next((refund for refund in payment.refunds if refund.refund_id == refund_id), None)
    async with deps.database.platform() as session:
        row = await marketplace.get_purchase(session, purchase_id, lock=True)
        if known is None:
            await service.require_refundable(session, row, window=window_of(deps), now=now)
            left = await service.deduct_used(
                session, row, payment.refundable_minor, provider=payment.terms.provider, refund_id=refund_id
            )
        else:
            left = known.amount_minor
        # All of it is asked for as such, so that what comes in meanwhile goes back as well.
        amount_minor = left if row.used_minor else None
    await require_two_for_refund(deps, actor, once, payment, refund_id=refund_id, amount_minor=amount_minor)
    command = RefundPayment(command_id=once.command_id, actor=actor, refund_id=refund_id, amount_minor=amount_minor)
    await commands.send(deps, await get_temporal(deps), payment, "refund", command)


@router.post("/marketplace/purchases/{purchase_id}/cancel", response_model=AgentPurchaseView, responses=_CANCELLING)
async def cancel_purchase(
    purchase_id: str,
    deps: DepsDep,
    once: MayRepeat,
    actor: ActorDep,
    body: AgentCancel | None = None,  # noqa: ARG001
) -> Response:
    """End a purchase: at the end of the paid month, or at once if the agent is paid by usage."""
    async with deps.session_for(actor) as session:
        await marketplace.get_purchase(session, purchase_id)
    permit(actor, Permission.REFUND_PAYMENT)
    async with once:
        async with deps.database.platform() as session:
            row = await marketplace_renewal.cancel(session, actor, purchase_id)
        return once.answer(await _purchase(deps, row))


async def listed(deps: Deps, actor: Actor, agent_id: str) -> OfferListing:
    """Return an offer, also a retired one of an agent that everybody sees, so that its buyers learn that it is retired.

    Raises:
        NotFound: the actor sees no such agent, or it was never offered.
    """
    async with deps.session_for(actor) as session:
        await agents.get(session, agent_id)
    async with deps.database.platform() as session:
        return await marketplace.get(session, agent_id)


async def _names(deps: Deps, *rows: MarketplacePurchase) -> Mapping[str, str]:
    """Return the names of agents that were bought: also of those that their buyers do not see any more."""
    async with deps.database.platform() as session:
        return await agents.names(session, {row.agent_id for row in rows})


async def _purchase(deps: Deps, row: MarketplacePurchase) -> AgentPurchaseView:
    return _view(deps, row, await _names(deps, row))


def _view(deps: Deps, row: MarketplacePurchase, names: Mapping[str, str]) -> AgentPurchaseView:
    return AgentPurchaseView.of(row, names[row.agent_id], window_of(deps), datetime.now(UTC))


def purchase_payments(deps: Deps, listing: OfferListing) -> Buying:
    return Buying(offer=listing.as_offer(), creator_bps=_creator_bps(deps, listing))


def _shown(
    deps: Deps, actor: Actor, listing: OfferListing, found: agents.AgentCard, granted_minor: int | None = None
) -> OfferView:
    sees_share = actor.is_platform or actor.org_id == listing.offer.org_id
    creator_bps = _creator_bps(deps, listing) if sees_share else None
    row, least = listing.offer, None
    if creator_bps is not None and row.price_minor is not None and row.currency is not None:
        lowest, sharing = deps.settings.lowest_price_of_credits, deps.settings.sharing
        least = least_payout(row.price_minor, row.currency, ALL_BPS - creator_bps, lowest=lowest, sharing=sharing)
    return OfferView.of(listing, found, creator_bps=creator_bps, granted_minor=granted_minor, least=least)


def _creator_bps(deps: Deps, listing: OfferListing) -> int:
    own = listing.offer.creator_bps
    return deps.settings.creator_share_bps if own is None else own


def window_of(deps: Deps) -> timedelta:
    """Return for how long after a sale a refund can be asked for."""
    return timedelta(days=deps.settings.purchase_refund_days)
