"""Messages of escalations: the run that calls people for an alert until somebody answers."""

from contracts.base import Message
from contracts.escrow import Declined, OperatorSignal
from domain.access import Actor
from domain.alert.escalation import Case


class EscalationInput(Message):
    """An alert whose kind has a ladder; `taken` names the steps that were taken before the run continued."""

    alert_id: str
    kind: str
    subject: str
    org_id: str | None = None
    taken: tuple[str, ...] = ()


class EscalationResult(Message):
    """Why nobody is called any more: `acknowledged`, `resolved`, `unanswered`, or `gone` where there is no alert."""

    outcome: str
    taken: tuple[str, ...] = ()


class LookAtAlert(Message):
    """Asks how an alert stands."""

    alert_id: str


class SeenAlert(Message):
    """How it stands; None where there is no such alert."""

    case: Case | None = None


class TakeStep(Message):
    """Calls those of a step, which its name says."""

    alert_id: str
    step: str


class TookStep(Message):
    """Whether anybody was to be called still."""

    called: bool = False


class AcknowledgeAlert(Message):
    """An operator has seen the alert."""

    alert_id: str
    actor: Actor


class AcknowledgedAlert(Message):
    """The outcome; `called` names the steps that were taken before it, because they call people at once."""

    declined: Declined | None = None
    called: tuple[str, ...] = ()


class EscalationSignal(OperatorSignal):
    """What operators send to the run of an alert; `acknowledge` is the alert's id."""

    acknowledge: object = None
