"""Queues mails in the transaction of the event that they are about, and sets who gets them."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.access import Actor
from domain.common.errors import other_request
from domain.common.mail import LANGUAGES, Contact, MailKind, Purpose
from domain.messages.mail_kind import checked_values, purpose_of
from domain.tenants.contact import CHANGES_A_DAY, DAY, ORGANIZATION_CHANGES_A_DAY, check_change
from domain.tenants.metadata import Precondition
from models.tenants.contact import OrganizationContacts
from repositories.messages import mail as mails
from repositories.tenants import audit, contact
from runtime.identity import new_id
from runtime.sealing import Sealer


async def queue(
    session: AsyncSession,
    *,
    key: str,
    org_id: str,
    kind: MailKind,
    data: Mapping[str, str],
    also: Sequence[str] = (),
    to: str | None = None,
    sealer: Sealer | None = None,
) -> None:
    """Queue a mail to an organization, in the transaction of the event that it is about; once for each key.

    It goes to the contacts that the organization has now, so changing them later does not redirect it. If there are
    none now, it goes to the contacts at the time of sending.

    Args:
        session: of the platform, or of that organization.
        key: names the fact and its scope, such as `invoice:{id}:issued`.
        org_id: the organization.
        kind: of the mail.
        data: the values of the kind, see `domain.common.mail`; amounts are decimal strings, days are like `2026-11-30`.
        also: addresses besides those of the contacts.
        to: the only address, instead of the contacts.
        sealer: seals the link, which nobody but the recipient may know.
    """
    values = checked_values(kind, data)
    language, contacts = await contact.recipients(session, org_id, purpose_of(kind))
    if to is not None:
        contacts, also = (to,), ()
    if sealer is not None:
        values["link"] = sealer.seal(values["link"])
    recipients = tuple({address.casefold(): address for address in (*also, *contacts)}.values())
    await mails.add(
        session,
        mail_id=new_id("mail"),
        key=key,
        org_id=org_id,
        kind=kind,
        data=values,
        language=language,
        recipients=recipients,
    )


async def set_contacts(
    session: AsyncSession,
    actor: Actor,
    *,
    org_id: str,
    language: str | None,
    contacts: Sequence[Contact] | None,
    expected: Precondition | None = None,
    command_id: str,
    now: datetime,
) -> OrganizationContacts:
    """Set an organization's contacts, and notify those that it had for security until then.

    Changing only the language sends no mail. The number of mails a day is limited, because the addresses are not
    verified. A repeated command changes nothing, whatever `expected` is.

    Args:
        session: of the platform, because the mails of all organizations to an address count.
        actor: who sets them, and may.
        org_id: the organization.
        language: of its mails; None leaves it.
        contacts: all of them; None leaves them.
        expected: the version that the change was made for; None for any.
        command_id: makes it idempotent.
        now: the time.

    Returns:
        The contacts as they are then.
    """
    row = await contact.lock(session, org_id)
    if row is not None and row.command_id == command_id:
        if (language or row.language) != row.language:
            raise other_request()
        if contacts is not None and tuple(contacts) != contact.contacts_of(row):
            raise other_request()
        return row
    if expected is not None:
        expected.judge(contact.version_of(row))
    if language is None:
        language = row.language if row else LANGUAGES[0]
    if contacts is None:
        contacts = contact.contacts_of(row)
    if row is not None and (row.language, contact.contacts_of(row)) == (language, tuple(contacts)):
        return row
    if row is not None and contact.contacts_of(row) != tuple(contacts):
        await _check_change(session, actor, row, now)
        data = {"changed_by": _named(actor)}
        # A command may be repeated after others and change contacts again. Each change sends a mail, so its key is the
        # version.
        key = f"contacts:{org_id}:{contact.version_of(row) + 1}"
        await queue(session, key=key, org_id=org_id, kind=MailKind.CONTACTS_CHANGED, data=data)
    row = await contact.put(session, org_id, language, contacts, by=actor.qualified(), now=now, command_id=command_id)
    # The trail is kept for good, so it says how many there are and not who.
    counts = {purpose.value: sum(purpose in each.purposes for each in contacts) for purpose in Purpose}
    await audit.record(session, actor, "organization.contacts", org_id, {"language": language, **counts}, org_id)
    return row


async def _check_change(session: AsyncSession, actor: Actor, row: OrganizationContacts, now: datetime) -> None:
    """Limit changes of contacts in a day, because each change sends a mail to unverified addresses.

    Each principal has an allowance of its own, and operators have no limit: an attacker who put an address there cannot
    keep it there by using up the allowance of the others.
    """
    if actor.is_platform:
        return
    written_to = [each.address for each in contact.contacts_of(row) if Purpose.SECURITY in each.purposes]
    changes, to_address = await mails.contact_changes(session, row.org_id, written_to, since=now - DAY)
    own = [queued_at for queued_at, by in changes if by == _named(actor)]
    check_change(own, most=CHANGES_A_DAY, what="of this organization", now=now)
    check_change([each for each, _ in changes], most=ORGANIZATION_CHANGES_A_DAY, what="of this organization", now=now)
    # The limit by address does not apply to a principal's first change of a day. Otherwise another organization could
    # use it up with the same addresses in its own contacts.
    for queued in to_address.values() if own else ():
        check_change(queued, most=CHANGES_A_DAY, what="that one of its addresses is in", now=now)


def _named(actor: Actor) -> str:
    """Return who changes contacts; in a session that a link opened, also who made the link and has a key to revoke."""
    return actor.principal if actor.made_by is None else f"{actor.principal} (link: {actor.made_by})"
