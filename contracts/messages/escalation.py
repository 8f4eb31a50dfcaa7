"""Messages of escalations: the run that notifies people of an alert until it is answered."""

from contracts.common.base import Message
from contracts.escrow.escrow import Declined, OperatorSignal
from domain.common.access import Actor
from domain.messages.alert.escalation import EscalatedAlert


class EscalationInput(Message):
    """An alert whose kind has a ladder; `taken` names the steps that were taken before the run continued."""

    alert_id: str
    kind: str
    subject: str
    org_id: str | None = None
    taken: tuple[str, ...] = ()


class EscalationResult(Message):
    """Why the escalation has ended: `acknowledged`, `resolved`, `unanswered`, or `gone` if there is no such alert."""

    outcome: str
    taken: tuple[str, ...] = ()


class LoadAlert(Message):
    alert_id: str


class LoadedAlert(Message):
    """The alert's state; None if there is no such alert."""

    case: EscalatedAlert | None = None


class TakeStep(Message):
    alert_id: str
    step: str


class StepResult(Message):
    called: bool = False


class AcknowledgeAlert(Message):
    alert_id: str
    actor: Actor


class AcknowledgedAlert(Message):
    """The outcome; `called` names the steps that were taken before it, because they call people at once."""

    declined: Declined | None = None
    called: tuple[str, ...] = ()


class EscalationSignal(OperatorSignal):
    """What operators send to the run of an alert; `acknowledge` is the alert's id."""

    acknowledge: object = None
