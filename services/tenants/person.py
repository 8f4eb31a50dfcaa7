"""People: invited by mail, signed in by mailed links, listed with all other principals, and revoked.

A person is a principal whose name is a mail address and whose key has no secret. So everything that holds for keys
holds for people: roles, seats, spend controls, notifications, and who counts as whose other self.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.access import Actor
from domain.common.errors import Forbidden, NotFound, PrincipalExists
from domain.common.mail import MailKind
from domain.tenants.api_key import KeyRules
from domain.tenants.session import DAY, INVITATION_PERIOD, SIGN_IN_PERIOD, SIGN_INS, check_invitation
from models.tenants.api_key import ApiKey
from models.tenants.session import SessionLink
from repositories.common.command import row_of_command
from repositories.tenants import api_key as keys, audit, organization as organizations, session as sessions
from runtime.sealing import Sealer
from services.messages import mail
from services.tenants.api_key import issue

NO_PRINCIPAL = "There is no such principal, or its keys, sessions and links have ended."


@dataclass(frozen=True, slots=True)
class MailedLink:
    """The link of a mail: its row, its address, and what seals the address in the queue."""

    row: SessionLink
    url: str
    sealer: Sealer


async def invite(
    session: AsyncSession, actor: Actor, key: ApiKey, link: MailedLink, rules: KeyRules, *, now: datetime
) -> ApiKey:
    """Invite a person by mail, or mail another link to one who has not accepted; once for each command.

    Args:
        session: of the platform.
        actor: who invites, and may issue keys of the role.
        key: the new row, without a secret.
        link: the new link; its row's key is set here.
        rules: what the platform sets for keys.
        now: the time.

    Raises:
        Unauthenticated, SessionEnded, NotFound, OrganizationClosed, EntitlementMissing, IdempotencyConflict: as for a
            key.
    """
    assert key.org_id is not None
    await organizations.refuse_closed(session, key.org_id)
    await keys.lock(session, key.org_id)
    pending = await keys.invited(session, key.org_id, key.principal)
    if await row_of_command(session, ApiKey, key.command_id) is not None:
        return await issue(session, actor, key, rules, own=False)
    if pending is None and await keys.active_of(session, key.org_id, key.principal):
        raise PrincipalExists(
            f"{key.principal} is a principal of the organization already. Revoke it first, or invite another address."
        )
    if pending is not None and pending.role != key.role:
        raise PrincipalExists(f"{key.principal} was invited with the role {pending.role}. Revoke the invitation first.")
    sent = await sessions.mailed(session, org_id=key.org_id, since=now - DAY)
    check_invitation([at for at, to in sent if to.lower() == key.principal.lower()], [at for at, _ in sent], now=now)
    if pending is None:
        row = await issue(session, actor, key, rules, own=False)
    else:
        row = await keys.invite_until(session, pending.id, now + INVITATION_PERIOD)
    data = {"organization": key.org_id, "role": row.role, "until_on": (now + INVITATION_PERIOD).date().isoformat()}
    await _mail(session, row, link, MailKind.INVITATION, data, key=f"invitation:{key.command_id}")
    await audit.record(
        session, actor, "invitation.send", row.id, {"principal": row.principal, "role": row.role}, row.org_id
    )
    return row


async def mail_links(session: AsyncSession, address: str, links: Callable[[ApiKey], MailedLink], now: datetime) -> int:
    """Mail a link to whoever signs in with an address, one for each organization, and return how many.

    More than `SIGN_INS` links within their time are not sent: those that were sent are still valid.
    """
    number = 0
    for person in await keys.people_at(session, address):
        assert person.org_id is not None
        await keys.lock(session, person.org_id)
        sent = await sessions.mailed(session, org_id=person.org_id, since=now - SIGN_IN_PERIOD)
        if sum(to.lower() == person.principal.lower() for _, to in sent) >= SIGN_INS:
            continue
        link = links(person)
        data = {"organization": person.org_id, "minutes": str(int(SIGN_IN_PERIOD.total_seconds() // 60))}
        await _mail(session, person, link, MailKind.SIGN_IN, data, key=f"sign_in:{link.row.id}")
        number += 1
    return number


async def _mail(
    session: AsyncSession, person: ApiKey, link: MailedLink, kind: MailKind, data: Mapping[str, str], *, key: str
) -> None:
    assert person.org_id is not None
    link.row.key_id, link.row.principal = person.id, person.principal
    session.add(link.row)
    await session.flush()
    await mail.queue(
        session,
        key=key,
        org_id=person.org_id,
        kind=kind,
        data={**data, "link": link.url},
        to=person.principal,
        sealer=link.sealer,
    )


async def revoke(session: AsyncSession, actor: Actor, org_id: str, principal: str) -> list[str]:
    """End everything that a principal acts with, and return the ids of its keys and sessions.

    Raises:
        NotFound: there is nothing to end.
        Forbidden: it has a key, session or link of a role that the actor may not revoke.
    """
    await keys.lock(session, org_id)
    roles = await sessions.roles_of(session, org_id, principal)
    if not roles:
        raise NotFound(NO_PRINCIPAL)
    for role in roles:
        if not actor.may_revoke(role):
            raise Forbidden(f"The role {actor.role.value} may not revoke principals of the role {role.value}.")
    ended = list(await keys.unrevoked_of(session, org_id, principal))
    # A key ends what was opened with it, or made.
    for key_id in ended:
        if await keys.revoke(session, key_id) is not None:
            await audit.record(session, actor, "api_key.revoke", key_id, {"principal": principal}, org_id)
    for session_id in await sessions.end_of_principal(session, org_id, principal, actor.qualified()):
        await audit.record(session, actor, "session.end", session_id, {"principal": principal}, org_id)
        ended.append(session_id)
    return ended
