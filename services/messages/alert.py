"""Acknowledgement, resolution and snoozing of alerts by their organizations and operators.

Each function returns the alert, and whether the call changed it; see `repositories.messages.alert` for errors.
"""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.access import Actor
from domain.common.errors import Forbidden
from domain.common.ids import is_id
from domain.common.text import rfc3339
from domain.messages.alert.kinds import SIGNED_BY_LINK
from models.messages.alert import Alert
from repositories.escrow import signer as signers
from repositories.messages import alert
from repositories.tenants import api_key as keys, audit


async def acknowledge(session: AsyncSession, actor: Actor, alert_id: str) -> tuple[Alert, bool]:
    """Acknowledge an alert, for operators or for its organization."""
    changed = await alert.acknowledge(session, alert_id, actor.principal, for_organization=not actor.is_platform)
    return await _recorded(session, actor, "acknowledge", *changed)


async def resolve(session: AsyncSession, actor: Actor, alert_id: str) -> tuple[Alert, bool]:
    """Resolve an alert by hand."""
    changed = await alert.resolve_one(session, alert_id, actor.principal, for_organization=not actor.is_platform)
    return await _recorded(session, actor, "resolve", *changed)


async def snooze(session: AsyncSession, actor: Actor, alert_id: str, *, until: datetime) -> tuple[Alert, bool]:
    """Snooze an alert, for operators or for its organization."""
    changed = await alert.snooze(session, alert_id, until, for_organization=not actor.is_platform)
    return await _recorded(session, actor, "snooze", *changed, until=rfc3339(until))


async def refuse_own_key(session: AsyncSession, actor: Actor, row: Alert) -> None:
    """Refuse to let a key's chain of issuers silence an alert about the key, or a signature by link.

    The chain has the key's principal, its issuers, and the principals to whom these have issued keys. An unsealed
    signal does not prove its sender. Needs the platform's session.

    Raises:
        Forbidden: the actor is in the chain or not verified.
    """
    line = await _line_of(session, row)
    if not line:
        return
    if actor.claimed:
        raise Forbidden("An alert about a key is acknowledged over the API or by a sealed signal.")
    if line & await keys.issuer_chain(session, actor):
        raise Forbidden(
            "The key of this alert and yours belong to one person. Somebody with an unrelated key, such as another "
            "operator, must answer the alert."
        )


async def _line_of(session: AsyncSession, row: Alert) -> frozenset[str]:
    if row.kind == SIGNED_BY_LINK:
        return await signers.link_makers(session, row.subject)
    found = await keys.key_origin(session, row.subject, first_is_own=True) if is_id(row.subject, "key") else None
    return frozenset() if found is None else found.line


async def _recorded(
    session: AsyncSession, actor: Actor, act: str, row: Alert, changed: bool, **details: str
) -> tuple[Alert, bool]:
    if changed:
        await audit.record(session, actor, f"alert.{act}", row.id, {"kind": row.kind, **details}, row.org_id)
    return row, changed
