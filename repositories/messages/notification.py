"""Statements about notifications: channels, preferences, recipients, the queue, digests and inboxes.

A tenant's session sees the rows of a principal after `as_principal`; everything else needs a platform session.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.access import PERMISSIONS, Actor, Permission, Role
from domain.common.ids import is_id
from domain.common.mail import language_of
from domain.messages.notification.channel import INBOX, ChannelKind, ChannelStatus, digest_of_target
from domain.messages.notification.due import Cadence, NotificationClock, QuietPeriod
from domain.messages.notification.preferences import Defaults, Person, Preferences, recipient_of
from models.messages.notification import (
    NotificationChannel,
    NotificationCursor,
    NotificationDefault,
    NotificationPreferences,
    NotificationRow,
)
from models.tenants.api_key import ApiKey
from models.tenants.contact import OrganizationContacts
from repositories.common.listing import ListFilter, Listing, ListPage, Part
from repositories.messages.event import Position

MISSING = "There is no such notification."
NO_CHANNEL = "There is no such channel."
_OUTBOX = "outbox"
#: How long former owners, and deleted addresses of owners, still get the mails to every owner.
REMEMBERED = timedelta(days=30)
_SET_PRINCIPAL = text("SELECT set_config('bursar.principal', :principal, true)")


def recipient(actor: Actor) -> str:
    return recipient_of(actor.org_id, actor.principal)


async def as_principal(session: AsyncSession, actor: Actor) -> None:
    """Let a tenant's session see the actor's own rows, until its transaction ends."""
    await session.execute(_SET_PRINCIPAL, {"principal": actor.principal})


async def time_of(session: AsyncSession) -> datetime:
    now: datetime = (await session.execute(select(func.now()))).scalar_one()
    return now


# Channels -------------------------------------------------------------------------------------------------------------


async def channels(session: AsyncSession, recipient: str) -> Sequence[NotificationChannel]:
    """Return a principal's channels, oldest first."""
    row = NotificationChannel
    query = select(row).where(row.recipient == recipient, row.status != ChannelStatus.DELETED.value).order_by(row.id)
    return (await session.scalars(query)).all()


async def channel(session: AsyncSession, recipient: str, channel_id: str) -> NotificationChannel | None:
    """Lock and return one of a principal's channels; None if it has no such channel."""
    if not is_id(channel_id, "nch"):
        return None
    row = NotificationChannel
    query = select(row).where(
        row.id == channel_id, row.recipient == recipient, row.status != ChannelStatus.DELETED.value
    )
    return (await session.scalars(query.with_for_update().execution_options(populate_existing=True))).one_or_none()


async def channels_by_id(session: AsyncSession, ids: Collection[str]) -> dict[str, NotificationChannel]:
    row = NotificationChannel
    query = select(row).where(row.id.in_(ids), row.status != ChannelStatus.DELETED.value)
    return {each.id: each for each in await session.scalars(query)}


async def add_channel(session: AsyncSession, values: Mapping[str, Any]) -> NotificationChannel:
    statement = insert(NotificationChannel).values(dict(values)).returning(NotificationChannel)
    return (await session.scalars(statement)).one()


async def change_channel(session: AsyncSession, channel_id: str, **changed: object) -> None:
    """Write columns of a channel, which the caller has locked."""
    row = NotificationChannel
    await session.execute(update(row).where(row.id == channel_id).values(**changed))


async def codes_sent(session: AsyncSession, *, recipient: str, target_digest: str) -> tuple[list[datetime], ...]:
    """Return the times of codes to an address, for any principal, and to any channel of the principal."""
    row, found = NotificationChannel, []
    for where in (row.target_digest == target_digest, row.recipient == recipient):
        found.append(list(await session.scalars(select(func.unnest(row.codes_sent_at)).where(where))))
    return tuple(found)


# Preferences ----------------------------------------------------------------------------------------------------------


