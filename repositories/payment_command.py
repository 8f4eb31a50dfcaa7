"""Statements about the intents of payments, and about what commands asked of them.

What each new payment asks is plain asyncpg, one round trip each.
"""

from dataclasses import dataclass, replace

import asyncpg
from pydantic import TypeAdapter
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.access import Actor
from domain.errors import Unavailable
from domain.organization import OrganizationStatus, stopped
from domain.payment.options import CREDITS
from domain.payment.terms import PaymentTerms
from models.payment_command import PaymentCommand, PaymentCommandContent
from repositories.command import add_once, other_request

_TERMS: TypeAdapter[PaymentTerms] = TypeAdapter(PaymentTerms)
_ACTOR: TypeAdapter[Actor] = TypeAdapter(Actor)


@dataclass(frozen=True, slots=True)
class Asked:
    """What an organization asked for first under a command; `status` is the payment's, None before its first event."""

    terms: PaymentTerms
    status: str | None


async def asked(
    pool: "asyncpg.Pool[asyncpg.Record]", org_id: str, command_id: str, request_hash: bytes
) -> Asked | None:
    """Return what the command asked for when it was first given; None when it is new.

    Raises:
        IdempotencyConflict: it asked for something else.
    """
    row = await pool.fetchrow("SELECT * FROM tenant_payment_command($1, $2)", org_id, command_id)
    return None if row is None else _same(row, request_hash)


async def ask(
    pool: "asyncpg.Pool[asyncpg.Record]", command_id: str, request_hash: bytes, terms: PaymentTerms, by: Actor
) -> Asked:
    """Note what a command of the paying organization asks for, once; returns what was noted first.

    Who asks is kept where credits pay, because a freeze of them keeps the credits where they are.

    Raises:
        IdempotencyConflict: the command asked for something else before.
        OrganizationSuspended, OrganizationClosed: the organization pays for nothing new.
    """
    asker = None
    if terms.provider == CREDITS:
        asker = _ACTOR.dump_json(replace(by, address=None), exclude_defaults=True).decode()
    row = await pool.fetchrow(
        "SELECT * FROM note_payment_command($1, $2, $3, $4, $5, $6)",
        *(terms.org_id, command_id, terms.payment_id, request_hash, _TERMS.dump_json(terms).decode(), asker),
    )
    if row is None:
        status = OrganizationStatus(await pool.fetchval("SELECT organization_status($1)", terms.org_id))
        raise stopped(status, terms.org_id) or Unavailable("The organization was just resumed. Repeat the request.")
    return _same(row, request_hash)


def _same(row: asyncpg.Record, request_hash: bytes) -> Asked:
    if row["request_hash"] != request_hash:
        raise other_request()
    return Asked(_TERMS.validate_json(row["terms"]), row["status"])


async def noted(session: AsyncSession, payment_id: str) -> tuple[str, PaymentTerms] | None:
    """Return the command that asked for a payment, and the terms; None when nobody has asked for it."""
    query = select(PaymentCommand.command_id, PaymentCommand.terms).where(PaymentCommand.payment_id == payment_id)
    found = (await session.execute(query)).one_or_none()
    return None if found is None else (found.command_id, _TERMS.validate_python(found.terms))


async def asked_by(session: AsyncSession, payment_id: str) -> Actor | None:
    """Return who asked for a payment with credits; None where that was not kept."""
    query = select(PaymentCommand.asked_by).where(PaymentCommand.payment_id == payment_id)
    found = (await session.execute(query)).scalar_one_or_none()
    return None if found is None else _ACTOR.validate_python(found)


async def find(session: AsyncSession, command_id: str) -> PaymentTerms | None:
    """Return what a command asked for; None when it was never given. Needs a platform session."""
    query = select(PaymentCommand.terms).where(PaymentCommand.command_id == command_id)
    found = (await session.execute(query)).one_or_none()
    return None if found is None else _TERMS.validate_python(found.terms)


async def add(session: AsyncSession, command_id: str, request_hash: bytes, terms: PaymentTerms) -> PaymentTerms:
    """Note what a command asks for, once; returns what was noted first.

    Raises:
        IdempotencyConflict: the command asked for something else before.
    """
    row = PaymentCommand(
        command_id=command_id,
        org_id=terms.org_id,
        payment_id=terms.payment_id,
        request_hash=request_hash,
        terms=_TERMS.dump_python(terms, mode="json"),
    )
    noted, _ = await add_once(session, row, ("org_id", "request_hash"))
    return _TERMS.validate_python(noted.terms)


async def note(session: AsyncSession, command_id: str, payment_id: str, content_hash: str) -> bool:
    """Note what a command asks of a payment; tell whether it is new. Needs a platform session.

    Raises:
        IdempotencyConflict: the command asked for something else before, or of another payment.
    """
    row = PaymentCommandContent(command_id=command_id, payment_id=payment_id, content_hash=content_hash)
    _, is_new = await add_once(session, row, ("payment_id", "content_hash"))
    return is_new


async def forget(session: AsyncSession, command_id: str) -> None:
    """Forget what a command asked of a payment, because it was refused: its key may serve another command."""
    await session.execute(delete(PaymentCommandContent).where(PaymentCommandContent.command_id == command_id))
