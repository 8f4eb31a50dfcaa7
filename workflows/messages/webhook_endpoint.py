"""WebhookEndpointWorkflow: delivers events to one endpoint, and retries failed deliveries."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.common import RawValue

from domain.common.errors import WrongEndpointState

with workflow.unsafe.imports_passed_through():
    from activities.messages.webhook_endpoint import WebhookEndpointActivities
    from contracts.common.queues import DELIVERY_QUEUE, local_activity, regular_activity
    from contracts.messages.webhook_endpoint import (
        DisableWebhookEndpoint,
        DrainWebhookEndpoint,
        LoadWebhookEndpoint,
        RecordWebhookEndpoint,
        WebhookEndpointInput,
        WebhookEndpointResult,
        WebhookEndpointSignal,
        WebhookNews,
    )
    from domain.common.access import Actor
    from domain.common.agenda import Wait
    from domain.common.signals import SignalTarget
    from domain.messages.webhook import endpoint as rules
    from domain.messages.webhook.agenda import Backlog, EndpointStep, agenda
    from domain.messages.webhook.endpoint import (
        ENDED_STATUSES,
        Endpoint,
        EndpointChange,
        EndpointStatus,
        GivenUp,
        with_receipt,
    )
    from domain.messages.webhook.presentation import details
    from workflows.common.books_entity import BooksEntity
    from workflows.common.signals import NO_INPUT, reason_of, sender

Decision = Callable[[Endpoint, datetime], EndpointChange]
#: The time limit and the heartbeat timeout of one drain.
DRAIN_TIMEOUT, DRAIN_HEARTBEAT = timedelta(minutes=5), timedelta(seconds=10)
#: The number of history events, some sixteen drains, after which the run continues as new. A starting worker replays
#: the runs of all endpoints at once, and long histories would exceed the time limit of a task.
SHORT_HISTORY = 200


@workflow.defn(name="webhook-endpoint")
class WebhookEndpointWorkflow(BooksEntity[WebhookEndpointInput, Endpoint, EndpointChange, WebhookEndpointResult]):
    """Drains an endpoint's deliveries when signalled, and when the next retry is due.

    The books hold the state of each delivery; the run waits, and shows the backlog.

    Messages:
        update `disable`: nothing is sent until the endpoint is enabled. Update `catch_up`: the database is ahead.
            Signal
        `news`: there may be new deliveries, or the endpoint was changed. Signals `pause`, `resume`, `skip` of
        operators; a refused one is recorded in the timeline. A cancellation request is refused: disabling is a command.
    Ends when: it is disabled or deleted, and every handler has answered. Enabling starts another run.
    Continues as new: after some sixteen drains, from the database.
    Compensates: nothing; undelivered events wait in the database.
    """

    @workflow.init
    def __init__(self, start: WebhookEndpointInput) -> None:
        """Start without state, which is read from the database."""
        super().__init__(start, Endpoint(endpoint_id=start.endpoint_id, org_id=""))
        # What the last drain left; None if there was news since.
        self._backlog: Backlog | None = None
        self._news = 0
        # The books may be ahead: the API changes an endpoint there first, and then signals.
        self._stale = False

    @workflow.run
    async def run(self, start: WebhookEndpointInput) -> WebhookEndpointResult:
        """Run until the endpoint is disabled or deleted."""
        await self._live(start)
        return self._result()

    # Messages: one declared method for each name on the wire, whose body is one call ----------------------------------

    @workflow.update(name="disable")
    async def disable(self, command: DisableWebhookEndpoint) -> WebhookEndpointResult:
        """Disable the endpoint."""
        return await self._answer(lambda: self._apply(command.command_id, self._disabled(command), command.actor))

    @disable.validator
    def _validate_disable(self, command: DisableWebhookEndpoint) -> None:
        self._check(command, lambda: self._judge(command))

    @workflow.signal(name="news")
    async def signal_news(self, given: RawValue = NO_INPUT) -> None:
        """Check for due deliveries."""
        await self._handle_fact("news", WebhookNews, given, self._note_news)

    @workflow.signal(name="pause")
    async def signal_pause(self, given: RawValue = NO_INPUT) -> None:
        """Pause deliveries."""
        await self._handle_signal("pause", WebhookEndpointSignal, given, self._pause)

    @workflow.signal(name="resume")
    async def signal_resume(self, given: RawValue = NO_INPUT) -> None:
        """Resume deliveries."""
        await self._handle_signal("resume", WebhookEndpointSignal, given, self._resume)

    @workflow.signal(name="skip")
    async def signal_skip(self, given: RawValue = NO_INPUT) -> None:
        """Skip one delivery."""
        await self._handle_signal("skip", WebhookEndpointSignal, given, self._skip)

    # Decisions: what a command does to the state that holds when its turn comes ---------------------------------------

    def _note_news(self, _news: WebhookNews) -> None:
        self._news += 1
        self._stale, self._backlog = True, None

    def _disabled(self, command: DisableWebhookEndpoint) -> Decision:
        return lambda held, _now: rules.disable(held, actor=command.actor.qualified(), reason=command.reason)

    def _judge(self, command: DisableWebhookEndpoint) -> None:
        if not self._state.has_done(command.command_id):
            self._disabled(command)(self._state, workflow.now())

    def _pause(self, signal: WebhookEndpointSignal) -> Decision:
        actor, reason = sender(signal).qualified(), reason_of(signal.reason)
        return self._addressed("pause", signal, lambda held, _now: rules.pause(held, actor=actor, reason=reason))

    def _resume(self, signal: WebhookEndpointSignal) -> Decision:
        actor = sender(signal).qualified()
        return self._addressed("resume", signal, lambda held, _now: rules.resume(held, actor=actor))

    def _skip(self, signal: WebhookEndpointSignal) -> Decision:
        actor, reason = sender(signal).qualified(), reason_of(signal.reason)
        return self._addressed(
            "skip", signal, lambda held, _now: rules.skip(held, signal.delivery, actor=actor, reason=reason)
        )

    # The books --------------------------------------------------------------------------------------------------------

    async def _load(self, why: str) -> Endpoint:
        return await workflow.execute_local_activity_method(
            WebhookEndpointActivities.load,
            LoadWebhookEndpoint(endpoint_id=self._start.endpoint_id),
            **local_activity(why),
        )

    async def _write_next(
        self,
        event: EndpointChange,
        command_id: str,
        actor: Actor | None,
        content: str | None = None,  # noqa: ARG002 - receipts alone tell commands apart
    ) -> bool:
        following = with_receipt(event, command_id)
        message = RecordWebhookEndpoint(
            outcome=following, command_id=command_id, actor=actor, at=workflow.now(), decided_from=self._decided_from()
        )
        before = self._state.status.value
        recorded = await workflow.execute_local_activity_method(
            WebhookEndpointActivities.record,
            message,
            **local_activity(f"{following.event}: {before} → {event.endpoint.status}"),
        )
        # Any decision can make deliveries possible that were not before.
        self._backlog = None
        self._written(recorded, following.endpoint)
        return recorded.applied

    # What the run does by itself --------------------------------------------------------------------------------------

    async def _advance(self) -> None:
        """Drain, or wait for the next retry, for news or for a command."""
        await self._turn(self._see)
        item, version = agenda(self._state, self._backlog, workflow.now()), self._state.version
        if item is EndpointStep.DRAIN:
            # Outside of the lock: receivers are slow, and a decision meanwhile ends the drain.
            await self._drain()
        elif isinstance(item, Wait):
            news = self._news
            try:
                await workflow.wait_condition(
                    lambda: self._state.version != version or self._news != news or self._should_continue_as_new(),
                    timeout=item.until - workflow.now(),
                    timeout_summary=item.why,
                )
            except TimeoutError:
                # If the signal of its deletion was lost, only this read shows it.
                self._stale |= self._state.status is EndpointStatus.PAUSED

    async def _see(self) -> None:
        if self._stale:
            self._stale = False
            stored = await self._load("read whether it was changed")
            if stored.version > self._state.version:
                self._adopt(stored)

    async def _drain(self) -> None:
        news, version = self._news, self._state.version
        drained = await workflow.execute_activity_method(
            WebhookEndpointActivities.drain,
            DrainWebhookEndpoint(endpoint_id=self._start.endpoint_id, at=workflow.now()),
            **regular_activity(
                "send what is due", timeout=DRAIN_TIMEOUT, heartbeat=DRAIN_HEARTBEAT, queue=DELIVERY_QUEUE
            ),
        )
        if drained.give_up is not None:
            why = GivenUp(drained.give_up)
            await self._turn(lambda: self._give_up(why))
        elif drained.stopped:
            self._stale = True
        if (self._news, self._state.version) != (news, version) or drained.more:
            return
        self._backlog = Backlog(
            looked_at=workflow.now(),
            next_at=drained.next_at,
            waiting=drained.waiting,
            since=drained.since,
            why=drained.why,
        )
        workflow.set_current_details(self._details())

    async def _give_up(self, why: GivenUp) -> None:
        # It was disabled or deleted meanwhile.
        with suppress(WrongEndpointState):
            command_id = f"workflow:given_up:{self._state.version}"
            await self._apply(command_id, lambda held, _now: rules.give_up(held, why), None)

    def _should_continue_as_new(self) -> bool:
        is_long = workflow.info().get_current_history_length() > SHORT_HISTORY
        return is_long or super()._should_continue_as_new()

    def _has_ended(self) -> bool:
        return self._state.version > 0 and self._state.status in ENDED_STATUSES and not self._stale

    def _shown(self) -> str:
        return details(self._state, self._backlog)

    def _signal_target(self, held: Endpoint) -> SignalTarget:
        return SignalTarget(kind="webhook_endpoint", id=held.endpoint_id, state=held.status.value, asks_for_name=True)

    def _result(self) -> WebhookEndpointResult:
        state = self._state
        return WebhookEndpointResult(endpoint_id=state.endpoint_id, status=state.status.value, version=state.version)

    def _noting(self, note: dict[str, object], actor: Actor) -> Decision:
        return lambda held, _now: EndpointChange(
            endpoint=held, event="command_refused", actor=actor.qualified(), details=note
        )

    async def _cancel_requested(self) -> None:
        def decide(held: Endpoint, _now: datetime) -> EndpointChange:
            raise WrongEndpointState(
                "A webhook endpoint is disabled over the API, not by cancelling its run.",
                extra={"state": held.status.value},
            )

        await self._carry_out("disable", WebhookEndpointSignal(), decide, "cancellation")
