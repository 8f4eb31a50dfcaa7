"""How a run reads what an operator signals, so that no input can stop it."""

from typing import TypeVar

from pydantic import BaseModel
from temporalio.api.common.v1 import Payload
from temporalio.common import RawValue
from temporalio.converter import PayloadConverter

from domain.errors import Invalid

S = TypeVar("S", bound=BaseModel)

#: What a handler is given by a signal without input: its parameter's default. A handler that lacked the default would
#: fail the workflow task, and with it every deadline, until the run is reset.
NO_INPUT = RawValue(Payload())
#: The gate of runs that dropped malformed signals without a trace.
MALFORMED_IS_REFUSED = "malformed-signals-are-refused"


def read_signal(converter: PayloadConverter, kind: type[S], given: RawValue) -> S | None:
    """Return the message that a signal carries; None when it carries none of that kind, whatever it holds instead.

    Handlers take the raw value, because the SDK drops a signal that it cannot decode, and nobody would learn of it.
    """
    try:
        message = converter.from_payload(given.payload, kind)
    except Exception:
        return None
    return message if isinstance(message, kind) else None


def malformed(name: str) -> Invalid:
    """Return the refusal of a signal that carries no message of its kind."""
    return Invalid(
        f'The signal {name} takes one JSON object as its input, such as {{"operator": "kim"}}. If it is sealed, '
        "it must be sealed by this deployment's codec.",
        extra={"field": "input"},
    )