def preferences_of(row: NotificationPreferences | None, language: str | None = None) -> Preferences:
    """Return the preferences in a row; `language` is the organization's, for principals without their own."""
    if row is None:
        return Preferences(language=language_of(language))
    settings = row.settings
    quiet = settings.get("quiet_hours")
    clock = NotificationClock(
        zone=row.time_zone or "UTC",
        quiet=None
        if quiet is None
        else QuietPeriod(begins=time.fromisoformat(quiet["starts"]), ends=time.fromisoformat(quiet["ends"])),
        digest_hour=settings["digest_hour"],
        digest_weekday=settings["digest_weekday"],
    )
    choices = {
        kind: {channel: Cadence(cadence) for channel, cadence in ways.items()}
        for kind, ways in settings["types"].items()
    }
    return Preferences(language=language_of(row.locale, language), clock=clock, choices=choices)


def settings_of(preferences: Preferences) -> dict[str, Any]:
    clock = preferences.clock
    quiet = clock.quiet
    return {
        "quiet_hours": None if quiet is None else {"starts": f"{quiet.begins:%H:%M}", "ends": f"{quiet.ends:%H:%M}"},
        "digest_hour": clock.digest_hour,
        "digest_weekday": clock.digest_weekday,
        "types": {
            kind: {channel: cadence.value for channel, cadence in ways.items()}
            for kind, ways in preferences.choices.items()
        },
    }


async def preferences(session: AsyncSession, recipient: str) -> Preferences:
    org_id = recipient.partition("/")[0]
    row, language = await own_row(session, recipient), (await _languages(session, [org_id])).get(org_id)
    return replace(preferences_of(row, language), defaults=await defaults(session))


async def own_row(session: AsyncSession, recipient: str) -> NotificationPreferences | None:
    """Return the row of a principal's preferences, with its locale and time zone; None if it has set none."""
    return await session.get(NotificationPreferences, recipient, populate_existing=True)


async def _languages(session: AsyncSession, org_ids: Collection[str]) -> dict[str, str]:
    row = OrganizationContacts
    query = select(row.org_id, row.language).where(row.org_id.in_(org_ids))
    return dict((await session.execute(query)).all())


async def locales(session: AsyncSession, org_id: str, addresses: Collection[str]) -> dict[str, str]:
    """Return the locales of an organization's people, by their mail addresses in lower case.

    An address is that of a person if it is the principal's name, or a verified channel of the principal.
    """
    row, channel = NotificationPreferences, NotificationChannel
    digests = [digest_of_target(ChannelKind.MAIL, each) for each in addresses]
    by_channel = (
        select(func.lower(channel.address), row.locale)
        .join(row, row.recipient == channel.recipient)
        .where(channel.target_digest.in_(digests), channel.org_id == org_id)
        .where(channel.status == ChannelStatus.VERIFIED.value, row.locale.is_not(None))
        .order_by(channel.id)
    )
    by_name = select(row.principal, row.locale).where(
        row.recipient.in_([recipient_of(org_id, each) for each in addresses]), row.locale.is_not(None)
    )
    found = [(await session.execute(query)).all() for query in (by_channel, by_name)]
    return {address: locale for rows in found for address, locale in rows if address and locale}


async def defaults(session: AsyncSession) -> Defaults:
    """Return the default cadence of each role, for types with defaults set by operators."""
    rows = await session.scalars(select(NotificationDefault).execution_options(populate_existing=True))
    return {
        row.kind: {Role(role): Cadence.OFF if word == INBOX else Cadence(word) for role, word in row.roles.items()}
        for row in rows
    }


async def put_defaults(session: AsyncSession, kind: str, cadences: Mapping[Role, Cadence], *, now: datetime) -> None:
    roles = {role.value: INBOX if cadence is Cadence.OFF else cadence.value for role, cadence in cadences.items()}
    values = {"roles": roles, "updated_at": now}
    await session.execute(
        insert(NotificationDefault)
        .values(kind=kind, **values)
        .on_conflict_do_update(index_elements=["kind"], set_=values)
    )


async def drop_defaults(session: AsyncSession, kind: str) -> bool:
    """Reset a type to the product's defaults; False if it has them already."""
    row = NotificationDefault
    return (await session.scalars(delete(row).where(row.kind == kind).returning(row.kind))).one_or_none() is not None


