"""Safe parsing of operators' signals: no input can fail a run."""

import re
from typing import TypeVar

from pydantic import BaseModel
from temporalio.api.common.v1 import Payload
from temporalio.common import RawValue
from temporalio.converter import PayloadConverter

from contracts.escrow.escrow import OperatorSignal
from domain.common.access import Actor, Role
from domain.common.errors import Invalid
from domain.common.signals import SignalTarget, check_signal

S = TypeVar("S", bound=BaseModel)

#: Default of a handler's parameter, for a signal without input. Without it such a signal would fail the workflow task
#: and block every deadline until the run is reset.
NO_INPUT = RawValue(Payload())
#: Maximum length of a stored reason, in characters.
MAX_REASON = 500

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+ -]{0,99}")


def read_signal(converter: PayloadConverter, kind: type[S], given: RawValue) -> S | None:
    """Return the message that a signal carries; None if its input is anything else.

    Handlers take the raw value, because the SDK silently drops a signal that it cannot decode.
    """
    try:
        message = converter.from_payload(given.payload, kind)
    except Exception:
        return None
    return message if isinstance(message, kind) else None


def malformed(name: str) -> Invalid:
    """Return the refusal of a signal that carries no message of its type."""
    return Invalid(
        f'The signal {name} takes one JSON object as its input, such as {{"operator": "kim"}}. If it is sealed, '
        "it must be sealed by this deployment's codec.",
        extra={"field": "input"},
    )


def sender(signal: OperatorSignal, unnamed: str = "operator") -> Actor:
    """Return the actor of the seal, else the sender's own claim, else `unnamed`."""
    if signal.seal is not None:
        return Actor(principal=signal.seal.operator, role=Role.OPERATOR, key_id=signal.seal.key_id)
    return Actor(principal=f"temporal-ui:{_named(signal.operator) or unnamed}", role=Role.OPERATOR, claimed=True)


def signal_id(name: str, signal: OperatorSignal, own_id: str) -> str:
    """Return the command's id: the sender's, the seal's, or the delivery's, in this order.

    A sealed signal that is copied from the history and sent again has the same seal, so it is the same command.
    """
    sealed = None if signal.seal is None else signal.seal.seal_id
    return f"signal:{name}:{_named(signal.command_id) or sealed or own_id}"


def refusal_id(signal: OperatorSignal, command_id: str) -> str:
    """Return the id of a refusal's note. A sealed signal's own id is used up, so that a copy has no effect later."""
    return f"{command_id}:refused" if signal.seal is None else command_id


def check_addressed(reached: SignalTarget, name: str, signal: OperatorSignal, *, subject: object) -> None:
    """Refuse a signal for another entity, or one without a sender where a sender is required."""
    seal = signal.seal
    operator = _named(signal.operator) if seal is None else seal.operator
    check_signal(reached, name, subject=subject, operator=operator, sealed=seal is not None)


def reason_of(given: object) -> str:
    """Return the operator's reason, cut to `MAX_REASON`; None if it is not text."""
    return given[:MAX_REASON] if isinstance(given, str) else ""


def _named(value: object) -> str | None:
    return value if isinstance(value, str) and _NAME.fullmatch(value) else None
