"""RotationWorkflow: replaces the value of one secret by its schedule, step by step."""

from contextlib import suppress
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ActivityError, is_cancelled_exception
from temporalio.workflow import ActivityHandle

with workflow.unsafe.imports_passed_through():
    from activities.secrets.rotation import RotationActivities
    from contracts.common import search_attributes
    from contracts.common.queues import DELIVERY_QUEUE, cut_summary, local_activity, regular_activity
    from contracts.escrow.escrow import Declined, OperatorSignal
    from contracts.secrets.rotation import (
        CommandRotation,
        FailRotationStep,
        GiveUpRotationSignal,
        NextRotationStep,
        ReadRotation,
        RotateSignal,
        RotationCommandResult,
        RotationInput,
        RotationResult,
        RotationStepResult,
        TakeRotationStep,
    )
    from domain.common.errors import DomainError
    from domain.common.signals import SignalTarget
    from domain.common.text import as_markdown
    from domain.secrets.rotation import ATTEMPT_TIMEOUT, RotationAction
    from runtime.interceptors import domain_error_from
    from workflows.common.signals import NO_INPUT, check_addressed, sender

#: How long a step is tried before it counts as failed, and the heartbeat timeout of an attempt.
GIVES_UP_AFTER, HEARTBEAT = timedelta(minutes=15), timedelta(seconds=10)
#: When a step is asked again that the target refused, or that waits for its turn: the first pause, which doubles, and
#: the longest of each.
FIRST_PAUSE, LONGEST_PAUSE, LONGEST_WAIT = timedelta(seconds=5), timedelta(minutes=1), timedelta(minutes=5)


