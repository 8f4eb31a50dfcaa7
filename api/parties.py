"""What a caller sees beside a contract and its escrow: title, names of the parties, and what it has written."""

from collections.abc import Iterable
from typing import Any

from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncSession

from api.metadata import MetadataView, shown
from domain.common.access import Actor, Permission
from repositories.escrow import party
from repositories.escrow.party import Parties


class NamedView(MetadataView):
    """An object with a title and parties. The parties see each other's names."""

    title: str
    payer_name: str = Field(description="The name of the paying organization.")
    payee_name: str = Field(description="The name of the organization whose agent is paid.")
    agent_name: str


def named(found: Parties) -> dict[str, Any]:
    """Return the members of a `NamedView`."""
    names = {name: getattr(found, name) for name in ("title", "payer_name", "payee_name", "agent_name")}
    return {**names, **shown(found.own)}


def is_shown_own(actor: Actor) -> bool:
    return not actor.is_platform or actor.may(Permission.INSPECT)


async def read_parties(
    session: AsyncSession, actor: Actor, contract_ids: Iterable[str], prefix: str, owner: str | None = None
) -> dict[str, Parties]:
    """Return what an actor sees beside the objects of contracts, by the contracts' ids, in one statement.

    Args:
        session: of the actor.
        actor: who reads.
        contract_ids: contracts that it sees.
        prefix: of the objects' ids: `ctr`, or `esc` for their escrows.
        owner: whose ids and metadata operators are shown; None for those of each payer.
    """
    return await party.read_parties(
        session, contract_ids, prefix=prefix, org_id=actor.org_id, owner=owner, is_shown_own=is_shown_own(actor)
    )
