"""Uses of marketplace agents that usage events report: agreed price, and charge.

Price and creator's share are fixed when the event is accepted. Spend controls and the balance can refuse the charge,
which is never forced, and the creator gets its share once the use is paid.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common import errors as refusals
from domain.common.errors import DomainError, InsufficientFunds, Invalid, SpendLimitExceeded, Unavailable
from domain.common.ids import uuid_id
from domain.credits.lots import Sharing
from domain.marketplace.sale import shares_of
from domain.marketplace.use import UseTerms, price_of, units_of
from domain.usage.call import Cost, cost_of_use, quantity_of
from domain.usage.charge import WaitReason
from domain.usage.event import PAYEE, UsageEvent
from ledger.spends import NewSpend, Spender
from models.marketplace.agent import Agent
from repositories.books import debt
from repositories.marketplace import marketplace
from repositories.tenants import organization
from repositories.usage import usage_charge as charges
from runtime.database import driver_connection
from runtime.identity import new_id
from services.marketplace.marketplace import current_purchase
from services.marketplace.marketplace_use import ACTION, UsePrices, UseResult, charge_agreed, use_prices
from services.usage.usage_charge import AGAIN, PRINCIPAL, postpone

#: The maximum delay until a refused charge is tried again.
_LONGEST = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedUse:
    """Units of a marketplace agent's meter, and their cost by the prices of the purchase."""

    sold: UsePrices
    meter: str
    quantity: int
    price_minor: int

    def cost(self) -> Cost:
        """Return the cost: the price of the use, with its shares."""
        sold = self.sold
        return cost_of_use(
            sold.agent_id, sold.payee_org_id, self.price_minor, shares_of(self.price_minor, sold.creator_bps)
        )

    def row(self) -> Mapping[str, object]:
        """Return the columns of the agreement, see `repositories.usage.usage.record`."""
        sold = self.sold
        return {
            "charged_meters": [],
            "charged_quantities": [],
            "use_id": new_id("use"),
            "use_purchase": sold.purchase_id,
            "use_agent": sold.agent_id,
            "use_payee": sold.payee_org_id,
            "use_meter": self.meter,
            "use_quantity": self.quantity,
            "use_unit_minor": sold.prices[self.meter],
            "use_bps": sold.creator_bps,
        }


async def sold_to(
    session: AsyncSession, org_id: str, agent_ids: Collection[str], *, terms: UseTerms, now: datetime
) -> dict[str, UsePrices | DomainError]:
    """Return the present prices of agents for an organization, or why they are not sold to it."""
    found: dict[str, UsePrices | DomainError] = {}
    for agent_id in sorted(agent_ids):
        try:
            offer = (await marketplace.get(session, agent_id)).as_offer()
            if await organization.is_closed(session, offer.org_id):
                raise refusals.OrganizationClosed(f"The organization that sells {agent_id} is closed.")
            found[agent_id] = await use_prices(session, org_id, offer, terms=terms, now=now)
        except DomainError as refusal:
            found[agent_id] = refusal
    return found


async def unpaid_agents(
    session: AsyncSession, org_id: str, agents: Iterable[Agent], *, now: datetime
) -> dict[str, Invalid]:
    """Return, by agent, why events about others' agents with usage prices are refused.

    They apply to events without the agent as payee. Only uses of agents in the organization's library are charged and
    shared. Agents whose purchase price includes their uses are left out.
    """
    found = {}
    for agent in sorted(agents, key=lambda each: each.id):
        if agent.org_id == org_id or agent.pricing_model != "usage" or agent.price_minor is None:
            continue
        owned = await current_purchase(session, org_id, agent.id, now)
        if owned is None or owned.usage_prices is not None:
            found[agent.id] = refusals.UnpaidAgent(
                f"{agent.id} is paid by use. Add it to the library with POST /marketplace/agents/{agent.id}/purchase, "
                "and report its work with payee_agent_id, action and quantity.",
                extra={"field": "data.payee_agent_id", "agent_id": agent.id},
            )
    return found


def reported_use(event: UsageEvent, sold: Mapping[str, UsePrices | DomainError]) -> ReportedUse | None:
    """Return the use that an event reports; None without one, or if a spend has paid it."""
    agent_id = event.get(PAYEE)
    if agent_id is None or event.get("spend_id") is not None:
        return None
    return use_of(sold[agent_id], event.get("action"), event.data.get("quantity", 1))


def use_of(sold: UsePrices | DomainError, meter: str | None, quantity: object) -> ReportedUse:
    """Return the use of `quantity` units of a meter, at a price of `sold_to`. Errors as in `reported_use`."""
    if isinstance(sold, DomainError):
        raise sold
    units = units_of(quantity_of(quantity))
    price_minor = price_of(sold.prices, meter, units)
    assert meter is not None
    return ReportedUse(sold=sold, meter=meter, quantity=units, price_minor=price_minor)


async def charge(
    session: AsyncSession, org_id: str, event: UUID, *, due_before: datetime, at: datetime, sharing: Sharing
) -> bool:
    """Charge a reported use, or postpone it if it exceeds a limit or the credits; return whether it was charged.

    Needs the platform's session.
    """
    agreed = await charges.agreed_for(session, org_id, event)
    await debt.lock(session, agreed.payee_org_id)
    due = await charges.lock_due_use(session, org_id, event, due_before)
    if due is None:
        return False
    if due.action is None:
        return await _wait(session, org_id, event, WaitReason.EVENT, at + AGAIN, at)
    spend = NewSpend(
        # A refusal is final for its key, so each try has a new one.
        key=charges.KEY.format(event=event) + (f":{agreed.tries}" if agreed.tries else ""),
        action=ACTION,
        amount_minor=0,
        spender=Spender(principal=PRINCIPAL, **due.spender),
        metadata={"usage_event": uuid_id("uev", event)},
    )
    connection = await driver_connection(session)
    try:
        # A savepoint of the driver, so a refusal by the ledger rolls back nothing else.
        async with connection.transaction():
            done = await charge_agreed(session, agreed, spend, sharing=sharing, now=at)
    except Unavailable:
        raise
    except DomainError:  # also while a party is suspended
        return await _wait(session, org_id, event, WaitReason.BOOKS, at + AGAIN, at)
    if done.use is None:
        until = at + min(AGAIN * 2 ** min(agreed.tries, 10), _LONGEST)
        agreed.tries += 1
        return await _wait(session, org_id, event, _why(done), until, at)
    await charges.write_charged(session, org_id, {event: (done.use.spend_id, done.use.price_minor)}, at)
    return True


def _why(done: UseResult) -> WaitReason:
    if isinstance(done.refusal, InsufficientFunds):
        return WaitReason.CREDITS
    if isinstance(done.refusal, SpendLimitExceeded):
        return WaitReason.LIMIT
    return WaitReason.BOOKS  # a party is closed


async def _wait(
    session: AsyncSession, org_id: str, event: UUID, why: WaitReason, until: datetime, at: datetime
) -> bool:
    await session.flush()
    await postpone(session, org_id, {event: why}, until=until, at=at)
    return False
