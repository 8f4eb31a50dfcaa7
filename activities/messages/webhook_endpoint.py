"""Writing of an endpoint's events, and sending of due deliveries: the activities of `WebhookEndpointWorkflow`."""

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from secrets import randbelow

from sqlalchemy.ext.asyncio import AsyncSession
from temporalio import activity
from temporalio.client import Client

from activities.books.books import BooksRefused, RefusalAlert, alerted_retry, is_next, require_local
from activities.common.seals import REFUSED, Seals
from activities.messages.webhook_dispatch import signal_runs
from contracts.escrow.escrow import Declined
from contracts.messages.webhook_endpoint import (
    DrainedWebhookEndpoint,
    DrainWebhookEndpoint,
    LoadWebhookEndpoint,
    RecordedWebhookEndpoint,
    RecordWebhookEndpoint,
)
from domain.common.errors import DomainError, NotFound
from domain.common.mail import MailKind
from domain.common.text import rfc3339
from domain.messages.webhook import turns
from domain.messages.webhook.delivery import (
    JITTER,
    TIMED_OUT,
    DeliveryStatus,
    ReceiverResponse,
    ResponseClass,
    SendingPace,
    classify_response,
    lanes,
    next_attempt,
    pace_after,
    pace_after_silence,
)
from domain.messages.webhook.endpoint import (
    FULL_ALERT,
    GIVEN_UP_ALERT,
    GIVEN_UP_REASONS,
    MOST_PENDING,
    RECEIPT_WINDOW,
    Endpoint,
    GivenUp,
    Ordering,
)
from models.messages.event import EventRow
from models.messages.webhook_endpoint import WebhookEndpointRow
from providers.notify.webhook import OutgoingWebhook, SigningKeys, WebhookSender
from repositories.messages import alert, event, webhook_delivery as deliveries, webhook_endpoint as endpoints
from repositories.messages.webhook_delivery import AttemptResult, DueDelivery
from repositories.tenants import audit
from runtime.database import Database
from runtime.heartbeat import heartbeats
from runtime.identity import new_id
from runtime.sealing import Sealer
from services.messages import mail, webhook_keys

#: The number of events and deliveries in a page, and of concurrent requests.
PAGE, AT_ONCE = 200, 8
#: The length of a drain, after which another endpoint gets the slot.
DRAINS_FOR = timedelta(seconds=20)
#: The interval between writes of responses, in seconds; a worker that dies sends that much again.
WRITES_EVERY = 0.1


def body_of(row: EventRow) -> bytes:
    """Serialise an event as the API lists it, with the `timestamp` that Standard Webhooks recommends."""
    at = rfc3339(row.at)
    document = {**row.document(), "at": at, "timestamp": at}
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


