"""What limits and budgets, the two kinds of spend controls, answer alike."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query
from sqlalchemy.ext.asyncio import AsyncSession

from api.auth import permit
from api.deps import Deps
from api.fields import SearchText
from api.idempotency import Command
from api.lists import CREATED, Asked, Int32, Items, ListOf, items_of
from api.v1.spend_controls.schemas import (
    ControlVersionView,
    CountedSpendView,
    RefusalView,
    StatusChange,
    TermsSet,
)
from api.v1.spends.own import confined, reader
from domain.common.access import Actor, Permission
from domain.common.money import CREDIT
from domain.credits.spend.control import ControlKind
from domain.credits.spend.scope import SpendingKey
from ledger.spends import SpendStatus
from models.credits.spend_control import SpendControl
from repositories.common.listing import Found
from repositories.credits import spend_control as controls
from repositories.credits.spend import own_of
from services.books import exchange_rate
from services.credits.spend_control import Order

_CHANGED_BY = Annotated[SearchText | None, Query(description="Only versions that this principal made.")]
_OF_SPENDS: dict[str, Any] = {
    "action": Annotated[SearchText | None, Query(description="Only spends on this action.")],
    "run_id": Annotated[SearchText | None, Query(description="Only spends of this run.")],
}
_BY_AMOUNT = (*CREATED, "agent_id", "min_amount", "max_amount")


def versions_of(noun: str, view: type[ControlVersionView]) -> ListOf:
    """Return the list of versions of a kind."""
    return ListOf(f"{noun}-versions", view, *CREATED, order=[Int32], changed_by=_CHANGED_BY)


def counted_of(noun: str) -> ListOf:
    """Return the list of what counts in a control of a kind."""
    return ListOf(noun, CountedSpendView, *_BY_AMOUNT, order=[UUID], status=SpendStatus, currency=CREDIT, **_OF_SPENDS)


def refused_of(noun: str) -> ListOf:
    """Return the list of what a control of a kind refused."""
    return ListOf(noun, RefusalView, *_BY_AMOUNT, order=[UUID], currency=CREDIT, **_OF_SPENDS)


async def readable(
    session: AsyncSession, actor: Actor, key: SpendingKey, control_id: str, kind: ControlKind
) -> SpendControl:
    """Return a control that the actor may read.

    Raises:
        NotFound: there is none of the kind, or it is not the key's own. Forbidden: the role reads none.
    """
    row, of = await controls.get(session, control_id, kind), confined(actor, key)
    if of is not None and not await controls.is_own(session, row, of):
        raise controls.missing(kind)
    permit(actor, Permission.INSPECT if actor.is_platform else Permission.READ)
    return row


async def changeable(
    deps: Deps,
    actor: Actor,
    control_id: str,
    kind: ControlKind,
    permission: Permission = Permission.MANAGE_SPENDING,
) -> SpendControl:
    """Return the control that the actor means, before the role is judged: 404 comes before 403."""
    async with deps.session_for(actor) as session:
        row = await controls.get(session, control_id, kind)
    permit(actor, permission)
    return row


def order_of(
    actor: Actor, org_id: str, once: Command, body: TermsSet | StatusChange, kind: ControlKind = ControlKind.LIMIT
) -> Order:
    """Return the command to write a version, as a request gives it."""
    return Order(
        actor=actor,
        org_id=org_id,
        command_id=once.command_id,
        at=datetime.now(UTC),
        reason=body.reason,
        expected_version=getattr(body, "version", None),
        kind=kind,
    )


async def note_price(deps: Deps, session: AsyncSession, currency: str, at: datetime) -> None:
    """Have a control in money count from its first spend on."""
    if currency != CREDIT:
        await exchange_rate.note_price(session, deps.settings.payment_rules.credit, at)


class Lists:
    """The lists of one control, as an actor may read them."""

    def __init__(self, deps: Deps, actor: Actor, key: SpendingKey, control_id: str, kind: ControlKind) -> None:
        """Take whose control is read."""
        self._deps = deps
        self._actor = actor
        self._key = key
        self._control_id = control_id
        self._kind = kind

    async def versions(self, asked: Asked, view: type[ControlVersionView]) -> Items:
        """Return a page of its versions."""
        async with self._deps.session_for(self._actor) as session:
            control = await self._control(session)
            found = await controls.versions(session, asked.wanted(None), control_id=control.id)
            return items_of(found, lambda row: view.of(row, control.asset))

    async def spends(self, asked: Asked) -> Items:
        """Return a page of what counts in it; keys of agents and members get their own only."""
        async with self._deps.session_for(self._actor) as session:
            control = await self._control(session)
            rows, following = await controls.spends(session, asked.wanted(None), control=control)
            if (holder := reader(self._actor, self._key)) is not None:
                own = {row.id for row in await own_of(session, [row for row, _ in rows], holder)}
                rows = [(row, counted) for row, counted in rows if row.id in own]
            return [CountedSpendView.of(row, counted, control.asset) for row, counted in rows], following

    async def refusals(self, asked: Asked) -> Items:
        """Return a page of what it refused; keys of agents and members get their own only."""
        async with self._deps.session_for(self._actor) as session:
            control = await self._control(session)
            found = await controls.refusals(session, asked.wanted(None), control=control)
            if (holder := reader(self._actor, self._key)) is not None:
                found = Found(await own_of(session, found.rows, holder), found.following)
            return items_of(found, lambda row: RefusalView.of(row, control.asset))

    async def _control(self, session: AsyncSession) -> SpendControl:
        return await readable(session, self._actor, self._key, self._control_id, self._kind)
