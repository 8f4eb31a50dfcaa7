"""Names of objects by their ids, for texts that mention them."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.ids import is_id, uuid_id, uuid_of

#: Each part reads by primary key. Of other organizations only agents on the marketplace have a name, whatever the
#: session sees.
_OWN = "(CAST(:org_id AS text) IS NULL OR org_id = :org_id)"
_NAMES = text(
    f"""
    SELECT id, name FROM organizations
    WHERE id = ANY(:ids) AND (CAST(:org_id AS text) IS NULL OR id = :org_id)
    UNION ALL SELECT id, name FROM agents WHERE id = ANY(:ids) AND (visibility = 'public' OR {_OWN})
    UNION ALL SELECT id, name FROM departments WHERE id = ANY(:ids) AND {_OWN}
    UNION ALL SELECT id, name FROM projects WHERE id = ANY(:ids) AND {_OWN}
    UNION ALL SELECT id, title FROM contracts
    WHERE id = ANY(:ids) AND (CAST(:org_id AS text) IS NULL OR :org_id IN (org_id, payee_org_id))
    UNION ALL SELECT e.id, c.title FROM escrows e JOIN contracts c ON c.id = e.contract_id
    WHERE e.id = ANY(:ids) AND (CAST(:org_id AS text) IS NULL OR :org_id IN (e.org_id, e.payee_org_id))
    UNION ALL SELECT id, item FROM purchase_orders WHERE id = ANY(:ids) AND {_OWN}
    UNION ALL SELECT id, definition ->> 'name' FROM reports WHERE id = ANY(:ids) AND {_OWN}
    UNION ALL SELECT id, number FROM invoices WHERE id = ANY(:ids) AND number IS NOT NULL AND {_OWN}
    UNION ALL SELECT id, number FROM credit_notes WHERE id = ANY(:ids) AND {_OWN}
    UNION ALL SELECT id, coalesce(nullif(description, ''), substring(url FROM '//(?:[^/@]*@)?([^/?#]+)'))
    FROM webhook_endpoints
    WHERE id = ANY(:ids) AND status <> 'deleted' AND {_OWN}
    UNION ALL
    SELECT c.id::text, coalesce(a.name, d.name, p.name, o.name) FROM ledger.controls c
    LEFT JOIN agents a ON c.subject_kind = 'agent' AND a.id = c.subject_id
    LEFT JOIN departments d ON c.subject_kind = 'department' AND d.id = c.subject_id
    LEFT JOIN projects p ON c.subject_kind = 'project' AND p.id = c.subject_id
    LEFT JOIN organizations o ON c.subject_kind = 'organization' AND o.id = c.subject_id
    WHERE c.id = ANY(CAST(:controls AS uuid[])) AND c.subject_kind NOT IN ('run', 'key')
        AND (CAST(:org_id AS text) IS NULL OR c.org_id = :org_id)
    """
)


async def names_of(session: AsyncSession, ids: Collection[str], org_id: str | None) -> dict[str, str]:
    """Return the names of objects by their ids: titles of contracts and escrows, numbers of invoices.

    A purchase order has its item, a spend control the name of its subject, a webhook endpoint its description or host,
    unless deleted. Objects without a name, and unknown ids, are left out.

    Args:
        session: any.
        ids: of any kind.
        org_id: the owner of the objects, beyond agents on the marketplace; None for all, for operators.
    """
    if not ids:
        return {}
    controls = [uuid_of(each) for each in ids if is_id(each, "ctl")]
    rows = await session.execute(_NAMES, {"ids": list(ids), "controls": controls, "org_id": org_id})
    return {uuid_id("ctl", UUID(id_)) if "_" not in id_ else id_: name for id_, name in rows if name}
