"""The log of economic events: everything that the agents of an organization bought, used, earned and were refused."""

from typing import Annotated
from uuid import UUID

from fastapi import Query

from api.auth import SpendingKeyDep, require
from api.deps import DepsDep
from api.fields import Moment, SearchText
from api.lists import Items, ListEndpoint, ListRequest, several
from api.routing import Resource
from api.tenancy import known_organization
from api.v1.economics.schemas import COLUMNS, EconomicEntryView
from api.v1.spends.own import own_holder
from domain.budgets.economics import EntryStatus, TransactionType
from domain.common.access import Actor, Permission
from domain.common.errors import NotFound
from repositories.budgets import economics
from repositories.credits.spend import KeyHolder

router = Resource(tags=["economics"])

_LIST = ListEndpoint(
    "economics-log",
    EconomicEntryView,
    *("organization_id", "agent_id"),
    order=[UUID],
    status=EntryStatus,
    has_json_lines=True,
    lines=(COLUMNS, EconomicEntryView.cells),
    project=Annotated[SearchText | None, Query(description="Only of the project with this slug.")],
    transaction_type=several(TransactionType, "Only entries of this type."),
    since=Annotated[Moment | None, Query(alias="from", description="Only what happened at or after this time.")],
    until=Annotated[Moment | None, Query(alias="to", description="Only what happened before this time.")],
)


@_LIST.get(router, "/economics/log", NotFound)
async def list_economics_log(
    deps: DepsDep, asked: ListRequest, *, key: SpendingKeyDep, actor: Actor = require(Permission.READ)
) -> Items:
    """List what the organization's agents bought, used, earned and were refused, the newest recorded first.

    Purchase orders have an entry for each decision, attempt, refusal, refund and end. Credits, escrows, sales and
    payouts have one for each transfer by which money comes or leaves, so each amount is in the log once. The key of an
    agent gets the entries of its agent, and the key of a member those of its department and project.

    A page scans a bounded number of rows, so it may be short or empty while `next_cursor` is not null. Continue until
    it is null. With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV, and
    with `Accept: application/jsonl` as JSON Lines.
    """
    org_id = await known_organization(deps, actor, asked.organization_id)
    wanted = asked.wanted(org_id, without=("project", "transaction_type"))
    # As for purchase orders, a key of an agent that reads the organization's money reads no other agent's entries.
    holder = own_holder(actor, key) if actor.agent_id is None else KeyHolder(key, actor.principal)
    async with deps.session_for(actor) as session:
        page = await economics.page(
            session, wanted, types=asked.get("transaction_type") or (), project=asked.get("project"), holder=holder
        )
    return [EconomicEntryView.of(entry) for entry in page.rows], page.following
