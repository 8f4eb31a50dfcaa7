"""Refusals of spends, repeated requests, and refunds."""

from dataclasses import replace
from datetime import datetime

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common import errors as refusals
from domain.common.access import Actor
from domain.common.errors import Conflict, DomainError, InsufficientFunds, SpendLimitExceeded
from domain.common.ids import is_of_card, is_of_secret_use, uuid_id
from domain.common.money import CREDIT, format_amount
from domain.common.text import rfc3339
from domain.credits.lots import LotTerms
from domain.tenants.organization import OrganizationStatus, stopped_error
from ledger.controls import frozen_by
from ledger.gateway import Ledger
from ledger.spending import Spending
from ledger.spends import ControlRefusal, NewSpend, Pool, RefusalReason, Spender, SpendOutcome, SpendResult
from models.credits.spend import Spend, SpendChange
from repositories.credits import spend as spends
from repositories.marketplace import marketplace
from repositories.tenants import api_key, audit, organization, session as sessions
from runtime.database import driver_connection
from services.books.debt import close_paid_debts

_WHY = {
    RefusalReason.LIMIT: "The spend exceeds what is left of the limit of this {window}.",
    RefusalReason.USES: "The limit of this {window} allows no further use.",
    RefusalReason.PER_SPEND: "The spend is larger than a single spend may be.",
    RefusalReason.FROZEN: "Spending is frozen.",
    RefusalReason.PAYMENT: "A payment with credits does not count in the limit that applies here. Fund the escrow from "
    "credits directly instead.",
    RefusalReason.RATE: "The limit is in another currency, and there is no recent rate to it.",
}


#: The refusals by pools other than the operating one.
_OF_POOLS = {
    Pool.RESERVE: "The spend exceeds what is left of the reserve of this {window}.",
    Pool.EMERGENCY: "The spend exceeds what is left of the emergency pool of this {window}.",
    Pool.ALLOWANCE: "The spend exceeds what agents may draw from the reserve without approval in this {window}.",
}


def refusal_of(spent: SpendResult, *, paid_only: bool = False) -> DomainError | None:
    """Return the refusal, if a spend was refused; `paid_only` as requested."""
    match spent.outcome:
        case SpendOutcome.INSUFFICIENT:
            needed, available = (
                format_amount(amount, CREDIT) for amount in (spent.amount_minor, spent.available_minor)
            )
            why = f"{needed} {CREDIT} are required, but only {available} {CREDIT} are available."
            if paid_only:
                why = (
                    f"The agent accepts no granted credits. {needed} {CREDIT} are required, but of those that were "
                    f"paid for only {available} {CREDIT} are available."
                )
            return InsufficientFunds(why, extra={"needed": needed, "available": available, "currency": CREDIT})
        case SpendOutcome.REFUSED:
            assert spent.refusal is not None
            return limit_exceeded(spent.refusal)
        case SpendOutcome.POOL_CLOSED:
            return pool_closed(spent.pool)
        case SpendOutcome.SUSPENDED | SpendOutcome.CLOSED:
            return stopped_error(OrganizationStatus(spent.outcome.value))
        case _:
            return None


def pool_closed(pool: Pool) -> Conflict:
    """Return the refusal of a draw from a pool that is closed to the spender."""
    why = "No budget above the spender has a reserve that agents may draw without approval. Ask a person to approve it."
    if pool is Pool.EMERGENCY:
        why = "No emergency is declared in a budget above the spender. Two persons declare one."
    return refusals.BudgetPoolClosed(why, extra={"pool": pool.value})


def limit_exceeded(refusal: ControlRefusal) -> SpendLimitExceeded:
    """Return the refusal by a spend control."""
    counts_uses = refusal.reason is RefusalReason.USES

    def shown(number: int | None) -> str | int | None:
        return number if number is None or counts_uses else format_amount(number, refusal.asset)

    why = _WHY[refusal.reason]
    if refusal.reason is RefusalReason.LIMIT and refusal.pool in _OF_POOLS:
        why = _OF_POOLS[refusal.pool]
    return SpendLimitExceeded(
        why.format(window=refusal.window),
        extra={
            "reason": refusal.reason.value,
            "control_id": uuid_id("ctl", refusal.control_id),
            "subject": {"type": refusal.subject_kind, "id": refusal.subject_id},
            "currency": refusal.asset,
            "window": refusal.window,
            "pool": None if refusal.pool is None else refusal.pool.value,
            "limit": shown(refusal.limit),
            "remaining": shown(refusal.remaining),
            "resets_at": None if refusal.resets_at is None else rfc3339(refusal.resets_at),
        },
    )


