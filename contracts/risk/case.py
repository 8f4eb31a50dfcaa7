"""Messages of cases of suspected fraud. They only grow: a new field has a default, a field is never renamed."""

from abc import abstractmethod
from datetime import datetime

from contracts.common.base import Message
from contracts.escrow.escrow import Declined, OperatorSignal
from domain.common.access import Actor
from domain.common.errors import Invalid
from domain.common.text import MAX_TEXT, plain_text
from domain.risk import case as rules
from domain.risk.case import MAX_LISTED, MAX_LISTED_DAYS, Case, CaseOutcome, CaseResult, ListEntry, require_entity

#: The longest reason and question, in characters.
MAX_REASON = 1000
#: The longest texts, by the name of their field.
_LONGEST = {
    "operator": 100,
    "note": MAX_TEXT,
    "question": MAX_REASON,
    "answer": MAX_TEXT,
    "reason": MAX_REASON,
    "appeal": MAX_TEXT,
}


class CaseInput(Message):
    """Starts or continues the run of a case from the books."""

    case_id: str
    resume: bool = True
    signals: int = 0


class CaseCommand(Message):
    """Base of all commands: the id, made from the caller's key, and the actor."""

    command_id: str
    actor: Actor

    def check(self) -> None:
        """Refuse values that the API cannot send."""
        for name in _LONGEST.keys() & type(self).model_fields.keys():
            plain_text(getattr(self, name), name, limit=_LONGEST[name])

    @abstractmethod
    def decided(self, case: Case, now: datetime) -> CaseOutcome:
        """Return the outcome of the command, by the rules of `domain.risk.case`."""


class AssignCase(CaseCommand):
    """Assigns a case to an operator; a principal's name."""

    operator: str

    def decided(self, case: Case, now: datetime) -> CaseOutcome:  # noqa: ARG002
        return rules.assign(case, actor=self.actor.qualified(), operator=self.operator)


class NoteOnCase(CaseCommand):
    """Records a note that only operators see."""

    note: str

    def decided(self, case: Case, now: datetime) -> CaseOutcome:  # noqa: ARG002
        return rules.note(case, actor=self.actor.qualified(), text=self.note)


class RequestCaseInformation(CaseCommand):
    """Asks the party a question."""

    question: str

    def decided(self, case: Case, now: datetime) -> CaseOutcome:
        return rules.request_information(case, now, actor=self.actor.qualified(), question=self.question)


class AnswerCase(CaseCommand):
    """Answers the question, as the party."""

    answer: str

    def decided(self, case: Case, now: datetime) -> CaseOutcome:  # noqa: ARG002
        return rules.answer(case, actor=self.actor.qualified(), text=self.answer)


class DecideCase(CaseCommand):
    """Decides a case, and lists entities."""

    result: CaseResult
    reason: str
    entries: tuple[ListEntry, ...] = ()
    seen_minor: int | None = None

    def check(self) -> None:
        super().check()
        if len(self.entries) > MAX_LISTED:
            raise Invalid(f"A decision lists at most {MAX_LISTED} entities.", extra={"field": "entries"})
        for each in self.entries:
            require_entity(each.entity)
            if not 1 <= each.days <= MAX_LISTED_DAYS:
                raise Invalid(f"An entity is listed for 1 to {MAX_LISTED_DAYS} days.", extra={"field": "entries"})

    def decided(self, case: Case, now: datetime) -> CaseOutcome:
        return rules.decide(
            case,
            now,
            actor=self.actor.qualified(),
            key_id=self.actor.key_id,
            result=self.result,
            reason=self.reason,
            entries=self.entries,
            seen_minor=self.seen_minor,
        )


class AppealCase(CaseCommand):
    """Appeals a decision, as the party."""

    appeal: str

    def decided(self, case: Case, now: datetime) -> CaseOutcome:
        return rules.appeal(case, now, actor=self.actor.qualified(), text=self.appeal)


class CaseCommandResult(Message):
    case_id: str
    status: str
    version: int


class CaseSignal(OperatorSignal):
    """Assigns a case to its sender, `{"assign": "rcs_…"}`, or decides it.

    The decision is `{"decide": "rcs_…", "result": "release", "reason": "…"}`.
    """

    assign: object = None
    decide: object = None
    result: object = None
    reason: object = ""


class RecordCase(Message):
    """An event to write, and the hash of the state that it was decided from."""

    outcome: CaseOutcome
    command_id: str
    actor: Actor | None = None
    at: datetime
    decided_from: str | None = None


class RecordedCase(Message):
    """Whether this event is in the books; otherwise `stored` is the state in the books."""

    applied: bool
    stored: Case | None = None
    declined: Declined | None = None


class LoadCase(Message):
    case_id: str