@dataclass
class _Drain:
    """State of a drain: clock, signing secrets, and results so far."""

    row: WebhookEndpointRow
    lease: str
    keys: tuple[SigningKeys, ...]
    at: datetime
    pace: SendingPace
    began: int = field(default_factory=time.monotonic_ns)
    tried: int = 0
    delivered: int = 0
    #: The number of consecutive tries without a response.
    silent: int = 0
    give_up: GivenUp | None = None
    #: Whether sending has ended: another drain has the endpoint, its status changed, or the drain was cancelled.
    stopped: bool = False
    _written: list[AttemptResult] = field(default_factory=list)

    def now(self) -> datetime:
        """The time by the run's clock, which also times the retries."""
        return self.at + timedelta(microseconds=(time.monotonic_ns() - self.began) // 1_000)

    def has_to_end(self) -> bool:
        return (
            self.stopped
            or self.give_up is not None
            or (self.pace.slow_until is not None and self.pace.slow_until > self.now())
            or self.now() - self.at > DRAINS_FOR
            or activity.is_worker_shutdown()
        )

    def note(self, due: DueDelivery, answer: ReceiverResponse) -> bool:
        """Record a response; returns whether the next delivery of its subject may be sent."""
        now, said = self.now(), classify_response(answer)
        following = next_attempt(answer, tries=due.tries + 1, now=now, jitter=randbelow(JITTER + 1))
        self.pace = pace_after(self.pace, answer, now)
        self.tried += 1
        self.silent = self.silent + 1 if answer.error == TIMED_OUT else 0
        if self.silent == AT_ONCE:
            self.pace = pace_after_silence(self.pace, now)
        self.delivered += said is ResponseClass.DELIVERED
        if said is ResponseClass.GONE:
            self.give_up = GivenUp.GONE
        elif self.pace.has_failed_too_long(now):
            self.give_up = self.give_up or GivenUp.FAILING
        self._written.append(AttemptResult(due, answer, following, now))
        return following.status is not DeliveryStatus.PENDING

    def slow_if_silent(self) -> bool:
        """Slow down an endpoint after a few tries without a response; returns whether it was slowed."""
        was_silent = 0 < self.tried == self.silent < AT_ONCE
        if was_silent:
            self.pace = pace_after_silence(self.pace, self.now())
        return was_silent

    def to_write(self) -> list[AttemptResult]:
        written, self._written = self._written, []
        return written


def _columns(pace: SendingPace) -> dict[str, object]:
    return {"slow_until": pace.slow_until, "slowed": pace.slowed, "failing_since": pace.failing_since}


class WebhookEndpointActivities:
    """The activities of `WebhookEndpointWorkflow`."""

    def __init__(
        self,
        database: Database,
        client: Client,
        sender: WebhookSender,
        sealer: Sealer,
        *,
        sealed_signals: bool = False,
        at_once: int = turns.MAX_DRAINED_AT_ONCE,
    ) -> None:
        """Take the database, the Temporal client, the sender, and the sealer of secrets.

        Args:
            database: of the platform.
            client: the Temporal client.
            sender: of webhooks.
            sealer: decrypts the signing secrets.
            sealed_signals: whether operators' commands must be sealed.
            at_once: the number of an organization's endpoints that are drained at once.
        """
        self._database = database
        self._client = client
        self._sender = sender
        self._sealer = sealer
        self._at_once = at_once
        self._seals = Seals("webhook_endpoint", required=sealed_signals)

    # The books --------------------------------------------------------------------------------------------------------

    @activity.defn(name="record_webhook_endpoint")
    async def record(self, message: RecordWebhookEndpoint) -> RecordedWebhookEndpoint:
        """Write an event, or return the state in the database instead.

        Effect: the endpoint's row, a row of its timeline; a skipped delivery; an alert and a mail if the endpoint is
            given up.
        Idempotent by: the event's number and the command's id, both unique within the endpoint, under the row's lock.
        """
        require_local()
        held, books, entity = message.outcome.endpoint, self._database, "webhook_endpoint"
        refused = RefusalAlert(books, entity, held.endpoint_id, message.outcome.event, held.version, held.org_id)
        async with alerted_retry(refused), self._database.platform() as session:
            return await self._write(session, message)

    @activity.defn(name="load_webhook_endpoint")
    async def load(self, message: LoadWebhookEndpoint) -> Endpoint:
        """Return the state in the database."""
        async with self._database.platform() as session:
            row = await endpoints.get(session, message.endpoint_id)
            if row is None:
                raise BooksRefused(f"The books have no {message.endpoint_id}. Were they restored from a backup?")
            return endpoints.state_of(row)

    async def _write(self, session: AsyncSession, message: RecordWebhookEndpoint) -> RecordedWebhookEndpoint:
        outcome, after = message.outcome, message.outcome.endpoint
        unsealed = None if outcome.event == REFUSED else self._seals.declined(message.actor)
        if unsealed is not None:
            return RecordedWebhookEndpoint(applied=False, declined=unsealed)
        held = await endpoints.lock(session, after.endpoint_id)
        if held is None:
            raise BooksRefused(f"The books have no {after.endpoint_id}. Endpoints begin with a request to the API.")
        if held.has_done(message.command_id):
            return RecordedWebhookEndpoint(applied=True, stored=held)
        if not is_next(held, after.version, message.decided_from, after.endpoint_id):
            return RecordedWebhookEndpoint(applied=False, stored=held)
        if await endpoints.has_done(session, after.endpoint_id, message.command_id):
            # Done so long ago that it is no longer in the state, only in the timeline.
            remembered = (*held.receipts, message.command_id)[-RECEIPT_WINDOW:]
            return RecordedWebhookEndpoint(applied=False, stored=replace(held, receipts=remembered))
        if outcome.event == "skipped":
            delivery_id = str(outcome.details.get("delivery_id"))
            if not await deliveries.skip(session, after.endpoint_id, delivery_id):
                refusal = NotFound(f"{deliveries.MISSING} It must wait at this endpoint.")
                return RecordedWebhookEndpoint(applied=False, declined=Declined.of(refusal))
        # As when its organization enables it: the time that it was paused says nothing about the receiver.
        afresh = _columns(SendingPace()) if outcome.event == "resumed" else {}
        await endpoints.write(session, outcome, command_id=message.command_id, at=message.at, **afresh)
        await self._notify(session, message)
        return RecordedWebhookEndpoint(applied=True, stored=after)

    async def _notify(self, session: AsyncSession, message: RecordWebhookEndpoint) -> None:
        outcome, after = message.outcome, message.outcome.endpoint
        if message.actor is not None:
            kind = f"webhook_endpoint.{outcome.event}"
            await audit.record(session, message.actor, kind, after.endpoint_id, outcome.details, after.org_id)
        await alert.close_cases(session, after.endpoint_id, ("webhook_endpoint.books_refused",))
        if outcome.event != "given_up":
            return
        why = GIVEN_UP_REASONS[GivenUp(str(outcome.details["why"]))]
        await alert.raise_alert(
            session,
            kind=GIVEN_UP_ALERT,
            subject=after.endpoint_id,
            detail=f"The webhook endpoint {after.endpoint_id} was disabled. {why} Events wait until it is enabled.",
            org_id=after.org_id,
            key=f"{GIVEN_UP_ALERT}:{after.endpoint_id}:{after.version}",
            shared=True,
        )
        await mail.queue(
            session,
            key=f"webhook-endpoint:{after.endpoint_id}:{after.version}",
            org_id=after.org_id,
            kind=MailKind.WEBHOOK_ENDPOINT_DISABLED,
            data={"endpoint": after.endpoint_id, "disabled_on": message.at.date().isoformat()},
        )

    # Sending ----------------------------------------------------------------------------------------------------------

    @activity.defn(name="drain_webhook_endpoint")
    async def drain(self, message: DrainWebhookEndpoint) -> DrainedWebhookEndpoint:
        """Read the endpoint's next events from the outbox and send due deliveries, until none is due.

        Effect: requests to the receiver; each result is written soon after the response.
        Idempotent by: nothing: the receiver must deduplicate by the id. A delivery whose result was not written is sent
            again, before any that follow it.
        Fails with: an outage of the database, which is retried.
        """
        lease = new_id("lse")
        async with self._database.platform() as session:
            row = await endpoints.begin_drain(session, message.endpoint_id, lease, at_once=self._at_once)
        if row is None:
            return DrainedWebhookEndpoint(stopped=True)
        if row == "waits":
            return await self._waits(message)
        drain = _Drain(row=row, lease=lease, keys=self._keys(row), at=message.at, pace=endpoints.pace_of(row))
        async with heartbeats():
            while not drain.has_to_end():
                due, has_more = await self._next(drain)
                if not due and not has_more:
                    break
                await self._send_all(drain, due)
            if drain.slow_if_silent():
                await self._write_pace(drain)
        return await self._end(drain)

    def _keys(self, row: WebhookEndpointRow) -> tuple[SigningKeys, ...]:
        try:
            return webhook_keys.signing_keys(row, self._sealer, datetime.now(UTC))
        except DomainError as refusal:
            raise RuntimeError(f"The secrets of {row.id} cannot be opened: {refusal.detail}") from refusal

    async def _waits(self, message: DrainWebhookEndpoint) -> DrainedWebhookEndpoint:
        """Give the slot back, because the organization's limit of concurrent drains is reached."""
        async with self._database.platform() as session:
            row = await endpoints.get(session, message.endpoint_id)
            ordering = Ordering.SUBJECT if row is None else Ordering(row.ordering)
            left = await deliveries.pending_summary(session, message.endpoint_id, ordering)
        return DrainedWebhookEndpoint(
            next_at=message.at + turns.TURN_POLL_INTERVAL,
            # Its events in the outbox are not counted yet.
            waiting=max(left.waiting, 1),
            since=left.since,
            why="Other endpoints of the organization have their turn.",
            at=message.at,
        )

    async def _next(self, drain: _Drain) -> tuple[list[DueDelivery], bool]:
        """Read a page of events; returns the due deliveries, and whether the outbox may have more."""
        row, now = drain.row, drain.now()
        async with self._database.platform() as session:
            # A change of the endpoint applies to all events after its response.
            changed = await endpoints.settings_now(session, row.id)
            row.types, row.ordering = changed.types, changed.ordering
            place, has_more = event.Position(row.read_in, row.read_id), False
            if await deliveries.has_pending(session, row.id, MOST_PENDING):
                await self._alert_of_full(session, row)
            else:
                place, has_more = await deliveries.take(
                    session, row, make_id=lambda: new_id("whd"), now=now, limit=PAGE
                )
            kept = await endpoints.renew_lease(session, row.id, drain.lease, read_in=place.written_in, read_id=place.id)
            if kept is None:
                # The drain that has it now inserts the same rows.
                drain.stopped = True
                return [], False
            self._adopt(drain, kept)
            row.read_in, row.read_id = place.written_in, place.id
            ordering = Ordering(row.ordering)
            limit = 1 if drain.pace.slowed else PAGE
            return await deliveries.due(session, row.id, ordering, now=now, limit=limit), has_more

    async def _alert_of_full(self, session: AsyncSession, row: WebhookEndpointRow) -> None:
        """Raise an alert once about a full queue; it is resolved when half as many webhooks wait."""
        if await alert.is_unresolved(session, FULL_ALERT, row.id):
            return
        await alert.raise_alert(
            session,
            kind=FULL_ALERT,
            subject=row.id,
            detail=f"{MOST_PENDING:,} webhooks wait at {row.id}, so later events stay in the outbox, those of subjects "
            "whose webhooks are taken as well. Mend the receiver, or skip what it will never take.",
            org_id=row.org_id,
            # The cursor stays here.
            key=f"{FULL_ALERT}:{row.id}:{row.read_in}:{row.read_id}",
            shared=True,
        )

    async def _send_all(self, drain: _Drain, due: Sequence[DueDelivery]) -> None:
        """Send due deliveries with limited concurrency; those of a subject in order."""
        free = asyncio.Semaphore(AT_ONCE)
        ordered = drain.row.ordering == Ordering.SUBJECT.value

        async def send(lane: Sequence[DueDelivery]) -> None:
            for each in lane:
                async with free:
                    if drain.has_to_end():
                        return
                    answer = await self._send(drain, each)
                if not drain.note(each, answer) and ordered:
                    return

        async def sent() -> None:
            async with asyncio.TaskGroup() as group:
                for lane in lanes(due, ordered=ordered):
                    group.create_task(send(lane))

        sending = asyncio.create_task(sent())
        try:
            while not sending.done():
                await asyncio.wait({sending}, timeout=WRITES_EVERY)
                await self._write_tried(drain)
            await sending
            await self._write_tried(drain)
        finally:
            sending.cancel()

    async def _send(self, drain: _Drain, due: DueDelivery) -> ReceiverResponse:
        outgoing = OutgoingWebhook(url=drain.row.url, message_id=due.event.id, body=body_of(due.event), keys=drain.keys)
        return await self._sender.send(outgoing, now=datetime.now(UTC))

    async def _write_tried(self, drain: _Drain) -> None:
        """Write all new results in one transaction."""
        tried = drain.to_write()
        if not tried:
            return
        changed = _columns(drain.pace)
        if any(each.next.status is DeliveryStatus.DELIVERED for each in tried):
            changed["delivered_at"] = tried[-1].at
        async with self._database.platform() as session:
            await deliveries.write(session, tried)
            row = await endpoints.renew_lease(session, drain.row.id, drain.lease, **changed)
            if row is None:
                drain.stopped = True
            else:
                self._adopt(drain, row)

    def _adopt(self, drain: _Drain, row: WebhookEndpointRow) -> None:
        """Use the endpoint's present address and secrets, which may have changed."""
        drain.row.url = row.url
        if row.secret != drain.row.secret:
            drain.row.secret, drain.keys = row.secret, self._keys(row)

    async def _write_pace(self, drain: _Drain) -> None:
        async with self._database.platform() as session:
            drain.stopped |= (
                await endpoints.renew_lease(session, drain.row.id, drain.lease, **_columns(drain.pace)) is None
            )

    async def _end(self, drain: _Drain) -> DrainedWebhookEndpoint:
        """Return the backlog. A new event is found here, or by the dispatcher once the endpoint is idle."""
        row = drain.row
        place = event.Position(row.read_in, row.read_id)
        slow_until = drain.pace.slow_until
        if slow_until is not None and slow_until <= drain.now():
            slow_until = None
        async with self._database.platform() as session:
            left = await deliveries.pending_summary(session, row.id, Ordering(row.ordering))
            # While it is slowed its events are not read either, so events may wait without a delivery.
            next_at = slow_until if left.next_at is None else max(left.next_at, slow_until or left.next_at)
            # A delivery fails finally sooner than an endpoint is given up. Once nothing waits, in the outbox either,
            # later failures are unrelated to earlier ones.
            is_over = drain.pace.failing_since is not None and drain.give_up is None and not left.waiting
            if is_over and not await deliveries.is_behind(session, row, place):
                following = await endpoints.end_drain(
                    session, row.id, drain.lease, wakes_at=next_at, failing_since=None
                )
            else:
                following = await endpoints.end_drain(session, row.id, drain.lease, wakes_at=next_at)
        async with self._database.platform() as session:
            takes_more = left.waiting < MOST_PENDING
            behind = takes_more and await deliveries.is_behind(session, row, place)
        if following is not None:
            await signal_runs(self._database, self._client, [following])
        now = drain.now()
        return DrainedWebhookEndpoint(
            tried=drain.tried,
            delivered=drain.delivered,
            more=(behind and slow_until is None) or (next_at is not None and next_at <= now),
            next_at=next_at,
            waiting=left.waiting,
            since=left.since,
            why=left.why,
            give_up=None if drain.give_up is None else drain.give_up.value,
            stopped=drain.stopped,
            at=now,
        )
