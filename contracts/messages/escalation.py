"""Messages of escalations: the run that notifies people about an alert until it is answered."""

from contracts.common.base import Message
from contracts.escrow.escrow import Declined, OperatorSignal
from domain.common.access import Actor
from domain.messages.alert.escalation import EscalatedAlert


class EscalationInput(Message):
    """Starts or continues the escalation of an alert; `taken` names the steps taken so far."""

    alert_id: str
    kind: str
    subject: str
    org_id: str | None = None
    taken: tuple[str, ...] = ()


class EscalationResult(Message):
    """End of the escalation: `acknowledged`, `resolved`, `unanswered`, or `gone` if there is no such alert."""

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
    """Result of an acknowledgement; `called` names the immediate steps that were taken first."""

    declined: Declined | None = None
    called: tuple[str, ...] = ()


class EscalationSignal(OperatorSignal):
    """Signal of operators to the run of an alert; `acknowledge` is the alert's id."""

    acknowledge: object = None
