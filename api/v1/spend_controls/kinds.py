"""Limits and budgets, the two kinds of spend controls: the paths that both have, and what these answer."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Path, Query
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from api.auth import ActorDep, SpendingKeyDep, permit, require
from api.deps import Deps, DepsDep
from api.errors import errors
from api.fields import SearchText
from api.idempotency import Command, MayRepeat
from api.lists import CREATED, Int32, Items, ListEndpoint, ListRequest, items_of
from api.routing import Resource
from api.tenancy import acting_organization, listed_organization
from api.v1.spend_controls.schemas import (
    ControlTermsView,
    ControlVersionView,
    CountedSpendView,
    NewSet,
    RefusalView,
    StatusChange,
    TermsSet,
)
from api.v1.spends.own import confined_key, own_holder
from domain.common import errors as refusals
from domain.common.access import Actor, Permission
from domain.common.errors import Forbidden, NotFound
from domain.common.ids import uuid_id
from domain.common.money import CREDIT
from domain.credits.spend.control import ControlKind, ControlStatus, SubjectKind
from domain.credits.spend.scope import SpendingKey
from ledger.spends import SpendStatus
from models.credits.spend_control import SpendControl
from repositories.common.listing import ListFilter
from repositories.credits import spend_control as controls
from repositories.credits.spend import own_of
from repositories.tenants import name
from services.books import exchange_rate
from services.credits import spend_control
from services.credits.spend_control import ControlCommand

VERSION = refusals.SpendControlVersion
CLOSED = refusals.SpendControlClosed
EXISTS = refusals.SpendControlExists
CHANGING = errors(VERSION, CLOSED)

_READING = errors(NotFound, Forbidden)
_CLOSING = errors(VERSION, CLOSED, refusals.SpendControlHasChildren)
_CLOSE = "Close a {} permanently. It no longer limits anything, and a new one can be created for its subject."
_SCANNED = (
    "A page scans a bounded number of the organization's spends. It may have fewer than `limit` items, or none, and\n"
    "still have a `next_cursor`."
)
OWN_REFUSALS = (
    "The key of an agent or a member gets its own only, so a page may be short or empty and have a `next_cursor`."
)
_CHANGED_BY = Annotated[SearchText | None, Query(description="Only versions that this principal made.")]
_OF_SPENDS: dict[str, Any] = {
    "action": Annotated[SearchText | None, Query(description="Only spends on this action.")],
    "run_id": Annotated[SearchText | None, Query(description="Only spends of this run.")],
    "currency": CREDIT,
}
_BY_AMOUNT = (*CREATED, "agent_id", "min_amount", "max_amount")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of spend controls as its paths show it.

    `noun` is in the names of operations, and with an s in the path; `word` is in sentences, and the parameter is named
    by it. `counted` and `refused` name the two lists of spends. The texts describe what only this kind does.
    """

    kind: ControlKind
    noun: str
    word: str
    creation: type[NewSet]
    changed: type[TermsSet]
    view: type[ControlTermsView]
    version: type[ControlVersionView]
    show: Callable[[AsyncSession, Sequence[SpendControl]], Awaitable[Sequence[ControlTermsView]]]
    counted: str
    refused: str
    of_create: str
    of_list: str
    of_change: str
    of_freeze: str
    of_unfreeze: str
    of_counted: str
    of_refused: str

    @property
    def path(self) -> str:
        return f"/{self.noun.replace('_', '-')}s"

    @property
    def one(self) -> str:
        return f"{self.path}/{{{self.parameter}}}"

    @property
    def parameter(self) -> str:
        return f"{self.word}_id"

    async def shown(self, session: AsyncSession, row: SpendControl) -> ControlTermsView:
        return (await self.show(session, [row]))[0]

    async def write(
        self,
        deps: Deps,
        once: Command,
        actor: Actor,
        row: SpendControl,
        body: TermsSet | StatusChange,
        act: Callable[[AsyncSession, ControlCommand], Awaitable[SpendControl]],
    ) -> Response:
        """Change a control in one transaction, once for each command, and answer with it."""
        async with once, deps.database.platform() as session:
            order = order_of(actor, row.org_id, once, body, self.kind)
            return once.answer(await self.shown(session, await act(session, order)))