@workflow.defn(name="secret-rotation")
class RotationWorkflow:
    """Takes the step of a secret's rotation that is due, or waits. The books hold the state; no value is in the run.

    Messages:
        updates `rotate` and `give_up` of operators from the Temporal UI; a declined one is shown. Signal `news`: the
        schedule was changed, or somebody has asked for a rotation or sent a value.
    Ends when: the secret is not rotated any more, and every handler has answered.
    Continues as new: when the server suggests it, from the books.
    Compensates: a step that fails is rolled back at the target, and its value is destroyed. A refusal of the target
        counts after it was asked again for some minutes.
    """

    @workflow.init
    def __init__(self, start: RotationInput) -> None:
        """Know nothing yet: the books hold it."""
        self._start = start
        self._seen: NextRotationStep | None = None
        self._news = False
        self._refused: str | None = None
        # The step that is tried, since when its target is asked, and the next pause.
        self._tried: tuple[RotationAction, int] | None = None
        self._since: datetime | None = None
        self._pause = FIRST_PAUSE

    @workflow.run
    async def run(self, start: RotationInput) -> RotationResult:
        """Live as long as the secret is rotated."""
        while True:
            self._news = False
            seen = await self._look()
            if seen.ended or workflow.info().is_continue_as_new_suggested():
                await workflow.wait_condition(workflow.all_handlers_finished)
                if not seen.ended:
                    workflow.continue_as_new(start)
                if not self._news:
                    return RotationResult(outcome="not rotated any more")
            elif seen.step is not None:
                await self._take(seen, seen.step)
            else:
                await self._wait(seen)

    @workflow.signal(name="news")
    def signal_news(self, _given: RawValue = NO_INPUT) -> None:
        """Read the books again."""
        self._note_news()

    @workflow.update(name="rotate")
    async def rotate(self, given: RotateSignal) -> RotationCommandResult:
        """Begin the next rotation at once."""
        return await self._command("rotate", given, given.rotate)

    @workflow.update(name="give_up")
    async def give_up(self, given: GiveUpRotationSignal) -> RotationCommandResult:
        """End what has failed, because a person has put the target right."""
        return await self._command("give_up", given, given.give_up)

    def _note_news(self) -> None:
        self._news = True

    async def _look(self) -> NextRotationStep:
        seen = await workflow.execute_local_activity_method(
            RotationActivities.look,
            ReadRotation(secret_id=self._start.secret_id, now=workflow.now()),
            **local_activity("read where the rotation stands"),
        )
        if not seen.ended and (self._seen is None or seen.status != self._seen.status):
            workflow.upsert_search_attributes([search_attributes.STATE.value_set(seen.status)])
        self._seen = seen
        self._show()
        return seen

    async def _wait(self, seen: NextRotationStep) -> None:
        assert seen.until is not None
        with suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: self._news, timeout=max(seen.until - workflow.now(), timedelta(0)), timeout_summary=seen.why
            )

    async def _take(self, seen: NextRotationStep, step: RotationAction) -> None:
        if self._tried != (step, seen.number):
            self._tried, self._since, self._pause = (step, seen.number), None, FIRST_PAUSE
        about = f"{step.value} version {seen.number}" if seen.number else step.value
        now = workflow.now()
        since = self._since or now
        taking = workflow.start_activity_method(
            RotationActivities.take,
            TakeRotationStep(secret_id=self._start.secret_id, number=seen.number, step=step, now=now),
            **regular_activity(
                about,
                timeout=ATTEMPT_TIMEOUT,
                give_up_after=max(since + GIVES_UP_AFTER - now, ATTEMPT_TIMEOUT),
                heartbeat=HEARTBEAT if seen.at_target else None,
                queue=DELIVERY_QUEUE if seen.at_target else None,
            ),
        )
        try:
            taken = await self._outcome(taking, step, seen.number)
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            known = domain_error_from(error)
            await self._fail(seen, step, "No answer in time." if known is None else known.detail, now)
            return
        if taken.waits:
            self._since = since if taken.tried else self._since
            await self._rest(LONGEST_WAIT, "other rotations of the organization have their turn")
        elif taken.refused is None:
            self._tried = None
        elif workflow.now() + self._pause < since + GIVES_UP_AFTER:
            self._since = since
            await self._rest(LONGEST_PAUSE, f"ask again: {taken.refused}")
        else:
            await self._fail(seen, step, taken.refused, now)

    async def _outcome(
        self, taking: ActivityHandle[RotationStepResult], step: RotationAction, number: int
    ) -> RotationStepResult:
        """Return the outcome of a step; cancel it where the books say meanwhile that it is not due any more."""
        while True:
            await workflow.wait_condition(lambda: taking.done() or self._news)
            if taking.done():
                return await taking
            self._news = False
            seen = await self._look()
            if (seen.step, seen.number) != (step, number):
                taking.cancel()
                with suppress(ActivityError):
                    await taking
                return RotationStepResult()

    async def _rest(self, longest: timedelta, why: str) -> None:
        pause, self._pause = self._pause, min(self._pause * 2, longest)
        with suppress(TimeoutError):
            await workflow.wait_condition(lambda: self._news, timeout=pause, timeout_summary=cut_summary(why))

    async def _fail(self, seen: NextRotationStep, step: RotationAction, detail: str, now: datetime) -> None:
        self._tried = None
        await workflow.execute_local_activity_method(
            RotationActivities.fail,
            FailRotationStep(
                secret_id=self._start.secret_id,
                number=seen.number,
                step=step,
                detail=detail,
                now=now,
                over_at=workflow.now() + ATTEMPT_TIMEOUT,
            ),
            **local_activity(f"give up: {step.value}"),
        )

    async def _command(self, name: str, given: OperatorSignal, subject: object) -> RotationCommandResult:
        state = "unknown" if self._seen is None else self._seen.status
        reached = SignalTarget(kind="secret", id=self._start.secret_id, state=state, asks_for_name=True)
        try:
            check_addressed(reached, name, given, subject=subject)
        except DomainError as refusal:
            return self._answer(RotationCommandResult(declined=Declined.of(refusal)))
        done = await workflow.execute_local_activity_method(
            RotationActivities.command,
            CommandRotation(secret_id=self._start.secret_id, command=name, actor=sender(given), now=workflow.now()),
            **local_activity(f"{name}, as an operator ordered"),
        )
        self._note_news()
        return self._answer(done)

    def _answer(self, done: RotationCommandResult) -> RotationCommandResult:
        self._refused = None if done.declined is None else done.declined.detail
        self._show()
        return done

    def _show(self) -> None:
        if self._seen is None or self._seen.ended:
            return
        refused = "" if self._refused is None else f"\n- the last command was refused: {as_markdown(self._refused)}"
        workflow.set_current_details(self._seen.details + refused)
