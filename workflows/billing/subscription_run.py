"""The steps of a subscription's run: it follows the provider, and records changes."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType

from temporalio import workflow

from domain.common.errors import SubscriptionExists, SubscriptionTrialUsed, SubscriptionUnpaid

with workflow.unsafe.imports_passed_through():
    from activities.billing.subscription import SubscriptionActivities
    from contracts.billing.subscription import (
        LoadSubscription,
        RecordSubscription,
        SubscriptionInput,
        SubscriptionRequest,
        SubscriptionResponse,
        SubscriptionResult,
    )
    from contracts.common.queues import local_activity, regular_activity
    from domain.billing.subscription import commands, orders, unpaid
    from domain.billing.subscription.agenda import AgendaInput, Step, agenda, hold_until, page_closes
    from domain.billing.subscription.converge import converge, has_unknown_card
    from domain.billing.subscription.given_up import GIVEN_UP, ORDER_GIVEN_UP
    from domain.billing.subscription.grants import monthly_grant
    from domain.billing.subscription.state import Subscription, SubscriptionStatus, Transition, numbered
    from domain.billing.subscription.suspension import follow_suspension
    from domain.common.access import Actor
    from domain.common.agenda import Wait
    from domain.common.errors import DomainError
    from domain.common.ids import subscription_key
    from domain.tenants.organization import STOPPED_ERRORS
    from workflows.common.entity import Entity
    from workflows.common.errand import CALL_TIMEOUT, ask

#: The refusals of a first event, by code: the subscription does not begin.
_START_REFUSALS: Mapping[str, type[DomainError]] = MappingProxyType(
    {each.code: each for each in (SubscriptionExists, SubscriptionTrialUsed, SubscriptionUnpaid, *STOPPED_ERRORS)}
)
Decision = Callable[[Subscription, datetime], Transition]


class SubscriptionRun(Entity[SubscriptionInput, Subscription, Transition, Decision, SubscriptionResult]):
    """Steps and writes of a subscription's run; the workflow declares the commands."""

    def __init__(self, start: SubscriptionInput) -> None:
        """Restore the state, or prepare the one that is written first."""
        before = start.subscription
        if before.version:
            # Anyone with access to Temporal can start a run with a forged state, so the books are read.
            start = start.model_copy(update={"resume": True})
            before = replace(before, version=0, status=SubscriptionStatus.CREATED, order=None)
        super().__init__(start, before)
        self._events: list[str] = list(start.events)
        self._look_wanted = start.resume
        self._tried = AgendaInput()
        # The command of the order that operators were alerted of.
        self._overdue: str | None = None
        # The provider's declines, by the command of the request.
        self._refusals: dict[str, str] = {}
        # Since when the provider is known not to have a subscription that is to end before it was created.
        self._missing_since: datetime | None = None
        # Why it was refused: the organization has another one, has had its trial, or is suspended or closed.
        self._not_begun: DomainError | None = None

    async def _advance(self) -> None:
        """Take the next step of the agenda, or wait until one is due."""
        await self._turn(self._take_step)
        item = agenda(self._state, workflow.now(), self._agenda_input())
        if not isinstance(item, Wait) or self._should_continue_as_new():
            return
        if not self._has_ended():  # if the provider never had it, there is nothing to read
            await self._wait(item)

    async def _take_step(self) -> None:
        item = agenda(self._state, workflow.now(), self._agenda_input())
        self._tried = replace(self._tried, looked=False)
        match item:
            case Step.MARK:
                await self._mark_unrelated()
            case Step.LOOK:
                await self._look()
            case Step.SUBMIT:
                await self._submit()
            case Step.GRANT:
                granted = monthly_grant(self._state, workflow.now())
                if granted is not None:
                    await self._write_own(granted)
            case Step.LAPSE:
                await self._write_own(unpaid.lapse_upgrade(self._state, workflow.now()))
            case Step.REMIND:
                await self._write_own(orders.record_trial_reminder(self._state))

    async def _wait(self, wait: Wait) -> None:
        version, was_wanted = self._state.version, self._wants_refresh()
        with suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: (
                    self._state.version != version
                    or (self._wants_refresh() and not was_wanted)
                    or self._should_continue_as_new()
                ),
                timeout=wait.until - workflow.now(),
                timeout_summary=f"{self._state.status.value}: {wait.why}",
            )

    async def _mark_unrelated(self) -> None:
        """Mark events as handled: the subscription was never created at the provider."""
        marked = tuple(self._events)
        if self._state.ended_why == GIVEN_UP:
            await self._end_given_up()
        await self._mark(marked)
        self._events = [each for each in self._events if each not in marked]

    async def _look(self) -> None:
        events = tuple(self._events)
        self._look_wanted = False
        response = await self._call_provider(SubscriptionActivities.look, "read the subscription at the provider")
        if response is None or response.unknown is not None:
            self._note_failure()
            self._look_wanted = True
            return
        before, self._tried = self._tried, AgendaInput(looked_at=workflow.now(), looked=True)
        if response.snapshot is None:
            # The lost order did not arrive, and may be lost again.
            self._tried = replace(self._tried, tries=before.tries)
        if response.missing and orders.is_cancelled_before_creation(self._state):
            await self._end_uncreated()
            return
        page = self._state.checkout
        if response.missing and page is not None and workflow.now() >= page_closes(page):
            lapsed = orders.end_subscription(self._state, why=orders.PAGE_EXPIRED, actor="workflow", at=workflow.now())
            await self._write_own(lapsed, handled=events)
            return
        if response.snapshot is not None and has_unknown_card(self._state, response.snapshot):
            await self._write_own(orders.refuse_trial(self._state, why=orders.TRIAL_CARD_UNKNOWN), handled=events)
            self._events = [each for each in self._events if each not in events]
            return
        held = orders.resolve_unknown(self._state, made=response.snapshot is not None)
        outcome = (
            None if response.snapshot is None else converge(held, response.snapshot, workflow.now(), response.given_up)
        )
        if outcome is None and held != self._state:
            if held.order is not None:
                # Nothing has changed: the books keep saying that its answer was lost.
                self._tried = replace(self._tried, tries=before.tries, sends_again=True)
            else:
                outcome = Transition(subscription=held, event="looked_up", actor="workflow")
        if outcome is not None:
            await self._write_own(outcome, handled=events)
        elif events:
            await self._mark(events)
        self._events = [each for each in self._events if each not in events]
        await self._follow_organization(response)

    async def _follow_organization(self, response: SubscriptionResponse) -> None:
        """End an unpaid subscription on net terms, and follow the organization's suspension."""
        if orders.is_long_overdue(self._state, workflow.now()):
            await self._write_own(orders.end_unpaid(self._state))
            return
        seen = response.snapshot
        follows = None if seen is None else follow_suspension(self._state, seen.state, suspended=response.suspended)
        if follows is not None:
            await self._write_own(follows)

    async def _end_uncreated(self) -> None:
        """End a subscription that the provider does not have, once no call of an earlier run can still arrive there.

        A closed page cannot create one any more.
        """
        now = workflow.now()
        if self._missing_since is None:
            self._missing_since = now
        arrives = self._missing_since + CALL_TIMEOUT
        if now < arrives and self._state.checkout is None:
            self._look_wanted = True
            self._tried = replace(self._tried, held_until=arrives)
            return
        await self._write_own(orders.end_subscription(self._state, why=orders.CANCELLED, actor="workflow", at=now))

    async def _submit(self) -> None:
        """Send the request to the provider; a declined one is dropped."""
        order = self._state.order
        assert order is not None
        response = await self._call_provider(SubscriptionActivities.order, f"{order.kind.value} at the provider")
        if response is None or response.unknown is not None:
            self._note_failure()
            if not order.unknown:
                await self._write_own(orders.lose_response(self._state))
            elif self._tried.tries >= orders.OVERDUE_AFTER and self._overdue != order.command_id:
                self._overdue = order.command_id
                await self._write_own(orders.report_overdue(self._state))
            return
        self._tried = AgendaInput(looked_at=workflow.now())
        if response.declined is not None:
            self._refusals[order.command_id] = response.declined.code
            await self._write_own(orders.decline_order(self._state, why=response.declined.code, at=workflow.now()))
            return
        if response.page is not None:
            await self._write_own(orders.open_checkout(self._state, response.page))
            return
        assert response.snapshot is not None
        done = orders.confirm_order(self._state, response.snapshot)
        outcome = converge(done, response.snapshot, workflow.now(), response.given_up)
        await self._write_own(outcome or Transition(subscription=done, event="confirmed", actor="workflow"))

    async def _end_given_up(self) -> None:
        """End a given-up subscription that the provider created after all: it would be charged without a run."""
        key = subscription_key(self._state.subscription_id, "end", GIVEN_UP)
        await workflow.execute_activity_method(
            SubscriptionActivities.end_given_up,
            SubscriptionRequest(subscription=self._state, key=key),
            **regular_activity("end the given-up subscription at the provider", timeout=CALL_TIMEOUT),
        )

    async def _call_provider(
        self,
        method: Callable[[SubscriptionActivities, SubscriptionRequest], Awaitable[SubscriptionResponse]],
        summary: str,
    ) -> SubscriptionResponse | None:
        order = self._state.order
        kind, command = ("look", "look") if order is None else (order.kind.value, order.command_id)
        key = subscription_key(self._state.subscription_id, kind, command)
        return await ask(method, SubscriptionRequest(subscription=self._state, key=key), summary)

    def _agenda_input(self) -> AgendaInput:
        return replace(self._tried, wants_refresh=self._wants_refresh(), events=bool(self._events))

    def _wants_refresh(self) -> bool:
        return bool(self._events) or self._look_wanted

    def _note_failure(self) -> None:
        tries = self._tried.tries + 1
        held_until = hold_until(workflow.now(), tries)
        self._tried = replace(self._tried, tries=tries, held_until=held_until, sends_again=False)

    # Hooks of the base class ------------------------------------------------------------------------------------------

    async def _load(self, why: str) -> Subscription:
        asked = LoadSubscription(subscription_id=self._start.subscription.subscription_id)
        return await workflow.execute_local_activity_method(SubscriptionActivities.load, asked, **local_activity(why))

    async def _open(self) -> None:
        by, command_id = self._start.created_by, self._start.command_id
        first = commands.order_creation(self._start.subscription, command_id, actor=by.qualified())
        await self._write_next(first, command_id, by)

    async def _write_own(self, outcome: Transition, *, handled: tuple[str, ...] = ()) -> None:
        await self._write(outcome, f"run:{outcome.event}:{self._state.version + 1}", None, handled)

    async def _write_next(
        self,
        event: Transition,
        command_id: str,
        actor: Actor | None,
        content: str | None = None,  # noqa: ARG002
    ) -> bool:
        return await self._write(event, command_id, actor)

    async def _write(
        self, event: Transition, command_id: str, actor: Actor | None, handled: tuple[str, ...] = ()
    ) -> bool:
        following = numbered(event, command_id)
        message = RecordSubscription(
            subscription=following.subscription,
            event=following.event,
            actor=following.actor,
            command_id=command_id,
            at=workflow.now(),
            actor_detail=actor,
            settled=following.settled,
            grants=following.grants,
            details=dict(following.details),
            decided_from=self._decided_from(),
            handled=handled,
            billed=following.billed,
        )
        recorded = await workflow.execute_local_activity_method(
            SubscriptionActivities.record, message, **local_activity(following.event)
        )
        other = recorded.declined
        if other is not None and other.code == SubscriptionTrialUsed.code and self._state.version:
            refused = orders.refuse_trial(self._state, why=orders.TRIAL_CARD_USED)
            return await self._write(refused, f"run:{refused.event}:{self._state.version + 1}", None, handled)
        if other is not None and other.code in _START_REFUSALS:
            # The run completes, with nothing in the books.
            self._not_begun = _START_REFUSALS[other.code](other.detail, extra=other.extra)
            self._adopt(replace(self._state, status=SubscriptionStatus.ENDED))
            return False
        order = self._state.order
        self._written(recorded, following.subscription)
        if recorded.applied and order is not None and event.event == ORDER_GIVEN_UP:
            # The caller gets the result of a decline. The provider's state is read once it answers.
            self._refusals[order.command_id] = GIVEN_UP
            self._look_wanted = self._state.ref is not None
        return recorded.applied

    async def _mark(self, handled: tuple[str, ...]) -> None:
        message = RecordSubscription(
            subscription=self._state, event=None, actor="workflow", command_id="", at=workflow.now(), handled=handled
        )
        await workflow.execute_local_activity_method(
            SubscriptionActivities.record, message, **local_activity("nothing new at the provider")
        )

    def _has_ended(self) -> bool:
        return self._state.status is SubscriptionStatus.ENDED and self._state.order is None and not self._events

    def _has_more(self) -> bool:
        return bool(self._events)

    def _carried(self) -> dict[str, object]:
        return {"events": tuple(self._events)}

    def _details(self) -> str:
        state, terms = self._state, self._state.terms
        until = "" if state.period is None else f", until {state.period.end:%Y-%m-%d %H:%M} UTC"
        waits = "" if state.order is None else f"\n\nWaits for the provider to {state.order.kind.value}."
        change = "" if state.change is None else f"\n\nChanges to {state.change.terms.plan}."
        return f"**{state.status}**: {terms.plan} by the {terms.interval.value}{until}{waits}{change}"

    def _result(self) -> SubscriptionResult:
        state = self._state
        return SubscriptionResult(
            subscription_id=state.subscription_id, status=state.status.value, version=state.version
        )

    async def _grant(self, command_id: str, wish: Decision, actor: Actor) -> None:
        await self._apply(command_id, wish, actor)

    def _noting(self, note: dict[str, object], actor: Actor) -> Decision:
        return lambda held, _now: commands.record_refusal(held, actor=actor.qualified(), details=note)