def add_controls(router: Resource, kind: Kind) -> None:
    """Add the paths of a kind's controls: to create, list, read and change them, and to freeze and close them."""

    @router.post(
        kind.path,
        name=f"create_{kind.noun}",
        description=kind.of_create,
        status_code=201,
        response_model=kind.view,
        responses=errors(NotFound, EXISTS),
    )
    async def create(
        body: kind.creation,  # type: ignore[name-defined]
        deps: DepsDep,
        once: MayRepeat,
        actor: Actor = require(Permission.MANAGE_SPENDING),
    ) -> Response:
        org_id = acting_organization(actor, body.organization_id)
        new, terms = body.new(org_id, kind.kind), body.terms(body.currency)
        async with once, deps.database.platform() as session:
            order = order_of(actor, org_id, once, body, kind.kind)
            await note_price(deps, session, body.currency, order.at)
            made = await spend_control.create(session, order, new, terms, body.parent())
            return once.answer(await kind.shown(session, made))

    listed = ListEndpoint(
        kind.path[1:],
        kind.view,
        *(*CREATED, "organization_id", "currency"),
        order=[UUID],
        status=ControlStatus,
        subject_type=Annotated[SubjectKind | None, Query(description=f"Only {kind.word}s of this type of subject.")],
        subject_id=Annotated[SearchText | None, Query(description=f"Only {kind.word}s of this subject.")],
        open_only=Annotated[bool, Query(alias="open", description=f"Exclude closed {kind.word}s.")],
    )

    @listed.get(router, kind.path, NotFound, name=f"list_{kind.noun}s", description=kind.of_list)
    async def list_all(
        deps: DepsDep, asked: ListRequest, key: SpendingKeyDep, actor: Actor = require(Permission.READ)
    ) -> Items:
        org_id, open_only = listed_organization(actor, asked.organization_id), bool(asked.get("open_only"))
        wanted = asked.wanted(org_id, without=["open_only"], subject_type="subject_kind", currency="asset")
        of = confined_key(actor, key)
        async with deps.session_for(actor) as session:
            found = await controls.page(session, wanted, kind=kind.kind, open_only=open_only, of=of)
            return await kind.show(session, found.rows), found.following

    @router.get(
        kind.one,
        name=f"get_{kind.noun}",
        description=f"Read one {kind.noun.replace('_', ' ')}.",
        response_model=kind.view,
        responses=_READING,
    )
    async def get(
        control_id: Annotated[str, Path(alias=kind.parameter)], deps: DepsDep, key: SpendingKeyDep, actor: ActorDep
    ) -> ControlTermsView:
        async with deps.session_for(actor) as session:
            return await kind.shown(session, await require_readable(session, actor, key, control_id, kind.kind))

    @router.put(
        kind.one, name=f"change_{kind.noun}", description=kind.of_change, response_model=kind.view, responses=CHANGING
    )
    async def change(
        control_id: Annotated[str, Path(alias=kind.parameter)],
        body: kind.changed,  # type: ignore[name-defined]
        deps: DepsDep,
        once: MayRepeat,
        actor: ActorDep,
    ) -> Response:
        row = await require_changeable(deps, actor, control_id, kind.kind)
        terms = body.terms(row.asset)

        async def act(session: AsyncSession, order: ControlCommand) -> SpendControl:
            await note_price(deps, session, row.asset, order.at)
            return await spend_control.change(session, order, row.id, terms, body.parent())

        return await kind.write(deps, once, actor, row, body, act)

    for verb, status, description, answers in (
        ("freeze", ControlStatus.FROZEN, kind.of_freeze, CHANGING),
        ("unfreeze", ControlStatus.ACTIVE, kind.of_unfreeze, CHANGING),
        ("close", ControlStatus.CLOSED, _CLOSE.format(kind.word), _CLOSING),
    ):
        router.post(
            f"{kind.one}/{verb}",
            name=f"{verb}_{kind.noun}",
            description=description,
            response_model=kind.view,
            responses=answers,
        )(_setting(kind, status))


def _setting(kind: Kind, status: ControlStatus) -> Callable[..., Awaitable[Response]]:
    async def set_status(
        control_id: Annotated[str, Path(alias=kind.parameter)],
        deps: DepsDep,
        once: MayRepeat,
        actor: ActorDep,
        body: StatusChange | None = None,
    ) -> Response:
        row = await require_changeable(deps, actor, control_id, kind.kind)

        async def act(session: AsyncSession, order: ControlCommand) -> SpendControl:
            return await spend_control.set_status(session, order, row.id, status)

        return await kind.write(deps, once, actor, row, body or StatusChange(), act)

    return set_status


