"""SQL of commands that request payments, or changes of payments.

The statements of each new payment use asyncpg directly, one round trip each.
"""

from dataclasses import dataclass, replace

import asyncpg
from pydantic import TypeAdapter
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.access import Actor
from domain.common.errors import Unavailable
from domain.payments.payment.options import CREDITS
from domain.payments.payment.terms import PaymentTerms
from domain.tenants.organization import OrganizationStatus, stopped_error
from models.payments.payment_command import PaymentCommand, PaymentCommandContent
from repositories.common.command import add_once, other_request

_TERMS: TypeAdapter[PaymentTerms] = TypeAdapter(PaymentTerms)
_ACTOR: TypeAdapter[Actor] = TypeAdapter(Actor)


@dataclass(frozen=True, slots=True)
class StoredRequest:
    """The stored request of a command; `status` is the payment's, None before its first event."""

    terms: PaymentTerms
    status: str | None


async def find_request(
    pool: "asyncpg.Pool[asyncpg.Record]", org_id: str, command_id: str, request_hash: bytes
) -> StoredRequest | None:
    """Return the stored request of a command; None if the command is new."""
    row = await pool.fetchrow("SELECT * FROM tenant_payment_command($1, $2)", org_id, command_id)
    return None if row is None else _as_stored(row, request_hash)


async def store_request(
    connection: "asyncpg.Connection | asyncpg.Pool[asyncpg.Record]",
    command_id: str,
    request_hash: bytes,
    terms: PaymentTerms,
    by: Actor,
) -> StoredRequest:
    """Store the request of a paying organization's command, once, and return the stored one.

    In a platform's transaction, such as the one that decided the payment, the organization is set until its end.

    For payments with credits the requester is stored too, because its frozen spend control stops the payment.
    """
    asker = None
    if terms.provider == CREDITS:
        asker = _ACTOR.dump_json(replace(by, address=None), exclude_defaults=True).decode()
    row = await connection.fetchrow(
        "SELECT * FROM note_payment_command($1, $2, $3, $4, $5, $6)",
        *(terms.org_id, command_id, terms.payment_id, request_hash, _TERMS.dump_json(terms).decode(), asker),
    )
    if row is None:
        status = OrganizationStatus(await connection.fetchval("SELECT organization_status($1)", terms.org_id))
        raise stopped_error(status, terms.org_id) or Unavailable(
            "The organization was just resumed. Repeat the request."
        )
    return _as_stored(row, request_hash)


def _as_stored(row: asyncpg.Record, request_hash: bytes) -> StoredRequest:
    if row["request_hash"] != request_hash:
        raise other_request()
    terms = row["terms"]
    # Connections of a session decode JSON, those of the plain pool do not.
    return StoredRequest(
        _TERMS.validate_json(terms) if isinstance(terms, str) else _TERMS.validate_python(terms), row["status"]
    )


async def command_of_payment(session: AsyncSession, payment_id: str) -> tuple[str, PaymentTerms] | None:
    """Return the command that requested a payment, and the terms; None if there is none."""
    query = select(PaymentCommand.command_id, PaymentCommand.terms).where(PaymentCommand.payment_id == payment_id)
    found = (await session.execute(query)).one_or_none()
    return None if found is None else (found.command_id, _TERMS.validate_python(found.terms))


async def requester_of(session: AsyncSession, payment_id: str) -> Actor | None:
    """Return the requester of a payment with credits; None if it was not stored."""
    query = select(PaymentCommand.asked_by).where(PaymentCommand.payment_id == payment_id)
    found = (await session.execute(query)).scalar_one_or_none()
    return None if found is None else _ACTOR.validate_python(found)


async def find_terms(session: AsyncSession, command_id: str) -> PaymentTerms | None:
    """Return the terms that a command requested; None if the command is new. Needs a platform session."""
    query = select(PaymentCommand.terms).where(PaymentCommand.command_id == command_id)
    found = (await session.execute(query)).one_or_none()
    return None if found is None else _TERMS.validate_python(found.terms)


async def store_terms(session: AsyncSession, command_id: str, request_hash: bytes, terms: PaymentTerms) -> PaymentTerms:
    """Store the terms that a command requests, once, and return the stored ones."""
    row = PaymentCommand(
        command_id=command_id,
        org_id=terms.org_id,
        payment_id=terms.payment_id,
        request_hash=request_hash,
        terms=_TERMS.dump_python(terms, mode="json"),
    )
    noted, _ = await add_once(session, row, ("org_id", "request_hash"))
    return _TERMS.validate_python(noted.terms)


async def store_content(session: AsyncSession, command_id: str, payment_id: str, content_hash: str) -> bool:
    row = PaymentCommandContent(command_id=command_id, payment_id=payment_id, content_hash=content_hash)
    _, is_new = await add_once(session, row, ("payment_id", "content_hash"))
    return is_new


async def delete_content(session: AsyncSession, command_id: str) -> None:
    """Delete the content of a refused command, because its key may be used for another one."""
    await session.execute(delete(PaymentCommandContent).where(PaymentCommandContent.command_id == command_id))
