"""Fan-out of outbox events and alerts to notifications.

The position in the outbox, and `notified_at` of an alert, are written in the same transaction as the notifications.
After a crash the next process continues at the same position. Concurrent processes wait for the row of the cursor or
the alert. A unique key allows one notification for each source, principal and channel, so reading twice is safe.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.access import Role
from domain.common.mail import Purpose
from domain.messages.alert.life import AlertStatus, Severity
from domain.messages.notification.channel import INBOX
from domain.messages.notification.due import Cadence, later_cadence, send_time
from domain.messages.notification.preferences import Person
from domain.messages.notification.types import (
    ALERTS_COVERED_BY_EVENTS,
    BY_NAME,
    EVENTS_WITH_NAMED_RECIPIENTS,
    MAILED_TO_OWNERS,
    TYPE_BY_EVENT,
    NotificationType,
    is_covered_by_alert,
    is_uninvited,
    type_of_alert,
)
from models.messages.alert import Alert
from models.messages.event import EventRow
from repositories.escrow import contract as contracts
from repositories.messages import alert as alerts, alert_rule as alert_rules, event, notification as notifications
from repositories.messages.event import Position
from repositories.messages.notification import NewNotification
from repositories.tenants import audit, contact
from runtime.identity import new_id

DAY = timedelta(days=1)
#: The number of a client's contracts in a day above which people who have not agreed to them get daily digests only.
CONTRACTS_A_DAY = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationContent:
    """Content of notifications.

    Attributes:
        source: the id of the event or alert; there is one notification for each source, principal and channel.
        kind: the type of the notification.
        fact: the type of the event, or `alert`.
        subject: the id of the subject.
        data: the values of its texts.
        urgent: whether it is sent during quiet hours too.
        mailed: the purpose whose contacts also get a mail; None without a mail.
        mailed_to_owners: whether owners get that mail too.
    """

    source: str
    kind: NotificationType
    fact: str
    subject: str
    data: Mapping[str, Any]
    urgent: bool
    mailed: Purpose | None = None
    mailed_to_owners: bool = False


@dataclass(frozen=True, slots=True)
class NotifiedPage:
    """Result of reading a page: events or alerts, new notifications, and whether there may be more."""

    facts: int
    written: int
    more: bool


def about_event(row: EventRow) -> NotificationContent:
    """Return the notification of an event."""
    kind = TYPE_BY_EVENT[row.type]
    return NotificationContent(
        source=row.id,
        kind=kind,
        fact=row.type,
        subject=row.subject,
        data=row.facts,
        urgent=kind.urgent,
        mailed=kind.purpose if row.type in kind.mailed else None,
    )


def about_alert(row: Alert, *, for_platform: bool, source: str | None = None) -> NotificationContent:
    """Return an alert's notification, of a type by kind for the organization, by severity for the platform."""
    kind = BY_NAME[f"alert_{row.severity}"] if for_platform else type_of_alert(row.kind, row.severity)
    return NotificationContent(
        source=source or row.id,
        kind=kind,
        fact="alert",
        subject=row.subject,
        data={"kind": row.kind, "subject": row.subject, "severity": row.severity, "detail": row.detail},
        urgent=kind.urgent or row.severity == Severity.CRITICAL.value,
        mailed=kind.purpose if row.kind in kind.mailed and not for_platform else None,
        mailed_to_owners=row.kind in MAILED_TO_OWNERS,
    )


def rows_of(
    about: NotificationContent, person: Person, ways: Mapping[str, Cadence], now: datetime
) -> list[NewNotification]:
    """Return a person's notifications, one a channel: immediate in the inbox, elsewhere at the send time."""
    found = []
    for channel, cadence in ways.items():
        is_inbox = channel == INBOX
        when = send_time(cadence, now, person.preferences.clock, urgent=about.urgent or is_inbox)
        found.append(
            NewNotification(
                id=new_id("ntf"),
                source=about.source,
                org_id=person.org_id,
                principal=person.principal,
                channel=channel,
                kind=about.kind.name,
                fact=about.fact,
                subject=about.subject,
                data=about.data,
                status="sent" if is_inbox else "queued" if when.digest is None else "waiting",
                due_at=when.at,
                digest=when.digest,
                created_at=now,
                sent_at=now if is_inbox else None,
            )
        )
    return found


def recipients(
    about: NotificationContent, people: Collection[Person], *, also: Collection[str] = ()
) -> list[tuple[Person, dict[str, Cadence]]]:
    """Return the people to notify, each with the channels and their cadence.

    A type that must reach somebody, but has no recipients, goes to the inbox of all default recipients.

    Args:
        about: the event or alert.
        people: the people of its organization, or of the platform.
        also: further channels of the alert's rule.
    """
    found = []
    for person in people:
        ways = person.ways(about.kind)
        if person.role in about.kind.audience:
            ways |= {each: Cadence.INSTANT for each in person.channels if each in also}
        if ways:
            found.append((person, ways))
    if not found and about.kind.must_reach:
        found = [(each, {INBOX: Cadence.INSTANT}) for each in people if each.role in about.kind.defaults]
    return found