def add_lists(router: Resource, kind: Kind) -> None:
    versions = ListEndpoint(f"{kind.word}-versions", kind.version, *CREATED, order=[Int32], changed_by=_CHANGED_BY)
    counted = ListEndpoint(kind.counted, CountedSpendView, *_BY_AMOUNT, order=[UUID], status=SpendStatus, **_OF_SPENDS)
    refused = ListEndpoint(kind.refused, RefusalView, *_BY_AMOUNT, order=[UUID], **_OF_SPENDS)

    @versions.get(
        router,
        f"{kind.one}/versions",
        NotFound,
        Forbidden,
        name=f"list_{kind.noun}_versions",
        description=f"List the versions of what a {kind.word} allowed, newest first, with who made each change.",
    )
    async def list_versions(
        control_id: Annotated[str, Path(alias=kind.parameter)],
        deps: DepsDep,
        key: SpendingKeyDep,
        actor: ActorDep,
        asked: ListRequest,
    ) -> Items:
        async with deps.session_for(actor) as session:
            control = await require_readable(session, actor, key, control_id, kind.kind)
            found = await controls.versions(session, asked.wanted(None), control_id=control.id)
            return items_of(found, lambda row: kind.version.of(row, control.asset))

    @counted.get(
        router,
        f"{kind.one}/spends",
        NotFound,
        Forbidden,
        name=f"list_{kind.counted.replace('-', '_')}",
        description=f"{kind.of_counted}\n\n{_SCANNED}",
    )
    async def list_counted(
        control_id: Annotated[str, Path(alias=kind.parameter)],
        deps: DepsDep,
        key: SpendingKeyDep,
        actor: ActorDep,
        asked: ListRequest,
    ) -> Items:
        async with deps.session_for(actor) as session:
            control = await require_readable(session, actor, key, control_id, kind.kind)
            rows, following = await controls.spends(session, asked.wanted(None), control=control)
            if (holder := own_holder(actor, key)) is not None:
                own = {row.id for row in await own_of(session, [row for row, _ in rows], holder)}
                rows = [(row, counted) for row, counted in rows if row.id in own]
            return [CountedSpendView.of(row, counted, control.asset) for row, counted in rows], following

    @refused.get(
        router,
        f"{kind.one}/refusals",
        NotFound,
        Forbidden,
        name=f"list_{kind.refused.replace('-', '_')}",
        description=f"{kind.of_refused}, newest first: the first 1,000 of each window.\n\n{OWN_REFUSALS}",
    )
    async def list_refused(
        control_id: Annotated[str, Path(alias=kind.parameter)],
        deps: DepsDep,
        key: SpendingKeyDep,
        actor: ActorDep,
        asked: ListRequest,
    ) -> Items:
        async with deps.session_for(actor) as session:
            control = await require_readable(session, actor, key, control_id, kind.kind)
            return await shown_refusals(session, asked.wanted(None), actor, key, control)


async def shown_refusals(
    session: AsyncSession, wanted: ListFilter, actor: Actor, key: SpendingKey, control: SpendControl | None = None
) -> Items:
    found = await controls.refusals(session, wanted, control=control, holder=own_holder(actor, key))
    ids = frozenset(uuid_id("ctl", row.control_id) for row in found.rows if row.control_id is not None)
    if (of := confined_key(actor, key)) is not None:
        ids = await controls.own_among(session, ids, of)
    names = await name.names_of(session, ids, None)
    return items_of(found, lambda row: RefusalView.of(row, names))


async def require_readable(
    session: AsyncSession, actor: Actor, key: SpendingKey, control_id: str, kind: ControlKind
) -> SpendControl:
    row, of = await controls.get(session, control_id, kind), confined_key(actor, key)
    if of is not None and not await controls.is_own(session, row, of):
        raise controls.missing(kind)
    permit(actor, Permission.INSPECT if actor.is_platform else Permission.READ)
    return row


async def require_changeable(
    deps: Deps, actor: Actor, control_id: str, kind: ControlKind, permission: Permission = Permission.MANAGE_SPENDING
) -> SpendControl:
    """Return the control that the actor means, before the role is judged: 404 comes before 403."""
    async with deps.session_for(actor) as session:
        row = await controls.get(session, control_id, kind)
    permit(actor, permission)
    return row


def order_of(
    actor: Actor, org_id: str, once: Command, body: TermsSet | StatusChange, kind: ControlKind = ControlKind.LIMIT
) -> ControlCommand:
    return ControlCommand(
        actor=actor,
        org_id=org_id,
        command_id=once.command_id,
        at=datetime.now(UTC),
        reason=body.reason,
        expected_version=getattr(body, "version", None),
        kind=kind,
    )


async def note_price(deps: Deps, session: AsyncSession, currency: str, at: datetime) -> None:
    """Store the price of a credit, so that a control in money counts from its first spend on."""
    if currency != CREDIT:
        await exchange_rate.store_price(session, deps.settings.payment_rules.credit, at)