async def put_preferences(
    session: AsyncSession, *, org_id: str | None, principal: str, wanted: Preferences, now: datetime
) -> None:
    """Write a principal's preferences but its locale and time zone."""
    await _put(session, org_id, principal, {"settings": settings_of(wanted), "updated_at": now})


async def put_locale(
    session: AsyncSession,
    *,
    org_id: str | None,
    principal: str,
    locale: str | None,
    time_zone: str | None,
    now: datetime,
) -> None:
    """Write a principal's locale and time zone."""
    await _put(session, org_id, principal, {"locale": locale, "time_zone": time_zone, "updated_at": now})


async def _put(session: AsyncSession, org_id: str | None, principal: str, values: Mapping[str, Any]) -> None:
    named = {"recipient": recipient_of(org_id, principal), "org_id": org_id, "principal": principal.lower()}
    await session.execute(
        insert(NotificationPreferences)
        .values({"settings": settings_of(Preferences()), **named, **values})
        .on_conflict_do_update(index_elements=["recipient"], set_=values)
    )


# People ---------------------------------------------------------------------------------------------------------------


async def people(session: AsyncSession, org_ids: Collection[str | None]) -> dict[str | None, list[Person]]:
    """Return the principals of organizations (None: the platform) with an active key.

    Principals without an active key, and agents, are left out even if they have channels.
    """
    named = [each for each in org_ids if each is not None]
    whose: ColumnElement[bool] = ApiKey.org_id.in_(named)
    if None in org_ids:
        whose = or_(whose, ApiKey.org_id.is_(None))
    keys = (
        select(ApiKey.org_id, func.lower(ApiKey.principal).label("principal"), ApiKey.role)
        .where(whose, ApiKey.revoked_at.is_(None), or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > func.now()))
        .where(ApiKey.role.not_in([role.value for role in Role if Permission.BE_NOTIFIED not in PERMISSIONS[role]]))
        .distinct()
    )
    active = (await session.execute(keys)).all()
    recipients = [recipient_of(each.org_id, each.principal) for each in active]
    wanted = {
        each.recipient: each
        for each in await session.scalars(
            select(NotificationPreferences).where(NotificationPreferences.recipient.in_(recipients))
        )
    }
    verified: dict[str, list[str]] = {}
    row = NotificationChannel
    query = select(row.recipient, row.id).where(
        row.recipient.in_(recipients), row.status == ChannelStatus.VERIFIED.value
    )
    for owner, channel_id in (await session.execute(query.order_by(row.id))).all():
        verified.setdefault(owner, []).append(channel_id)
    usual, languages = await defaults(session), await _languages(session, named)
    found: dict[str | None, list[Person]] = {each: [] for each in org_ids}
    for each, owner in zip(active, recipients, strict=True):
        person = Person(
            org_id=each.org_id,
            principal=each.principal,
            role=Role(each.role),
            preferences=replace(preferences_of(wanted.get(owner), languages.get(each.org_id)), defaults=usual),
            channels=tuple(verified.get(owner, ())),
        )
        found[each.org_id].append(person)
    for members in found.values():
        members.sort(key=lambda person: person.principal)
    return found


async def mail_addresses(session: AsyncSession, org_id: str, role: Role) -> list[str]:
    """Return the verified addresses of an organization's principals of a role, regardless of preferences.

    They include principals who lost their last key, and addresses that were deleted, within `REMEMBERED`, because a
    thief would first revoke or reissue others' keys, or delete their channels.
    """
    key, row = ApiKey, NotificationChannel
    holders = (
        select(func.lower(key.principal))
        .where(key.org_id == org_id, key.role == role.value)
        .where(func.coalesce(func.least(key.revoked_at, key.expires_at), func.now()) > func.now() - REMEMBERED)
    )
    recipients = [recipient_of(org_id, each) for each in (await session.scalars(holders.distinct())).all()]
    kept = and_(row.status == ChannelStatus.DELETED.value, row.removed_at > func.now() - REMEMBERED)
    query = select(row.address).where(
        row.recipient.in_(recipients), or_(row.status == ChannelStatus.VERIFIED.value, kept), row.address.is_not(None)
    )
    return sorted({address for address in await session.scalars(query) if address is not None})


