"""Activities of `RiskCaseWorkflow`: read a case, and write its events with their effects."""

from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncSession
from temporalio import activity

from activities.books.books import BooksRefused, RefusalAlert, alerted_retry, is_next, require_local, require_stored
from activities.common.seals import REFUSED, Seals
from contracts.escrow.escrow import Declined
from contracts.risk.case import LoadCase, RecordCase, RecordedCase
from domain.common.approval import ApprovalAction
from domain.common.errors import Forbidden
from domain.common.money import Amounts
from domain.risk.case import RECEIPT_WINDOW, TIMER, Case, content_to_approve
from repositories.risk import case as cases
from runtime.database import Database
from services.common import approval
from services.risk import case as service


class RiskCaseActivities:
    """Activities of `RiskCaseWorkflow` on the books."""

    def __init__(
        self, database: Database, *, two_above: Amounts | None, currency: str, sealed_signals: bool = False
    ) -> None:
        """Take the amount above which a decision takes two operators, and whether signals must be sealed.

        `currency` is that of the money at stake.
        """
        self._database = database
        self._two_above, self._currency = two_above, currency
        self._seals = Seals("risk_case", required=sealed_signals)

    @activity.defn(name="record_risk_case")
    async def record(self, message: RecordCase) -> RecordedCase:
        """Write one event with its effects, or return the state in the books instead.

        Effect: the case's row and timeline; with a decision labels, list items and the end or extension of its holds;
            audit, alert and events of the organizations.
        Idempotent by: the event's number and the command's id, both unique within the case, under the row's lock.
        Fails with: nothing that is final; an event that the books refuse is retried, and an operator is alerted.
        """
        require_local()
        case = message.outcome.case
        refused = RefusalAlert(self._database, "risk_case", case.case_id, message.outcome.event, case.version, None)
        async with alerted_retry(refused), self._database.platform() as session:
            return await self._write(session, message)

    @activity.defn(name="load_risk_case")
    async def load(self, message: LoadCase) -> Case:
        """Return the state in the books."""
        async with self._database.platform() as session:
            return cases.state_of(require_stored(await cases.get(session, message.case_id), message.case_id))

    async def _write(self, session: AsyncSession, message: RecordCase) -> RecordedCase:
        outcome, after = message.outcome, message.outcome.case
        unsealed = None if outcome.event == REFUSED else self._seals.declined(message.actor)
        if unsealed is not None:
            return RecordedCase(applied=False, declined=unsealed)
        row = await cases.get(session, after.case_id, lock=True)
        if row is None:
            raise BooksRefused(f"The books have no {after.case_id}. Cases are opened by decisions and detectors.")
        held, command_id, at = cases.state_of(row), message.command_id, message.at
        if held.has_done(command_id):
            return RecordedCase(applied=True, stored=held)
        if not is_next(held, after.version, message.decided_from, after.case_id):
            return RecordedCase(applied=False, stored=held)
        if await cases.has_done(session, after.case_id, command_id):
            # An old command is no longer in the state, only in the timeline.
            remembered = (*held.receipts, command_id)[-RECEIPT_WINDOW:]
            return RecordedCase(applied=False, stored=replace(held, receipts=remembered))
        if outcome.event == "decided" and outcome.actor != TIMER and message.actor is not None:
            # Here, because anyone with access to Temporal can send a signal.
            try:
                await service.require_decider(session, held, message.actor)
                content = content_to_approve(held, after.result, self._two_above, self._currency)
                if content is not None:
                    subject, action = after.case_id, ApprovalAction.RISK_DECISION
                    await approval.consume(session, action, subject, content, command_id=command_id, now=at)
            except Forbidden as refusal:
                return RecordedCase(applied=False, declined=Declined.of(refusal))
        await cases.write(session, outcome, command_id=command_id, at=at)
        await service.take_effect(session, outcome, command_id=command_id, actor=message.actor, at=at)
        return RecordedCase(applied=True, stored=after)