async def notify_of_events(session: AsyncSession, *, now: datetime, limit: int) -> NotifiedPage:
    """Read the next events of the outbox that have a notification type, and write their notifications.

    Args:
        session: of the platform.
        now: the time; immediate notifications are due then.
        limit: the maximum number of events.
    """
    place = await notifications.lock_cursor(session)
    rows = await event.page(
        session, after=place, limit=limit, types=TYPE_BY_EVENT.keys() - EVENTS_WITH_NAMED_RECIPIENTS
    )
    if not rows:
        return NotifiedPage(0, 0, more=False)
    people = await notifications.people(session, {row.org_id for row in rows})
    contacts, least = Contacts(session), await _least(session, rows, now)
    found: list[NewNotification] = []
    for row in rows:
        if is_covered_by_alert(row.type, row.data):
            continue
        about = about_event(row)
        for person, chosen in recipients(about, people[row.org_id]):
            ways = {
                channel: cadence if channel == INBOX else later_cadence(cadence, least.get(row.id, Cadence.INSTANT))
                for channel, cadence in chosen.items()
            }
            found += rows_of(about, person, await contacts.leave_out(about, person, ways), now)
    written = await notifications.add(session, found)
    await notifications.move_cursor(session, Position(rows[-1].written_in, rows[-1].id))
    return NotifiedPage(len(rows), written, more=len(rows) == limit)


async def _least(session: AsyncSession, rows: Sequence[EventRow], now: datetime) -> Mapping[str, Cadence]:
    """Return, by event id, the most frequent cadence outside the inbox of events that others cause unasked.

    Hourly; daily if the client made many contracts within a day.
    """
    # An escrow has the number of its contract.
    about = {row.id: f"ctr_{row.subject.partition('_')[2]}" for row in rows if is_uninvited(row.type, row.data)}
    clients = await contracts.clients_of(session, set(about.values())) if about else {}
    busy = {
        org_id
        for org_id in set(clients.values())
        if await audit.is_above(session, org_id, "contract.create", now - DAY, most=CONTRACTS_A_DAY)
    }
    return {
        event_id: Cadence.DAILY if clients.get(contract_id) in busy else Cadence.HOURLY
        for event_id, contract_id in about.items()
    }


async def notify_of_alerts(
    session: AsyncSession, called: Mapping[str, Collection[Role]], *, now: datetime
) -> NotifiedPage:
    """Write the notifications of alerts that have none yet, and mark those alerts.

    Args:
        session: of the platform.
        called: by alert id, the roles that its escalation notifies itself.
        now: the time; immediate notifications are due then.
    """
    rows = await alerts.take_unnotified(session, called, now=now)
    open_ones = [row for row in rows if row.status != AlertStatus.RESOLVED.value]
    calls = [(row, side, called[row.id]) for row in open_ones for side in _sides(row, now)]
    return NotifiedPage(len(rows), await _notify(session, calls, now), more=False)


async def notify_organization(session: AsyncSession, row: Alert, called: Collection[Role], *, now: datetime) -> None:
    """Notify the organization of an open alert before it is resolved or snoozed.

    The person who does that may be the subject of the alert. `notify_of_alerts` does not repeat the notifications.

    Args:
        session: of the platform, with the row locked.
        row: the alert.
        called: roles that its escalation has notified.
        now: the time; immediate notifications are due then.
    """
    await _notify(session, [(row, side, called) for side in _sides(row, now) if side is not None], now)


async def _notify(
    session: AsyncSession, calls: Sequence[tuple[Alert, str | None, Collection[Role]]], now: datetime
) -> int:
    """Write notifications, and return the number of new ones.

    Args:
        session: of the platform.
        calls: alerts, each with its organization (None for the platform) and excluded roles.
        now: the time.
    """
    if not calls:
        return 0
    rows = [row for row, _, _ in calls]
    people = await notifications.people(session, {side for _, side, _ in calls})
    named = await alert_rules.channels(session, {(row.org_id, row.rule_id) for row in rows if row.rule_id is not None})
    contacts = Contacts(session)
    found: list[NewNotification] = []
    for row, side, roles in calls:
        about = about_alert(row, for_platform=side is None)
        for person, ways in recipients(about, people[side], also=named.get((row.org_id, row.rule_id or ""), ())):
            if person.role not in roles:
                found += rows_of(about, person, await contacts.leave_out(about, person, ways), now)
    return await notifications.add(session, found)


def _sides(row: Alert, now: datetime) -> Iterable[str | None]:
    """Return the audience of an alert: its organization, the platform (None), or both."""
    snoozed = row.org_snoozed_until is not None and row.org_snoozed_until > now
    if row.shared and row.org_id is not None and not snoozed and row.kind not in ALERTS_COVERED_BY_EVENTS:
        yield row.org_id
    if row.for_operators:
        yield None


class Contacts:
    """Addresses that get a mail about the same event, read once for each organization and purpose."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session
        self._contacts: dict[tuple[str, Purpose], frozenset[str]] = {}

    async def leave_out(
        self, about: NotificationContent, person: Person, ways: Mapping[str, Cadence]
    ) -> Mapping[str, Cadence]:
        """Leave out channels whose address gets a mail about the same event."""
        if about.mailed is None or person.org_id is None or ways.keys() <= {INBOX}:
            return ways
        of = (person.org_id, about.mailed)
        if of not in self._contacts:
            _, found = await contact.recipients(self._session, *of)
            self._contacts[of] = frozenset(each.casefold() for each in found)
        held = await notifications.channels_by_id(self._session, [each for each in ways if each != INBOX])
        return {
            each: cadence
            for each, cadence in ways.items()
            if each not in held
            or held[each].address is None
            or not (
                (about.mailed_to_owners and person.role is Role.OWNER)
                or (held[each].address or "").casefold() in self._contacts[of]
            )
        }
