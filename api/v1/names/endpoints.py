"""Names of objects, for pages that show many ids at once."""

from typing import Annotated

from fastapi import Query
from pydantic import BeforeValidator, Field, StringConstraints

from api.auth import SpendingKeyDep, require
from api.deps import DepsDep
from api.lists import split
from api.routing import Resource
from api.v1.names.schemas import NamesView
from api.v1.spends.own import confined_key
from domain.common.access import Actor, Permission
from domain.common.ids import ID, is_id
from repositories.tenants import name

router = Resource(tags=["names"])

#: Twice the default number of rows of a page, for lists with two ids in each row.
MOST = 200
Ids = Annotated[
    list[Annotated[str, StringConstraints(pattern=f"^{ID}$", max_length=100)]],
    BeforeValidator(split),
    Field(min_length=1, max_length=MOST),
    Query(description=f"Ids of any kind, at most {MOST}. Several are separated by commas."),
]
#: The kinds whose names a key of a department or a project cannot read.
_OF_DEPARTMENTS = ("ctl", "dep", "por", "prj")


@router.get("/names", operation_id="names.list")
async def list_names(
    ids: Ids, deps: DepsDep, *, key: SpendingKeyDep, actor: Actor = require(Permission.READ_BILLING)
) -> NamesView:
    """List the names of objects by their ids: of organizations, agents, contracts, escrows and others.

    A contract and its escrow have the contract's title, an invoice its number, a purchase order its item, a spend
    control the name of the object that it limits. An organization gets the names of its own objects and of agents
    on the marketplace, and both parties those of their contracts; an operator gets all. A key that is attributed to
    a department or project gets no names of departments, projects, purchase orders and spend controls.
    """
    async with deps.session_for(actor) as session:
        hidden = _OF_DEPARTMENTS if confined_key(actor, key) else ()
        wanted = [each for each in ids if not any(is_id(each, kind) for kind in hidden)]
        return NamesView(names=await name.names_of(session, wanted, actor.org_id))
