"""Use of a secret: opened and paid with a hold before its request, and settled by the outcome.

    begin → (the price is held) → the request is made, outside of any transaction → end

If a process dies in between, or cannot write the end, `end_unfinished` charges the use in full later: the request may
have taken effect, and an unpaid use could be provoked.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.errors import LedgerHoldEnded, LedgerHoldExpired, SecretUsed
from domain.common.ids import secret_use_key
from domain.common.money import CREDIT, format_amount
from domain.secrets.access import AccessOutcome
from domain.usage.adapters import ModelCall
from domain.usage.call import Cost
from domain.usage.charge import CostRules, EventCharge, MeteredPart, WaitReason, charge_of
from ledger.spending import Spending
from ledger.spends import ChangeResult, NewSpend, Spender
from models.credits.spend import Spend
from models.secrets.secret_use import SecretUse
from repositories.books.spend_rate import in_force, rate_of
from repositories.credits import lot_price, spend as spends
from repositories.secrets import secret_use as uses
from repositories.tenants import organization
from repositories.usage import usage_paid
from repositories.usage.model_price import PriceBook
from runtime.database import driver_connection
from services.secrets import secret
from services.secrets.secret import OpenRequest, OpenResult
from services.usage.rating import Rates, UseToRate, rate_uses
from services.usage.usage_charge import cost_in_money

#: Action of spends that pay for uses.
ACTION = "secret.use"
#: Age after which a use counts as unfinished. A request takes a minute at most.
UNFINISHED_AFTER = timedelta(minutes=5)
#: Lifetime of the hold, long enough for `end_unfinished` after an outage of the workers.
HELD_FOR = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class UseOutcome:
    """Outcome of a request.

    Attributes:
        status: `answered`, `failed` or `unknown`; see `SecretUse`.
        cost_minor: the cost in minor units of credits; ignored without a price.
        cost: the cost in money instead.
    """

    status: str
    cost_minor: int = 0
    cost: EventCharge | None = None
    reason: str | None = None
    status_code: int | None = None


async def begin(session: AsyncSession, asked: OpenRequest, *, command_id: str, now: datetime) -> OpenResult:
    """Open a secret for the use with the id `asked.reference`, and write the use.

    A refusal is a result, and logged when the transaction commits. Needs the platform's session.
    """
    await organization.refuse_stopped(session, asked.org_id)
    opened = await secret.open(session, asked, now=now)
    if opened.outcome is not AccessOutcome.OPENED:
        return opened
    assert opened.grant is not None
    values: dict[str, object] = {
        "id": asked.reference,
        "org_id": asked.org_id,
        "secret_id": opened.secret_id,
        "version": opened.require().version,
        "grant_id": opened.grant.id,
        "agent_id": asked.agent_id,
        "host": asked.host,
        "method": asked.method,
        "meter": opened.grant.meter,
        "price_minor": opened.grant.price_minor,
        "status": uses.REQUESTED,
        "command_id": command_id,
        "created_at": now,
    }
    if not await uses.add(session, values):
        raise SecretUsed("This Idempotency-Key has used a secret before.")
    return opened


async def refuse_used(session: AsyncSession, command_id: str) -> None:
    """Refuse a command that has used a secret before."""
    row = await uses.of_command(session, command_id)
    if row is not None:
        raise SecretUsed(
            "This Idempotency-Key has used a secret before. The request is not made again, and its answer was not "
            "kept. Use a new key if it is to be made once more.",
            extra={
                "id": row.id,
                "state": row.status,
                "status_code": row.status_code,
                "cost": None if row.cost_minor is None else format_amount(row.cost_minor, CREDIT),
            },
        )


async def end(session: AsyncSession, use_id: str, ended: UseOutcome, *, now: datetime) -> int | None:
    """Write the outcome of a use, settle its price, and return its cost; None if it is free or has ended before.

    A cost above the price, or after the end of the hold, is charged as well. A use that `end_unfinished` has failed
    because its process was paused is settled, too. Needs the platform's session.
    """
    row = await uses.under_way(session, use_id, or_lost=True)
    if row is None:
        return None
    cost = None
    if row.price_minor is not None:
        spend = await spends.of_key(session, row.org_id, secret_use_key(row.id))
        assert spend is not None or (ended.cost, ended.cost_minor) == (None, 0)
        cost = 0 if spend is None else await _settle(session, row, spend, ended, now)
    row.status, row.reason, row.status_code = ended.status, ended.reason, ended.status_code
    row.cost_minor, row.ended_at = cost, now
    await session.flush()
    return cost


async def _settle(session: AsyncSession, row: SecretUse, spend: Spend, ended: UseOutcome, now: datetime) -> int:
    """Capture the cost of a use, force a charge beyond the hold, and return the credits of both."""
    key = secret_use_key(row.id)
    rest = None if ended.cost is None else cost_in_money(ended.cost)
    held = min(ended.cost_minor, spend.amount) if rest is None else None

    def settle(books: Spending) -> Awaitable[ChangeResult]:
        return books.settle(key=f"{key}:settle", spend_id=spend.id, amount_minor=held, cost=rest, at=now)

    def release(books: Spending) -> Awaitable[ChangeResult]:
        return books.release(key=f"{key}:release", spend_id=spend.id, at=now)

    done = None if held == 0 else await _unless_ended(session, row.org_id, settle)
    if done is None:
        await _unless_ended(session, row.org_id, release)
    taken = 0 if done is None else done.amount_minor
    if ended.cost is not None and taken:
        lots = await usage_paid.lots(await driver_connection(session), row.org_id, [spend.id])
        rest = cost_in_money(ended.cost.less(taken, lots.get(spend.id, ())))
    more = ended.cost_minor - taken if ended.cost is None else 0
    if more or rest is not None:
        spender = Spender(
            agent_id=spend.agent_id,
            department_id=spend.department_id,
            project_id=spend.project_id,
            run_id=spend.run_id,
            key_id=spend.key_id,
            principal=spend.principal,
        )
        beyond = NewSpend(
            key=f"{key}:beyond", action=ACTION, amount_minor=more, cost=rest, spender=spender, metadata=spend.details
        )
        taken += (await Spending(await driver_connection(session), row.org_id).force(beyond, at=now)).amount_minor
    return taken


async def _unless_ended(
    session: AsyncSession, org_id: str, change: Callable[[Spending], Awaitable[ChangeResult]]
) -> ChangeResult | None:
    """Change a hold, or return None if it has ended, without failing the transaction."""
    try:
        async with session.begin_nested():
            # A connection requested inside of the block belongs to the savepoint.
            return await change(Spending(await driver_connection(session), org_id))
    except (LedgerHoldEnded, LedgerHoldExpired):
        return None


async def unfinished_uses(session: AsyncSession, *, now: datetime, limit: int) -> list[str]:
    """Return up to `limit` ids of uses without a recorded outcome."""
    return list(await uses.unfinished_uses(session, now - UNFINISHED_AFTER, limit))


async def end_unfinished(session: AsyncSession, use_id: str, *, now: datetime) -> None:
    """End an unfinished use: charge it in full, or mark it as failed if it was never held, so nothing was sent."""
    row = await uses.under_way(session, use_id)
    if row is None:
        return
    held = row.price_minor is None or await spends.of_key(session, row.org_id, secret_use_key(use_id)) is not None
    ended = UseOutcome(status="unknown", cost_minor=row.price_minor or 0, reason=uses.LOST)
    await end(session, use_id, ended if held else replace(ended, status="failed", cost_minor=0), now=now)


async def cost_of(
    session: AsyncSession,
    org_id: str,
    call: ModelCall,
    prices: PriceBook,
    rules: CostRules,
    *,
    at: datetime,
    otherwise: int,
) -> EventCharge | int:
    """Return the cost of a call by its provider's prices.

    Without prices it is `otherwise`, in minor units of credits. If a tool has no price, it is `otherwise` or the cost
    without tools, whichever is higher.
    """
    alone = [UseToRate(call._replace(tools=()), at)] if call.tools else []
    found = await rate_uses(session, Rates(prices=prices), [UseToRate(call, at), *alone])
    cost = next((each for each in found if isinstance(each, Cost)), None)
    if cost is None:
        return otherwise
    rates = {row.quote: rate_of(row).rate for row in await in_force(session, rules.granted.currency, at)}
    own = MeteredPart(quantity=Decimal(0), before=Decimal(0), charge=None, currency=None)
    charge = charge_of([own], (cost.cost_pico, cost.currency), rules, rates)
    if isinstance(charge, WaitReason):
        return otherwise
    money = cost_in_money(charge)
    if money is None:
        return 0 if cost is found[0] else otherwise
    if cost is found[0]:
        return charge
    priced = await lot_price.for_cost(
        session, org_id, money.minor, money.asset, granted_minor=money.granted_minor, at=at
    )
    return charge if priced is not None and priced.credits_minor >= otherwise else otherwise
