"""RiskCaseWorkflow: a case of suspected fraud, from its opening to the end of its appeal."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from temporalio import workflow
from temporalio.common import RawValue

with workflow.unsafe.imports_passed_through():
    from activities.risk.case import RiskCaseActivities
    from contracts.common.queues import local_activity
    from contracts.risk.case import (
        AnswerCase,
        AppealCase,
        AssignCase,
        CaseCommand,
        CaseCommandResult,
        CaseInput,
        CaseSignal,
        DecideCase,
        LoadCase,
        NoteOnCase,
        RecordCase,
        RequestCaseInformation,
    )
    from domain.common.access import Actor
    from domain.common.agenda import Wait
    from domain.common.errors import Invalid, WrongRiskCaseState
    from domain.common.signals import SignalTarget
    from domain.risk import case as rules
    from domain.risk.case import Case, CaseKind, CaseOutcome, CaseResult, CaseStatus, ReasonClass, with_receipt
    from workflows.common.books_entity import BooksEntity
    from workflows.common.signals import NO_INPUT, reason_of, sender

Decision = Callable[[Case, datetime], CaseOutcome]


@workflow.defn(name="risk-case")
class RiskCaseWorkflow(BooksEntity[CaseInput, Case, CaseOutcome, CaseCommandResult]):
    """Waits for the decision of a case, its appeal, and the party's answers; each wait has an end.

    Three days without a decision raise an alert, seven the default of the case's kind. A refusal can be appealed for 14
    days; an appeal that nobody decides in seven days leaves the decision as it is.

    Messages:
        updates `assign`, `note`, `request_information` and `decide` of operators, `answer` and `appeal` of the party.
        Update `catch_up`: the books are ahead, as after a further act joined the case. Signals `assign`, `decide` from
        the Temporal UI; a refused one is recorded in the timeline. A cancellation request is refused.
    Ends when: it is closed, and every handler has finished.
    Continues as new: when the server suggests it, from the state in the books.
    Compensates: nothing; what a case holds ends by its own time.
    """

    @workflow.init
    def __init__(self, start: CaseInput) -> None:
        """Start without a state; `run` loads it from the books."""
        nothing = Case(
            case_id=start.case_id,
            kind=CaseKind.ACT,
            group="",
            org_ids=(),
            value_minor=0,
            reason=ReasonClass.ACCOUNT_SAFETY,
            why="",
            opened_at=workflow.now(),
            version=0,
        )
        super().__init__(start, nothing)

    @workflow.run
    async def run(self, start: CaseInput) -> CaseCommandResult:
        """Process the case until it is closed."""
        await self._live(start)
        return self._result()

    # Messages: one declared method for each name on the wire, whose body is one call ----------------------------------

    @workflow.update(name="assign")
    async def assign(self, command: AssignCase) -> CaseCommandResult:
        """Assign the case to an operator."""
        return await self._carried_out(command)

    @assign.validator
    def _validate_assign(self, command: AssignCase) -> None:
        self._check_command(command)

    @workflow.update(name="note")
    async def note(self, command: NoteOnCase) -> CaseCommandResult:
        """Record a note of an operator."""
        return await self._carried_out(command)

    @note.validator
    def _validate_note(self, command: NoteOnCase) -> None:
        self._check_command(command)

    @workflow.update(name="request_information")
    async def request_information(self, command: RequestCaseInformation) -> CaseCommandResult:
        """Ask the party a question."""
        return await self._carried_out(command)

    @request_information.validator
    def _validate_request_information(self, command: RequestCaseInformation) -> None:
        self._check_command(command)

    @workflow.update(name="answer")
    async def answer(self, command: AnswerCase) -> CaseCommandResult:
        """Record the party's answer."""
        return await self._carried_out(command)

    @answer.validator
    def _validate_answer(self, command: AnswerCase) -> None:
        self._check_command(command)

    @workflow.update(name="decide")
    async def decide(self, command: DecideCase) -> CaseCommandResult:
        """Decide the case, or decide again after an appeal."""
        return await self._carried_out(command)

    @decide.validator
    def _validate_decide(self, command: DecideCase) -> None:
        self._check_command(command)

    @workflow.update(name="appeal")
    async def appeal(self, command: AppealCase) -> CaseCommandResult:
        """Record the party's appeal."""
        return await self._carried_out(command)

    @appeal.validator
    def _validate_appeal(self, command: AppealCase) -> None:
        self._check_command(command)

    @workflow.signal(name="assign")
    async def signal_assign(self, given: RawValue = NO_INPUT) -> None:
        """Assign the case to the signal's sender."""
        await self._handle_signal("assign", CaseSignal, given, self._assigned)

    @workflow.signal(name="decide")
    async def signal_decide(self, given: RawValue = NO_INPUT) -> None:
        """Decide the case."""
        await self._handle_signal("decide", CaseSignal, given, self._decided)

    # Decisions: what a command does to the state that holds when its turn comes ---------------------------------------

    async def _carried_out(self, command: CaseCommand) -> CaseCommandResult:
        return await self._answer(lambda: self._apply(command.command_id, command.decided, command.actor))

    def _check_command(self, command: CaseCommand) -> None:
        self._check(command, lambda: self._judge(command))

    def _judge(self, command: CaseCommand) -> None:
        if not self._state.has_done(command.command_id):
            command.decided(self._state, workflow.now())

    def _assigned(self, signal: CaseSignal) -> Decision:
        by = sender(signal)
        return self._addressed(
            "assign", signal, lambda case, _now: rules.assign(case, actor=by.qualified(), operator=by.principal)
        )

    def _decided(self, signal: CaseSignal) -> Decision:
        by, reason = sender(signal), reason_of(signal.reason)

        def decide(case: Case, now: datetime) -> CaseOutcome:
            if signal.result not in set(CaseResult) or not reason:
                raise Invalid("A decision needs a result, release or refuse, and a reason.", extra={"field": "result"})
            result = CaseResult(str(signal.result))
            return rules.decide(case, now, actor=by.qualified(), key_id=by.key_id, result=result, reason=reason)

        return self._addressed("decide", signal, decide)

    # What the base asks for -------------------------------------------------------------------------------------------

    async def _load(self, why: str) -> Case:
        return await workflow.execute_local_activity_method(
            RiskCaseActivities.load, LoadCase(case_id=self._start.case_id), **local_activity(why)
        )

    async def _write_next(
        self,
        event: CaseOutcome,
        command_id: str,
        actor: Actor | None,
        content: str | None = None,  # noqa: ARG002 - receipts alone tell commands apart
    ) -> bool:
        following = with_receipt(event, command_id)
        message = RecordCase(
            outcome=following,
            command_id=command_id,
            actor=actor,
            at=workflow.now(),
            decided_from=self._decided_from(),
        )
        before = self._state.status.value
        recorded = await workflow.execute_local_activity_method(
            RiskCaseActivities.record, message, **local_activity(f"{following.event}: {before} → {event.case.status}")
        )
        self._written(recorded, following.case)
        return recorded.applied

    async def _overtaken(self, now: datetime) -> bool:
        step = rules.agenda(self._state, now)
        if step is None or isinstance(step, Wait):
            return False
        await self._write_next(rules.taken(self._state, step, now), f"timer:{step}:{self._state.version}", None)
        return True

    async def _advance(self) -> None:
        """Take the step that is due, or wait until one is due or a message arrives."""
        await self._turn(lambda: self._overtaken(workflow.now()))
        item, version = rules.agenda(self._state, workflow.now()), self._state.version
        if isinstance(item, Wait):
            with suppress(TimeoutError):
                await workflow.wait_condition(
                    lambda: self._state.version != version or self._should_continue_as_new(),
                    timeout=item.until - workflow.now(),
                    timeout_summary=item.why,
                )

    def _has_ended(self) -> bool:
        return self._state.version > 0 and self._state.status is CaseStatus.CLOSED

    def _shown(self) -> str:
        return rules.details(self._state)

    def _signal_target(self, held: Case) -> SignalTarget:
        return SignalTarget(kind="risk_case", id=held.case_id, state=held.status.value, asks_for_name=True)

    def _result(self) -> CaseCommandResult:
        state = self._state
        return CaseCommandResult(case_id=state.case_id, status=state.status.value, version=state.version)

    def _noting(self, note: dict[str, object], actor: Actor) -> Decision:
        return lambda case, _now: CaseOutcome(case=case, event="command_refused", actor=actor.qualified(), details=note)

    async def _cancel_requested(self) -> None:
        def refuse(case: Case, _now: datetime) -> CaseOutcome:
            raise WrongRiskCaseState("A case ends by its decision.", extra={"state": case.status.value})

        await self._carry_out("cancel", CaseSignal(), refuse, "cancellation")