async def forget_addresses(session: AsyncSession, before: datetime, *, limit: int) -> int:
    """Forget addresses of channels deleted before a moment; returns the number, up to the limit."""
    row = NotificationChannel
    due = (
        select(row.id)
        .where(row.status == ChannelStatus.DELETED.value, row.address.is_not(None), row.removed_at < before)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    forgotten = update(row).where(row.id.in_(due.scalar_subquery())).values(address=None).returning(row.id)
    return len((await session.execute(forgotten)).all())


# Writing --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class NewNotification:
    """A notification to write, once for each source, recipient and channel."""

    id: str
    source: str
    org_id: str | None
    principal: str
    channel: str
    kind: str
    fact: str
    subject: str
    data: Mapping[str, Any]
    status: str
    due_at: datetime
    created_at: datetime
    digest: str | None = None
    sent_at: datetime | None = None


async def add(session: AsyncSession, rows: Iterable[NewNotification]) -> int:
    values = [
        {
            **{name: getattr(each, name) for name in NewNotification.__slots__},
            "data": dict(each.data),
            "recipient": recipient_of(each.org_id, each.principal),
            "principal": each.principal.lower(),
        }
        for each in rows
    ]
    if not values:
        return 0
    # The rows are passed beside the statement. Within it, it would be compiled for each number of rows, and 15
    # parameters for each row would soon reach PostgreSQL's maximum of 32,767.
    statement = insert(NotificationRow).on_conflict_do_nothing(constraint="uq_notifications_source")
    new = await session.scalars(
        statement.returning(NotificationRow.id), values, execution_options={"render_nulls": True}
    )
    return len(new.all())


async def lock_cursor(session: AsyncSession, name: str = _OUTBOX) -> Position:
    """Lock a cursor until the transaction ends, and return its position in the outbox."""
    row = NotificationCursor
    query = select(row.read_in, row.read_id).where(row.name == name).with_for_update()
    return Position(*(await session.execute(query)).one())


async def move_cursor(session: AsyncSession, to: Position, name: str = _OUTBOX) -> None:
    """Move a cursor in the outbox, which the caller has locked."""
    row = NotificationCursor
    await session.execute(update(row).where(row.name == name).values(read_in=to.written_in, read_id=to.id))


# Sending --------------------------------------------------------------------------------------------------------------

_CLAIM = text("""
    UPDATE notifications SET attempts = attempts + 1,
        due_at = CAST(:now AS timestamptz) + least(interval '1 minute' * 2 ^ least(attempts, 10), interval '2 hours')
    WHERE id IN (
        SELECT id FROM notifications WHERE status = 'queued' AND due_at <= :now
            AND (org_id IS NULL OR org_id <> ALL (CAST(:besides AS text[])))
        ORDER BY due_at, id LIMIT :limit FOR UPDATE SKIP LOCKED
    )
    RETURNING id, org_id
""")


async def claim(session: AsyncSession, *, now: datetime, limit: int) -> Sequence[NotificationRow]:
    """Claim due notifications, longest due first, and postpone their next attempt: a minute, two, … two hours.

    The second half is of other organizations than the first, so one organization cannot delay the rest. The caller
    commits before it sends, so concurrent workers claim different ones, and after a crash they are due again.
    """
    half = (limit + 1) // 2
    taken = list((await session.execute(_CLAIM, {"now": now, "limit": half, "besides": []})).all())
    if len(taken) == half < limit:
        before = sorted({row.org_id for row in taken if row.org_id is not None})
        others = {"now": now, "limit": limit - half, "besides": before}
        taken += (await session.execute(_CLAIM, others)).all()
    ids = [row.id for row in taken]
    query = select(NotificationRow).where(NotificationRow.id.in_(ids)).order_by(NotificationRow.id)
    return (await session.scalars(query.execution_options(populate_existing=True))).all()


async def note(session: AsyncSession, notification_id: str, **changed: object) -> bool:
    """Record the result of an attempt; False if the notification is no longer queued."""
    row = NotificationRow
    query = update(row).where(row.id == notification_id, row.status == "queued").values(**changed).returning(row.id)
    return (await session.scalars(query)).one_or_none() is not None


# Digests --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WaitingDigest:
    recipient: str
    digest: str
    org_id: str | None


async def digests_to_start(session: AsyncSession, *, since: datetime, now: datetime, limit: int) -> list[WaitingDigest]:
    """Return digests with a new notification since a time, and those that are due and not sent."""
    row = NotificationRow
    query = (
        select(row.recipient, row.digest, row.org_id)
        .where(row.status == "waiting", or_(row.created_at >= since, row.due_at <= now))
        .distinct()
        .limit(limit)
    )
    found = (await session.execute(query)).all()
    return [WaitingDigest(each.recipient, each.digest or "", each.org_id) for each in found]


async def lock_waiting(session: AsyncSession, recipient: str, digest: str) -> Sequence[NotificationRow]:
    """Lock and return the notifications that wait for a digest, oldest first."""
    row = NotificationRow
    query = select(row).where(row.recipient == recipient, row.digest == digest, row.status == "waiting")
    return (await session.scalars(query.order_by(row.id).with_for_update())).all()


async def end_waiting(session: AsyncSession, ids: Collection[str], *, status: str, digest: str | None) -> None:
    row = NotificationRow
    await session.execute(update(row).where(row.id.in_(ids)).values(status=status, digest=digest))


async def put_off(session: AsyncSession, ids: Collection[str], until: datetime) -> None:
    await session.execute(update(NotificationRow).where(NotificationRow.id.in_(ids)).values(due_at=until))


async def by_ids(session: AsyncSession, ids: Collection[str]) -> Sequence[NotificationRow]:
    """Return notifications, oldest first."""
    query = select(NotificationRow).where(NotificationRow.id.in_(ids)).order_by(NotificationRow.id)
    return (await session.scalars(query)).all()


# The inbox ------------------------------------------------------------------------------------------------------------


#: Unread notifications are counted up to here.
MOST_COUNTED = 100
_INBOX = Listing(of=NotificationRow, order=[NotificationRow.id])


async def inbox(
    session: AsyncSession, wanted: ListFilter, *, recipient: str, unread_only: bool
) -> ListPage[NotificationRow]:
    """Return a page of a principal's inbox, newest first."""
    row = NotificationRow
    part: Part = (row.recipient == recipient, row.channel == INBOX, row.hidden_at.is_(None))
    if unread_only:
        part = (*part, row.read_at.is_(None))
    return await _INBOX.page(session, wanted, [part])


async def unread(session: AsyncSession, recipient: str) -> int:
    """Count unread notifications of a principal's inbox, up to `MOST_COUNTED`."""
    row = NotificationRow
    own = (row.recipient == recipient, row.channel == INBOX, row.hidden_at.is_(None), row.read_at.is_(None))
    first = select(row.id).where(*own).limit(MOST_COUNTED).subquery()
    return (await session.scalar(select(func.count()).select_from(first))) or 0


async def read(session: AsyncSession, recipient: str, notification_id: str, now: datetime) -> NotificationRow | None:
    """Mark a notification of a principal's inbox as read, keeping the first time, or return None."""
    if not is_id(notification_id, "ntf"):
        return None
    row = NotificationRow
    own = (row.id == notification_id, row.recipient == recipient, row.channel == INBOX, row.hidden_at.is_(None))
    await session.execute(update(row).where(*own, row.read_at.is_(None)).values(read_at=now))
    return (await session.scalars(select(row).where(*own).execution_options(populate_existing=True))).one_or_none()


async def read_all(session: AsyncSession, recipient: str, *, until: str | None, now: datetime) -> int:
    """Mark a principal's inbox as read, up to an id if given, and return the number of changed notifications."""
    row = NotificationRow
    query = update(row).where(
        row.recipient == recipient, row.channel == INBOX, row.hidden_at.is_(None), row.read_at.is_(None)
    )
    if until is not None:
        query = query.where(row.id <= until)
    return len((await session.scalars(query.values(read_at=now).returning(row.id))).all())
