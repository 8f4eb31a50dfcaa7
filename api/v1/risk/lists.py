"""The allow list and the block list, for operators."""

from datetime import UTC, datetime
from functools import partial
from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from api.auth import require
from api.deps import DepsDep
from api.errors import errors
from api.idempotency import MayRepeat
from api.lists import CREATED, Items, ListEndpoint, ListRequest
from api.routing import Resource
from api.v1.risk.schemas import RiskListItemCreate, RiskListItemView
from domain.common.access import Actor, Permission
from domain.common.errors import NotFound
from domain.risk.act import EntityKind
from domain.risk.rule import ListName
from repositories.risk import list_item as items
from services.risk import list_item

router = Resource(tags=["risk_list_items"])


def _list(name: str) -> ListName:
    """Return the list of a path."""
    if name not in set(ListName):
        raise NotFound("There is no such list: there are allow and block.")
    return ListName(name)


_LIST = ListEndpoint(
    "risk-list-items",
    RiskListItemView,
    *CREATED,
    order=["rli"],
    kind=Annotated[EntityKind | None, Query(description="Only entities of this kind.")],
    active=Annotated[bool, Query(description="Only those that count now.")],
)


@_LIST.get(router, "/risk/lists/{name}/items")
async def list_risk_list_items(
    name: str, deps: DepsDep, asked: ListRequest, actor: Actor = require(Permission.RISK_READ)
) -> Items:
    """List the entities on the allow list or the block list, newest first."""
    page = partial(
        items.page,
        name=_list(name),
        kind=asked.get("kind"),
        active_at=datetime.now(UTC) if asked.get("active") else None,
    )
    wanted = asked.wanted(None, without=["kind", "active"])
    return await asked.rows(deps.session_for(actor), page, wanted, RiskListItemView.of)


@router.post(
    "/risk/lists/{name}/items",
    status_code=201,
    response_model=RiskListItemView,
    responses=errors(NotFound),
)
async def add_risk_list_item(
    name: str,
    body: RiskListItemCreate,
    deps: DepsDep,
    *,
    actor: Actor = require(Permission.RISK_RULES),
    command: MayRepeat,
) -> Response:
    """Put an entity on the allow list or the block list until `ends_at`.

    The allow list precedes the block list, and both precede all rules. What identifies a person or device is stored as
    an HMAC.
    """
    async with command, deps.database.platform() as session:
        row = await list_item.add(
            session,
            actor,
            _list(name),
            body.entity.kind,
            body.entity.value,
            reason=body.reason,
            ends_at=body.ends_at,
            key=deps.risk.settings.key,
            command_id=command.command_id,
            now=datetime.now(UTC),
        )
        return command.answer(RiskListItemView.of(row))


@router.delete("/risk/lists/{name}/items/{item_id}")
async def remove_risk_list_item(
    name: str, item_id: str, deps: DepsDep, actor: Actor = require(Permission.RISK_RULES)
) -> RiskListItemView:
    """Remove an entity from a list. Removing it again changes nothing."""
    async with deps.database.platform() as session:
        return RiskListItemView.of(await list_item.remove(session, actor, _list(name), item_id, datetime.now(UTC)))
