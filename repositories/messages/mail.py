"""Queue of mails. A tenant's session can add to it; everything else needs a platform session."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.mail import MailKind, MailStatus
from models.messages.mail import QueuedMail
from repositories.common.command import lock_command

_CLAIM = text("""
    UPDATE mails SET attempts = attempts + 1,
        next_attempt_at = CAST(:now AS timestamptz)
            + least(interval '1 minute' * 2 ^ least(attempts, 10), interval '2 hours')
    WHERE id IN (
        SELECT id FROM mails WHERE status = 'queued' AND next_attempt_at <= :now
        ORDER BY next_attempt_at, id LIMIT :limit FOR UPDATE SKIP LOCKED
    )
    RETURNING id
""")
# The kind is a literal, so the planner can use the partial index.
_CHANGES_OF = text("""
    SELECT queued_at, data ->> 'changed_by' FROM mails
    WHERE kind = 'contacts_changed' AND queued_at > :since AND org_id = :org_id
""")
_CHANGES_TO = text("""
    SELECT DISTINCT lower(recipient), queued_at, id FROM mails, unnest(recipients) recipient
    WHERE kind = 'contacts_changed' AND queued_at > :since AND lower(recipient) = ANY (:addresses)
""")
_OVERDUE = text("""
    UPDATE mails SET status = 'failed', problem = coalesce(problem, :problem)
    WHERE id IN (
        SELECT id FROM mails WHERE status = 'queued' AND queued_at <= :before ORDER BY next_attempt_at, id LIMIT :limit
        FOR UPDATE SKIP LOCKED
    )
    RETURNING id
""")


async def add(
    session: AsyncSession,
    *,
    mail_id: str,
    key: str,
    org_id: str,
    kind: MailKind,
    data: Mapping[str, str],
    language: str,
    recipients: Sequence[str],
) -> None:
    """Queue a mail, unless there is one with the same key."""
    await session.execute(
        insert(QueuedMail)
        .values(
            id=mail_id,
            key=key,
            org_id=org_id,
            kind=kind.value,
            data=dict(data),
            language=language,
            recipients=list(recipients),
        )
        # No conflict target is named, because a tenant may not read the key's column.
        .on_conflict_do_nothing()
    )


async def contact_changes(
    session: AsyncSession, org_id: str, addresses: Sequence[str], *, since: datetime
) -> tuple[list[tuple[datetime, str]], dict[str, list[datetime]]]:
    """Return the times of mails about changed contacts: of an organization with the principal, and by address.

    Changes of contacts at these addresses are locked until the transaction ends. Addresses are compared without case.
    """
    wanted = sorted({address.casefold() for address in addresses})
    for address in wanted:
        await lock_command(session, f"contact-changes:{address}")
    own = await session.execute(_CHANGES_OF, {"org_id": org_id, "since": since})
    by_address: dict[str, list[datetime]] = {}
    for address, queued_at, _ in await session.execute(_CHANGES_TO, {"addresses": wanted, "since": since}):
        by_address.setdefault(address, []).append(queued_at)
    return [(queued_at, by) for queued_at, by in own], by_address


async def claim(session: AsyncSession, *, now: datetime, limit: int) -> Sequence[QueuedMail]:
    """Claim due mails, longest due first, and postpone their next attempt: a minute, two, four, … two hours.

    The caller commits before it sends, so after a crash the mails are due again.
    """
    ids = list((await session.execute(_CLAIM, {"now": now, "limit": limit})).scalars())
    found = [await session.get_one(QueuedMail, mail_id, populate_existing=True) for mail_id in sorted(ids)]
    for row in found:
        session.expunge(row)
    return found


async def address(session: AsyncSession, mail_id: str, language: str, recipients: Sequence[str]) -> None:
    values = {"language": language, "recipients": list(recipients)}
    await session.execute(update(QueuedMail).where(QueuedMail.id == mail_id).values(values))


async def note(session: AsyncSession, mail_id: str, *, reached: Sequence[str], problem: str | None) -> None:
    """Record the reached addresses of an attempt; the mail stays queued for the others."""
    await session.execute(
        update(QueuedMail).where(QueuedMail.id == mail_id).values(reached=list(reached), problem=problem)
    )


async def end(session: AsyncSession, mail_id: str, status: MailStatus, *, now: datetime) -> None:
    sent_at = now if status is MailStatus.SENT else None
    await session.execute(
        update(QueuedMail).where(QueuedMail.id == mail_id).values(status=status.value, sent_at=sent_at)
    )


async def give_up(session: AsyncSession, *, queued_before: datetime, limit: int, problem: str) -> int:
    """Give up mails queued before a time, and return their number."""
    given = {"before": queued_before, "limit": limit, "problem": problem}
    return len((await session.execute(_OVERDUE, given)).scalars().all())


def is_over(row: QueuedMail, *, now: datetime, give_up_after: timedelta) -> bool:
    return now - row.queued_at >= give_up_after
