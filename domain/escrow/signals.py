"""What the signal of an operator has to say before it counts as a command."""

from domain.errors import Conflict, Invalid
from domain.escrow.state import Escrow


def check_signal(escrow: Escrow, name: str, *, subject: object, operator: str | None, sealed: bool) -> None:
    """Refuse a signal that was meant for another escrow, or that says nobody's name where one is asked for.

    Args:
        escrow: the escrow that the signal reached.
        name: the signal's name, which is that of the field that names the escrow.
        subject: the escrow that the signal names, if it names one.
        operator: who sends it; None when that cannot be read from it.
        sealed: an operator sealed it. Such a signal could be copied from another run, so it must name this one.

    Raises:
        Conflict: `escrow.signal_for_another`.
        Invalid: `escrow.signal_unaddressed`, `escrow.operator_unnamed`.
    """
    state = {"state": escrow.status.value}
    if subject is None and sealed:
        raise Invalid(
            f"A sealed signal names the escrow that it is meant for. Add {name}: {escrow.terms.escrow_id}.",
            code="escrow.signal_unaddressed",
            extra={**state, "field": name},
        )
    if subject is not None and subject != escrow.terms.escrow_id:
        raise Conflict(
            f"This is {escrow.terms.escrow_id}, and the signal names another escrow.",
            code="escrow.signal_for_another",
            extra=state,
        )
    if operator is None and escrow.terms.named_operators:
        raise Invalid(
            "The signal names no operator. Send it again with your name in the field operator.",
            code="escrow.operator_unnamed",
            extra={**state, "field": "operator"},
        )
