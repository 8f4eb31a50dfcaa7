"""Grants of secrets. Writing needs the platform's role."""

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.access import Actor
from domain.common.errors import NotFound
from domain.common.ids import is_id
from ledger.invariants import Invariant
from models.secrets.grant import SecretGrant, SecretGrantDay
from repositories.common.listing import ListFilter, Listing, ListPage, of_owner

PREFIX = "sgr"
MISSING = "There is no such grant."


def _in_force(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return SecretGrant.revoked_at.is_(None), SecretGrant.ends_at > now


def _to(actor: Actor) -> tuple[ColumnElement[bool], ...]:
    """Return the condition that a grant is to the actor, as `open_secret` decides it."""
    row = SecretGrant
    if actor.agent_id is not None:
        return (row.org_id == actor.org_id, row.agent_id == actor.agent_id)
    return (row.org_id == actor.org_id, func.lower(row.principal) == actor.principal.lower())


async def locked(session: AsyncSession, org_id: str, grant_id: str) -> SecretGrant:
    """Return a grant of an organization, and lock it until the transaction ends.

    Raises:
        NotFound: there is none.
    """
    found = None
    if is_id(grant_id, PREFIX):
        query = select(SecretGrant).where(SecretGrant.id == grant_id, SecretGrant.org_id == org_id)
        found = (await session.scalars(query.with_for_update())).one_or_none()
    if found is None:
        raise NotFound(MISSING)
    return found


async def count(session: AsyncSession, org_id: str, now: datetime) -> int:
    """Count the grants in force of an organization; the caller holds the organization's lock."""
    return (await session.scalars(select(func.count()).where(SecretGrant.org_id == org_id, *_in_force(now)))).one()


async def of_actor(session: AsyncSession, actor: Actor, now: datetime) -> Sequence[SecretGrant]:
    query = select(SecretGrant).where(*_to(actor), *_in_force(now)).order_by(SecretGrant.id)
    return (await session.scalars(query)).all()


async def uses_on(session: AsyncSession, grant_ids: Sequence[str], day: date) -> dict[str, int]:
    """Return how often grants were used on a UTC day; those that were not are left out."""
    row = SecretGrantDay
    query = select(row.grant_id, row.uses).where(row.grant_id.in_(grant_ids), row.day == day)
    return {found.grant_id: found.uses for found in await session.execute(query)}


_LIST = Listing(of=SecretGrant, order=[SecretGrant.id], prefix=PREFIX)


async def page(session: AsyncSession, wanted: ListFilter, *, to: Actor | None) -> ListPage[SecretGrant]:
    """Return a page of grants, newest first; those to an actor if one is named."""
    part = of_owner(SecretGrant.org_id, wanted) if to is None else _to(to)
    return await _LIST.page(session, wanted, [part])


#: What `verify` proves about these rows.
INVARIANTS = (
    Invariant(
        name="each counted use of a secret has its entry in the access log, and each sent one is counted",
        table="public.secret_grant_days",
        unit="days of grants",
        violations="""
        SELECT coalesce(d.grant_id, e.grant_id) || ' on ' || coalesce(d.day, e.day) || ': counted '
            || coalesce(d.uses, 0) || ', entries ' || coalesce(e.uses, 0)
        FROM public.secret_grant_days d FULL JOIN (
            SELECT grant_id, (at AT TIME ZONE 'UTC')::date AS day, count(*) AS uses FROM public.secret_access
            WHERE outcome = 'opened' AND grant_id IS NOT NULL AND NOT EXISTS (SELECT FROM public.secret_uses u
                WHERE u.id = reference AND u.status = 'failed' AND u.reason <> 'lost') GROUP BY 1, 2
        ) e ON e.grant_id = d.grant_id AND e.day = d.day
        WHERE coalesce(d.uses, 0) <> coalesce(e.uses, 0)
        """,
    ),
)