async def spender_of(connection: asyncpg.Connection, actor: Actor | None) -> Spender:
    """Return the attribution of an actor's spends. Needs the platform's role."""
    if actor is None:
        return Spender()
    key_id = actor.key_id
    if key_id is None and actor.session_id is not None:
        # A session that a link opened spends as the key of its principal.
        key_id, department_id, project_id = await sessions.spends_as(connection, actor.session_id)
    else:
        department_id, project_id = await api_key.attribution_of(connection, key_id)
    return Spender(
        agent_id=actor.agent_id,
        department_id=department_id,
        project_id=project_id,
        key_id=key_id,
        principal=actor.principal,
    )


async def refuse_frozen(
    connection: asyncpg.Connection, actor: Actor | None, org_id: str, *, at: datetime, or_limited: bool = False
) -> None:
    """Refuse to fund an escrow from credits while the spending of the caller is frozen, or with `or_limited` limited.

    Needs the platform's role.

    Raises:
        SpendLimitExceeded.
    """
    refusal = await frozen_by(connection, org_id, await spender_of(connection, actor), at=at, or_limited=or_limited)
    if refusal is not None:
        raise limit_exceeded(refusal)


async def refuse_limited(connection: asyncpg.Connection, actor: Actor | None, org_id: str, *, at: datetime) -> None:
    """Refuse a payment with credits while the caller's spending is frozen or limited, as no limit counts it.

    Needs the platform's role.

    Raises:
        SpendLimitExceeded.
    """
    await refuse_frozen(connection, actor, org_id, at=at, or_limited=True)


async def count_escrow(
    connection: asyncpg.Connection,
    actor: Actor | None,
    org_id: str,
    escrow_id: str,
    amount_minor: int,
    *,
    command_id: str,
    at: datetime,
    lots: LotTerms | None = None,
) -> SpendLimitExceeded | None:
    """Count an escrow that is about to be funded from credits in the limits above the caller, or return the refusal.

    The refusal is stored, and the caller has to commit it. The caller holds the row of the escrow, and takes
    the credits on the terms `lots`.
    """
    spender = await spender_of(connection, actor)
    counted = await Spending(connection, org_id).count_escrow(
        escrow_id, amount_minor, spender, command_id=command_id, at=at, lots=lots
    )
    return None if counted.refusal is None else limit_exceeded(counted.refusal)


async def first_request(session: AsyncSession, org_id: str, asked: spends.SpendRequest) -> NewSpend | None:
    """Return the first request under the key, with the values stated in this one; None for a new key.

    A request without an amount or an attribution takes them from prices and attributions, which may have changed since
    the first one. The ledger compares all other values, so a different request with the key is still refused.
    """
    first = await spends.find_by_key(session, org_id, asked.key)
    if first is None:
        return None
    return replace(
        asked.spend(first.amount_minor),
        action=asked.action if asked.action is not None else first.action,
        spender=replace(
            asked.spender,
            agent_id=asked.spender.agent_id or first.agent_id,
            department_id=asked.spender.department_id or first.department_id,
            project_id=asked.spender.project_id or first.project_id,
        ),
    )


def require_changeable(spend: Spend) -> Spend:
    """Check that a reservation's holder may capture, release or extend it."""
    _refuse_card(spend)
    if is_of_secret_use(_own_key(spend)):
        raise refusals.SpendSecretUse("This reservation pays for the use of a secret, and settles by its outcome.")
    return spend


def _refuse_card(spend: Spend) -> None:
    if is_of_card(_own_key(spend)):
        raise refusals.SpendCard(
            "This spend pays for a card. It is captured, released and refunded by what the merchant does."
        )


def _own_key(spend: Spend) -> str:
    return spend.idempotency_key.removeprefix(f"use:{spend.org_id}:")


async def refund(
    session: AsyncSession,
    actor: Actor,
    *,
    spend_id: str,
    amount_minor: int | None,
    reason: str | None,
    renew_days: int,
    command_id: str,
    now: datetime,
) -> tuple[Spend, SpendChange]:
    """Refund a part or the rest of a charge or capture, or return the refund that the command made.

    Credits that would expire sooner are extended by `renew_days`; 0 keeps their expiry. Needs the platform's session.
    """
    spend = await spends.get(session, spend_id)
    if await marketplace.is_paid_by_spend(session, spend.id):
        raise refusals.SpendPurchase("This spend paid for an agent. Refund the purchase instead.")
    _refuse_card(spend)
    connection = await driver_connection(session)
    changed = await Spending(connection, spend.org_id).refund(
        key=command_id, spend_id=spend.id, amount_minor=amount_minor, renew_days=renew_days or None, at=now
    )
    if not changed.replayed:
        await organization.refuse_closed(session, spend.org_id)
        await close_paid_debts(session, Ledger(connection), spend.org_id, CREDIT)
        details = {"amount": format_amount(changed.amount_minor, CREDIT), "reason": reason}
        await audit.record(session, actor, "credits.refund", spends.public_id(spend), details, spend.org_id)
    return spend, await spends.refund_of_command(session, spend.org_id, command_id)
