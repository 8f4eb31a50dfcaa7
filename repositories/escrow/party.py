"""The title, the names of the parties and the reader's metadata, which are shown with a contract or an escrow.

The parties see each other's present names. It is one statement for a page, and one round trip for a single object.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ARRAY, BigInteger, FromClause, Text, and_, column, false, func, literal, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from models.escrow.contract import Contract
from models.escrow.escrow import EscrowRow
from models.marketplace.agent import Agent
from models.tenants.metadata import ObjectMetadata
from models.tenants.organization import Organization

_NAMES = ("title", "payer_name", "payee_name", "agent_name")
_COLUMNS = (*_NAMES, "granted_minor")
#: Columns to read together with an object: $1 is its id, $2 that of its contract. `READ_AS` is for the organization $3;
#: `READ` is for the platform, and $3 is whether the payer's metadata is included.
READ_AS = f"""
    {", ".join(f"n.{name}" for name in _COLUMNS)}, m.*
    FROM tenant_party_names($3, ARRAY[$2]) n LEFT JOIN tenant_metadata($3, $1) m ON true
"""
READ = """
    c.title, payer.name AS payer_name, payee.name AS payee_name, a.name AS agent_name,
    coalesce(e.granted_minor, 0) AS granted_minor, m.*
    FROM contracts c
    JOIN organizations payer ON payer.id = c.org_id
    JOIN organizations payee ON payee.id = c.payee_org_id
    JOIN agents a ON a.id = c.agent_id
    LEFT JOIN escrows e ON e.contract_id = c.id
    LEFT JOIN object_metadata m ON m.object_id = $1 AND m.org_id = c.org_id AND $3
    WHERE c.id = $2
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parties:
    """The title of a contract, the names of its parties, and the reader's external id and metadata of the object.

    `granted_minor` is how much of what its escrow was funded with nobody paid for.
    """

    title: str
    payer_name: str
    payee_name: str
    agent_name: str
    granted_minor: int
    own: ObjectMetadata | None


def parties_from(columns: dict[str, Any]) -> Parties:
    names = {name: columns.pop(name) for name in _COLUMNS}
    pairs = columns.pop("metadata")
    own = None
    if columns["object_id"] is not None:
        # The connections of an engine decode JSON by themselves.
        own = ObjectMetadata(pairs=json.loads(pairs) if isinstance(pairs, str) else pairs, **columns)
    return Parties(**names, own=own)


async def read_parties(
    session: AsyncSession,
    contract_ids: Iterable[str],
    *,
    prefix: str,
    org_id: str | None,
    owner: str | None = None,
    is_shown_own: bool = True,
) -> dict[str, Parties]:
    """Return the titles, names and metadata of contracts or their escrows, by contract id, in one statement.

    Args:
        session: of the organization or the platform.
        contract_ids: the contracts.
        prefix: `ctr` for the contracts, `esc` for their escrows.
        org_id: the reader; None for the platform.
        owner: for the platform: whose metadata is read; None for that of the payers.
        is_shown_own: whether metadata is read at all.
    """
    wanted = list(contract_ids)
    if not wanted:
        return {}
    names = _platforms(wanted) if org_id is None else _tenants(org_id, wanted)
    whose = names.c.org_id if org_id is None and owner is None else literal(org_id or owner)
    row = ObjectMetadata
    written = and_(row.object_id == func.concat(prefix, func.substr(names.c.contract_id, 4)), row.org_id == whose)
    query = select(names, row).outerjoin(row, written if is_shown_own else false())
    rows = (await session.execute(query)).mappings()
    return {
        each["contract_id"]: Parties(**{name: each[name] for name in _COLUMNS}, own=each["ObjectMetadata"])
        for each in rows
    }


def _tenants(org_id: str, contract_ids: list[str]) -> FromClause:
    function = func.tenant_party_names(org_id, literal(contract_ids, ARRAY(Text)))
    columns = [column(name, Text) for name in ("contract_id", *_NAMES)]
    return function.table_valued(*columns, column("granted_minor", BigInteger))


def _platforms(contract_ids: list[str]) -> FromClause:
    payer, payee = aliased(Organization), aliased(Organization)
    return (
        select(
            Contract.id.label("contract_id"),
            Contract.org_id,
            Contract.title,
            payer.name.label("payer_name"),
            payee.name.label("payee_name"),
            Agent.name.label("agent_name"),
            func.coalesce(EscrowRow.granted_minor, 0).label("granted_minor"),
        )
        .join(payer, payer.id == Contract.org_id)
        .join(payee, payee.id == Contract.payee_org_id)
        .join(Agent, Agent.id == Contract.agent_id)
        .outerjoin(EscrowRow, EscrowRow.contract_id == Contract.id)
        .where(Contract.id.in_(contract_ids))
        .subquery()
    )
