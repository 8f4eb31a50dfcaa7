"""Messages of the run that rotates a secret. None contains a value."""

from datetime import datetime

from contracts.common.base import Message
from contracts.escrow.escrow import Declined, OperatorSignal
from domain.common.access import Actor
from domain.secrets.rotation import RotationAction


class RotationInput(Message):
    """Starts or continues the run of a secret, whose state is in the books."""

    secret_id: str


class RotationChanged(Message):
    """Signals a change of the rotation in the books."""


class RotationResult(Message):
    outcome: str


class ReadRotation(Message):
    """Reads the state of a rotation at `now`."""

    secret_id: str
    now: datetime


class NextRotationStep(Message):
    """Due step, or the time until which nothing is due; with `ended` the secret is not rotated any more.

    Attributes:
        number: of the step's version.
        at_target: whether the step calls a host that the organization chose.
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
    """Result of a step; by default it was completed, or is not due any more.

    Attributes:
        refused: the target's reason for a refusal that may be temporary.
        waits: whether the step waits, because the organization has reached its limit of concurrent steps.
        tried: whether an earlier attempt got no response.
    """

    refused: str | None = None
    waits: bool = False
    tried: bool = False


class FailRotationStep(Message):
    """Fails a step that did not succeed in time, if it is still due.

    Attributes:
        over_at: the certain end of its last attempt.
    """

    secret_id: str
    number: int
    step: RotationAction
    detail: str
    now: datetime
    over_at: datetime


class RotateSignal(OperatorSignal):
    """Operators' update to start the next rotation at once, with the secret's id."""

    rotate: object = None


class GiveUpRotationSignal(OperatorSignal):
    """Operators' update once a person has fixed the target, with the secret's id."""

    give_up: object = None


class CommandRotation(Message):
    """Executes an operator's update: `rotate` or `give_up`."""

    secret_id: str
    command: str
    actor: Actor
    now: datetime


class RotationCommandResult(Message):
    declined: Declined | None = None
