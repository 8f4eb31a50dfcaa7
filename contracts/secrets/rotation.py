"""Messages of the run that rotates a secret. No value is in any of them."""

from datetime import datetime

from contracts.common.base import Message
from contracts.escrow.escrow import Declined, OperatorSignal
from domain.common.access import Actor
from domain.secrets.rotation import RotationAction


class RotationInput(Message):
    """Starts or continues the run of a secret; the books have all of it."""

    secret_id: str


class RotationChanged(Message):
    """Says that something of the rotation was changed in the books."""


class RotationResult(Message):
    outcome: str


class ReadRotation(Message):
    """Reads where a rotation stands at `now`."""

    secret_id: str
    now: datetime


class NextRotationStep(Message):
    """What is due, or until when nothing is; `ended` says that the secret is not rotated any more.

    Attributes:
        number: of the version that the step is about.
        at_target: whether the step waits for a host that the organization chose.
        details: for operators.
    """

    ended: bool = False
    status: str = ""
    number: int = 0
    step: RotationAction | None = None
    at_target: bool = False
    until: datetime | None = None
    why: str = ""
    details: str = ""


class TakeRotationStep(Message):
    secret_id: str
    number: int
    step: RotationAction
    now: datetime


class RotationStepResult(Message):
    """The outcome of a step; without a reason it was taken, or is not due any more.

    Attributes:
        refused: why the target refused it; it may take it later.
        waits: whether the step waits for its turn, because the organization has enough of them under way.
        tried: whether an earlier attempt had its turn and no answer.
    """

    refused: str | None = None
    waits: bool = False
    tried: bool = False


class FailRotationStep(Message):
    """Gives up a step that had no success in time, if it is still due.

    Attributes:
        over_at: when its last attempt is over for certain.
    """

    secret_id: str
    number: int
    step: RotationAction
    detail: str
    now: datetime
    over_at: datetime


class RotateSignal(OperatorSignal):
    """What operators send to begin the next rotation at once: the secret's id."""

    rotate: object = None


class GiveUpRotationSignal(OperatorSignal):
    """What operators send once a person has put the target right: the secret's id."""

    give_up: object = None


class CommandRotation(Message):
    """Does for an operator what an update asks for: `rotate` or `give_up`."""

    secret_id: str
    command: str
    actor: Actor
    now: datetime


class RotationCommandResult(Message):
    declined: Declined | None = None
