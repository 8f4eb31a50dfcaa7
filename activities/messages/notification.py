"""Notifications: reads events and alerts, sends the notifications that are due, and closes digests.

The rows of `notifications` are the state; a workflow only waits. A worker that is killed at any moment loses nothing:

- Reading: a page of events, its notifications and the cursor in the outbox are one transaction; so are an alert, its
notifications and `notified_at`. An escalation is started before that transaction, and starting it again is idempotent.
- Sending: an attempt is claimed in one transaction, which makes the row due again a minute later, and recorded in
another. A message is sent twice only if the process died after the carrier had accepted it, and then with the same key,
which a mail's Message-ID is made of.
- Digests: a digest is closed in the transaction that queues its message.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession
from temporalio import activity
from temporalio.client import Client

from contracts.messages.escalation import EscalationInput
from contracts.messages.notification import (
    ClosedDigest,
    CloseDigest,
    DigestInput,
    FanOut,
    FanOutResult,
    SendNotifications,
    SentNotifications,
)
from contracts.runs import Run, digest_run, escalation_run
from domain.common.access import Role
from domain.common.mail import GIVE_UP_AFTER, Formats, MailText
from domain.messages.alert.kinds import Ladder
from domain.messages.alert.life import AlertStatus
from domain.messages.alert.rules import MAX_AFTER
from domain.messages.mentions import ids_in, localize_mail
from domain.messages.notification.channel import CODE_LASTS, ChannelKind, ChannelStatus
from domain.messages.notification.due import Cadence, digest_at, parse_digest
from domain.messages.notification.preferences import Preferences
from domain.messages.notification.types import CODE, DIGEST, MAX_LISTED, render_digest, render_notification
from models.messages.alert import Alert
from models.messages.notification import NotificationChannel, NotificationRow
from providers.formats import formats_of
from providers.notify.base import Message, Notifier, Throttled
from providers.payments.base import OutcomeUnknown, ProviderRefused, ProviderUnavailable
from repositories.messages import alert, alert_rule, notification as notifications
from repositories.messages.notification import NewNotification
from repositories.tenants import name
from runtime import reach
from runtime.database import Database
from runtime.heartbeat import heartbeats
from runtime.identity import new_id
from runtime.sealing import Sealer
from services.messages import fan_out

#: How many events, alerts, digests and messages are read at a time, and how many messages are sent concurrently.
PAGE, AT_ONCE = 200, 8
#: How long after an alert, or the end of its snooze, its escalation can have steps left, and a day more.
ESCALATES_FOR = MAX_AFTER + timedelta(days=1)
#: How many pages of events are handled before alerts are read again.
PAGES_AT_ONCE = 5
#: The pause between two reads, in seconds.
LOOKS_EVERY = 1.0
#: Digests with a notification from this last while are started again, in case a worker died before it started them.
RECENT = timedelta(minutes=5)
NO_CARRIER = "Nothing is set up to carry this."
UNOPENED = "No key of the platform opens the address of this channel."


def no_unsubscribe_link(_row: NotificationRow) -> str | None:
    """Return no unsubscribe link."""
    return None


@dataclass(frozen=True, slots=True)
class _Ready:
    """A notification to send: its carrier, its address (None if no key decrypts it), and its content."""

    row: NotificationRow
    channel: NotificationChannel
    to: str | None
    language: str
    words: MailText


class NotificationActivities:
    """The activities of `NotificationsWorkflow` and `DigestWorkflow`."""

    def __init__(
        self,
        database: Database,
        client: Client,
        carriers: Mapping[ChannelKind, Notifier | None],
        sealer: Sealer,
        *,
        link: Callable[[NotificationRow], str | None] = no_unsubscribe_link,
        give_up_after: timedelta = GIVE_UP_AFTER,
        formats: Callable[[str], Formats] = formats_of,
    ) -> None:
        """Take the database, the Temporal client, the carriers, and what decrypts addresses.

        Args:
            database: of the platform.
            client: the Temporal client.
            carriers: by kind of channel; None if there is none.
            sealer: encrypts and decrypts channels.
            link: makes the link that unsubscribes a channel from a notification's type.
            give_up_after: how long a message is retried.
            formats: the formatters of languages.
        """
        self._database, self._client, self._carriers, self._sealer = database, client, carriers, sealer
        self._link, self._give_up_after, self._formats = link, give_up_after, formats

    # Reading ----------------------------------------------------------------------------------------------------------

    @activity.defn
    async def fan_out(self, message: FanOut) -> FanOutResult:
        """Read new events and alerts once a second, and write one notification for each person and channel.

        Effect: notifications; runs of digests, and of escalations.
        Idempotent by: the place in the outbox, `notified_at`, and one row for each source, recipient and channel.
        Fails with: an outage of the database or of Temporal, which is retried.
        """
        done = FanOutResult(looks=0)
        async for _ in _looks(message.seconds):
            if not done.looks:
                await self._start_lost_escalations(datetime.now(UTC))
            done = _plus(done, await self._read(datetime.now(UTC)))
        return done

    async def _read(self, now: datetime) -> FanOutResult:
        # Alerts go first, and never wait for events.
        events, alerts, written = 0, 0, 0
        async with self._database.platform() as session:
            unnotified = await alert.unnotified(session, now=now, limit=PAGE)
            ladders = await alert_rule.ladders(session, unnotified)
        if unnotified:
            called = {row.id: await self._escalate(row, ladders[row.id]) for row in unnotified}
            async with self._database.platform() as session:
                page = await fan_out.notify_of_alerts(session, called, now=now)
            alerts, written = page.facts, written + page.written
        for _ in range(PAGES_AT_ONCE):
            async with self._database.platform() as session:
                page = await fan_out.notify_of_events(session, now=now, limit=PAGE)
            events, written = events + page.facts, written + page.written
            if not page.more:
                break
        started = await self._start_digests(now)
        return FanOutResult(looks=1, events=events, alerts=alerts, notifications=written, digests=started)

    async def _escalate(self, row: Alert, ladder: Ladder) -> Collection[Role]:
        if not ladder or row.status != AlertStatus.FIRING.value:
            return ()
        await reach.start_missing(self._client, _escalation(row))
        return {step.role for step in ladder}

    async def _start_lost_escalations(self, now: datetime) -> None:
        """Start the escalations of unanswered alerts whose run was lost, as by a termination.

        A run that is open or has taken all of its steps stays as it is.
        """
        after, started = "", 0
        while True:
            async with self._database.platform() as session:
                rows = await alert.unanswered(session, since=now - ESCALATES_FOR, after=after, limit=PAGE)
                ladders = await alert_rule.ladders(session, rows)
            runs = [_escalation(row) for row in rows if ladders[row.id]]
            for batch in (runs[at : at + AT_ONCE] for at in range(0, len(runs), AT_ONCE)):
                started += sum(await asyncio.gather(*(reach.start_missing(self._client, run) for run in batch)))
            if len(rows) < PAGE:
                break
            after = rows[-1].id
        if started:
            activity.logger.warning("escalations without a run were started again", extra={"started": started})

    async def _start_digests(self, now: datetime) -> int:
        async with self._database.platform() as session:
            found = await notifications.digests_to_start(session, since=now - RECENT, now=now, limit=PAGE)
        starting = (
            reach.start_missing(
                self._client, digest_run(DigestInput(recipient=each.recipient, digest=each.digest), each.org_id)
            )
            for each in found
        )
        return sum(await asyncio.gather(*starting))

    # Sending ----------------------------------------------------------------------------------------------------------

    @activity.defn
    async def send_notifications(self, message: SendNotifications) -> SentNotifications:
        """Send due notifications until the time is up.

        Effect: a message for each at its carrier, and its response.
        Idempotent by: the claim, and the notification's id as the key of the message.
        Fails with: an outage of the database, which is retried.
        """
        ends: list[str] = []
        async for _ in _looks(message.seconds):
            while found := await self.send_due(datetime.now(UTC)):
                ends += found
        return SentNotifications(
            tried=len(ends), sent=ends.count("sent"), failed=ends.count("failed"), dropped=ends.count("dropped")
        )

    async def send_due(self, now: datetime) -> list[str]:
        """Send due notifications page by page, and return the outcomes."""
        async with self._database.platform() as session:
            rows = await notifications.claim(session, now=now, limit=PAGE)
            ready, dropped = await self._prepare(session, rows, now)
        free = asyncio.Semaphore(AT_ONCE)

        async def send(each: _Ready) -> str:
            async with free:
                return await self._send(each, now)

        return [*dropped, *await asyncio.gather(*(send(each) for each in ready))]

    async def _prepare(
        self, session: AsyncSession, rows: Sequence[NotificationRow], now: datetime
    ) -> tuple[list[_Ready], list[str]]:
        """Decide by the present settings which notifications are still to be sent, and drop the others."""
        channels = await notifications.channels_by_id(session, {row.channel for row in rows})
        people = await notifications.people(session, {row.org_id for row in rows})
        wanted = {(each.org_id, each.principal): each.preferences for every in people.values() for each in every}
        ready, dropped = [], []
        for row in rows:
            preferences, channel = wanted.get((row.org_id, row.principal)), channels.get(row.channel)
            found = None
            if preferences is not None and channel is not None and _is_wanted(row, channel, preferences):
                found = await self._words(session, row, channel, preferences, now)
            if found is None:
                await notifications.note(session, row.id, status="dropped")
                dropped.append("dropped")
            else:
                ready.append(found)
        return ready, dropped

    async def _words(
        self,
        session: AsyncSession,
        row: NotificationRow,
        channel: NotificationChannel,
        preferences: Preferences,
        now: datetime,
    ) -> _Ready | None:
        language, formats = preferences.language, self._formats(preferences.language)
        to = channel.address or self._sealer.open(channel.hook or "")
        data = row.data
        if row.kind == CODE:
            code = self._sealer.open(channel.code) if channel.code else None
            if code is None or channel.code_sent_at is None or now - channel.code_sent_at >= CODE_LASTS:
                return None
            data = {"code": code}
        if row.kind == DIGEST:
            held = await notifications.by_ids(session, row.data["ids"][:MAX_LISTED])
            texts = [
                render_notification(each.kind, each.fact, each.subject, each.data, language, formats) for each in held
            ]
            words = render_digest(texts, language, len(row.data["ids"]))
        else:
            words = render_notification(row.kind, row.fact, row.subject, data, language, formats)
        names = await name.names_of(session, ids_in((words.subject, *words.paragraphs)), row.org_id)
        words = localize_mail(words, names, formats, zone=preferences.clock.zone, language=language)
        return _Ready(row, channel, to, language, words)

    async def _send(self, each: _Ready, now: datetime) -> str:
        row = each.row
        carrier = self._carriers.get(ChannelKind(each.channel.kind))
        if carrier is None or each.to is None:
            return await self._write(row, now, problem=NO_CARRIER if carrier is None else UNOPENED)
        link = None if row.kind == CODE else self._link(row)
        message = Message(to=(each.to,), language=each.language, words=each.words, unsubscribe=link)
        try:
            said = await carrier.send(message, idempotency_key=f"notification:{row.id}")
        except ProviderRefused as error:
            return await self._write(row, now, problem=error.detail, final=True)
        except Throttled as error:
            return await self._write(row, now, problem=error.detail, after=error.retry_after)
        except (ProviderUnavailable, OutcomeUnknown) as error:
            return await self._write(row, now, problem=error.detail)
        if said.accepted:
            return await self._write(row, now, problem=None)
        problems = [*said.refused.values(), *said.deferred.values()]
        return await self._write(row, now, problem=problems[0] if problems else NO_CARRIER, final=bool(said.refused))

    async def _write(
        self,
        row: NotificationRow,
        now: datetime,
        *,
        problem: str | None,
        final: bool = False,
        after: timedelta | None = None,
    ) -> str:
        """Record the result of an attempt: sent, to be retried, or given up with an alert."""
        status = "queued"
        if problem is None:
            status = "sent"
        elif final or now - row.created_at >= (CODE_LASTS if row.kind == CODE else self._give_up_after):
            status = "failed"
        changed: dict[str, object] = {"status": status, "problem": problem}
        if status == "sent":
            changed["sent_at"] = now
        elif after is not None:
            changed["due_at"] = now + after
        async with self._database.platform() as session:
            await notifications.note(session, row.id, **changed)
            # A failed verification code needs no alert: the user waits for it.
            if status == "failed" and row.kind != CODE:
                await self._alert(session, row, problem or "", now)
        return status

    async def _alert(self, session: AsyncSession, row: NotificationRow, problem: str, now: datetime) -> None:
        """Alert once a day that a channel fails, even if the alert itself goes to that channel."""
        await alert.raise_alert(
            session,
            kind="notification.undelivered",
            subject=row.channel,
            detail=f"Notifications over the channel {row.channel} could not be delivered: {problem}",
            org_id=row.org_id,
            key=f"notification.undelivered:{row.channel}:{now.date().isoformat()}",
            shared=row.org_id is not None,
        )

    # Digests ----------------------------------------------------------------------------------------------------------

    @activity.defn
    async def close_digest(self, message: CloseDigest) -> ClosedDigest:
        """Close a digest that is due, and queue one message for each channel.

        Effect: the notifications are in the digest, and one message for each channel is queued; none if all were
            dropped, because their type was switched off or the channel was deleted.
        Idempotent by: the rows, which no longer wait for a digest.
        """
        async with self._database.platform() as session:
            rows = await notifications.lock_waiting(session, message.recipient, message.digest)
            if not rows:
                return ClosedDigest()
            org_id, principal = rows[0].org_id, rows[0].principal
            people = (await notifications.people(session, [org_id]))[org_id]
            preferences = next((each.preferences for each in people if each.principal == principal), None)
            until = self._due(message.digest, preferences, rows)
            if until > message.now:
                await notifications.put_off(session, [row.id for row in rows], until)
                return ClosedDigest(until=until)
            return await self._close(session, rows, preferences, message)

    def _due(self, digest: str, preferences: Preferences | None, rows: Sequence[NotificationRow]) -> datetime:
        """Return when a digest is due, by its owner's present time zone and hour."""
        _, day = parse_digest(digest)
        if day is None or preferences is None:
            return rows[0].due_at
        return digest_at(day, preferences.clock)

    async def _close(
        self,
        session: AsyncSession,
        rows: Sequence[NotificationRow],
        preferences: Preferences | None,
        message: CloseDigest,
    ) -> ClosedDigest:
        channels = await notifications.channels_by_id(session, {row.channel for row in rows})
        kept: dict[str, list[str]] = {}
        for row in rows:
            channel = channels.get(row.channel)
            if preferences is not None and channel is not None and _is_wanted(row, channel, preferences):
                kept.setdefault(row.channel, []).append(row.id)
        inside = {each for ids in kept.values() for each in ids}
        await notifications.end_waiting(session, inside, status="digested", digest=message.digest)
        left = {row.id for row in rows} - inside
        await notifications.end_waiting(session, left, status="dropped", digest=None)
        messages = [
            NewNotification(
                id=new_id("ntf"),
                source=f"{message.digest}:{ids[0]}",
                org_id=rows[0].org_id,
                principal=rows[0].principal,
                channel=channel_id,
                kind=DIGEST,
                fact=DIGEST,
                subject=message.digest,
                data={"ids": ids},
                status="queued",
                due_at=message.now,
                created_at=message.now,
            )
            for channel_id, ids in kept.items()
        ]
        await notifications.add(session, messages)
        return ClosedDigest(count=len(inside), messages=len(messages))


def _is_wanted(row: NotificationRow, channel: NotificationChannel, preferences: Preferences) -> bool:
    """Whether a notification may still be sent: its channel exists, and its type is not switched off."""
    if row.kind == CODE:
        return channel.status == ChannelStatus.PENDING.value
    chosen = preferences.choices.get(row.kind, {}).get(row.channel)
    return channel.status == ChannelStatus.VERIFIED.value and chosen is not Cadence.OFF


def _plus(one: FanOutResult, other: FanOutResult) -> FanOutResult:
    return FanOutResult(**{name: getattr(one, name) + getattr(other, name) for name in FanOutResult.model_fields})


def _escalation(row: Alert) -> Run:
    return escalation_run(EscalationInput(alert_id=row.id, kind=row.kind, subject=row.subject, org_id=row.org_id))


async def _looks(seconds: int) -> AsyncIterator[None]:
    """Yield once a second until the time is up, at least once, with heartbeats."""
    until = time.monotonic() + seconds
    async with heartbeats():
        while True:
            yield
            if time.monotonic() >= until or activity.is_worker_shutdown():
                return
            await asyncio.sleep(LOOKS_EVERY)
